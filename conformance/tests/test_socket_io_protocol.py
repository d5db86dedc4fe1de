"""The rules of Socket.IO, version 5, on the wire.

The table in ../README.md says which case of the official suite each one stands for;
its other sixteen are Engine.IO's, in `test_engine_io_protocol.py`.
"""

from __future__ import annotations

import json

import pytest
import websockets

from engine_io import Door, Line

ONE, TWO = bytes([1, 2, 3]), bytes([4, 5, 6])
PLACEHOLDERS = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'


@pytest.fixture
def door(socketio):
    return Door(socketio.http, "/socket.io/")


@pytest.fixture
def brisk(brisk_socketio):
    return Door(brisk_socketio.http, "/socket.io/")


async def connected(door: Door) -> Line:
    """A line that has joined the main namespace."""
    line = await door.opened_line()
    await line.send("40")
    assert (await line.message()).startswith('40{"sid":')
    assert await line.message() == '42["auth",{}]'
    return line


# CONNECT


@pytest.mark.parametrize("space", ["", "/custom,"], ids=["main", "custom"])
@pytest.mark.parametrize("auth", ["", '{"token":"123"}'], ids=["no auth", "auth"])
async def test_a_client_joins_a_namespace(door, space, auth):
    line = await door.opened_line()
    await line.send(f"40{space}{auth}")
    answer = await line.message()
    assert answer.startswith(f"40{space}{{")
    session = json.loads(answer.removeprefix(f"40{space}"))
    assert set(session) == {"sid"}
    assert isinstance(session["sid"], str)
    # It is not the connection's own, which is a secret of the polling client.
    assert session["sid"] not in ("", line.session["sid"])
    assert await line.message() == f'42{space}["auth",{auth or "{}"}]'


async def test_a_namespace_that_is_not_there_is_refused(door):
    line = await door.opened_line()
    await line.send("40/random")
    assert await line.message() == '44/random,{"message":"Invalid namespace"}'


async def test_a_first_packet_that_is_none_ends_the_connection(door):
    line = await door.opened_line()
    await line.send("4abc")
    await line.ended()


async def test_a_client_that_does_not_join_in_time_is_let_go(brisk):
    """It answers its pings: what ends the connection is that no CONNECT comes."""
    line = await brisk.opened_line()
    with pytest.raises(websockets.ConnectionClosed):
        while True:
            assert await line.packet() == "2"
            await line.send("3")


# DISCONNECT


async def test_a_client_leaves_the_main_namespace_and_its_line_stays(brisk):
    line = await connected(brisk)
    await line.send("41")
    assert await line.packet() == "2"


async def test_a_client_leaves_a_namespace_and_stays_in_the_other(door):
    line = await connected(door)
    await line.send("40/custom")
    assert (await line.message()).startswith('40/custom,{"sid":')
    assert await line.message() == '42/custom,["auth",{}]'
    await line.send("41/custom", '42["message","message to main namespace"]')
    assert await line.message() == '42["message-back","message to main namespace"]'


# EVENT and ACK


async def test_an_event_keeps_its_arguments(door):
    line = await connected(door)
    await line.send('42["message",1,"2",{"3":[true]}]')
    assert await line.message() == '42["message-back",1,"2",{"3":[true]}]'


async def test_an_event_carries_attachments(door):
    line = await connected(door)
    await line.send(f'452-["message",{PLACEHOLDERS}]', ONE, TWO)
    assert await line.message() == f'452-["message-back",{PLACEHOLDERS}]'
    assert [await line.message(), await line.message()] == [ONE, TWO]


async def test_an_event_is_acknowledged_with_its_number(door):
    line = await connected(door)
    await line.send('42456["message-with-ack",1,"2",{"3":[false]}]')
    assert await line.message() == '43456[1,"2",{"3":[false]}]'


async def test_an_acknowledgement_carries_attachments(door):
    line = await connected(door)
    await line.send(f'452-789["message-with-ack",{PLACEHOLDERS}]', ONE, TWO)
    assert await line.message() == f"462-789[{PLACEHOLDERS}]"
    assert [await line.message(), await line.message()] == [ONE, TWO]


@pytest.mark.parametrize(
    "packet",
    ["4abc", "42{}", '42abc["message-with-ack",1,"2",{"3":[false]}]'],
    ids=["unknown type", "payload that is no array", "number that is none"],
)
async def test_a_packet_that_is_wrong_ends_the_connection(door, packet):
    line = await connected(door)
    await line.send(packet)
    await line.ended()


# Beyond the official suite


@pytest.mark.parametrize(
    "packet",
    [
        "42[]", "42[{}]", '42["message"', "43[1,", '42["message"]x', '40/custom,"x"', '42["connect"]',
        '451["message"]', '450-["message"]', '4511-["message"]', '45-["message"]', "44",
    ],
    ids=[
        "no name", "name that is an object", "cut", "cut ack", "trailing", "auth that is no object", "reserved name",
        "no dash", "no attachment", "eleven attachments", "no count", "error from a client",
    ],
)
async def test_other_packets_that_are_wrong_end_the_connection(door, packet):
    line = await connected(door)
    await line.send(packet)
    await line.ended()


@pytest.mark.npm_fails("socket.io-parser 4.2.7 lets an event without a payload pass")
async def test_an_event_without_a_payload_ends_the_connection(door):
    line = await connected(door)
    await line.send("42")
    await line.ended()


async def test_text_between_attachments_ends_the_connection(door):
    line = await connected(door)
    await line.send(f'452-["message",{PLACEHOLDERS}]', ONE, '42["message",1]')
    await line.ended()


async def test_an_attachment_that_was_not_announced_ends_the_connection(door):
    line = await connected(door)
    await line.send(ONE)
    await line.ended()


async def test_polling_carries_attachments(door):
    """What stands in one payload need not be one event: the second POST brings the rest."""
    sid = (await door.handshake())["sid"]
    await door.post(sid, "40")
    heard = []
    while len(heard) < 2:
        heard += (await door.poll(sid)).packets
    await door.post(sid, f'452-["message",{PLACEHOLDERS}]', "bAQID")
    await door.post(sid, "bBAUG")
    heard = []
    while len(heard) < 3:
        heard += (await door.poll(sid)).packets
    assert heard == [f'452-["message-back",{PLACEHOLDERS}]', "bAQID", "bBAUG"]
