// Builds the pages into web/dist, or into the folder given as the argument.
//
// The output is committed and embedded into the server, so it has to come out
// the same on every machine: pinned esbuild, no hashes in names, no source
// maps, and paths in esbuild's comments relative to this package.

import { cp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build as bundle } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const source = join(root, "src");

const sdk = join(root, "../sdk/typescript/src");
/** The SDK is not a package here: the pages are built from its sources. */
export const client = {
  "@openline/client": join(sdk, "index.ts"),
  "@openline/client/websocket": join(sdk, "websocket/index.ts"),
};

/** @param {string} target folder that is emptied and then filled */
export async function build(target) {
  await rm(target, { recursive: true, force: true });
  await mkdir(target, { recursive: true });
  const shared = {
    absWorkingDir: root,
    outdir: target,
    bundle: true,
    target: "es2022",
    charset: /** @type {const} */ ("utf8"),
    legalComments: /** @type {const} */ ("none"),
    logLevel: /** @type {const} */ ("warning"),
  };
  const { shell, client: library, ...pages } = await entries("main.ts");
  await bundle({ ...shared, entryPoints: pages, format: "esm", alias: client });
  // What other people's pages load is as small as it can be.
  const entryPoints = { client: /** @type {string} */ (library) };
  await bundle({ ...shared, entryPoints, format: "esm", alias: client, minify: true });
  // It sets the theme before anything is drawn, so it is no module: those wait for the page.
  await bundle({ ...shared, entryPoints: { shell: /** @type {string} */ (shell) }, format: "iife" });
  await bundle({ ...shared, entryPoints: { style: "src/style.css", ...(await entries("style.css")) } });
  await write(target);
}

/**
 * A page's own files are in a folder of its name: `bench/main.ts` becomes `bench.js`.
 * @param {string} file
 */
async function entries(file) {
  /** @type {Record<string, string>} */
  const found = {};
  const folders = (await readdir(source, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  for (const { name } of folders.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if ((await readdir(join(source, name))).includes(file)) {
      found[name] = `src/${name}/${file}`;
    }
  }
  return found;
}

/** The pages with the header that all of them have, and what is served as it is. */
async function write(/** @type {string} */ target) {
  const header = await readFile(join(source, "shell/header.html"), "utf8");
  for (const name of await readdir(source)) {
    if (name.endsWith(".html")) {
      const page = await readFile(join(source, name), "utf8");
      await writeFile(join(target, name), withHeader(page, header));
    } else if (name.endsWith(".svg")) {
      await cp(join(source, name), join(target, name));
    }
  }
}

/**
 * @param {string} page in which `<!-- header: NAME -->` stands for the header; NAME is the page's own
 * @param {string} header
 */
function withHeader(page, header) {
  return page.replace(/^ *<!-- header: (\w+) -->\n/m, (_, name) =>
    header.replace(/ data-page="(\w+)"/g, (_, other) => (other === name ? ' aria-current="page"' : "")),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await build(resolve(process.argv[2] ?? join(root, "dist")));
}
