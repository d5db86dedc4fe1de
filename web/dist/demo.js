// ../sdk/typescript/src/client/deferred.ts
function defer() {
  let settle;
  const promise = new Promise((resolve, reject) => {
    settle = (error, value) => error ? reject(error) : resolve(value);
  });
  promise.catch(() => {
  });
  return { promise, settle };
}

// ../sdk/typescript/src/codes.ts
var RETRYABLE = /* @__PURE__ */ new Set([
  "session_busy",
  "rate_limited",
  "broker_unavailable",
  "connection_limit",
  "overloaded",
  "shutting_down",
  "storage_failed",
  "unavailable",
  "timeout",
  "storage_full"
]);

// ../sdk/typescript/src/client/errors.ts
var ClientError = class extends Error {
  name = "ClientError";
  code;
  /** After how many milliseconds the server asks to try again. */
  retryAfter;
  /** Whether the same may succeed later without being changed. */
  retryable;
  /** What the application says besides, if the error is one of its own. */
  data;
  constructor(code, message, more = {}) {
    super(message, more);
    this.code = code;
    this.retryAfter = more.retryAfter;
    this.retryable = !!more.retryable;
    this.data = more.data;
  }
};
function serverError({ code, message, error, retryAfter, data }) {
  return new ClientError(code, message ?? error, {
    retryAfter,
    retryable: RETRYABLE.has(code),
    data
  });
}
var FatalAuthError = class extends Error {
  name = "FatalAuthError";
};

// ../sdk/typescript/src/client/events.ts
function createEvents(failed) {
  const handlers = /* @__PURE__ */ new Map();
  const off = (type, handler) => {
    const of = handlers.get(type);
    if (handler) {
      of?.delete(handler);
    }
    if (!handler || !of?.size) {
      handlers.delete(type);
    }
  };
  const on = (type, handler) => {
    handlers.set(type, (handlers.get(type) ?? /* @__PURE__ */ new Set()).add(handler));
    return () => off(type, handler);
  };
  return {
    on,
    off,
    once(type, handler) {
      const remove = on(type, (data, message) => {
        remove();
        return handler(data, message);
      });
      return remove;
    },
    emit: (type, data, message) => [...handlers.get(type) ?? []].map((handler) => {
      try {
        const result = handler(data, message);
        return result instanceof Promise ? result.catch((error) => failed(error, type)) : result;
      } catch (error) {
        return failed(error, type);
      }
    }),
    has: (type) => handlers.has(type),
    get size() {
      return handlers.size;
    },
    first: (type) => handlers.get(type)?.values().next().value,
    clear: () => handlers.clear()
  };
}

// ../sdk/typescript/src/channel/publication.ts
function publication({ encoding, ...message }, replayed) {
  const { data } = message;
  return {
    ...message,
    data: encoding === "base64" ? Uint8Array.from(atob(data), (c) => c.charCodeAt(0)) : data,
    replayed
  };
}

// ../sdk/typescript/src/channel/history.ts
async function history(core, channel, options = {}) {
  const { data } = await core.call({ type: "history", channel, ...options }, { again: true });
  const page2 = data;
  return { ...page2, messages: page2.messages.map((message) => publication(message, true)) };
}

// ../sdk/typescript/src/channel/inbox.ts
function createInbox(drained) {
  const waiting = [];
  let isRunning = false;
  const run = async () => {
    isRunning = true;
    for (let one; one = waiting.shift(); ) {
      const results = one[0]().filter((result) => result instanceof Promise);
      if (results.length > 0) {
        await Promise.all(results);
      }
      one[1]();
    }
    isRunning = false;
    drained();
  };
  return {
    get size() {
      return waiting.length;
    },
    add(...one) {
      waiting.push(one);
      if (!isRunning) {
        void run();
      }
    }
  };
}

// ../sdk/typescript/src/channel/iterate.ts
var END = { done: true, value: void 0 };
function iterate(channel) {
  let waiting;
  let wanted;
  let dealtWith;
  let state = "new";
  let isJoined = false;
  let removals = [];
  const give = () => {
    if (waiting && wanted) {
      ({ dealtWith } = waiting);
      wanted.settle(void 0, { done: false, value: waiting.publication });
      waiting = wanted = void 0;
    }
  };
  const finish = (error) => {
    state = "done";
    removals.forEach((remove) => remove());
    dealtWith?.();
    waiting?.dealtWith();
    wanted?.settle(error, END);
    wanted = void 0;
  };
  const open = () => {
    state = "open";
    removals = [
      channel.on("publication", (publication2) => new Promise((resolve) => {
        waiting = { publication: publication2, dealtWith: resolve };
        give();
      })),
      channel.on("unsubscribed", () => isJoined && finish())
    ];
    channel.subscribe().then(() => isJoined = true, finish);
  };
  return {
    async next() {
      if (state === "new") {
        open();
      }
      dealtWith?.();
      dealtWith = void 0;
      if (state === "done") {
        return END;
      }
      const { promise } = wanted = defer();
      give();
      return promise;
    },
    async return() {
      if (state === "open") {
        finish();
        channel.unsubscribe();
      }
      return END;
    }
  };
}

// ../sdk/typescript/src/channel/presence.ts
var EMPTY = { members: /* @__PURE__ */ new Map(), count: 0 };
var LOADED_MAX = 1e3;
var PAGES_MAX = 1e3;
function createPresence(core, channel, isSubscribed) {
  const listeners = /* @__PURE__ */ new Set();
  let snapshot = EMPTY;
  let isLoading = false;
  let mine;
  const replace = (members, count) => {
    snapshot = { members, count };
    core.later(() => [...listeners].forEach((listener) => listener()));
  };
  const change = ({ joined, updated, left, count }) => {
    const members = new Map(snapshot.members);
    [...joined, ...updated].forEach((member) => members.set(member.clientId, member));
    left.forEach(({ clientId }) => members.delete(clientId));
    replace(members, count);
    if (members.size !== count && count <= LOADED_MAX) {
      load();
    }
  };
  const list = async () => {
    const all = [];
    let after;
    for (let page2 = 0; page2 < PAGES_MAX && (page2 === 0 || after); page2++) {
      const { data } = await core.call({ type: "presence", channel, ...after && { after } }, { again: true });
      const { members, next } = data;
      all.push(...members);
      after = next;
    }
    return all;
  };
  const load = () => {
    if (isSubscribed() && listeners.size > 0 && !isLoading) {
      isLoading = true;
      list().then((all) => replace(new Map(all.map((member) => [member.clientId, member])), all.length), (error) => isSubscribed() && core.report(error)).finally(() => {
        isLoading = false;
        core.tell();
      });
    }
  };
  return {
    change,
    joined() {
      if (mine) {
        core.cast({ type: "setPresence", channel, ...mine });
      }
      load();
    },
    presence: {
      get members() {
        return snapshot.members;
      },
      get count() {
        return snapshot.count;
      },
      getSnapshot: () => snapshot,
      list,
      async set(next) {
        mine = { ...mine, ...next };
        await core.call({ type: "setPresence", channel, ...next }, { again: true });
      },
      subscribe(listener) {
        listeners.add(listener);
        if (listeners.size === 1) {
          load();
        }
        return () => void listeners.delete(listener);
      }
    }
  };
}

// ../sdk/typescript/src/channel/channels.ts
var CHANNELS_MAX = 128;
var INBOX_MAX = 1e3;
var TYPING_INTERVAL = 2e3;
function createChannels(core, publish) {
  const insides = /* @__PURE__ */ new Map();
  const wanted = () => [...insides.values()].filter((inside) => inside.isWanted());
  const join = async (some) => {
    const asks = some.map((inside) => inside.ask());
    try {
      const tokens = asks.map(
        ({ token, request }) => token === true ? core.auth?.({ why: "channel", channel: request.channel, signal: new AbortController().signal }) : token
      );
      const isPending = tokens.some((token) => token instanceof Promise);
      const given = isPending ? await Promise.all(tokens) : tokens;
      await core.call(
        { type: "subscribe", channels: asks.map(({ request }, i) => ({ ...request, ...given[i] && { token: given[i] } })) },
        {
          urgent: true,
          // A publication may come in the same piece of a stream as the answer, right behind it.
          answered: ({ data }) => some.forEach(({ channel: { name } }, i) => asks[i].answer(data[name] ?? {}))
        }
      );
    } catch (error) {
      if (some.length > 1 && !error.retryable) {
        some.forEach((inside) => void join([inside]));
      } else {
        asks.forEach(({ refuse }) => refuse(error));
      }
    }
    core.tell();
  };
  const joinAll = (some) => {
    for (let i = 0; i < some.length; i += CHANNELS_MAX) {
      void join(some.slice(i, i + CHANNELS_MAX));
    }
  };
  core.resume = () => new Map(wanted().flatMap((inside) => inside.seen() ? [[inside.channel.name, inside.seen()]] : []));
  core.parts.unshift({
    ready: () => joinAll(wanted()),
    unready: () => insides.forEach((inside) => inside.lost()),
    stopped: (error) => insides.forEach((inside) => inside.stopped(error)),
    message(message) {
      const { type, channel, channels } = message;
      const names = type === "unsubscribed" ? channels : channel === void 0 ? [] : [channel];
      names.forEach((name) => insides.get(name)?.take(message));
      return type === "subscribed" || type === "unsubscribed" || insides.has(channel);
    }
  });
  return (name, options) => {
    let inside = insides.get(name);
    if (!inside) {
      const made = createChannel(core, publish, name, options ?? {}, {
        join: () => joinAll([made]),
        keep() {
          if ((insides.get(name) ?? made) !== made) {
            throw new ClientError("invalid", `${name} was let go: ask client.channel again`);
          }
          insides.set(name, made);
        },
        letGo: () => insides.delete(name)
      });
      inside = made;
      insides.set(name, made);
    }
    return inside.channel;
  };
}
function createChannel(core, publish, name, options, { join, keep, letGo }) {
  const { environment: environment2 } = core;
  const { recover = true, history: newest, token } = options;
  const events = createEvents(core.handlerFailed);
  let users = 0;
  let state = "unsubscribed";
  let seen = options.since;
  let position = seen;
  let turn = 0;
  let failures = 0;
  let isBehind = false;
  let wasJoined = false;
  let retry;
  let typedAt = -Infinity;
  let joining;
  const emit = (type, data) => core.later(() => events.emit(type, data));
  const raise = (error, isKnown = false) => isKnown || events.has("error") ? emit("error", error) : core.report(error);
  const { presence, change, joined } = createPresence(core, name, () => state === "subscribed");
  const leave = () => core.cast({ type: "unsubscribe", channels: [name] });
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
  const deliver = (type, event, at) => core.later(
    () => inbox.add(
      () => [...events.emit(type, event), ...type === "publication" ? events.emit(`event:${event.type}`, event) : []],
      () => void (position = at ?? position)
    )
  );
  const gap = (reason, at) => {
    seen = at;
    deliver("gap", { reason, position: at }, at);
  };
  const publications = (messages, replayed) => messages.forEach((message) => {
    const one = publication(message, replayed);
    seen = one.position ?? seen;
    try {
      deliver("publication", { ...one, data: core.conform("channels", name, one.data, one.type) }, one.position);
    } catch (error) {
      raise(error);
    }
  });
  const settle = (error) => {
    joining?.settle(error);
    joining = void 0;
  };
  const end = (reason, error) => {
    state = "unsubscribed";
    environment2.clearTimeout(retry);
    turn++;
    settle(error);
    emit("unsubscribed", { reason });
  };
  const refuse = (error) => {
    if (error.code === "connection_lost" || error.code === "disconnected") {
    } else if (error.code === "already_subscribed") {
      leave();
      join();
    } else if (error.code === "bad_position" && seen) {
      gap("epoch");
      join();
    } else if (error.retryable) {
      const delay = (error.retryAfter ?? 0) + environment2.random() * Math.min(3e4, 1e3 * 2 ** failures++);
      retry = environment2.setTimeout(() => core.isOnline && state === "subscribing" && join(), delay);
    } else {
      users = 0;
      raise(error, !!joining);
      end(error.message, error);
    }
  };
  const answer = ({ code, recovered, reason, position: at, messages = [], ...rest }) => {
    if (code) {
      return refuse(serverError({ code, ...rest }));
    }
    state = "subscribed";
    failures = 0;
    settle();
    emit("subscribed", { recovered, position: at });
    if (recovered === false || wasJoined && recovered === void 0) {
      gap(reason ?? "offline", at);
    }
    wasJoined = true;
    publications(messages, true);
    seen = at ?? seen;
    deliver(recovered ? "recovered" : "", { count: messages.length }, at);
    joined();
  };
  const channel = {
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
      const { promise } = joining ??= defer();
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
    history: (page2) => history(core, name, page2),
    typing(isTyping = true) {
      const now = environment2.now();
      if (!isTyping || now - typedAt >= TYPING_INTERVAL) {
        typedAt = isTyping ? now : -Infinity;
        core.cast({ type: "typing", channel: name, isTyping });
      }
    },
    [Symbol.asyncIterator]: () => iterate(channel)
  };
  return {
    channel,
    isWanted: () => users > 0,
    seen: () => seen,
    ask() {
      const mine = ++turn;
      state = "subscribing";
      const isLate = () => mine !== turn;
      return {
        request: { channel: name, ...seen && (recover || turn === 1) ? { position: seen } : newest && { history: newest } },
        token,
        answer: (given) => isLate() || answer(given),
        refuse: (error) => isLate() || refuse(error)
      };
    },
    take(message) {
      const { type, reason } = message;
      if (type === "unsubscribed") {
        if (reason && state !== "unsubscribed") {
          users = 0;
          end(reason, new ClientError("forbidden", reason));
        }
      } else if (type === "presence") {
        change(message.data);
        emit("presence", message.data);
      } else if (type === "typing") {
        emit("typing", message);
      } else if (state === "subscribed" && !isBehind) {
        if (type === "unrecovered") {
          gap(reason, message["position"]);
        } else if (inbox.size < INBOX_MAX) {
          publications([message], false);
        } else {
          isBehind = true;
        }
      }
    },
    lost() {
      turn++;
      environment2.clearTimeout(retry);
      if (users > 0) {
        state = "subscribing";
      }
    },
    stopped(error) {
      settle(error);
      state = "unsubscribed";
    }
  };
}

// ../sdk/typescript/src/client/queue.ts
var HOLD = 1e3;
function createQueue({ messagesMax, bytesMax, overflow }, core) {
  const { now, setTimeout: setTimeout2, clearTimeout: clearTimeout2 } = core.environment;
  const calls = /* @__PURE__ */ new Map();
  const outside = /* @__PURE__ */ new Set();
  let bytes = 0;
  let lastId = 0;
  let held;
  const hasRoom = (size) => calls.size < messagesMax && bytes + size <= bytesMax;
  const enter = (call2) => {
    calls.set(call2.id, call2);
    bytes += call2.bytes;
  };
  const leave = (call2) => {
    outside.delete(call2);
    if (calls.delete(call2.id)) {
      bytes -= call2.bytes;
    }
    for (const next of outside) {
      if (!hasRoom(next.bytes)) {
        break;
      }
      outside.delete(next);
      enter(next);
      sendIfOnline();
    }
  };
  const makeRoom = (size) => {
    if (overflow === "dropOldest") {
      for (const call2 of calls.values()) {
        if (!hasRoom(size) && call2.state === "queued") {
          call2.settle(full("newer messages took its place"));
        }
      }
    }
    return hasRoom(size);
  };
  const send = (call2) => {
    if (now() >= call2.expiresAt) {
      late(call2);
    } else {
      call2.state = "sent";
      call2.tried = true;
      core.transmit(call2.frame);
    }
  };
  const flush = () => {
    for (const call2 of calls.values()) {
      if (!held && call2.state === "queued") {
        send(call2);
      }
    }
  };
  const release = () => {
    clearTimeout2(held);
    held = void 0;
  };
  const lose = ({ settle, message }) => settle(new ClientError("connection_lost", `the line ended before ${message.type} was answered`, { retryable: true }));
  const sendIfOnline = () => {
    if (core.isOnline) {
      flush();
    }
  };
  const queue = {
    get size() {
      return calls.size;
    },
    get bytes() {
      return bytes;
    },
    values: () => [...calls.values()],
    add(message, how) {
      const id = ++lastId;
      const { timeout, signal, urgent } = how;
      const frame = core.encode({ ...message, id });
      const size = typeof frame === "string" ? new TextEncoder().encode(frame).length : frame.length;
      const reply = defer();
      const settle = (error, value) => {
        if (call2.state === "delivered" || call2.state === "failed") {
          return;
        }
        clearTimeout2(timer);
        signal?.removeEventListener("abort", abort);
        call2.state = error ? "failed" : "delivered";
        leave(call2);
        if (!error) {
          how.answered?.(value);
        }
        reply.settle(error, value);
      };
      const call2 = { id, message, frame, bytes: size, how, state: "queued", tried: false, expiresAt: now() + timeout, settle };
      const abort = () => settle(new ClientError("aborted", `${message.type} was aborted`, { cause: signal.reason }));
      const timer = setTimeout2(() => late(call2), Math.min(timeout, 2 ** 31 - 1));
      signal?.addEventListener("abort", abort);
      if (signal?.aborted) {
        abort();
      } else if (core.stop) {
        settle(core.stop);
      } else if (size > bytesMax) {
        settle(new ClientError("too_large", `${size} bytes are more than may wait (${bytesMax})`));
      } else if (urgent || hasRoom(size) || makeRoom(size)) {
        enter(call2);
      } else if (overflow === "wait" && outside.size < messagesMax) {
        outside.add(call2);
      } else {
        settle(full("too many messages wait"));
      }
      if (urgent && call2.state === "queued") {
        send(call2);
      }
      sendIfOnline();
      return { call: call2, answer: reply.promise };
    },
    flush,
    answer(message) {
      const call2 = calls.get(message.id);
      const error = message.type === "error" ? serverError(message) : void 0;
      if (error?.code === "shutting_down" && call2?.how.again) {
        release();
        call2.state = "queued";
        held = setTimeout2(() => {
          release();
          sendIfOnline();
        }, error.retryAfter ?? HOLD);
      } else {
        call2?.settle(error, message);
      }
      return !!call2;
    },
    cut(moves) {
      let isAwaited = false;
      release();
      for (const call2 of [...calls.values()]) {
        if (!call2.how.urgent && (call2.state === "queued" || call2.how.again)) {
          call2.state = "queued";
        } else if (moves) {
          call2.isLeft = isAwaited = true;
        } else {
          lose(call2);
        }
      }
      return isAwaited;
    },
    left: (message) => [...calls.values()].forEach((call2) => {
      if (call2.isLeft && (!message || call2.id === message.id)) {
        message ? queue.answer(message) : lose(call2);
      }
    }),
    fail(error, queued) {
      for (const call2 of [...outside, ...calls.values()]) {
        if (!queued || call2.state === "queued") {
          call2.settle(error);
        }
      }
    }
  };
  return queue;
}
function late({ tried, message, how, settle }) {
  settle(
    tried ? new ClientError("timeout", `${message.type} was not answered within ${how.timeout} ms`, { retryable: true }) : new ClientError("expired", `${message.type} could not be sent within ${how.timeout} ms`, { retryable: true })
  );
}
function full(why) {
  return new ClientError("queue_full", `the queue is full: ${why}`, { retryable: true });
}

// ../sdk/typescript/src/client/calls.ts
var REQUEST_TIMEOUT = 1e4;
function addCalls(core, { messagesMax = 1e3, bytesMax = 1 << 20, ageMax = 6e4, overflow = "reject" } = {}) {
  const { client, conform } = core;
  const queue = createQueue({ messagesMax, bytesMax, overflow }, core);
  core.parts.push({ online: queue.flush, unready: queue.cut, left: queue.left, answer: queue.answer, stopped: queue.fail });
  const call2 = (message, { timeout = REQUEST_TIMEOUT, ...how } = {}) => queue.add(message, { timeout, ...how }).answer;
  const calls = {
    async request(type, data, { idempotent, ...how } = {}) {
      return conform("requests", type, (await call2({ type, data }, { ...how, again: !!idempotent })).data);
    },
    send(type, data, { volatile, ttl = ageMax } = {}) {
      if (volatile) {
        return sendNow(type, data, { volatile });
      }
      const { call: call3, answer } = queue.add({ type, data }, { timeout: ttl });
      const delivered = answer;
      return {
        id: call3.id,
        get state() {
          return call3.state;
        },
        delivered
      };
    },
    queue: {
      get size() {
        return queue.size;
      },
      get bytes() {
        return queue.bytes;
      },
      list: () => queue.values().map(({ id, message: { type, channel }, state, bytes }) => ({ id, type, ...channel && { channel }, state, bytes })),
      clear: () => queue.fail(new ClientError("aborted", "the queue was cleared"), true)
    }
  };
  const sendNow = client.send;
  Object.assign(client, calls);
  return Object.assign(core, { ageMax, call: call2 });
}

// ../sdk/typescript/src/codec/codec.ts
var CodecError = class extends Error {
  name = "CodecError";
};

