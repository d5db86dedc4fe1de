"""The rules of Engine.IO, version 4, at a raw endpoint and below Socket.IO.

The table in ../README.md says which case of the official suites each one stands for.
"""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from engine_io import Door, Line

PING_INTERVAL, PING_TIMEOUT = 0.3, 0.2
OPENED = {"sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"}


@pytest.fixture(params=["/engine.io/", "/socket.io/"])
def door(request, socketio):
    """Both endpoints, patient with a client that does not answer pings."""
    return Door(socketio.http, request.param)


@pytest.fixture(params=["/engine.io/", "/socket.io/"])
def brisk(request, brisk_socketio):
    """Both endpoints, with the heartbeat of the official suites."""
    return Door(brisk_socketio.http, request.param)


@pytest.fixture
def echo(socketio):
    return Door(socketio.http, "/engine.io/")


async def is_heard(door: Door, line: Line) -> None:
    """What the line sends is answered: by the echo, or by Socket.IO's CONNECT."""
    if door.path == "/engine.io/":
        await line.send("4hello")
        assert await line.message() == "4hello"
    else:
        await line.send("40")
        assert (await line.message()).startswith('40{"sid":')


async def upgraded(door: Door) -> tuple[str, Line]:
    sid = (await door.handshake())["sid"]
    line = await door.line({"sid": sid})
    await line.send("2probe")
    assert await line.packet() == "3probe"
    await line.send("5")
    return sid, line


# Handshake


async def test_polling_opens_a_session_and_says_what_it_allows(brisk):
    answer = await brisk.request("GET", {"EIO": "4", "transport": "polling"})
    assert answer.status == 200
    assert answer.headers["content-type"].lower().startswith("text/plain")
    assert answer.body[0] == "0"
    opened = json.loads(answer.body[1:])
    assert set(opened) == OPENED
    assert isinstance(opened["sid"], str) and opened["sid"]
    assert opened["upgrades"] == ["websocket"]
    assert (opened["pingInterval"], opened["pingTimeout"], opened["maxPayload"]) == (300, 200, 1_000_000)


@pytest.mark.parametrize("query", [{}, {"EIO": "abc"}])
async def test_polling_needs_the_protocol_version(door, query):
    answer = await door.request("GET", query | {"transport": "polling"})
    assert answer.status == 400


@pytest.mark.parametrize("query", [{}, {"transport": "abc"}])
async def test_polling_needs_a_transport_that_is_known(door, query):
    answer = await door.request("GET", {"EIO": "4"} | query)
    assert answer.status == 400


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_only_get_opens_a_session(door, method):
    answer = await door.request(method, {"EIO": "4", "transport": "polling"})
    assert answer.status == 400


async def test_a_websocket_opens_a_session_that_has_no_upgrade(brisk):
    line = await brisk.line()
    packet = await line.packet()
    assert packet[0] == "0"
    opened = json.loads(packet[1:])
    assert set(opened) == OPENED
    assert isinstance(opened["sid"], str) and opened["sid"]
    assert opened["upgrades"] == []
    assert (opened["pingInterval"], opened["pingTimeout"], opened["maxPayload"]) == (300, 200, 1_000_000)
    await line.close()


@pytest.mark.parametrize("query", [{}, {"EIO": "abc"}])
async def test_a_websocket_needs_the_protocol_version(door, query):
    await door.refuses_line(door.url(**query, transport="websocket"))


@pytest.mark.parametrize("query", [{}, {"transport": "abc"}])
async def test_a_websocket_needs_a_transport_that_is_known(door, query):
    await door.refuses_line(door.url(EIO="4", **query))


# Messages


@pytest.mark.parametrize(
    "packets",
    [["4hello"], ["4test1", "4test2", "4test3"], ["4hello", "bAQIDBA=="]],
    ids=["one text", "several texts", "text and binary"],
)
async def test_polling_carries_messages_both_ways(echo, packets):
    """What one POST brought is answered when it is, so that the next poll has all of it."""
    sid = (await echo.handshake())["sid"]
    posted = await echo.post(sid, *packets)
    assert (posted.status, posted.body) == (200, "ok")
    polled = await echo.poll(sid)
    assert polled.status == 200
    assert polled.packets == packets


async def test_a_payload_that_is_no_packet_ends_a_polling_session(echo):
    sid = (await echo.handshake())["sid"]
    try:
        # npm's server says ok to this one, and knows the session no more.
        assert (await echo.post(sid, "abc")).status in (200, 400)
    except aiohttp.ClientError:
        pass  # A server may also cut the connection.
    assert (await echo.poll(sid)).status == 400


async def test_a_second_poll_at_once_ends_the_session(echo):
    sid = (await echo.handshake())["sid"]
    first = asyncio.create_task(echo.poll(sid))
    await asyncio.sleep(0.1)
    second = await echo.poll(sid)
    # npm's server answers 500; the protocol's text says 400.
    assert second.status in (400, 500)
    first = await first
    assert (first.status, first.body) == (200, "1")
    assert (await echo.poll(sid)).status == 400


async def test_a_poll_that_is_given_up_ends_the_session(echo):
    sid = (await echo.handshake())["sid"]
    poll = asyncio.create_task(echo.poll(sid))
    await asyncio.sleep(0.1)
    poll.cancel()
    await asyncio.sleep(0.1)
    assert (await echo.poll(sid)).status == 400


async def test_a_websocket_carries_text_both_ways(echo):
    line = await echo.opened_line()
    await line.send("4hello")
    assert await line.message() == "4hello"


async def test_a_websocket_carries_binary_both_ways(echo):
    line = await echo.opened_line()
    await line.send(bytes([1, 2, 3, 4]))
    assert await line.message() == bytes([1, 2, 3, 4])


