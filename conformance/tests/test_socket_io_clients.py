"""npm's `socket.io-client` in node and in Chromium: every case by polling, by WebSocket, and by both in turn."""

from __future__ import annotations

import aiohttp
import pytest

from programs import find

WAYS = ["polling", "websocket", "polling then websocket"]


@pytest.fixture(scope="module")
def in_node(node, socketio, steady_socketio):
    return {way: node("socketio_client.mjs", socketio.http, steady_socketio.http, *way.split(" then ")) for way in WAYS}


@pytest.fixture(scope="module")
def in_chromium(node, socketio, steady_socketio, tmp_path_factory):
    profile = tmp_path_factory.mktemp("socketio-browser")
    addresses = (socketio.http, steady_socketio.http, str(socketio.page_port))
    return node("socketio_browser.mjs", find("chromium"), *addresses, str(profile), seconds=58)


@pytest.fixture(params=WAYS)
def way(request):
    return request.param


@pytest.fixture(params=["in_node", "in_chromium"])
def seen(request, way):
    return request.getfixturevalue(request.param)[way]


def test_the_client_connects_and_upgrades(seen, way):
    began, _, ends = way.partition(" then ")
    assert seen["transport"] == {"began": began, "ends": ends or began, "back": "still here", "ids": True}


def test_events_come_back_with_all_arguments_and_in_order(seen):
    assert seen["messages"] == {
        "auth": {},
        "back": [1, "2", {"3": [True, None]}, "grüß dich, 世界 🙂", ""],
        "nothing": [],
        "inOrder": True,
    }


def test_events_sent_before_and_during_the_upgrade_come_once_and_in_order(seen):
    assert seen["burst"] == {"inOrder": True}


def test_two_megabytes_go_in_payloads_that_the_server_allows(seen):
    assert seen["large"] == {"lengths": [100_000]}


def test_the_client_asks_and_is_answered_or_told_that_time_is_up(seen):
    assert seen["acks"] == {
        "id": True,
        "one": {"a": [1]},
        "several": [1, "2"],
        "inTime": "soon",
        "late": "operation has timed out",
        "lateCallback": "operation has timed out",
    }


def test_the_server_asks_and_is_answered_or_told_that_time_is_up(seen):
    assert seen["questions"] == {"answered": "really? yes", "silent": "no answer", "binary": {"bytes": {"bytes": [9, 8]}}}


def test_bytes_go_both_ways_wherever_they_stand(seen):
    def data(*values):
        return {"bytes": list(values)}

    assert seen["binary"] == {
        "top": [data(1, 2), "between", data()],
        "nested": [{"a": [{"b": data(0, 255)}], "c": "text"}, [data(7)]],
        "ack": [data(1, 2, 3), {"deep": {"list": [data(), data(255, 0)]}}],
        "ackBack": [{"x": data(5)}],
        "weighed": {"name": "n", "bytes": [[1, 2], [], [250]]},
        "sent": {"name": "two", "parts": [data(4, 5), {"last": data(6)}]},
        "long": True,
    }


def test_namespaces_share_a_connection(seen):
    assert seen["namespaces"] == {
        "auth": {"who": "me"},
        "ids": True,
        "error": "Invalid namespace",
        "back": "main stays",
    }


def test_a_namespace_refuses_with_a_reason_and_data(seen):
    assert seen["guarded"] == {
        "auth": {"token": "sesame"},
        "message": "not authorized",
        "data": {"code": "wrong_token", "hint": ["ask", 7]},
        "active": False,
        "second": {"token": "sesame"},
    }


def test_rooms(seen):
    assert seen["rooms"] == {
        "ann": ["all of red", "either", "ben has left"],
        "ben": ["others of red", "all of red", "either", "all but ann"],
        "cid": ["either", "not red", "all but ann"],
        "answers": ["ann: there?", "ben: there?"],
        "some": [],
    }


def test_volatile_events_come_when_they_can(seen):
    assert seen["volatile"] == {"heard": "now", "backs": ["in time"]}


def test_both_sides_leave_a_namespace_or_all_of_them(seen):
    assert seen["disconnects"] == {
        "left": "io server disconnect",
        "stays": "custom stays",
        "whole": ["io server disconnect"] * 2,
        "own": "io client disconnect",
    }


def test_the_client_lives_through_many_heartbeats(seen):
    assert seen["heartbeat"] == {"back": ["after four"]}


def test_a_page_may_send_headers_and_cookies_of_its_own(in_chromium):
    """Chromium asks beforehand (a preflight) and wants its origin by name."""
    assert in_chromium["headers"] == "connected"


def test_a_page_of_another_origin_may_not_poll(in_chromium):
    assert in_chromium["stranger"]["polling"] == "xhr poll error"


@pytest.mark.npm_fails("socket.io 4.8.4 looks at the origin of requests only, so a page of any site has its WebSocket")
def test_a_page_of_another_origin_may_not_open_a_websocket(in_chromium):
    assert in_chromium["stranger"]["websocket"] == "websocket error"


@pytest.mark.parametrize("allowed", [True, False], ids=["allowed", "refused"])
async def test_what_an_origin_is_told_beforehand(socketio, allowed):
    own = f"http://127.0.0.1:{socketio.page_port}"
    origin = own if allowed else "https://elsewhere.test"
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-own"}
    url = f"{socketio.http}/socket.io/?EIO=4&transport=polling"
    async with aiohttp.request("OPTIONS", url, headers={"Origin": origin} | asked) as answer:
        if not allowed:
            assert "access-control-allow-origin" not in answer.headers
            return
        assert answer.status in (200, 204)
        assert answer.headers["access-control-allow-origin"] == own
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert "POST" in answer.headers["access-control-allow-methods"]
        assert "x-own" in answer.headers["access-control-allow-headers"].lower()
        assert "origin" in answer.headers["vary"].lower()


async def test_an_answer_names_the_origin_that_may_read_it(socketio):
    own = f"http://127.0.0.1:{socketio.page_port}"
    url = f"{socketio.http}/socket.io/?EIO=4&transport=polling"
    async with aiohttp.request("GET", url, headers={"Origin": own}) as answer:
        assert answer.status == 200
        assert answer.headers["access-control-allow-origin"] == own
        assert answer.headers["access-control-allow-credentials"] == "true"
    async with aiohttp.request("GET", url, headers={"Origin": "https://elsewhere.test"}) as answer:
        assert "access-control-allow-origin" not in answer.headers
