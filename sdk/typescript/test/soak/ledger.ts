import type { Publication, Published } from "../../src/index.js";

/** What is published: who did, and its how manieth it is. */
export interface Numbered {
  writer: string;
  number: number;
  filler?: string;
}

/** What may not happen. */
export type Fault = "lost" | "twice" | "order" | "gap" | "refused" | "position" | "stranger" | "error";

/** So many faults are told in words; the rest is counted. */
const TOLD_MAX = 20;

interface Row {
  next: number;
  /** What was jumped over. */
  readonly missing: Set<number>;
}

/** Holds what readers got against what writers published: each message to each reader, once, in its writer's order. */
export class Ledger {
  readonly faults = new Map<Fault, number>();
  readonly told: string[] = [];
  readonly taken: Record<string, number> = {};
  replayed = 0;
  acknowledged = 0;
  /** Publishes that had arrived before their acknowledgement was lost. */
  duplicates = 0;
  readonly #rows = new Map<string, Map<string, Row>>();
  /** For each writer the position of each message, as whoever heard of it first was told. */
  readonly #positions = new Map<string, (string | undefined)[]>();

  /** Announces who reads whom. */
  reads(reader: string, writers: readonly string[]): void {
    this.#rows.set(reader, new Map(writers.map((writer) => [writer, { next: 0, missing: new Set() }])));
    this.taken[reader] = 0;
  }

  take(reader: string, { data, position, replayed }: Publication<Numbered>): void {
    const { writer, number } = data;
    const row = this.#rows.get(reader)?.get(writer);
    if (!row) {
      return this.fault("stranger", `${reader} got ${JSON.stringify(data)}`);
    }
    this.taken[reader]! += 1;
    this.replayed += replayed ? 1 : 0;
    if (number >= row.next) {
      for (; row.next < number; row.next += 1) {
        row.missing.add(row.next);
      }
      row.next += 1;
    } else if (row.missing.delete(number)) {
      this.fault("order", `${reader} got ${number} of ${writer} after ${row.next - 1}`);
    } else {
      this.fault("twice", `${reader} got ${number} of ${writer} again${replayed ? " from the history" : ""}`);
    }
    this.#stands(writer, number, position);
  }

  acknowledge({ writer, number }: Numbered, { position, duplicate }: Published): void {
    this.acknowledged += 1;
    this.duplicates += duplicate ? 1 : 0;
    this.#stands(writer, number, position);
  }

  fault(fault: Fault, what: string): void {
    this.faults.set(fault, (this.faults.get(fault) ?? 0) + 1);
    if (this.told.length < TOLD_MAX) {
      this.told.push(`${fault}: ${what}`);
    }
  }

  /** Whether the last of `counts` has come to all who read it. What has not come before it will not come any more. */
  hasEnded(counts: ReadonlyMap<string, number>): boolean {
    return [...this.#rows.values()].every((rows) => [...rows].every(([writer, { next }]) => next >= counts.get(writer)!));
  }

  /** Notes as lost what did not come. */
  close(counts: ReadonlyMap<string, number>): void {
    for (const [reader, rows] of this.#rows) {
      for (const [writer, { next, missing }] of rows) {
        for (const number of missing) {
          this.fault("lost", `${reader} did not get ${number} of ${writer}, but ${next - 1}`);
        }
        for (let number = next; number < counts.get(writer)!; number += 1) {
          this.fault("lost", `${reader} did not get ${number} of ${writer}, nor any behind it`);
        }
      }
    }
  }

  /** All who hear of a message have to be told the same position. */
  #stands(writer: string, number: number, position: string | undefined): void {
    const positions = this.#positions.get(writer) ?? [];
    this.#positions.set(writer, positions);
    positions[number] ??= position;
    if (!position || positions[number] !== position) {
      this.fault("position", `${number} of ${writer} stands at ${position} and at ${positions[number]}`);
    }
  }
}
