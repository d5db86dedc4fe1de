/** Who somebody is to the others: one tab is one person. */
export interface Person {
  readonly tab: string;
  readonly name: string;
  readonly hue: number;
}

export const NAME_CHARACTERS_MAX = 24;

const FIRST = ["Quiet", "Swift", "Amber", "Lucky", "Bold", "Clever", "Merry", "Calm", "Bright", "Wild", "Gentle", "Curious"];
const SECOND = ["Heron", "Otter", "Fox", "Wren", "Lynx", "Badger", "Finch", "Marten", "Hare", "Owl", "Seal", "Swallow"];

/** A name to begin with. `random` gives numbers in [0, 1). */
export function inventedName(random: () => number): string {
  const pick = (from: readonly string[]): string => from[Math.floor(random() * from.length)] ?? "";
  return `${pick(FIRST)} ${pick(SECOND)}`;
}

/** A tab's name among tabs: as good as unique. */
export function inventedTab(random: () => number): string {
  return Array.from({ length: 12 }, () => Math.floor(random() * 36).toString(36)).join("");
}

/** One of the eight colours, always the same for the same tab. */
export function hueOf(tab: string): number {
  let sum = 7;
  for (const character of tab) {
    sum = (sum * 31 + (character.codePointAt(0) ?? 0)) >>> 0;
  }
  return sum % 8;
}

/** What a name input means: without space at the ends, and not too long. Empty when there is nothing. */
export function cleanName(input: string): string {
  return [...input.trim().replace(/\s+/g, " ")].slice(0, NAME_CHARACTERS_MAX).join("");
}

/** The person in a payload that somebody sent, if it is one. */
export function parsePerson(data: unknown): Person | undefined {
  if (typeof data !== "object" || data === null) {
    return undefined;
  }
  const { tab, name } = data as { tab?: unknown; name?: unknown };
  if (typeof tab !== "string" || tab === "" || tab.length > 40 || typeof name !== "string") {
    return undefined;
  }
  return { tab, name: cleanName(name) || "Somebody", hue: hueOf(tab) };
}

/** The letter in a person's circle. */
export function initial(name: string): string {
  return ([...name][0] ?? "?").toLocaleUpperCase();
}
