/** Where the line stands: see docs/client-states.md. */
export type State = "idle" | "connecting" | "authenticating" | "online" | "probing" | "waiting" | "stopped";

/** A snapshot. The same object until something in it changes. */
export interface Status {
  readonly state: State;
  /** Failures in a row, which is the number of the attempt under way; 0 for the first. */
  readonly attempt: number;
  /** In `waiting`: when the next attempt begins, in milliseconds since 1970. Not there while the page is put away. */
  readonly retryAt?: number;
  /** In `waiting`: how long the whole delay is, in milliseconds; null while the page is put away. */
  readonly delay?: number | null;
  /** What the line or the attempt before ended with: in `waiting` and `stopped`, and where the next begins at once. */
  readonly code?: number;
  /** The same for people. */
  readonly reason?: string;
  /** The name of this line, new for each. Only while there is one. */
  readonly clientId?: string;
  /** Whom the token names. */
  readonly user?: string;
  /** What carries the line. */
  readonly transport?: string;
}