// ../sdk/typescript/src/codec/json.ts
function json() {
  return {
    subprotocol: "openline.v1.json",
    encode(message) {
      const { data } = message;
      try {
        return JSON.stringify(data instanceof Uint8Array ? { ...message, data: toBase64(data), encoding: "base64" } : message);
      } catch (error) {
        throw new CodecError(`the message cannot be written as JSON: ${String(error)}`);
      }
    },
    decode(frame) {
      let message;
      try {
        message = JSON.parse(typeof frame === "string" ? frame : new TextDecoder().decode(frame));
      } catch {
      }
      if (typeof message?.type !== "string") {
        throw new CodecError("a frame is not a JSON object with a `type`");
      }
      return message;
    }
  };
}
function toBase64(bytes) {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

// ../sdk/typescript/src/environment.ts
function environment(replaced = {}) {
  const scope = globalThis;
  return {
    WebSocket: scope.WebSocket,
    fetch: scope.fetch,
    EventSource: scope.EventSource,
    now: () => Date.now(),
    random: () => Math.random(),
    setTimeout: (callback, delay) => setTimeout(callback, delay),
    clearTimeout: (timer) => clearTimeout(timer),
    page: page(scope),
    base: scope.document?.baseURI ?? scope.location?.href,
    reportError: (error) => scope.reportError ? scope.reportError(error) : console.error(error),
    ...replaced
  };
}
function page({ document: document2, addEventListener }) {
  if (!addEventListener) {
    return void 0;
  }
  return {
    listen(handler, signal) {
      const on = (target, type, event, when = (_) => true) => target.addEventListener(type, (e) => when(e) && handler(event), { signal });
      const kept = (e) => e.persisted;
      on(globalThis, "online", "wake");
      on(globalThis, "offline", "doubt");
      on(globalThis, "pagehide", "freeze", kept);
      on(globalThis, "pageshow", "thaw", kept);
      if (document2) {
        on(document2, "visibilitychange", "wake", () => document2.visibilityState === "visible");
      }
    }
  };
}

// ../sdk/typescript/src/transport/websocket.ts
function websocket() {
  return {
    name: "websocket",
    supported: (environment2) => !!environment2.WebSocket,
    open({ url, codec, environment: environment2 }, events) {
      const socket = new environment2.WebSocket(url, [codec.subprotocol]);
      socket.binaryType = "arraybuffer";
      let open = true;
      socket.onopen = () => open && events.onopen();
      socket.onmessage = ({ data }) => open && events.onmessage(typeof data === "string" ? data : new Uint8Array(data));
      socket.onerror = () => {
      };
      socket.onclose = ({ code, reason, wasClean }) => open && (open = false, events.onclose({ code, reason, wasClean }));
      return {
        name: "websocket",
        send: (frame) => {
          if (open && socket.readyState === 1) {
            socket.send(frame);
          }
        },
        close(code, reason) {
          open = false;
          socket.close(code === 1001 ? 1e3 : code, reason);
        },
        get bufferedAmount() {
          return socket.bufferedAmount;
        }
      };
    }
  };
}

// ../sdk/typescript/src/machine/backoff.ts
function backoffDelay({ delayMax, delayLater }, { attempt, open, later, retryAfter }, spread, random) {
  const least = retryAfter ?? (later ? delayLater : void 0);
  return Math.floor(
    least !== void 0 ? least + random * spread : random * (open && attempt === 1 ? spread : Math.min(delayMax, spread / 2 * 2 ** (attempt - 1)))
  );
}

// ../sdk/typescript/src/machine/close-policy.ts
var STOP = [1e3, 1002, 1003, 1007, 1008, 1009, 1010, 4001, 4002, 4005];
var LATER = [1013, 4003, 4004];
function closePolicy(code) {
  return STOP.includes(code) ? "stop" : LATER.includes(code) ? "retry_later" : code === 4e3 ? "new_token" : "retry";
}

// ../sdk/typescript/src/machine/states.ts
var TRANSITIONS = {
  idle: {
    start: ["connecting", ["open_generation", "ask_token"]],
    stop: ["stopped", []]
  },
  connecting: {
    stop: ["stopped", ["abandon"]],
    token: ["connecting", ["open"]],
    welcomed: ["online", ["ready"]],
    challenged: ["authenticating", ["send_auth"]],
    lost: ["waiting", ["abandon", "back_off"]],
    expired: ["connecting", ["abandon", "open_generation", "ask_token"]],
    refused: ["stopped", ["abandon"]],
    frozen: ["waiting", ["abandon", "hold"]]
  },
  authenticating: {
    stop: ["stopped", ["abandon"]],
    authenticated: ["online", ["ready"]],
    lost: ["waiting", ["abandon", "back_off"]],
    expired: ["connecting", ["abandon", "open_generation", "ask_token"]],
    refused: ["stopped", ["abandon"]],
    frozen: ["waiting", ["abandon", "hold"]]
  },
  online: {
    stop: ["stopped", ["unready", "abandon"]],
    token: ["online", ["send_auth"]],
    quiet: ["probing", ["ping"]],
    woken: ["probing", ["ping"]],
    aging: ["online", ["ask_token"]],
    draining: ["moving", ["open_beside", "ask_token"]],
    lost: ["waiting", ["unready", "abandon", "back_off"]],
    expired: ["connecting", ["unready", "abandon", "open_generation", "ask_token"]],
    refused: ["stopped", ["unready", "abandon"]],
    frozen: ["waiting", ["unready", "abandon", "hold"]]
  },
  probing: {
    stop: ["stopped", ["unready", "abandon"]],
    token: ["probing", ["send_auth"]],
    heard: ["online", []],
    woken: ["probing", ["ping"]],
    aging: ["probing", ["ask_token"]],
    lost: ["waiting", ["unready", "abandon", "back_off"]],
    expired: ["connecting", ["unready", "abandon", "open_generation", "ask_token"]],
    refused: ["stopped", ["unready", "abandon"]],
    frozen: ["waiting", ["unready", "abandon", "hold"]]
  },
  moving: {
    stop: ["stopped", ["unready", "abandon"]],
    token: ["moving", ["open"]],
    welcomed: ["online", ["move"]],
    challenged: ["proving", ["send_auth"]],
    missed: ["online", ["drop"]],
    left: ["connecting", ["unready", "adopt"]],
    refused: ["stopped", ["unready", "abandon"]],
    frozen: ["waiting", ["unready", "abandon", "hold"]]
  },
  proving: {
    stop: ["stopped", ["unready", "abandon"]],
    authenticated: ["online", ["move"]],
    missed: ["online", ["drop"]],
    left: ["authenticating", ["unready", "adopt"]],
    refused: ["stopped", ["unready", "abandon"]],
    frozen: ["waiting", ["unready", "abandon", "hold"]]
  },
  waiting: {
    stop: ["stopped", []],
    refused: ["stopped", []],
    due: ["connecting", ["open_generation", "ask_token"]],
    frozen: ["waiting", ["hold"]],
    thawed: ["connecting", ["open_generation", "ask_token"]]
  },
  stopped: {
    start: ["connecting", ["open_generation", "ask_token"]]
  }
};

// ../sdk/typescript/src/machine/machine.ts
var PING_INTERVAL = 25e3;
var ASK_AGAIN = 5e3;
var LATE = 2e3;
var OPEN = ["online", "probing", "moving", "proving"];
var LINGER = 5e3;
function createMachine({
  connectTimeout = 1e4,
  heartbeatInterval,
  heartbeatTimeout = 1e4,
  wakeTimeout = 4e3,
  delayBase = 500,
  delayMax = 3e4,
  delayLater = 3e4,
  stableAfter = 1e4,
  nudgeInterval = 5e3,
  attemptsMax = null
}, random, table = TRANSITIONS) {
  let state = "idle";
  let last = 0;
  let generation = 0;
  let beside = 0;
  let movedAt = -Infinity;
  let endsAt = 0;
  let attempt = 0;
  let effects = [];
  let now = 0;
  const lines = /* @__PURE__ */ new Set();
  let asked = false;
  let given = false;
  let why = "connect";
  let fresh = false;
  let spread = delayBase * 2;
  let interval = 0;
  let retryAfter;
  let firm = false;
  let held = false;
  let nudgedAt = -Infinity;
  let onlineAt = 0;
  let dueAt = null;
  let agingAt = null;
  let probeTimeout = 0;
  let askedTwice = false;
  let changed = false;
  let delay = null;
  let code = 0;
  let reason = "";
  const isLive = () => state === "online" || state === "probing";
  const isOpen = (of = state) => OPEN.includes(of);
  const settle = () => {
    if (isOpen() && now - onlineAt >= stableAfter) {
      attempt = 0;
      fresh = false;
    }
  };
  const act = (name, event) => {
    if (name === "open_generation") {
      generation = ++last;
      retryAfter = void 0;
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
      firm ||= retryAfter !== void 0;
      dueAt = now + delay;
    } else if (name === "hold") {
      held = changed = true;
      dueAt = delay = null;
    } else if (name === "ping") {
      probe(event);
    } else if (name === "abandon") {
      lines.forEach((of) => abandon(of, event === "stop" ? 1e3 : event === "frozen" ? 1001 : 4900));
      beside = 0;
    } else if (name === "open" || name === "send_auth") {
      const of = beside || generation;
      lines.add(of);
      effects.push(name === "open" ? { open: of } : { auth: of });
    } else {
      effects.push({ [name]: generation });
    }
  };
  const abandon = (of, code2) => {
    if (lines.delete(of)) {
      effects.push({ abandon: of, code: code2 });
    }
  };
  const adopt = () => {
    generation = beside;
    beside = 0;
    retryAfter = void 0;
    dueAt = now + connectTimeout;
  };
  const probe = (event) => {
    effects.push({ ping: generation });
    const timeout = event === "quiet" ? heartbeatTimeout : wakeTimeout;
    if (state !== "probing" || now >= dueAt || now + timeout < dueAt) {
      probeTimeout = timeout;
      dueAt = now + timeout;
    }
  };
  const fire = (event, why2, later = false) => {
    const row = table[state][event];
    if (!row) {
      return;
    }
    [code, reason] = why2 ?? [code, reason];
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
  const end = (code2, reason2) => {
    const policy = closePolicy(code2);
    settle();
    let event = policy === "stop" && !(beside && code2 === 4001) ? "refused" : beside ? "left" : "lost";
    if (policy === "new_token" && !beside) {
      why = "expired";
      if (!fresh) {
        fresh = true;
        event = "expired";
      }
    }
    fire(event, [code2, reason2], policy === "retry_later");
  };
  const age = (expiresIn = 0) => {
    agingAt = expiresIn > 0 ? now + Math.max(ASK_AGAIN, Math.floor(expiresIn * 9 / 10)) : null;
  };
  const isDue = (at) => at !== null && now >= at;
  const handle = {
    start: () => fire("start"),
    stop: () => fire("stop", [1e3, "stopped by the application"]),
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
    thaw: (input) => held ? fire("thawed") : handle["wake"](input),
    time() {
      if (isDue(dueAt)) {
        if (state === "waiting") {
          fire("due");
        } else if (state === "online") {
          fire("quiet");
        } else if (beside) {
          const isLate = now - dueAt > LATE;
          fire("missed");
          if (isLate) {
            fire("woken");
          }
        } else if (state !== "probing") {
          fire("lost", [1006, `no answer within ${connectTimeout} ms`]);
        } else if (now - dueAt > LATE && !askedTwice) {
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
          end(input.code === "token_expired" ? 4e3 : 4002, input.reason);
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
      handle["closing"](input);
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
    }
  };
  return {
    get state() {
      return state;
    },
    get generation() {
      return last;
    },
    get deadline() {
      return isLive() && agingAt !== null ? Math.min(agingAt, dueAt) : dueAt;
    },
    handleInput(at, input) {
      now = at;
      effects = [];
      changed = false;
      code = 0;
      let kind = input;
      let concerns = true;
      if (typeof input === "object") {
        const [[name, of]] = Object.entries(input);
        kind = name;
        const isToken = name.startsWith("token");
        const isBeside = beside > 0 && of === beside;
        concerns = isToken ? asked && of === (beside || generation) : lines.has(of) && (isBeside ? name !== "closing" && name !== "drain" : !beside || name.startsWith("clos"));
        if (concerns) {
          asked &&= !isToken;
          const { retrySpread } = input;
          spread = retrySpread > 0 ? retrySpread : spread;
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
          ...state === "waiting" && { delay },
          ...code && { code, reason }
        });
      }
      return effects;
    }
  };
}

// ../sdk/typescript/src/transport/choose.ts
function chooseTransport(factories, environment2) {
  return factories.find((factory) => factory.supported(environment2));
}

// ../sdk/typescript/src/client/address.ts
function endpoint(given, base) {
  const url = socketAddress(given, base, SyntaxError);
  if (url.pathname === "/") {
    url.pathname = "/ws";
  }
  return url.href;
}
function socketAddress(given, base, refusal) {
  let url;
  try {
    url = new URL(given, base);
  } catch {
    throw refusal(`${given} is not a URL like wss://example.com/ws`);
  }
  if (!/^(ws|http)s?:$/.test(url.protocol)) {
    throw refusal(`${given}: the scheme has to be ws, wss, http or https`);
  }
  if (url.href.includes("#")) {
    throw refusal(`${given} has a fragment (#); leave it out`);
  }
  url.protocol = url.protocol.replace("http", "ws");
  return url;
}

// ../sdk/typescript/src/client/line.ts
var TIMER_MAX = 2 ** 31 - 1;
function createLine({ url, auth }, factories, codec, environment2, options, events) {
  const machine = createMachine(options, environment2.random);
  const inputs = [];
  let handling = false;
  const links = /* @__PURE__ */ new Map();
  let current = 0;
  let left = 0;
  let leaving;
  let hadLine = false;
  let token = null;
  let asking;
  let watching;
  let timer;
  let timerAt = 0;
  const fixed = typeof url === "function" ? void 0 : endpoint(url, environment2.base);
  const input = (one) => {
    inputs.push(one);
    if (handling) {
      return;
    }
    handling = true;
    for (let next; next = inputs.shift(); ) {
      for (const effect of machine.handleInput(environment2.now(), next)) {
        const kind = Object.keys(effect)[0];
        perform[kind](effect[kind], effect);
      }
    }
    handling = false;
    arm();
    events.done();
  };
  const arm = () => {
    const { deadline } = machine;
    if (deadline === null || !timer || deadline < timerAt) {
      environment2.clearTimeout(timer);
      timer = void 0;
      if (deadline !== null) {
        timerAt = deadline;
        timer = environment2.setTimeout(
          () => {
            timer = void 0;
            input("time");
          },
          Math.min(TIMER_MAX, Math.max(0, deadline - environment2.now()))
        );
      }
    }
  };
  const forget = (g) => {
    links.delete(g);
    if (g === current) {
      current = [...links.keys()].pop() ?? 0;
    }
  };
  const leave = () => {
    if (left) {
      environment2.clearTimeout(leaving);
      close2(left, 1e3);
      left = 0;
      events.left();
    }
  };
  const close2 = (g, code) => {
    links.get(g)?.transport?.close(code);
    forget(g);
  };
  const ended = (g, code, reason) => {
    if (g === left) {
      leave();
      events.done();
    } else if (links.has(g)) {
      forget(g);
      input({ closed: g, code, reason });
    }
  };
  const fail = (g, code, reason) => {
    links.get(g)?.transport?.close(4900);
    ended(g, code, reason);
  };
  const open = (g, address) => {
    const link = links.get(g);
    if (!link) {
      return;
    }
    const factory = chooseTransport(factories, environment2);
    if (!factory) {
      return fail(g, 1002, "no transport works here: give a class as environment.WebSocket");
    }
    const url2 = hadLine ? `${address}${address.includes("?") ? "&" : "?"}resume=1` : address;
    link.transport = factory.open(
      { url: url2, codec, environment: environment2, ...token !== null && { token }, resume: events.resume() },
      {
        onopen: () => input({ opened: g }),
        onmessage: (frame) => links.has(g) && receive(g, link, frame),
        onclose: ({ code, reason }) => ended(g, code, reason)
      }
    );
  };
  const perform = {
    askToken(g, { why }) {
      asking?.abort();
      if (!auth) {
        return input({ token: g, given: false });
      }
      const { signal } = asking = new AbortController();
      settled(() => auth({ why, signal })).then(
        (given) => {
          if (!signal.aborted) {
            token = given;
            input({ token: g, given: token !== null });
          }
        },
        (error) => {
          const reason = text(error);
          if (!signal.aborted) {
            events.error(new ClientError("auth_failed", `there is no token: ${reason}`, { cause: error }));
          }
          input(error instanceof FatalAuthError ? { tokenRefused: g, reason } : { tokenFailed: g, reason });
        }
      );
    },
    open(g) {
      links.set(g, {});
      current ||= g;
      const failed = (error) => fail(g, 1006, text(error));
      if (typeof url === "function") {
        settled(url).then((address) => open(g, endpoint(address, environment2.base))).catch(failed);
      } else {
        try {
          open(g, fixed);
        } catch (error) {
          failed(error);
        }
      }
    },
    auth: (g) => links.get(g)?.transport?.send(codec.encode({ type: "auth", token })),
    ping: () => send(codec.encode({ type: "ping" })),
    ready: () => events.ready(),
    unready() {
      leave();
      events.unready();
    },
    move(g, { from, linger }) {
      leave();
      left = from;
      current = g;
      leaving = environment2.setTimeout(() => ended(from, 0, ""), events.unready(true) ? linger : 0);
      events.ready();
    },
    abandon: (g, { code }) => close2(g, code),
    status(state, effect) {
      const isOver = state === "stopped";
      if (isOver || state === "waiting") {
        asking?.abort();
      }
      if (isOver) {
        watching?.abort();
        watching = void 0;
      } else if (!watching) {
        watching = new AbortController();
        environment2.page?.listen(input, watching.signal);
      }
      events.status(effect);
    }
  };
  const receive = (g, link, frame) => {
    let message;
    try {
      message = codec.decode(frame);
    } catch (error) {
      if (!link.isWelcome) {
        return refuse(g);
      }
      events.error(new ClientError("bad_message", text(error), { cause: error }));
      return fail(g, 1006, "the server sent what is not a message");
    }
    const { type } = message;
    if (!link.isWelcome && type !== "welcome" && type !== "close") {
      return refuse(g);
    }
    if (type !== "welcome") {
      input({ heard: g, ...type === "pong" && message });
    }
    own[type]?.(g, message, link);
    if (g === current) {
      events.message(message);
    } else if (g === left) {
      events.left(message);
    }
  };
  const refuse = (g) => fail(g, 1002, "this is no Openline server: its first message is not `welcome`");
  const identify = (link, { clientId, user }) => {
    link.who = { clientId, ...user && { user } };
  };
  const own = {
    welcome(g, message, link) {
      link.isWelcome = hadLine = true;
      identify(link, message);
      input({ welcome: g, ...message, ...age(message) });
    },
    auth_success(g, message, link) {
      identify(link, message);
      input({ authenticated: g, ...age(message) });
    },
    auth_failed: (g, message) => input({ authFailed: g, ...message }),
    close: (g, message) => input({ closing: g, ...message }),
    drain: (g, message) => input({ drain: g, ...message })
  };
  const age = ({ expiresAt }) => expiresAt && { expiresIn: expiresAt - environment2.now() };
  const send = (frame) => links.get(current)?.transport?.send(frame);
  return {
    get isOnline() {
      if (machine.deadline !== null && environment2.now() >= machine.deadline) {
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
    send
  };
}
async function settled(give) {
  return give();
}
function text(error) {
  return error instanceof Error ? error.message : String(error);
}

// ../sdk/typescript/src/client/core.ts
var OWN_EVENTS = ["connected", "disconnected", "reconnecting", "maxRetriesReached", "status", "error", "message"];
function createCore(options) {
  const { backoff = {}, heartbeat = {} } = options;
  const { base, max, later: delayLater, attemptsMax } = backoff;
  const environment2 = environment(options.environment);
  const codec = options.codec ?? json();
  const parts = [];
  const told = [];
  const listeners = /* @__PURE__ */ new Set();
  let telling = false;
  let status = { state: "idle", attempt: 0 };
  let wasReady = false;
  let lines = 0;
  let closed = false;
  let connecting;
  let stop;
  const encode = (message) => {
    try {
      return codec.encode(message);
    } catch (error) {
      throw new ClientError("bad_message", String(error), { cause: error });
    }
  };
  const core = {
    environment: environment2,
    auth: options.auth,
    parts,
    resume: () => /* @__PURE__ */ new Map(),
    conform: options.contract?.conform ?? ((_, __, data) => data),
    tell: () => tell(),
    get isOnline() {
      return line.isOnline;
    },
    get stop() {
      return stop;
    },
    encode,
    transmit: (frame) => line.send(frame),
    cast(message) {
      const { isOnline } = line;
      if (isOnline) {
        line.send(encode(message));
      }
      return isOnline;
    },
    later: (tell2) => void told.push(tell2),
    report: (error) => core.later(() => events.has("error") ? events.emit("error", error) : environment2.reportError(error)),
    handlerFailed(error, type) {
      if (type === "error") {
        environment2.reportError(error);
      } else {
        core.report(new ClientError("handler", `a handler of "${type}" threw: ${String(error)}`, { cause: error }));
        tell();
      }
    },
    client: void 0
  };
  const events = createEvents(core.handlerFailed);
  const failed = (error) => error instanceof ClientError ? core.report(error) : core.handlerFailed(error, "status");
  const tell = () => {
    if (!telling) {
      telling = true;
      for (let one; one = told.shift(); ) {
        try {
          one();
        } catch (error) {
          failed(error);
        }
      }
      telling = false;
    }
  };
  const tellParts = (what) => parts.forEach((part) => part[what]?.(stop));
  const emit = (type, data) => core.later(() => events.emit(type, data));
  const line = createLine({ url: options.url, auth: options.auth }, options.transports ?? [websocket()], codec, environment2, {
    connectTimeout: options.connectTimeout,
    heartbeatInterval: heartbeat.interval,
    heartbeatTimeout: heartbeat.timeout,
    delayBase: base,
    delayMax: max,
    delayLater,
    attemptsMax
  }, {
    done: tell,
    error: core.report,
    resume: () => core.resume(),
    ready() {
      wasReady = true;
      tellParts("ready");
      emit("connected", { ...line.who, reconnected: lines++ > 0 });
    },
    unready: (moves) => parts.map((part) => part.unready?.(moves)).includes(true),
    left: (answer) => parts.forEach((part) => part.left?.(answer)),
    status({ status: state, ...rest }) {
      const { attempt, delay, code, reason } = rest;
      const isStopped = state === "stopped";
      const next = {
        state,
        ...rest,
        ...delay != null && { retryAt: environment2.now() + delay },
        ...line.who,
        ...line.transport && { transport: line.transport.name }
      };
      status = next;
      core.later(() => {
        listeners.forEach((listener) => core.later(() => listener(next)));
        events.emit("status", next);
      });
      if (wasReady ? state !== "online" && state !== "probing" : isStopped) {
        wasReady = false;
        emit("disconnected", { code, reason, willRetry: !isStopped });
      }
      if (state === "online") {
        tellParts("online");
        stop = void 0;
        connecting?.settle();
        connecting = void 0;
      } else if (state === "waiting") {
        emit("reconnecting", { attempt, delay });
      } else if (isStopped) {
        stop = new ClientError(code === 1e3 ? "disconnected" : "stopped", `the client has stopped: ${reason}`);
        tellParts("stopped");
        connecting?.settle(stop);
        connecting = void 0;
        if (reason === `gave up after ${attempt} attempts`) {
          emit("maxRetriesReached", { attempts: attempt });
        }
      }
    },
    message(message) {
      if (message.id !== void 0 && parts.some((part) => part.answer?.(message))) {
      } else if (String(message.id).startsWith("s-")) {
        core.later(() => serve(message));
      } else if (message.type === "error" && message["upload"] === void 0) {
        core.report(serverError(message));
      } else if (!parts.some((part) => part.message?.(message))) {
        const type = message.type === "error" ? "chunk" : message.type;
        if (!OWN_EVENTS.includes(type)) {
          core.later(() => events.emit(type, core.conform("events", type, message.data), message));
        }
      }
      core.later(() => events.emit("message", message));
      tell();
    }
  });
  const serve = async (message) => {
    const { type, id } = message;
    try {
      const handler = events.first(type);
      if (!handler) {
        throw new ClientError("unknown_type", `nothing here answers to ${type}`);
      }
      core.cast({ type, id, data: await handler(message.data, message) });
    } catch (error) {
      const { code = "rejected", message: text2 } = error;
      core.cast({ type: "error", id, code, error: text2, message: text2 });
    }
  };
  core.client = {
    async connect({ signal } = {}) {
      if (closed) {
        throw stop;
      }
      if (status.state === "online" || status.state === "probing") {
        return;
      }
      stop = void 0;
      const { promise } = connecting ??= defer();
      line.input("start");
      await (signal ? Promise.race([promise, aborted(signal)]) : promise);
    },
    disconnect: () => line.input("stop"),
    close() {
      line.input("stop");
      closed = true;
      stop ??= new ClientError("disconnected", "the client is closed");
      events.clear();
      listeners.clear();
    },
    [Symbol.dispose]: () => core.client.close(),
    get status() {
      return status;
    },
    subscribeStatus(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    on: events.on,
    once: events.once,
    off: events.off,
    send(type, data) {
      const { promise: delivered, settle } = defer();
      const isSent = core.cast({ type, data });
      settle(isSent ? void 0 : offline());
      return { id: 0, state: isSent ? "delivered" : "failed", delivered };
    },
    sendFrame(frame) {
      const { isOnline } = line;
      if (isOnline) {
        line.send(frame);
      }
      return isOnline;
    },
    get bufferedAmount() {
      return line.transport?.bufferedAmount ?? 0;
    }
  };
  return core;
}
function offline() {
  return new ClientError("disconnected", "the line is not open, and this does not wait for it", { retryable: true });
}
function aborted(signal) {
  return new Promise((_, reject) => {
    const abort = () => reject(new ClientError("aborted", "connect was aborted", { cause: signal.reason }));
    if (signal.aborted) {
      abort();
    }
    signal.addEventListener("abort", abort, { once: true });
  });
}

// ../sdk/typescript/src/client/publish.ts
function createPublish(core) {
  const keyOf = createKeys(core.environment);
  return async (channel, data, { key = keyOf(), volatile, ttl = core.ageMax, timeout = ttl, signal, ...options } = {}) => {
    if (volatile && !core.isOnline) {
      throw offline();
    }
    const { type, id, ...published } = await core.call(
      { type: "publish", channel, data, key, ...options, ...volatile && { volatile } },
      { timeout, signal, again: !volatile, urgent: !!volatile }
    );
    return published;
  };
}
function createKeys({ random }) {
  const part = () => random().toString(36).slice(2, 13);
  let prefix = "";
  let last = 0;
  return () => (prefix ||= part() + part() + "-") + (++last).toString(36);
}

// ../sdk/typescript/src/codec/message-pack.ts
var DEPTH_MAX = 40;
function encodeMessagePack(value) {
  const writer = new Writer();
  writer.write(value, 0);
  return writer.bytes.slice(0, writer.length);
}
var Writer = class {
  bytes = new Uint8Array(256);
  length = 0;
  #view = new DataView(this.bytes.buffer);
  #utf8 = new TextEncoder();
  write(value, depth) {
    if (value === null || isLeftOut(value)) {
      this.#put(1, 192);
    } else if (typeof value === "boolean") {
      this.#put(1, value ? 195 : 194);
    } else if (typeof value === "string") {
      const text2 = this.#utf8.encode(value);
      this.#head(text2.length, 160, 31, 217);
      this.#raw(text2);
    } else if (typeof value === "number") {
      this.#number(value);
    } else if (typeof value === "bigint") {
      this.#bigint(value);
    } else {
      this.#object(value, depth);
    }
  }
  #number(value) {
    if (!Number.isFinite(value)) {
      throw new CodecError(`${value} cannot be sent; use null or a text`);
    }
    if (!Number.isSafeInteger(value)) {
      this.#put(9, 203);
      this.#view.setFloat64(this.length - 8, value);
    } else if (value >= -32 && value < 128) {
      this.#put(1, value & 255);
    } else if (value >= -2147483648 && value <= 4294967295) {
      this.#put(5, value < 0 ? 210 : 206);
      this.#view.setUint32(this.length - 4, value);
    } else {
      this.#bigint(BigInt(value));
    }
  }
  #bigint(value) {
    const bits = BigInt.asUintN(64, value);
    if (bits !== value && BigInt.asIntN(64, value) !== value) {
      throw new CodecError("a whole number has more than 64 bits; send it as text");
    }
    this.#put(9, value < 0n ? 211 : 207);
    this.#view.setBigUint64(this.length - 8, bits);
  }
  #object(value, depth) {
    if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) {
      const bytes = ArrayBuffer.isView(value) ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : new Uint8Array(value);
      this.#head(bytes.length, 0, -1, 196);
      this.#raw(bytes);
      return;
    }
    if (depth === DEPTH_MAX) {
      throw new CodecError(`a value is nested more than ${DEPTH_MAX} deep, perhaps in itself`);
    }
    const { toJSON } = value;
    if (typeof toJSON === "function") {
      this.write(toJSON.call(value), depth + 1);
    } else if (Array.isArray(value)) {
      this.#head(value.length, 144, 15, 219);
      for (const element of value) {
        this.write(element, depth + 1);
      }
    } else {
      const fields = Object.entries(value).filter(([, field]) => !isLeftOut(field));
      this.#head(fields.length, 128, 15, 221);
      for (const [name, field] of fields) {
        this.write(name, depth + 1);
        this.write(field, depth + 1);
      }
    }
  }
  /**
   * How long something is: in its first byte, or behind it. `wide` is the first byte for a length of 8 bits,
   * which lists and maps do not have; those for 16 and 32 bits follow it.
   */
  #head(length, short, shortMax, wide) {
    if (length <= shortMax) {
      this.#put(1, short | length);
    } else if (length < 256 && wide < 219) {
      this.#put(2, wide);
      this.#view.setUint8(this.length - 1, length);
    } else if (length < 65536) {
      this.#put(3, wide + 1);
      this.#view.setUint16(this.length - 2, length);
    } else {
      this.#put(5, wide + 2);
      this.#view.setUint32(this.length - 4, length);
    }
  }
  #raw(bytes) {
    const start = this.#put(bytes.length);
    this.bytes.set(bytes, start);
  }
  /** Makes room for so many bytes, the first of which may be given; returns where they begin. */
  #put(count, first = 0) {
    const start = this.length;
    this.length += count;
    if (this.length > this.bytes.length) {
      const { bytes } = this;
      this.bytes = new Uint8Array(2 * this.length);
      this.bytes.set(bytes);
      this.#view = new DataView(this.bytes.buffer);
    }
    this.bytes[start] = first;
    return start;
  }
};
function isLeftOut(value) {
  return value === void 0 || typeof value === "function" || typeof value === "symbol";
}

