"""Lines that go over to the process that takes over, with their sockets: their clients notice nothing."""

from __future__ import annotations

import array
import asyncio
import json
import socket
import time
from contextlib import ExitStack

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as connect_now

from streams import Stream, ask, token
from test_upgrade import KEY, Generations, Successor

# What is tried again under the same key, on the same line.
RETRIED = {"shutting_down", "overloaded", "unavailable"}


@pytest.fixture
def server(openline, tmp_path):
    with Generations(openline, tmp_path / "server", lines=True) as generations:
        yield generations


class Watcher:
    """A line that is opened once, and all that comes on it."""

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.got: list[int] = []
        self.strange: list[dict] = []
        self.answers: dict[int, asyncio.Future] = {}
        self.ended: str | None = None
        # Whether who comes and goes is strange.
        self.presence = False

    async def enter(self, port: int, shown: str | None = None) -> None:
        self.line: ClientConnection = await connect(
            f"ws://127.0.0.1:{port}/ws", compression=None, ping_interval=5, open_timeout=30, max_queue=None
        )
        self.client = json.loads(await self.line.recv())["clientId"]
        self.task = asyncio.create_task(self._read())
        if shown:
            assert (await self.ask(type="auth", token=shown))["type"] == "auth_success"
        assert (await self.ask(type="subscribe", channels=[self.channel]))["type"] == "subscribed"

    async def ask(self, **request: object) -> dict:
        number = len(self.answers)
        answer = self.answers[number] = asyncio.get_running_loop().create_future()
        await self.line.send(json.dumps({"id": number, **request}))
        return await asyncio.wait_for(answer, 30)

    async def _read(self) -> None:
        try:
            async for text in self.line:
                message = json.loads(text)
                if "id" in message:
                    self.answers[message["id"]].set_result(message)
                elif message["type"] == "message":
                    self.got.append(message["data"])
                elif message["type"] != "presence" or self.presence:
                    self.strange.append(message)
            self.ended = f"closed with {self.line.close_code}"
        except Exception as error:  # noqa: BLE001 - whatever it is, the line has ended
            self.ended = repr(error)

    async def publish_all(self, over: asyncio.Event, pause: float) -> list[int]:
        """Publishes numbers on this one line, each until it is acknowledged."""
        acked: list[int] = []
        while not over.is_set():
            number = len(acked)
            answer = await self.ask(type="publish", channel=self.channel, data=number, key=f"{self.channel}-{number}", echo=True)
            if answer["type"] == "published":
                acked.append(number)
                await asyncio.sleep(pause)
            else:
                assert answer["code"] in RETRIED, answer
                await asyncio.sleep(0.02)
        return acked

    async def leave(self) -> None:
        await self.line.close()
        await self.task


async def probe(generations: Generations, over: asyncio.Event, refused: list[str]) -> None:
    """Connects all the time."""
    while not over.is_set():
        try:
            async with connect(f"ws://127.0.0.1:{generations.port}/ws", compression=None, open_timeout=30) as line:
                await line.recv()
        except Exception as error:  # noqa: BLE001 - any is one too many
            refused.append(repr(error))
        await asyncio.sleep(0.02)


async def two_upgrades(generations: Generations, count: int, channels: int, pause: float) -> None:
    watchers = [Watcher(f"crowd-{number % channels}") for number in range(count)]
    doors = asyncio.Semaphore(50)

    async def enter(watcher: Watcher) -> None:
        async with doors:
            await watcher.enter(generations.port)

    await asyncio.gather(*(enter(watcher) for watcher in watchers))
    # Until all have been told who came. From here on nobody comes or goes.
    await asyncio.sleep(1.5)
    for watcher in watchers:
        watcher.presence = True
    over, refused = asyncio.Event(), []
    publishers = watchers[:channels]
    publishing = [asyncio.create_task(publisher.publish_all(over, pause)) for publisher in publishers]
    probing = asyncio.create_task(probe(generations, over, refused))
    for _ in range(2):
        await asyncio.sleep(0.5)
        await asyncio.to_thread(generations.upgrade)
    await asyncio.sleep(0.5)
    over.set()
    acked = dict(zip((publisher.channel for publisher in publishers), await asyncio.gather(*publishing), strict=True))
    await probing
    # A request is answered by the process that is left, and knows the client.
    for watcher in watchers:
        assert watcher.ended is None, watcher.ended
        assert (await watcher.ask(type="ping"))["type"] == "pong"
    deadline = time.monotonic() + 20
    while any(len(watcher.got) < len(acked[watcher.channel]) for watcher in watchers) and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    wrong = [watcher for watcher in watchers if watcher.got != acked[watcher.channel]]
    assert not wrong, f"{len(wrong)} watchers, such as one that got {wrong[0].got} of {acked[wrong[0].channel]}"
    strange = [message for watcher in watchers for message in watcher.strange]
    assert strange == []
    assert refused == []
    present = await watchers[0].ask(type="presence", channel=watchers[0].channel)
    there = {watcher.client for watcher in watchers if watcher.channel == watchers[0].channel}
    assert {member["clientId"] for member in present["data"]["members"]} == there
    assert all(len(numbers) > 10 for numbers in acked.values())
    print(f"{count} lines, {sum(map(len, acked.values()))} published")
    await asyncio.gather(*(watcher.leave() for watcher in watchers))


