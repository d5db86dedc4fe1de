import type { PublishOptions, Published } from "../client/client.js";
import type { Calling } from "../client/calls.js";
import { defer, type Deferred } from "../client/deferred.js";
import { ClientError, serverError } from "../client/errors.js";
import { createEvents } from "../client/events.js";
import type { Message } from "../codec/codec.js";
import type { Channel, ChannelOptions } from "./channel.js";
import { history } from "./history.js";
import { createInbox } from "./inbox.js";
import { iterate } from "./iterate.js";
import { createPresence, type PresenceChange } from "./presence.js";
import { publication } from "./publication.js";

/** How many channels one message may name. */
const CHANNELS_MAX = 128;
/** How many publications may wait for slow handlers before the channel is read again later. */
const INBOX_MAX = 1000;
const TYPING_INTERVAL = 2000;

type Publish = (channel: string, data: unknown, options?: PublishOptions) => Promise<Published>;
type Answer = Record<string, any>;

/** A channel, and what the line tells it. */
interface Inside {
  channel: Channel;
  isWanted(): boolean;
  /** What `subscribe` says of the channel, and what to do with the answer. */
  ask(): { request: object; token: string | true | undefined; answer: (answer: Answer) => void; refuse: (error: ClientError) => void };
  take(message: Message): void;
  lost(): void;
  stopped(error: ClientError): void;
  seen(): string | undefined;
}

/** Gives a core its channels. */
export function createChannels(core: Calling, publish: Publish): (name: string, options?: ChannelOptions) => Channel {
  const insides = new Map<string, Inside>();
  const wanted = (): Inside[] => [...insides.values()].filter((inside) => inside.isWanted());

  /** Sends one `subscribe`. If all of it is refused because of one channel, each is asked for by itself. */
  const join = async (some: Inside[]): Promise<void> => {
    const asks = some.map((inside) => inside.ask());
    try {
      const tokens = asks.map(({ token, request }) =>
        token === true ? core.auth?.({ why: "channel", channel: (request as any).channel, signal: new AbortController().signal }) : token,
      );
      const isPending = tokens.some((token) => token instanceof Promise);
      const given = isPending ? await Promise.all(tokens) : tokens;
      await core.call(
        { type: "subscribe", channels: asks.map(({ request }, i) => ({ ...request, ...(given[i] && { token: given[i] }) })) },
        {
          urgent: true,
          // A publication may come in the same piece of a stream as the answer, right behind it.
          answered: ({ data }) => some.forEach(({ channel: { name } }, i) => asks[i]!.answer((data as any)[name] ?? {})),
        },
      );
    } catch (error) {
      if (some.length > 1 && !(error as ClientError).retryable) {
        some.forEach((inside) => void join([inside]));
      } else {
        asks.forEach(({ refuse }) => refuse(error as ClientError));
      }
    }
    core.tell();
  };
  const joinAll = (some: Inside[]): void => {
    for (let i = 0; i < some.length; i += CHANNELS_MAX) {
      void join(some.slice(i, i + CHANNELS_MAX));
    }
  };

  core.resume = () => new Map(wanted().flatMap((inside) => (inside.seen() ? [[inside.channel.name, inside.seen()!] as const] : [])));
  // What channels say when a line is ready goes before what waits.
  core.parts.unshift({
    ready: () => joinAll(wanted()),
    unready: () => insides.forEach((inside) => inside.lost()),
    stopped: (error) => insides.forEach((inside) => inside.stopped(error)),
    message(message) {
      const { type, channel, channels } = message as Message & { channels?: string[] };
      const names = type === "unsubscribed" ? channels! : channel === undefined ? [] : [channel];
      names.forEach((name) => insides.get(name)?.take(message));
      return type === "subscribed" || type === "unsubscribed" || insides.has(channel!);
    },
  });

  return (name, options) => {
    let inside = insides.get(name);
    if (!inside) {
      const made: Inside = createChannel(core, publish, name, options ?? {}, {
        join: () => joinAll([made]),
        keep() {
          if ((insides.get(name) ?? made) !== made) {
            throw new ClientError("invalid", `${name} was let go: ask client.channel again`);
          }
          insides.set(name, made);
        },
        letGo: () => insides.delete(name),
      });
      inside = made;
      insides.set(name, made);
    }
    return inside.channel;
  };
}

/** What a channel needs of the others. */
interface Surroundings {
  /** Sends `subscribe`. */
  join(): void;
  /** Keeps the channel under its name. */
  keep(): void;
  /** Nobody uses the channel: who goes from room to room does not keep them all. */
  letGo(): void;
}

