// Three people in the chat that a server has for Socket.IO clients, as JSON.
//
//   node socketio_chat.mjs URL TRANSPORT...
import { randomUUID } from "node:crypto";
import { io } from "socket.io-client";

const [url, ...transports] = process.argv.slice(2);
const room = `room ${randomUUID()}`;

const people = {};
for (const name of ["ann", "ben", "eve"]) {
  const socket = io(url, { transports, forceNew: true, reconnection: false });
  const heard = [];
  socket.on("system", (...sent) => heard.push(["system", ...sent]));
  socket.on("chat", (...sent) => heard.push(["chat", ...sent]));
  await new Promise((resolve, reject) => socket.once("connect", resolve).once("connect_error", reject));
  people[name] = { socket, heard };
}
const { ann, ben, eve } = people;
const say = (person, text) => person.socket.timeout(5_000).emitWithAck("chat", { room, text });
const until = async (person, count) => {
  for (let tries = 0; person.heard.length < count; tries++) {
    if (tries === 250) throw new Error(`${person.socket.id} heard only ${JSON.stringify(person.heard)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

const began = Date.now();
ann.socket.emit("join-room", room);
await until(ann, 1);
ben.socket.emit("join-room", room);
await Promise.all([until(ann, 2), until(ben, 1)]);
const acks = [await say(ann, "hi"), await say(eve, "from outside")];
// One that nobody waits for.
ben.socket.emit("chat", { room, text: "no ack" });
await Promise.all([until(ann, 5), until(ben, 4)]);
await new Promise((resolve) => setTimeout(resolve, 100));

const names = new Map(Object.entries(people).map(([name, { socket }]) => [socket.id, name]));
/** Names in place of ids, and of the room; and whether the time is now. */
const readable = (value) => {
  if (typeof value === "string") {
    let text = value.replaceAll(room, "ROOM");
    for (const [id, name] of names) text = text.replaceAll(id, name);
    return text;
  }
  const { timestamp, ...rest } = value;
  const time = typeof timestamp === "number" && timestamp >= began && timestamp <= Date.now();
  return { ...Object.fromEntries(Object.entries(rest).map(([key, item]) => [key, readable(item)])), timestamp: time ? "now" : timestamp };
};
const seen = Object.fromEntries(Object.entries(people).map(([name, { heard }]) => [name, heard.map((sent) => sent.map(readable))]));
console.log(JSON.stringify({ ...seen, acks }));
process.exit(0);