def moved(generations: Generations) -> list[tuple[int, int]]:
    """For each process but the last: lines that moved, and lines that stayed."""
    parts = [process.output.split("lines have gone over to the other process") for process in generations.processes]
    said = [part[1].splitlines()[0] for part in parts if len(part) > 1]
    return [tuple(int(part.split('"')[1]) for part in line.split(" why=")[0].split()[-2:]) for line in said]


@pytest.mark.timeout(180)
def test_lines_live_through_two_upgrades_and_notice_nothing(server):
    asyncio.run(two_upgrades(server, count=200, channels=10, pause=0.02))
    # The line that knocks all the time may be on its way.
    assert all(gone >= 200 and stay <= 1 for gone, stay in moved(server)), moved(server)
    assert server.metric('openline_upgrade_lines_total{result="arrived"}') >= 200


@pytest.mark.timeout(180)
def test_lines_on_channels_without_history_miss_nothing_either(openline, tmp_path):
    """Nothing would tell them what they missed: nobody is read before all are there."""
    with Generations(openline, tmp_path / "server", lines=True, history=0) as server:
        asyncio.run(two_upgrades(server, count=60, channels=6, pause=0.01))
        assert all(gone >= 60 and stay <= 1 for gone, stay in moved(server)), moved(server)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_two_thousand_lines_live_through_two_upgrades_and_notice_nothing(openline, tmp_path):
    with Generations(openline, tmp_path / "server", lines=True) as server:
        asyncio.run(two_upgrades(server, count=2000, channels=20, pause=0.1))
        assert all(gone >= 2000 and stay <= 1 for gone, stay in moved(server)), moved(server)


async def upgraded(server: Generations) -> None:
    await asyncio.to_thread(server.upgrade)


def test_who_it_is_and_what_it_said_of_itself_go_over(server):
    async def live() -> None:
        alice, bob = Watcher("room"), Watcher("room")
        await alice.enter(server.port, token("alice", info={"name": "Alice"}, subs=["mine"]))
        await bob.enter(server.port)
        await alice.ask(type="setPresence", status="away", data={"mood": "good"})
        await asyncio.sleep(1.5)
        alice.presence = bob.presence = True
        alice.strange.clear()
        for _ in range(2):
            await upgraded(server)
        members = {member["clientId"]: member for member in (await bob.ask(type="presence", channel="room"))["data"]["members"]}
        said = {"clientId": alice.client, "user": "alice", "info": {"name": "Alice"}, "status": "away", "data": {"mood": "good"}}
        assert members == {alice.client: said, bob.client: {"clientId": bob.client}}
        # What her token subscribes her to is still there, and the next token renews it.
        answer = ask(server.port, "POST", "/api/v1/publish", {"channel": "mine", "data": 7}, authorization=f"Bearer {KEY}")
        assert answer.status == 200
        renewed = await alice.ask(type="auth", token=token("alice", 900))
        assert (renewed["type"], renewed["clientId"]) == ("auth_success", alice.client)
        assert (await alice.ask(type="auth", token=token("mallory")))["type"] == "auth_failed"
        assert alice.got == [7]
        assert alice.strange == bob.strange == []
        await bob.leave()

    asyncio.run(live())


