"""Clients that send much of what costs a server something and them nothing. Others are served meanwhile."""

from __future__ import annotations

import socket
import struct
from contextlib import contextmanager

import pytest
from hpack import Encoder

from programs import Server
from raw import Raw
from streams import SECRET, ask, resident_bytes, token

MIB = 1 << 20
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, CONTINUATION = 0x0, 0x1, 0x3, 0x4, 0x6, 0x7, 0x9
ACK, END_STREAM, END_HEADERS = 0x1, 0x1, 0x4
CANCEL = 0x8
# The streams that a connection may have open, and the bytes of one request's headers.
STREAMS_MAX, HEADER_BYTES_MAX = 256, 16384
MAX_CONCURRENT_STREAMS, MAX_HEADER_LIST_SIZE = 0x3, 0x6


def frame(kind: int, stream: int = 0, payload: bytes = b"", flags: int = 0) -> bytes:
    return struct.pack("!I", len(payload))[1:] + bytes([kind, flags]) + struct.pack("!I", stream) + payload


def head(port: int, method: str = "GET", path: str = "/health/live") -> bytes:
    fields = [(":method", method), (":scheme", "http"), (":authority", f"127.0.0.1:{port}"), (":path", path)]
    return Encoder().encode(fields, huffman=False)


class Http2:
    """A connection that sends any frames, and takes what comes apart."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 10)
        self._buffer = b""
        self.ended = False
        self.send(PREFACE + frame(SETTINGS))

    def send(self, data: bytes) -> None:
        """Also into a connection that was ended."""
        try:
            self._socket.sendall(data)
        except OSError:
            self.ended = True

    def frames(self, seconds: float = 5):
        """Frames as they come: kind, flags, stream and payload. Ends with the connection, or when nothing comes."""
        self._socket.settimeout(seconds)
        while True:
            while len(self._buffer) >= 9:
                length = int.from_bytes(self._buffer[:3])
                if len(self._buffer) < 9 + length:
                    break
                kind, flags, stream = self._buffer[3], self._buffer[4], int.from_bytes(self._buffer[5:9])
                payload, self._buffer = self._buffer[9 : 9 + length], self._buffer[9 + length :]
                yield kind, flags, stream, payload
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                return
            except OSError:
                data = b""
            if not data:
                self.ended = True
                return
            self._buffer += data

    def close(self) -> None:
        self._socket.close()


@contextmanager
def flooded(server):
    """A connection for a flood; afterwards others are served and the server is not larger."""
    before = resident_bytes(server.pid)
    connection = Http2(server.port)
    try:
        yield connection
        assert ask(server.port, "GET", "/health/live").status == 200
        assert resident_bytes(server.pid) - before < 8 * MIB
    finally:
        connection.close()


def test_what_a_connection_of_http2_may_is_said_at_once(server):
    with flooded(server) as http2:
        kind, _, _, payload = next(http2.frames())
        assert kind == SETTINGS
        settings = dict(struct.unpack_from("!HI", payload, at) for at in range(0, len(payload), 6))
    assert settings[MAX_CONCURRENT_STREAMS] == STREAMS_MAX
    assert settings[MAX_HEADER_LIST_SIZE] == HEADER_BYTES_MAX


def test_streams_that_are_reset_as_soon_as_they_are_opened_end_the_connection(server):
    request = head(server.port, "POST", "/sse")
    reset = struct.pack("!I", CANCEL)
    with flooded(server) as http2:
        for begin in range(1, 20_001, 200):
            streams = range(begin, begin + 200, 2)
            http2.send(
                b"".join(
                    frame(HEADERS, stream, request, END_HEADERS) + frame(RST_STREAM, stream, reset) for stream in streams
                )
            )
        kinds = [kind for kind, *_ in http2.frames()]
        assert http2.ended or GOAWAY in kinds


def test_headers_that_never_end_end_the_connection(server):
    request = head(server.port)
    with flooded(server) as http2:
        http2.send(frame(HEADERS, 1, request))
        for number in range(2_000):
            # A header of its own each time, without an entry in the table.
            http2.send(frame(CONTINUATION, 1, b"\x00\x04x%03d\x01y" % (number % 1000)))
            if http2.ended:
                break
        answers = [kind for kind, *_ in http2.frames()]
        assert http2.ended or GOAWAY in answers or RST_STREAM in answers


def test_a_head_over_16_kib_is_refused_over_http2_too(server):
    fields = b"".join(b"\x00\x04x%03d\x7f\xe9\x06" % number + b"y" * 999 for number in range(20))
    block = head(server.port) + fields
    with flooded(server) as http2:
        http2.send(frame(HEADERS, 1, block[:16000]) + frame(CONTINUATION, 1, block[16000:], END_HEADERS))
        http2.send(frame(HEADERS, 3, head(server.port), END_HEADERS | END_STREAM))
        of_first = [kind for kind, _, stream, payload in http2.frames(1) if stream == 1 and (kind != HEADERS or b"431" in payload)]
        assert http2.ended or of_first, "it was answered as any other"


def test_more_streams_than_allowed_are_refused_and_the_others_go_on(server):
    # Nothing of the body comes, so each of them waits.
    request = head(server.port, "POST", "/sse")
    with flooded(server) as http2:
        streams = [2 * number + 1 for number in range(STREAMS_MAX + 44)]
        http2.send(b"".join(frame(HEADERS, stream, request, END_HEADERS) for stream in streams))
        refused = {stream for kind, _, stream, _ in http2.frames(1) if kind == RST_STREAM}
        assert refused == set(streams[STREAMS_MAX:]) or http2.ended


@pytest.mark.parametrize(
    ("name", "one"),
    [
        ("pings", frame(PING, 0, b"12345678")),
        ("settings", frame(SETTINGS)),
        ("empty data", frame(DATA, 1, b"")),
        ("empty headers", frame(CONTINUATION, 1, b"")),
    ],
)
def test_a_flood_of_frames_that_cost_nothing_costs_no_memory(server, name, one):
    with flooded(server) as http2:
        ends = 0 if name == "empty headers" else END_HEADERS
        http2.send(frame(HEADERS, 1, head(server.port, "POST", "/sse"), ends))
        for _ in range(200):
            # It does not read what is answered.
            http2.send(one * 500)
            if http2.ended:
                break


def test_a_thousand_dripping_heads_keep_nobody_out(server):
    begun = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nX: ".encode()
    drips = [Raw(server.port) for _ in range(1_000)]
    try:
        for drip in drips:
            drip.send(begun)
        assert ask(server.port, "GET", "/health/live").status == 200
        with Raw(server.port) as line:
            line.open("/echo")
        for drip in drips:
            drip.send(b"y")
        assert ask(server.port, "GET", "/health/live").status == 200
        # Each of them is ended in time.
        assert drips[0].seconds_until_end(10) < 10
    finally:
        for drip in drips:
            drip.__exit__()


PUBLISHERS = """\
strict_namespaces = false

