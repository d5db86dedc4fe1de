import { formatSize } from "../format.js";

/** What this page needs of a client's status. */
export interface LineStatus {
  readonly state: string;
  readonly attempt: number;
  readonly retryAt?: number | undefined;
  readonly code?: number | undefined;
  readonly reason?: string | undefined;
}

/** What each state means to a person. */
const SENTENCES: Readonly<Record<string, string>> = {
  idle: "Not started.",
  connecting: "Opening a line and waiting for the server’s welcome.",
  authenticating: "The line is open; the server looks at the token.",
  online: "The line is open and was heard from lately.",
  probing: "The line is open, but quiet. A ping is out to see if it lives.",
  waiting: "No line. The next attempt has its time.",
  stopped: "No line, and none will be opened.",
};

export function sentenceOf(state: string): string {
  return SENTENCES[state] ?? state;
}

/** Colour of a state: open, on its way, none. */
export function toneOf(state: string): "good" | "warm" | "bad" {
  if (state === "online") {
    return "good";
  }
  return state === "stopped" ? "bad" : "warm";
}

/** `in 1.4 s`, `now`, or a dash when nothing is planned. */
export function nextTryText({ state, retryAt }: LineStatus, now: number): string {
  if (state === "connecting" || state === "authenticating") {
    return "now";
  }
  if (state !== "waiting" || retryAt === undefined) {
    return "–";
  }
  return retryAt > now ? `in ${((retryAt - now) / 1_000).toFixed(1)} s` : "now";
}

/** `1006, no goodbye`, `1012 restart`, or a dash before the first. */
export function closeText({ code, reason }: LineStatus): string {
  if (code === undefined) {
    return "–";
  }
  if (reason) {
    return `${code} ${reason}`;
  }
  return code === 1006 ? "1006, no goodbye" : String(code);
}

/** `empty`, `3 messages, 412 B`. */
export function queueText(size: number, bytes: number): string {
  return size === 0 ? "empty" : `${counted(size, "message")}, ${formatSize(bytes)}`;
}

/** `1 message`, `2 messages`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
