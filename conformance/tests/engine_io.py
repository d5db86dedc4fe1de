"""Engine.IO by hand: requests, payloads and frames as they stand on the wire."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

import aiohttp
import websockets
from websockets.asyncio.client import ClientConnection

SEPARATOR = "\x1e"
PATIENCE = 5


@dataclass(frozen=True)
class Door:
    """Where a server takes Engine.IO."""

    http: str
    path: str

    def url(self, **query: str) -> str:
        return f"{self.http}{self.path}?" + "&".join(f"{name}={value}" for name, value in query.items())

    async def request(self, method: str, query: dict[str, str], body: str | bytes | None = None, headers=None) -> Answer:
        patience = aiohttp.ClientTimeout(total=PATIENCE)
        async with aiohttp.request(
            method, self.url(**query), data=body, headers=headers, timeout=patience
        ) as response:
            return Answer(response.status, await response.text(), response.headers)

    async def handshake(self) -> dict:
        """Opens a session by long polling; returns what the server said of it."""
        answer = await self.request("GET", {"EIO": "4", "transport": "polling"})
        assert (answer.status, answer.body[:1]) == (200, "0"), answer
        return json.loads(answer.body[1:])

    async def poll(self, sid: str) -> Answer:
        return await self.request("GET", {"EIO": "4", "transport": "polling", "sid": sid})

    async def post(self, sid: str, *packets: str) -> Answer:
        return await self.request("POST", {"EIO": "4", "transport": "polling", "sid": sid}, SEPARATOR.join(packets))

    async def line(self, query: dict[str, str] | None = None, **options) -> Line:
        """A WebSocket; to an open session if the query holds its `sid`."""
        url = self.url(**({"EIO": "4", "transport": "websocket"} | (query or {}))).replace("http", "ws", 1)
        return Line(await websockets.connect(url, open_timeout=PATIENCE, max_size=None, ping_interval=None, **options))

    async def opened_line(self) -> Line:
        """A WebSocket whose session was opened."""
        line = await self.line()
        line.session = json.loads((await line.packet())[1:])
        return line

    async def refuses_line(self, url: str) -> None:
        """The server answers the handshake with 400, or closes the WebSocket at once."""
        try:
            line = Line(await websockets.connect(url.replace("http", "ws", 1), open_timeout=PATIENCE))
        except websockets.InvalidStatus as refusal:
            assert refusal.response.status_code == 400
            return
        await line.ended()


@dataclass(frozen=True)
class Answer:
    status: int
    body: str
    headers: object

    @property
    def packets(self) -> list[str]:
        return self.body.split(SEPARATOR)


class Line:
    """A WebSocket to an Engine.IO server."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.session: dict = {}

    async def send(self, *packets: str | bytes) -> None:
        for packet in packets:
            await self.socket.send(packet)

    async def packet(self) -> str | bytes:
        """The next packet, whatever it is."""
        return await asyncio.wait_for(self.socket.recv(), PATIENCE)

    async def message(self) -> str | bytes:
        """The next packet that is no ping; pings are answered."""
        while (packet := await self.packet()) == "2":
            await self.send("3")
        return packet

    async def ended(self) -> None:
        """Waits until the server has closed, whatever it sends before. Pings get no answer."""
        await asyncio.wait_for(self.socket.wait_closed(), PATIENCE)

    async def close(self) -> None:
        await self.socket.close()
