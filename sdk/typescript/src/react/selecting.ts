/**
 * Applies selectors and gives the former result while the new one is equal to it: what a store shows has to stay the
 * same object while nothing changed.
 */
export function selecting<S, T>(isEqual: (a: T, b: T) => boolean): (snapshot: S, select: (snapshot: S) => T) => T {
  let former: { value: T } | undefined;
  return (snapshot, select) => {
    const value = select(snapshot);
    if (!former || !isEqual(former.value, value)) {
      former = { value };
    }
    return former.value;
  };
}
