const BASE_MS = 1_000;
const CAP_MS = 30_000;
const FLOOR_MS = 100;

/**
 * How long to wait before reconnect number `attempt` (from zero): full jitter,
 * a random share of a ceiling that doubles up to 30 s. `random` is in [0, 1).
 * The jitter comes after the cap, so long outages stay spread out too.
 */
export function backoffDelay(attempt: number, random: number): number {
  const ceiling = Math.min(CAP_MS, BASE_MS * 2 ** attempt);
  return Math.max(FLOOR_MS, random * ceiling);
}
