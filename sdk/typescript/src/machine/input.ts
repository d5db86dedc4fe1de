import type { State } from "./states.js";

/** Options of the machine, in milliseconds: see spec/traces/README.md. What is absent is as `createMachine` has it. */
export interface MachineOptions {
  connectTimeout?: number | undefined;
  /** Null: what the server's welcome names. */
  heartbeatInterval?: number | null | undefined;
  heartbeatTimeout?: number | undefined;
  wakeTimeout?: number | undefined;
  delayBase?: number | undefined;
  delayMax?: number | undefined;
  delayLater?: number | undefined;
  stableAfter?: number | undefined;
  nudgeInterval?: number | undefined;
  /** Null: any number. */
  attemptsMax?: number | null | undefined;
}

/** What the application and the page say, and that the deadline has come. */
export type Word = "start" | "stop" | "wake" | "doubt" | "freeze" | "thaw" | "time";

/** What happened. The first field names the input, and its value is the generation that it is about. */
export type Input =
  | Word
  | { token: number; given: boolean }
  | { tokenFailed: number; reason: string }
  | { tokenRefused: number; reason: string }
  | { opened: number }
  | { welcome: number; authenticated: boolean; pingInterval?: number; retrySpread?: number; expiresIn?: number }
  | { authenticated: number; expiresIn?: number }
  | { authFailed: number; code?: string; reason: string }
  | { heard: number; retrySpread?: number }
  | { closing: number; code?: number; reason?: string; retryAfter?: number }
  | { drain: number; closesIn?: number; retryAfter?: number }
  | { closed: number; code: number; reason: string };

/** Why a token is asked for. */
export type Why = "connect" | "expired" | "refresh";

/** What is to be told of the state. */
export interface StatusEffect {
  status: State;
  attempt: number;
  delay?: number | null;
  code?: number;
  reason?: string;
}

/** What is to be done. The first field names it. */
export type Effect =
  | { askToken: number; why: Why }
  | { open: number }
  | { auth: number }
  | { ready: number }
  | { unready: number }
  | { move: number; from: number; linger: number }
  | { ping: number }
  | { abandon: number; code: number }
  | StatusEffect;
