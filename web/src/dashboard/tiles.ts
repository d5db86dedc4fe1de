import { byId, textElement } from "../dom.js";
import type { Info } from "./api.js";
import type { Health, Tone } from "./health.js";
import { PLOTS } from "./plots.js";
import type { Value } from "./series.js";
import type { Timeline } from "./timeline.js";
import { formatCount, formatSeconds, formatShortAge, formatTime } from "./words.js";

interface Tile {
  readonly id: string;
  readonly title: string;
  readonly value: string;
  readonly detail: string;
  readonly tone?: Tone;
}

/** The newest values, large. */
export class Tiles {
  readonly #page: Document;
  readonly #parts = new Map<string, readonly [HTMLElement, HTMLElement]>();

  constructor(page: Document) {
    this.#page = page;
  }

  draw(timeline: Timeline, info: Info | undefined, health: Health): void {
    for (const { id, value, detail, tone } of tilesOf(timeline, info, health)) {
      const [first, second] = this.#parts.get(id) ?? this.#make(id, timeline, info, health);
      first.textContent = value;
      second.textContent = detail;
      first.dataset["tone"] = tone ?? "";
    }
  }

  #make(id: string, ...facts: Parameters<typeof tilesOf>): readonly [HTMLElement, HTMLElement] {
    const title = tilesOf(...facts).find((tile) => tile.id === id)?.title ?? id;
    const box = textElement(this.#page, "div", "tile", "");
    box.dataset["tile"] = id;
    const parts = [textElement(this.#page, "dd", "tile-value", ""), textElement(this.#page, "dd", "tile-detail", "")] as const;
    box.append(textElement(this.#page, "dt", "", title), ...parts);
    byId(this.#page, "tiles", HTMLElement).append(box);
    this.#parts.set(id, parts);
    return parts;
  }
}

function tilesOf(timeline: Timeline, info: Info | undefined, health: Health): Tile[] {
  const point = timeline.points.at(-1);
  const metrics = timeline.poll?.metrics;
  const value = (id: string): Value | undefined => point?.values.get(id);
  const count = (given: Value | undefined, unit = ""): string => (typeof given === "number" ? formatCount(given) + unit : wordFor(given));
  const seconds = (given: Value | undefined): string => (typeof given === "number" ? formatSeconds(given) : wordFor(given));
  const places = metrics?.sum("openline_lines_max");
  const drops = total("drops", timeline);
  const queued = metrics?.sum("openline_shard_messages_waiting");
  return [
    { id: "node", title: "State", value: health.word, detail: health.sentence ?? (info === undefined ? "" : `kept: ${info.level}`), tone: health.tone },
    { id: "connections", title: "Connections", value: count(total("connections", timeline)), detail: places === undefined ? "no limit" : `of ${formatCount(places)} places` },
    { id: "in", title: "Messages in", value: count(value("received"), "/s"), detail: `${count(value("published"), "/s")} published` },
    { id: "out", title: "Messages out", value: count(value("sent"), "/s"), detail: queued === undefined ? "" : `${formatCount(queued)} waiting` },
    { id: "channels", title: "Channels", value: count(value("channels")), detail: "with subscribers" },
    { id: "subscriptions", title: "Subscriptions", value: count(value("subscriptions")), detail: "of all clients" },
    { id: "delivery", title: "Delivery", value: seconds(value("p50")), detail: `p99 ${seconds(value("p99"))}` },
    { id: "drops", title: "Drops", value: count(drops, "/s"), detail: `${count(total("errors", timeline), "/s")} errors`, ...(typeof drops === "number" && drops > 0 ? { tone: "bad" as const } : {}) },
    { id: "uptime", title: "Uptime", value: info === undefined ? "–" : formatShortAge(info.uptime), detail: timeline.poll === undefined ? "" : `asked ${formatTime(timeline.poll.at)}` },
  ];
}

/** What the lines of a plot add up to; lines that the server does not report count for nothing, unless none is. */
function total(plot: string, timeline: Timeline): Value | undefined {
  const series = PLOTS.find(({ id }) => id === plot)?.series ?? [];
  const values = series.map(({ id }) => timeline.points.at(-1)?.values.get(id));
  const numbers = values.filter((value) => typeof value === "number");
  return numbers.length === 0 ? values[0] : numbers.reduce((sum, one) => sum + one, 0);
}

function wordFor(value: Value | undefined): string {
  return value === "missing" ? "n/a" : "–";
}
