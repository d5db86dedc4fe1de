// Echo on any path; lines on /chat are subscribed to what they send there. Arguments: --listen HOST:PORT [--deflate].
//
// Settings: Bun's native publish to a topic, so that a broadcast is framed (and
// compressed) once for all. `shared` compression keeps no window per line.
const argument = (name: string) => process.argv[process.argv.indexOf(name) + 1];
const [hostname, port] = argument("--listen").split(":");
const deflate = process.argv.includes("--deflate");

const server = Bun.serve<{ chat: boolean }>({
  hostname,
  port: Number(port),
  fetch(request, server) {
    const chat = new URL(request.url).pathname === "/chat";
    if (server.upgrade(request, { data: { chat } })) return;
    return new Response("a WebSocket is expected", { status: 426 });
  },
  websocket: {
    maxPayloadLength: 16 * 1024 * 1024,
    idleTimeout: 120,
    perMessageDeflate: deflate ? { compress: "shared", decompress: "shared" } : false,
    open(line) {
      if (line.data.chat) line.subscribe("chat");
    },
    message(line, message) {
      if (line.data.chat) server.publish("chat", message, deflate);
      else line.send(message);
    },
  },
});
console.log(`listening on ${server.hostname}:${server.port}`);
