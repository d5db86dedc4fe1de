"""A client that can be wrong: bytes on a socket, nothing checked on the way out."""

from __future__ import annotations

import json
import socket
import struct
import time
from dataclasses import dataclass

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
# RFC 6455 §1.3 gives the answer to that key.
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


@dataclass
class Response:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, str]:
        """The `error` of the body, whose shape is checked on the way."""
        assert self.headers["content-type"].startswith("application/json"), self.headers
        body = json.loads(self.body)
        assert set(body) == {"error"}, body
        assert set(body["error"]) == {"code", "message", "docs"}, body
        assert all(isinstance(value, str) and value for value in body["error"].values()), body
        return body["error"]


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = True) -> bytes:
    """One frame. `rsv` holds the three reserved bits, RSV1 the highest."""
    head = bytes([fin << 7 | rsv << 4 | opcode])
    bit = masked << 7
    if len(payload) < 126:
        head += bytes([bit | len(payload)])
    elif len(payload) < 1 << 16:
        head += bytes([bit | 126]) + struct.pack("!H", len(payload))
    else:
        head += bytes([bit | 127]) + struct.pack("!Q", len(payload))
    # A mask of zeros is lawful, and leaves the payload as it is.
    return head + (bytes(4) if masked else b"") + payload


def request(path: str, port: int, **changes: str | None) -> bytes:
    """A handshake. `changes` replaces headers by name (`_` for `-`), None drops one."""
    headers: dict[str, str | None] = {
        "Host": f"127.0.0.1:{port}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
    }
    for name, value in changes.items():
        headers[name.replace("_", "-")] = value
    lines = [f"{name}: {value}\r\n" for name, value in headers.items() if value is not None]
    return f"GET {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode()


class Raw:
    """A TCP connection with a buffer. Leaving the `with` block closes it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._socket = socket.create_connection(("127.0.0.1", port), 10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Sends, also into a connection that the server has ended."""
        try:
            self._socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def open(self, path: str, **changes: str | None) -> Response:
        self.send(request(path, self.port, **changes))
        response = self.response()
        assert response.status == 101, response
        return response

    def response(self) -> Response:
        while b"\r\n\r\n" not in self._buffer:
            assert self._fill(), f"the server ended the connection after {self._buffer!r}"
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
        status = int(first.split(" ")[1])
        body = b"" if status == 101 else self._take(int(headers.get("content-length", 0)))
        return Response(status, headers, body)

    def frame(self) -> tuple[int, bytes]:
        """The next frame: opcode and payload. The server must not mask."""
        first, second = self._take(2)
        assert not second & 0x80, "the server masked a frame"
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self._take(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self._take(8))
        return first & 0x0F, self._take(length)

    def close_frame(self) -> tuple[int, str]:
        """Skips to the close frame: code and reason."""
        while True:
            opcode, payload = self.frame()
            if opcode == CLOSE:
                return struct.unpack("!H", payload[:2])[0], payload[2:].decode()

    def ended(self, seconds: float = 5) -> bool:
        """Whether the server ends the connection, with nothing more to say."""
        self._socket.settimeout(seconds)
        try:
            return not self._buffer and not self._fill()
        except TimeoutError:
            return False

    def seconds_until_end(self, seconds_max: float) -> float:
        """How long the server takes to end the connection, whatever it still says."""
        start = time.monotonic()
        self._socket.settimeout(seconds_max)
        while self._fill():
            self._buffer = b""
        return time.monotonic() - start

    def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            assert self._fill(), f"the server ended the connection after {self._buffer!r}"
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def _fill(self) -> bool:
        try:
            data = self._socket.recv(65536)
        except ConnectionResetError:
            return False
        self._buffer += data
        return bool(data)
