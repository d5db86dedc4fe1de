import { formatSize } from "../format.js";
import type { TransferRate } from "./transfer-rate.js";

/** `waiting`: it is to be sent, and there is no line. */
export type UploadState = "none" | "sending" | "waiting" | "paused" | "done" | "failed" | "cancelled";

const STATES: Readonly<Record<UploadState, string>> = {
  none: "",
  sending: "sending",
  waiting: "waiting for the line",
  paused: "paused",
  done: "complete",
  failed: "failed",
  cancelled: "cancelled",
};

export function stateText(state: UploadState): string {
  return STATES[state];
}

/** `12 MiB of 20 MiB, 60 %`. */
export function progressText(done: number, size: number): string {
  const share = size === 0 ? 100 : Math.floor((done / size) * 100);
  return `${formatSize(done)} of ${formatSize(size)}, ${share} %`;
}

/** `8.2 MiB/s, 3 s left`; empty while there is nothing to measure. */
export function speedText(rate: Pick<TransferRate, "bytesPerSecond" | "secondsLeft">, size: number): string {
  const speed = rate.bytesPerSecond;
  const left = rate.secondsLeft(size);
  if (speed === undefined) {
    return "";
  }
  return `${formatSize(Math.round(speed))}/s${left === undefined ? "" : `, ${Math.ceil(left)} s left`}`;
}
