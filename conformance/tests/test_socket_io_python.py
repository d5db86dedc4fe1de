"""PyPI's `python-socketio` against our server: by polling, by WebSocket, and by both in turn."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
import socketio as client_library

WAYS = [["polling"], ["websocket"], ["polling", "websocket"]]


@pytest.fixture(params=WAYS, ids=" then ".join)
def transports(request):
    return request.param


@pytest.fixture
def connect(socketio, transports):
    """Opens a client, with its events in a queue, and ends it."""

    @asynccontextmanager
    async def open_client(*namespaces, at=None, auth=None):
        client = client_library.AsyncClient(reconnection=False)
        heard = asyncio.Queue()
        for namespace in namespaces or ("/",):
            client.on("*", lambda event, *sent: heard.put_nowait((event, *sent)), namespace=namespace)
        await client.connect((at or socketio).http, transports=transports, auth=auth, namespaces=list(namespaces) or None)
        try:
            yield client, heard
        finally:
            await client.disconnect()

    return open_client


async def following(heard: asyncio.Queue):
    return await asyncio.wait_for(heard.get(), 5)


async def test_events_come_back_with_all_arguments(connect, transports):
    async with connect(auth={"who": "me"}) as (client, heard):
        assert await following(heard) == ("auth", {"who": "me"})
        assert client.transport() == transports[-1]
        await client.emit("message", (1, "2", {"3": [True]}, "grüß dich 🙂"))
        assert await following(heard) == ("message-back", 1, "2", {"3": [True]}, "grüß dich 🙂")


async def test_a_burst_comes_back_in_order(connect, transports):
    # This client refuses payloads of more than 16 packets.
    count = 15 if transports == ["polling"] else 200
    async with connect() as (client, heard):
        assert await following(heard) == ("auth", {})
        for number in range(count):
            await client.emit("message", number)
        assert [await following(heard) for _ in range(count)] == [("message-back", number) for number in range(count)]


async def test_bytes_go_both_ways_wherever_they_stand(connect):
    async with connect() as (client, heard):
        assert await following(heard) == ("auth", {})
        await client.emit("message", (b"\x01\x02", {"deep": [b"", {"deeper": b"\xff\x00"}]}))
        assert await following(heard) == ("message-back", b"\x01\x02", {"deep": [b"", {"deeper": b"\xff\x00"}]})
        assert await client.call("bytes", timeout=5) == (b"\x01\x02\x03", {"deep": {"list": [b"", b"\xff\x00"]}})
        weighed = await client.call("weigh", {"name": "n", "parts": [b"\x01", b"\xfa\x00"]}, timeout=5)
        assert weighed == {"name": "n", "bytes": [[1], [250, 0]]}
        await client.emit("send-bytes")
        assert await following(heard) == ("sent-bytes", {"name": "two", "parts": [b"\x04\x05", {"last": b"\x06"}]})


async def test_the_client_asks_and_is_answered_or_waits_in_vain(connect):
    async with connect() as (client, _):
        assert await client.call("message-with-ack", {"a": [1]}, timeout=5) == {"a": [1]}
        assert await client.call("message-with-ack", (1, "2"), timeout=5) == (1, "2")
        assert await client.call("id", timeout=5) == client.get_sid()
        with pytest.raises(client_library.exceptions.TimeoutError):
            await client.call("never", timeout=0.2)


async def test_the_server_asks_and_is_answered(connect):
    async with connect() as (client, heard):
        assert await following(heard) == ("auth", {})
        client.on("question", lambda question: f"{question}? yes")
        await client.emit("ask-me", "really")
        assert await following(heard) == ("you-said", "really? yes")


async def test_namespaces_share_a_connection(connect):
    async with connect("/", "/custom", auth={"who": "me"}) as (client, heard):
        assert [await following(heard) for _ in range(2)] == [("auth", {"who": "me"})] * 2
        assert client.get_sid("/") != client.get_sid("/custom")
        await client.emit("message", "to custom", namespace="/custom")
        assert await following(heard) == ("message-back", "to custom")


async def test_a_namespace_lets_in_who_may_come(connect):
    async with connect("/guarded", auth={"token": "sesame"}) as (_, heard):
        assert await following(heard) == ("auth", {"token": "sesame"})


async def test_a_namespace_refuses_with_a_reason_and_data(socketio, transports):
    client = client_library.AsyncClient(reconnection=False)
    told = asyncio.Queue()
    client.on("connect_error", told.put_nowait, namespace="/guarded")
    with pytest.raises(client_library.exceptions.ConnectionError):
        await client.connect(socketio.http, transports=transports, auth={"token": "guess"}, namespaces=["/guarded"])
    assert await following(told) == {"message": "not authorized", "data": {"code": "wrong_token", "hint": ["ask", 7]}}


async def test_rooms(connect):
    async with connect("/rooms") as (ann, ann_heard), connect("/rooms") as (ben, ben_heard):
        for client in (ann, ben):
            await client.call("join", "python", namespace="/rooms", timeout=5)
        await ann.emit("tell", {"room": "python", "text": "others"}, namespace="/rooms")
        await ann.emit("tell-all", {"room": "python", "text": "all"}, namespace="/rooms")
        assert [await following(ben_heard) for _ in range(2)] == [("told", "others"), ("told", "all")]
        assert await following(ann_heard) == ("told", "all")
        for client in (ann, ben):
            client.on("question", lambda question: f"{question}? yes", namespace="/rooms")
        sent = {"room": "python", "question": "there"}
        assert await ann.call("poll", sent, namespace="/rooms", timeout=5) == ["there? yes", "there? yes"]


async def test_the_server_sends_a_client_away(connect):
    async with connect() as (client, _):
        gone = asyncio.Queue()
        client.on("disconnect", gone.put_nowait)
        await client.emit("leave-me", True)
        assert await following(gone) == client.reason.SERVER_DISCONNECT


async def test_the_client_lives_through_many_heartbeats(connect, steady_socketio):
    async with connect(at=steady_socketio) as (client, heard):
        assert await following(heard) == ("auth", {})
        await asyncio.sleep(1.2)
        await client.emit("message", "after four")
        assert await following(heard) == ("message-back", "after four")
