// RFC 8441 with node's own HTTP/2: the stream of an extended CONNECT is the
// socket of a `ws` client. Over http:// with prior knowledge, over https:// by
// ALPN.
//
//   node http2_client.mjs URL
import { connect } from "node:http2";
import { once } from "node:events";
import { randomBytes } from "node:crypto";
import WebSocket from "ws";

const [url] = process.argv.slice(2);
const { origin, pathname } = new URL(url);
const session = connect(origin);
await once(session, "remoteSettings");

async function open(protocol) {
  const headers = {
    ":method": "CONNECT",
    ":protocol": "websocket",
    ":path": pathname,
    "sec-websocket-version": "13",
    origin,
  };
  if (protocol) headers["sec-websocket-protocol"] = protocol;
  const stream = session.request(headers, { endStream: false });
  const [answer] = await once(stream, "response");
  const line = new WebSocket(null, undefined, { closeTimeout: 5000, autoPong: true });
  line._isServer = false; // It masks what it sends.
  stream.setNoDelay = () => {};
  stream.setTimeout = () => {};
  line.setSocket(stream, Buffer.alloc(0), { maxPayload: 32 << 20, allowSynchronousEvents: true });
  return { line, answer };
}

async function echoed(line, data) {
  const reply = once(line, "message");
  line.send(data);
  const [bytes] = await reply;
  return Buffer.from(data).equals(bytes);
}

const { line, answer } = await open("one");
const other = await open();
const result = {
  connectProtocol: session.remoteSettings.enableConnectProtocol ?? false,
  status: answer[":status"],
  protocol: answer["sec-websocket-protocol"],
  text: await echoed(line, "over HTTP/2: grüß dich"),
  // Beyond the window of a stream and of the connection.
  binary: await echoed(line, randomBytes(1 << 20)),
  second: await echoed(other.line, "beside it"),
};
const end = once(line, "close");
line.close(3000, "done");
const [code, reason] = await end;
result.close = { code, reason: reason.toString() };
console.log(JSON.stringify(result));
process.exit(0);
