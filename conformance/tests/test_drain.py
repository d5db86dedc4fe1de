"""A drain under many lines: closed evenly, told when to come back, and found again by those who heed it."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import resource
import signal
import time
from collections import Counter
from dataclasses import dataclass
from enum import IntEnum
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from programs import Server

# So many handshakes at a time: the backlog is not what is tested.
AT_A_TIME = 100

# A restart takes its time, and a busy machine more; who came too early comes again so much later.
AGAIN_SECONDS = 0.5
RESTART_SECONDS_MAX = 60


class Opcode(IntEnum):
    TEXT = 0x1
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


class Refused(Exception):
    """The handshake was answered with something else than 101."""


class Line:
    """A line that is as little as it can be: thousands of them share one process."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> Line:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        key = base64.b64encode(os.urandom(16)).decode()
        writer.write(
            f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            writer.close()
            raise ConnectionResetError from error
        if not head.startswith(b"HTTP/1.1 101 "):
            writer.close()
            raise Refused(head.split(b"\r\n")[0].decode())
        return cls(reader, writer)

    async def next(self) -> dict | int:
        """The next message, or the close code."""
        while True:
            head = await self._reader.readexactly(2)
            length = head[1]
            if length == 126:
                length = int.from_bytes(await self._reader.readexactly(2), "big")
            payload = await self._reader.readexactly(length)
            match head[0] & 0xF:
                case Opcode.TEXT:
                    return json.loads(payload)
                case Opcode.PING:
                    self._send(Opcode.PONG, payload)
                case Opcode.CLOSE:
                    self._send(Opcode.CLOSE, payload[:2])
                    return int.from_bytes(payload[:2], "big")

    def end(self) -> None:
        self._writer.close()

    def _send(self, opcode: int, payload: bytes) -> None:
        # A mask of zeros changes nothing.
        self._writer.write(bytes([0x80 | opcode, 0x80 | len(payload), 0, 0, 0, 0]) + payload)


@dataclass
class Client:
    """What became of one client. Times are those of the loop."""

    told_at: float = 0.0
    closed_at: float = 0.0
    code: int = 0
    # Until when it had to be back at the latest, had the server been there.
    wanted_at: float = 0.0
    back_at: float = 0.0
    attempts: int = 0


async def live(port: int, client: Client, gate: asyncio.Semaphore, opened: asyncio.Event) -> None:
    """Opens a line, stays until it is closed, and comes back when it was told to."""
    async with gate:
        line = await Line.open(port)
        welcome = await line.next()
    opened.set()
    retry_after = None
    while isinstance(came := await line.next(), dict):
        if came["type"] == "drain":
            client.told_at = time.monotonic()
        if came["type"] == "close":
            retry_after = came["retryAfter"] / 1000
    client.code, client.closed_at = came, time.monotonic()
    line.end()
    # As spec/PROTOCOL.md says it under "Coming back".
    assert retry_after is not None
    spread = welcome["retrySpread"] / 1000
    client.wanted_at = client.closed_at + retry_after + spread
    await asyncio.sleep(retry_after + random.uniform(0, spread))
    while True:
        client.attempts += 1
        try:
            again = await Line.open(port)
            assert (await again.next())["type"] == "welcome"
            client.back_at = time.monotonic()
            again.end()
            return
        except (OSError, Refused):
            await asyncio.sleep(AGAIN_SECONDS)


def status(port: int, path: str) -> tuple[int, str | None]:
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, None
    except HTTPError as error:
        return error.code, error.headers.get("retry-after")


async def drain(openline: str, folder, lines: int, duration: int, notice: int) -> list[Client]:
    """Drains a server under so many lines, and starts it again on the same port."""
    flags = ("--drain-duration", f"{duration}s", "--drain-notice", f"{notice}s")
    clients = [Client() for _ in range(lines)]
    gate = asyncio.Semaphore(AT_A_TIME)
    with Server(openline, folder, *flags, threads=2) as server:
        opened = [asyncio.Event() for _ in clients]
        living = (live(server.port, client, gate, event) for client, event in zip(clients, opened, strict=True))
        tasks = [asyncio.create_task(each) for each in living]
        await asyncio.gather(*(event.wait() for event in opened))
        os.kill(server.pid, signal.SIGTERM)
        server.wait_for(r"draining")
        assert (await asyncio.to_thread(status, server.port, "/health/ready"))[0] == 503
        assert (await asyncio.to_thread(status, server.port, "/health/live"))[0] == 200
        refused, wait = await asyncio.to_thread(status, server.port, "/poll?channels=a")
        # Alone, it wants nobody back before its end.
        assert refused == 503 and int(wait) >= duration
        assert await asyncio.to_thread(server.wait, duration + notice + 30) == 0
        port = server.port
    with Server(openline, folder, *flags, port=port, threads=2):
        await asyncio.gather(*tasks)
    return clients


def check(clients: list[Client], duration: int, notice: int, ratio_max: float) -> None:
    assert {client.code for client in clients} == {1012}
    first = min(client.closed_at for client in clients)
    counts = Counter(int(client.closed_at - first) for client in clients)
    mean = len(clients) / duration
    shape = [counts[second] for second in range(max(counts) + 1)]
    notices = [client.closed_at - client.told_at for client in clients]
    late = [client.back_at - client.wanted_at for client in clients]
    once = sum(client.attempts == 1 for client in clients)
    print(
        f"closed each second {shape}, max/mean {max(shape) / mean:.2f}; notice {min(notices):.2f} to "
        f"{max(notices):.2f} s; {once} of {len(clients)} back at their first attempt; latest {max(late):+.2f} s"
    )
    assert max(shape) / mean <= ratio_max, shape
    assert min(notices) >= notice - 0.5
    assert max(late) <= RESTART_SECONDS_MAX


@pytest.mark.timeout(120)
def test_hundreds_of_lines_are_closed_evenly_and_come_back(openline, tmp_path):
    clients = asyncio.run(drain(openline, tmp_path, lines=500, duration=3, notice=1))
    check(clients, duration=3, notice=1, ratio_max=1.5)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_5000_lines_are_closed_evenly_over_20_seconds_and_come_back(openline, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20_000), hard))
    try:
        clients = asyncio.run(drain(openline, tmp_path, lines=5_000, duration=20, notice=2))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    check(clients, duration=20, notice=2, ratio_max=1.3)