// ../sdk/typescript/src/transfer/source.ts
function source(from) {
  if (from instanceof Blob) {
    return seekable(from.size, async (start, end) => new Uint8Array(await from.slice(start, end).arrayBuffer()));
  }
  if (from instanceof ArrayBuffer || ArrayBuffer.isView(from)) {
    const bytes = from instanceof ArrayBuffer ? new Uint8Array(from) : from;
    return seekable(bytes.length, async (start, end) => bytes.subarray(start, end));
  }
  return new Once("getReader" in from ? pieces(from) : from[Symbol.asyncIterator]());
}
function seekable(size, slice) {
  return { size, read: (offset, length) => slice(offset, offset + length), release() {
  }, cancel() {
  } };
}
var Once = class {
  size = void 0;
  #pieces;
  #kept = [];
  /** Where the kept ones begin and end. */
  #start = 0;
  #end = 0;
  #released = 0;
  constructor(pieces2) {
    this.#pieces = pieces2;
  }
  async read(offset, length) {
    if (offset < this.#start) {
      throw new ClientError("not_seekable", `the server asks for bytes from ${offset} on, and a stream is kept from ${this.#start} on; upload it anew`);
    }
    while (this.#end < offset + length) {
      const { value, done } = await this.#pieces.next();
      if (done) {
        break;
      }
      if (!(value instanceof Uint8Array)) {
        throw new ClientError("bad_message", "the source of an upload gave something else than a Uint8Array");
      }
      this.#kept.push(value);
      this.#end += value.length;
      this.release(this.#released);
    }
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.#end - offset)));
    let at = this.#start - offset;
    for (const piece of this.#kept) {
      const from = Math.max(0, -at);
      if (at < bytes.length && from < piece.length) {
        bytes.set(piece.subarray(from, Math.min(piece.length, bytes.length - at)), Math.max(0, at));
      }
      at += piece.length;
    }
    return bytes;
  }
  release(offset) {
    this.#released = offset;
    while (this.#kept.length && this.#start + this.#kept[0].length <= offset) {
      this.#start += this.#kept.shift().length;
    }
  }
  cancel() {
    this.#kept = [];
    Promise.resolve(this.#pieces.return?.()).catch(() => {
    });
  }
};
function pieces(stream) {
  const reader = stream.getReader();
  return {
    next: () => reader.read(),
    async return() {
      await reader.cancel();
      return { value: void 0, done: true };
    }
  };
}

// ../sdk/typescript/src/transfer/upload.ts
var BUFFERED_MAX = 1 << 20;
var BUFFERED_INTERVAL = 50;
var ANSWER_TIMEOUT = 3e4;
var DISTURBANCES_MAX = 8;
var DISTURBANCE_DELAY = 500;
function upload(client, from, options = {}) {
  return new Sending(client, from, options);
}
var Sending = class {
  done;
  #client;
  #options;
  #source;
  #what;
  #size;
  #abort = new AbortController();
  #begun;
  #sent = 0;
  #acked = 0;
  #isPaused = false;
  #isDone = false;
  /** Whether what was sent may be lost, or was refused: the server is asked how far it is. */
  #isDisturbed = false;
  /** The line that chunks went out on. */
  #line;
  #waiting = [];
  constructor(client, from, options) {
    this.#client = client;
    this.#options = options;
    this.#source = source(from);
    this.#size = this.#source.size ?? options.size;
    const { name, type } = from;
    this.#what = {
      name: options.name ?? (name || "upload"),
      contentType: options.contentType ?? (type || void 0),
      size: this.#size,
      key: options.key ?? randomKey()
    };
    const stop = [client.on("chunk", (_, message) => this.#hear(message)), client.subscribeStatus(() => this.#look())];
    const { signal } = options;
    const cancel = () => this.cancel();
    signal?.addEventListener("abort", cancel);
    if (signal?.aborted) {
      this.#abort.abort();
    }
    this.done = this.#run().finally(() => {
      this.#isDone = true;
      stop.forEach((end) => end());
      signal?.removeEventListener("abort", cancel);
      this.#source.cancel();
      this.#wake();
    });
    this.done.catch(() => {
    });
  }
  get progress() {
    return { sent: this.#sent, acked: this.#acked, size: this.#size };
  }
  pause() {
    this.#isPaused = true;
  }
  resume() {
    this.#isPaused = false;
    this.#wake();
  }
  cancel() {
    if (this.#isDone || this.#abort.signal.aborted) {
      return;
    }
    this.#abort.abort();
    this.#wake();
    if (this.#begun) {
      this.#client.request("cancel", { upload: this.#begun.upload }, { idempotent: true }).catch(() => {
      });
    }
  }
  async *[Symbol.asyncIterator]() {
    let last;
    for (; ; ) {
      const { progress } = this;
      if (!last || progress.sent !== last.sent || progress.acked !== last.acked) {
        last = progress;
        yield progress;
      } else if (this.#isDone) {
        await this.done;
        return;
      } else {
        await this.#change();
      }
    }
  }
  async #run() {
    let about = this.#what;
    let before = 0;
    for (let disturbances = 0; ; ) {
      try {
        await this.#until(() => this.#isOnline || this.#client.status.state === "stopped");
        this.#abort.signal.throwIfAborted();
        if (!this.#isOnline) {
          throw new ClientError("stopped", "the client has stopped; with the same key the upload can go on");
        }
        this.#begun = await this.#ask("upload", about);
        this.#isDisturbed = false;
        this.#line = this.#client.status.clientId;
        const { upload: upload2, offset } = this.#begun;
        about = { upload: upload2 };
        this.#sent = this.#acked = offset;
        this.#source.release(offset);
        await this.#send(this.#begun);
        return await this.#ask("complete", { upload: upload2, sha256: this.#options.sha256 });
      } catch (error) {
        if (this.#abort.signal.aborted) {
          throw new ClientError("aborted", "the upload was cancelled");
        }
        disturbances = this.#acked > before ? 0 : disturbances + 1;
        before = this.#acked;
        if (!isPassing(error) || disturbances > DISTURBANCES_MAX) {
          throw error;
        }
        const { retryAfter = DISTURBANCE_DELAY * disturbances } = error;
        await this.#until(() => false, retryAfter);
      }
    }
  }
  /** Sends what is not there yet, until the server has stored it. Throws when that has to begin anew. */
  async #send({ upload: upload2, chunkMax, window: window2 }) {
    for (; ; ) {
      const isBinary = this.#client.status.transport === "websocket";
      const length = Math.min(chunkMax, window2, isBinary ? Math.max(1, this.#options.chunkSize ?? 65536) : chunkMax);
      await this.#room(window2 - length);
      const data = await this.#source.read(this.#sent, length);
      this.#check();
      if (!data.length) {
        break;
      }
      const chunk = { type: "chunk", upload: upload2, offset: this.#sent, data };
      if (!this.#client.sendFrame(isBinary ? encodeMessagePack(chunk) : json().encode(chunk))) {
        throw lost();
      }
      this.#sent += data.length;
      this.#tell();
    }
    await this.#acknowledged(() => this.#acked >= this.#sent);
  }
  /** Waits until so many bytes at most are under way, the line has room, and nobody has paused. */
  async #room(underWay) {
    await this.#acknowledged(() => this.#sent - this.#acked <= underWay);
    while (this.#client.bufferedAmount > BUFFERED_MAX) {
      await this.#until(() => this.#isDisturbed, BUFFERED_INTERVAL);
      this.#check();
    }
    await this.#until(() => !this.#isPaused || this.#isDisturbed);
    this.#check();
  }
  /** Waits for acknowledgements, as long as they come. */
  async #acknowledged(isEnough) {
    while (!isEnough()) {
      const acked = this.#acked;
      await this.#until(() => this.#acked > acked || this.#isDisturbed, ANSWER_TIMEOUT);
      this.#check();
      if (this.#acked === acked) {
        throw new ClientError("timeout", `the server acknowledged nothing for ${ANSWER_TIMEOUT / 1e3} s`, { retryable: true });
      }
    }
  }
  #check() {
    this.#abort.signal.throwIfAborted();
    if (this.#isDisturbed) {
      throw lost();
    }
  }
  #ask(type, data) {
    return this.#client.request(type, data, { idempotent: true, timeout: ANSWER_TIMEOUT, signal: this.#abort.signal });
  }
  /** An acknowledgement, or an error about a chunk. */
  #hear(message) {
    if (!this.#begun || message["upload"] !== this.#begun.upload) {
      return;
    }
    if (message.type === "error") {
      this.#isDisturbed = true;
    } else if (message["offset"] > this.#acked) {
      this.#acked = Math.min(message["offset"], this.#sent);
      this.#source.release(this.#acked);
      this.#tell();
    }
    this.#wake();
  }
  #look() {
    this.#isDisturbed ||= !this.#isOnline || this.#client.status.clientId !== this.#line;
    this.#wake();
  }
  get #isOnline() {
    const { state } = this.#client.status;
    return state === "online" || state === "probing";
  }
  #tell() {
    this.#wake();
    this.#options.onprogress?.(this.progress);
  }
  /** Waits until it is so, the upload is cancelled, or so many milliseconds have passed. */
  async #until(isSo, timeout) {
    let isOver = false;
    const timer = timeout === void 0 ? void 0 : setTimeout(() => (isOver = true, this.#wake()), timeout);
    while (!this.#abort.signal.aborted && !isOver && !isSo()) {
      await this.#change();
    }
    clearTimeout(timer);
  }
  #change() {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
  #wake() {
    this.#waiting.splice(0).forEach((resolve) => resolve());
  }
};
function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
function lost() {
  return new ClientError("connection_lost", "the line was lost in the middle of an upload", { retryable: true });
}
function isPassing(error) {
  const { code, retryable } = error;
  return retryable || ["bad_offset", "incomplete", "connection_lost", "timeout"].includes(code);
}

