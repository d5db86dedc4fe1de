// What React shows in the tests, on the server and in the page.
import { StrictMode } from "react";
import { OpenlineProvider, useChannelReducer, useStatus } from "@openline/client/react";

export const CHANNEL = "chat:react";
const NONE = [];

export function App({ client }) {
  return (
    <StrictMode>
      <OpenlineProvider client={client}>
        <Talk />
        <Watch />
      </OpenlineProvider>
    </StrictMode>
  );
}

function Talk() {
  const state = useStatus((status) => status.state);
  const [texts, { state: joined }] = useChannelReducer(CHANNEL, (all, { data }) => [...all, data.text], NONE);
  return (
    <div id="talk" data-state={state} data-joined={joined}>
      {texts.map((text) => (
        <p key={text}>{text}</p>
      ))}
    </div>
  );
}

/** Another component in the same channel: they share one subscription. */
function Watch() {
  const [count] = useChannelReducer(CHANNEL, (before) => before + 1, 0);
  return <span id="count">{count}</span>;
}
