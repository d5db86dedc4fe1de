// The driver of a client under test, on node's `ws`. It shows that the runner
// works, and what it prints for a peer that is not strict.
//
//   node autobahn_client.mjs ws://127.0.0.1:PORT AGENT [FROM TO]
import WebSocket from "ws";

const [base, agent, from, to] = process.argv.slice(2);

// 13.2, 13.5 and 13.6 are UNIMPLEMENTED for a client that does not offer
// client_no_context_takeover: the fuzzing server then declines compression.
const OPTIONS = {
  perMessageDeflate: { threshold: 0, clientNoContextTakeover: true },
  maxPayload: 32 << 20,
  maxFragments: 0,
};

function run(path, onMessage) {
  return new Promise((resolve) => {
    const line = new WebSocket(base + path, OPTIONS);
    line.on("message", (data, binary) => onMessage(line, data, binary));
    line.on("error", () => {});
    line.on("close", resolve);
  });
}

let count = 0;
await run("/getCaseCount", (_line, data) => (count = Number(data)));
for (let index = Number(from ?? 1); index <= Number(to ?? count); index++) {
  await run(`/runCase?case=${index}&agent=${agent}`, (line, data, binary) => line.send(data, { binary }));
}
await run(`/updateReports?agent=${agent}`, () => {});
