"""Clients that are up to no good: they do not read, drip, lie about tokens, and send what is nothing."""

import asyncio
import json
import socket as sockets
import struct

from stage import token
from world import World

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
# After each of these the server answers and ends the connection, or ends it at a deadline.
ENDS_SECONDS_MAX = 20.0


def request(path: str, *headers: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def handshake(path: str, *headers: str) -> bytes:
    upgrade = ("Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {KEY}", "Sec-WebSocket-Version: 13")
    return request(path, *upgrade, *headers)


def frame(opcode: int, payload: bytes, *, bits: int = 0x80) -> bytes:
    """A frame whose mask is of zeros, so that the payload is as it was."""
    size = len(payload)
    head = bytes([bits | opcode]) + (bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack("!H", size))
    return head + bytes(4) + payload


async def not_reading(world: World) -> None:
    """Subscribes to much, reads nothing, and is to be cut off."""
    raw = sockets.socket()
    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    try:
        await loop.sock_connect(raw, ("127.0.0.1", world.stage.port))
        bearer = f"Authorization: Bearer {world.token(600)}"
        await loop.sock_sendall(raw, handshake("/ws", bearer))
        await loop.sock_recv(raw, 512)
        await loop.sock_sendall(raw, frame(1, b'{"type":"subscribe","channel":"bulk:all"}'))
        await world.rest(40)
        if not world.over.is_set():
            await asyncio.wait_for(_taken_to_the_end(raw), ENDS_SECONDS_MAX)
    except TimeoutError:
        world.wrong("who does not read was not cut off")
    except ConnectionResetError:
        pass
    finally:
        raw.close()


async def _taken_to_the_end(raw: sockets.socket) -> None:
    while await asyncio.get_running_loop().sock_recv(raw, 65536):
        pass


async def malformed(world: World) -> None:
    """One of many wrong inputs. The server ends the connection, and serves others on."""
    wrong = world.chance.choice(inputs(world))
    reader, writer = await asyncio.open_connection("127.0.0.1", world.stage.port)
    try:
        writer.write(wrong)
        await writer.drain()
        if world.chance.random() < 0.2:
            writer.write_eof()
        await asyncio.wait_for(_read_to_the_end(reader), ENDS_SECONDS_MAX)
    except TimeoutError:
        world.wrong(f"a connection was not ended after {wrong[:60]!r}")
    except OSError:
        pass
    finally:
        writer.close()


async def _read_to_the_end(reader: asyncio.StreamReader) -> None:
    while await reader.read(65536):
        pass


def inputs(world: World) -> list[bytes]:
    """Heads that are none, handshakes that are wrong, frames and messages that may not be sent."""
    chance = world.chance
    opened = handshake("/ws", f"Authorization: Bearer {world.token()}")
    anonymous = handshake("/ws")
    forged = token("forger", 60)[:-4] + "AAAA"
    junk = chance.randbytes(200)
    return [
        junk,
        b"GET / HTTP/1.1\r\nHost: 127.",
        request("/", *(f"X-{number}: y" for number in range(100))),
        request("/", "X-Long: " + "y" * 20_000),
        handshake("/ws", "Content-Length: 5"),
        handshake("/nowhere", "Connection: close"),
        opened + junk,
        opened + frame(3, b"reserved"),
        opened + frame(1, b"\xff\xfe"),
        opened + b"\x82\xff" + (1 << 62).to_bytes(8) + bytes(4),
        opened + frame(0, b"a continuation of nothing"),
        opened + frame(1, b"", bits=0) + frame(0, b"", bits=0) * 2000,
        opened + b"".join(frame(1, json.dumps({"type": "no", "n": [n]})[:-2].encode()) for n in range(30)),
        # Deflated, and not.
        handshake("/ws", "Sec-WebSocket-Extensions: permessage-deflate") + frame(1, junk[:100], bits=0xC0),
        # Nobody speaks up, or with a token that is none.
        anonymous,
        anonymous + frame(1, json.dumps({"type": "auth", "token": forged}).encode()),
        anonymous + frame(1, json.dumps({"type": "auth", "token": token("late", -60)}).encode()),
        handshake("/socket.io/?EIO=4&transport=websocket") + frame(1, b"9nothing"),
        b"POST /socket.io/?EIO=4&transport=polling&sid=guess HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Connection: close\r\nContent-Length: 4\r\n\r\n42[]",
    ]


async def dripping(world: World) -> None:
    """A head, byte by byte, that the server does not wait for."""
    reader, writer = await asyncio.open_connection("127.0.0.1", world.stage.port)
    ended = asyncio.create_task(_read_to_the_end(reader))
    try:
        for byte in request("/", "X-Slow: " + "y" * 1000):
            if ended.done():
                return
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.2)
        world.wrong("a head was waited for without end")
    except OSError:
        pass
    finally:
        ended.cancel()
        writer.close()
