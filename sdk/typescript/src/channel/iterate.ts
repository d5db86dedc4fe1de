import type { Channel } from "./channel.js";
import type { Publication } from "./publication.js";

/** Publications one by one. At most one waits here: the channel holds back the others. */
export function iterate(channel: Channel): AsyncIterator<Publication, undefined> {
  type Result = IteratorResult<Publication, undefined>;
  let waiting: { publication: Publication; dealtWith: () => void } | undefined;
  let wanted: { resolve: (result: Result) => void; reject: (error: unknown) => void } | undefined;
  let dealtWith: (() => void) | undefined;
  let state: "new" | "open" | "done" = "new";
  let isJoined = false;
  let removals: (() => void)[] = [];

  const give = (): void => {
    if (waiting && wanted) {
      ({ dealtWith } = waiting);
      wanted.resolve({ done: false, value: waiting.publication });
      waiting = wanted = undefined;
    }
  };
  const finish = (error?: unknown): void => {
    state = "done";
    removals.forEach((remove) => remove());
    dealtWith?.();
    waiting?.dealtWith();
    if (error) {
      wanted?.reject(error);
    } else {
      wanted?.resolve({ done: true, value: undefined });
    }
    wanted = undefined;
  };
  const open = (): void => {
    state = "open";
    removals = [
      channel.on("publication", (publication) => new Promise<void>((resolve) => {
        waiting = { publication, dealtWith: resolve };
        give();
      })),
      channel.on("unsubscribed", () => isJoined && finish()),
    ];
    channel.subscribe().then(() => (isJoined = true), finish);
  };
  return {
    next() {
      if (state === "new") {
        open();
      }
      dealtWith?.();
      dealtWith = undefined;
      return new Promise((resolve, reject) => {
        if (state === "done") {
          resolve({ done: true, value: undefined });
        } else {
          wanted = { resolve, reject };
          give();
        }
      });
    },
    async return() {
      if (state === "open") {
        finish();
        channel.unsubscribe();
      }
      return { done: true, value: undefined };
    },
  };
}
