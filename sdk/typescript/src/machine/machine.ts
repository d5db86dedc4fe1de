import { backoffDelay } from "./backoff.js";
import { closePolicy } from "./close-policy.js";
import type { Effect, Input, MachineOptions, Why } from "./input.js";
import { type Act, type Event, type State, TRANSITIONS } from "./states.js";

/** What a client's line goes through. It has no clock, no chance and no sockets of its own. */
export interface Machine {
  readonly state: State;
  /** The number of the newest attempt; 0 before the first. */
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
/** The states in which there is a line to speak on. */
const OPEN: readonly State[] = ["online", "probing", "moving", "proving"];
/** How long a line that was moved from may take to answer. */
const LINGER = 5_000;

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
  let last = 0;
  /** The number of the line, or of the attempt; 0 before the first. */
  let generation = 0;
  /** The number of the line that is opened beside it; 0 for none. */
  let beside = 0;
  let movedAt = -Infinity;
  let endsAt = 0;
  let attempt = 0;
  let effects: Effect[] = [];
  let now = 0;
  /** The generations whose transports are listened to. */
  const lines = new Set<number>();
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
  const isOpen = (of = state): boolean => OPEN.includes(of);

  /** The line ends: whether it was stable decides what is forgotten. */
  const settle = (): void => {
    if (isOpen() && now - onlineAt >= stableAfter) {
      attempt = 0;
      fresh = false;
    }
  };

  const act = (name: Act, event: Event): void => {
    if (name === "open_generation") {
      generation = ++last;
      retryAfter = undefined;
      dueAt = now + connectTimeout;
      changed = true;
    } else if (name === "open_beside") {
      beside = ++last;
      movedAt = now;
      dueAt = now + connectTimeout;
    } else if (name === "ask_token") {
      asked = true;
      agingAt = null;
      effects.push({ askToken: beside || generation, why: event === "aging" ? "refresh" : why });
      why = "connect";
    } else if (name === "move") {
      settle();
      onlineAt = now;
      lines.delete(generation);
      effects.push({ move: beside, from: generation, linger: Math.max(0, Math.min(LINGER, endsAt - now)) });
      adopt();
    } else if (name === "adopt") {
      adopt();
    } else if (name === "drop") {
      abandon(beside, 4900);
      asked = false;
      agingAt = null;
      beside = 0;
    } else if (name === "back_off") {
      delay = backoffDelay({ delayMax, delayLater }, { attempt, open: isOpen(), later: firm, retryAfter }, spread, random());
      firm ||= retryAfter !== undefined;
      dueAt = now + delay;
    } else if (name === "hold") {
      held = changed = true;
      dueAt = delay = null;
    } else if (name === "ping") {
      probe(event);
    } else if (name === "abandon") {
      lines.forEach((of) => abandon(of, event === "stop" ? 1000 : event === "frozen" ? 1001 : 4900));
      beside = 0;
    } else if (name === "open" || name === "send_auth") {
      const of = beside || generation;
      lines.add(of);
      effects.push(name === "open" ? { open: of } : { auth: of });
    } else {
      effects.push({ [name]: generation } as unknown as Effect);
    }
  };

  const abandon = (of: number, code: number): void => {
    if (lines.delete(of)) {
      effects.push({ abandon: of, code });
    }
  };

  /** The line beside is the only one. */
  const adopt = (): void => {
    generation = beside;
    beside = 0;
    retryAfter = undefined;
    dueAt = now + connectTimeout;
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
    if (!isOpen(to)) {
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
      // That it moves is nothing to the application, as long as it has a line.
      changed ||= to !== "moving" && to !== "proving" && event !== "missed";
      if (to === "authenticating" || to === "proving") {
        dueAt = now + connectTimeout;
      } else if (to === "online") {
        if (!isOpen()) {
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
    // A server that wants one line of each user ends the one before for the one beside it.
    let event: Event = policy === "stop" && !(beside && code === 4001) ? "refused" : beside ? "left" : "lost";
    if (policy === "new_token" && !beside) {
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
        } else if (beside) {
          const isLate = now - dueAt! > LATE;
          fire("missed");
          if (isLate) {
            fire("woken");
          }
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
      if (state === "connecting" || state === "moving") {
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
    drain(input) {
      handle["closing"]!(input);
      endsAt = now + (input.closesIn ?? LINGER);
      if (now - movedAt >= stableAfter) {
        fire("draining");
      }
    },
    closed(input) {
      lines.delete(input.closed);
      end(input.code, input.reason);
    },
    missed(input) {
      lines.delete(input.closed);
      fire("missed");
    },
  };

  return {
    get state() {
      return state;
    },
    get generation() {
      return last;
    },
    get deadline() {
      return isLive() && agingAt !== null ? Math.min(agingAt, dueAt!) : dueAt;
    },
    handleInput(at, input) {
      now = at;
      effects = [];
      changed = false;
      code = 0;
      let kind = input as string;
      let concerns = true;
      if (typeof input === "object") {
        const [[name, of]] = Object.entries(input) as [[string, number]];
        kind = name;
        // An answer that nobody waits for, or a line that is not listened to, changes nothing.
        const isToken = name.startsWith("token");
        const isBeside = beside > 0 && of === beside;
        // While it moves, the line in use is only watched for its end, and the other has none to come.
        concerns = isToken
          ? asked && of === (beside || generation)
          : lines.has(of) && (isBeside ? name !== "closing" && name !== "drain" : !beside || name.startsWith("clos"));
        if (concerns) {
          asked &&= !isToken;
          const { retrySpread } = input as { retrySpread?: number };
          spread = retrySpread! > 0 ? retrySpread! : spread;
          if (isBeside && /Failed|Refused|closed/.test(name)) {
            kind = "missed";
          }
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
          ...(code && { code, reason }),
        });
      }
      return effects;
    },
  };
}