// ../sdk/typescript/src/websocket/events.ts
var ReconnectingEvent = class extends Event {
  /** The number of the attempt to come, from 1; a line that lasts 10 s sets it back. */
  attempt;
  /** Milliseconds until the attempt; null while the page is put away, for then it is made when it is back. */
  delay;
  /** How the line ended: the server's close code, 1005 without one, 1006 if it broke off or never opened. */
  code;
  /** The server's reason, or a sentence of ours where there was no close. */
  reason;
  constructor(init) {
    super("reconnecting");
    this.attempt = init.attempt;
    this.delay = init.delay;
    this.code = init.code;
    this.reason = init.reason;
  }
};
var MaxRetriesReachedEvent = class extends Event {
  /** How many failed. */
  attempts;
  constructor(attempts) {
    super("maxretriesreached");
    this.attempts = attempts;
  }
};
function closeEvent(ending) {
  if (typeof CloseEvent !== "undefined") return new CloseEvent("close", ending);
  const { code, reason, wasClean } = ending;
  return Object.assign(new Event("close"), { code, reason, wasClean });
}
var HandlerAttributes = class {
  #target;
  #handlers = /* @__PURE__ */ new Map();
  constructor(target) {
    this.#target = target;
  }
  /** What was set, or null. */
  value(type) {
    return this.#handlers.get(type)?.value ?? null;
  }
  /** Sets it: its place among the listeners is that of the first object after null. */
  set(type, value) {
    const present = this.#handlers.get(type);
    if (!isObject(value)) {
      if (present) this.#target.removeEventListener(type, present.listener);
      this.#handlers.delete(type);
    } else if (present) {
      present.value = value;
    } else {
      const handler = { value, listener: (event) => call(handler.value, this.#target, event) };
      this.#handlers.set(type, handler);
      this.#target.addEventListener(type, handler.listener);
    }
  }
};
function call(handler, target, event) {
  if (typeof handler === "function") handler.call(target, event);
}
function isObject(value) {
  return typeof value === "function" || typeof value === "object" && value !== null;
}

// ../sdk/typescript/src/websocket/arguments.ts
var TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
var REASON_BYTES_MAX = 123;
var encoder = new TextEncoder();
function parseAddress(address, base) {
  const url = socketAddress(String(address), base, syntaxError);
  if (url.hostname.includes("%")) throw syntaxError(`"${url.hostname}" cannot be the name of a host`);
  return url.href;
}
function parseProtocols(protocols) {
  const list = typeof protocols === "string" ? [protocols] : Array.from(protocols, String);
  const seen = /* @__PURE__ */ new Set();
  for (const protocol of list) {
    if (!TOKEN.test(protocol)) throw syntaxError(`"${protocol}" cannot be the name of a subprotocol: use letters, digits and .-_`);
    const name = protocol.toLowerCase();
    if (seen.has(name)) throw syntaxError(`the subprotocol "${protocol}" is named twice: name it once, in whatever case`);
    seen.add(name);
  }
  return list;
}
function parseCloseCode(code) {
  if (code === void 0) return void 0;
  const clamped = clamp(Number(code));
  if (clamped !== 1e3 && (clamped < 3e3 || clamped > 4999)) {
    throw new DOMException(`the close code is ${clamped}, and has to be 1000 or from 3000 to 4999`, "InvalidAccessError");
  }
  return clamped;
}
function parseCloseReason(reason) {
  if (reason === void 0) return void 0;
  const text2 = `${reason}`;
  const bytes = textBytes(text2);
  if (bytes > REASON_BYTES_MAX) {
    throw syntaxError(`the reason has ${bytes} bytes of UTF-8, and may have ${REASON_BYTES_MAX} at most`);
  }
  return text2;
}
function parsePayload(given) {
  return isBuffer(given) || ArrayBuffer.isView(given) || isBlob(given) ? given : `${given}`;
}
function payloadBytes(payload) {
  if (typeof payload === "string") return textBytes(payload);
  return isBlob(payload) ? payload.size : payload.byteLength;
}
function copyPayload(payload) {
  if (isBuffer(payload)) return payload.slice(0);
  if (!ArrayBuffer.isView(payload)) return payload;
  return new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength).slice();
}
function textBytes(text2) {
  return encoder.encode(text2).byteLength;
}
function isBuffer(value) {
  return Object.prototype.toString.call(value) === "[object ArrayBuffer]";
}
function isBlob(value) {
  return typeof Blob !== "undefined" && value instanceof Blob;
}
function clamp(value) {
  if (Number.isNaN(value)) return 0;
  const bounded = Math.min(Math.max(value, 0), 65535);
  const below = Math.floor(bounded);
  const above = bounded - below;
  return above < 0.5 || above === 0.5 && below % 2 === 0 ? below : below + 1;
}
function syntaxError(message) {
  return new DOMException(message, "SyntaxError");
}

// ../sdk/typescript/src/websocket/heartbeat.ts
var PING = {
  message: '{"type":"ping"}',
  isReply: (data) => parsed(data)?.["type"] === "pong"
};
var PACKED_PING = {
  message: new Uint8Array([129, 164, 116, 121, 112, 101, 164, 112, 105, 110, 103])
};
var LOOKED_AT_MAX = 4096;
var Heartbeat = class {
  #always;
  #never;
  #present;
  #isFirst = true;
  /** Whether the server speaks Openline's protocol, so that its hints are heeded. */
  #isOpenline = false;
  /** What was asked and not answered yet. */
  #asked;
  constructor({ heartbeat, heartbeatInterval, heartbeatTimeout }) {
    this.#never = heartbeat === false;
    if (typeof heartbeat === "object") this.#always = heartbeat;
    else if (heartbeat === true || heartbeatInterval !== void 0 || heartbeatTimeout !== void 0) this.#always = PING;
  }
  /** A line was opened. */
  handleOpen(protocol) {
    this.#isFirst = true;
    this.#asked = void 0;
    this.#isOpenline = protocol.startsWith("openline.");
    this.#present = this.#always;
    if (this.#isOpenline) this.#present ??= PING;
    if (this.#present === PING && protocol === "openline.v1.msgpack") this.#present = PACKED_PING;
  }
  /** A message came. */
  handleMessage(data) {
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    const isReply = this.#isReply(data);
    if (isReply) this.#asked = void 0;
    const isClose = this.#isOpenline && typeof data === "string" && data.startsWith('{"type":"close"');
    const said = isFirst || isReply || isClose ? parsed(data) : void 0;
    if (isFirst && said?.["type"] === "welcome") {
      this.#isOpenline = true;
      this.#present ??= PING;
    }
    if (!this.#isOpenline || said === void 0) return { isReply };
    const { retrySpread, retryAfter } = said;
    return { isReply, ...isTime(retrySpread) && { retrySpread }, ...isClose && isTime(retryAfter) && { retryAfter } };
  }
  /** What to send for a sign of life; undefined where nothing may be sent. */
  ask() {
    if (this.#never || this.#present === void 0) return void 0;
    const { message } = this.#present;
    this.#asked = typeof message === "function" ? message() : message;
    return this.#asked;
  }
  #isReply(data) {
    if (this.#asked === void 0) return false;
    return data === this.#asked || this.#present?.isReply?.(data) === true;
  }
};
function isTime(value) {
  return typeof value === "number" && value >= 0;
}
function parsed(data) {
  if (typeof data !== "string" || data.length > LOOKED_AT_MAX) return void 0;
  try {
    const value = JSON.parse(data);
    return typeof value === "object" && value !== null ? value : void 0;
  } catch {
    return void 0;
  }
}

// ../sdk/typescript/src/websocket/lines.ts
var BROKEN = { code: 1006, reason: "", wasClean: false };
var LINED = /* @__PURE__ */ new Set(["connecting", "authenticating", "online", "probing"]);
var CONNECTING = 0;
var OPEN2 = 1;
var TIMER_MAX2 = 2 ** 31 - 1;
var Lines = class {
  /** The address that was used last. */
  url;
  #address;
  #protocols;
  #options;
  #surroundings;
  #events;
  #machine;
  #heartbeat;
  #inbox = [];
  #isHandling = false;
  #isLive = false;
  #state = "idle";
  #attempt = 0;
  /** The socket of the present line or attempt. */
  #line;
  /** The one that `close` ended, until it says so itself. */
  #closing;
  #binaryType = "blob";
  /** How the last line ended, whether it failed, and what it had not sent. */
  #ending = BROKEN;
  #failed = true;
  #unsent = 0;
  #timer;
  #timerDue = Infinity;
  #page;
  constructor(address, protocols, options, surroundings, events) {
    this.url = typeof address === "string" ? address : "";
    this.#address = address;
    this.#protocols = protocols;
    this.#options = options;
    this.#surroundings = surroundings;
    this.#events = events;
    this.#heartbeat = new Heartbeat(options);
    this.#machine = makeMachine(options, surroundings);
  }
  /** The socket that speaks for them all. */
  get line() {
    return this.#line ?? this.#closing;
  }
  /** What the line has not sent yet; of one that broke, nothing, unless it was the last. */
  get bufferedAmount() {
    return this.line?.bufferedAmount ?? (this.#isLive ? 0 : this.#unsent);
  }
  set binaryType(type) {
    this.#binaryType = type;
    if (this.#line) this.#line.binaryType = type;
  }
  /** Opens the first line. Throws what the class of sockets throws where the address is known at once. */
  start() {
    this.#enqueue(() => this.#begin(true));
  }
  /** Ends the line, or the attempts. `ended` follows in a later task, and nothing else. */
  close(code, reason) {
    const line = this.#line;
    this.#release();
    if (line === void 0 || line.readyState === CONNECTING) {
      this.#handle("stop");
      this.#surroundings.setTimeout(() => this.#events.ended(BROKEN, true), 0);
      return;
    }
    this.#line = void 0;
    this.#closing = line;
    listen(line, {
      onclose: (event) => {
        this.#leave(line, event, false);
        this.#events.ended(this.#ending, this.#failed);
      }
    });
    close(line, code, reason);
    this.#handle("stop");
  }
  /** Drops the line if there is one, and opens another now. */
  restart() {
    this.#enqueue(() => {
      this.#release();
      this.#feed("stop");
      this.#begin(false);
    });
  }
  /** Whether an open line took the payload. */
  send(payload) {
    if (this.#line?.readyState !== OPEN2) return false;
    this.#line.send(payload);
    return true;
  }
  #begin(isFirst) {
    this.#isLive = true;
    if (this.#reconnects && this.#surroundings.page) {
      this.#page = new AbortController();
      this.#surroundings.page.listen((event) => this.#handle(event), this.#page.signal);
    }
    this.#feed("start", isFirst);
  }
  get #reconnects() {
    return this.#options.reconnect !== false;
  }
  #handle(input) {
    this.#enqueue(() => this.#feed(input));
  }
  /** One thing after the other, each to its end: the application that is called from here may call back. */
  #enqueue(act) {
    this.#inbox.push(act);
    if (this.#isHandling) return;
    this.#isHandling = true;
    try {
      for (let next = this.#inbox.shift(); next !== void 0; next = this.#inbox.shift()) next();
    } finally {
      this.#inbox.length = 0;
      this.#isHandling = false;
    }
    this.#setTimer();
  }
  #feed(input, isFirst = false) {
    for (const effect of this.#machine.handleInput(this.#surroundings.now(), input)) this.#act(effect, isFirst);
  }
  #act(effect, isFirst) {
    if ("askToken" in effect) this.#ask(effect.askToken, effect.why === "expired" ? "expired" : "connect", isFirst);
    else if ("open" in effect) this.#open(effect.open, isFirst);
    else if ("ping" in effect) this.#ping(effect.ping);
    else if ("abandon" in effect) this.#abandon(effect.code);
    else if ("status" in effect) this.#tell(effect);
  }
  #ask(generation, why, isFirst) {
    const address = this.#address;
    const given = { token: generation, given: false };
    if (typeof address === "string") {
      this.#enqueue(() => this.#feed(given, isFirst));
      return;
    }
    Promise.resolve({ attempt: this.#attempt, why }).then(address).then((url) => parseAddress(url, this.#surroundings.base)).then(
      (url) => {
        if (generation === this.#machine.generation) this.url = url;
        this.#handle(given);
      },
      (error) => this.#handle({ tokenFailed: generation, reason: messageOf(error) })
    );
  }
  #open(generation, isFirst) {
    let line;
    try {
      line = new this.#surroundings.WebSocket(this.url, this.#protocols);
    } catch (error) {
      if (isFirst) {
        this.#release();
        throw error;
      }
      this.#handle({ closed: generation, code: BROKEN.code, reason: messageOf(error) });
      return;
    }
    this.#line = line;
    line.binaryType = this.#binaryType;
    let errored = false;
    listen(line, {
      onopen: () => {
        this.#heartbeat.handleOpen(line.protocol);
        this.#handle({ opened: generation });
        this.#handle({ welcome: generation, authenticated: true });
      },
      onmessage: (event) => {
        const { isReply, retryAfter, ...spread } = this.#heartbeat.handleMessage(event.data);
        this.#handle({ heard: generation, ...spread });
        if (retryAfter !== void 0) this.#handle({ closing: generation, retryAfter });
        if (!isReply && this.#line === line) this.#events.message(event);
      },
      onerror: () => {
        errored = true;
      },
      onclose: (event) => {
        this.#leave(line, event, errored);
        if (this.#reconnects) this.#handle({ closed: generation, code: event.code, reason: event.reason });
        else this.#finish();
      }
    });
  }
  /** The line has ended by itself. */
  #leave(line, { code, reason, wasClean }, errored) {
    listen(line, {});
    this.#line = void 0;
    this.#closing = void 0;
    this.#ending = { code, reason, wasClean };
    this.#failed = errored || code === BROKEN.code;
    this.#unsent = line.bufferedAmount;
  }
  #ping(generation) {
    let message;
    try {
      message = this.#heartbeat.ask();
    } catch (error) {
      this.#surroundings.reportError(error);
    }
    if (message === void 0) this.#handle({ heard: generation });
    else this.#line?.send(message);
  }
  #abandon(code) {
    const line = this.#line;
    if (line === void 0) return;
    listen(line, {});
    this.#line = void 0;
    this.#ending = BROKEN;
    this.#failed = true;
    this.#unsent = line.bufferedAmount;
    close(line, code === 1001 ? 1e3 : code);
  }
  #tell(status) {
    const before = this.#state;
    this.#state = status.status;
    this.#attempt = status.attempt;
    if (!this.#isLive) return;
    const { attempt, delay = null, code = this.#ending.code, reason = this.#ending.reason } = status;
    if (status.status === "connecting") {
      this.#ending = BROKEN;
      this.#failed = true;
    }
    if (status.status === "online" && before !== "probing") this.#events.opened();
    else if (status.status === "waiting" && !this.#reconnects) this.#finish();
    else if (status.status === "waiting") this.#events.lost({ attempt, delay, code, reason });
    else if (status.status === "connecting" && LINED.has(before)) {
      this.#events.lost({ attempt, delay: 0, code, reason });
    } else if (status.status === "stopped") this.#finish(closePolicy(code) === "stop" ? void 0 : attempt);
  }
  #finish(gaveUp) {
    this.#release();
    this.#handle("stop");
    this.#events.ended(this.#ending, this.#failed, gaveUp);
  }
  #release() {
    this.#isLive = false;
    this.#page?.abort();
    this.#surroundings.clearTimeout(this.#timer);
    this.#timerDue = Infinity;
  }
  #setTimer() {
    const due = this.#machine.deadline ?? Infinity;
    if (due >= this.#timerDue || !this.#isLive) return;
    const { now, setTimeout: setTimeout2, clearTimeout: clearTimeout2 } = this.#surroundings;
    clearTimeout2(this.#timer);
    this.#timerDue = due;
    this.#timer = setTimeout2(
      () => {
        this.#timerDue = Infinity;
        this.#handle("time");
      },
      Math.min(Math.max(0, due - now()), TIMER_MAX2)
    );
  }
};
function makeMachine(options, { random }) {
  const { maxReconnectAttempts: attemptsMax = Infinity } = options;
  return createMachine(
    {
      connectTimeout: options.connectTimeout,
      heartbeatInterval: options.heartbeatInterval ?? 3e4,
      heartbeatTimeout: options.heartbeatTimeout,
      // The machine's first delay goes up to twice its base.
      delayBase: (options.reconnectDelay ?? 1e3) / 2,
      delayMax: options.maxReconnectDelay ?? 3e4,
      attemptsMax: Number.isFinite(attemptsMax) ? attemptsMax : null
    },
    random
  );
}
function listen(line, { onopen = null, onmessage = null, onclose = null, onerror = () => {
} }) {
  line.onopen = onopen;
  line.onmessage = onmessage;
  line.onclose = onclose;
  line.onerror = onerror;
}
function close(line, code, reason) {
  if (code === void 0) line.close();
  else if (reason === void 0) line.close(code);
  else line.close(code, reason);
}
function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}

// ../sdk/typescript/src/websocket/options.ts
function outboxLimits(queue = true) {
  if (queue === false) return void 0;
  return { messagesMax: 1e3, bytesMax: 1048576, ...queue === true ? {} : queue };
}
function checkNumbers(options) {
  const names = ["reconnectDelay", "maxReconnectDelay", "maxReconnectAttempts", "connectTimeout", "heartbeatInterval", "heartbeatTimeout"];
  for (const name of names) {
    const value = options[name];
    const least = name === "reconnectDelay" ? 1 : 0;
    if (value !== void 0 && !(value >= least)) throw new RangeError(`${name} is ${value}, and has to be ${least} or more`);
  }
}

// ../sdk/typescript/src/websocket/outbox.ts
var Outbox = class {
  /** Payload bytes of what waits. */
  bytes = 0;
  #limits;
  #messages = [];
  constructor(limits) {
    this.#limits = limits;
  }
  /** How many messages wait. */
  get size() {
    return this.#messages.length;
  }
  /** Takes a copy of the payload; throws a `QuotaExceededError` where it does not fit. */
  add(payload) {
    const { messagesMax, bytesMax } = this.#limits;
    const bytes = payloadBytes(payload);
    if (this.#messages.length >= messagesMax || this.bytes + bytes > bytesMax) {
      throw new DOMException(
        `the queue holds ${this.#messages.length} messages of ${this.bytes} bytes, and may hold ${messagesMax} of ${bytesMax}: wait for "open"`,
        "QuotaExceededError"
      );
    }
    this.#messages.push(copyPayload(payload));
    this.bytes += bytes;
  }
  /** Gives everything in its order, as long as `send` says true: that it was taken. */
  drain(send) {
    const waiting = this.#messages;
    let sent = 0;
    while (sent < waiting.length) {
      const payload = waiting[sent];
      if (!send(payload)) break;
      this.bytes -= payloadBytes(payload);
      sent += 1;
    }
    this.#messages = waiting.slice(sent);
  }
  /** Throws everything away; its bytes stay counted, as those of an ended `WebSocket` do. */
  discard() {
    this.#messages = [];
  }
};

// ../sdk/typescript/src/websocket/reconnecting-websocket.ts
var CONNECTING2 = 0;
var OPEN3 = 1;
var CLOSING = 2;
var CLOSED = 3;
var ReconnectingWebSocket = class extends EventTarget {
  static {
    for (const type of ["open", "message", "error", "close", "reconnecting", "maxretriesreached"]) {
      Object.defineProperty(this.prototype, `on${type}`, {
        get() {
          return this.#handlers.value(type);
        },
        set(handler) {
          this.#handlers.set(type, handler);
        },
        enumerable: true,
        configurable: true
      });
    }
    for (const place of [this, this.prototype]) {
      for (const [name, value] of Object.entries({ CONNECTING: CONNECTING2, OPEN: OPEN3, CLOSING, CLOSED })) {
        Object.defineProperty(place, name, { value, enumerable: true });
      }
    }
  }
  #options;
  #lines;
  #handlers = new HandlerAttributes(this);
  #state = CONNECTING2;
  #binaryType = "blob";
  #outbox;
  /** Bytes that were sent when it was too late. */
  #discarded = 0;
  /**
   * Throws as `WebSocket` does for what can be seen at once, and a `NotSupportedError` where there is no class of
   * sockets. What a function for the address throws or gives wrong is a failed attempt.
   */
  constructor(address, protocols, options = {}) {
    super();
    if (arguments.length === 0) throw new TypeError("an address is needed, like wss://example.org/ws");
    checkNumbers(options);
    const surroundings = environment(options.environment);
    const where = typeof address === "function" ? address : parseAddress(address, surroundings.base);
    const list = parseProtocols(protocols ?? options.protocols ?? []);
    if (!surroundings.WebSocket) {
      throw new DOMException("there is no WebSocket here: give one as environment.WebSocket", "NotSupportedError");
    }
    this.#options = options;
    this.#outbox = this.#emptyOutbox();
    this.#lines = new Lines(where, list, options, surroundings, {
      opened: () => this.#handleOpened(),
      message: ({ data, origin, lastEventId }) => {
        if (this.#state === OPEN3) this.dispatchEvent(new MessageEvent("message", { data, origin, lastEventId }));
      },
      lost: (loss) => {
        this.#state = CONNECTING2;
        this.dispatchEvent(new ReconnectingEvent(loss));
      },
      ended: (ending, failed, gaveUp) => this.#handleEnded(ending, failed, gaveUp)
    });
    this.#lines.start();
  }
  /** The address of the present or last line; empty until a function gave the first. */
  get url() {
    return this.#lines.url;
  }
  /** As the standard's; while it waits for its next attempt, CONNECTING. */
  get readyState() {
    return this.#state === OPEN3 && this.#lines.line?.readyState === CLOSING ? CLOSING : this.#state;
  }
  /** Whether it is open now. */
  get isConnected() {
    return this.readyState === OPEN3;
  }
  /** The subprotocol that the server chose, of the present line. */
  get protocol() {
    return this.#lines.line?.protocol ?? "";
  }
  get extensions() {
    return this.#lines.line?.extensions ?? "";
  }
  /** Bytes that were given to `send` and not to the network, those in the queue included. */
  get bufferedAmount() {
    return this.#lines.bufferedAmount + (this.#outbox?.bytes ?? 0) + this.#discarded;
  }
  get binaryType() {
    return this.#binaryType;
  }
  set binaryType(type) {
    if (type !== "blob" && type !== "arraybuffer") return;
    this.#binaryType = type;
    this.#lines.binaryType = type;
  }
  /**
   * Sends, or queues while there is no line; throws a `QuotaExceededError` where the queue has no room, or without
   * a queue an `InvalidStateError`.
   */
  send(data) {
    if (arguments.length === 0) throw new TypeError("send needs an argument");
    const payload = parsePayload(data);
    if (this.#state >= CLOSING) {
      this.#discarded += payloadBytes(payload);
    } else if (this.#state === OPEN3 && this.#lines.send(payload)) {
      return;
    } else if (this.#outbox) {
      this.#outbox.add(payload);
    } else if (this.#state === CONNECTING2) {
      throw new DOMException('it is not open yet: wait for "open", or leave out queue: false', "InvalidStateError");
    } else {
      this.#discarded += payloadBytes(payload);
    }
  }
  /** `send` of the value as JSON. Throws a `TypeError` for what has none, such as undefined. */
  sendJSON(value) {
    const text2 = JSON.stringify(value);
    if (text2 === void 0) throw new TypeError(`${typeof value} is not JSON: give an object, a list, a text, a number, a boolean or null`);
    this.send(text2);
  }
  /** Ends it for good. The arguments, and what follows, are the standard's. */
  close(code, reason) {
    const checkedCode = parseCloseCode(code);
    const checkedReason = parseCloseReason(reason);
    if (this.#state >= CLOSING) return;
    this.#state = CLOSING;
    this.#lines.close(checkedCode, checkedReason);
  }
  /**
   * Drops the line if there is one, and opens another without a delay. After the end it begins a new life, with an
   * empty queue. While CLOSING it does nothing.
   */
  reconnect() {
    if (this.#state === CLOSING) return;
    if (this.#state === CLOSED) {
      this.#outbox = this.#emptyOutbox();
      this.#discarded = 0;
    }
    const wasOpen = this.#state === OPEN3;
    this.#state = CONNECTING2;
    this.#lines.restart();
    if (wasOpen) this.dispatchEvent(new ReconnectingEvent({ attempt: 1, delay: 0, code: 1e3, reason: "the application asked for a new line" }));
  }
  #emptyOutbox() {
    const limits = outboxLimits(this.#options.queue);
    return limits && new Outbox(limits);
  }
  #handleOpened() {
    this.#state = OPEN3;
    this.dispatchEvent(new Event("open"));
    if (this.#state === OPEN3) this.#outbox?.drain((payload) => this.#lines.send(payload));
  }
  #handleEnded(ending, failed, gaveUp) {
    this.#state = CLOSED;
    this.#outbox?.discard();
    if (gaveUp !== void 0) this.dispatchEvent(new MaxRetriesReachedEvent(gaveUp));
    if (failed) this.dispatchEvent(new Event("error"));
    this.dispatchEvent(closeEvent(ending));
  }
};

// ../sdk/typescript/src/index.ts
function createClient(options) {
  const core = addCalls(createCore(options), options.queue);
  const publish = createPublish(core);
  return Object.assign(core.client, { publish, channel: createChannels(core, publish) });
}

// src/dom.ts
function byId(page2, id, type) {
  const found = page2.getElementById(id);
  if (!(found instanceof type)) {
    throw new Error(`the page has no ${type.name} with id “${id}”`);
  }
  return found;
}
function textElement(page2, tag, className, text2) {
  const made = page2.createElement(tag);
  made.className = className;
  made.textContent = text2;
  return made;
}
function submitOnEnter(area, form) {
  area.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
}

// src/endpoint.ts
function webSocketUrl(page2, path) {
  const url = new URL(path, page2);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

// src/demo/audit.ts
var POSITIONS_MAX = 5e3;
var Audit = class {
  #phase = "none";
  #since = 0;
  #back = 0;
  #channels = /* @__PURE__ */ new Map();
  #failed = /* @__PURE__ */ new Set();
  #sent = /* @__PURE__ */ new Map();
  /** `positions` are where each channel stands now. A cut within a cut changes nothing. */
  handleCut(positions, now) {
    if (this.#phase === "cut" || this.#phase === "returning") {
      this.#phase = "cut";
      return;
    }
    this.#phase = "cut";
    this.#since = now;
    this.#failed.clear();
    this.#sent.clear();
    this.#channels = new Map(
      [...positions].map(([channel, before]) => [
        channel,
        { before, seen: /* @__PURE__ */ new Set(), recovered: 0, published: void 0, gap: void 0 }
      ])
    );
  }
  handleMended() {
    if (this.#phase === "cut") {
      this.#phase = "returning";
    }
  }
  /** The line is back. Ask the history of `toCheck` and tell it here. */
  handleOnline(now) {
    if (this.#phase === "cut" || this.#phase === "returning") {
      this.#phase = "checking";
      this.#back = now;
    }
  }
  /** The channels to be asked, and from where. */
  get toCheck() {
    return new Map(this.#phase === "checking" ? [...this.#channels].map(([channel, { before }]) => [channel, before]) : []);
  }
  /** Returns whether this is one that was published while the line was cut. */
  handlePublication(channel, position, isReplayed) {
    const kept = this.#channels.get(channel);
    if (kept === void 0 || this.#phase === "none" || kept.seen.size >= POSITIONS_MAX) {
      return false;
    }
    kept.seen.add(position);
    const isRecovered = isReplayed && this.#phase !== "done";
    kept.recovered += Number(isRecovered);
    return isRecovered;
  }
  /** Something was published here. What was not while the line was cut is not counted. */
  handleSent(id) {
    if ((this.#phase === "cut" || this.#phase === "returning") && this.#sent.size < POSITIONS_MAX) {
      this.#sent.set(id, "waiting");
    }
  }
  handleSettled(id, isDelivered) {
    if (this.#sent.has(id)) {
      this.#sent.set(id, isDelivered ? "delivered" : "failed");
    }
  }
  handleGap(channel, reason) {
    const kept = this.#channels.get(channel);
    if (kept !== void 0 && this.#phase !== "done") {
      kept.gap = reason;
    }
  }
  /** What the server has after the position that was asked for. Undefined: it could not be asked. */
  handleHistory(channel, published) {
    const kept = this.#channels.get(channel);
    if (kept === void 0 || this.#phase !== "checking") {
      return;
    }
    kept.published = published;
    if (published === void 0) {
      this.#failed.add(channel);
    }
    if ([...this.#channels].every(([name, one]) => one.published !== void 0 || this.#failed.has(name))) {
      this.#phase = "done";
    }
  }
  get verdict() {
    if (this.#phase === "none") {
      return { phase: "none" };
    }
    if (this.#phase !== "done") {
      return { phase: this.#phase, since: this.#since };
    }
    const channels = [...this.#channels].map(([channel, kept]) => ({
      channel,
      recovered: kept.recovered,
      missing: (kept.published ?? []).filter((position) => !kept.seen.has(position)).length,
      gap: kept.gap
    }));
    return {
      phase: "done",
      recovered: sum(channels.map(({ recovered }) => recovered)),
      lost: sum(channels.map(({ missing }) => missing)),
      isCertain: this.#failed.size === 0 && channels.every(({ gap }) => gap === void 0),
      channels,
      sent: { count: this.#sent.size, delivered: this.#sentAs("delivered"), failed: this.#sentAs("failed") },
      away: this.#back - this.#since
    };
  }
  #sentAs(state) {
    return [...this.#sent.values()].filter((one) => one === state).length;
  }
};
function sum(numbers) {
  return numbers.reduce((all, one) => all + one, 0);
}

// src/keyed-list.ts
var KeyedList = class {
  #parent;
  #keyOf;
  #make;
  #update;
  #elements = /* @__PURE__ */ new Map();
  constructor(parent, keyOf, make, update = () => void 0) {
    this.#parent = parent;
    this.#keyOf = keyOf;
    this.#make = make;
    this.#update = update;
  }
  draw(items) {
    const wanted = new Set(items.map(this.#keyOf));
    for (const [key, element] of this.#elements) {
      if (!wanted.has(key)) {
        element.remove();
        this.#elements.delete(key);
      }
    }
    let before;
    let next = this.#parent.firstElementChild;
    for (const item of items) {
      const key = this.#keyOf(item);
      const element = this.#elements.get(key) ?? this.#make(item);
      this.#elements.set(key, element);
      this.#update(element, item, before);
      if (element === next) {
        next = next.nextElementSibling;
      } else {
        this.#parent.insertBefore(element, next);
      }
      before = item;
    }
  }
};

// src/demo/person.ts
var NAME_CHARACTERS_MAX = 24;
var FIRST = ["Quiet", "Swift", "Amber", "Lucky", "Bold", "Clever", "Merry", "Calm", "Bright", "Wild", "Gentle", "Curious"];
var SECOND = ["Heron", "Otter", "Fox", "Wren", "Lynx", "Badger", "Finch", "Marten", "Hare", "Owl", "Seal", "Swallow"];
function inventedName(random) {
  const pick = (from) => from[Math.floor(random() * from.length)] ?? "";
  return `${pick(FIRST)} ${pick(SECOND)}`;
}
function inventedTab(random) {
  return Array.from({ length: 12 }, () => Math.floor(random() * 36).toString(36)).join("");
}
function hueOf(tab) {
  let sum2 = 7;
  for (const character of tab) {
    sum2 = sum2 * 31 + (character.codePointAt(0) ?? 0) >>> 0;
  }
  return sum2 % 8;
}
function cleanName(input) {
  return [...input.trim().replace(/\s+/g, " ")].slice(0, NAME_CHARACTERS_MAX).join("");
}
function parsePerson(data) {
  if (typeof data !== "object" || data === null) {
    return void 0;
  }
  const { tab, name } = data;
  if (typeof tab !== "string" || tab === "" || tab.length > 40 || typeof name !== "string") {
    return void 0;
  }
  return { tab, name: cleanName(name) || "Somebody", hue: hueOf(tab) };
}
function initial(name) {
  return ([...name][0] ?? "?").toLocaleUpperCase();
}

// src/demo/room.ts
var TEXT_CHARACTERS_MAX = 1e3;
var ENTRIES_MAX = 300;
var TYPING_MS = 6e3;
var Room = class {
  name;
  #me;
  #settled = [];
  #pending = [];
  #typing = /* @__PURE__ */ new Map();
  #unread = 0;
  #notes = 0;
  constructor(name, me) {
    this.name = name;
    this.#me = me;
  }
  /** Oldest first; what is on its way comes last, in the order it was sent. */
  get entries() {
    return [...this.#settled, ...this.#pending];
  }
  get pendingCount() {
    return this.#pending.filter(({ state }) => state === "pending").length;
  }
  get unread() {
    return this.#unread;
  }
  /** The clients that are writing. */
  typing(now) {
    return [...this.#typing].filter(([, until]) => until > now).map(([clientId]) => clientId);
  }
  handleRead() {
    this.#unread = 0;
  }
  /** Returns what to publish, or nothing when there is nothing to say. */
  handleSubmit(text2, author, id, now) {
    const said = text2.trim().slice(0, TEXT_CHARACTERS_MAX);
    if (said === "") {
      return void 0;
    }
    this.#pending.push({
      kind: "chat",
      id,
      author,
      text: said,
      at: now,
      state: "pending",
      isMine: true,
      isRecovered: false
    });
    return { id, tab: author.tab, name: author.name, text: said };
  }
  handlePublication(data, at, isRecovered, clientId) {
    const said = parseSaid(data);
    if (said === void 0) {
      return;
    }
    if (clientId !== void 0) {
      this.#typing.delete(clientId);
    }
    this.#pending = this.#pending.filter(({ id }) => id !== said.id);
    if (this.#settled.some(({ id }) => id === said.id)) {
      return;
    }
    const isMine = said.author.tab === this.#me;
    this.#settle({
      kind: "chat",
      id: said.id,
      author: said.author,
      text: said.text,
      at,
      state: "delivered",
      isMine,
      isRecovered
    });
    this.#unread += Number(!isMine);
  }
  /** The server has it. The publication itself may have come before this, or comes later. */
  handleDelivered(id, at) {
    const message = this.#pending.find((one) => one.id === id);
    if (message !== void 0) {
      this.#pending = this.#pending.filter((one) => one !== message);
      this.#settle({ ...message, at, state: "delivered" });
    }
  }
  handleFailed(id) {
    this.#pending = this.#pending.map((one) => one.id === id ? { ...one, state: "failed" } : one);
  }
  handleTyping(clientId, isTyping, now) {
    if (isTyping) {
      this.#typing.set(clientId, now + TYPING_MS);
    } else {
      this.#typing.delete(clientId);
    }
  }
  note(text2, now, tone = "quiet") {
    this.#notes += 1;
    this.#settle({ kind: "note", id: `note-${this.#notes}`, text: text2, at: now, tone });
  }
  #settle(entry) {
    this.#settled.push(entry);
    if (this.#settled.length > ENTRIES_MAX) {
      this.#settled.shift();
    }
  }
};
function typingText(names) {
  if (names.length === 0) {
    return "";
  }
  if (names.length > 2) {
    return `${names.length} people are typing`;
  }
  return names.length === 1 ? `${names[0]} is typing` : `${names[0]} and ${names[1]} are typing`;
}
function channelOf(input) {
  const name = input.trim().replace(/^#/, "").toLocaleLowerCase().replace(/[\s\p{Cc}:]+/gu, "-").replace(/^-+|-+$/g, "");
  return name === "" ? void 0 : `chat:${[...name].slice(0, 40).join("")}`;
}
function titleOf(channel) {
  return channel.slice("chat:".length);
}
function parseSaid(data) {
  const author = parsePerson(data);
  if (author === void 0) {
    return void 0;
  }
  const { id, text: text2 } = data;
  if (typeof id !== "string" || typeof text2 !== "string" || text2 === "") {
    return void 0;
  }
  return { id, author, text: text2.slice(0, TEXT_CHARACTERS_MAX) };
}

// src/demo/chat-view.ts
var BLOCK_MS = 5 * 6e4;
var NEAR_END = 60;
var ChatView = class {
  #page;
  #messages;
  #title;
  #leave;
  #typing;
  #count;
  #rooms;
  #people;
  #entries;
  #channel = "";
  #isFirst = true;
  constructor(page2, onRoom) {
    this.#page = page2;
    this.#messages = byId(page2, "messages", HTMLElement);
    this.#title = byId(page2, "room-title", HTMLElement);
    this.#leave = byId(page2, "leave-room", HTMLElement);
    this.#typing = byId(page2, "typing", HTMLElement);
    this.#count = byId(page2, "people-count", HTMLElement);
    this.#entries = this.#newEntries();
    this.#rooms = new KeyedList(
      byId(page2, "rooms", HTMLElement),
      ({ channel }) => channel,
      ({ channel }) => this.#makeRoom(channel, onRoom),
      updateRoom
    );
    this.#people = new KeyedList(
      byId(page2, "people", HTMLElement),
      ({ tab }) => tab,
      () => this.#makePerson(),
      updatePerson
    );
  }
  drawRooms(rooms) {
    this.#rooms.draw(rooms);
  }
  drawRoom(room, people, typing, isAlone) {
    if (room.name !== this.#channel) {
      this.#channel = room.name;
      this.#messages.replaceChildren();
      this.#entries = this.#newEntries();
      this.#title.textContent = titleOf(room.name);
      this.#isFirst = true;
    }
    this.#messages.dataset["empty"] = `Nothing was said in #${titleOf(room.name)} lately. Begin.`;
    this.#leave.hidden = isAlone;
    const { scrollHeight, scrollTop, clientHeight } = this.#messages;
    const isNearEnd = this.#isFirst || scrollHeight - scrollTop - clientHeight < NEAR_END;
    this.#entries.draw(room.entries);
    if (isNearEnd) {
      this.#messages.scrollTop = this.#messages.scrollHeight;
    }
    this.#isFirst = room.entries.length === 0;
    if (this.#typing.textContent !== typing) {
      this.#typing.textContent = typing;
    }
    this.#people.draw(people);
    this.#count.textContent = String(people.length);
  }
  #newEntries() {
    return new KeyedList(
      this.#messages,
      ({ id }) => id,
      (entry) => entry.kind === "chat" ? this.#makeMessage(entry) : this.#makeNote(entry.text, entry.tone),
      (element, entry, before) => {
        if (entry.kind === "chat") {
          updateMessage(element, entry, before);
        }
      }
    );
  }
  #makeMessage(message) {
    const made = textElement(this.#page, "div", "entry entry-chat", "");
    made.dataset["kind"] = "chat";
    made.dataset["mine"] = String(message.isMine);
    made.dataset["fresh"] = String(!this.#isFirst);
    const head = textElement(this.#page, "div", "entry-head", "");
    const name = textElement(this.#page, "span", "entry-name", message.author.name);
    name.dir = "auto";
    const time = this.#page.createElement("time");
    time.className = "entry-time";
    head.append(name, time);
    const text2 = textElement(this.#page, "div", "entry-text", "");
    const said = textElement(this.#page, "span", "", message.text);
    said.dir = "auto";
    text2.append(said, textElement(this.#page, "span", "entry-mark", ""));
    made.append(this.#avatar(message.author), head, text2);
    return made;
  }
  #makeNote(text2, tone) {
    const made = textElement(this.#page, "p", "entry-note", text2);
    made.dataset["kind"] = "note";
    made.dataset["tone"] = tone;
    return made;
  }
  #makeRoom(channel, onRoom) {
    const item = this.#page.createElement("li");
    const button = this.#page.createElement("button");
    button.type = "button";
    button.className = "room";
    button.dataset["channel"] = channel;
    const name = textElement(this.#page, "span", "room-name", `# ${titleOf(channel)}`);
    name.dir = "auto";
    button.append(name);
    button.addEventListener("click", () => onRoom(channel));
    item.append(button);
    return item;
  }
  #makePerson() {
    const item = textElement(this.#page, "li", "person", "");
    const picture = textElement(this.#page, "span", "person-picture", "");
    picture.setAttribute("aria-hidden", "true");
    picture.append(textElement(this.#page, "span", "avatar", ""), textElement(this.#page, "span", "person-dot", ""));
    const name = textElement(this.#page, "span", "person-name", "");
    name.dir = "auto";
    item.append(picture, name, textElement(this.#page, "span", "person-note", ""));
    return item;
  }
  #avatar(person) {
    const made = textElement(this.#page, "span", "avatar", initial(person.name));
    made.dataset["hue"] = String(person.hue);
    made.setAttribute("aria-hidden", "true");
    return made;
  }
};
function updateMessage(element, message, before) {
  const isBlock = before?.kind === "chat" && before.author.tab === message.author.tab && before.author.name === message.author.name && message.at - before.at < BLOCK_MS;
  element.dataset["continues"] = String(isBlock);
  element.dataset["state"] = message.state;
  element.dataset["recovered"] = String(message.isRecovered);
  const time = element.querySelector("time");
  if (time !== null) {
    const at = new Date(message.at);
    time.dateTime = at.toISOString();
    time.textContent = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  }
  setText(element.querySelector(".entry-mark"), markOf(message));
}
function markOf({ state, isRecovered }) {
  if (state === "pending") {
    return "waiting…";
  }
  if (state === "failed") {
    return "not sent";
  }
  return isRecovered ? "recovered" : "";
}
function updateRoom(element, room) {
  const button = element.querySelector("button");
  if (button === null) {
    return;
  }
  button.dataset["joined"] = String(room.isJoined);
  if (room.isCurrent) {
    button.setAttribute("aria-current", "true");
  } else {
    button.removeAttribute("aria-current");
  }
  let count = button.querySelector(".count");
  if (room.unread === 0) {
    count?.remove();
    return;
  }
  if (count === null) {
    count = textElement(element.ownerDocument, "span", "count", "");
    button.append(count);
  }
  setText(count, String(Math.min(room.unread, 99)));
  count.setAttribute("title", `${room.unread} not read`);
}
function updatePerson(element, person) {
  element.dataset["status"] = person.isAway ? "away" : "online";
  const avatar = element.querySelector(".avatar");
  if (avatar !== null) {
    avatar.dataset["hue"] = String(person.hue);
    setText(avatar, initial(person.name));
  }
  setText(element.querySelector(".person-name"), person.name);
  const note = [person.isMe ? "you" : "", person.isAway ? "away" : ""].filter((word) => word !== "").join(", ");
  setText(element.querySelector(".person-note"), note);
}
function setText(element, text2) {
  if (element !== null && element.textContent !== text2) {
    element.textContent = text2;
  }
}

// src/demo/people.ts
var LEAVE_AFTER_MS = 3500;
var NAME_WITHIN_MS = 1500;
var SHOWN_WITHOUT = Number.NEGATIVE_INFINITY;
var People = class {
  #me;
  #shown = /* @__PURE__ */ new Map();
  #leaving = /* @__PURE__ */ new Map();
  #unnamed = /* @__PURE__ */ new Map();
  #members = [];
  #isFirst = true;
  #changes = [];
  constructor(me) {
    this.#me = me;
  }
  /** Everybody, oneself first, then by name. */
  get list() {
    return [...this.#shown.values()].sort(
      (a, b) => Number(b.isMe) - Number(a.isMe) || a.name.localeCompare(b.name) || a.tab.localeCompare(b.tab)
    );
  }
  /** The name of a client that is there. */
  nameOf(clientId) {
    return [...this.#shown.values()].find((person) => person.clientId === clientId)?.name;
  }
  /** What a live line says. A lost line says nothing, so do not call it then. */
  handleMembers(members, now) {
    this.#members = members;
    this.#settle(now);
  }
  handleTimeout(now) {
    this.#settle(now);
  }
  /** When `handleTimeout` has something to do, if ever. */
  pollTimeout() {
    const names = [...this.#unnamed.values()].filter((due) => due !== SHOWN_WITHOUT);
    const next = Math.min(...this.#leaving.values(), ...names);
    return next === Number.POSITIVE_INFINITY ? void 0 : next;
  }
  pollChange() {
    return this.#changes.shift();
  }
  #settle(now) {
    const here = this.#named(now);
    for (const person of here.values()) {
      const isNew = !this.#shown.has(person.tab);
      this.#leaving.delete(person.tab);
      this.#shown.set(person.tab, person);
      if (isNew && !this.#isFirst && !person.isMe) {
        this.#changes.push({ what: "joined", name: person.name });
      }
    }
    for (const person of [...this.#shown.values()].filter(({ tab }) => !here.has(tab))) {
      const due = this.#leaving.get(person.tab) ?? now + LEAVE_AFTER_MS;
      if (due > now) {
        this.#leaving.set(person.tab, due);
        continue;
      }
      this.#leaving.delete(person.tab);
      this.#shown.delete(person.tab);
      if (!person.isMe) {
        this.#changes.push({ what: "left", name: person.name });
      }
    }
    this.#isFirst &&= here.size === 0;
  }
  /** By tab. Of two lines of one tab, the one that knows better than “away” counts. */
  #named(now) {
    const found = /* @__PURE__ */ new Map();
    const unnamed = /* @__PURE__ */ new Map();
    for (const member of this.#members) {
      let person = parsePerson(member.data);
      if (person === void 0) {
        const due = this.#unnamed.get(member.clientId) ?? now + NAME_WITHIN_MS;
        unnamed.set(member.clientId, due);
        if (due > now) {
          continue;
        }
        unnamed.set(member.clientId, SHOWN_WITHOUT);
        person = { tab: member.clientId, name: member.user ?? "Guest", hue: hueOf(member.clientId) };
      }
      const isAway = member.status === "away" && found.get(person.tab)?.isAway !== false;
      found.set(person.tab, { ...person, clientId: member.clientId, isAway, isMe: person.tab === this.#me });
    }
    this.#unnamed = unnamed;
    return found;
  }
};

// src/demo/chat.ts
var LOBBY = "chat:lobby";
var OFFERED = [LOBBY, "chat:rust", "chat:music"];
var HISTORY = 40;
var ROOMS_MAX = 20;
var TYPING_STOPS_MS = 3e3;
var DRAW_MS = 16;
var Chat = class {
  #page;
  #client;
  #me;
  #audit;
  #view;
  #composer;
  #name;
  #visited = /* @__PURE__ */ new Map();
  #offered = [...OFFERED];
  #current = LOBBY;
  #drawTimer;
  #peopleTimer;
  #typingTimer;
  constructor(page2, client, me, audit) {
    this.#page = page2;
    this.#client = client;
    this.#me = me;
    this.#audit = audit;
    this.#composer = byId(page2, "composer", HTMLTextAreaElement);
    this.#name = byId(page2, "name", HTMLInputElement);
    this.#name.value = me.person.name;
    this.#view = new ChatView(page2, (channel) => this.open(channel));
    this.#listen();
  }
  /** Goes to a room, and joins it if need be. */
  open(name) {
    if (!this.#offered.includes(name)) {
      if (this.#offered.length >= ROOMS_MAX) {
        this.#visited.get(this.#current)?.room.note(`${ROOMS_MAX} rooms are the most that are kept here`, Date.now());
        this.#schedule();
        return;
      }
      this.#offered.push(name);
    }
    this.#current = name;
    const visited = this.#visited.get(name) ?? this.#visit(name);
    visited.room.handleRead();
    if (!visited.isJoined) {
      visited.isJoined = true;
      this.#setPresence(visited.channel);
      visited.channel.subscribe().catch(() => void 0);
    }
    this.#schedule();
  }
  /** The channels that are joined. */
  get channels() {
    return this.#joined.map(({ channel }) => channel);
  }
  get #joined() {
    return [...this.#visited.values()].filter(({ isJoined }) => isJoined);
  }
  #listen() {
    const form = byId(this.#page, "compose-form", HTMLFormElement);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    submitOnEnter(this.#composer, form);
    this.#composer.addEventListener("input", () => this.#tellTyping());
    byId(this.#page, "room-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      const input = byId(this.#page, "new-room", HTMLInputElement);
      const name = channelOf(input.value);
      if (name !== void 0) {
        this.open(name);
        input.value = "";
        this.#composer.focus();
      }
    });
    byId(this.#page, "leave-room", HTMLButtonElement).addEventListener("click", () => this.#leave(this.#current));
    byId(this.#page, "name-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#composer.focus();
    });
    this.#name.addEventListener("change", () => {
      this.#name.value = this.#me.rename(this.#name.value);
    });
    this.#me.onRename(() => this.#tellPresence());
    this.#page.addEventListener("visibilitychange", () => {
      this.#tellPresence();
      if (!this.#page.hidden) {
        this.#visited.get(this.#current)?.room.handleRead();
        this.#schedule();
      }
    });
  }
  #visit(name) {
    const { tab } = this.#me.person;
    const room = new Room(name, tab);
    const channel = this.#client.channel(name, { history: HISTORY });
    const visited = { room, people: new People(tab), channel, isJoined: false };
    this.#visited.set(name, visited);
    channel.on("event:chat", (publication2) => this.#handlePublication(room, publication2));
    channel.on("gap", ({ reason }) => {
      this.#audit.handleGap(name, reason);
      room.note(`Messages are missing here: ${reason}`, Date.now(), "bad");
      this.#schedule();
    });
    channel.on("typing", ({ clientId, isTyping }) => {
      room.handleTyping(clientId, isTyping, Date.now());
      this.#schedule();
    });
    channel.on("error", ({ message }) => {
      room.note(`#${titleOf(name)}: ${message}`, Date.now(), "bad");
      this.#schedule();
    });
    channel.presence.subscribe(() => this.#handlePresence(visited));
    return visited;
  }
  #leave(name) {
    const visited = this.#visited.get(name);
    if (visited === void 0 || this.#joined.length === 1) {
      return;
    }
    visited.isJoined = false;
    visited.channel.unsubscribe();
    this.open(this.#joined.at(-1)?.room.name ?? LOBBY);
  }
  #handlePublication(room, { data, position, timestamp, replayed, from }) {
    const isRecovered = position !== void 0 && this.#audit.handlePublication(room.name, position, replayed);
    room.handlePublication(data, timestamp ?? Date.now(), isRecovered, from?.clientId);
    if (replayed && !isRecovered) {
      room.handleRead();
    }
    this.#schedule();
  }
  #handlePresence({ isJoined, people, channel }) {
    if (isJoined && this.#client.status.state === "online") {
      people.handleMembers([...channel.presence.members.values()], Date.now());
      this.#settlePeople();
    }
  }
  #settlePeople() {
    const now = Date.now();
    let next = Number.POSITIVE_INFINITY;
    for (const { people, room } of this.#joined) {
      if (this.#client.status.state === "online") {
        people.handleTimeout(now);
      }
      for (let change = people.pollChange(); change !== void 0; change = people.pollChange()) {
        room.note(`${change.name} ${change.what}`, now);
      }
      next = Math.min(next, people.pollTimeout() ?? next);
    }
    clearTimeout(this.#peopleTimer);
    if (next !== Number.POSITIVE_INFINITY) {
      this.#peopleTimer = setTimeout(() => this.#settlePeople(), Math.max(50, next - now));
    }
    this.#schedule();
  }
  #submit() {
    const joined = this.#visited.get(this.#current);
    if (joined === void 0) {
      return;
    }
    const { room } = joined;
    const id = crypto.randomUUID();
    const said = room.handleSubmit(this.#composer.value, this.#me.person, id, Date.now());
    this.#composer.value = "";
    if (said === void 0) {
      return;
    }
    this.#stopTyping();
    this.#audit.handleSent(id);
    void this.#publish(joined, id, said);
    this.#schedule();
  }
  async #publish({ room, channel }, id, said) {
    try {
      const { timestamp } = await channel.publish(said, { event: "chat", key: id });
      room.handleDelivered(id, timestamp);
      this.#audit.handleSettled(id, true);
    } catch {
      room.handleFailed(id);
      this.#audit.handleSettled(id, false);
    }
    this.#schedule();
  }
  #tellTyping() {
    if (this.#composer.value === "") {
      this.#stopTyping();
      return;
    }
    this.#visited.get(this.#current)?.channel.typing(true);
    clearTimeout(this.#typingTimer);
    this.#typingTimer = setTimeout(() => this.#stopTyping(), TYPING_STOPS_MS);
  }
  #stopTyping() {
    if (this.#typingTimer !== void 0) {
      clearTimeout(this.#typingTimer);
      this.#typingTimer = void 0;
      this.#visited.get(this.#current)?.channel.typing(false);
    }
  }
  #tellPresence() {
    for (const { channel } of this.#joined) {
      this.#setPresence(channel);
    }
  }
  #setPresence(channel) {
    const { tab, name } = this.#me.person;
    const status = this.#page.hidden ? "away" : "online";
    Promise.resolve(channel.presence.set({ status, data: { tab, name } })).catch(() => void 0);
  }
  #schedule() {
    this.#drawTimer ??= setTimeout(() => this.#draw(), DRAW_MS);
  }
  #draw() {
    this.#drawTimer = void 0;
    const joined = this.#visited.get(this.#current);
    if (joined === void 0) {
      return;
    }
    if (!this.#page.hidden) {
      joined.room.handleRead();
    }
    const { room, people } = joined;
    this.#view.drawRooms(
      this.#offered.map((channel) => ({
        channel,
        isJoined: this.#visited.get(channel)?.isJoined === true,
        isCurrent: channel === this.#current,
        unread: channel === this.#current ? 0 : this.#visited.get(channel)?.room.unread ?? 0
      }))
    );
    const writing = room.typing(Date.now());
    const names = writing.map((clientId) => people.nameOf(clientId) ?? "Somebody");
    this.#view.drawRoom(room, people.list, typingText(names), this.#joined.length === 1);
    if (writing.length > 0) {
      this.#drawTimer = setTimeout(() => this.#draw(), 1e3);
    }
  }
};

// src/format.ts
var UNITS = ["KiB", "MiB", "GiB"];
function formatSize(bytes) {
  let value = bytes;
  let unit = "B";
  for (const next of UNITS) {
    if (value < 1024) {
      break;
    }
    value /= 1024;
    unit = next;
  }
  return `${trimmed(value)} ${unit}`;
}
function formatDuration(milliseconds) {
  const decimals = milliseconds < 10 ? 2 : milliseconds < 100 ? 1 : 0;
  return `${milliseconds.toFixed(decimals)} ms`;
}
function preview(text2, charactersMax = 2048) {
  if (text2.length <= charactersMax) {
    return text2;
  }
  const last = text2.charCodeAt(charactersMax - 1);
  const end = last >= 55296 && last <= 56319 ? charactersMax - 1 : charactersMax;
  return `${text2.slice(0, end)} … ${text2.length - end} more`;
}
function trimmed(value) {
  return String(Number(value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)));
}

// src/ring.ts
var Ring = class {
  capacity;
  #values = [];
  #oldest = 0;
  constructor(capacity) {
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new RangeError("capacity must be a whole number above zero");
    }
    this.capacity = capacity;
  }
  get size() {
    return this.#values.length;
  }
  /** Returns the value that had to go, if one had to. */
  push(value) {
    if (this.#values.length < this.capacity) {
      this.#values.push(value);
      return void 0;
    }
    const evicted = this.#values[this.#oldest];
    this.#values[this.#oldest] = value;
    this.#oldest = (this.#oldest + 1) % this.capacity;
    return evicted;
  }
  /** All values, oldest first. */
  toArray() {
    return [...this.#values.slice(this.#oldest), ...this.#values.slice(0, this.#oldest)];
  }
  clear() {
    this.#values = [];
    this.#oldest = 0;
  }
};

// src/bench/exchange.ts
var Exchange = class {
  #pending = [];
  #roundTrips;
  #last;
  #sent = { messages: 0, bytes: 0 };
  #received = { messages: 0, bytes: 0 };
  #pendingMax;
  constructor(pendingMax = 1e4, roundTripsMax = 500) {
    this.#pendingMax = pendingMax;
    this.#roundTrips = new Ring(roundTripsMax);
  }
  get sent() {
    return this.#sent;
  }
  get received() {
    return this.#received;
  }
  get roundTrips() {
    if (this.#last === void 0) {
      return void 0;
    }
    const sorted = this.#roundTrips.toArray().sort((a, b) => a - b);
    const best = sorted[0] ?? this.#last;
    const median = sorted[Math.floor((sorted.length - 1) / 2)] ?? this.#last;
    return { last: this.#last, best, median };
  }
  handleSent(kind, size, now) {
    this.#sent = added(this.#sent, size);
    if (this.#pending.length === this.#pendingMax) {
      this.#pending.shift();
    }
    this.#pending.push({ kind, size, sentAt: now });
  }
  /** Returns the round trip in milliseconds when this looks like an echo. */
  handleReceived(kind, size, now) {
    this.#received = added(this.#received, size);
    const at = this.#pending.findIndex((sent2) => sent2.kind === kind && sent2.size === size);
    const sent = this.#pending[at];
    if (sent === void 0) {
      return void 0;
    }
    this.#pending.splice(0, at + 1);
    this.#last = now - sent.sentAt;
    this.#roundTrips.push(this.#last);
    return this.#last;
  }
  /** What was out on the old line will not come back on the new one. */
  handleClosed() {
    this.#pending = [];
  }
  /** Back to zero; messages in flight are still waited for. */
  clear() {
    this.#sent = { messages: 0, bytes: 0 };
    this.#received = { messages: 0, bytes: 0 };
    this.#roundTrips.clear();
    this.#last = void 0;
  }
};
function added(total, size) {
  return { messages: total.messages + 1, bytes: total.bytes + size };
}

// src/demo/echo-log.ts
var ROWS_MAX = 60;
var TEXT_MAX = 160;
var EchoLog = class {
  #exchange = new Exchange();
  #rows = new Ring(ROWS_MAX);
  #made = 0;
  /** Oldest first. */
  get rows() {
    return this.#rows.toArray();
  }
  get sent() {
    return this.#exchange.sent.messages;
  }
  get received() {
    return this.#exchange.received.messages;
  }
  /** The median round trip in milliseconds. */
  get median() {
    return this.#exchange.roundTrips?.median;
  }
  /** `elapsed` is a clock that only goes forward, `at` the time of day. */
  handleSent(text2, elapsed, at) {
    const size = bytesOf(text2);
    this.#exchange.handleSent("text", size, elapsed);
    this.#add("out", at, size, void 0, text2);
  }
  handleReceived(text2, elapsed, at) {
    const size = bytesOf(text2);
    this.#add("in", at, size, this.#exchange.handleReceived("text", size, elapsed), text2);
  }
  handleEvent(text2, at) {
    this.#add("event", at, 0, void 0, text2);
  }
  #add(direction, at, size, roundTrip, text2) {
    this.#made += 1;
    this.#rows.push({ id: this.#made, direction, at, size, roundTrip, text: preview(text2, TEXT_MAX) });
  }
};
function bytesOf(text2) {
  return new TextEncoder().encode(text2).length;
}

// src/demo/echo.ts
var ARROWS = { in: "←", out: "→", event: "·" };
var Echo = class {
  #page;
  #log = new EchoLog();
  #box;
  #rows;
  constructor(page2, environment2) {
    this.#page = page2;
    this.#box = byId(page2, "echo-log", HTMLElement);
    this.#rows = new KeyedList(this.#box, ({ id }) => id, (row) => this.#makeRow(row));
    const url = webSocketUrl(page2.location.href, "echo");
    const line = new ReconnectingWebSocket(url, [], { reconnectDelay: 500, maxReconnectDelay: 5e3, environment: environment2 });
    line.addEventListener("message", ({ data }) => {
      this.#log.handleReceived(String(data), performance.now(), Date.now());
      this.#draw();
    });
    line.addEventListener("close", ({ code, reason }) => this.#tell(`closed: ${code} ${reason}`));
    this.#tellLosses(line);
    this.#listen(line);
  }
  /** One row for a loss, however many attempts follow, and one for the return. */
  #tellLosses(line) {
    let isLost = false;
    line.addEventListener("reconnecting", ({ code }) => {
      if (!isLost) {
        this.#tell(`no line (${code}); what you send waits`);
      }
      isLost = true;
    });
    line.addEventListener("open", () => {
      if (isLost) {
        this.#tell("the line is back");
      }
      isLost = false;
    });
  }
  #listen(line) {
    const input = byId(this.#page, "echo-text", HTMLInputElement);
    byId(this.#page, "echo-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      const text2 = input.value;
      if (text2 === "") {
        return;
      }
      this.#log.handleSent(text2, performance.now(), Date.now());
      try {
        line.send(text2);
      } catch (error) {
        this.#tell(error instanceof Error ? error.message : String(error));
      }
      this.#draw();
      input.select();
    });
  }
  #tell(text2) {
    this.#log.handleEvent(text2, Date.now());
    this.#draw();
  }
  #draw() {
    this.#rows.draw(this.#log.rows);
    this.#box.scrollTop = this.#box.scrollHeight;
    const { median, sent, received } = this.#log;
    byId(this.#page, "echo-median", HTMLElement).textContent = median === void 0 ? "no echo yet" : `${received} of ${sent} back, median ${formatDuration(median)}`;
  }
  #makeRow({ direction, text: text2, size, roundTrip, at }) {
    const row = textElement(this.#page, "div", "echo-row", "");
    row.dataset["direction"] = direction;
    row.title = new Date(at).toLocaleTimeString();
    const facts = [direction === "event" ? "" : formatSize(size), roundTrip === void 0 ? "" : formatDuration(roundTrip)];
    row.append(
      textElement(this.#page, "span", "", ARROWS[direction]),
      textElement(this.#page, "span", "", text2),
      textElement(this.#page, "span", "", facts.filter((fact) => fact !== "").join(" · "))
    );
    return row;
  }
};

// src/demo/line-cutter.ts
var REFUSAL_MS = 40;
var LineCutter = class {
  WebSocket;
  fetch;
  #sockets = /* @__PURE__ */ new Set();
  #requests = /* @__PURE__ */ new Set();
  #onMend;
  #isCut = false;
  constructor(options) {
    this.#onMend = options.onMend;
    const sockets = this.#sockets;
    const isCut = () => this.#isCut;
    const made = class extends CuttableSocket {
      constructor(url, protocols) {
        super(isCut() ? void 0 : options.WebSocket, url, protocols, options.onFrame);
        sockets.add(this);
        this.addEventListener("close", () => sockets.delete(this));
      }
    };
    this.WebSocket = made;
    this.fetch = (input, init) => this.#request(options.fetch, input, init);
  }
  get isCut() {
    return this.#isCut;
  }
  cut() {
    this.#isCut = true;
    for (const socket of [...this.#sockets]) {
      socket.drop();
    }
    for (const request of this.#requests) {
      request.abort();
    }
  }
  mend() {
    if (this.#isCut) {
      this.#isCut = false;
      this.#onMend?.();
    }
  }
  async #request(native, input, init) {
    if (this.#isCut) {
      throw new TypeError("there is no network while the line is cut");
    }
    const ended = new AbortController();
    this.#requests.add(ended);
    const signal = init?.signal ? AbortSignal.any([init.signal, ended.signal]) : ended.signal;
    try {
      return await native(input, { ...init, signal });
    } catch (error) {
      throw ended.signal.aborted ? new TypeError("the line was cut") : error;
    } finally {
      this.#requests.delete(ended);
    }
  }
};
var CuttableSocket = class extends EventTarget {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSING = 2;
  static CLOSED = 3;
  CONNECTING = 0;
  OPEN = 1;
  CLOSING = 2;
  CLOSED = 3;
  url;
  #onFrame;
  #handlers = /* @__PURE__ */ new Map();
  #native;
  #isClosed = false;
  constructor(Native, url, protocols, onFrame) {
    super();
    this.url = String(url);
    this.#onFrame = onFrame;
    if (Native === void 0) {
      setTimeout(() => this.drop(), REFUSAL_MS);
    } else {
      this.#native = protocols === void 0 ? new Native(url) : new Native(url, protocols);
      this.#listen(this.#native);
    }
  }
  get readyState() {
    return this.#isClosed ? 3 : this.#native?.readyState ?? 0;
  }
  get bufferedAmount() {
    return this.#native?.bufferedAmount ?? 0;
  }
  get protocol() {
    return this.#native?.protocol ?? "";
  }
  get extensions() {
    return this.#native?.extensions ?? "";
  }
  get binaryType() {
    return this.#native?.binaryType ?? "blob";
  }
  set binaryType(type) {
    if (this.#native !== void 0) {
      this.#native.binaryType = type;
    }
  }
  get onopen() {
    return this.#handlers.get("open") ?? null;
  }
  set onopen(handler) {
    this.#handle("open", handler);
  }
  get onmessage() {
    return this.#handlers.get("message") ?? null;
  }
  set onmessage(handler) {
    this.#handle("message", handler);
  }
  get onerror() {
    return this.#handlers.get("error") ?? null;
  }
  set onerror(handler) {
    this.#handle("error", handler);
  }
  get onclose() {
    return this.#handlers.get("close") ?? null;
  }
  set onclose(handler) {
    this.#handle("close", handler);
  }
  send(data) {
    this.#native?.send(data);
    if (this.readyState === 1) {
      this.#onFrame?.({ direction: "out", url: this.url, data });
    }
  }
  close(code, reason) {
    if (this.#native === void 0) {
      this.drop();
    } else if (code === void 0) {
      this.#native.close();
    } else {
      this.#native.close(code, reason);
    }
  }
  /** The end as a lost network makes it. */
  drop() {
    if (this.#isClosed) {
      return;
    }
    const native = this.#native;
    this.#native = void 0;
    this.#isClosed = true;
    native?.close();
    this.dispatchEvent(new Event("error"));
    this.dispatchEvent(new CloseEvent("close", { code: 1006, reason: "", wasClean: false }));
  }
  #listen(native) {
    const passOn = (type, copy) => {
      native.addEventListener(type, (event) => {
        if (this.#native === native) {
          this.dispatchEvent(copy(event));
        }
      });
    };
    passOn("open", () => new Event("open"));
    passOn("error", () => new Event("error"));
    passOn("message", (event) => {
      const { data } = event;
      this.#onFrame?.({ direction: "in", url: this.url, data });
      return new MessageEvent("message", { data });
    });
    passOn("close", (event) => {
      const { code, reason, wasClean } = event;
      this.#isClosed = true;
      return new CloseEvent("close", { code, reason, wasClean });
    });
  }
  #handle(type, handler) {
    const before = this.#handlers.get(type);
    if (before) {
      this.removeEventListener(type, before);
    }
    this.#handlers.set(type, handler);
    if (handler) {
      this.addEventListener(type, handler);
    }
  }
};

// src/demo/status-text.ts
var SENTENCES = {
  idle: "Not started.",
  connecting: "Opening a line and waiting for the server’s welcome.",
  authenticating: "The line is open; the server looks at the token.",
  online: "The line is open and was heard from lately.",
  probing: "The line is open, but quiet. A ping is out to see if it lives.",
  waiting: "No line. The next attempt has its time.",
  stopped: "No line, and none will be opened."
};
function sentenceOf(state) {
  return SENTENCES[state] ?? state;
}
function toneOf(state) {
  if (state === "online") {
    return "good";
  }
  return state === "stopped" ? "bad" : "warm";
}
function nextTryText({ state, retryAt }, now) {
  if (state === "connecting" || state === "authenticating") {
    return "now";
  }
  if (state !== "waiting" || retryAt === void 0) {
    return "–";
  }
  return retryAt > now ? `in ${((retryAt - now) / 1e3).toFixed(1)} s` : "now";
}
function closeText({ code, reason }) {
  if (code === void 0) {
    return "–";
  }
  if (reason) {
    return `${code} ${reason}`;
  }
  return code === 1006 ? "1006, no goodbye" : String(code);
}
function queueText(size, bytes) {
  return size === 0 ? "empty" : `${counted(size, "message")}, ${formatSize(bytes)}`;
}
function counted(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

// src/demo/line-view.ts
var SVG = "http://www.w3.org/2000/svg";
var PULSE_MS = 520;
var PULSES_MAX = 8;
var [LEFT, RIGHT] = [42, 258];
var LineView = class {
  #page;
  #isCalm;
  #pulses = 0;
  #state = "";
  #verdict = "";
  constructor(page2, view) {
    this.#page = page2;
    this.#isCalm = view.matchMedia("(prefers-reduced-motion: reduce)");
  }
  draw(facts, verdict, now) {
    this.#drawState(facts.status);
    this.#drawCut(facts, now);
    const { status } = facts;
    const attempting = status.state === "online" || status.state === "probing" ? "–" : String(status.attempt + 1);
    this.#text("attempt", attempting);
    this.#text("next-try", nextTryText(status, now));
    byId(this.#page, "try-now", HTMLElement).hidden = status.state !== "waiting" || facts.isCut;
    this.#text("queue", queueText(facts.queueSize, facts.queueBytes));
    this.#text("last-close", closeText(status));
    this.#text("frames", `${facts.framesOut} out, ${facts.framesIn} in`);
    this.#drawVerdict(verdict, facts);
  }
  /** A frame runs along the drawn line. */
  pulse(direction) {
    if (this.#isCalm.matches || this.#page.hidden || this.#pulses >= PULSES_MAX) {
      return;
    }
    const dot = this.#page.createElementNS(SVG, "circle");
    dot.setAttribute("class", "pulse");
    dot.setAttribute("r", "3.5");
    dot.setAttribute("cy", direction === "out" ? "25" : "31");
    dot.dataset["direction"] = direction;
    this.#page.getElementById("pulses")?.append(dot);
    this.#pulses += 1;
    const [from, to] = direction === "out" ? [LEFT, RIGHT] : [RIGHT, LEFT];
    const way = [{ transform: `translateX(${from}px)` }, { transform: `translateX(${to}px)` }];
    dot.animate(way, { duration: PULSE_MS, easing: "ease-in-out", fill: "both" }).addEventListener("finish", () => {
      this.#pulses -= 1;
      dot.remove();
    });
  }
  #drawState({ state }) {
    if (state === this.#state) {
      return;
    }
    this.#state = state;
    const tone = toneOf(state);
    for (const id of ["state", "dock-state"]) {
      const badge = byId(this.#page, id, HTMLElement);
      badge.textContent = state;
      badge.dataset["state"] = state;
      badge.dataset["tone"] = tone;
    }
    byId(this.#page, "line", HTMLElement).dataset["open"] = String(state === "online" || state === "probing");
    for (const node of this.#page.querySelectorAll(".machine-state")) {
      if (node.dataset["state"] === state) {
        node.dataset["current"] = tone;
      } else {
        delete node.dataset["current"];
      }
    }
    this.#text("machine-sentence", sentenceOf(state));
  }
  #drawCut({ isCut, mendsAt, cutFor }, now) {
    byId(this.#page, "line", HTMLElement).dataset["cut"] = String(isCut);
    byId(this.#page, "dock", HTMLElement).dataset["cut"] = String(isCut);
    this.#text("cut-text", isCut ? "Mend the line" : "Cut the line");
    this.#text("dock-cut", isCut ? "Mend" : "Cut");
    const left = isCut && mendsAt !== void 0 && cutFor > 0 ? Math.max(0, mendsAt - now) / cutFor : 0;
    byId(this.#page, "cut-rest", HTMLElement).style.transform = `scaleX(${left.toFixed(3)})`;
  }
  #drawVerdict(verdict, facts) {
    const { title, text: text2, items, isSure } = wordsOf(verdict, facts);
    const box = byId(this.#page, "verdict", HTMLElement);
    box.dataset["phase"] = verdict.phase;
    box.dataset["sure"] = String(isSure);
    if (verdict.phase === "done") {
      box.dataset["recovered"] = String(verdict.recovered);
      box.dataset["lost"] = String(verdict.lost);
    }
    this.#text("verdict-title", title);
    this.#text("verdict-text", text2);
    this.#text("dock-text", verdict.phase === "none" ? "" : title);
    const said = items.map((item) => item.join(" ")).join("\n");
    if (said !== this.#verdict) {
      this.#verdict = said;
      const rows = items.map(([name, result]) => {
        const row = this.#page.createElement("li");
        row.append(textElement(this.#page, "span", "mono", name), textElement(this.#page, "span", "", result));
        return row;
      });
      byId(this.#page, "verdict-list", HTMLElement).replaceChildren(...rows);
    }
  }
  /** Only what is new is written: a status that is read out is not to repeat itself. */
  #text(id, text2) {
    const element = byId(this.#page, id, HTMLElement);
    if (element.textContent !== text2) {
      element.textContent = text2;
    }
  }
};
function wordsOf(verdict, facts) {
  const waits = facts.queueSize === 0 ? "Nothing waits here yet." : `${counted(facts.queueSize, "message")} of yours wait here.`;
  switch (verdict.phase) {
    case "none":
      return {
        title: "Not cut yet",
        text: "Press it. The rest of the page goes on as far as it can.",
        items: [],
        isSure: true
      };
    case "cut":
      return { title: cutTitle(facts.cutFor), text: `No network for this page. ${waits}`, items: [], isSure: true };
    case "returning":
      return { title: "On the way back", text: `Opening a line again. ${waits}`, items: [], isSure: true };
    case "checking":
      return { title: "Checking", text: "Back. Asking the server what was published meanwhile.", items: [], isSure: true };
    case "done": {
      const isSure = verdict.isCertain && verdict.lost === 0;
      return {
        title: `${verdict.recovered} recovered, ${verdict.lost} lost`,
        text: `Away for ${(verdict.away / 1e3).toFixed(1)} s. ${verdict.isCertain ? "Checked against the server’s history:" : "Not all of it could be checked:"}`,
        items: [...verdict.channels.map((one) => [one.channel, resultOf(one)]), ...sentItems(verdict.sent)],
        isSure
      };
    }
  }
}
function sentItems({ count, delivered, failed }) {
  if (count === 0) {
    return [];
  }
  const rest = failed > 0 ? `, ${failed} not sent` : "";
  return [["sent by you", `${delivered} of ${count} delivered${rest}`]];
}
function resultOf({ recovered, missing, gap }) {
  if (gap !== void 0) {
    return `gap: ${gap}`;
  }
  return missing > 0 ? `${missing} missing` : `${recovered} back`;
}
function cutTitle(cutFor) {
  return cutFor === 0 ? "Cut until you mend it" : `Cut for ${cutFor / 1e3} s`;
}

// src/demo/line-panel.ts
var FAST_DRAW_MS = 100;
var DRAW_MS2 = 16;
var SETTLE_MS = 400;
var PAGE = 100;
var PAGES_MAX2 = 20;
var LinePanel = class {
  #page;
  #client;
  #cutter;
  #audit;
  #view;
  #watched;
  #drawTimer;
  #mendTimer;
  #mendsAt;
  #cutFor = 0;
  #lastClose = {};
  #frames = { in: 0, out: 0 };
  #wasOpen = false;
  constructor(page2, view, client, cutter, audit, watched) {
    this.#page = page2;
    this.#client = client;
    this.#cutter = cutter;
    this.#audit = audit;
    this.#watched = watched;
    this.#view = new LineView(page2, view);
    for (const id of ["cut", "dock-cut"]) {
      byId(page2, id, HTMLButtonElement).addEventListener("click", () => this.#toggle());
    }
    byId(page2, "try-now", HTMLButtonElement).addEventListener("click", () => watched.wake());
    client.on("status", (status) => this.#handleStatus(status));
    this.#showDock(view);
    this.#draw();
  }
  /** A frame of any socket of the page. */
  handleFrame({ direction }) {
    this.#frames[direction] += 1;
    this.#view.pulse(direction);
    this.#schedule(DRAW_MS2);
  }
  /** Something that the panel shows may have changed, such as the queue. */
  handleChange() {
    this.#schedule(DRAW_MS2);
  }
  #toggle() {
    if (this.#cutter.isCut) {
      this.#mend();
      return;
    }
    const chosen = this.#page.querySelector("input[name=cut-for]:checked");
    this.#cutFor = Number(chosen?.value ?? 0);
    this.#beginAudit();
    this.#cutter.cut();
    if (this.#cutFor > 0) {
      this.#mendsAt = Date.now() + this.#cutFor;
      this.#mendTimer = setTimeout(() => this.#mend(), this.#cutFor);
    }
    this.#draw();
  }
  #mend() {
    clearTimeout(this.#mendTimer);
    this.#mendTimer = void 0;
    this.#mendsAt = void 0;
    this.#audit.handleMended();
    this.#cutter.mend();
    this.#draw();
  }
  #beginAudit() {
    const positions = this.#watched.channels().flatMap(({ name, position }) => position === void 0 ? [] : [[name, position]]);
    this.#audit.handleCut(new Map(positions), Date.now());
  }
  #handleStatus(status) {
    if (status.code !== void 0) {
      this.#lastClose = { code: status.code, ...status.reason === void 0 ? {} : { reason: status.reason } };
    }
    const isOpen = status.state === "online" || status.state === "probing";
    if (isOpen !== this.#wasOpen) {
      this.#wasOpen = isOpen;
      this.#watched.handleLine(isOpen);
      if (status.state !== "stopped" && !isOpen && !this.#cutter.isCut) {
        this.#beginAudit();
        this.#audit.handleMended();
      }
      if (isOpen) {
        this.#audit.handleOnline(Date.now());
        setTimeout(() => void this.#check(), SETTLE_MS);
      }
    }
    this.#draw();
  }
  /** Asks the server for what was published since the cut, channel by channel. */
  async #check() {
    for (const [name, since] of this.#audit.toCheck) {
      const channel = this.#watched.channels().find((one) => one.name === name);
      const published = channel === void 0 ? void 0 : await positionsSince(channel, since).catch(() => void 0);
      this.#audit.handleHistory(name, published);
    }
    this.#draw();
  }
  #schedule(delay) {
    this.#drawTimer ??= setTimeout(() => this.#draw(), delay);
  }
  #draw() {
    clearTimeout(this.#drawTimer);
    this.#drawTimer = void 0;
    const { status, queue } = this.#client;
    this.#view.draw(
      {
        status: { ...this.#lastClose, ...status },
        queueSize: queue.size,
        queueBytes: queue.bytes,
        framesIn: this.#frames.in,
        framesOut: this.#frames.out,
        isCut: this.#cutter.isCut,
        mendsAt: this.#mendsAt,
        cutFor: this.#cutFor
      },
      this.#audit.verdict,
      Date.now()
    );
    if (status.state === "waiting" || this.#mendsAt !== void 0) {
      this.#schedule(FAST_DRAW_MS);
    }
  }
  /** On a narrow page the button stays in reach while its card is out of sight. */
  #showDock(view) {
    const dock = byId(this.#page, "dock", HTMLElement);
    if ("IntersectionObserver" in view) {
      new IntersectionObserver(([entry]) => {
        dock.hidden = entry?.isIntersecting ?? true;
      }).observe(byId(this.#page, "cut", HTMLElement));
    }
  }
};
async function positionsSince(channel, since) {
  const found = [];
  let from = since;
  for (let page2 = 0; page2 < PAGES_MAX2; page2 += 1) {
    const { messages, more } = await channel.history({ since: from, limit: PAGE });
    found.push(...messages.flatMap(({ position }) => position ?? []));
    const last = messages.at(-1)?.position;
    if (!more || last === void 0) {
      return found;
    }
    from = last;
  }
  throw new Error("more was published than is checked");
}

// src/demo/me.ts
var NAME_KEY = "openline.demo.name";
var TAB_KEY = "openline.demo.tab";
var Me = class {
  #storage;
  #listeners = /* @__PURE__ */ new Set();
  #person;
  /** `isReload`: the page was there before. A tab that was duplicated brings its storage, but is another person. */
  constructor(storage, isReload2, random) {
    this.#storage = storage;
    const tab = (isReload2 ? this.#stored(TAB_KEY) : void 0) ?? inventedTab(random);
    const name = this.#stored(NAME_KEY) ?? inventedName(random);
    this.#person = { tab, name, hue: hueOf(tab) };
    this.#store();
  }
  get person() {
    return this.#person;
  }
  /** Returns the name that counts: an empty one changes nothing. */
  rename(input) {
    const name = cleanName(input);
    if (name !== "" && name !== this.#person.name) {
      this.#person = { ...this.#person, name };
      this.#store();
      for (const listener of this.#listeners) {
        listener();
      }
    }
    return this.#person.name;
  }
  onRename(listener) {
    this.#listeners.add(listener);
  }
  #stored(key) {
    try {
      return this.#storage?.getItem(key) ?? void 0;
    } catch {
      return void 0;
    }
  }
  /** A browser that forbids storage just forgets. */
  #store() {
    try {
      this.#storage?.setItem(NAME_KEY, this.#person.name);
      this.#storage?.setItem(TAB_KEY, this.#person.tab);
    } catch {
    }
  }
};

// src/demo/cursors.ts
var SEND_EVERY_MS = 50;
var IDLE_MS = 12e3;
var CURSORS_MAX = 100;
var Cursors = class {
  #me;
  #others = /* @__PURE__ */ new Map();
  #own;
  #unsent;
  #mayAt = Number.NEGATIVE_INFINITY;
  constructor(me) {
    this.#me = me;
  }
  get others() {
    return [...this.#others.values()];
  }
  get own() {
    return this.#own;
  }
  /** Returns whether something is to be drawn anew. */
  handleMessage(event, data, now) {
    const person = parsePerson(data);
    if (person === void 0 || person.tab === this.#me) {
      return false;
    }
    if (event === "leave") {
      return this.#others.delete(person.tab);
    }
    const place = parsePlace(data);
    if (place === void 0 || !this.#others.has(person.tab) && this.#others.size >= CURSORS_MAX) {
      return false;
    }
    this.#others.set(person.tab, { ...place, person, seenAt: now });
    return true;
  }
  handleOwnMove(place) {
    this.#own = { x: clamp2(place.x), y: clamp2(place.y) };
    this.#unsent = this.#own;
  }
  /** An arrow key: a step, from the middle at first. */
  handleOwnStep(key, step) {
    const [x, y] = STEPS[key] ?? [0, 0];
    if (x === 0 && y === 0) {
      return false;
    }
    const from = this.#own ?? { x: 0.5, y: 0.5 };
    this.handleOwnMove({ x: from.x + x * step, y: from.y + y * step });
    return true;
  }
  handleOwnLeave() {
    this.#own = void 0;
    this.#unsent = void 0;
  }
  /** The place to tell the others now, if there is one and its time has come. */
  pollSend(now) {
    const place = this.#unsent;
    if (place === void 0 || now < this.#mayAt) {
      return void 0;
    }
    this.#unsent = void 0;
    this.#mayAt = now + SEND_EVERY_MS;
    return place;
  }
  /** When `pollSend` has something, if it will. */
  pollTimeout() {
    return this.#unsent === void 0 ? void 0 : this.#mayAt;
  }
  /** Drops who has not moved lately. Returns whether somebody went. */
  handleTimeout(now) {
    const before = this.#others.size;
    this.#others = new Map([...this.#others].filter(([, { seenAt }]) => now - seenAt < IDLE_MS));
    return this.#others.size !== before;
  }
};
var STEPS = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1]
};
function parsePlace(data) {
  const { x, y } = data ?? {};
  const isPlace = typeof x === "number" && typeof y === "number" && Number.isFinite(x) && Number.isFinite(y);
  return isPlace ? { x: clamp2(x), y: clamp2(y) } : void 0;
}
function clamp2(share) {
  return Math.min(1, Math.max(0, share));
}

// src/demo/cursors-view.ts
var SVG2 = "http://www.w3.org/2000/svg";
var ARROW = "M2 1.5 15 8.2 8.6 9.9 5.8 16z";
var RING_MS = 650;
var CursorsView = class {
  #page;
  #area;
  #list;
  constructor(page2) {
    this.#page = page2;
    this.#area = byId(page2, "area", HTMLElement);
    const layer = page2.createElement("div");
    layer.setAttribute("aria-hidden", "true");
    this.#area.append(layer);
    this.#list = new KeyedList(
      layer,
      ({ person }) => person.tab,
      ({ person }) => this.#make(person),
      (element, cursor) => this.#update(element, cursor)
    );
  }
  /** The place in the area of a pointer on the page. */
  placeOf(event) {
    const { left, top, width, height } = this.#area.getBoundingClientRect();
    return { x: (event.clientX - left) / width, y: (event.clientY - top) / height };
  }
  /** `own` is shown where the mouse does not show it already. */
  draw(others, own) {
    this.#list.draw(own === void 0 ? others : [...others, own]);
  }
  ring({ x, y }, tab) {
    const ring = textElement(this.#page, "span", "ring", "");
    ring.dataset["hue"] = String(hueOf(tab));
    ring.style.left = `${x * 100}%`;
    ring.style.top = `${y * 100}%`;
    this.#area.append(ring);
    setTimeout(() => ring.remove(), RING_MS);
  }
  #make(person) {
    const made = textElement(this.#page, "div", "cursor", "");
    made.dataset["tab"] = person.tab;
    made.dataset["hue"] = String(person.hue);
    const svg = this.#page.createElementNS(SVG2, "svg");
    svg.setAttribute("viewBox", "0 0 17 17");
    const path = this.#page.createElementNS(SVG2, "path");
    path.setAttribute("d", ARROW);
    svg.append(path);
    const name = textElement(this.#page, "span", "cursor-name", "");
    name.dir = "auto";
    made.append(svg, name);
    return made;
  }
  #update(element, { x, y, person }) {
    const { clientWidth, clientHeight } = this.#area;
    element.style.transform = `translate(${Math.round(x * clientWidth)}px, ${Math.round(y * clientHeight)}px)`;
    element.dataset["flip"] = String(x > 0.75);
    const name = element.querySelector(".cursor-name");
    if (name !== null && name.textContent !== person.name) {
      name.textContent = person.name;
    }
  }
};

// src/demo/shared-cursors.ts
var CHANNEL = "demo:cursors";
var STEP = 0.025;
var LONG_STEP = 0.1;
var SWEEP_MS = 1e3;
var SharedCursors = class {
  #page;
  #client;
  #me;
  #cursors;
  #view;
  #isByKey = false;
  #sendTimer;
  constructor(page2, client, me) {
    this.#page = page2;
    this.#client = client;
    this.#me = me;
    this.#cursors = new Cursors(me.person.tab);
    this.#view = new CursorsView(page2);
    const channel = client.channel(CHANNEL);
    for (const event of ["move", "leave", "ring"]) {
      channel.on(`event:${event}`, (publication2) => this.#handleMessage(event, publication2.data));
    }
    channel.subscribe().catch(() => void 0);
    this.#listen(byId(page2, "area", HTMLElement));
    setInterval(() => {
      if (this.#cursors.handleTimeout(Date.now())) {
        this.#draw();
      }
    }, SWEEP_MS);
  }
  #listen(area) {
    area.addEventListener("pointermove", (event) => {
      this.#isByKey = false;
      this.#cursors.handleOwnMove(this.#view.placeOf(event));
      this.#send();
    });
    area.addEventListener("pointerleave", () => this.#leave());
    area.addEventListener("pointerdown", (event) => this.#ring(this.#view.placeOf(event)));
    area.addEventListener("blur", () => this.#leave());
    area.addEventListener("keydown", (event) => {
      if (event.key === " " || event.key === "Enter") {
        event.preventDefault();
        this.#ring(this.#cursors.own ?? { x: 0.5, y: 0.5 });
      } else if (this.#cursors.handleOwnStep(event.key, event.shiftKey ? LONG_STEP : STEP)) {
        event.preventDefault();
        this.#isByKey = true;
        this.#send();
        this.#draw();
      }
    });
    new ResizeObserver(() => this.#draw()).observe(area);
  }
  #handleMessage(event, data) {
    const person = parsePerson(data);
    const place = parsePlace(data);
    if (event === "ring" && person !== void 0 && place !== void 0 && person.tab !== this.#me.person.tab) {
      this.#view.ring(place, person.tab);
    }
    if (this.#cursors.handleMessage(event, data, Date.now())) {
      this.#draw();
    }
  }
  /** Sends where we are, now or as soon as it may be; in between only the newest place counts. */
  #send() {
    const place = this.#cursors.pollSend(Date.now());
    if (place !== void 0) {
      this.#publish("move", place);
    } else if (this.#cursors.pollTimeout() !== void 0) {
      this.#sendTimer ??= setTimeout(() => {
        this.#sendTimer = void 0;
        this.#send();
      }, SEND_EVERY_MS);
    }
  }
  #leave() {
    this.#isByKey = false;
    this.#cursors.handleOwnLeave();
    this.#publish("leave", {});
    this.#draw();
  }
  #ring(place) {
    this.#view.ring(place, this.#me.person.tab);
    this.#publish("ring", place);
  }
  /** Volatile: without a line it is dropped, which is what is wanted of a pointer. */
  #publish(event, data) {
    const { tab, name } = this.#me.person;
    this.#client.publish(CHANNEL, { tab, name, ...data }, { event, volatile: true, echo: false }).catch(() => void 0);
  }
  #draw() {
    const { own, others } = this.#cursors;
    const mine = this.#isByKey && own !== void 0 ? { ...own, person: this.#me.person, seenAt: 0 } : void 0;
    this.#view.draw(others, mine);
    const text2 = others.length === 0 ? "only you" : `you and ${counted(others.length, "other")}`;
    const count = byId(this.#page, "cursors-count", HTMLElement);
    if (count.textContent !== text2) {
      count.textContent = text2;
    }
  }
};

// src/demo/ticks.ts
var TICKS_MAX = 240;
var JOIN_MS = 2600;
var HEIGHT_MIN = 0.4;
var Ticks = class {
  #ticks = [];
  #spans = [];
  /** The server's clock minus ours. The message that was the fastest is the best guess. */
  #offset;
  get all() {
    return this.#ticks;
  }
  get spans() {
    return this.#spans;
  }
  get last() {
    return this.#ticks.at(-1);
  }
  /** The server's time when ours is `now`. */
  serverTime(now) {
    return now + (this.#offset ?? 0);
  }
  handleTick(tick, now, isLive) {
    if (isLive) {
      this.#offset = Math.max(this.#offset ?? Number.NEGATIVE_INFINITY, tick.at - now);
    }
    const at = this.#ticks.findLastIndex((one) => one.at <= tick.at) + 1;
    this.#ticks.splice(at, 0, tick);
    this.#ticks.splice(0, Math.max(0, this.#ticks.length - TICKS_MAX));
  }
  handleLine(isOpen, now) {
    const at = this.serverTime(now);
    const open = this.#spans.at(-1);
    if (isOpen && open !== void 0 && open.to === void 0) {
      this.#spans.splice(-1, 1, { from: open.from, to: at });
    } else if (!isOpen && (open === void 0 || open.to !== void 0)) {
      this.#spans.push({ from: at, to: void 0 });
      this.#spans.splice(0, Math.max(0, this.#spans.length - 20));
    }
  }
  /** The prices since `from`, with one before it so that the line reaches the edge. */
  since(from) {
    const first = this.#ticks.findIndex((tick) => tick.at >= from);
    return first === -1 ? [] : this.#ticks.slice(Math.max(0, first - 1));
  }
};
function parseTick(data) {
  const { price, change } = data ?? {};
  if (typeof price !== "number" || !Number.isFinite(price)) {
    return void 0;
  }
  return { price, change: typeof change === "number" && Number.isFinite(change) ? change : 0 };
}
function scaleOf(ticks) {
  if (ticks.length === 0) {
    return { low: 0, high: 1 };
  }
  const prices = ticks.map(({ price }) => price);
  const low = Math.min(...prices);
  const high = Math.max(...prices);
  const air = Math.max((high - low) * 0.15, (HEIGHT_MIN - (high - low)) / 2, 0);
  return { low: low - air, high: high + air };
}
function nearer(from, to, share) {
  return { low: from.low + (to.low - from.low) * share, high: from.high + (to.high - from.high) * share };
}
function overlap(a, b) {
  const common = Math.min(a.high, b.high) - Math.max(a.low, b.low);
  return common > Math.min(a.high - a.low, b.high - b.low) / 2;
}
function gridOf({ low, high }, count = 4) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * power).find((one) => one >= rough) ?? rough;
  const found = [];
  for (let price = Math.ceil(low / step) * step; price <= high; price += step) {
    found.push(Number(price.toFixed(6)));
  }
  return found;
}
function runsOf(ticks) {
  const runs = [];
  for (const tick of ticks) {
    const run = runs.at(-1);
    const before = run?.at(-1);
    if (run !== void 0 && before !== void 0 && tick.at - before.at <= JOIN_MS) {
      run.push(tick);
    } else {
      runs.push([tick]);
    }
  }
  return runs;
}
function priceAt(ticks, at) {
  const next = ticks.findIndex((tick) => tick.at >= at);
  const [before, after] = [ticks[next - 1], ticks[next]];
  if (after === void 0) {
    return ticks.at(-1)?.price;
  }
  if (before === void 0 || after.at === before.at) {
    return after.price;
  }
  return before.price + (after.price - before.price) * (at - before.at) / (after.at - before.at);
}

// src/demo/ticker-view.ts
var SVG3 = "http://www.w3.org/2000/svg";
var WINDOW_MS = 6e4;
var BEHIND_MS = 1100;
var AXIS = 46;
var TOP = 6;
var BOTTOM = 10;
var EASE = 0.12;
var TickerView = class {
  #ticks;
  #box;
  #svg;
  #isCalm;
  #width = 0;
  #height = 0;
  #scale;
  constructor(page2, view, ticks) {
    this.#ticks = ticks;
    this.#box = byId(page2, "chart", HTMLElement);
    this.#svg = page2.createElementNS(SVG3, "svg");
    this.#svg.setAttribute("aria-hidden", "true");
    this.#box.append(this.#svg);
    this.#svg.append(this.#hatch(), this.#group("chart-grid"), this.#group("chart-spans"), this.#group("chart-lines"));
    this.#isCalm = view.matchMedia("(prefers-reduced-motion: reduce)");
    new ResizeObserver(() => {
      this.#width = this.#box.clientWidth;
      this.#height = this.#box.clientHeight;
      this.#svg.setAttribute("viewBox", `0 0 ${this.#width} ${this.#height}`);
      this.draw(Date.now());
    }).observe(this.#box);
  }
  /** Whether the picture has to be drawn for each frame: not for people who asked for less motion. */
  get isMoving() {
    return !this.#isCalm.matches;
  }
  draw(now) {
    if (this.#width === 0) {
      return;
    }
    const end = this.#ticks.serverTime(now) - (this.isMoving ? BEHIND_MS : 0);
    const ticks = this.#ticks.since(end - WINDOW_MS);
    const wanted = scaleOf(ticks);
    const isNear = this.#scale !== void 0 && this.isMoving && overlap(this.#scale, wanted);
    this.#scale = isNear && this.#scale !== void 0 ? nearer(this.#scale, wanted, EASE) : wanted;
    const at = new Projection(this.#width - AXIS, this.#height, end, this.#scale);
    this.#drawGrid(at, ticks.length === 0);
    this.#drawSpans(at);
    this.#drawLines(at, ticks, end);
  }
  #drawGrid(at, isEmpty) {
    const group = this.#svg.querySelector(".chart-grid");
    if (isEmpty) {
      const text2 = this.#element("text", { class: "chart-wait", x: this.#width / 2, y: this.#height / 2 });
      text2.textContent = "Waiting for the first price";
      group?.replaceChildren(text2);
      return;
    }
    const rows = gridOf(at.scale).map((price) => {
      const y = at.y(price);
      const text2 = this.#element("text", { x: this.#width, y: y + 4 });
      text2.textContent = price.toFixed(2);
      return [this.#element("line", { x1: 0, x2: this.#width - AXIS, y1: y, y2: y }), text2];
    });
    group?.replaceChildren(...rows.flat());
  }
  #drawSpans(at) {
    const shown = this.#ticks.spans.map(({ from, to }) => ({ from: Math.max(0, at.x(from)), to: Math.min(at.width, at.x(to ?? at.end)) })).filter(({ from, to }) => to > from);
    const shapes = shown.flatMap(({ from, to }) => {
      const rect = this.#element("rect", {
        class: "chart-span",
        x: from,
        y: TOP - 4,
        width: to - from,
        height: this.#height - TOP - BOTTOM + 8,
        rx: 3
      });
      if (to - from < 44) {
        return [rect];
      }
      const label = this.#element("text", { class: "chart-span-label", x: (from + to) / 2, y: TOP + 10 });
      label.textContent = "no line";
      return [rect, label];
    });
    this.#svg.querySelector(".chart-spans")?.replaceChildren(...shapes);
  }
  #drawLines(at, ticks, end) {
    const shapes = [];
    const seen = ticks.filter((tick) => tick.at <= end);
    for (const run of runsOf(seen)) {
      const reachesHead = run.at(-1) === seen.at(-1);
      const points = run.map((tick) => at.point(tick));
      const next = ticks[seen.length];
      const head2 = priceAt(ticks, end);
      if (reachesHead && next !== void 0 && head2 !== void 0 && runsOf([...run, next]).length === 1) {
        points.push([at.x(end), at.y(head2)]);
      }
      const line = pathOf(points);
      const [first, last2] = [points[0], points.at(-1)];
      if (first !== void 0 && last2 !== void 0 && points.length > 1) {
        const floor = this.#height - BOTTOM + 4;
        shapes.push(this.#element("path", { class: "chart-fill", d: `${line}V${floor}H${round(first[0])}Z` }));
      }
      shapes.push(this.#element("path", { class: "chart-line", d: line }));
      shapes.push(...this.#recovered(at, run));
    }
    const head = priceAt(seen.length > 0 ? ticks : [], end);
    const last = seen.at(-1);
    if (head !== void 0 && last !== void 0) {
      const isJoined = ticks[seen.length] !== void 0;
      const x = isJoined ? at.x(end) : at.x(last.at);
      shapes.push(this.#element("circle", { class: "chart-head", cx: x, cy: at.y(isJoined ? head : last.price), r: 5 }));
    }
    this.#svg.querySelector(".chart-lines")?.replaceChildren(...shapes);
  }
  /** What came back after a cut: in another colour, each price a dot. */
  #recovered(at, run) {
    const shapes = [];
    const pieces2 = run.flatMap((tick, index) => {
      const before = run[index - 1];
      return tick.isRecovered && before !== void 0 ? [pathOf([at.point(before), at.point(tick)])] : [];
    });
    if (pieces2.length > 0) {
      shapes.push(this.#element("path", { class: "chart-back", d: pieces2.join("") }));
    }
    for (const tick of run.filter((one) => one.isRecovered)) {
      const [cx, cy] = at.point(tick);
      shapes.push(this.#element("circle", { class: "chart-dot-back", cx, cy, r: 3 }));
    }
    return shapes;
  }
  #hatch() {
    const defs = this.#element("defs", {});
    const pattern = this.#element("pattern", {
      id: "hatch",
      width: 7,
      height: 7,
      patternUnits: "userSpaceOnUse",
      patternTransform: "rotate(45)"
    });
    pattern.append(
      this.#element("rect", { class: "chart-hatch-ground", width: 7, height: 7 }),
      this.#element("line", { class: "chart-hatch-line", x1: 0, x2: 0, y1: 0, y2: 7 })
    );
    defs.append(pattern);
    return defs;
  }
  #group(name) {
    return this.#element("g", { class: name });
  }
  #element(tag, attributes) {
    const made = this.#svg.ownerDocument.createElementNS(SVG3, tag);
    for (const [name, value] of Object.entries(attributes)) {
      made.setAttribute(name, String(typeof value === "number" ? round(value) : value));
    }
    return made;
  }
};
var Projection = class {
  width;
  end;
  scale;
  #height;
  constructor(width, height, end, scale) {
    this.width = width;
    this.#height = height;
    this.end = end;
    this.scale = scale;
  }
  x(time) {
    return this.width * (1 - (this.end - time) / WINDOW_MS);
  }
  y(price) {
    const share = (price - this.scale.low) / (this.scale.high - this.scale.low);
    return TOP + (this.#height - TOP - BOTTOM) * (1 - share);
  }
  point(tick) {
    return [this.x(tick.at), this.y(tick.price)];
  }
};
function pathOf(points) {
  return points.map(([x, y], index) => `${index === 0 ? "M" : "L"}${round(x)} ${round(y)}`).join("");
}
function round(value) {
  return Math.round(value * 100) / 100;
}

// src/demo/ticker.ts
var TICKER = "ticker";
var HISTORY2 = 60;
var LABEL_MS = 5e3;
var CALM_DRAW_MS = 1e3;
var Ticker = class {
  channel;
  #page;
  #audit;
  #ticks = new Ticks();
  #view;
  #live = 0;
  #recovered = 0;
  #labelAt = 0;
  #isEvenFrame = false;
  #drawnAt = 0;
  constructor(page2, view, client, audit) {
    this.#page = page2;
    this.#audit = audit;
    this.#view = new TickerView(page2, view, this.#ticks);
    this.channel = client.channel(TICKER, { history: HISTORY2 });
    this.channel.on("event:tick", (publication2) => this.#handleTick(publication2));
    this.channel.on("gap", ({ reason }) => audit.handleGap(TICKER, reason));
    this.channel.subscribe().catch(() => void 0);
    this.#animate(view);
  }
  /** The line was opened or lost. */
  handleLine(isOpen) {
    this.#ticks.handleLine(isOpen, Date.now());
    byId(this.#page, "chart", HTMLElement).dataset["open"] = String(isOpen);
    this.#view.draw(Date.now());
  }
  #handleTick({ data, position, timestamp, replayed }) {
    const tick = parseTick(data);
    if (tick === void 0) {
      return;
    }
    const now = Date.now();
    const isRecovered = position !== void 0 && this.#audit.handlePublication(TICKER, position, replayed);
    this.#ticks.handleTick({ ...tick, at: timestamp ?? now, isRecovered }, now, !replayed);
    this.#live += Number(!replayed);
    this.#recovered += Number(isRecovered);
    this.#drawNumbers(now);
  }
  #drawNumbers(now) {
    const last = this.#ticks.last;
    if (last === void 0) {
      return;
    }
    byId(this.#page, "price", HTMLElement).textContent = last.price.toFixed(2);
    const change = byId(this.#page, "change", HTMLElement);
    change.textContent = `${last.change < 0 ? "−" : "+"}${Math.abs(last.change).toFixed(2)}`;
    change.dataset["sign"] = last.change < 0 ? "down" : "up";
    const back = this.#recovered === 0 ? "" : `, ${this.#recovered} recovered`;
    byId(this.#page, "ticks", HTMLElement).textContent = `${counted(this.#live, "price")} live${back}`;
    if (now - this.#labelAt > LABEL_MS) {
      this.#labelAt = now;
      const label = `Price of the last 60 seconds, now ${last.price.toFixed(2)}`;
      byId(this.#page, "chart", HTMLElement).setAttribute("aria-label", label);
    }
  }
  /** 30 pictures a second are smooth enough for a line that moves 10 pixels in that time. */
  #animate(view) {
    const frame = () => {
      const now = Date.now();
      this.#isEvenFrame = !this.#isEvenFrame;
      if (this.#view.isMoving ? this.#isEvenFrame : now - this.#drawnAt >= CALM_DRAW_MS) {
        this.#drawnAt = now;
        this.#view.draw(now);
      }
      view.requestAnimationFrame(frame);
    };
    view.requestAnimationFrame(frame);
  }
};

// src/demo/transfer-rate.ts
var WINDOW_MS2 = 3e3;
var TransferRate = class {
  #samples = [];
  handleProgress(sent, now) {
    this.#samples.push({ at: now, sent });
    const old = this.#samples.findLastIndex(({ at }) => at < now - WINDOW_MS2);
    this.#samples.splice(0, Math.max(0, old));
  }
  /** What was before a pause says nothing about what comes. */
  handlePause() {
    this.#samples = [];
  }
  /** Bytes per second over the last seconds, once there is something to measure. */
  get bytesPerSecond() {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (first === void 0 || last === void 0 || last.at - first.at < 50) {
      return void 0;
    }
    return (last.sent - first.sent) * 1e3 / (last.at - first.at);
  }
  /** Seconds that the rest will take. */
  secondsLeft(size) {
    const rate = this.bytesPerSecond;
    const last = this.#samples.at(-1);
    return rate === void 0 || rate <= 0 || last === void 0 ? void 0 : Math.max(0, size - last.sent) / rate;
  }
};

// src/demo/upload-text.ts
var STATES = {
  none: "",
  sending: "sending",
  waiting: "waiting for the line",
  paused: "paused",
  done: "complete",
  failed: "failed",
  cancelled: "cancelled"
};
function stateText(state) {
  return STATES[state];
}
function progressText(done, size) {
  const share = size === 0 ? 100 : Math.floor(done / size * 100);
  return `${formatSize(done)} of ${formatSize(size)}, ${share} %`;
}
function speedText(rate, size) {
  const speed = rate.bytesPerSecond;
  const left = rate.secondsLeft(size);
  if (speed === void 0) {
    return "";
  }
  return `${formatSize(Math.round(speed))}/s${left === void 0 ? "" : `, ${Math.ceil(left)} s left`}`;
}

// src/demo/uploads.ts
var COMPARE_BYTES_MAX = 64 * 1024 * 1024;
var CELLS = 96;
var Uploads = class {
  #page;
  #client;
  #upload;
  #rate = new TransferRate();
  #file;
  #state = "none";
  #isOpen = false;
  constructor(page2, client) {
    this.#page = page2;
    this.#client = client;
    byId(page2, "upload-cells", HTMLElement).append(...Array.from({ length: CELLS }, () => page2.createElement("span")));
    this.#listen();
  }
  /** The line was opened or lost. An upload goes on by itself. */
  handleLine(isOpen) {
    this.#isOpen = isOpen;
    this.#rate.handlePause();
    this.#draw();
  }
  #listen() {
    const input = byId(this.#page, "file", HTMLInputElement);
    input.addEventListener("change", () => {
      const [file] = input.files ?? [];
      if (file !== void 0) {
        this.#begin(file);
      }
      input.value = "";
    });
    const drop = byId(this.#page, "drop", HTMLElement);
    const mark = (isOver) => (event) => {
      event.preventDefault();
      drop.dataset["over"] = String(isOver);
    };
    drop.addEventListener("dragover", mark(true));
    drop.addEventListener("dragleave", mark(false));
    drop.addEventListener("drop", (event) => {
      mark(false)(event);
      const [file] = event.dataTransfer?.files ?? [];
      if (file !== void 0) {
        this.#begin(file);
      }
    });
    const button = (id, act) => byId(this.#page, id, HTMLButtonElement).addEventListener("click", act);
    button("upload-pause", () => this.#togglePause());
    button("upload-cancel", () => this.#upload?.cancel());
    button("upload-again", () => this.#reset());
  }
  #begin(file) {
    this.#reset();
    this.#file = file;
    this.#state = "sending";
    const begun = upload(this.#client, file, {
      onprogress: ({ acked }) => {
        this.#rate.handleProgress(acked, performance.now());
        this.#draw();
      }
    });
    this.#upload = begun;
    begun.done.then(
      (result) => this.#end(begun, () => void this.#show(file, result)),
      (error) => this.#end(begun, () => this.#fail(error))
    );
    this.#draw();
    byId(this.#page, "upload-pause", HTMLButtonElement).focus();
  }
  /** What an upload says that was put aside for another does not matter any more. */
  #end(ended, act) {
    if (this.#upload === ended) {
      act();
      this.#draw();
      byId(this.#page, "upload-again", HTMLButtonElement).focus();
    }
  }
  async #show(file, { sha256, url }) {
    this.#state = "done";
    const hash = byId(this.#page, "upload-hash", HTMLElement);
    const link = byId(this.#page, "upload-link", HTMLAnchorElement);
    hash.textContent = sha256;
    link.href = new URL(url, this.#page.location.href).href;
    link.textContent = file.name;
    byId(this.#page, "upload-result", HTMLElement).hidden = false;
    const own = await sumOf(file);
    if (own !== void 0 && this.#file === file) {
      hash.dataset["same"] = String(own === sha256);
      hash.textContent = own === sha256 ? `${sha256}, the same as here` : `${sha256}, but here it is ${own}`;
    }
  }
  #fail(error) {
    const isCancelled = error?.code === "aborted";
    this.#state = isCancelled ? "cancelled" : "failed";
    const box = byId(this.#page, "upload-error", HTMLElement);
    box.hidden = isCancelled;
    box.textContent = error instanceof Error ? error.message : String(error);
  }
  #togglePause() {
    const isPaused = this.#state === "paused";
    this.#state = isPaused ? "sending" : "paused";
    this.#rate.handlePause();
    if (isPaused) {
      this.#upload?.resume();
    } else {
      this.#upload?.pause();
    }
    this.#draw();
  }
  #reset() {
    this.#upload = void 0;
    this.#file = void 0;
    this.#state = "none";
    this.#rate = new TransferRate();
    byId(this.#page, "upload-result", HTMLElement).hidden = true;
    byId(this.#page, "upload-error", HTMLElement).hidden = true;
    delete byId(this.#page, "upload-hash", HTMLElement).dataset["same"];
    this.#draw();
  }
  #draw() {
    const file = this.#file;
    byId(this.#page, "drop", HTMLElement).hidden = file !== void 0;
    const box = byId(this.#page, "upload", HTMLElement);
    box.hidden = file === void 0;
    const state = this.#state === "sending" && !this.#isOpen ? "waiting" : this.#state;
    box.dataset["state"] = state;
    this.#text("upload-state", stateText(state));
    if (file === void 0) {
      return;
    }
    const { acked, sent } = this.#upload?.progress ?? { acked: 0, sent: 0, size: file.size };
    const done = state === "done" ? file.size : acked;
    this.#drawCells(done, Math.max(done, sent), file.size);
    byId(this.#page, "upload-progress", HTMLProgressElement).value = file.size === 0 ? 1 : done / file.size;
    this.#text("upload-name", `${file.name}, ${formatSize(file.size)}`);
    this.#text("upload-sent", progressText(done, file.size));
    this.#text("upload-speed", state === "sending" ? speedText(this.#rate, file.size) : "");
    const isUnderWay = state === "sending" || state === "waiting" || state === "paused";
    const pause = byId(this.#page, "upload-pause", HTMLElement);
    pause.hidden = !isUnderWay;
    this.#text("upload-pause", state === "paused" ? "Resume" : "Pause");
    byId(this.#page, "upload-cancel", HTMLElement).hidden = !isUnderWay;
    byId(this.#page, "upload-again", HTMLElement).hidden = isUnderWay;
  }
  #drawCells(stored, sent, size) {
    const cellsOf = (bytes) => size === 0 ? CELLS : Math.floor(bytes / size * CELLS);
    const [storedCells, sentCells] = [cellsOf(stored), cellsOf(sent)];
    for (const [index, cell] of [...byId(this.#page, "upload-cells", HTMLElement).children].entries()) {
      const state = index < storedCells ? "stored" : index < sentCells ? "sent" : "open";
      if (cell instanceof HTMLElement && cell.dataset["cell"] !== state) {
        cell.dataset["cell"] = state;
      }
    }
  }
  #text(id, text2) {
    const element = byId(this.#page, id, HTMLElement);
    if (element.textContent !== text2) {
      element.textContent = text2;
    }
  }
};
async function sumOf(file) {
  const subtle = crypto.subtle;
  if (subtle === void 0 || file.size > COMPARE_BYTES_MAX) {
    return void 0;
  }
  const sum2 = new Uint8Array(await subtle.digest("SHA-256", await file.arrayBuffer()));
  return Array.from(sum2, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// src/demo/page.ts
var DemoPage = class {
  #page;
  #client;
  constructor(page2, view) {
    this.#page = page2;
    const audit = new Audit();
    let panel;
    const wake = () => void view.dispatchEvent(new Event("online"));
    const cutter = new LineCutter({
      WebSocket: view.WebSocket,
      fetch: view.fetch.bind(view),
      onFrame: (frame) => panel?.handleFrame(frame),
      onMend: wake
    });
    const environment2 = { WebSocket: cutter.WebSocket, fetch: cutter.fetch };
    this.#client = createClient({
      url: webSocketUrl(page2.location.href, "ws"),
      backoff: { base: 400, max: 8e3 },
      environment: environment2
    });
    const me = new Me(storageOf(view), isReload(view), Math.random);
    const chat = new Chat(page2, this.#client, me, audit);
    const ticker = new Ticker(page2, view, this.#client, audit);
    const uploads = new Uploads(page2, this.#client);
    new SharedCursors(page2, this.#client, me);
    new Echo(page2, environment2);
    panel = new LinePanel(page2, view, this.#client, cutter, audit, {
      channels: () => [...chat.channels, ticker.channel],
      handleLine: (isOpen) => {
        ticker.handleLine(isOpen);
        uploads.handleLine(isOpen);
      },
      wake
    });
    chat.open(LOBBY);
    this.#client.connect().catch((error) => this.#fail(error));
  }
  /** The client has given up: it says why, and the page does not pretend. */
  #fail(error) {
    byId(this.#page, "machine-sentence", HTMLElement).textContent = error instanceof Error ? error.message : String(error);
  }
};
function storageOf(view) {
  try {
    return view.sessionStorage;
  } catch {
    return void 0;
  }
}
function isReload(view) {
  const [navigation] = view.performance.getEntriesByType("navigation");
  return navigation?.type === "reload";
}

// src/demo/main.ts
new DemoPage(document, window);