async def test_a_frame_that_is_no_packet_ends_a_websocket_session(echo):
    line = await echo.opened_line()
    await line.send("abc")
    await line.ended()


# Heartbeat


async def test_polling_gets_pings_and_answers(brisk):
    sid = (await brisk.handshake())["sid"]
    for _ in range(3):
        polled = await brisk.poll(sid)
        assert (polled.status, polled.body) == (200, "2")
        assert (await brisk.post(sid, "3")).status == 200


async def test_a_polling_session_ends_when_no_pong_comes(brisk):
    sid = (await brisk.handshake())["sid"]
    await asyncio.sleep(PING_INTERVAL + PING_TIMEOUT + 0.1)
    assert (await brisk.poll(sid)).status == 400


async def test_a_websocket_gets_pings_and_answers(brisk):
    line = await brisk.opened_line()
    for _ in range(3):
        assert await line.packet() == "2"
        await line.send("3")
    await line.close()


async def test_a_websocket_session_ends_when_no_pong_comes(brisk):
    line = await brisk.opened_line()
    assert await line.packet() == "2"
    await line.ended()


# Close


async def test_a_polling_client_closes_its_session(door):
    sid = (await door.handshake())["sid"]
    poll = asyncio.create_task(door.poll(sid))
    await asyncio.sleep(0.1)
    await door.post(sid, "1")
    polled = await poll
    assert (polled.status, polled.body) == (200, "6")
    assert (await door.poll(sid)).status == 400


async def test_a_websocket_client_closes_its_session(brisk):
    """The official case is content when the heartbeat ends the session; see the next one."""
    line = await brisk.opened_line()
    await line.send("1")
    await line.ended()


@pytest.mark.npm_fails("engine.io 6.6.12 takes no notice of `close` on a WebSocket")
async def test_a_close_packet_ends_a_websocket_at_once(door):
    line = await door.opened_line()
    await line.send("1")
    await line.ended()


# Upgrade


async def test_a_polling_session_moves_to_a_websocket(door):
    sid = (await door.handshake())["sid"]
    line = await door.line({"sid": sid})
    await line.send("2probe")
    assert await line.packet() == "3probe"
    # A `noop` sets the waiting client free, so that it can finish.
    polled = await door.poll(sid)
    assert (polled.status, polled.body) == (200, "6")
    await line.send("5")
    await is_heard(door, line)


async def test_after_the_upgrade_polls_are_refused(door):
    sid, line = await upgraded(door)
    await is_heard(door, line)
    assert (await door.poll(sid)).status == 400
    line_again = await door.opened_line()
    await is_heard(door, line_again)


async def test_a_hasty_upgrade_leaves_no_poll_waiting(door):
    """The official Socket.IO cases 15 and 16 do not wait for the answer to their probe.

    They want 400. A poll that is there before the upgrade is done may also be sent home.
    """
    for _ in range(10):
        sid = (await door.handshake())["sid"]
        line = await door.line({"sid": sid})
        await line.send("2probe", "5")
        polled = await door.poll(sid)
        assert polled.status == 400 or polled.body in ("1", "6")
        assert await line.packet() == "3probe"
        await is_heard(door, line)
        await line.close()


async def test_after_the_upgrade_a_second_websocket_is_refused(door):
    sid, line = await upgraded(door)
    await door.refuses_line(door.url(EIO="4", transport="websocket", sid=sid))
    await is_heard(door, line)


# Beyond the official suites


async def test_a_client_of_the_third_version_is_told_so(door):
    answer = await door.request("GET", {"EIO": "3", "transport": "polling"})
    assert answer.status == 400
    assert json.loads(answer.body) == {"code": 5, "message": "Unsupported protocol version"}
    await door.refuses_line(door.url(EIO="3", transport="websocket"))


async def test_a_session_that_is_not_known_is_named_so(door):
    answer = await door.poll("nobody")
    assert answer.status == 400
    assert json.loads(answer.body) == {"code": 1, "message": "Session ID unknown"}


async def test_a_payload_longer_than_max_payload_is_refused(echo):
    sid = (await echo.handshake())["sid"]
    try:
        assert (await echo.post(sid, "4" + "x" * 1_000_000)).status == 413
    except aiohttp.ClientError:
        pass  # A server may cut the connection before it has read everything.
    line = await echo.opened_line()
    await line.send("4" + "x" * 1_000_000)
    await line.ended()
    assert line.socket.close_code == 1009


async def test_a_payload_as_long_as_max_payload_is_taken(echo):
    sid = (await echo.handshake())["sid"]
    assert (await echo.post(sid, "4" + "x" * 999_999)).body == "ok"
    assert len((await echo.poll(sid)).body) == 1_000_000


async def test_messages_around_the_upgrade_arrive_once_and_in_order(echo):
    sid = (await echo.handshake())["sid"]
    await echo.post(sid, "4one", "4two")
    line = await echo.line({"sid": sid})
    await line.send("2probe")
    assert await line.packet() == "3probe"
    polled = (await echo.poll(sid)).packets
    await echo.post(sid, "4three")
    await line.send("5", "4four")
    heard = [packet for packet in polled if packet != "6"]
    while "4four" not in heard:
        heard.append(await line.message())
    assert heard == ["4one", "4two", "4three", "4four"]


async def test_deflate_is_agreed_and_used(echo):
    line = await echo.opened_line()
    assert [extension.name for extension in line.socket.protocol.extensions] == ["permessage-deflate"]
    await line.send("4" + "long " * 10_000)
    assert await line.message() == "4" + "long " * 10_000
