// What undici's EventSource, the browser API in node, gets of a channel until it has so many
// publications.
//
//   node event_source_undici.mjs SERVER_URL COUNT
import { EventSource } from "undici";

const [server, count] = process.argv.slice(2);
const seen = { types: [], numbers: [], opened: 0 };
const source = new EventSource(`${server}/sse?channels=es`);
// While it waits to come back it does not keep node running.
const awake = setInterval(() => {}, 1_000);
source.onopen = () => ++seen.opened;
source.onmessage = (event) => {
  const message = JSON.parse(event.data);
  seen.types.push(message.type);
  if (message.type === "subscribed") console.log("open");
  if (message.type === "message") console.log(`seen ${seen.numbers.push(message.data)}`);
  if (seen.numbers.length < Number(count)) return;
  source.close();
  clearInterval(awake);
  console.log(`result ${JSON.stringify(seen)}`);
};
