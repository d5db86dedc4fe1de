/** A code that an operator may end a line with, and what the client does then. */
export interface CloseCode {
  readonly code: number;
  readonly name: string;
  readonly effect: string;
}

/** As docs/api.md has them; the first is what the API takes without a choice. */
export const CLOSE_CODES: readonly CloseCode[] = [
  { code: 4005, name: "kicked", effect: "The client stays away." },
  { code: 4000, name: "session expired", effect: "The client asks for a new token and comes back at once." },
  { code: 1012, name: "restart", effect: "The client comes back after about a second." },
  { code: 1013, name: "try later", effect: "The client comes back after about 30 seconds." },
  { code: 4003, name: "rate limited", effect: "The client comes back after about 30 seconds." },
  { code: 4004, name: "maintenance", effect: "The client comes back after about 30 seconds." },
  { code: 4001, name: "duplicate", effect: "The client stays away." },
  { code: 4002, name: "invalid auth", effect: "The client stays away." },
  { code: 1008, name: "policy", effect: "The client stays away." },
  { code: 1000, name: "done", effect: "The client stays away." },
];
