import type { Transport, TransportEvents, TransportFactory } from "../../src/transport/transport.js";

/** What is done to a client's publications on their way in: one is lost, one comes twice, two change places. */
export const SEEDED = ["lost", "twice", "order"] as const;
export type Seeded = (typeof SEEDED)[number];

/** A line that does it once, to the publication of this number. */
export function faulty(factory: TransportFactory, fault: Seeded, at: number): TransportFactory {
  let count = 0;
  let held: string | undefined;
  const take = (frame: string | Uint8Array, onmessage: TransportEvents["onmessage"]): void => {
    const isPublication = typeof frame === "string" && frame.includes('"number":');
    if (!isPublication || count++ !== at) {
      onmessage(frame);
      if (held && isPublication) {
        onmessage(held);
        held = undefined;
      }
    } else if (fault === "twice") {
      onmessage(frame);
      onmessage(frame);
    } else if (fault === "order") {
      held = frame;
    }
  };
  return {
    ...factory,
    open: (target, events): Transport => factory.open(target, { ...events, onmessage: (frame) => take(frame, events.onmessage) }),
  };
}
