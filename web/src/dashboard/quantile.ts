/** How many observations were at most `bound`. The last bound is infinite. */
export interface Bucket {
  readonly bound: number;
  readonly count: number;
}

/**
 * The value below which a share `q` of the observations is, as Prometheus' `histogram_quantile` has it: within
 * a bucket they are taken to be spread evenly, and above the last finite bound nothing is known but that bound.
 * `undefined` without observations.
 */
export function quantileOf(q: number, buckets: readonly Bucket[]): number | undefined {
  const total = buckets.at(-1)?.count ?? 0;
  if (!(total > 0)) {
    return undefined;
  }
  const rank = q * total;
  const index = buckets.findIndex(({ count }) => count >= rank);
  const found = buckets[index];
  const before = buckets[index - 1] ?? { bound: 0, count: 0 };
  if (found === undefined || found.bound === Number.POSITIVE_INFINITY) {
    return before.bound;
  }
  const inside = found.count - before.count;
  return inside === 0 ? found.bound : before.bound + (found.bound - before.bound) * ((rank - before.count) / inside);
}

/** What came into each bucket between two polls; `undefined` when they are not of the same run of a server. */
export function increaseOf(before: readonly Bucket[], after: readonly Bucket[]): Bucket[] | undefined {
  if (before.length !== after.length) {
    return undefined;
  }
  const increase = after.map(({ bound, count }, index) => ({ bound, count: count - (before[index]?.count ?? 0) }));
  const isSame = increase.every(({ bound, count }, index) => count >= 0 && before[index]?.bound === bound);
  return isSame ? increase : undefined;
}
