import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import type { ReactNode } from "react";
import { FakeClient, installPage } from "./react-fakes.js";

installPage();
const { StrictMode, act, createElement } = await import("react");
const { createRoot, hydrateRoot } = await import("react-dom/client");
const { renderToString } = await import("react-dom/server");
const { OpenlineProvider, useChannel, useChannelReducer, useEvent, useMutation, usePresence, useRequest, useStatus } = await import(
  "../src/react/index.js"
);

let client: FakeClient;
let host: HTMLElement;

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout"] });
  client = new FakeClient();
  host = document.createElement("div");
});
afterEach(() => mock.timers.reset());

/** Mounts components below a provider, in StrictMode, and says how to change and unmount them. */
function mount(...components: (() => ReactNode)[]) {
  const root = createRoot(host);
  const show = (shown: (() => ReactNode)[]) =>
    act(async () =>
      root.render(
        createElement(
          StrictMode,
          null,
          createElement(OpenlineProvider, { client: client.asClient }, ...shown.map((component, key) => createElement(component, { key }))),
        ),
      ),
    );
  return { shown: show(components), show: (...shown: (() => ReactNode)[]) => show(shown), unmount: () => act(async () => root.unmount()) };
}

const later = (ms: number) => act(async () => mock.timers.tick(ms));

test("a provider connects once, and disconnects two seconds after it has gone", async () => {
  const view = mount();
  await view.shown;
  assert.deepEqual(client.calls, ["connect"]);
  await view.unmount();
  await later(1_999);
  assert.deepEqual(client.calls, ["connect"]);
  await later(1);
  assert.deepEqual(client.calls, ["connect", "disconnect"]);
});

test("a provider that comes back within two seconds keeps the line", async () => {
  const view = mount();
  await view.shown;
  await view.unmount();
  await later(1_500);
  await mount().shown;
  await later(10_000);
  assert.deepEqual(client.calls, ["connect"]);
});

test("a provider that comes back later connects again", async () => {
  const view = mount();
  await view.shown;
  await view.unmount();
  await later(5_000);
  await mount().shown;
  assert.deepEqual(client.calls, ["connect", "disconnect", "connect"]);
});

test("hooks without a provider say what is missing", () => {
  assert.throws(() => renderToString(createElement(() => useStatus().state)), /<OpenlineProvider>/);
});

test("on the server nothing is connected and the status is idle, and the page takes over without a difference", async () => {
  client.status = { state: "online", attempt: 0 };
  const page = createElement(OpenlineProvider, { client: client.asClient }, createElement(() => useStatus((status) => status.state)));
  host.innerHTML = renderToString(page);
  assert.equal(host.textContent, "idle");
  assert.deepEqual(client.calls, []);
  const differences: unknown[] = [];
  await act(async () => void hydrateRoot(host, page, { onRecoverableError: (error) => differences.push(error) }));
  assert.deepEqual(differences, []);
  assert.equal(host.textContent, "online");
  assert.deepEqual(client.calls, ["connect"]);
});

test("a status is rendered when it changes, and a part of it only when the part does", async () => {
  let renders = 0;
  await mount(
    () => `${useStatus().state} `,
    () => {
      renders += 1;
      return String(useStatus((status) => ({ online: status.state === "online" }).online));
    },
  ).shown;
  const before = renders;
  await act(async () => client.become({ state: "waiting", attempt: 1 }));
  await act(async () => client.become({ state: "connecting", attempt: 1 }));
  assert.equal(host.textContent, "connecting false");
  assert.equal(renders, before);
  await act(async () => client.become({ state: "online", attempt: 0 }));
  assert.equal(host.textContent, "online true");
});

test("each message of a burst reaches the handler of the last render once", async () => {
  const seen: string[] = [];
  const component = (name: string) => () => {
    useEvent("order", (data) => seen.push(`${name}${data}`));
    return null;
  };
  let name = "a";
  const stable = () => component(name)();
  const view = mount(stable);
  await view.shown;
  name = "b";
  await view.show(stable);
  assert.equal(client.handlers.count("order"), 1);
  await act(async () => {
    for (let n = 0; n < 1_000; n += 1) {
      client.handlers.emit("order", n);
    }
  });
  assert.equal(seen.length, 1_000);
  assert.equal(seen[999], "b999");
  await view.unmount();
  assert.equal(client.handlers.count("order"), 0);
});

