// What undici's WebSocket, the browser API in node, sees of a server, as JSON.
//
//   node undici_client.mjs URL
import { WebSocket } from "undici";

const [url] = process.argv.slice(2);
const next = (target, type) =>
  new Promise((resolve, reject) => {
    target.addEventListener(type, resolve, { once: true });
    if (type !== "close") target.addEventListener("error", () => reject(new Error("the line failed")), { once: true });
  });

async function open(protocols) {
  const line = new WebSocket(url, protocols);
  line.binaryType = "arraybuffer";
  await next(line, "open");
  return line;
}

async function echo(line, data) {
  const reply = next(line, "message");
  line.send(data);
  return (await reply).data;
}

async function close(line, code, reason) {
  const end = next(line, "close");
  line.close(code, reason);
  const event = await end;
  return { code: event.code, reason: event.reason, wasClean: event.wasClean };
}

const line = await open(["second", "first"]);
const bytes = new Uint8Array(1 << 20).map((_, index) => index * 31);
const result = {
  protocol: line.protocol,
  extensions: line.extensions,
  text: await echo(line, "grüß dich, 世界"),
  long: (await echo(line, "long ".repeat(50_000))) === "long ".repeat(50_000),
  binary: Buffer.from(await echo(line, bytes)).equals(Buffer.from(bytes)),
  close: await close(line, 4999, "done"),
};
const plain = await open();
result.noProtocol = plain.protocol;
result.close3000 = await close(plain, 3000);
console.log(JSON.stringify(result));
process.exit(0);
