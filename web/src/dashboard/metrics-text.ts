/** One line of `/metrics`: a value, and which of its family it is. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export type Labels = Readonly<Record<string, string>>;

const TEXT_MAX = 1 << 20;
const SAMPLES_MAX = 10_000;
const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/;
const LABEL = /^\s*([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\.)*)"\s*(,|(?=\}))/;

/** What a server said about itself at one time, in the text that Prometheus reads (version 0.0.4). */
export class Metrics {
  readonly #families = new Map<string, Sample[]>();

  /** Throws a `RangeError` for a text beyond the limits and a `SyntaxError` that names the line that is no sample. */
  static parse(text: string): Metrics {
    if (text.length > TEXT_MAX) {
      throw new RangeError(`/metrics has ${text.length} characters; at most ${TEXT_MAX} are read`);
    }
    const metrics = new Metrics();
    let count = 0;
    for (const [index, line] of text.split("\n").entries()) {
      if (line.trim() === "" || line.startsWith("#")) {
        continue;
      }
      count += 1;
      if (count > SAMPLES_MAX) {
        throw new RangeError(`/metrics has more than ${SAMPLES_MAX} samples`);
      }
      metrics.#add(line, index + 1);
    }
    return metrics;
  }

  /** The samples of a family that have these labels, in the order of the text. */
  samples(name: string, labels: Labels = {}): readonly Sample[] {
    const wanted = Object.entries(labels);
    const all = this.#families.get(name) ?? [];
    return all.filter((sample) => wanted.every(([label, value]) => sample.labels[label] === value));
  }

  /** What these samples add up to; `undefined` where there is none, for that is not zero. */
  sum(name: string, labels: Labels = {}): number | undefined {
    const found = this.samples(name, labels);
    return found.length === 0 ? undefined : found.reduce((total, { value }) => total + value, 0);
  }

  #add(line: string, number: number): void {
    const name = NAME.exec(line)?.[0];
    let rest = line.slice(name?.length ?? 0);
    const labels: Record<string, string> = Object.create(null) as Record<string, string>;
    if (rest.startsWith("{")) {
      rest = rest.slice(1);
      for (let pair = LABEL.exec(rest); pair !== null; pair = LABEL.exec(rest)) {
        labels[pair[1] ?? ""] = unescaped(pair[2] ?? "");
        rest = rest.slice(pair[0].length);
      }
      rest = rest.startsWith("}") ? rest.slice(1) : "broken";
    }
    const value = numberOf(rest.trim().split(/\s+/)[0] ?? "");
    if (name === undefined || value === undefined) {
      throw new SyntaxError(`line ${number} of /metrics is no sample: ${line.slice(0, 80)}`);
    }
    const family = this.#families.get(name);
    if (family === undefined) {
      this.#families.set(name, [{ labels, value }]);
    } else {
      family.push({ labels, value });
    }
  }
}

/** A name with its labels, as the text has it. */
export function seriesName(name: string, labels: Labels = {}): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return pairs.length === 0 ? name : `${name}{${pairs.join(",")}}`;
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, (_, character: string) => (character === "n" ? "\n" : character));
}

function numberOf(text: string): number | undefined {
  switch (text) {
    case "+Inf":
      return Number.POSITIVE_INFINITY;
    case "-Inf":
      return Number.NEGATIVE_INFINITY;
    case "NaN":
      return Number.NaN;
    default:
      return /^[+-]?(\d|\.\d)/.test(text) && !Number.isNaN(Number(text)) ? Number(text) : undefined;
  }
}
