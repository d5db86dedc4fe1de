"""Clients without WebSocket, or with more on top of it: event streams, polls, Socket.IO, and backends."""

import asyncio
import json
import time

import aiohttp
from websockets.asyncio.client import connect

from lines import ROOMS, STEADY
from world import PATIENCE, World

SEPARATOR = "\x1e"


async def stream_events(world: World) -> None:
    """A stream that is opened again and goes on where it was, with a POST for it in between."""
    last = told = seen = None
    for _ in range(world.chance.randrange(1, 5)):
        headers = world.bearer() | ({} if last is None else {"Last-Event-ID": last})
        until = time.monotonic() + world.chance.uniform(2, 10)
        async with world.http.get(f"{world.stage.http}/sse?channels={STEADY}", headers=headers) as answer:
            if answer.status != 200:
                return world.wrong(f"GET /sse was answered {answer.status}: {await answer.text()}")
            while True:
                name, _, value = (await asyncio.wait_for(answer.content.readline(), PATIENCE)).decode().partition(": ")
                if name == "id":
                    told = value.strip()
                elif name == "\n":
                    # Between two events alone, so that what was seen and the id go together.
                    last = told
                    if time.monotonic() > until or world.over.is_set():
                        break
                elif name == "data":
                    seen = await _event(world, json.loads(value), seen, headers)


async def _event(world: World, message: dict, seen, headers: dict):
    if message["type"] == "welcome":
        body = {"type": "publish", "channel": f"room:{world.chance.randrange(ROOMS)}", "data": world.number()}
        posted = headers | {"Openline-Session": message["session"]}
        async with world.http.post(f"{world.stage.http}/sse", json=body, headers=posted) as answer:
            if answer.status != 200:
                world.wrong(f"POST /sse was answered {answer.status}: {await answer.text()}")
    elif message["type"] == "message":
        if seen is not None and message["data"] != seen + 1:
            world.wrong(f"on a stream, after {seen} came {message['data']}")
        return message["data"]
    elif message["type"] == "subscribed":
        if message["data"][STEADY].get("recovered", True) is not True:
            world.wrong(f"a stream that came back was told {message}")
    elif message["type"] != "presence":
        world.wrong(f"a stream was told {message}")
    return seen


async def poll(world: World) -> None:
    """Some polls in a row; then the session is left as it is."""
    position = session = seen = None
    headers = world.bearer()
    for _ in range(world.chance.randrange(2, 8)):
        fields = {"channels": STEADY} | ({} if position is None else {"position": position, "session": session})
        async with world.http.get(f"{world.stage.http}/poll", params=fields, headers=headers) as answer:
            if answer.status != 200:
                return world.wrong(f"GET /poll was answered {answer.status}: {await answer.text()}")
            body = await answer.json()
        position, session = body["position"], body.get("session")
        for message in body["messages"]:
            if message["type"] == "message":
                if seen is not None and message["data"] != seen + 1:
                    world.wrong(f"in polls, after {seen} came {message['data']}")
                seen = message["data"]
        await world.rest(0.5)


async def socket_io(world: World) -> None:
    """Opens by polling, talks in a room, changes to WebSocket or not, and ends in one of three ways."""
    path, chance = "/socket.io/", world.chance
    query = {"EIO": "4", "transport": "polling"}
    headers = world.from_somewhere()
    url = world.stage.http + path
    async with world.http.get(url, params=query, headers=headers) as answer:
        query["sid"] = json.loads((await answer.text())[1:])["sid"]
    room = f"soak-{world.number() % 20}"
    chat = json.dumps(["chat", {"room": room, "text": "hello"}])
    who = json.dumps({"token": world.token()})
    packets = SEPARATOR.join([f"40{who}", f'42["join-room","{room}"]', f"420{chat}"])
    async with world.http.post(url, params=query, data=packets, headers=headers) as answer:
        if await answer.text() != "ok":
            return world.wrong(f"a Socket.IO post was answered {answer.status}")
    heard = ""
    while "delivered" not in heard:
        async with world.http.get(url, params=query, headers=headers) as answer:
            if answer.status != 200:
                return world.wrong(f"a Socket.IO poll was answered {answer.status}: {await answer.text()}")
            heard = await answer.text()
    end = chance.choice(("close", "leave", "upgrade"))
    if end == "close":
        async with world.http.post(url, params=query, data="1", headers=headers):
            return
    if end == "upgrade":
        await _upgraded(world, query["sid"], headers)


async def _upgraded(world: World, sid: str, headers: dict) -> None:
    url = f"{world.stage.ws}/socket.io/?EIO=4&transport=websocket&sid={sid}"
    async with connect(url, additional_headers=headers, ping_interval=None, open_timeout=PATIENCE) as socket:
        await socket.send("2probe")
        if await asyncio.wait_for(socket.recv(), PATIENCE) != "3probe":
            return world.wrong("the probe of an upgrade was not answered")
        await socket.send("5")
        until = time.monotonic() + world.chance.uniform(1, 15)
        while time.monotonic() < until and not world.over.is_set():
            try:
                if await asyncio.wait_for(socket.recv(), 1) == "2":
                    await socket.send("3")
            except TimeoutError:
                pass
        if world.chance.random() < 0.5:
            socket.transport.abort()


async def call_the_api(world: World) -> None:
    """Each route once, as a backend."""
    once = world.rare()
    await world.api("publish", {"channel": once, "data": 1, "key": f"k-{world.number()}"})
    await world.api("batch", {"publications": [{"channel": once, "data": n} for n in range(5)]})
    await world.api("broadcast", {"channels": [f"room:{n}" for n in range(ROOMS)], "data": "all"})
    for path in ("history", "presence", "channel"):
        await world.api(path, {"channel": f"room:{world.chance.randrange(ROOMS)}"})
    await world.api("history/clear", {"channel": once})
    for path in ("channels", "clients"):
        await world.api(path, {"limit": 50})
    await world.api("revoke", {"token": f"jti-{world.number()}", "until": int((time.time() + 30) * 1000)})
    await world.api("disconnect", {"user": "nobody"})
    await world.api("client", {"client": "c-nobody"}, (404,))


async def flood_the_bulk(world: World) -> None:
    """More than who does not read can have waiting."""
    data = "x" * 32_000
    for _ in range(30):
        await world.api("batch", {"publications": [{"channel": "bulk:all", "data": data} for _ in range(3)]})
