"""Three nodes, and what of them or their broker dies: clients go on, and what they missed they get or are told."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from contextlib import AsyncExitStack

import pytest
import socketio

from cluster import Cluster, members
from programs import NODE, Nats, Program, Redis, find
from streams import ask
from test_cluster import line
from test_poll import Poller

# How long a publication may take to be refused: `broker.timeout`, and the machine's own slowness.
REFUSED_WITHIN = 4.0

pytestmark = [pytest.mark.long, pytest.mark.timeout(180)]


@pytest.fixture(scope="module", params=[Redis, Nats], ids=["redis", "nats"])
def cluster(request, openline, tmp_path_factory):
    running = Cluster(openline, tmp_path_factory.mktemp("cluster-faults"), request.param)
    yield running
    running.close()


@pytest.fixture
def channel(request) -> str:
    return f"faults-{abs(hash(request.node.nodeid))}"


class Guest:
    """Somebody in a room of the Socket.IO chat, who comes back."""

    def __init__(self, room: str) -> None:
        self.client = socketio.AsyncClient(reconnection_delay=0.1, reconnection_delay_max=1)
        self.heard: set[str] = set()

        async def enter() -> None:
            await self.client.emit("join-room", room)

        self.client.on("connect", enter)
        self.client.on("chat", lambda said: self.heard.add(said["text"]))


def publish_surely(cluster: Cluster, number: int, channel: str, data, seconds: float = 20) -> None:
    """Publishes once, as often as that has to be tried."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            answer = cluster.publish(number, channel, data, key=f"{channel} {data}")
            if answer.status == 200:
                return
        except OSError:
            answer = None
        assert time.monotonic() < deadline, answer
        time.sleep(0.2)


def test_clients_of_a_node_that_is_killed_go_on_elsewhere(cluster, channel, tmp_path):
    count, url = 120, cluster.proxies["haproxy"].ws
    with Program([find("node"), str(NODE / "sdk_cluster.mjs"), f"{url}/ws", channel, str(count)], tmp_path) as clients:
        clients.wait_for("ready", 30)
        try:
            for number in range(count - 1):
                if number == 40:
                    cluster.kill(1)
                publish_surely(cluster, 2 * (number % 2), channel, number)
                time.sleep(0.02)
            # Nobody is left behind on the node that is gone, and nobody is missing.
            for port in (cluster.ports[0], cluster.ports[2]):
                cluster.until(lambda port=port: members(cluster, port, channel)[1] == 4, 10)
            publish_surely(cluster, 0, channel, count - 1)
            assert clients.wait(60) == 0, clients.output
        finally:
            cluster.start(1)
    cluster.wait_until_whole()
    seen = json.loads(clients.output.splitlines()[-1])
    for name, reader in seen.items():
        numbers = [data for data in reader["seen"] if isinstance(data, int)]
        assert (numbers, reader["gaps"]) == (list(range(count)), []), name


