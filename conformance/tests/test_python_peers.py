"""Python clients against our server: websockets, aiohttp, curl (libcurl) and websocat."""

from __future__ import annotations

import os
import subprocess

import aiohttp
import pytest
from curl_cffi import CurlWsFlag, Session
from websockets.asyncio.client import connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from programs import find

MIB = 1 << 20

# ---- websockets ----


async def test_websockets_gets_text_back(server):
    async with connect(f"{server.ws}/echo") as line:
        for text in ("hello", "", "grüß dich, 世界 🙂", "line\nbreak"):
            await line.send(text)
            assert await line.recv() == text


async def test_websockets_gets_binary_back(server):
    async with connect(f"{server.ws}/echo") as line:
        for data in (b"", b"\x00\xff", bytes(range(256)) * 300):
            await line.send(data)
            assert await line.recv() == data


@pytest.mark.parametrize("compression", [None, "deflate"])
async def test_websockets_gets_a_mebibyte_back(server, compression):
    data = os.urandom(MIB)
    async with connect(f"{server.ws}/echo", compression=compression, max_size=2 * MIB) as line:
        await line.send(data)
        assert await line.recv() == data
        await line.send("x" * MIB)
        assert await line.recv() == "x" * MIB


@pytest.mark.parametrize("compression", [None, "deflate"])
async def test_websockets_gets_a_fragmented_message_back_whole(server, compression):
    async with connect(f"{server.ws}/echo", compression=compression) as line:
        await line.send(["one ", "", "twö ", "three"])
        assert await line.recv() == "one twö three"
        await line.send([b"\x01" * 70_000, b"\x02"])
        assert await line.recv() == b"\x01" * 70_000 + b"\x02"


async def test_a_ping_between_fragments_is_answered_at_once(server):
    async with connect(f"{server.ws}/echo") as line:

        async def fragments():
            yield "before "
            await (await line.ping(b"now"))
            yield "after"

        await line.send(fragments())
        assert await line.recv() == "before after"


async def test_deflate_is_agreed_when_offered(server):
    async with connect(f"{server.ws}/echo", compression="deflate") as line:
        assert "permessage-deflate" in line.response.headers["Sec-WebSocket-Extensions"]


async def test_deflate_is_left_out_when_not_offered(server):
    async with connect(f"{server.ws}/echo", compression=None) as line:
        assert "Sec-WebSocket-Extensions" not in line.response.headers


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"server_no_context_takeover": True},
        {"client_no_context_takeover": True},
        {"server_max_window_bits": 9},
        {"client_max_window_bits": 9},
        {"server_no_context_takeover": True, "client_no_context_takeover": True, "server_max_window_bits": 12},
    ],
    ids=lambda options: "+".join(options) or "defaults",
)
async def test_every_deflate_parameter_works(server, options):
    factory = ClientPerMessageDeflateFactory(**options)
    async with connect(f"{server.ws}/echo", compression=None, extensions=[factory]) as line:
        agreed = line.response.headers["Sec-WebSocket-Extensions"]
        for name in options:
            if name.startswith("server_"):
                assert name in agreed, agreed
        for number in range(50):
            text = f"the same words again, and number {number}; " * 40
            await line.send(text)
            assert await line.recv() == text


async def test_the_first_subprotocol_offered_is_chosen(server):
    async with connect(f"{server.ws}/echo", subprotocols=["beta", "alpha"]) as line:
        assert line.subprotocol == "beta"
    async with connect(f"{server.ws}/echo") as line:
        assert line.subprotocol is None


@pytest.mark.parametrize("code", [1000, 3000, 4999])
async def test_a_close_code_comes_back(server, code):
    line = await connect(f"{server.ws}/echo")
    await line.close(code, "enough")
    assert line.protocol.close_rcvd.code == code
    assert line.protocol.close_rcvd_then_sent is False


async def test_a_ping_is_answered(server):
    async with connect(f"{server.ws}/echo") as line:
        for data in (b"", b"x" * 125):
            await (await line.ping(data))


async def test_the_query_does_not_matter_to_echo(server):
    async with connect(f"{server.ws}/echo?token=1&x=%20") as line:
        await line.send("hello")
        assert await line.recv() == "hello"


async def test_many_messages_come_back_in_order(server):
    async with connect(f"{server.ws}/echo") as line:
        for number in range(2_000):
            await line.send(str(number))
        assert [await line.recv() for _ in range(2_000)] == [str(number) for number in range(2_000)]


async def test_websockets_over_tls(tls_server, certificates):
    async with connect(f"{tls_server.ws}/echo", ssl=certificates.client_context()) as line:
        await line.send("private")
        assert await line.recv() == "private"


# ---- aiohttp ----


@pytest.mark.parametrize("compress", [0, 15, 9])
async def test_aiohttp_gets_text_and_binary_back(server, compress):
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(
            f"{server.http}/echo", compress=compress, protocols=["chat"], max_msg_size=2 * MIB
        ) as line:
            assert line.protocol == "chat"
            await line.send_str("hällo")
            assert await line.receive_str() == "hällo"
            data = os.urandom(MIB)
            await line.send_bytes(data)
            assert await line.receive_bytes() == data
            await line.close(code=3000)
            assert line.close_code == 3000


async def test_aiohttp_over_tls(tls_server, certificates):
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{tls_server.http}/echo", ssl=certificates.client_context()) as line:
            await line.send_str("private")
            assert await line.receive_str() == "private"


# ---- libcurl ----


def test_libcurl_gets_text_and_binary_back(server):
    with Session() as session:
        line = session.ws_connect(f"{server.ws}/echo")
        line.send_str("from curl")
        assert line.recv_str() == "from curl"
        data = os.urandom(100_000)
        line.send_bytes(data)
        received, flags = line.recv()
        assert received == data
        assert flags & CurlWsFlag.BINARY
        line.close(1000)


def test_libcurl_over_tls(tls_server, certificates):
    with Session(verify=str(certificates.ca)) as session:
        line = session.ws_connect(f"{tls_server.ws}/echo")
        line.send_str("private")
        assert line.recv_str() == "private"
        line.close(1000)


# ---- websocat ----


def test_websocat_in_a_pipe_prints_the_reply(server):
    done = subprocess.run(
        [find("websocat"), "-1", f"{server.ws}/echo"], input="from a pipe\n", capture_output=True, text=True, timeout=20
    )
    assert (done.stdout, done.returncode) == ("from a pipe\n", 0), done.stderr


def test_websocat_sends_binary(server):
    data = bytes(range(256))
    done = subprocess.run(
        [find("websocat"), "-1", "-b", f"{server.ws}/echo"], input=data, capture_output=True, timeout=20
    )
    assert done.stdout == data