def test_who_is_taken_back_after_it_went_over_is_closed(server):
    async def live() -> None:
        lines = {user: Watcher("room") for user in ("mallory", "alice")}
        for user, line in lines.items():
            await line.enter(server.port, token(user))
        await upgraded(server)
        assert ask(server.port, "POST", "/api/v1/revoke", {"user": "mallory"}, authorization=f"Bearer {KEY}").json["lines"] == 1
        await asyncio.wait_for(lines["mallory"].task, 10)
        assert lines["mallory"].line.close_code == 4002
        assert (await lines["alice"].ask(type="ping"))["type"] == "pong"
        await lines["alice"].leave()

    asyncio.run(live())


def test_a_compressed_line_goes_over(server):
    async def live() -> None:
        async with connect(f"ws://127.0.0.1:{server.port}/ws") as line:
            assert "permessage-deflate" in line.response.headers["Sec-WebSocket-Extensions"]
            await line.recv()
            await line.send(json.dumps({"type": "subscribe", "id": 1, "channels": ["long"]}))
            await line.recv()
            for number in range(3):
                text = f"{number}-" + "all work and no play " * 500
                await line.send(json.dumps({"type": "publish", "id": 2, "channel": "long", "data": text, "echo": True}))
                got = [json.loads(await line.recv()) for _ in range(2)]
                assert {message["type"] for message in got} == {"published", "message"}
                assert [message["data"] for message in got if message["type"] == "message"] == [text]
                if number < 2:
                    await upgraded(server)
            assert moved(server) == [(1, 0), (1, 0)]

    asyncio.run(live())


def test_requests_that_are_sent_while_the_line_moves_are_answered_once(server):
    async def live() -> None:
        async with connect(f"ws://127.0.0.1:{server.port}/ws", compression=None, max_queue=None) as line:
            await line.recv()
            over, answers = asyncio.Event(), []

            async def read() -> None:
                async for text in line:
                    answers.append(json.loads(text)["id"])

            async def write() -> int:
                number = 0
                while not over.is_set():
                    # Some together, so that there is input that was read and not handled.
                    for _ in range(20):
                        await line.send(json.dumps({"type": "ping", "id": number}))
                        number += 1
                    await asyncio.sleep(0.001)
                return number

            reading, writing = asyncio.create_task(read()), asyncio.create_task(write())
            for _ in range(2):
                await asyncio.sleep(0.3)
                await upgraded(server)
            over.set()
            asked = await writing
            async with asyncio.timeout(20):
                while len(answers) < asked:
                    await asyncio.sleep(0.01)
            assert answers == list(range(asked)) and asked > 1000
            reading.cancel()
        assert moved(server) == [(1, 0), (1, 0)]

    asyncio.run(live())


def frame(text: str, first: int = 0x81) -> bytes:
    """A frame as a client sends it, under a key that changes nothing."""
    payload = text.encode()
    assert len(payload) < 126
    return bytes([first, 0x80 | len(payload)]) + bytes(4) + payload


def test_a_line_in_the_middle_of_a_message_stays_and_is_drained_and_those_that_went_hear_that_it_left(server):
    async def live() -> None:
        watcher = Watcher("room")
        await watcher.enter(server.port)
        with connect_now(f"ws://127.0.0.1:{server.port}/ws", compression=None) as busy:
            client = json.loads(busy.recv())["clientId"]
            busy.send(json.dumps({"type": "subscribe", "id": 1, "channels": ["room"]}))
            busy.recv()
            await asyncio.sleep(1.5)
            watcher.presence = True
            # The first of two fragments.
            busy.socket.sendall(frame('{"type":"pi', 0x01))
            process = server.begin()
            await asyncio.to_thread(process.wait_for, "taken over from the process before", 30)
            assert await asyncio.to_thread(told_to_come_back, busy)
        async with asyncio.timeout(10):
            while not watcher.strange:
                await asyncio.sleep(0.02)
        [change] = watcher.strange
        assert [member["clientId"] for member in change["data"]["left"]] == [client]
        assert (change["data"]["joined"], change["data"]["count"]) == ([], 1)
        assert await asyncio.to_thread(server.processes[0].wait, 40) == 0
        assert moved(server) == [(1, 1)]
        await watcher.leave()

    asyncio.run(live())


