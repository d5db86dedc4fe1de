// What node's `ws` sees of a server, as JSON.
//
//   node ws_client.mjs URL CHECK
import { once } from "node:events";
import { randomBytes } from "node:crypto";
import WebSocket from "ws";

const [url, check] = process.argv.slice(2);
const words = "the same words in each message, so that there is something to take over; ";

async function open(options = {}, protocols = []) {
  const line = new WebSocket(url, protocols, { maxPayload: 32 << 20, ...options });
  await once(line, "open");
  return line;
}

async function echoed(line, data) {
  const reply = once(line, "message");
  line.send(data);
  const [bytes, binary] = await reply;
  return binary === (typeof data !== "string") && Buffer.from(data).equals(bytes);
}

async function closed(line, code, reason) {
  const end = once(line, "close");
  line.close(code, reason);
  const [seen, text] = await end;
  return { code: seen, reason: text.toString() };
}

const checks = {
  async echo() {
    const line = await open({}, ["two", "one"]);
    return {
      text: await echoed(line, "grüß dich, 世界"),
      binary: await echoed(line, randomBytes(1 << 20)),
      protocol: line.protocol,
      close: await closed(line, 4999, "done"),
    };
  },

  async takeover() {
    const line = await open({ perMessageDeflate: { threshold: 0 } });
    let same = true;
    for (let number = 0; number < 200; number++) {
      same = (await echoed(line, words.repeat(20) + number)) && same;
    }
    return { extensions: line.extensions, same, close: await closed(line, 1000) };
  },

  async no_takeover() {
    const perMessageDeflate = {
      threshold: 0,
      clientNoContextTakeover: true,
      serverNoContextTakeover: true,
      serverMaxWindowBits: 10,
      clientMaxWindowBits: 10,
    };
    const line = await open({ perMessageDeflate });
    let same = true;
    for (let number = 0; number < 50; number++) {
      same = (await echoed(line, words.repeat(20) + number)) && same;
    }
    return { extensions: line.extensions, same, close: await closed(line, 1000) };
  },

  async fragments() {
    const result = {};
    for (const compress of [false, true]) {
      const line = await open({ perMessageDeflate: compress ? { threshold: 0 } : false });
      const reply = once(line, "message");
      for (let number = 0; number < 100; number++) {
        line.send(words, { fin: false, compress });
        if (number === 50) line.ping("between");
      }
      const pong = once(line, "pong");
      line.send("", { fin: true, compress });
      const [bytes] = await reply;
      const [answer] = await pong;
      result[compress ? "compressed" : "plain"] =
        bytes.toString() === words.repeat(100) && answer.toString() === "between";
      await closed(line, 1000);
    }
    return result;
  },

  async burst() {
    const line = await open({ perMessageDeflate: false });
    const seen = [];
    const all = new Promise((resolve) => {
      line.on("message", (bytes) => seen.push(bytes.toString()) === 5000 && resolve());
    });
    for (let number = 0; number < 5000; number++) line.send(String(number));
    await all;
    return { inOrder: seen.every((text, number) => text === String(number)), close: await closed(line, 1000) };
  },

  async refused() {
    const line = new WebSocket(url);
    line.on("error", () => {});
    const [, response] = await once(line, "unexpected-response");
    return { status: response.statusCode };
  },
};

console.log(JSON.stringify(await checks[check]()));
process.exit(0);
