import { createClient } from "@openline/client";

const client = createClient({ url: "ws://127.0.0.1:8000" });
await client.connect();

const room = client.channel("room:1");
room.on("publication", ({ data, from }) => console.log(from?.user ?? "somebody", data));
room.on("gap", ({ reason }) => console.log("messages are missing:", reason));
await room.subscribe();

await room.publish({ text: "hi" });
