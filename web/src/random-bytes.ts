/** The most that `crypto.getRandomValues` fills in one call. */
const CHUNK_BYTES_MAX = 65_536;

/** `fill` is `crypto.getRandomValues`, passed in so that this stays pure. */
export function randomBytes(
  size: number,
  fill: (chunk: Uint8Array<ArrayBuffer>) => void,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += CHUNK_BYTES_MAX) {
    fill(bytes.subarray(at, at + CHUNK_BYTES_MAX));
  }
  return bytes;
}
