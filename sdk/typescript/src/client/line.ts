import type { Codec, Message } from "../codec/codec.js";
import type { Environment } from "../environment.js";
import type { Input, MachineOptions, StatusEffect } from "../machine/input.js";
import { createMachine } from "../machine/machine.js";
import { chooseTransport } from "../transport/choose.js";
import type { Transport, TransportFactory } from "../transport/transport.js";
import { endpoint } from "./address.js";
import { ClientError, FatalAuthError } from "./errors.js";
import type { Auth, ClientOptions } from "./options.js";

/** What a line tells its client, in the middle of a transition: what the application is told has to wait for `done`. */
export interface LineEvents {
  /** The transition is complete. */
  done(): void;
  /** Requests may go out. */
  ready(): void;
  /** The line has ended; with `moves` it is left for another, but may still answer until `left`. True if it is to. */
  unready(moves?: boolean): boolean;
  /** The line that was left has answered, or ended. */
  left(answer?: Message): void;
  status(status: StatusEffect): void;
  /** A message that is not the line's own business. */
  message(message: Message): void;
  error(error: ClientError): void;
  /** The positions of channels, for transports whose address names them. */
  resume(): ReadonlyMap<string, string>;
}

/** The machine with its surroundings: transports, tokens, timers, the page. */
export interface Line {
  readonly isOnline: boolean;
  readonly transport: Transport | undefined;
  /** Whom the token names, and the line's own name. */
  readonly who: { clientId?: string; user?: string };
  input(input: Input): void;
  send(frame: string | Uint8Array): void;
}

/** One transport, and what was said on it. */
interface Link {
  transport?: Transport;
  isWelcome?: boolean;
  who?: Line["who"];
}

const TIMER_MAX = 2 ** 31 - 1;

