"""RFC 8441 with Python's h2 and wsproto: over h2c with prior knowledge, and over TLS by ALPN."""

from __future__ import annotations

import os
import socket
import ssl

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RemoteSettingsChanged, ResponseReceived, StreamEnded, StreamReset
from h2.settings import SettingCodes
from wsproto import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.extensions import PerMessageDeflate


class Http2:
    """One HTTP/2 connection, with what came for each stream."""

    def __init__(self, port: int, context: ssl.SSLContext | None = None) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 10)
        if context is not None:
            self._socket = context.wrap_socket(self._socket, server_hostname="127.0.0.1")
            assert self._socket.selected_alpn_protocol() == "h2"
        self.scheme = "http" if context is None else "https"
        self.authority = f"127.0.0.1:{port}"
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.settings: dict[int, int] = {}
        self.responses: dict[int, dict[str, str]] = {}
        self.data: dict[int, bytes] = {}
        self.ended: set[int] = set()
        self.h2.initiate_connection()
        self._flush()
        while not self.settings:
            self.receive()

    def __enter__(self) -> Http2:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def connect(self, path: str, protocol: str = "websocket", **headers: str) -> int:
        """Sends the extended CONNECT of RFC 8441 §4 and waits for the response; `_` stands for `-`."""
        stream = self.h2.get_next_available_stream_id()
        pseudo = {
            ":method": "CONNECT",
            ":protocol": protocol,
            ":scheme": self.scheme,
            ":authority": self.authority,
            ":path": path,
        }
        headers = {"sec_websocket_version": "13"} | headers
        regular = {name.replace("_", "-"): value for name, value in headers.items()}
        self.h2.send_headers(stream, list((pseudo | regular).items()))
        self._flush()
        while stream not in self.responses:
            self.receive()
        return stream

    def send(self, stream: int, data: bytes) -> None:
        while data:
            window = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            if window == 0:
                self.receive()
                continue
            self.h2.send_data(stream, data[:window])
            data = data[window:]
            self._flush()

    def receive(self) -> None:
        data = self._socket.recv(65536)
        assert data, "the server ended the connection"
        for event in self.h2.receive_data(data):
            match event:
                case RemoteSettingsChanged():
                    self.settings |= {code: change.new_value for code, change in event.changed_settings.items()}
                case ResponseReceived():
                    self.responses[event.stream_id] = dict(event.headers)
                case DataReceived():
                    self.data[event.stream_id] = self.data.get(event.stream_id, b"") + event.data
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                case StreamEnded() | StreamReset():
                    self.ended.add(event.stream_id)
        self._flush()

    def _flush(self) -> None:
        self._socket.sendall(self.h2.data_to_send())


class Line:
    """A line on one stream."""

    def __init__(self, http2: Http2, path: str = "/echo", *, deflate: bool = False, **headers: str) -> None:
        extensions = []
        if deflate:
            extension = PerMessageDeflate()
            headers["sec_websocket_extensions"] = f"permessage-deflate; {extension.offer()}"
            extensions.append(extension)
        self.http2 = http2
        self.stream = http2.connect(path, **headers)
        self.response = http2.responses[self.stream]
        assert self.response[":status"] == "200", self.response
        if deflate:
            extension.finalize(self.response["sec-websocket-extensions"])
        self.ws = Connection(ConnectionType.CLIENT, extensions)

    def send(self, event) -> None:
        self.http2.send(self.stream, self.ws.send(event))

    def receive(self):
        """The next event, messages whole."""
        parts = []
        while True:
            for event in self.ws.events():
                if not isinstance(event, (TextMessage, BytesMessage)):
                    return event
                parts.append(event.data)
                if event.message_finished:
                    return type(event)(data=type(event.data)().join(parts))
            while not self.http2.data.get(self.stream):
                assert self.stream not in self.http2.ended, "the stream ended"
                self.http2.receive()
            self.ws.receive_data(self.http2.data.pop(self.stream))

    def echo(self, data: str | bytes) -> bool:
        self.send(TextMessage(data=data) if isinstance(data, str) else BytesMessage(data=data))
        return self.receive().data == data


@pytest.fixture(params=["cleartext", "tls"])
def http2(request):
    if request.param == "tls":
        certificates = request.getfixturevalue("certificates")
        port = request.getfixturevalue("tls_server").port
        connection = Http2(port, certificates.client_context("h2"))
    else:
        connection = Http2(request.getfixturevalue("server").port)
    with connection:
        yield connection


def test_the_server_says_that_it_takes_extended_connect(http2):
    assert http2.settings[SettingCodes.ENABLE_CONNECT_PROTOCOL] == 1


@pytest.mark.parametrize("deflate", [False, True], ids=["plain", "deflate"])
def test_a_line_echoes(http2, deflate):
    line = Line(http2, deflate=deflate)
    assert line.echo("grüß dich")
    assert line.echo(b"\x00\xff")
    assert all(line.echo(f"again and again {number}") for number in range(100))


def test_a_mebibyte_passes_the_flow_control_windows(http2):
    assert Line(http2).echo(os.urandom(1 << 20))


def test_many_lines_share_a_connection(http2):
    lines = [Line(http2) for _ in range(20)]
    for number, line in enumerate(lines):
        line.send(TextMessage(data=str(number)))
    assert [line.receive().data for line in lines] == [str(number) for number in range(20)]


def test_the_first_subprotocol_offered_is_chosen(http2):
    assert Line(http2, sec_websocket_protocol="beta, alpha").response["sec-websocket-protocol"] == "beta"


def test_a_ping_is_answered(http2):
    line = Line(http2)
    line.send(Ping(payload=b"there?"))
    assert line.receive() == Pong(payload=b"there?")


@pytest.mark.parametrize("code", [1000, 3000, 4999])
def test_a_close_code_comes_back_and_the_stream_ends(http2, code):
    line = Line(http2)
    line.send(CloseConnection(code=code, reason="enough"))
    answer = line.receive()
    assert isinstance(answer, CloseConnection) and answer.code == code
    while line.stream not in http2.ended:
        http2.receive()


def test_closing_one_line_leaves_the_others(http2):
    first, second = Line(http2), Line(http2)
    first.send(CloseConnection(code=1000))
    first.receive()
    assert second.echo("still here")


def test_another_protocol_is_refused_and_the_connection_goes_on(http2):
    stream = http2.connect("/echo", protocol="carrier-pigeon")
    assert http2.responses[stream][":status"][0] == "4"
    assert Line(http2).echo("still here")


def test_another_version_is_told_the_one_that_is_spoken(http2):
    stream = http2.connect("/echo", sec_websocket_version="8")
    assert http2.responses[stream][":status"] == "426"
    assert http2.responses[stream]["sec-websocket-version"] == "13"


def test_a_page_from_elsewhere_is_refused(http2):
    stream = http2.connect("/echo", origin="https://evil.test")
    assert http2.responses[stream][":status"] == "403"


def test_a_path_where_nothing_is_answers_404(http2):
    stream = http2.connect("/nowhere")
    assert http2.responses[stream][":status"] == "404"
