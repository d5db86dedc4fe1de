"""The chat that `openline serve` has for Socket.IO clients, as it starts without a config."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(scope="module")
def chat(request):
    """With SOCKETIO_PEER=reference, the one on npm's `socket.io`."""
    return request.getfixturevalue("socketio" if os.environ.get("SOCKETIO_PEER") == "reference" else "server")


@pytest.mark.parametrize("transports", [["websocket"], ["polling"], ["polling", "websocket"]], ids=" then ".join)
def test_a_room_hears_who_joins_and_what_is_said_and_the_speaker_is_told(node, chat, transports):
    seen = node("socketio_chat.mjs", chat.http, *transports)
    said = [
        ["chat", {"from": "ann", "text": "hi", "timestamp": "now"}],
        ["chat", {"from": "eve", "text": "from outside", "timestamp": "now"}],
        ["chat", {"from": "ben", "text": "no ack", "timestamp": "now"}],
    ]
    assert seen == {
        "ann": [["system", "ann joined ROOM"], ["system", "ben joined ROOM"], *said],
        "ben": [["system", "ben joined ROOM"], *said],
        "eve": [],
        "acks": [{"status": "delivered"}] * 2,
    }
