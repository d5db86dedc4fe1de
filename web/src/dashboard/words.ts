import { formatSize } from "../format.js";
import type { Unit } from "./plots.js";

const THOUSANDS = [
  [1e9, "G"],
  [1e6, "M"],
  [1e4, "k"],
] as const;

/** A value of a plot in its unit; short enough for an axis. */
export function formatValue(value: number, unit: Unit): string {
  switch (unit) {
    case "count":
    case "perSecond":
      return formatCount(value);
    case "seconds":
      return formatSeconds(value);
    case "bytes":
      return formatSize(value);
    case "cores":
      return `${Number((value * 100).toFixed(1))} %`;
  }
}

/** `0`, `0.04`, `7.5`, `1,234`, `56.7k`. */
export function formatCount(value: number): string {
  for (const [size, name] of THOUSANDS) {
    if (value >= size) {
      return `${trimmed(value / (size === 1e4 ? 1e3 : size))}${name}`;
    }
  }
  return value >= 1_000 ? Math.round(value).toLocaleString("en") : trimmed(value);
}

/** `0 ms`, `0.5 ms`, `12 ms`, `1.5 s`. */
export function formatSeconds(seconds: number): string {
  return seconds < 1 ? `${trimmed(seconds * 1_000)} ms` : `${trimmed(seconds)} s`;
}

/** The two largest parts: `4 s`, `3 min 5 s`, `2 h 10 min`, `12 d 4 h`. */
export function formatAge(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1_000));
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  const shown = parts.slice(first === -1 ? 3 : first, first === -1 ? 4 : first + 2);
  return shown.filter(([count], index) => index === 0 || count > 0).map(([count, unit]) => `${count} ${unit}`).join(" ");
}

/** The same where there is little room: `3m 5s`. */
export function formatShortAge(milliseconds: number): string {
  return formatAge(milliseconds).replace(/(\d+) (\w)\w*/g, "$1$2");
}

/** Local wall time to the second. */
export function formatTime(at: number): string {
  const date = new Date(at);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}

/** Date and time, where the day may be another. */
export function formatMoment(at: number): string {
  const date = new Date(at);
  const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()].map((part) => String(part).padStart(2, "0")).join("-");
  return `${day} ${formatTime(at)}`;
}

/** JSON as people read it; what is not JSON is shown as it is. */
export function prettyJson(data: unknown): string {
  return JSON.stringify(data, null, 2) ?? "nothing";
}

export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

/** About three digits, and no zeros at the end. */
function trimmed(value: number): string {
  const decimals = value < 1 ? 3 : value < 10 ? 2 : value < 100 ? 1 : 0;
  return String(Number(value.toFixed(decimals)));
}
