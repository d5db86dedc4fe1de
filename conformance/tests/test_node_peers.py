"""JavaScript clients against our server: `ws`, undici's WebSocket, and node's own HTTP/2.

A close comes back with its code and its reason.
"""

from __future__ import annotations


def test_ws_gets_text_and_binary_back(node, server):
    assert node("ws_client.mjs", f"{server.ws}/echo", "echo") == {
        "text": True,
        "binary": True,
        "protocol": "two",
        "close": {"code": 4999, "reason": "done"},
    }


def test_ws_and_deflate_with_context_takeover_offered(node, server):
    seen = node("ws_client.mjs", f"{server.ws}/echo", "takeover")
    assert seen["extensions"] == "permessage-deflate"
    assert seen["same"]
    assert seen["close"]["code"] == 1000


def test_ws_and_deflate_without_context_takeover_and_small_windows(node, server):
    seen = node("ws_client.mjs", f"{server.ws}/echo", "no_takeover")
    assert seen["extensions"] == "permessage-deflate"
    assert seen["same"]


def test_ws_fragments_come_back_whole_and_pings_between_them_are_answered(node, server):
    assert node("ws_client.mjs", f"{server.ws}/echo", "fragments") == {"plain": True, "compressed": True}


def test_ws_gets_five_thousand_messages_back_in_order(node, server):
    seen = node("ws_client.mjs", f"{server.ws}/echo", "burst")
    assert seen["inOrder"]
    assert seen["close"]["code"] == 1000


def test_ws_is_told_that_there_is_no_such_endpoint(node, server):
    assert node("ws_client.mjs", f"{server.ws}/nowhere", "refused") == {"status": 404}


def test_undici_sees_what_a_browser_would(node, server):
    seen = node("undici_client.mjs", f"{server.ws}/echo")
    assert seen["protocol"] == "second"
    assert seen["noProtocol"] == ""
    assert "permessage-deflate" in seen["extensions"]
    assert seen["text"] == "grüß dich, 世界"
    assert seen["long"] and seen["binary"]
    assert seen["close"] == {"code": 4999, "reason": "done", "wasClean": True}
    assert seen["close3000"] == {"code": 3000, "reason": "", "wasClean": True}


def test_undici_over_tls(node, tls_server, certificates):
    seen = node("undici_client.mjs", f"{tls_server.ws}/echo", environment={"NODE_EXTRA_CA_CERTS": str(certificates.ca)})
    assert seen["binary"] and seen["close"]["wasClean"]


def test_node_http2_opens_a_line_by_extended_connect(node, server):
    seen = node("http2_client.mjs", f"{server.http}/echo")
    assert seen["connectProtocol"] is True
    assert seen["status"] == 200
    assert seen["protocol"] == "one"
    assert seen["text"] and seen["binary"]
    assert seen["second"], "two lines on one connection"
    assert seen["close"] == {"code": 3000, "reason": "done"}


def test_node_http2_over_tls(node, tls_server, certificates):
    seen = node("http2_client.mjs", f"{tls_server.http}/echo", environment={"NODE_EXTRA_CA_CERTS": str(certificates.ca)})
    assert seen["status"] == 200
    assert seen["text"] and seen["binary"]