def test_a_node_that_hangs_holds_up_requests_for_its_sessions_for_two_seconds(cluster, channel):
    poller = Poller(cluster.ports[0], channel)
    poller.poll()
    session, poller.port = poller.session, cluster.ports[1]
    os.killpg(cluster.nodes[0].pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        message = {"type": "publish", "channel": channel, "data": 1, "id": 1, "key": channel}
        answer = ask(poller.port, "POST", "/poll", message, openline_session=session)
        assert (answer.status, answer.code) == (504, "timeout"), answer
        assert time.monotonic() - began < 4
        # The poll goes on here, from where the client is.
        cluster.publish(2, channel, "meanwhile")
        assert poller.until("message")["data"] == "meanwhile"
        assert poller.session != session
        assert time.monotonic() - began < 8
    finally:
        os.killpg(cluster.nodes[0].pid, signal.SIGCONT)
    cluster.wait_until_whole()


def test_socket_io_clients_of_a_node_that_is_killed_connect_anew(cluster, channel):
    async def heard_by(clients: list[Guest], text: str) -> None:
        """Said again until everybody has heard it: who is away just then does not."""
        deadline = time.monotonic() + 20
        while not all(text in guest.heard for guest in clients):
            assert time.monotonic() < deadline, [text in guest.heard for guest in clients]
            speaker = next((guest.client for guest in clients if guest.client.connected), None)
            if speaker:
                await speaker.emit("chat", {"room": channel, "text": text})
            await asyncio.sleep(0.5)

    async def run() -> None:
        clients = [Guest(channel) for _ in range(6)]
        try:
            for number, guest in enumerate(clients):
                way = [["polling"], ["websocket"]][number % 2]
                await guest.client.connect(cluster.proxies["haproxy"].http, transports=way)
            await heard_by(clients, "all here")
            await asyncio.to_thread(cluster.kill, 1)
            await heard_by(clients, "still here")
        finally:
            for guest in clients:
                await guest.client.shutdown()

    try:
        asyncio.run(run())
    finally:
        cluster.start(1)
    cluster.wait_until_whole()


@pytest.mark.parametrize("way", ["paused", "killed"])
def test_a_broker_that_is_away_costs_no_line_and_comes_back_by_itself(cluster, channel, way):
    async def refused(lines) -> None:
        """For 10 s publications are refused, and lines are as they were."""
        began, number = time.monotonic(), 0
        while time.monotonic() < began + 10:
            asked, key = time.monotonic(), f"{channel} {number}"
            answer = await asyncio.to_thread(cluster.publish, number % 3, channel, f"during {number}", key=key)
            assert time.monotonic() - asked < REFUSED_WITHIN
            assert (answer.status, answer.code) == (503, "broker_unavailable"), answer
            number += 1
            for opened in lines:
                assert (await opened.ask(type="ping"))["type"] == "pong"
            await asyncio.sleep(0.5)

    async def run() -> None:
        async with AsyncExitStack() as open_lines:
            lines = [await open_lines.enter_async_context(line(port, channel)) for port in cluster.ports]
            await asyncio.to_thread(publish_surely, cluster, 0, channel, "before")
            for opened in lines:
                assert await opened.data(1) == ["before"]
            cluster.broker.pause() if way == "paused" else cluster.broker.kill()
            try:
                await refused(lines)
            finally:
                cluster.broker.go_on() if way == "paused" else await asyncio.to_thread(cluster.broker.start)
            await asyncio.to_thread(publish_surely, cluster, 1, channel, "after", 15)
            histories = []
            for port in cluster.ports:
                answer = await asyncio.to_thread(cluster.api, port, "history", {"channel": channel, "limit": 1000})
                histories.append([message["data"] for message in answer.json["messages"]])
            kept = histories[0]
            assert histories == [kept] * 3 and kept[0] == "before" and "after" in kept
            # What was refused was not told to be lost: it is there once, or not at all.
            assert len(kept) == len(set(kept))
            for opened in lines:
                seen = []
                while not seen or seen[-1] != kept[-1]:
                    message = await opened.until(lambda message: message["type"] in ("message", "unrecovered"), 20)
                    assert message["type"] == "message", f"the gap can be filled: {message}"
                    seen.append(message["data"])
                assert seen == kept[1:]

    asyncio.run(run())
    cluster.wait_until_whole()


@pytest.mark.parametrize("cluster", [Redis], ids=["redis"], indirect=True)
def test_a_redis_that_comes_back_from_an_old_snapshot_is_found_out(cluster, channel):
    async def run() -> None:
        async with line(cluster.ports[0], channel) as live:
            for number in range(5):
                await asyncio.to_thread(publish_surely, cluster, 0, channel, number)
            snapshot = cluster.broker.snapshot()
            for number in range(5, 10):
                await asyncio.to_thread(publish_surely, cluster, 1, channel, number)
            assert await live.data(10) == list(range(10))
            answer = await asyncio.to_thread(cluster.api, cluster.ports[0], "history", {"channel": channel, "limit": 1})
            position = answer.json["position"]
            await asyncio.to_thread(cluster.broker.restart_from, snapshot)
            # As many as were lost and more, so that the offset alone tells nothing.
            for number in range(5, 15):
                await asyncio.to_thread(publish_surely, cluster, 2, channel, f"other {number}")
            told = await live.until(lambda message: message["type"] in ("message", "unrecovered"), 15)
            assert (told["type"], told["reason"]) == ("unrecovered", "fork"), told
        for port in cluster.ports:
            async with line(port, channel, position=position) as back:
                answer = back.subscribed["data"][channel]
                assert (answer["recovered"], answer["reason"]) == (False, "fork"), answer

    asyncio.run(run())
