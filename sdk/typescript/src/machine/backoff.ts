/** How long delays are. */
export interface BackoffOptions {
  delayMax: number;
  delayLater: number;
}

/** What a failure was like. */
export interface Failure {
  /** Failures in a row, this one counted. */
  attempt: number;
  /** Whether the line was open. */
  open: boolean;
  /** Whether the close code asks to come back later. */
  later: boolean;
  /** The time that the server named. */
  retryAfter: number | undefined;
}

/**
 * How long to wait before the next attempt, in whole milliseconds. `random` is in 0 <= r < 1. The chance comes
 * after the bound: clients that were lost together stay apart, also in long outages.
 */
export function backoffDelay({ delayMax, delayLater }: BackoffOptions, { attempt, open, later, retryAfter }: Failure, spread: number, random: number): number {
  const least = retryAfter ?? (later ? delayLater : undefined);
  return Math.floor(
    least !== undefined
      ? least + random * spread
      : random * (open && attempt === 1 ? spread : Math.min(delayMax, (spread / 2) * 2 ** (attempt - 1))),
  );
}
