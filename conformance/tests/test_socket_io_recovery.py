"""What npm's `socket.io-client` 4.8.4 gets back of what it missed.

With npm's own server, socket.io 4.8.4, the marked cases fail: SOCKETIO_PEER=reference shows it.
What a client sends while it is away is not among them (socketio/socket.io#5363): it is the
client that keeps that, and its option `retries` sends it again until it is acknowledged.
"""

from __future__ import annotations

import os

import pytest

WINDOW, SHORT_WINDOW = "120000", "1000"
RECOVERED = {"recovered": True, "sameId": True}
NEW = {"recovered": False, "sameId": False}


@pytest.fixture(scope="module")
def with_window(socketio_program):
    return socketio_program("--recovery", WINDOW)


@pytest.fixture(scope="module")
def with_short_window(socketio_program):
    return socketio_program("--recovery", SHORT_WINDOW)


@pytest.fixture(scope="module", params=["websocket", "polling"])
def transport(request):
    return request.param


@pytest.fixture(scope="module")
def seen(node, with_window, transport):
    cases = ["once", "volatileString", "neverHeard", "thrice", "thriceQuietly", "unnoticed"]
    return node("socketio_recovery.mjs", with_window.http, transport, *cases)


@pytest.fixture(scope="module")
def seen_in_short_window(node, with_short_window, transport):
    return node("socketio_recovery.mjs", with_short_window.http, transport, "longQuiet", "tooLong")


def test_a_client_gets_what_it_missed_and_its_rooms(seen):
    assert seen["once"] == {"returns": [RECOVERED], "heard": ["1", "2", "3", "4"]}


@pytest.mark.npm_fails("socketio/socket.io#5539: recovered is false and both events are lost, in 4.8.4")
def test_a_volatile_event_that_ends_in_a_string_is_no_position(seen):
    """The client takes the last string of an event for the position, though this one has none."""
    assert seen["volatileString"] == {"returns": [RECOVERED], "heard": ["1", "alice types", "2", "3"]}


@pytest.mark.npm_fails("socketio/socket.io#4888, #5538: without a position it is a new session, in 4.8.4")
def test_a_client_that_has_heard_nothing_is_recovered(seen):
    assert seen["neverHeard"] == {"returns": [RECOVERED], "heard": ["1"]}


def test_a_client_is_recovered_a_second_and_a_third_time(seen):
    """socketio/socket.io#4880; in 4.8.4 it holds so long as something is heard each time."""
    assert seen["thrice"] == {
        "returns": [RECOVERED] * 3,
        "heard": ["here 1", "away 1", "here 2", "away 2", "here 3", "away 3"],
    }


@pytest.mark.npm_fails("socketio/socket.io#4880: not recovered once, and the event is lost, in 4.8.4")
def test_a_client_that_hears_nothing_between_is_recovered_each_time(seen):
    assert seen["thriceQuietly"] == {"returns": [RECOVERED] * 3, "heard": ["at last", "after"]}


def test_a_client_is_recovered_whose_loss_the_server_did_not_notice(seen, transport, request):
    """The network went without a word, and the client comes back while its old line seems to be there.

    By polling the client's `close` reaches the server, so there it is the plain case. socket.io 4.8.4
    knows a session for recovery only once its line has ended.
    """
    if transport == "websocket" and os.environ.get("SOCKETIO_PEER") == "reference":
        request.applymarker(pytest.mark.xfail(reason="recovered is false and two events are lost", strict=True))
    assert seen["unnoticed"] == {"returns": [RECOVERED], "heard": ["1", "2", "3", "4"]}


def test_a_quiet_client_is_recovered(seen_in_short_window):
    """socketio/socket.io#5282: what it heard last is older than what the server keeps.

    socket.io 4.8.4 looks for what is too old once a minute. With QUIET_MS=125000 the same script
    showed recovered: false, and the second event lost; in the 2.5 s of this test it cannot fail there.
    """
    assert seen_in_short_window["longQuiet"] == {"returns": [RECOVERED], "heard": ["1", "2"]}


def test_a_client_that_was_away_too_long_begins_anew(seen_in_short_window):
    assert seen_in_short_window["tooLong"] == {"returns": [NEW], "heard": ["1", "3"]}
