// What `socket.io-client` does with a server, case by case; runs in node and in a page.
// Each case returns what it saw. The server is the program of the Socket.IO tests.

/** Runs every case, `width` at once. A case that fails says why in place of what it saw. */
export async function runCases(io, url, steady, transports, width = Infinity) {
  const left = Object.entries(cases);
  const seen = {};
  const worker = async () => {
    for (let entry; (entry = left.shift()); ) seen[entry[0]] = await runCase(entry[1], io, url, steady, transports);
  };
  await Promise.all(Array.from({ length: Math.min(width, left.length) }, worker));
  return seen;
}

async function runCase(run, io, url, steady, transports) {
  const sockets = [];
  const open = (space = "/", options = {}, at = url) => {
    const socket = io(at + (space === "/" ? "" : space), { transports, forceNew: true, reconnection: false, ...options });
    sockets.push(socket);
    return socket;
  };
  try {
    return await within(25_000, run({ open, steady, transports }));
  } catch (error) {
    return { failed: String(error.stack ?? error) };
  } finally {
    for (const socket of sockets) socket.disconnect();
  }
}

const within = (milliseconds, promise) => {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done in ${milliseconds} ms`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};
const next = (target, event) => new Promise((resolve) => target.once(event, (...sent) => resolve(sent)));
const collect = (target, event, count) =>
  new Promise((resolve) => {
    const heard = [];
    target.on(event, (value) => heard.push(value) === count && resolve(heard));
  });
/** Waits until the server has handled what was sent before. */
const settled = (socket) => socket.timeout(5_000).emitWithAck("join", "nobody's");
/** What stands in the value, bytes as `{bytes: [..]}`: node and browsers have different types for them. */
const plain = (value) => {
  if (value instanceof ArrayBuffer) return { bytes: [...new Uint8Array(value)] };
  if (ArrayBuffer.isView(value)) return { bytes: [...new Uint8Array(value.buffer, value.byteOffset, value.byteLength)] };
  if (Array.isArray(value)) return value.map(plain);
  if (value !== null && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
  return value;
};
const bytes = (...values) => Uint8Array.from(values);

const cases = {
  /** Which transport it begins with, and which it ends with. */
  async transport({ open, transports }) {
    const socket = open();
    const began = new Promise((resolve) => socket.io.once("open", () => resolve(socket.io.engine.transport.name)));
    await next(socket, "connect");
    const { engine } = socket.io;
    if (transports.length > 1 && engine.transport.name === "polling") await next(engine, "upgrade");
    const [back] = await echo(socket, "still here");
    return { began: await began, ends: engine.transport.name, back, ids: socket.id !== engine.id, recovered: socket.recovered };
  },

  async messages({ open }) {
    const socket = open();
    const [auth] = await next(socket, "auth");
    const heard = collect(socket, "number", 500);
    socket.emit("many", 500);
    return {
      auth,
      back: await echo(socket, 1, "2", { 3: [true, null] }, "grüß dich, 世界 🙂", ""),
      nothing: await echo(socket),
      inOrder: (await heard).every((number, index) => number === index),
    };
  },

  /** An event that was sent during the upgrade is not lost, nor twice there. */
  async burst({ open }) {
    const socket = open();
    const heard = collect(socket, "message-back", 300);
    for (let number = 0; number < 100; number++) socket.emit("message", number);
    await next(socket, "connect");
    for (let number = 100; number < 300; number++) {
      socket.emit("message", number);
      if (number % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return { inOrder: (await heard).every((number, index) => number === index) };
  },

  /** The client cuts what it posts at `maxPayload`: 2 MB go, in events of 100 kB. */
  async large({ open }) {
    const socket = open();
    await next(socket, "connect");
    const heard = collect(socket, "message-back", 20);
    for (let number = 0; number < 20; number++) socket.emit("message", String(number % 10).repeat(100_000));
    return { lengths: [...new Set((await heard).map((text) => text.length))] };
  },

  async acks({ open }) {
    const socket = open();
    const id = await socket.emitWithAck("id");
    const late = await socket.timeout(200).emitWithAck("never").catch((error) => error.message);
    const lateCallback = await new Promise((resolve) => socket.timeout(200).emit("never", (error) => resolve(error.message)));
    return {
      id: id === socket.id,
      one: await socket.emitWithAck("message-with-ack", { a: [1] }),
      several: await new Promise((resolve) => socket.emit("message-with-ack", 1, "2", (...sent) => resolve(sent))),
      inTime: await socket.timeout(5_000).emitWithAck("message-with-ack", "soon"),
      late,
      lateCallback,
    };
  },

  /** The server asks the client. */
  async questions({ open }) {
    const socket = open();
    socket.once("question", (question, answer) => answer(`${question}? yes`));
    socket.emit("ask-me", "really");
    const [answered] = await next(socket, "you-said");
    socket.emit("ask-me", "again");
    const [silent] = await next(socket, "you-said");
    socket.once("question", (question, answer) => answer({ bytes: bytes(9, 8) }));
    socket.emit("ask-me", "and");
    const [binary] = await next(socket, "you-said");
    return { answered, silent, binary: plain(binary) };
  },

  async binary({ open }) {
    const socket = open();
    socket.emit("send-bytes");
    const [sent] = await next(socket, "sent-bytes");
    const long = bytes(...Array.from({ length: 70_000 }, (_, index) => index * 7));
    const [longBack] = await echo(socket, long);
    return {
      top: plain(await echo(socket, bytes(1, 2), "between", bytes())),
      nested: plain(await echo(socket, { a: [{ b: bytes(0, 255) }], c: "text" }, [bytes(7)])),
      ack: plain(await new Promise((resolve) => socket.emit("bytes", (...given) => resolve(given)))),
      ackBack: plain(await new Promise((resolve) => socket.emit("message-with-ack", { x: bytes(5) }, (...given) => resolve(given)))),
      weighed: await socket.emitWithAck("weigh", { name: "n", parts: [bytes(1, 2), bytes(), bytes(250)] }),
      sent: plain(sent),
      long: JSON.stringify(plain(longBack)) === JSON.stringify(plain(long)),
    };
  },

  /** Two namespaces on one connection, and one that is not there. */
  async namespaces({ open }) {
    const main = open();
    const custom = main.io.socket("/custom", { auth: { who: "me" } });
    const [auth] = await next(custom, "auth");
    await echo(main, 1);
    const missing = main.io.socket("/missing");
    const [error] = await next(missing, "connect_error");
    custom.disconnect();
    const [back] = await echo(main, "main stays");
    return { auth, ids: main.id !== custom.id, error: error.message, back };
  },

  async guarded({ open }) {
    const welcome = open("/guarded", { auth: { token: "sesame" } });
    const [auth] = await next(welcome, "auth");
    const stranger = open("/guarded", { auth: (give) => give({ token: "guess" }) });
    const [error] = await next(stranger, "connect_error");
    const still = stranger.active;
    // The connection stays: with the right token the next attempt is let in.
    stranger.auth = { token: "sesame" };
    stranger.connect();
    const [second] = await next(stranger, "auth");
    return { auth, message: error.message, data: error.data, active: still, second };
  },

  async rooms({ open }) {
    const [ann, ben, cid] = ["ann", "ben", "cid"].map((name) => Object.assign(open("/rooms"), { name, heard: [] }));
    for (const socket of [ann, ben, cid]) {
      socket.on("told", (text) => socket.heard.push(text));
      socket.on("question", (question, answer) => socket.name !== "cid" && answer(`${socket.name}: ${question}`));
    }
    await Promise.all([ann.emitWithAck("join", "red"), ben.emitWithAck("join", "red"), cid.emitWithAck("join", "blue")]);
    const steps = [
      ["tell", { room: "red", text: "others of red" }],
      ["tell-all", { room: "red", text: "all of red" }],
      ["tell-either", { rooms: ["red", "blue"], text: "either" }],
      ["tell-except", { room: "red", text: "not red" }],
      ["shout", "all but ann"],
    ];
    for (const [event, sent] of steps) {
      ann.emit(event, sent);
      await settled(ann);
    }
    await ben.emitWithAck("leave", "red");
    ann.emit("tell-all", { room: "red", text: "ben has left" });
    await Promise.all([ann, ben, cid].map(settled));
    await ben.emitWithAck("join", "red");
    const answers = await ann.emitWithAck("poll", { room: "red", question: "there?" });
    const some = await ann.emitWithAck("poll", { room: "blue", question: "there?" });
    return { ann: ann.heard, ben: ben.heard, cid: cid.heard, answers: answers.sort(), some };
  },

  async volatile({ open }) {
    const socket = open();
    await next(socket, "connect");
    // What finds the way taken, as during the upgrade, is not sent at all.
    const again = setInterval(() => socket.emit("volatile"), 50);
    const [heard] = await next(socket, "maybe").finally(() => clearInterval(again));
    // One that the client sends before it is connected is not kept.
    const late = open();
    const backs = [];
    late.on("message-back", (text) => backs.push(text));
    late.volatile.emit("message", "too early");
    await next(late, "connect");
    backs.push(...(await echo(late, "in time")));
    return { heard, backs: [...new Set(backs)] };
  },

  async disconnects({ open }) {
    const one = open();
    const other = one.io.socket("/custom");
    await next(other, "connect");
    one.emit("leave-me", false);
    const [left] = await next(one, "disconnect");
    const [stays] = await echo(other, "custom stays");
    one.connect();
    await next(one, "connect");
    const ends = [next(one, "disconnect"), next(other, "disconnect")];
    one.emit("leave-me", true);
    const whole = (await Promise.all(ends)).map(([reason]) => reason);
    const own = open();
    await next(own, "connect");
    const gone = next(own, "disconnect");
    own.disconnect();
    return { left, stays, whole, own: (await gone)[0] };
  },

  /** Many heartbeats, and the line is there. */
  async heartbeat({ open, steady }) {
    const socket = open("/", {}, steady);
    let ended;
    socket.on("disconnect", (reason) => (ended = reason));
    await next(socket, "connect");
    let pings = 0;
    await new Promise((resolve) => socket.io.on("ping", () => ++pings === 4 && resolve()));
    return { back: await echo(socket, "after four"), ended };
  },
};

async function echo(socket, ...sent) {
  const back = next(socket, "message-back");
  socket.emit("message", ...sent);
  return back;
}
