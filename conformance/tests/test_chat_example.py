"""`examples/chat`: five kinds of clients in one room, each hears what the others say."""

from __future__ import annotations

from pathlib import Path

import pytest

from programs import LISTENING, Missing, Program, find, free_port


@pytest.fixture(scope="module")
def example(openline: str, tmp_path_factory):
    program = Path(openline).parent / "chat-example"
    if not program.is_file():
        raise Missing(f"no {program}: run `cargo build -p chat-example`")
    folder = tmp_path_factory.mktemp("chat-example")
    with Program([str(program), f"127.0.0.1:{free_port()}"], folder) as running:
        yield running, running.wait_for(LISTENING)[1]
        assert "panicked" not in running.output, running.output


def test_five_kinds_of_clients_hear_each_other(openline, example, node, tmp_path):
    _, http = example
    line = http.replace("http", "ws", 1) + "/ws"
    with Program([openline, "connect", "--subscribe", "chat:lobby", "--json", line], tmp_path) as terminal:
        terminal.wait_for("subscribed")
        seen = node("chat_example.mjs", find("chromium"), http, str(tmp_path / "profile"), seconds=58)
        said = [f"{name}: hello from {kind}" for name, kind in [("Ann", "openline"), ("Ben", "socketio"), ("Cid", "plain")]]
        # Her page asks for what was said before, which may have in it that she came.
        if seen["openline"][:1] == ["Ann joined"]:
            del seen["openline"][0]
        assert seen == {
            "errors": [],
            "events": ["Ann joined", "Ben joined", "Cid joined", *said],
            "openline": ["Ben joined", "Cid joined", *said],
            "socketio": ["Cid joined", *said],
            "plain": said,
        }
        for text in ["hello from openline", "hello from socketio", "hello from plain", "Cid left"]:
            terminal.wait_for(text)
