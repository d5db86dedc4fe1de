"""Three nodes on Redis or NATS, behind proxies without stickiness: one server, to every kind of client."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import socketio
from websockets.asyncio.client import connect

from cluster import Cluster, members, sent
from programs import NODE, Nats, Program, Redis, find
from streams import Publishing, Stream, ask, query, token
from test_poll import Poller

PROXIES = ["nginx", "haproxy"]


@pytest.fixture(scope="module", params=[Redis, Nats], ids=["redis", "nats"])
def cluster(request, openline, tmp_path_factory):
    running = Cluster(openline, tmp_path_factory.mktemp("cluster"), request.param)
    yield running
    running.close()


@pytest.fixture(params=PROXIES)
def proxy(request, cluster):
    return cluster.proxies[request.param]


@pytest.fixture
def channel(request) -> str:
    """One that no other test uses."""
    return f"cluster-{abs(hash(request.node.nodeid))}"


class Line:
    """A WebSocket that keeps what it hears, by type."""

    def __init__(self, ws) -> None:
        self.ws, self.heard = ws, []

    async def ask(self, **message):
        await self.ws.send(sent(id="asked", **message))
        return await self.until(lambda heard: heard.get("id") == "asked")

    async def until(self, is_it, seconds: float = 10):
        """The first message, heard before or not, that is the one; it is forgotten."""
        async with asyncio.timeout(seconds):
            while True:
                for index, message in enumerate(self.heard):
                    if is_it(message):
                        return self.heard.pop(index)
                self.heard.append(json.loads(await self.ws.recv()))

    async def data(self, count: int) -> list:
        """So many publications, in the order in which they came."""
        return [(await self.until(lambda message: message["type"] == "message"))["data"] for _ in range(count)]


@asynccontextmanager
async def line(port: int, *channels: str, bearer: str | None = None, position: str | None = None):
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else None
    async with connect(f"ws://127.0.0.1:{port}/ws", additional_headers=headers, ping_interval=None) as ws:
        opened = Line(ws)
        opened.welcome = await opened.until(lambda message: message["type"] == "welcome")
        if channels:
            asked = [{"channel": channel, "position": position} if position else channel for channel in channels]
            opened.subscribed = await opened.ask(type="subscribe", channels=asked)
            assert opened.subscribed["type"] == "subscribed", opened.subscribed
        yield opened


async def following(queue: asyncio.Queue):
    return await asyncio.wait_for(queue.get(), 5)


async def test_the_broker_carries_a_channel_once_to_each_node(cluster, channel):
    async with AsyncExitStack() as open_lines:
        lines = [await open_lines.enter_async_context(line(port, channel)) for port in cluster.ports * 10]
        assert cluster.broker.listeners(channel) == len(cluster.ports)
        cluster.publish(0, channel, "to all")
        assert [await opened.data(1) for opened in lines] == [["to all"]] * len(lines)
    cluster.until(lambda: cluster.broker.listeners(channel) == 0)


async def test_every_transport_on_every_node_gets_the_same(cluster, channel):
    count = 60
    async with AsyncExitStack() as open_lines:
        lines = [await open_lines.enter_async_context(line(port, channel)) for port in cluster.ports]
        streams = [Stream(port, f"/sse?channels={channel}") for port in cluster.ports]
        pollers = [Poller(port, channel) for port in cluster.ports]
        for stream, poller in zip(streams, pollers, strict=True):
            stream.opened()
            poller.poll()

        def publish_all() -> None:
            for number in range(count):
                cluster.publish(number % 3, channel, number)

        def read_all(poller: Poller) -> list:
            seen = []
            while len(seen) < count:
                seen += [message["data"] for message in poller.poll() if message["type"] == "message"]
            return seen

        await asyncio.to_thread(publish_all)
        for opened in lines:
            assert await opened.data(count) == list(range(count))
        for stream in streams:
            with stream:
                assert [stream.message("message")["data"] for _ in range(count)] == list(range(count))
        for poller in pollers:
            assert await asyncio.to_thread(read_all, poller) == list(range(count))
        histories = [cluster.api(port, "history", {"channel": channel, "limit": 1000}).json for port in cluster.ports]
        assert [message["data"] for message in histories[0]["messages"]] == list(range(count))
        assert histories[1] == histories[2] == histories[0]


def test_a_session_of_polls_goes_on_whichever_node_is_asked(cluster, proxy, channel):
    count, seen = 60, []
    poller = Poller(proxy.port, channel)
    poller.poll()
    session = poller.session
    publishing = Publishing(cluster.ports[0], [channel], count)
    publishing.start()
    while len(seen) < count:
        seen += [message["data"] for message in poller.poll() if message["type"] == "message"]
        assert poller.session == session, "another session means that this one was not found"
    publishing.finish()
    assert seen == list(range(count))
    assert cluster.api(cluster.ports[1], "presence", {"channel": channel}).json["count"] == 1


def test_polls_without_a_session_go_on_from_their_position(cluster, proxy, channel):
    count, seen = 40, []
    poller = Poller(proxy.port, channel, keeps_session=False)
    poller.poll()
    publishing = Publishing(cluster.ports[0], [channel], count)
    publishing.start()
    while len(seen) < count:
        seen += [message["data"] for message in poller.poll() if message["type"] == "message"]
    publishing.finish()
    assert seen == list(range(count))


def test_a_long_poll_on_another_node_waits_and_is_answered(cluster, channel):
    home, other = cluster.ports[:2]
    poller = Poller(home, channel)
    poller.poll()
    poller.port = other
    publishing = Publishing(cluster.ports[2], [channel], 1)
    began = time.monotonic()

    async def both():
        polled = asyncio.create_task(asyncio.to_thread(poller.until, "message"))
        await asyncio.sleep(3)
        assert not polled.done()
        publishing.start()
        return await polled

    assert asyncio.run(both())["data"] == 0
    assert time.monotonic() - began < 6
    publishing.finish()


def test_what_is_long_goes_by_way_of_another_node_too(cluster, channel):
    home, other = cluster.ports[:2]
    poller = Poller(home, channel)
    poller.poll()
    session, poller.port = poller.session, other
    for letter in "ab":
        message = {"type": "publish", "channel": channel, "data": letter * 700_000, "id": 1}
        answer = ask(other, "POST", "/poll", message, openline_session=session)
        assert answer.json["type"] == "published", answer
    seen = []
    while len(seen) < 2:
        seen += [message["data"] for message in poller.poll() if message["type"] == "message"]
        assert poller.session == session
    assert seen == ["a" * 700_000, "b" * 700_000]


def test_what_the_client_of_a_stream_sends_finds_its_session(cluster, proxy, channel):
    with Stream(proxy.port, f"/sse?channels={channel}") as stream:
        welcome, _ = stream.opened()
        for number in range(6):
            more = f"{channel}-{number}"
            asked = {"type": "subscribe", "channels": [more], "id": number}
            answer = ask(proxy.port, "POST", "/sse", asked, openline_session=welcome["session"])
            # Its reply is on the stream.
            assert answer.status == 204, answer
            assert stream.message("subscribed")["channels"] == [more]
            cluster.publish(number % 3, more, number)
            message = stream.message("message")
            assert (message["channel"], message["data"]) == (more, number)


def test_a_stream_resumes_on_any_node_by_its_last_event_id(cluster, channel):
    path, last = f"/sse?channels={channel}", None
    for number in range(6):
        headers = {"Last_Event_ID": last} if last else {}
        with Stream(cluster.ports[number % 3], path, **headers) as stream:
            assert stream.status == 200
            cluster.publish((number + 1) % 3, channel, 2 * number)
            numbers = []
            while not numbers or numbers[-1] != 2 * number:
                numbers.append(stream.message("message")["data"])
            assert numbers == ([2 * number - 1] if last else []) + [2 * number], "with what came between"
            last = stream.last_id
        cluster.publish((number + 2) % 3, channel, 2 * number + 1)


def test_a_ticket_of_one_node_is_good_on_another_and_once(cluster, channel):
    bearer = f"Bearer {token('ticket-user')}"
    for number in range(3):
        here, there = cluster.ports[number], cluster.ports[(number + 1) % 3]
        ticket = ask(here, "POST", "/sse/ticket", b"", Authorization=bearer).json["ticket"]
        path = f"/sse?{query(channels=channel, ticket=ticket)}"
        with Stream(there, path) as stream:
            assert stream.opened()[0].get("user") == "ticket-user" or stream.status == 200
        with Stream(cluster.ports[(number + 2) % 3], path) as again:
            assert again.status == 401


@pytest.mark.parametrize("transports", [["polling"], ["polling", "websocket"], ["websocket"]], ids=" then ".join)
def test_socket_io_clients_of_different_nodes_share_a_room(node, proxy, transports):
    seen = node("socketio_chat.mjs", proxy.http, *transports)
    said = [
        ["chat", {"from": "ann", "text": "hi", "timestamp": "now"}],
        ["chat", {"from": "eve", "text": "from outside", "timestamp": "now"}],
        ["chat", {"from": "ben", "text": "no ack", "timestamp": "now"}],
    ]
    # Who joins on another node meanwhile is told of by that one.
    assert [heard for heard in seen["ann"] if heard[0] == "chat"] == said
    assert [heard for heard in seen["ben"] if heard[0] == "chat"] == said
    assert seen["acks"] == [{"status": "delivered"}] * 2


@pytest.mark.parametrize("transports", [["polling"], ["polling", "websocket"]], ids=" then ".join)
async def test_python_socketio_stays_connected_whichever_node_is_asked(proxy, channel, transports):
    clients = []
    try:
        for _ in range(3):
            client, heard, joined = socketio.AsyncClient(reconnection=False), asyncio.Queue(), asyncio.Event()
            client.on("chat", heard.put_nowait)
            client.on("system", lambda _, joined=joined: joined.set())
            await client.connect(proxy.http, transports=transports)
            clients.append((client, heard))
            await client.emit("join-room", channel)
            # What is said on another node before it is there, it does not hear.
            await asyncio.wait_for(joined.wait(), 5)
        for number, (client, _) in enumerate(clients * 3):
            said = {"room": channel, "text": str(number)}
            assert await client.call("chat", said, timeout=5) == {"status": "delivered"}
            for _, heard in clients:
                assert (await following(heard))["text"] == str(number)
        assert all(client.connected for client, _ in clients)
    finally:
        for client, _ in clients:
            await client.disconnect()


def test_the_sdk_gets_everything_over_every_transport(cluster, proxy, channel, tmp_path):
    count = 60
    with Program([find("node"), str(NODE / "sdk_cluster.mjs"), f"{proxy.ws}/ws", channel, str(count)], tmp_path) as clients:
        clients.wait_for("ready", 30)
        for number in range(count):
            cluster.publish(number % 3, channel, number)
        assert clients.wait(40) == 0, clients.output
    seen = json.loads(clients.output.splitlines()[-1])
    assert set(seen) == {"websocket", "sse", "poll", "fallback"}
    for name, reader in seen.items():
        assert reader["seen"][:count] == list(range(count)), name
        assert (reader["gaps"], reader["cuts"]) == ([], False), name
        assert sorted(reader["seen"][count:]) == [f"done {name}" for name in sorted(seen)]


async def test_presence_is_the_same_on_every_node(cluster, channel):
    async with AsyncExitStack() as open_lines:
        lines = [await open_lines.enter_async_context(line(port, channel)) for port in cluster.ports * 2]
        expected = sorted(opened.welcome["clientId"] for opened in lines)

        def is_known() -> bool:
            return all(members(cluster, port, channel) == (expected, 6) for port in cluster.ports)

        await asyncio.to_thread(cluster.until, is_known)
        listed = await lines[1].ask(type="presence", channel=channel)
        assert sorted(member["clientId"] for member in listed["data"]["members"]) == expected
        # Others are told of a change, wherever they are.
        await lines[0].ask(type="setPresence", channel=channel, status="away")
        own = lines[0].welcome["clientId"]

        def is_away(message) -> bool:
            changes = message["data"] if message["type"] == "presence" and "id" not in message else {}
            changed = changes.get("updated", []) + changes.get("joined", [])
            return any(member["clientId"] == own and member.get("status") == "away" for member in changed)

        for opened in lines[1:3]:
            await opened.until(is_away)
        await lines[0].ws.send(sent(type="typing", channel=channel))
        for opened in lines[1:3]:
            typing = await opened.until(lambda message: message["type"] == "typing")
            assert (typing["clientId"], typing["isTyping"]) == (own, True)
        await lines[5].ws.close()

        def is_gone(message) -> bool:
            gone = message["data"].get("left", []) if message["type"] == "presence" else []
            return any(member["clientId"] == expected_gone for member in gone)

        expected_gone = lines[5].welcome["clientId"]
        await lines[1].until(is_gone)


async def test_a_client_is_disconnected_from_any_node_within_a_second(cluster, channel):
    for number in range(3):
        async with line(cluster.ports[0], channel) as opened:
            asked = {"client": opened.welcome["clientId"], "reason": "enough"}
            answer = await asyncio.to_thread(cluster.api, cluster.ports[number], "disconnect", asked)
            assert answer.status == 200, answer
            async with asyncio.timeout(1):
                await opened.ws.wait_closed()
            assert (opened.ws.close_code, opened.ws.close_reason) == (4005, "enough")


async def test_tokens_are_taken_back_on_every_node_within_a_second(cluster, channel):
    user = f"user-{channel}"
    bearer = token(user, iat=int(time.time()) - 10)
    async with AsyncExitStack() as open_lines:
        lines = [await open_lines.enter_async_context(line(port, channel, bearer=bearer)) for port in cluster.ports]
        answer = await asyncio.to_thread(cluster.api, cluster.ports[1], "revoke", {"user": user})
        assert answer.status == 200, answer
        async with asyncio.timeout(1):
            for opened in lines:
                await opened.ws.wait_closed()
        assert [opened.ws.close_code for opened in lines] == [4002] * 3
    for port in cluster.ports:
        refused = await asyncio.to_thread(
            ask, port, "GET", f"/poll?channels={channel}", Authorization=f"Bearer {bearer}"
        )
        assert refused.status == 401, refused


async def test_a_users_lines_are_counted_over_all_nodes(cluster, channel):
    bearer = token(f"many-{channel}")
    async with AsyncExitStack() as open_lines:
        for port in [*cluster.ports, cluster.ports[0]]:
            await open_lines.enter_async_context(line(port, channel, bearer=bearer))
        await asyncio.sleep(0.5)
        for port in cluster.ports:
            answer = await asyncio.to_thread(ask, port, "GET", "/poll?channels=a", Authorization=f"Bearer {bearer}")
            (close,) = answer.json["messages"]
            assert (close["type"], close["code"]) == ("close", 1013) and "connection_limit" in close["reason"]
    await asyncio.sleep(0.5)
    async with line(cluster.ports[1], channel, bearer=bearer):
        pass