function createChannel(core: Calling, publish: Publish, name: string, options: ChannelOptions, { join, keep, letGo }: Surroundings): Inside {
  const { environment } = core;
  const { recover = true, history: newest, token } = options;
  const events = createEvents(core.handlerFailed);
  let users = 0;
  let state: Channel["state"] = "unsubscribed";
  /** That of the last publication taken in. What was taken in is delivered, whatever happens to the line. */
  let seen = options.since;
  let position = seen;
  /** The number of the last `subscribe`; answers to others are late. */
  let turn = 0;
  let failures = 0;
  /** Whether handlers are so slow that the rest is to be read again later. */
  let isBehind = false;
  let wasJoined = false;
  let retry: unknown;
  let typedAt = -Infinity;
  let joining: Deferred | undefined;

  const emit = (type: string, data: unknown): void => core.later(() => events.emit(type, data));
  const raise = (error: ClientError, isKnown = false): void => (isKnown || events.has("error") ? emit("error", error) : core.report(error));
  const { presence, change, joined } = createPresence(core, name, () => state === "subscribed");
  const leave = (): boolean => core.cast({ type: "unsubscribe", channels: [name] });

  const inbox = createInbox(() => {
    if (isBehind) {
      isBehind = false;
      if (seen && state === "subscribed") {
        state = "subscribing";
        leave();
        join();
      } else if (state === "subscribed") {
        gap("limit");
      }
    }
    core.tell();
  });
  const deliver = (type: string, event: any, at?: string): void =>
    core.later(() =>
      inbox.add(
        () => [...events.emit(type, event), ...(type === "publication" ? events.emit(`event:${event.type}`, event) : [])],
        () => void (position = at ?? position),
      ),
    );
  const gap = (reason: string, at?: string): void => {
    seen = at;
    deliver("gap", { reason, position: at }, at);
  };
  const publications = (messages: Message[], replayed: boolean): void =>
    messages.forEach((message) => {
      const one = publication(message, replayed);
      seen = one.position ?? seen;
      try {
        deliver("publication", { ...one, data: core.conform("channels", name, one.data, one.type) }, one.position);
      } catch (error) {
        raise(error as ClientError);
      }
    });

  const settle = (error?: ClientError): void => {
    joining?.settle(error);
    joining = undefined;
  };

  const end = (reason: string, error?: ClientError): void => {
    state = "unsubscribed";
    environment.clearTimeout(retry);
    turn++;
    settle(error);
    emit("unsubscribed", { reason });
  };

  const refuse = (error: ClientError): void => {
    if (error.code === "connection_lost" || error.code === "disconnected") {
      // Asked for again when the line is ready.
    } else if (error.code === "already_subscribed") {
      // The server did it by itself, from where the channel was then, not from where this client was.
      leave();
      join();
    } else if (error.code === "bad_position" && seen) {
      gap("epoch");
      join();
    } else if (error.retryable) {
      const delay = (error.retryAfter ?? 0) + environment.random() * Math.min(30_000, 1000 * 2 ** failures++);
      retry = environment.setTimeout(() => core.isOnline && state === "subscribing" && join(), delay);
    } else {
      users = 0;
      // Whoever waits for `subscribe` is told by that.
      raise(error, !!joining);
      end(error.message, error);
    }
  };

  const answer = ({ code, recovered, reason, position: at, messages = [], ...rest }: Answer): void => {
    if (code) {
      return refuse(serverError({ code, ...rest }));
    }
    state = "subscribed";
    failures = 0;
    settle();
    emit("subscribed", { recovered, position: at });
    if (recovered === false || (wasJoined && recovered === undefined)) {
      gap(reason ?? "offline", at);
    }
    wasJoined = true;
    publications(messages, true);
    seen = at ?? seen;
    deliver(recovered ? "recovered" : "", { count: messages.length }, at);
    joined();
  };

  const channel: Channel = {
    name,
    get state() {
      return state;
    },
    get position() {
      return position;
    },
    presence,
    on: events.on,
    off: events.off,
    async subscribe() {
      keep();
      users++;
      if (state === "subscribed") {
        return;
      }
      const { promise } = (joining ??= defer());
      if (state === "unsubscribed") {
        state = "subscribing";
        if (core.isOnline) {
          join();
        }
      }
      await promise;
    },
    unsubscribe() {
      if (users > 0 && --users === 0) {
        leave();
        end("left by the application", new ClientError("aborted", `${name} was left`));
        if (events.size === 0) {
          letGo();
        }
        core.tell();
      }
    },
    publish: (data, how) => publish(name, data, how),
    history: (page) => history(core, name, page),
    typing(isTyping = true) {
      const now = environment.now();
      if (!isTyping || now - typedAt >= TYPING_INTERVAL) {
        typedAt = isTyping ? now : -Infinity;
        core.cast({ type: "typing", channel: name, isTyping });
      }
    },
    [Symbol.asyncIterator]: () => iterate(channel),
  };

  return {
    channel,
    isWanted: () => users > 0,
    seen: () => seen,
    ask() {
      const mine = ++turn;
      state = "subscribing";
      const isLate = (): boolean => mine !== turn;
      return {
        request: { channel: name, ...(seen && (recover || turn === 1) ? { position: seen } : newest && { history: newest }) },
        token,
        answer: (given) => isLate() || answer(given),
        refuse: (error) => isLate() || refuse(error),
      };
    },
    take(message) {
      const { type, reason } = message as Message & { reason?: string };
      if (type === "unsubscribed") {
        if (reason && state !== "unsubscribed") {
          users = 0;
          end(reason, new ClientError("forbidden", reason));
        }
      } else if (type === "presence") {
        change(message.data as PresenceChange);
        emit("presence", message.data);
      } else if (type === "typing") {
        emit("typing", message);
      } else if (state === "subscribed" && !isBehind) {
        if (type === "unrecovered") {
          gap(reason!, message["position"] as string);
        } else if (inbox.size < INBOX_MAX) {
          publications([message], false);
        } else {
          isBehind = true;
        }
      }
    },
    lost() {
      turn++;
      environment.clearTimeout(retry);
      if (users > 0) {
        state = "subscribing";
      }
    },
    stopped(error) {
      settle(error);
      state = "unsubscribed";
    },
  };
}
