import { CLOSE, EVENTS } from "./close-and-events.js";
import { CONSTRUCTION } from "./construction.js";
import { HANDSHAKE, SEND } from "./handshake-and-send.js";
import type { Assertion } from "./harness.js";

/** The standard, assertion by assertion. https://websockets.spec.whatwg.org */
export const ASSERTIONS: readonly Assertion[] = [...CONSTRUCTION, ...HANDSHAKE, ...SEND, ...CLOSE, ...EVENTS];

/** Those that are not run, and why. */
export const NOT_RUN: readonly { readonly number: number; readonly name: string; readonly why: string }[] = [
  { number: 33, name: "what cannot be buffered closes the socket", why: "no engine says how much that is; it would take the machine's memory" },
  { number: 54, name: "not collected while it has listeners or data", why: "when a page collects garbage cannot be told from within" },
  { number: 55, name: "when the document goes away, 1001 is sent", why: "the socket below does it; the drop-in has no part in it" },
];
