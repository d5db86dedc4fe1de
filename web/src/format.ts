const UNITS = ["KiB", "MiB", "GiB"] as const;

/** `812 B`, `1.5 KiB`, `16 MiB`. */
export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = "B";
  for (const next of UNITS) {
    if (value < 1024) {
      break;
    }
    value /= 1024;
    unit = next;
  }
  return `${trimmed(value)} ${unit}`;
}

/** Milliseconds with as many decimals as say something: `0.42 ms`, `12.3 ms`, `140 ms`. */
export function formatDuration(milliseconds: number): string {
  const decimals = milliseconds < 10 ? 2 : milliseconds < 100 ? 1 : 0;
  return `${milliseconds.toFixed(decimals)} ms`;
}

/** Local wall time to the millisecond. */
export function formatClock(date: Date): string {
  const [hours, minutes, seconds] = [date.getHours(), date.getMinutes(), date.getSeconds()].map(twoDigits);
  return `${hours}:${minutes}:${seconds}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** The first `charactersMax` UTF-16 units of `text`, never half of a surrogate pair, and how many were left out. */
export function preview(text: string, charactersMax = 2048): string {
  if (text.length <= charactersMax) {
    return text;
  }
  const last = text.charCodeAt(charactersMax - 1);
  const end = last >= 0xd800 && last <= 0xdbff ? charactersMax - 1 : charactersMax;
  return `${text.slice(0, end)} … ${text.length - end} more`;
}

/** About three digits, and no zeros at the end: 1.50 is 1.5. */
function trimmed(value: number): string {
  return String(Number(value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)));
}

function twoDigits(value: number): string {
  return String(value).padStart(2, "0");
}
