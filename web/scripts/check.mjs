// Fails when web/dist is not what web/src builds to.

import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "./build.mjs";

const dist = fileURLToPath(new URL("../dist", import.meta.url));
const fresh = await mkdtemp(join(tmpdir(), "openline-web-"));

try {
  await build(fresh);
  const complaints = await differences(dist, fresh);
  for (const complaint of complaints) {
    console.error(`web/dist is stale: ${complaint}`);
  }
  if (complaints.length > 0) {
    console.error("Run `npm run build` in web/ and commit web/dist.");
    process.exitCode = 1;
  } else {
    console.log("web/dist matches web/src.");
  }
} finally {
  await rm(fresh, { recursive: true, force: true });
}

/**
 * @param {string} committed
 * @param {string} built
 */
async function differences(committed, built) {
  const names = new Set([...(await files(committed)), ...(await files(built))]);
  const complaints = [];
  for (const name of [...names].sort()) {
    const [have, want] = await Promise.all([content(committed, name), content(built, name)]);
    if (have === undefined) {
      complaints.push(`${name} is missing`);
    } else if (want === undefined) {
      complaints.push(`${name} is not made by the build`);
    } else if (!have.equals(want)) {
      complaints.push(`${name} differs from a fresh build, first in line ${lineOfDifference(have, want)}`);
    }
  }
  return complaints;
}

/** @param {string} folder */
async function files(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.path, entry.name).slice(folder.length + 1));
}

/**
 * @param {string} folder
 * @param {string} name
 */
async function content(folder, name) {
  return readFile(join(folder, name)).catch(() => undefined);
}

/**
 * @param {Buffer} have
 * @param {Buffer} want
 */
function lineOfDifference(have, want) {
  const haveLines = have.toString().split("\n");
  const wantLines = want.toString().split("\n");
  const index = wantLines.findIndex((line, at) => line !== haveLines[at]);
  return (index === -1 ? wantLines.length : index) + 1;
}
