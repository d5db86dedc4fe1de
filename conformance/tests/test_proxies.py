"""Lines through nginx and HAProxy, as people put them in front of a server."""

from __future__ import annotations

import os
import subprocess

import pytest
from websockets.asyncio.client import connect

MIB = 1 << 20


@pytest.fixture(params=["nginx", "haproxy", "haproxy_http2"])
def proxy(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("compression", [None, "deflate"])
async def test_messages_come_back(proxy, compression):
    data = os.urandom(MIB)
    async with connect(f"{proxy.ws}/echo", compression=compression, max_size=2 * MIB) as line:
        for message in ("grüß dich", b"\x00\xff", data, "x" * MIB, ["in ", "fragments"]):
            await line.send(message)
            assert await line.recv() == ("".join(message) if isinstance(message, list) else message)


async def test_deflate_and_the_subprotocol_are_agreed_end_to_end(proxy):
    async with connect(f"{proxy.ws}/echo", compression="deflate", subprotocols=["beta", "alpha"]) as line:
        assert "permessage-deflate" in line.response.headers["Sec-WebSocket-Extensions"]
        assert line.subprotocol == "beta"


@pytest.mark.parametrize("code", [1000, 3000, 4999])
async def test_a_close_code_comes_back(proxy, code):
    line = await connect(f"{proxy.ws}/echo")
    await line.close(code, "enough")
    assert line.protocol.close_rcvd.code == code


async def test_a_ping_is_answered(proxy):
    async with connect(f"{proxy.ws}/echo") as line:
        await (await line.ping(b"there?"))


def test_our_client_gets_through(proxy, openline):
    done = subprocess.run(
        [openline, "connect", f"{proxy.ws}/echo"], input="one\ntwo\n", capture_output=True, text=True, timeout=20
    )
    assert (done.stdout, done.returncode) == ("one\ntwo\n", 0), done.stderr