[[auth.keys]]
algorithm = "HS256"
secret = "{secret}"

[rates]
publish_channel = "1/s burst 5"
"""


def test_a_channel_takes_no_more_than_its_rate_whoever_publishes(openline, tmp_path):
    config = tmp_path / "openline.toml"
    config.write_text(PUBLISHERS.format(secret=SECRET))
    with Server(openline, tmp_path, "--config", str(config)) as server:

        def publish(user: int, channel: str):
            bearer = f"Bearer {token(f'user-{user}')}"
            message = {"type": "publish", "channel": channel, "data": 1}
            return ask(server.port, "POST", "/sse", message, Authorization=bearer)

        answers = [publish(user, "hot") for user in range(20)]
        refused = [answer for answer in answers if answer.status == 429]
        # A slow machine gives it a few more in the meantime.
        assert 5 <= len(answers) - len(refused) < 15
        assert {answer.code for answer in refused} == {"rate_limited"}
        assert publish(0, "cool").status == 200


def test_what_is_compressed_shares_no_window_with_other_messages(server):
    # A client that would let both sides keep theirs: lengths would then tell whether a guess stood in an
    # earlier message.
    with Raw(server.port) as raw:
        agreed = raw.open("/ws", Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits")
    extension = agreed.headers["sec-websocket-extensions"]
    assert "server_no_context_takeover" in extension and "client_no_context_takeover" in extension
