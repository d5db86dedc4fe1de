"""Chromium against our server: over HTTP/1.1, and over TLS where it uses RFC 8441."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from programs import find


def visit(node, folder: Path, url: str, *netlog: str):
    return node("browser.mjs", find("chromium"), f"{url}/bench", str(folder / "profile"), *netlog, seconds=55)


@pytest.fixture(scope="module")
def cleartext(node, server, tmp_path_factory):
    return visit(node, tmp_path_factory.mktemp("browser"), server.http)


class NetLog:
    """Chromium's own record of what it sent and received."""

    def __init__(self, path: Path) -> None:
        text = path.read_text(errors="replace")
        try:
            log = json.loads(text)
        except json.JSONDecodeError:
            # A browser that was killed leaves the list of events open.
            log = json.loads(text.rstrip().rstrip(",") + "]}")
        names = {number: name for name, number in log["constants"]["logEventTypes"].items()}
        self._events = [(names[event["type"]], event.get("params", {})) for event in log["events"]]

    def headers(self, event: str) -> list[dict[str, str]]:
        """The header lists of every event of a type."""
        found = []
        for name, params in self._events:
            if name == event and "headers" in params:
                pairs = (line.partition(": ") for line in params["headers"])
                found.append({key.lower(): value for key, _, value in pairs})
        return found


@pytest.fixture(scope="module")
def over_tls(node, tls_server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser-tls")
    seen = visit(node, folder, tls_server.http, str(folder / "netlog.json"))
    return seen, NetLog(folder / "netlog.json")


@pytest.fixture(params=["cleartext", "over_tls"])
def seen(request):
    value = request.getfixturevalue(request.param)
    return value if request.param == "cleartext" else value[0]


def test_text_comes_back(seen):
    assert seen["text"] == "grüß dich, 世界 🙂"
    assert seen["empty"] == ""
    assert seen["longText"]


def test_a_mebibyte_of_binary_comes_back(seen):
    assert seen["binary"]
    assert seen["blob"] == "from a blob"


def test_a_thousand_messages_come_back_in_order(seen):
    assert seen["inOrder"]


def test_the_first_subprotocol_offered_is_chosen(seen):
    assert seen["protocol"] == "second"


def test_deflate_is_agreed(seen):
    assert "permessage-deflate" in seen["extensions"]


def test_the_page_is_told_that_its_close_was_clean(seen):
    """The server answers a close with the same code and the same reason."""
    assert seen["close4999"] == {"code": 4999, "reason": "done", "wasClean": True}
    assert seen["close3000"] == {"code": 3000, "reason": "", "wasClean": True}
    assert seen["closeWithoutCode"] == {"code": 1005, "reason": "", "wasClean": True}


def test_a_line_to_nowhere_is_not_clean(seen):
    assert seen["missing"] == {"code": 1006, "wasClean": False}


def test_the_server_has_a_page(seen):
    assert seen["pageStatus"] == 200


def test_over_tls_the_page_comes_by_http2(over_tls):
    assert over_tls[0]["pageProtocol"] == "h2"


def test_over_tls_lines_are_streams_of_http2(over_tls):
    """RFC 8441: an extended CONNECT each, and not one Upgrade."""
    _, log = over_tls
    sent = log.headers("HTTP2_SESSION_SEND_HEADERS")
    connects = [headers for headers in sent if headers.get(":method") == "CONNECT"]
    assert {headers[":protocol"] for headers in connects} == {"websocket"}
    # The page opens three lines to /echo, and asks for one to /nowhere.
    assert [headers[":path"] for headers in connects] == ["/echo"] * 3 + ["/nowhere"]
    over_http1 = log.headers("HTTP_TRANSACTION_SEND_REQUEST_HEADERS")
    assert [headers for headers in over_http1 if "upgrade" in headers] == []
