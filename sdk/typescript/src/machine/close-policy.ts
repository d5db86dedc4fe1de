import type { ClosePolicy } from "../codes.js";

const STOP = [1000, 1002, 1003, 1007, 1008, 1009, 1010, 4001, 4002, 4005];
const LATER = [1013, 4003, 4004];

/** What a client does about a line that ended with this code. As spec/codes.ts has it, in fewer bytes; a test compares them. */
export function closePolicy(code: number): ClosePolicy {
  return STOP.includes(code) ? "stop" : LATER.includes(code) ? "retry_later" : code === 4000 ? "new_token" : "retry";
}
