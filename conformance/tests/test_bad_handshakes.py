"""What a bad handshake is answered: status, headers and the error's exact words."""

from __future__ import annotations

import pytest

from raw import ACCEPT, TEXT, Raw, Response, frame, request


@pytest.fixture
def ask(server):
    """Sends bytes on a connection of their own and returns the response."""

    def run(data: bytes) -> Response:
        with Raw(server.port) as raw:
            raw.send(data)
            return raw.response()

    return run


def test_a_request_that_is_no_upgrade_is_told_what_is_missing(server, ask):
    response = ask(f"GET /echo HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode())
    assert response.status == 426
    assert response.headers["upgrade"].lower() == "websocket"
    assert response.error["code"] == "upgrade_required"
    assert response.error["message"] == "This is a WebSocket endpoint; send Upgrade: websocket."


def test_another_version_is_told_the_one_that_is_spoken(server, ask):
    response = ask(request("/echo", server.port, Sec_WebSocket_Version="8"))
    assert response.status == 426
    assert response.headers["sec-websocket-version"] == "13"
    assert response.error["code"] == "upgrade_required"
    assert response.error["message"] == "Unsupported WebSocket version 8; supported: 13."


def test_a_key_that_is_not_16_bytes_is_refused(server, ask):
    response = ask(request("/echo", server.port, Sec_WebSocket_Key="AAAAAAAAAAAAAAAA"))
    assert response.status == 400
    assert response.error["code"] == "bad_handshake"
    assert response.error["message"] == "Sec-WebSocket-Key must decode to 16 bytes, got 12."


@pytest.mark.parametrize("key", [None, "", "not base64 at all!!!!!!!"])
def test_a_key_that_is_no_key_is_refused(server, ask, key):
    response = ask(request("/echo", server.port, Sec_WebSocket_Key=key))
    assert response.status == 400
    assert response.error["code"] == "bad_handshake"


@pytest.mark.parametrize(
    "origin", ["https://evil.test", "null", "http://localhost.evil.test", "http://127.0.0.1.evil.test:8000"]
)
def test_a_page_from_elsewhere_is_refused(server, ask, origin):
    response = ask(request("/echo", server.port, Origin=origin))
    assert response.status == 403
    assert response.error["code"] == "origin_not_allowed"
    assert response.error["message"] == f"Origin {origin} is not in http.allowed_origins."


@pytest.mark.parametrize("origin", [None, "http://localhost:3000", "http://127.0.0.1", "https://[::1]:8443"])
def test_a_page_from_this_machine_and_a_program_without_origin_are_let_in(server, ask, origin):
    assert ask(request("/echo", server.port, Origin=origin)).status == 101


@pytest.mark.parametrize("host", ["evil.test", "localhost.evil.test", "192.0.2.1:8000"])
def test_a_host_that_is_not_this_machine_is_refused(server, ask, host):
    response = ask(request("/echo", server.port, Host=host))
    assert response.status == 403
    assert response.error["code"] == "host_not_allowed"


def test_a_head_over_16_kib_is_refused(server, ask):
    response = ask(request("/echo", server.port, Padding="x" * 17_000))
    assert response.status == 431
    assert response.error["code"] == "headers_too_large"
    assert response.error["message"] == "Request head exceeds 16384 bytes."


def test_a_head_that_never_ends_is_refused_and_the_connection_ended(server):
    with Raw(server.port) as raw:
        raw.send(b"GET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nPadding: " + b"x" * 20_000)
        assert raw.response().status == 431
        assert raw.ended()


def test_more_than_64_headers_are_refused(server, ask):
    many = {f"X_{number}": "1" for number in range(100)}
    assert ask(request("/echo", server.port, **many)).status == 431


def test_a_handshake_with_a_body_is_refused(server, ask):
    """One side would read it as a body, the other as frames: request smuggling."""
    response = ask(request("/echo", server.port, Content_Length="5") + b"hello")
    assert response.status == 400
    assert response.error["code"] == "bad_handshake"


def test_a_path_where_nothing_is_answers_404(server, ask):
    response = ask(request("/nowhere", server.port))
    assert response.status == 404
    assert response.error["code"] == "not_found"


@pytest.mark.parametrize("value", ["websocket", "WebSocket", "h2c, websocket"])
def test_the_upgrade_header_is_a_list_in_any_case(server, value):
    with Raw(server.port) as raw:
        response = raw.open("/echo", Upgrade=value, Connection="keep-alive, upgrade")
        assert response.headers["sec-websocket-accept"] == ACCEPT
        assert response.headers["upgrade"].lower() == "websocket"
        assert response.headers["connection"].lower() == "upgrade"


def test_a_handshake_may_come_a_byte_at_a_time(server):
    with Raw(server.port) as raw:
        for byte in request("/echo", server.port):
            raw.send(bytes([byte]))
        assert raw.response().status == 101
        raw.send(frame(TEXT, b"hello"))
        assert raw.frame() == (TEXT, b"hello")


def test_the_first_frame_may_come_with_the_handshake(server):
    with Raw(server.port) as raw:
        raw.send(request("/echo", server.port) + frame(TEXT, b"early"))
        assert raw.response().status == 101
        assert raw.frame() == (TEXT, b"early")


def test_a_line_may_follow_another_request_on_the_same_connection(server):
    with Raw(server.port) as raw:
        raw.send(f"GET /nowhere HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode())
        assert raw.response().status == 404
        raw.open("/echo")
        raw.send(frame(TEXT, b"after"))
        assert raw.frame() == (TEXT, b"after")


def test_a_head_that_does_not_come_is_waited_for_five_seconds(server):
    with Raw(server.port) as raw:
        raw.send(b"GET /echo HTTP/1.1\r\nHost:")
        assert 4 < raw.seconds_until_end(12) < 8