test("components share a subscription, which ends two seconds after the last", async () => {
  const room = () => useChannel("room").state;
  const view = mount(room, room);
  await view.shown;
  const { calls } = client.channel("room");
  assert.equal(host.textContent, "subscribedsubscribed");
  assert.deepEqual(calls, ["subscribe"]);
  await view.show(room);
  await later(5_000);
  assert.deepEqual(calls, ["subscribe"]);
  await view.show();
  await later(2_000);
  assert.deepEqual(calls, ["subscribe", "unsubscribe"]);
});

test("skip stays out, and no longer skipping joins", async () => {
  let skip = true;
  const room = () => useChannel("room", { skip }).state;
  const view = mount(room);
  await view.shown;
  assert.equal(host.textContent, "unsubscribed");
  assert.deepEqual(client.channel("room").calls, []);
  skip = false;
  await view.show(room);
  assert.deepEqual(client.channel("room").calls, ["subscribe"]);
});

test("publications are folded into a state in their order", async () => {
  await mount(() => useChannelReducer<string>("room", (text, { data }) => text + data, "")[0]).shown;
  await act(async () => ["a", "b", "c"].forEach((data) => client.channel("room").deliver(data)));
  assert.equal(host.textContent, "abc");
});

test("presence tells what others are to see once, and renders what was selected", async () => {
  let renders = 0;
  await mount(() => {
    renders += 1;
    return String(usePresence("room", { mine: { status: "online" }, select: ({ count }) => count }));
  }).shown;
  const { presence, calls } = client.channel("room");
  assert.deepEqual(calls, ["subscribe"]);
  await act(async () => presence.become("ann", "bob"));
  assert.equal(host.textContent, "2");
  const before = renders;
  await act(async () => presence.become("ann", "cleo"));
  assert.equal(renders, before);
  assert.ok(presence.told.length >= 1 && presence.told.every((told) => JSON.stringify(told) === '{"status":"online"}'));
});

test("a request shows its answer, and drops the answer to an input of before", async () => {
  let id = 1;
  const user = () => {
    const { status, data } = useRequest<string>("user", { id });
    return `${status} ${data ?? ""}`;
  };
  const view = mount(user);
  await view.shown;
  assert.equal(host.textContent, "pending ");
  const first = client.asked.at(-1)!;
  id = 2;
  await view.show(user);
  assert.equal(first.signal?.aborted, true);
  const second = client.asked.at(-1)!;
  assert.deepEqual(second.data, { id: 2 });
  await act(async () => second.answer("two"));
  await act(async () => first.answer("one"));
  assert.equal(host.textContent, "success two");
  await view.unmount();
  assert.equal(second.signal?.aborted, true);
});

test("a request that is refused shows the error, and is asked again on demand", async () => {
  let refetch = () => {};
  await mount(() => {
    const state = useRequest("user");
    refetch = state.refetch;
    return `${state.status} ${(state.error as Error | undefined)?.message ?? ""}`;
  }).shown;
  await act(async () => client.asked.at(-1)!.refuse(new Error("no such user")));
  assert.equal(host.textContent, "error no such user");
  await act(async () => refetch());
  await act(async () => client.asked.at(-1)!.answer(1));
  assert.equal(host.textContent, "success ");
});

test("a request that is not enabled is not asked", async () => {
  await mount(() => useRequest("user", null, { enabled: false }).status).shown;
  assert.equal(client.asked.length, 0);
  assert.equal(host.textContent, "idle");
});

test("a mutation settles for who called it, and shows the latest call", async () => {
  let mutate: (input: number) => Promise<string> = async () => "";
  await mount(() => {
    const state = useMutation<number, string>("post");
    mutate = state.mutate;
    return `${state.status} ${state.data ?? ""}`;
  }).shown;
  const results: string[] = [];
  await act(async () => {
    void mutate(1).then((data) => results.push(data));
    void mutate(2).then((data) => results.push(data));
  });
  await act(async () => client.asked[1]!.answer("two"));
  await act(async () => client.asked[0]!.answer("one"));
  assert.deepEqual(results, ["two", "one"]);
  assert.equal(host.textContent, "success two");
});