class Taker(Successor):
    """A new process that takes lines as a test wants it to."""

    def begin(self) -> None:
        self.hello()
        self.say("ready", lines=1)
        while (step := self.hear())["step"] != "given":
            pass
        assert step["lines"] == 1
        # The last socket that came is that of the lines.
        self.lines = socket.socket(fileno=self.listener.detach())
        self.lines.settimeout(20)
        self.say("serving")

    def take(self, refused: list[int]) -> list[socket.socket]:
        """Takes the lines of one step."""
        data, ancillary, *_ = self.lines.recvmsg(1 << 20, socket.CMSG_SPACE(4 * 32))
        while not data.endswith(b"\n"):
            data += self.lines.recv(1 << 20)
        step = json.loads(data)
        descriptors = [fd for *_, payload in ancillary for fd in array.array("i", payload)]
        assert step["step"] == "lines" and len(step["sessions"]) == len(descriptors)
        self.lines.sendall(json.dumps({"step": "taken", "refused": refused}).encode() + b"\n")
        return [socket.socket(fileno=fd) for fd in descriptors]


def told_to_come_back(line) -> bool:
    """Whether a line is closed as one whose server stops, with a time."""
    while (message := json.loads(line.recv(10)))["type"] in ("drain", "presence"):
        pass
    with pytest.raises(ConnectionClosed):
        line.recv(10)
    assert (message["type"], message["code"], line.close_code) == ("close", 1012, 1012)
    return message["retryAfter"] > 0


def several(generations: Generations, count: int, request: pytest.FixtureRequest) -> list:
    """So many lines that have been welcomed."""
    stack = ExitStack()
    request.addfinalizer(stack.close)
    lines = [stack.enter_context(connect_now(f"ws://127.0.0.1:{generations.port}/ws")) for _ in range(count)]
    for line in lines:
        line.recv()
    return lines


def test_what_the_new_process_does_not_take_is_told_to_come_back(server, request):
    lines = several(server, 3, request)
    taker = Taker(server)
    taker.begin()
    taken = taker.take(refused=[0, 1, 2])
    assert len(taken) == 3
    for held in taken:
        held.close()
    assert all(told_to_come_back(line) for line in lines)
    taker.lines.close()
    assert server.processes[0].wait(40) == 0
    assert moved(server) == [(0, 0)]


def test_lines_stay_where_they_are_and_drain_when_the_new_process_dies_before_it_has_them(server, request):
    lines = several(server, 40, request)
    taker = Taker(server)
    taker.begin()
    taken = taker.take(refused=[])
    assert len(taken) == 32
    for held in taken:
        held.close()
    taker.lines.close()
    taker.die()
    ended = []
    for line in lines:
        try:
            ended.append(told_to_come_back(line))
        except (ConnectionClosed, AssertionError):
            ended.append(False)
    # Those that it had are cut, as by any process that dies; the others are told.
    assert ended.count(True) == 8, ended
    assert server.processes[0].wait(40) == 0


def test_without_lines_in_either_configuration_they_are_drained(openline, tmp_path):
    with Generations(openline, tmp_path / "server", lines=True) as server:
        with connect_now(f"ws://127.0.0.1:{server.port}/ws") as line:
            line.recv()
            process = server.begin("--upgrade-lines=false")
            process.wait_for("taken over from the process before", 30)
            assert told_to_come_back(line)
        assert server.processes[0].wait(40) == 0
        assert "gone over" not in server.processes[0].output


def test_lines_whose_channels_are_in_memory_are_drained(openline, tmp_path):
    with Generations(openline, tmp_path / "server", lines=True, more=("--history-level=memory",)) as server:
        with connect_now(f"ws://127.0.0.1:{server.port}/ws") as line:
            line.recv()
            server.upgrade()
            assert told_to_come_back(line)
        assert moved(server) == []


def test_a_line_over_tls_is_drained(openline, tmp_path, certificates):
    flags = ("--tls-certificate", str(certificates.certificate), "--tls-key", str(certificates.key))
    with Generations(openline, tmp_path / "server", lines=True, more=flags) as server:
        with connect_now(f"wss://127.0.0.1:{server.port}/ws", ssl=certificates.client_context()) as line:
            line.recv()
            server.upgrade()
            assert told_to_come_back(line)
        assert moved(server) == [(0, 1)]


def test_a_stream_of_events_is_drained_beside_a_line_that_goes_over(server):
    with connect_now(f"ws://127.0.0.1:{server.port}/ws") as line, Stream(server.port, "/sse?channels=news") as stream:
        line.recv()
        stream.opened()
        server.upgrade()
        while stream.event() is not None:
            pass
        line.send(json.dumps({"type": "ping", "id": 1}))
        assert json.loads(line.recv(10))["id"] == 1
    assert moved(server) == [(1, 1)]
