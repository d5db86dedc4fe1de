// The program of the Socket.IO tests on npm's `engine.io` and `socket.io`: the oracle
// that the tests were proved against. Openline's own is the example `socketio_suite`;
// both take the same arguments and answer the same events.
//
//   node socketio_reference.mjs [--ping-interval MS] [--ping-timeout MS] [--connect-timeout MS]
//     [--recovery MS] [--origin ORIGIN]... [--listen PORT]
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { Server as Engine } from "engine.io";
import { Server } from "socket.io";

const { values } = parseArgs({
  options: {
    "ping-interval": { type: "string", default: "25000" },
    "ping-timeout": { type: "string", default: "20000" },
    "connect-timeout": { type: "string", default: "45000" },
    recovery: { type: "string" },
    origin: { type: "string", multiple: true },
    listen: { type: "string", default: "0" },
  },
});
const options = {
  pingInterval: Number(values["ping-interval"]),
  pingTimeout: Number(values["ping-timeout"]),
  maxHttpBufferSize: 1e6,
  perMessageDeflate: { threshold: 1024 },
  cors: values.origin && { origin: values.origin, credentials: true },
};

const http = createServer();
const engine = new Engine(options);
// Raw Engine.IO: every message comes back.
engine.on("connection", (line) => line.on("message", (data) => line.send(data)));
engine.attach(http, { path: "/engine.io/" });

const io = new Server(http, {
  ...options,
  connectTimeout: Number(values["connect-timeout"]),
  connectionStateRecovery: values.recovery && { maxDisconnectionDuration: Number(values.recovery) },
});
// Who may come; the others get the error and its data.
io.of("/guarded").use((socket, next) => {
  if (socket.handshake.auth.token === "sesame") return next();
  next(Object.assign(new Error("not authorized"), { data: { code: "wrong_token", hint: ["ask", 7] } }));
});
for (const name of ["/", "/custom", "/guarded"]) io.of(name).on("connection", echoes);
io.on("connection", chat);
io.of("/rooms").on("connection", rooms);
// Sends nothing by itself: what a client gets there it was sent by another.
io.of("/quiet").on("connection", quiet);

http.listen(Number(values.listen), "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${http.address().port}`));

function echoes(socket) {
  socket.emit("auth", socket.handshake.auth);
  socket.on("message", (...sent) => socket.emit("message-back", ...sent));
  socket.on("message-with-ack", (...sent) => sent.pop()(...sent));
  socket.on("id", (ack) => ack(socket.id));
  socket.on("never", () => {});
  socket.on("leave-me", (whole) => socket.disconnect(whole));
  // What the server makes of bytes, wherever they stand in the event.
  socket.on("weigh", (thing, ack) => ack({ name: thing.name, bytes: thing.parts.map((part) => [...part]) }));
  socket.on("bytes", (ack) => ack(bytes(1, 2, 3), { deep: { list: [bytes(), bytes(255, 0)] } }));
  socket.on("send-bytes", () => socket.emit("sent-bytes", { name: "two", parts: [bytes(4, 5), { last: bytes(6) }] }));
  socket.on("ask-me", async (question) => {
    const answer = await socket.timeout(1_000).emitWithAck("question", question).catch(() => "no answer");
    socket.emit("you-said", answer);
  });
  socket.on("volatile", () => socket.volatile.emit("maybe", "now"));
  socket.on("many", (count) => {
    for (let number = 0; number < count; number++) socket.emit("number", number);
  });
}

/** The chat that `openline serve` has for Socket.IO clients. */
function chat(socket) {
  socket.on("join-room", async (room) => {
    await socket.join(room);
    io.to(room).emit("system", `${socket.id} joined ${room}`);
  });
  socket.on("chat", ({ room, text }, ack) => {
    io.to(room).emit("chat", { from: socket.id, text, timestamp: Date.now() });
    ack?.({ status: "delivered" });
  });
}

function rooms(socket) {
  const space = io.of("/rooms");
  socket.on("join", async (room, ack) => (await socket.join(room), ack()));
  socket.on("leave", async (room, ack) => (await socket.leave(room), ack()));
  socket.on("tell", ({ room, text }) => socket.to(room).emit("told", text));
  socket.on("tell-all", ({ room, text }) => space.to(room).emit("told", text));
  socket.on("tell-either", ({ rooms, text }) => space.to(rooms).emit("told", text));
  socket.on("tell-except", ({ room, text }) => space.except(room).emit("told", text));
  socket.on("shout", (text) => socket.broadcast.emit("told", text));
  socket.on("poll", async ({ room, question }, ack) => {
    const answers = await space.to(room).timeout(1_000).emitWithAck("question", question).catch((error) => error.responses);
    ack(answers);
  });
}

function quiet(socket) {
  const space = io.of("/quiet");
  if (socket.handshake.auth.room && !socket.recovered) socket.join(socket.handshake.auth.room);
  socket.on("news", ({ room, text }, ack) => (space.to(room).emit("news", text), ack()));
  socket.on("typing", ({ room, who }, ack) => (space.to(room).volatile.emit("typing", who), ack()));
}

function bytes(...values) {
  return Buffer.from(values);
}