/** Makes a line that was not started. */
export function createLine(
  { url, auth }: { url: ClientOptions["url"]; auth: Auth | undefined },
  factories: readonly TransportFactory[],
  codec: Codec,
  environment: Environment,
  options: MachineOptions,
  events: LineEvents,
): Line {
  const machine = createMachine(options, environment.random);
  const inputs: Input[] = [];
  let handling = false;
  /** What is listened to, by its generation. */
  const links = new Map<number, Link>();
  /** The generation of the line, and of the one that was left for it; 0 for none. */
  let current = 0;
  let left = 0;
  let leaving: unknown;
  let hadLine = false;
  let token: string | null = null;
  let asking: AbortController | undefined;
  let watching: AbortController | undefined;
  let timer: unknown;
  let timerAt = 0;

  // A wrong address is the caller's mistake, and found before anything is tried.
  const fixed = typeof url === "function" ? undefined : endpoint(url, environment.base);

  const input = (one: Input): void => {
    inputs.push(one);
    if (handling) {
      return;
    }
    handling = true;
    for (let next; (next = inputs.shift()); ) {
      for (const effect of machine.handleInput(environment.now(), next)) {
        const kind = Object.keys(effect)[0]!;
        perform[kind]!((effect as any)[kind], effect);
      }
    }
    handling = false;
    arm();
    events.done();
  };

  const arm = (): void => {
    const { deadline } = machine;
    // A timer that comes too early only has the next one set, and most deadlines move away with each message.
    if (deadline === null || !timer || deadline < timerAt) {
      environment.clearTimeout(timer);
      timer = undefined;
      if (deadline !== null) {
        timerAt = deadline;
        timer = environment.setTimeout(
          () => {
            timer = undefined;
            input("time");
          },
          Math.min(TIMER_MAX, Math.max(0, deadline - environment.now())),
        );
      }
    }
  };

  /** Listens to a line no more. If another is being opened beside it, that one is the line. */
  const forget = (g: number): void => {
    links.delete(g);
    if (g === current) {
      current = [...links.keys()].pop() ?? 0;
    }
  };

  const leave = (): void => {
    if (left) {
      environment.clearTimeout(leaving);
      close(left, 1000);
      left = 0;
      events.left();
    }
  };

  const close = (g: number, code: number): void => {
    links.get(g)?.transport?.close(code);
    forget(g);
  };

  /** The line has ended by itself. */
  const ended = (g: number, code: number, reason: string): void => {
    if (g === left) {
      leave();
      events.done();
    } else if (links.has(g)) {
      forget(g);
      input({ closed: g, code, reason });
    }
  };

  const fail = (g: number, code: number, reason: string): void => {
    links.get(g)?.transport?.close(4900);
    ended(g, code, reason);
  };

  const open = (g: number, address: string): void => {
    const link = links.get(g);
    if (!link) {
      return;
    }
    const factory = chooseTransport(factories, environment);
    if (!factory) {
      return fail(g, 1002, "no transport works here: give a class as environment.WebSocket");
    }
    // Servers that let clients in one after the other prefer those that come back.
    const url = hadLine ? `${address}${address.includes("?") ? "&" : "?"}resume=1` : address;
    link.transport = factory.open(
      { url, codec, environment, ...(token !== null && { token }), resume: events.resume() },
      {
        onopen: () => input({ opened: g }),
        onmessage: (frame) => links.has(g) && receive(g, link, frame),
        onclose: ({ code, reason }) => ended(g, code, reason),
      },
    );
  };

  const perform: Record<string, (value: any, effect: any) => void> = {
    askToken(g: number, { why }) {
      asking?.abort();
      if (!auth) {
        return input({ token: g, given: false });
      }
      const { signal } = (asking = new AbortController());
      settled(() => auth({ why, signal })).then(
        (given) => {
          if (!signal.aborted) {
            token = given;
            input({ token: g, given: token !== null });
          }
        },
        (error: unknown) => {
          const reason = text(error);
          if (!signal.aborted) {
            events.error(new ClientError("auth_failed", `there is no token: ${reason}`, { cause: error }));
          }
          input(error instanceof FatalAuthError ? { tokenRefused: g, reason } : { tokenFailed: g, reason });
        },
      );
    },
    open(g: number) {
      links.set(g, {});
      current ||= g;
      const failed = (error: unknown): void => fail(g, 1006, text(error));
      if (typeof url === "function") {
        settled(url)
          .then((address) => open(g, endpoint(address, environment.base)))
          .catch(failed);
      } else {
        try {
          open(g, fixed!);
        } catch (error) {
          failed(error);
        }
      }
    },
    auth: (g: number) => links.get(g)?.transport?.send(codec.encode({ type: "auth", token })),
    ping: () => send(codec.encode({ type: "ping" })),
    ready: () => events.ready(),
    unready() {
      leave();
      events.unready();
    },
    move(g: number, { from, linger }) {
      leave();
      left = from;
      current = g;
      leaving = environment.setTimeout(() => ended(from, 0, ""), events.unready(true) ? linger : 0);
      events.ready();
    },
    abandon: (g: number, { code }) => close(g, code),
    status(state: StatusEffect["status"], effect: StatusEffect) {
      const isOver = state === "stopped";
      if (isOver || state === "waiting") {
        asking?.abort();
      }
      if (isOver) {
        watching?.abort();
        watching = undefined;
      } else if (!watching) {
        watching = new AbortController();
        environment.page?.listen(input, watching.signal);
      }
      events.status(effect);
    },
  };

  const receive = (g: number, link: Link, frame: string | Uint8Array): void => {
    let message: Message;
    try {
      message = codec.decode(frame);
    } catch (error) {
      if (!link.isWelcome) {
        return refuse(g);
      }
      // What was in it is lost, so the line is too: the next one recovers it.
      events.error(new ClientError("bad_message", text(error), { cause: error }));
      return fail(g, 1006, "the server sent what is not a message");
    }
    const { type } = message;
    if (!link.isWelcome && type !== "welcome" && type !== "close") {
      return refuse(g);
    }
    if (type !== "welcome") {
      input({ heard: g, ...(type === "pong" && message) });
    }
    own[type]?.(g, message, link);
    if (g === current) {
      events.message(message);
    } else if (g === left) {
      events.left(message);
    }
  };

  const refuse = (g: number): void =>
    fail(g, 1002, "this is no Openline server: its first message is not `welcome`");

  const identify = (link: Link, { clientId, user }: any): void => {
    link.who = { clientId, ...(user && { user }) };
  };

  const own: Record<string, (g: number, message: Message, link: Link) => void> = {
    welcome(g, message, link) {
      link.isWelcome = hadLine = true;
      identify(link, message);
      input({ welcome: g, ...message, ...age(message) } as unknown as Input);
    },
    auth_success(g, message, link) {
      identify(link, message);
      input({ authenticated: g, ...age(message) });
    },
    auth_failed: (g, message) => input({ authFailed: g, ...message } as unknown as Input),
    close: (g, message) => input({ closing: g, ...message }),
    drain: (g, message) => input({ drain: g, ...message }),
  };

  const age = ({ expiresAt }: any): { expiresIn?: number } => expiresAt && { expiresIn: expiresAt - environment.now() };

  const send = (frame: string | Uint8Array): void => links.get(current)?.transport?.send(frame);

  return {
    get isOnline() {
      // A timer may be held back while the machine sleeps; what is sent on a line that is long due is lost.
      if (machine.deadline !== null && environment.now() >= machine.deadline) {
        input("time");
      }
      return ["online", "moving", "proving"].includes(machine.state);
    },
    get transport() {
      return links.get(current)?.transport;
    },
    get who() {
      return links.get(current)?.who ?? {};
    },
    input,
    send,
  };
}

/** What a function gives, or throws, as a promise. */
async function settled<T>(give: () => T | Promise<T>): Promise<T> {
  return give();
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
