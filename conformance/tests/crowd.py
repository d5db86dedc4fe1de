"""Many readers of channels that come back when their line ends, and publishers that try again: who is missing something says so."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import suppress

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

# What the server answers that is tried again under the same key.
RETRIED = {"shutting_down", "overloaded", "unavailable"}


class Crowd:
    """The readers and publishers of a port, and what they saw."""

    def __init__(self, port: int, channels: int) -> None:
        self.url = f"ws://127.0.0.1:{port}/ws"
        self.channels = [f"crowd-{number}" for number in range(channels)]
        # What was acknowledged, in the order of its channel.
        self.acked: dict[str, list[int]] = {channel: [] for channel in self.channels}
        # Attempts to connect that came to nothing, gaps that were declared, and whatever else is wrong.
        self.refused: list[str] = []
        self.gaps: list[dict] = []
        self.wrong: list[str] = []
        self.drained = self.closed = self.retried = 0
        self.readers: list[Reader] = []
        self.over = asyncio.Event()

    async def line(self):
        """A line. That it can be had at once is what the tests are about."""
        while True:
            try:
                line = await connect(self.url, compression=None, ping_interval=None, open_timeout=30, max_queue=None)
                await line.recv()
                return line
            except (OSError, InvalidStatus, ConnectionClosed, TimeoutError) as error:
                self.refused.append(repr(error))
                await asyncio.sleep(0.1)

    async def publish_all(self, channel: str, pause: float) -> None:
        """Publishes numbers, each until it is acknowledged."""
        line, number = await self.line(), 0
        while not self.over.is_set():
            request = {"type": "publish", "id": number, "key": f"{channel}-{number}", "channel": channel, "data": number, "echo": True}
            try:
                await line.send(json.dumps(request))
                answer = await self._answer(line, number)
            except ConnectionClosed:
                answer = None
            if answer and answer["type"] == "published":
                self.acked[channel].append(number)
                number += 1
                await asyncio.sleep(pause)
                continue
            if answer and answer["code"] not in RETRIED:
                self.wrong.append(f"{channel}: {answer}")
            self.retried += 1
            if answer is None or line.is_leaving:
                await line.close()
                line = await self.line()
            else:
                await asyncio.sleep(0.05)
        await line.close()

    async def _answer(self, line, number: int) -> dict:
        line.is_leaving = False
        while True:
            message = json.loads(await line.recv())
            if message["type"] == "drain":
                line.is_leaving = True
            # Refused requests would be until the line ends: the next is for another line.
            elif message.get("id") == number:
                line.is_leaving = line.is_leaving or message["type"] == "error"
                return message

    async def probe(self) -> None:
        """Connects all the time, with and without a line."""
        while not self.over.is_set():
            line = await self.line()
            await line.close()
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", int(self.url.split(":")[2].split("/")[0]))
                writer.write(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                answer = await reader.read()
                writer.close()
                if not answer.startswith(b"HTTP/1.1 200"):
                    self.refused.append(f"/health/live: {answer[:100]!r}")
            except OSError as error:
                self.refused.append(repr(error))
            await asyncio.sleep(0.01)

    async def enter(self, count: int) -> None:
        """Has so many readers subscribe, some at a time."""
        self.readers = [Reader(self, self.channels[number % len(self.channels)]) for number in range(count)]
        doors = asyncio.Semaphore(50)

        async def enter(reader: Reader) -> None:
            async with doors:
                await reader.enter()

        await asyncio.gather(*(enter(reader) for reader in self.readers))

    async def more(self, count: int, seconds: float = 60) -> None:
        """Waits until so many more were acknowledged on each channel."""
        wanted = {channel: len(acked) + count for channel, acked in self.acked.items()}
        async with asyncio.timeout(seconds):
            while any(len(self.acked[channel]) < count for channel, count in wanted.items()):
                await asyncio.sleep(0.05)

    async def settle(self, seconds: float) -> None:
        """Waits until every reader has what was acknowledged, and says who has not."""
        deadline = asyncio.get_running_loop().time() + seconds
        while behind := [reader for reader in self.readers if reader.next <= max(self.acked[reader.channel], default=-1)]:
            if asyncio.get_running_loop().time() > deadline:
                self.wrong.append(f"{len(behind)} readers do not catch up, such as {behind[0]}")
                return
            await asyncio.sleep(0.1)


class Reader:
    """A subscriber of one channel, on one line after the other."""

    def __init__(self, crowd: Crowd, channel: str) -> None:
        self.crowd, self.channel = crowd, channel
        self.position: str | None = None
        # The number that comes next.
        self.next = 0

    def __repr__(self) -> str:
        return f"the reader of {self.channel} that waits for {self.next}"

    async def enter(self) -> None:
        line = await self._join()
        self.task = asyncio.create_task(self._stay(line))

    async def _join(self):
        """A line that is subscribed, from where the last one was."""
        while True:
            line = await self.crowd.line()
            wanted = {"channel": self.channel} | ({"position": self.position} if self.position else {})
            try:
                await line.send(json.dumps({"type": "subscribe", "id": 1, "channels": [wanted]}))
                while (answer := json.loads(await line.recv())).get("id") != 1:
                    pass
            except ConnectionClosed:
                continue
            if answer["type"] != "subscribed":
                await line.close()
                if answer["code"] not in RETRIED:
                    self.crowd.wrong.append(f"{self}: {answer}")
                await asyncio.sleep(0.1)
                continue
            joined = answer["data"][self.channel]
            if self.position and joined.get("recovered") is not True:
                self.crowd.gaps.append(joined)
            for message in joined.get("messages", []):
                self._take(message)
            self.position = joined["position"]
            return line

    async def _stay(self, line) -> None:
        while True:
            try:
                message = json.loads(await line.recv())
            except ConnectionClosed:
                self.crowd.closed += 1
                line = await self._join()
                continue
            if message["type"] == "message":
                self._take(message)
            elif message["type"] == "unrecovered":
                self.crowd.gaps.append(message)
            elif message["type"] == "drain":
                self.crowd.drained += 1
                # The other line first. What this one still has is there as well.
                before, line = line, await self._join()
                await before.close()

    def _take(self, message: dict) -> None:
        self.position = message["position"]
        number = message["data"]
        if number != self.next:
            self.crowd.wrong.append(f"{self} got {number}")
        self.next = number + 1

    async def leave(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


def describe(crowd: Crowd) -> str:
    acked = sum(len(numbers) for numbers in crowd.acked.values())
    return (
        f"{len(crowd.readers)} readers, {acked} published, {crowd.retried} tried again, {crowd.drained} told, "
        f"{crowd.closed} closed, {len(crowd.refused)} refused; process {os.getpid()}"
    )
