import { backoffDelay } from "./backoff.js";
import { closePolicy } from "./close-policy.js";
import type { Effect, Input, MachineOptions, Why } from "./input.js";
import { type Act, type Event, type State, TRANSITIONS } from "./states.js";

/** What a client's line goes through. It has no clock, no chance and no sockets of its own. */
export interface Machine {
  readonly state: State;
  /** The number of the present attempt; 0 before the first. */
  readonly generation: number;
  /** When `handleInput` wants to be called with `time`, if nothing else happens. */
  readonly deadline: number | null;
  /** Takes what happened and gives what is to be done, in this order, before anything else is handled. */
  handleInput(now: number, input: Input): Effect[];
}

const PING_INTERVAL = 25_000;
const ASK_AGAIN = 5_000;
/** By how much a deadline may be missed before the machine takes itself for having slept. */
const LATE = 2_000;

/** Makes a machine in `idle`. `random` gives numbers in 0 <= r < 1. */
export function createMachine(
  {
    connectTimeout = 10_000,
    heartbeatInterval,
    heartbeatTimeout = 10_000,
    wakeTimeout = 4_000,
    delayBase = 500,
    delayMax = 30_000,
    delayLater = 30_000,
    stableAfter = 10_000,
    nudgeInterval = 5_000,
    attemptsMax = null,
  }: MachineOptions,
  random: () => number,
  table: typeof TRANSITIONS = TRANSITIONS,
): Machine {
  let state: State = "idle";
  let generation = 0;
  let attempt = 0;
  let effects: Effect[] = [];
  let now = 0;
  /** Whether there is a transport that is listened to. */
  let line = false;
  /** Whether an answer to `askToken` is awaited. */
  let asked = false;
  let given = false;
  let why: Why = "connect";
  /** Whether a token was asked for because one had expired, and no line has become stable since. */
  let fresh = false;
  let spread = delayBase * 2;
  let interval = 0;
  let retryAfter: number | undefined;
  /** Whether the delay is one that `wake` must not end. */
  let firm = false;
  let held = false;
  let nudgedAt = -Infinity;
  let onlineAt = 0;
  let dueAt: number | null = null;
  let agingAt: number | null = null;
  let probeTimeout = 0;
  /** Whether a sign of life was asked for once more because the deadline was missed. */
  let askedTwice = false;
  let changed = false;
  let delay: number | null = null;
  let code = 0;
  let reason = "";

  const isLive = (): boolean => state === "online" || state === "probing";

  /** The line ends: whether it was stable decides what is forgotten. */
  const settle = (): void => {
    if (isLive() && now - onlineAt >= stableAfter) {
      attempt = 0;
      fresh = false;
    }
  };

  const act = (name: Act, event: Event): void => {
    if (name === "open_generation") {
      generation++;
      retryAfter = undefined;
      dueAt = now + connectTimeout;
      changed = true;
    } else if (name === "ask_token") {
      asked = true;
      agingAt = null;
      effects.push({ askToken: generation, why: event === "aging" ? "refresh" : why });
      why = "connect";
    } else if (name === "back_off") {
      delay = backoffDelay({ delayMax, delayLater }, { attempt, open: isLive(), later: firm, retryAfter }, spread, random());
      firm ||= retryAfter !== undefined;
      dueAt = now + delay;
    } else if (name === "hold") {
      held = changed = true;
      dueAt = delay = null;
    } else if (name === "ping") {
      probe(event);
    } else if (name === "abandon") {
      if (line) {
        line = false;
        effects.push({ abandon: generation, code: event === "stop" ? 1000 : event === "frozen" ? 1001 : 4900 });
      }
    } else {
      line ||= name === "open";
      effects.push({ [name === "send_auth" ? "auth" : name]: generation } as Effect);
    }
  };

  const probe = (event: Event): void => {
    effects.push({ ping: generation });
    const timeout = event === "quiet" ? heartbeatTimeout : wakeTimeout;
    // Somebody who wakes it again and again does not put off the end of a dead line.
    if (state !== "probing" || now >= dueAt! || now + timeout < dueAt!) {
      probeTimeout = timeout;
      dueAt = now + timeout;
    }
  };

  const fire = (event: Event, why?: [code: number, reason: string], later = false): void => {
    const row = table[state][event];
    if (!row) {
      return;
    }
    [code, reason] = why ?? [code, reason];
    const [to] = row;
    if (to !== "online" && to !== "probing") {
      settle();
    }
    if (event === "lost") {
      if (attempt === attemptsMax) {
        return fire("refused", [code, `gave up after ${attempt} attempts`]);
      }
      attempt++;
    } else if (event === "start") {
      attempt = 0;
      fresh = false;
    }
    held = false;
    firm = later;
    row[1].forEach((name) => act(name, event));
    if (to !== state) {
      changed = true;
      if (to === "authenticating") {
        dueAt = now + connectTimeout;
      } else if (to === "online") {
        if (!isLive()) {
          onlineAt = now;
        }
        dueAt = now + interval;
      } else if (to === "probing") {
        askedTwice = false;
      } else if (to === "stopped") {
        dueAt = null;
      }
      state = to;
    }
  };

  /** The line has ended with a code, or is as good as ended. */
  const end = (code: number, reason: string): void => {
    const policy = closePolicy(code);
    settle();
    let event: Event = policy === "stop" ? "refused" : "lost";
    if (policy === "new_token") {
      why = "expired";
      if (!fresh) {
        fresh = true;
        event = "expired";
      }
    }
    fire(event, [code, reason], policy === "retry_later");
  };

  const age = (expiresIn = 0): void => {
    agingAt = expiresIn > 0 ? now + Math.max(ASK_AGAIN, Math.floor((expiresIn * 9) / 10)) : null;
  };

  const isDue = (at: number | null): boolean => at !== null && now >= at;

  const handle: Record<string, (input: any) => void> = {
    start: () => fire("start"),
    stop: () => fire("stop", [1000, "stopped by the application"]),
    wake() {
      if (state !== "waiting") {
        fire("woken");
      } else if (!firm && !held && now - nudgedAt >= nudgeInterval) {
        nudgedAt = now;
        fire("due");
      }
    },
    // An attempt without a network would fail, and use up the nudge that is for its return.
    doubt: () => fire("woken"),
    freeze: () => fire("frozen", [1001, "the page was put away"]),
    thaw: (input) => (held ? fire("thawed") : handle["wake"]!(input)),
    time() {
      if (isDue(dueAt)) {
        if (state === "waiting") {
          fire("due");
        } else if (state === "online") {
          fire("quiet");
        } else if (state !== "probing") {
          fire("lost", [1006, `no answer within ${connectTimeout} ms`]);
        } else if (now - dueAt! > LATE && !askedTwice) {
          fire("woken");
          askedTwice = true;
        } else {
          fire("lost", [1006, `nothing heard for ${probeTimeout} ms`]);
        }
      }
      if (isLive() && isDue(agingAt)) {
        fire("aging");
      }
    },
    token(input) {
      if (!isLive()) {
        given = input.given;
      }
      if (input.given || !isLive()) {
        fire("token");
      }
    },
    tokenFailed(input) {
      if (isLive()) {
        agingAt = now + ASK_AGAIN;
      } else {
        fire("lost", [1006, input.reason]);
      }
    },
    tokenRefused: (input) => fire("refused", [1006, input.reason]),
    welcome(input) {
      if (state === "connecting") {
        interval = heartbeatInterval ?? (input.pingInterval > 0 ? input.pingInterval : PING_INTERVAL);
        age(input.expiresIn);
        fire(given && !input.authenticated ? "challenged" : "welcomed");
      }
    },
    authenticated(input) {
      fire("authenticated");
      if (isLive()) {
        age(input.expiresIn);
      }
    },
    authFailed(input) {
      const isUnavailable = input.code === "unavailable";
      if (!isLive()) {
        if (isUnavailable) {
          fire("lost", [1006, input.reason]);
        } else {
          end(input.code === "token_expired" ? 4000 : 4002, input.reason);
        }
      } else if (isUnavailable) {
        agingAt = now + ASK_AGAIN;
      }
    },
    heard() {
      if (state === "online") {
        dueAt = now + interval;
      }
      fire("heard");
    },
    closing(input) {
      retryAfter = input.retryAfter ?? retryAfter;
    },
    closed(input) {
      line = false;
      end(input.code, input.reason);
    },
  };

  return {
    get state() {
      return state;
    },
    get generation() {
      return generation;
    },
    get deadline() {
      return isLive() && agingAt !== null ? Math.min(agingAt, dueAt!) : dueAt;
    },
    handleInput(at, input) {
      now = at;
      effects = [];
      changed = false;
      let kind = input as string;
      let concerns = true;
      if (typeof input === "object") {
        const [[name, of]] = Object.entries(input) as [[string, number]];
        kind = name;
        // An answer that nobody waits for, or a line that is not listened to, changes nothing.
        const isToken = name.startsWith("token");
        concerns = of === generation && (isToken ? asked : line);
        if (concerns) {
          asked &&= !isToken;
          const { retrySpread } = input as { retrySpread?: number };
          spread = retrySpread! > 0 ? retrySpread! : spread;
        }
      }
      if (concerns) {
        handle[kind]?.(input);
      }
      if (changed) {
        effects.push({
          status: state,
          attempt,
          ...(state === "waiting" && { delay }),
          ...((state === "waiting" || state === "stopped") && { code, reason }),
        });
      }
      return effects;
    },
  };
}
