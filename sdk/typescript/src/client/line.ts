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
  unready(): void;
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
  let transport: Transport | undefined;
  /** The generation whose transport is listened to; 0 for none. */
  let current = 0;
  let isWelcome = false;
  let token: string | null = null;
  let asking: AbortController | undefined;
  let watching: AbortController | undefined;
  let timer: unknown;
  let timerAt = 0;
  let who: Line["who"] = {};

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

  const forget = (): void => {
    current = 0;
    transport = undefined;
    isWelcome = false;
    who = {};
  };

  const fail = (g: number, code: number, reason: string): void => {
    transport?.close(4900);
    forget();
    input({ closed: g, code, reason });
  };

  const open = (g: number, address: string): void => {
    if (g !== current) {
      return;
    }
    const factory = chooseTransport(factories, environment);
    if (!factory) {
      return fail(g, 1002, "no transport works here: give a class as environment.WebSocket");
    }
    transport = factory.open(
      { url: address, codec, environment, ...(token !== null && { token }), resume: events.resume() },
      {
        onopen: () => input({ opened: g }),
        onmessage: (frame) => g === current && receive(g, frame),
        onclose({ code, reason }) {
          if (g === current) {
            forget();
            input({ closed: g, code, reason });
          }
        },
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
          if (g === machine.generation) {
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
      current = g;
      const failed = (error: unknown): void => (g === current ? fail(g, 1006, text(error)) : undefined);
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
    auth: () => send(codec.encode({ type: "auth", token })),
    ping: () => send(codec.encode({ type: "ping" })),
    ready: () => events.ready(),
    unready: () => events.unready(),
    abandon(_: number, { code }) {
      transport?.close(code);
      forget();
    },
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

  const receive = (g: number, frame: string | Uint8Array): void => {
    let message: Message;
    try {
      message = codec.decode(frame);
    } catch (error) {
      if (!isWelcome) {
        return refuse(g);
      }
      // What was in it is lost, so the line is too: the next one recovers it.
      events.error(new ClientError("bad_message", text(error), { cause: error }));
      return fail(g, 1006, "the server sent what is not a message");
    }
    const { type } = message;
    if (!isWelcome && type !== "welcome" && type !== "close") {
      return refuse(g);
    }
    if (type !== "welcome") {
      input({ heard: g, ...(type === "pong" && message) });
    }
    own[type]?.(g, message);
    events.message(message);
  };

  const refuse = (g: number): void =>
    fail(g, 1002, "this is no Openline server: its first message is not `welcome`");

  const identify = ({ clientId, user }: any): void => {
    who = { clientId, ...(user && { user }) };
  };

  const own: Record<string, (g: number, message: Message) => void> = {
    welcome(g, message) {
      isWelcome = true;
      identify(message);
      input({ welcome: g, ...message, ...age(message) } as unknown as Input);
    },
    auth_success(g, message) {
      identify(message);
      input({ authenticated: g, ...age(message) });
    },
    auth_failed: (g, message) => input({ authFailed: g, ...message } as unknown as Input),
    close: (g, message) => input({ closing: g, ...message }),
  };

  const age = ({ expiresAt }: any): { expiresIn?: number } => expiresAt && { expiresIn: expiresAt - environment.now() };

  const send = (frame: string | Uint8Array): void => transport?.send(frame);

  return {
    get isOnline() {
      // A timer may be held back while the machine sleeps; what is sent on a line that is long due is lost.
      if (machine.deadline !== null && environment.now() >= machine.deadline) {
        input("time");
      }
      return machine.state === "online";
    },
    get transport() {
      return transport;
    },
    get who() {
      return who;
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
