import type { Info } from "./api.js";
import type { Metrics } from "./metrics-text.js";
import type { Feed } from "./poller.js";

export type Tone = "good" | "warm" | "bad" | "quiet";

/** How a server is, in a word and, where something is wrong, a sentence. */
export interface Health {
  readonly word: string;
  readonly tone: Tone;
  readonly sentence: string | undefined;
}

/** What a server gives up for want of memory, from level 1 on: each level has those before it too. */
const GIVEN_UP = ["lines are not compressed", "there are no new lines, and the oldest history gives way", "lines that do not keep up are ended", "publications are refused"];

/** From what the server says about itself; the worst comes first. */
export function healthOf(feed: Feed, metrics: Metrics | undefined, info: Info | undefined): Health {
  if (feed.state === "away") {
    return { word: "away", tone: "bad", sentence: feed.why };
  }
  if (feed.state === "paused") {
    return { word: "paused", tone: "quiet", sentence: undefined };
  }
  if (metrics === undefined || info === undefined) {
    return { word: "asking", tone: "warm", sentence: undefined };
  }
  if (metrics.sum("openline_broker_up") === 0) {
    return { word: "refusing", tone: "bad", sentence: info.history.ailment ?? "Publications are refused; the log says why." };
  }
  if (metrics.sum("openline_store_ok") === 0) {
    return { word: "not stored", tone: "bad", sentence: info.history.ailment ?? "The store takes no records; the log says why." };
  }
  const level = metrics.sum("openline_overload_level") ?? 0;
  if (level > 0) {
    return { word: "overloaded", tone: level > 2 ? "bad" : "warm", sentence: `Memory is short: ${GIVEN_UP[level - 1]} (level ${level}).` };
  }
  if (metrics.sum("openline_draining") === 1) {
    return { word: "draining", tone: "warm", sentence: "It is about to end, and sends its clients elsewhere." };
  }
  if (metrics.sum("openline_store_damaged") === 1) {
    return { word: "damaged", tone: "warm", sentence: "A file of the store does not read back. The next start sets it aside." };
  }
  if ((metrics.sum("openline_panics_total") ?? 0) > 0) {
    return { word: "ready", tone: "warm", sentence: "Lines ended because of a bug of the server. That is worth a report." };
  }
  return { word: "ready", tone: "good", sentence: undefined };
}
