"""Clients on WebSocket lines: those that stay, and those that come and go."""

import asyncio
import json
import time
from collections import deque
from contextlib import asynccontextmanager

import websockets
from websockets.asyncio.client import ClientConnection, connect

from world import PATIENCE, World

STEADY = "steady"
ROOMS = 8
# Endings of a token, and of a line that the API ended.
EXPIRED, KICKED, REVOKED = 4000, 4005, 4002


class Line:
    """A line that knows what it was answered."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.passed: deque[dict] = deque(maxlen=1000)
        self._ids = 0

    async def ask(self, kind: str, **fields) -> dict:
        """The answer, an error too; what comes before it is kept in `passed`."""
        self._ids += 1
        await self.socket.send(json.dumps({"type": kind, "id": self._ids, **fields}))
        while True:
            message = await self.next()
            if message.get("id") == self._ids:
                return message
            self.passed.append(message)

    async def next(self) -> dict:
        return json.loads(await asyncio.wait_for(self.socket.recv(), PATIENCE))


@asynccontextmanager
async def line(world: World, seconds: float = 60):
    """A line of a new user, authenticated in the handshake or afterwards."""
    early = world.chance.random() < 0.5
    headers = world.bearer(seconds) if early else world.from_somewhere()
    socket = await connect(
        f"{world.stage.ws}/ws", additional_headers=headers, open_timeout=PATIENCE, max_size=None, close_timeout=5
    )
    try:
        made = Line(socket)
        welcome = await made.next()
        made.client = welcome["clientId"]
        if not early:
            answer = await made.ask("auth", token=world.token(seconds))
            if answer["type"] != "auth_success":
                world.wrong(f"auth was answered {answer}")
        yield made
    finally:
        await socket.close()


async def stay(world: World) -> None:
    """Listens until the token ends, or renews it for a while, and checks that nothing is missing."""
    position, seen = None, None
    user, ends = f"resident-{world.number()}", world.chance.randrange(4, 12)
    for visit in range(ends):
        renews = world.chance.random() < 0.5
        try:
            position, seen = await _visit(world, user, position, seen, renews)
        except websockets.ConnectionClosed as closed:
            world.wrong(f"a line that stayed was closed: {closed}")
            position = seen = None
        if world.over.is_set():
            return
        world.done["visits"] += 1


async def _visit(world: World, user: str, position, seen, renews: bool):
    from stage import token

    socket = await connect(
        f"{world.stage.ws}/ws",
        additional_headers={"Authorization": f"Bearer {token(user, 12)}", **world.from_somewhere()},
        open_timeout=PATIENCE,
    )
    here = Line(socket)
    renewed = 0
    try:
        wanted = {"channel": STEADY} if position is None else {"channel": STEADY, "position": position}
        answer = await here.ask("subscribe", channels=[wanted, f"room:{world.chance.randrange(ROOMS)}"])
        told = answer["data"][STEADY]
        if position is not None and told.get("recovered") is not True:
            world.wrong(f"a line that came back was not recovered: {told.get('reason')}")
            seen = None
        position = told["position"] if position is None else position
        for message in [*told.get("messages", []), *here.passed]:
            position, seen = _take(world, message, position, seen)
        renew_at = time.monotonic() + 6
        while not world.over.is_set():
            try:
                message = await asyncio.wait_for(here.next(), 1)
                position, seen = _take(world, message, position, seen)
            except TimeoutError:
                pass
            if renews and renewed < 3 and time.monotonic() > renew_at:
                renewed, renew_at = renewed + 1, time.monotonic() + 6
                await socket.send(json.dumps({"type": "auth", "token": token(user, 12)}))
        return position, seen
    except websockets.ConnectionClosed as closed:
        if closed.rcvd is None or closed.rcvd.code != EXPIRED:
            raise
        return position, seen
    finally:
        await socket.close()


def _take(world: World, message: dict, position, seen):
    if message.get("channel") != STEADY or message["type"] != "message":
        if message["type"] in ("error", "unrecovered", "auth_failed"):
            world.wrong(f"a line that stayed was told {message}")
        return position, seen
    number = message["data"]
    if seen is not None and number != seen + 1:
        world.wrong(f"after {seen} came {number}")
    return message["position"], number


async def publish_steadily(world: World) -> None:
    """Numbers, one after the other, each under a key and some of them twice."""
    async with line(world, 3600) as here:
        number = 0
        while not world.over.is_set():
            number += 1
            fields = {"channel": STEADY, "data": number, "key": f"n-{world.number()}"}
            answers = [await here.ask("publish", **fields) for _ in range(1 + (number % 5 == 0))]
            if any(answer["type"] != "published" for answer in answers):
                world.wrong(f"a publication was answered {answers}")
            if len({answer.get("position") for answer in answers}) != 1:
                world.wrong("the same key got two positions")
            world.done["steady publications"] += 1
            await world.rest(0.25)


async def come_and_go(world: World) -> None:
    """All that a line can ask for, on channels that hardly anybody uses and on shared ones; then one of many ends."""
    chance = world.chance
    async with line(world) as here:
        room, own = f"room:{chance.randrange(ROOMS)}", world.rare()
        await _expect(world, here, "subscribe", channels=[room, own])
        for _ in range(chance.randrange(1, 4)):
            data = {"text": "x" * chance.randrange(10, 2000)}
            await _expect(world, here, "publish", channel=chance.choice((room, own)), data=data)
        await _expect(world, here, "history", channel=room, limit=20)
        await _expect(world, here, "presence", channel=room)
        await _expect(world, here, "setPresence", channel=room, status="busy", data={"n": world.number()})
        await _expect(world, here, "typing", channel=room)
        await _expect(world, here, "ping")
        if chance.random() < 0.5:
            await _expect(world, here, "unsubscribe", channels=[room])
        if chance.random() < 0.1:
            await _upload(world, here)
        end = chance.choice(("close", "abort", "kick", "revoke"))
        if end == "abort":
            here.socket.transport.abort()
        elif end in ("kick", "revoke"):
            await _ended_by_the_api(world, here, end)


async def _ended_by_the_api(world: World, here: Line, end: str) -> None:
    until = int((time.time() + 30) * 1000)
    body = {"client": here.client, "until": until} if end == "revoke" else {"client": here.client}
    await world.api("revoke" if end == "revoke" else "disconnect", body)
    try:
        while True:
            await here.next()
    except websockets.ConnectionClosed as closed:
        if closed.rcvd is None or closed.rcvd.code not in (KICKED, REVOKED):
            world.wrong(f"a line that the API ended was closed with {closed}")


async def _upload(world: World, here: Line) -> None:
    """A file of 40 KB: complete, cancelled, or left as it is."""
    import base64

    answer = await _expect(world, here, "upload", name=f"file-{world.number()}.bin", size=40_000)
    upload = answer["data"]["upload"]
    data = base64.b64encode(world.chance.randbytes(20_000)).decode()
    await _expect(world, here, "chunk", upload=upload, offset=0, data=data, encoding="base64")
    end = world.chance.choice(("complete", "cancel", "leave"))
    if end == "complete":
        await _expect(world, here, "chunk", upload=upload, offset=20_000, data=data, encoding="base64")
    if end != "leave":
        await _expect(world, here, end, upload=upload)


async def _expect(world: World, here: Line, kind: str, **fields) -> dict:
    answer = await here.ask(kind, **fields)
    world.done[kind] += 1
    if answer["type"] in ("error", "auth_failed"):
        world.wrong(f"{kind} was answered {answer}")
    return answer
