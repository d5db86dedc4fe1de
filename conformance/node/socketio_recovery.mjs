// What npm's `socket.io-client` gets back of what it missed, as JSON: each case in a
// room of its own, with a reader that is cut off and a talker that goes on.
//
//   node socketio_recovery.mjs URL polling|websocket CASE...
import { randomUUID } from "node:crypto";
import { connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { io } from "socket.io-client";

const [url, transport, ...names] = process.argv.slice(2);

const cases = {
  /** One missed while the server may not know yet, one when it knows, and one that need not be kept. */
  async once(stage) {
    await stage.news("1");
    await stage.away(async () => {
      await stage.news("2");
      await sleep(100);
      await stage.news("3");
      await stage.typing("not kept");
    });
    await stage.news("4");
  },

  /** socketio/socket.io#5539: the client takes the last string of an event for its position. */
  async volatileString(stage) {
    await stage.news("1");
    await stage.typingHeard("alice");
    await stage.away(async () => {
      await stage.news("2");
      await stage.news("3");
    });
  },

  /** socketio/socket.io#4888, #5538: a socket that has heard nothing has no position. */
  async neverHeard(stage) {
    await stage.away(() => stage.news("1"));
  },

  /** socketio/socket.io#4880: once, and not again. */
  async thrice(stage) {
    for (const number of [1, 2, 3]) {
      await stage.news(`here ${number}`);
      await stage.away(() => stage.news(`away ${number}`));
    }
  },

  /** The same, with nothing said between one cut and the next. */
  async thriceQuietly(stage) {
    for (const number of [1, 2, 3]) await stage.away(() => (number === 3 ? stage.news("at last") : undefined));
    await stage.news("after");
  },

  /** The network went without a word: the server believes that the client is there when it comes back. */
  async unnoticed(stage) {
    await stage.news("1");
    await stage.away(async () => {
      await stage.news("2");
      await stage.news("3");
    }, stage.relay.freeze);
    await stage.news("4");
  },

  /** socketio/socket.io#5282: nothing was said for longer than a session is kept. */
  async longQuiet(stage) {
    await stage.news("1");
    // npm's server looks once a minute for what is too old.
    await sleep(Number(process.env.QUIET_MS ?? 2_500));
    await stage.away(() => stage.news("2"));
  },

  async tooLong(stage) {
    await stage.news("1");
    await stage.away(async () => {
      await stage.news("2");
      await sleep(2_500);
    });
    await stage.news("3");
  },
};

const outcomes = await Promise.all(names.map((name) => play(cases[name])));
console.log(JSON.stringify(Object.fromEntries(names.map((name, index) => [name, outcomes[index]]))));
process.exit(0);

async function play(run) {
  const room = `room-${randomUUID()}`;
  const relay = await openRelay(new URL(url).port);
  const open = (address, auth) => io(`${address}/quiet`, { transports: [transport], forceNew: true, reconnection: false, auth });
  const [reader, talker] = [open(relay.url, { room }), open(url, {})];
  const seen = { returns: [], heard: [] };
  reader.on("news", (text) => seen.heard.push(text));
  reader.on("typing", (who) => seen.heard.includes(`${who} types`) || seen.heard.push(`${who} types`));
  await Promise.all([next(reader, "connect"), next(talker, "connect")]);
  const stage = {
    relay,
    news: (text) => talker.timeout(5_000).emitWithAck("news", { room, text }),
    typing: (who) => talker.timeout(5_000).emitWithAck("typing", { room, who }),
    /** Again until the reader hears it: a volatile event is not kept for a client that is between two polls. */
    async typingHeard(who) {
      for (let tries = 0; !seen.heard.includes(`${who} types`); tries++) {
        if (tries === 50) throw new Error(`heard ${JSON.stringify(seen.heard)}`);
        await stage.typing(who);
        await sleep(100);
      }
    },
    /** Cuts the reader off, and lets it come back when `meanwhile` is done. */
    async away(meanwhile, before = () => {}) {
      await sleep(50);
      before();
      const id = reader.id;
      const gone = next(reader, "disconnect");
      cut(reader.io.engine);
      await gone;
      await meanwhile();
      reader.connect();
      await next(reader, "connect");
      seen.returns.push({ recovered: reader.recovered, sameId: reader.id === id });
      await sleep(50);
    },
  };
  try {
    await within(15_000 + Number(process.env.QUIET_MS ?? 0), run(stage));
    await sleep(200);
  } catch (error) {
    seen.failed = String(error);
  }
  reader.disconnect();
  talker.disconnect();
  return seen;
}

function within(milliseconds, promise) {
  return Promise.race([promise, sleep(milliseconds).then(() => Promise.reject(new Error(`not done in ${milliseconds} ms`)))]);
}

/** Carries bytes to the server, until it is frozen: then the server hears no more of those connections, nor of their ends. */
async function openRelay(port) {
  const pairs = [];
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect(port, "127.0.0.1");
    const pair = { near, far };
    pairs.push(pair);
    for (const [from, to] of [[near, far], [far, near]]) {
      from.on("data", (data) => pair.frozen || to.write(data));
      for (const event of ["end", "close"]) from.on(event, () => pair.frozen || to.destroy());
      from.on("error", () => {});
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const freeze = () => {
    for (const pair of pairs) pair.frozen = true;
  };
  return { url: `http://127.0.0.1:${server.address().port}`, freeze };
}

/** No good-bye if there is a WebSocket. */
function cut(engine) {
  if (engine.transport.ws) engine.transport.ws.terminate();
  else engine.close();
}

function next(target, event) {
  return new Promise((resolve) => target.once(event, resolve));
}
