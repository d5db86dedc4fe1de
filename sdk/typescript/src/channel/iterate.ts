import { defer, type Deferred } from "../client/deferred.js";
import type { Channel } from "./channel.js";
import type { Publication } from "./publication.js";

type Result = IteratorResult<Publication, undefined>;

const END: Result = { done: true, value: undefined };

/** Publications one by one. At most one waits here: the channel holds back the others. */
export function iterate(channel: Channel): AsyncIterator<Publication, undefined> {
  let waiting: { publication: Publication; dealtWith: () => void } | undefined;
  let wanted: Deferred<Result> | undefined;
  let dealtWith: (() => void) | undefined;
  let state: "new" | "open" | "done" = "new";
  let isJoined = false;
  let removals: (() => void)[] = [];

  const give = (): void => {
    if (waiting && wanted) {
      ({ dealtWith } = waiting);
      wanted.settle(undefined, { done: false, value: waiting.publication });
      waiting = wanted = undefined;
    }
  };
  const finish = (error?: unknown): void => {
    state = "done";
    removals.forEach((remove) => remove());
    dealtWith?.();
    waiting?.dealtWith();
    wanted?.settle(error, END);
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
    async next() {
      if (state === "new") {
        open();
      }
      dealtWith?.();
      dealtWith = undefined;
      if (state === "done") {
        return END;
      }
      const { promise } = (wanted = defer<Result>());
      give();
      return promise;
    },
    async return() {
      if (state === "open") {
        finish();
        channel.unsubscribe();
      }
      return END;
    },
  };
}
