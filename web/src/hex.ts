export type ParsedHex =
  | { readonly ok: true; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly ok: false; readonly error: string };

/** Reads hex as people paste it: any case, `0x` before a group, spaces, commas, colons or dashes between groups. */
export function parseHex(text: string): ParsedHex {
  const groups = text.split(/[\s,:-]+/).filter((group) => group !== "");
  const digits = groups.map((group) => group.replace(/^0x/i, ""));
  for (const group of digits) {
    const stray = /[^0-9a-f]/i.exec(group);
    if (stray !== null) {
      return { ok: false, error: `“${stray[0]}” is not a hex digit` };
    }
    if (group.length % 2 !== 0) {
      return { ok: false, error: `“${group}” has an odd number of digits` };
    }
  }
  return { ok: true, bytes: decode(digits.join("")) };
}

/** The first `bytesMax` bytes as pairs, and how many were left out. */
export function formatHex(bytes: Uint8Array, bytesMax = 64): string {
  const pairs = Array.from(bytes.subarray(0, bytesMax), (byte) => byte.toString(16).padStart(2, "0"));
  const left = bytes.length - pairs.length;
  return left > 0 ? `${pairs.join(" ")} … ${left} more` : pairs.join(" ");
}

function decode(digits: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(digits.length / 2);
  for (let at = 0; at < bytes.length; at += 1) {
    bytes[at] = Number.parseInt(digits.slice(at * 2, at * 2 + 2), 16);
  }
  return bytes;
}
