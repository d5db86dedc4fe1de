"""The server of a soak: its configuration, and what it is asked by whoever runs it."""

import hashlib
import hmac
import json
import os
import re
import signal
import subprocess
import threading
import time
from base64 import urlsafe_b64encode
from pathlib import Path

import aiohttp

SECRET = "soak-secret-of-32-bytes-and-more."
API_KEY = "soak-api-key-of-32-bytes-and-more"
LISTENING = re.compile(r"listening on https?://\S+:(\d+)")
START_SECONDS_MAX = 15.0

# What is kept is little and for a short time, so that all that grows with time and has a bound has
# reached it when the warm-up is over.
CONFIGURATION = """
listen = "127.0.0.1:0"
data_dir = "data"
strict_namespaces = false
threads = 2
demo = true

[http]
# The load says that it comes from many addresses.
trusted_proxies = ["127.0.0.1"]

[auth]
keys = [{{algorithm = "HS256", secret = "{secret}"}}]
leeway = "0s"
deadline = "3s"

[history]
level = "os"
memory_max = "4MiB"
idempotency_window = "30s"

[namespace.default]
history_size = 50
history_ttl = "30s"
presence = true

[namespace.bulk]
history_size = 0
presence = false

[limits]
channels = 5000
message = "64KiB"
queue = "128KiB"
queue_age = "5s"
head_deadline = "3s"

[rates]
publish = "{rate}/s burst 1000"

[socketio]
recovery = "10s"
connect_timeout = "3s"
ping_interval = "5s"
ping_timeout = "5s"

[uploads]
enabled = true
size_max = "100KiB"
total_max = "32MiB"
user_max = "1MiB"
resume = "20s"
keep = "30s"

[api]
keys = ["{api_key}"]

[log]
level = "warn"
"""


def configuration(rate: int = 500) -> str:
    return CONFIGURATION.format(secret=SECRET, api_key=API_KEY, rate=rate)


class Stage:
    """`openline serve` in a folder of its own, its log kept; leaving the `with` block ends it."""

    def __init__(self, binary: str, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "openline.toml"
        self.file.write_text(configuration())
        self.log: list[str] = []
        self.reloads = 0
        self._process = subprocess.Popen(
            [binary, "serve", "--config", str(self.file)],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> "Stage":
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline and self._process.poll() is None:
            for line in self.log:
                if found := LISTENING.search(line):
                    self.port = int(found[1])
                    return self
            time.sleep(0.02)
        self.__exit__()
        raise SystemExit("the server did not start:\n" + "\n".join(self.log))

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                os.killpg(self._process.pid, number)
            try:
                self._process.wait(10)
                return
            except subprocess.TimeoutExpired:
                continue

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def reload(self) -> None:
        """Has it read its file again: every second time with another rate, every fifth with an error in it."""
        self.reloads += 1
        broken = "\n[limits]\n" if self.reloads % 5 == 0 else ""
        self.file.write_text(configuration(500 + self.reloads % 2) + broken)
        os.kill(self.pid, signal.SIGHUP)

    async def metrics(self, client: aiohttp.ClientSession) -> dict[str, float]:
        """All series by name and labels."""
        headers = {"Authorization": f"Bearer {API_KEY}"}
        async with client.get(f"{self.http}/metrics", headers=headers) as answer:
            text = await answer.text()
        lines = (line.rsplit(" ", 1) for line in text.splitlines() if line and line[0] != "#")
        return {name: float(value) for name, value in lines}

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.log.append(line.decode(errors="replace").rstrip())


def token(user: str, seconds: float, **claims) -> str:
    """A JWT as a backend makes it."""
    now = int(time.time())
    named = {"sub": user, "iat": now, "exp": now + int(seconds), **claims}
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256"}, named)]
    signed = b".".join(urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    signature = hmac.digest(SECRET.encode(), signed, hashlib.sha256)
    return (signed + b"." + urlsafe_b64encode(signature).rstrip(b"=")).decode()
