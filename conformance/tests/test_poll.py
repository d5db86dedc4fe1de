"""Long polling: everything once and in order, whatever becomes of the session in between."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from websockets.asyncio.client import connect

from programs import LISTENING, Program
from streams import Publishing, Stream, ask, publish, query

MIB = 1 << 20


class Poller:
    """A client that polls. `keeps_session` says whether it names the session of the answer before."""

    def __init__(self, port: int, *channels: str, keeps_session: bool = True) -> None:
        self.port, self.keeps_session = port, keeps_session
        self.parameters = {"channels": ",".join(channels)}

    def path(self) -> str:
        return f"/poll?{query(**self.parameters)}"

    def poll(self) -> list[dict]:
        answer = ask(self.port, "GET", self.path())
        assert answer.status == 200, answer
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-store"
        assert len(answer.body) < MIB + 100_000
        body = answer.json
        self.parameters["position"] = body["position"]
        self.session = body.get("session")
        if self.keeps_session and self.session is not None:
            self.parameters["session"] = self.session
        return body["messages"]

    def until(self, *kinds: str) -> dict:
        while True:
            for message in self.poll():
                if message["type"] in kinds:
                    return message


def test_the_first_poll_is_answered_at_once(server):
    poller = Poller(server.port, "poll-first", "poll-first-2")
    welcome, subscribed = poller.poll()[:2]
    assert (welcome["type"], subscribed["type"]) == ("welcome", "subscribed")
    assert welcome["session"] == poller.session
    assert subscribed["channels"] == ["poll-first", "poll-first-2"]
    assert poller.parameters["position"].startswith("~")


def test_a_poll_is_answered_when_something_comes(server):
    poller = Poller(server.port, "poll-wait")
    poller.poll()
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(poller.until, "message")
        time.sleep(0.3)
        assert not waiting.done()
        position = publish(server.port, "poll-wait", {"n": 1}, path="/poll").json["position"]
        message = waiting.result(10)
    assert (message["data"], message["position"]) == ({"n": 1}, position)
    assert poller.parameters["position"] == position


@pytest.mark.parametrize("keeps_session", [True, False])
@pytest.mark.parametrize("channels", [["poll-loop"], ["poll-loop-a", "poll-loop-b"]])
def test_a_loop_of_polls_gets_everything_once_and_in_order(server, keeps_session, channels):
    channels = [f"{channel}-{keeps_session}" for channel in channels]
    count, seen = 300, {channel: [] for channel in channels}
    poller = Poller(server.port, *channels, keeps_session=keeps_session)
    poller.poll()
    publishing = Publishing(server.port, channels, count)
    publishing.start()
    while any(len(of_channel) < count for of_channel in seen.values()):
        for message in poller.poll():
            assert message["type"] in ("message", "presence"), message
            if message["type"] == "message":
                seen[message["channel"]].append(message["data"])
    publishing.finish()
    assert all(of_channel == list(range(count)) for of_channel in seen.values())


def test_an_answer_that_was_lost_is_given_again(server):
    chance, seen, count = random.Random(5), [], 200
    poller = Poller(server.port, "poll-lost")
    poller.poll()
    publishing = Publishing(server.port, ["poll-lost"], count)
    publishing.start()
    while len(seen) < count:
        before = dict(poller.parameters)
        messages = [m["data"] for m in poller.poll() if m["type"] == "message"]
        if chance.random() < 0.3:
            poller.parameters = before
        else:
            seen += messages
    publishing.finish()
    assert seen == list(range(count))


def test_a_second_poll_of_a_session_is_refused_and_the_first_goes_on(server):
    poller = Poller(server.port, "poll-twice")
    poller.poll()
    publish(server.port, "poll-twice", 0)
    assert poller.until("message")["data"] == 0
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(poller.until, "message")
        time.sleep(0.5)
        answer = ask(server.port, "GET", poller.path())
        assert (answer.status, answer.code) == (409, "session_busy")
        publish(server.port, "poll-twice", 1)
        assert waiting.result(10)["data"] == 1


def test_a_position_that_no_server_wrote_is_a_gap_that_is_told(server):
    poller = Poller(server.port, "poll-bad-a", "poll-bad-b")
    poller.parameters["position"] = "nonsense"
    gaps = [message for message in poller.poll() if message["type"] == "unrecovered"]
    assert [(gap["channel"], gap["reason"]) for gap in gaps] == [("poll-bad-a", "epoch"), ("poll-bad-b", "epoch")]
    publish(server.port, "poll-bad-a", 1)
    assert poller.until("message")["data"] == 1


def test_a_channel_that_is_added_is_told_and_loses_nothing(server):
    poller = Poller(server.port, "poll-added-a", keeps_session=False)
    poller.poll()
    before = poller.parameters["position"]
    poller.parameters |= {"channels": "poll-added-a,poll-added-b"}
    # The position was that of the only channel: whose it is is not known any more.
    assert {m["type"] for m in poller.poll()} >= {"unrecovered"}
    assert poller.parameters["position"] != before
    poller.parameters["channels"] += ",poll-added-c"
    subscribed = poller.until("subscribed")
    assert subscribed["channels"] == ["poll-added-c"]
    publish(server.port, "poll-added-c", 1)
    assert poller.until("message")["data"] == 1


def test_a_long_answer_is_given_in_parts(server):
    poller = Poller(server.port, "poll-long")
    poller.poll()
    data = "x" * 90_000
    for number in range(20):
        publish(server.port, "poll-long", [number, data])
    seen, polls = [], 0
    while len(seen) < 20:
        seen += [message["data"][0] for message in poller.poll() if message["type"] == "message"]
        polls += 1
    assert seen == list(range(20))
    assert polls >= 2


def test_what_is_too_much_to_be_given_again_is_a_gap_that_is_told(server):
    poller = Poller(server.port, "poll-flood")
    poller.poll()
    for number in range(60):
        publish(server.port, "poll-flood", [number, "x" * 90_000])
    seen, gap = [], None
    while gap is None:
        for message in poller.poll():
            if message["type"] == "message":
                seen.append(message["data"][0])
            elif message["type"] == "unrecovered":
                gap = message
    assert seen == list(range(len(seen))) and len(seen) > 5
    assert (gap["channel"], gap["reason"]) == ("poll-flood", "limit")
    publish(server.port, "poll-flood", ["live"])
    assert poller.until("message")["data"] == ["live"]


def test_what_is_sent_for_a_session_shows_in_the_next_poll(server):
    poller = Poller(server.port, "poll-session")
    poller.poll()
    headers = {"Openline_Session": poller.session}
    body = {"type": "subscribe", "id": 9, "channels": ["poll-session-2"]}
    assert ask(server.port, "POST", "/poll", body, **headers).status == 204
    assert poller.until("subscribed")["id"] == 9
    publish(server.port, "poll-session-2", 1)
    assert poller.until("message")["channel"] == "poll-session-2"


def test_a_poll_may_begin_without_channels_and_says_when_its_subscriptions_are_gone(server):
    poller = Poller(server.port, "")
    assert [message["type"] for message in poller.poll()] == ["welcome"]
    body = {"type": "subscribe", "id": 1, "channels": ["poll-bare"]}
    assert ask(server.port, "POST", "/poll", body, Openline_Session=poller.session).status == 204
    assert poller.until("subscribed")["channels"] == ["poll-bare"]
    publish(server.port, "poll-bare", 1)
    assert poller.until("message")["data"] == 1
    del poller.parameters["session"]
    answer = ask(server.port, "GET", poller.path())
    assert (answer.status, answer.code) == (404, "unknown_session")


@pytest.mark.parametrize(
    "path, code",
    [("/poll", "bad_request"), ("/poll?channels=a%20b", "bad_channel"), ("/poll?position=x", "bad_request")],
)
def test_what_cannot_be_subscribed_is_refused(server, path, code):
    answer = ask(server.port, "GET", path)
    assert (answer.status, answer.code) == (400, code)


async def test_who_polls_is_present_without_a_break_and_leaves_afterwards(server):
    def poll_for(seconds: float) -> None:
        # Each poll is answered by what is published, and the next comes a little later.
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            publish(server.port, "poll-present", 1)
            poller.poll()
            time.sleep(0.4)

    async with connect(f"{server.ws}/ws") as line:
        await line.recv()
        await line.send(json.dumps({"type": "subscribe", "channels": ["poll-present"]}))
        poller = Poller(server.port, "poll-present")
        client = (await asyncio.to_thread(poller.poll))[0]["clientId"]
        await asyncio.to_thread(poll_for, 4)
        polled_until = time.monotonic()
        joined, left = [], []
        while not left:
            message = json.loads(await asyncio.wait_for(line.recv(), 20))
            if message["type"] == "presence" and "id" not in message:
                joined += [m for m in message["data"]["joined"] if m["clientId"] == client]
                left += [m for m in message["data"]["left"] if m["clientId"] == client]
        assert len(joined) == 1
        assert 8 < time.monotonic() - polled_until < 16


def test_a_poll_of_which_nothing_comes_is_empty_after_25_seconds(server):
    poller = Poller(server.port, "poll-quiet")
    poller.poll()
    start = time.monotonic()
    assert poller.poll() == []
    assert 24 < time.monotonic() - start < 30


def test_polls_go_through_nginx(nginx):
    poller = Poller(nginx.port, "poll-nginx")
    poller.poll()
    publishing = Publishing(nginx.port, ["poll-nginx"], 100)
    publishing.start()
    seen: list[int] = []
    while len(seen) < 100:
        seen += [message["data"] for message in poller.poll() if message["type"] == "message"]
    publishing.finish()
    assert seen == list(range(100))


def test_a_session_is_found_from_every_thread(openline, tmp_path):
    arguments = [openline, "serve", "--listen", "127.0.0.1:0", "--threads", "4", "--ephemeral"]
    with Program(arguments, tmp_path / "run") as program:
        port = int(program.wait_for(LISTENING)[3])
        poller = Poller(port, "threads")
        poller.poll()
        session = poller.session
        # Each request is a connection, and each connection is the next thread's.
        for number in range(40):
            body = {"type": "publish", "channel": "threads", "data": number}
            answer = ask(port, "POST", "/poll", body, Openline_Session=session)
            assert answer.json["type"] == "published"
            assert poller.until("message")["data"] == number
            assert poller.session == session
        with Stream(port, "/sse?channels=threads") as stream:
            headers = {"Openline_Session": stream.opened()[0]["session"]}
            for number in range(8):
                body = {"type": "subscribe", "id": number, "channels": [f"threads-{number}"]}
                assert ask(port, "POST", "/sse", body, **headers).status == 204
                assert stream.message("subscribed")["id"] == number
        assert "panicked" not in program.output


def test_many_poll_side_by_side(server):
    pollers = [Poller(server.port, "poll-many") for _ in range(30)]
    results: list[list[int]] = [[] for _ in pollers]

    def run(poller: Poller, seen: list[int]) -> None:
        poller.poll()
        ready.wait(20)
        while len(seen) < 50:
            seen += [message["data"] for message in poller.poll() if message["type"] == "message"]

    ready = threading.Barrier(len(pollers) + 1)
    with ThreadPoolExecutor(len(pollers)) as pool:
        running = [pool.submit(run, *pair) for pair in zip(pollers, results)]
        ready.wait(20)
        publishing = Publishing(server.port, ["poll-many"], 50)
        publishing.start()
        for one in running:
            one.result(30)
        publishing.finish()
    assert all(seen == list(range(50)) for seen in results)
