import type { Message } from "../codec/codec.js";
import { type ErrorCode, RETRYABLE } from "../codes.js";

/**
 * What went wrong, for programs: a code of the server, or one of the client's own.
 * `timeout`: no answer came in time. `expired`: it was not sent in time. `aborted`: its signal aborted.
 * `queue_full`: too much waits. `disconnected`: there is no line, and this is not to wait for one.
 * `connection_lost`: the line ended before the answer; whether it was done is not known.
 * `stopped`: the client does not connect any more. `too_large`: longer than all that may wait.
 * `bad_message`: a frame that could not be read, or a message that could not be written.
 * `invalid`: a payload is not what the contract says. `handler`: a handler threw.
 */
export type ClientErrorCode =
  | ErrorCode
  | "aborted"
  | "queue_full"
  | "disconnected"
  | "expired"
  | "stopped"
  | "connection_lost"
  | "bad_message"
  | "invalid"
  | "handler"
  | (string & {});

/** Every error of the client. */
export class ClientError extends Error {
  override name = "ClientError";
  readonly code: ClientErrorCode;
  /** After how many milliseconds the server asks to try again. */
  readonly retryAfter: number | undefined;
  /** Whether the same may succeed later without being changed. */
  readonly retryable: boolean;
  /** What the application says besides, if the error is one of its own. */
  readonly data: unknown;

  constructor(code: ClientErrorCode, message: string, more: { retryAfter?: number | undefined; retryable?: boolean; data?: unknown; cause?: unknown } = {}) {
    super(message, more);
    this.code = code;
    this.retryAfter = more.retryAfter;
    this.retryable = !!more.retryable;
    this.data = more.data;
  }
}

/** The error that a message of the server tells. */
export function serverError({ code, message, error, retryAfter, data }: Message | Record<string, unknown>): ClientError {
  return new ClientError(code as string, (message ?? error) as string, {
    retryAfter: retryAfter as number | undefined,
    retryable: RETRYABLE.has(code as string),
    data,
  });
}

/** Thrown by `auth`: there will be no token, so the client stops instead of asking again. */
export class FatalAuthError extends Error {
  override name = "FatalAuthError";
}
