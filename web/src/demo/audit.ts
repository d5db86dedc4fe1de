/** What came of a cut for one channel. */
export interface ChannelResult {
  readonly channel: string;
  /** Messages that were published while the line was cut, and came afterwards. */
  readonly recovered: number;
  /** Messages that the server's history has and that never came here. */
  readonly missing: number;
  /** Why the server could not give what was missed, where it could not. */
  readonly gap: string | undefined;
}

export type Verdict =
  | { readonly phase: "none" }
  | { readonly phase: "cut" | "returning" | "checking"; readonly since: number }
  | {
      readonly phase: "done";
      readonly recovered: number;
      readonly lost: number;
      /** False when a channel told of a gap or could not be asked: then `lost` is what is known. */
      readonly isCertain: boolean;
      readonly channels: readonly ChannelResult[];
      /** What was sent here while the line was cut. */
      readonly sent: { readonly count: number; readonly delivered: number; readonly failed: number };
      /** From the cut to the line being back, in milliseconds. */
      readonly away: number;
    };

interface Kept {
  readonly before: string;
  readonly seen: Set<string>;
  recovered: number;
  published: readonly string[] | undefined;
  gap: string | undefined;
}

/** Positions that are remembered per channel; a cut that misses more says so. */
export const POSITIONS_MAX = 5_000;

/**
 * Proves what was lost. For each channel with history it remembers the position
 * before the cut and each position seen since; once the line is back, the
 * server's own history from that position says what should have come.
 */
export class Audit {
  #phase: Verdict["phase"] = "none";
  #since = 0;
  #back = 0;
  #channels = new Map<string, Kept>();
  #failed = new Set<string>();
  #sent = new Map<string, "waiting" | "delivered" | "failed">();

  /** `positions` are where each channel stands now. A cut within a cut changes nothing. */
  handleCut(positions: ReadonlyMap<string, string>, now: number): void {
    if (this.#phase === "cut" || this.#phase === "returning") {
      this.#phase = "cut";
      return;
    }
    this.#phase = "cut";
    this.#since = now;
    this.#failed.clear();
    this.#sent.clear();
    this.#channels = new Map(
      [...positions].map(([channel, before]) => [
        channel,
        { before, seen: new Set(), recovered: 0, published: undefined, gap: undefined },
      ]),
    );
  }

  handleMended(): void {
    if (this.#phase === "cut") {
      this.#phase = "returning";
    }
  }

  /** The line is back. Ask the history of `toCheck` and tell it here. */
  handleOnline(now: number): void {
    if (this.#phase === "cut" || this.#phase === "returning") {
      this.#phase = "checking";
      this.#back = now;
    }
  }

  /** The channels to be asked, and from where. */
  get toCheck(): ReadonlyMap<string, string> {
    return new Map(this.#phase === "checking" ? [...this.#channels].map(([channel, { before }]) => [channel, before]) : []);
  }

  /** Returns whether this is one that was published while the line was cut. */
  handlePublication(channel: string, position: string, isReplayed: boolean): boolean {
    const kept = this.#channels.get(channel);
    if (kept === undefined || this.#phase === "none" || kept.seen.size >= POSITIONS_MAX) {
      return false;
    }
    kept.seen.add(position);
    const isRecovered = isReplayed && this.#phase !== "done";
    kept.recovered += Number(isRecovered);
    return isRecovered;
  }

  /** Something was published here. What was not while the line was cut is not counted. */
  handleSent(id: string): void {
    if ((this.#phase === "cut" || this.#phase === "returning") && this.#sent.size < POSITIONS_MAX) {
      this.#sent.set(id, "waiting");
    }
  }

  handleSettled(id: string, isDelivered: boolean): void {
    if (this.#sent.has(id)) {
      this.#sent.set(id, isDelivered ? "delivered" : "failed");
    }
  }

  handleGap(channel: string, reason: string): void {
    const kept = this.#channels.get(channel);
    if (kept !== undefined && this.#phase !== "done") {
      kept.gap = reason;
    }
  }

  /** What the server has after the position that was asked for. Undefined: it could not be asked. */
  handleHistory(channel: string, published: readonly string[] | undefined): void {
    const kept = this.#channels.get(channel);
    if (kept === undefined || this.#phase !== "checking") {
      return;
    }
    kept.published = published;
    if (published === undefined) {
      this.#failed.add(channel);
    }
    if ([...this.#channels].every(([name, one]) => one.published !== undefined || this.#failed.has(name))) {
      this.#phase = "done";
    }
  }

  get verdict(): Verdict {
    if (this.#phase === "none") {
      return { phase: "none" };
    }
    if (this.#phase !== "done") {
      return { phase: this.#phase, since: this.#since };
    }
    const channels = [...this.#channels].map(([channel, kept]) => ({
      channel,
      recovered: kept.recovered,
      missing: (kept.published ?? []).filter((position) => !kept.seen.has(position)).length,
      gap: kept.gap,
    }));
    return {
      phase: "done",
      recovered: sum(channels.map(({ recovered }) => recovered)),
      lost: sum(channels.map(({ missing }) => missing)),
      isCertain: this.#failed.size === 0 && channels.every(({ gap }) => gap === undefined),
      channels,
      sent: { count: this.#sent.size, delivered: this.#sentAs("delivered"), failed: this.#sentAs("failed") },
      away: this.#back - this.#since,
    };
  }

  #sentAs(state: "delivered" | "failed"): number {
    return [...this.#sent.values()].filter((one) => one === state).length;
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}
