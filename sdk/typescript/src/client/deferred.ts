/** A promise that is settled from outside. That nobody waits for it is no error. */
export interface Deferred<T = void> {
  promise: Promise<T>;
  /** Rejects it with the error; without one it resolves. */
  settle(error?: unknown, value?: T): void;
}

/** Makes a promise to be settled. */
export function defer<T = void>(): Deferred<T> {
  let settle: Deferred<T>["settle"];
  const promise = new Promise<T>((resolve, reject) => {
    settle = (error, value) => (error ? reject(error) : resolve(value!));
  });
  promise.catch(() => {});
  return { promise, settle: settle! };
}
