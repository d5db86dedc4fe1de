"""What networks and clocks do to a server that has done nothing wrong."""

from __future__ import annotations

import json
import os
import subprocess
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from websockets.sync.client import connect

from programs import LISTENING, Program
from streams import SECRET, Stream, ask, token

KEY = "a-key-of-the-api-for-those-who-count"

CONFIG = f"""\
listen = "{{listen}}"
threads = 1
strict_namespaces = false

[[auth.keys]]
algorithm = "HS256"
secret = "{SECRET}"

[api]
keys = ["{KEY}"]
"""

FAKETIME = [
    Path(folder) / "libfaketimeMT.so.1"
    for folder in ("/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/lib/faketime")
]


def serve(openline: str, folder: Path, listen: str, argv: list[str], environment: dict[str, str] | None = None) -> Program:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "openline.toml"
    file.write_text(CONFIG.format(listen=listen))
    return Program([*argv, openline, "serve", "--config", str(file)], folder, environment)


def bearer(user: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(user)}"}


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_a_clock_that_jumps_by_an_hour_ends_no_line(openline, tmp_path, seconds):
    library = next((path for path in FAKETIME if path.exists()), None)
    assert library is not None, "libfaketime is not installed: run conformance/setup.sh"
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    environment = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with ExitStack() as held:
        server = held.enter_context(serve(openline, tmp_path, "127.0.0.1:0", [], environment))
        port = int(server.wait_for(LISTENING)[3])
        # Their tokens are good for ten minutes.
        lines = [
            held.enter_context(connect(f"ws://127.0.0.1:{port}/ws", additional_headers=bearer(f"user-{n}")))
            for n in range(30)
        ]
        stream = held.enter_context(closing(Stream(port, "/sse?channels=news", **bearer("reader"))))
        stream.opened()
        for line in lines:
            line.recv()
            line.send('{"type":"subscribe","channel":"news"}')
        (tmp_path / "new").write_text(f"{seconds:+}\n")
        (tmp_path / "new").rename(clock)
        # It is read again within a second, and deadlines are looked at once more after that.
        time.sleep(4)
        ask(port, "POST", "/api/v1/publish", {"channel": "news", "data": "still"}, Authorization=f"Bearer {KEY}")
        for line in lines:
            while (message := json.loads(line.recv(10)))["type"] != "message":
                pass
            assert message["data"] == "still"
        assert stream.message("message")["data"] == "still"


class Cable:
    """A network of its own with one cable to this machine, which can be pulled out. Needs root."""

    def __init__(self) -> None:
        self.name = f"olf-{os.getpid()}"
        self.here, self.there = "10.213.17.1", "10.213.17.2"
        self._inside = f"olfi{os.getpid()}"
        outside = f"olfo{os.getpid()}"
        self._ip("netns", "add", self.name)
        self._ip("link", "add", outside, "type", "veth", "peer", "name", self._inside, "netns", self.name)
        self._ip("addr", "add", f"{self.here}/30", "dev", outside)
        self._ip("link", "set", outside, "up")
        self._ip("-n", self.name, "addr", "add", f"{self.there}/30", "dev", self._inside)
        self._ip("-n", self.name, "link", "set", "lo", "up")
        self._ip("-n", self.name, "link", "set", self._inside, "up")

    def __enter__(self) -> Cable:
        return self

    def __exit__(self, *_: object) -> None:
        self._ip("netns", "del", self.name)

    @property
    def inside(self) -> list[str]:
        return ["ip", "netns", "exec", self.name]

    def pull(self) -> None:
        """Nothing passes any more, and the server's side notices nothing of it."""
        self._ip("-n", self.name, "route", "add", "blackhole", f"{self.here}/32")

    def from_inside(self, url: str, *arguments: str) -> str:
        argv = [*self.inside, "curl", "-s", "-m", "5", "-H", f"Authorization: Bearer {KEY}", *arguments, url]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    @staticmethod
    def _ip(*arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True)


@pytest.mark.long
@pytest.mark.timeout(120)
@pytest.mark.skipif(os.geteuid() != 0, reason="networks of their own need root")
def test_peers_that_are_gone_without_a_word_are_gone_within_40_seconds(openline, tmp_path):
    with ExitStack() as held:
        cable = held.enter_context(Cable())
        server = held.enter_context(serve(openline, tmp_path, f"{cable.there}:0", cable.inside))
        port = int(server.wait_for(LISTENING)[3])
        url = f"http://{cable.there}:{port}"
        # Without pings of their own, which would still reach the server.
        silent = lambda user: connect(f"ws://{cable.there}:{port}/ws", additional_headers=bearer(user), ping_interval=None)  # noqa: E731
        held.enter_context(silent("quiet"))
        busy = held.enter_context(silent("busy"))
        busy.send('{"type":"subscribe","channel":"news"}')
        stream = subprocess.Popen(
            ["curl", "-sN", "-H", f"Authorization: Bearer {token('reader')}", f"{url}/sse?channels=news"],
            stdout=subprocess.DEVNULL,
        )
        held.callback(stream.wait)
        held.callback(stream.kill)
        sessions = lambda: json.loads(cable.from_inside(f"{url}/api/v1/info"))["sessions"]  # noqa: E731
        deadline = time.monotonic() + 10
        while sessions() < 3:
            assert time.monotonic() < deadline, "they did not come"
            time.sleep(0.1)
        cable.pull()
        gone = time.monotonic()
        while sessions() > 0:
            assert time.monotonic() - gone < 40, f"{sessions()} are still there"
            cable.from_inside(f"{url}/api/v1/publish", "-d", '{"channel":"news","data":1}')
            time.sleep(1)
