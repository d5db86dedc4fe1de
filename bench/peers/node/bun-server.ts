// Echo on any path; lines on /chat are subscribed to what they send there, and readers of /sse to what
// lines on /publish send. Arguments: --listen HOST:PORT [--deflate] [--tls].
//
// Settings: Bun's native publish to a topic, so that a broadcast is framed (and
// compressed) once for all. `shared` compression keeps no window per line.
const argument = (name: string) => process.argv[process.argv.indexOf(name) + 1];
const [hostname, port] = argument("--listen").split(":");
const deflate = process.argv.includes("--deflate");

const tls = process.argv.includes("--tls")
  ? { cert: Bun.file("certificate.pem"), key: Bun.file("key.pem") }
  : undefined;

const readers = new Set<ReadableStreamDirectController>();

// A direct stream is Bun's fastest: what is written is not queued in between.
function events(signal: AbortSignal): Response {
  const body = new ReadableStream({
    type: "direct",
    async pull(reader: ReadableStreamDirectController) {
      readers.add(reader);
      reader.write(": hello\n\n");
      reader.flush();
      await new Promise((ended) => signal.addEventListener("abort", ended));
      readers.delete(reader);
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

function publish(text: string): void {
  const event = `data: ${text}\n\n`;
  for (const reader of readers) {
    reader.write(event);
    reader.flush();
  }
}

const server = Bun.serve<{ path: string }>({
  hostname,
  port: Number(port),
  tls,
  idleTimeout: 0,
  fetch(request, server) {
    const path = new URL(request.url).pathname;
    if (path === "/sse") return events(request.signal);
    if (server.upgrade(request, { data: { path } })) return;
    return new Response("a WebSocket is expected", { status: 426 });
  },
  websocket: {
    maxPayloadLength: 16 * 1024 * 1024,
    idleTimeout: 120,
    perMessageDeflate: deflate ? { compress: "shared", decompress: "shared" } : false,
    open(line) {
      if (line.data.path === "/chat") line.subscribe("chat");
    },
    message(line, message) {
      if (line.data.path === "/chat") server.publish("chat", message, deflate);
      else if (line.data.path === "/publish") publish(String(message));
      else line.send(message);
    },
  },
});
console.log(`listening on ${server.hostname}:${server.port}`);
