/** What a client does once the line was closed with a code. */
export type ClosePolicy = "stop" | "retry" | "wait";

/** Codes that say: do not come back on your own. */
const STOP = new Set([1000, 1002, 1003, 1007, 1008, 1009, 1010, 4001, 4002, 4005]);
/** Codes that say: not before 30 seconds are over. */
const WAIT = new Set([1013, 4003, 4004]);
/** Session expired: a client with tokens fetches a new one; these pages have none, so they stop. */
const SESSION_EXPIRED = 4000;

/** Every other code, and none at all (1005, 1006), is worth a retry. */
export function closePolicy(code: number): ClosePolicy {
  if (STOP.has(code) || code === SESSION_EXPIRED) {
    return "stop";
  }
  return WAIT.has(code) ? "wait" : "retry";
}
