// A client inside a module worker.
import { createClient } from "@openline/client";

const client = createClient({ url: "/" });
const channel = client.channel(new URL(location.href).searchParams.get("channel"));
client.subscribeStatus(({ state }) => postMessage({ what: state }));
channel.on("publication", ({ data }) => postMessage({ what: "publication", data }));
channel.on("gap", ({ reason }) => postMessage({ what: "gap", reason }));
onmessage = async ({ data }) => postMessage({ what: "published", position: (await channel.publish(data)).position });

await client.connect();
await channel.subscribe();
postMessage({ what: "subscribed", page: typeof document });
