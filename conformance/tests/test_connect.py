"""Our client, `openline connect` in a pipe, against servers that are not ours."""

from __future__ import annotations

import json
import socket
import subprocess
import threading

import pytest
from websockets.sync.server import serve


@pytest.fixture
def connect(openline):
    """Runs `openline connect` with these lines on stdin."""

    def run(url: str, *flags: str, lines: str = "hello\n") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [openline, "connect", *flags, url], input=lines, capture_output=True, text=True, timeout=25
        )

    return run


@pytest.fixture(scope="module")
def python_echo():
    """An echo server on Python's websockets; /fragments answers in fragments."""

    def handler(line) -> None:
        for message in line:
            line.send(list(message) if line.request.path == "/fragments" else message)

    def first(_line, offered: list[str]) -> str | None:
        return next(iter(offered), None)

    with serve(handler, "127.0.0.1", 0, select_subprotocol=first) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join()


def printed(done: subprocess.CompletedProcess[str]) -> list[str]:
    """What a run that went well printed, by lines."""
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that a run which failed wrote on stderr."""
    assert done.returncode not in (0, 101) and done.returncode > 0, done
    assert "panicked" not in done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


# ---- what goes well ----


@pytest.mark.parametrize("peer", ["node_echo", "node_echo_plain", "python_echo"])
def test_each_line_is_sent_and_each_reply_printed(connect, request, peer):
    peer = request.getfixturevalue(peer)
    url = f"{peer if isinstance(peer, str) else peer.ws}/echo"
    assert printed(connect(url, lines="a\nb\n")) == ["a", "b"]


def test_the_last_line_needs_no_newline(connect, node_echo):
    assert printed(connect(f"{node_echo.ws}/echo", lines="a\nb")) == ["a", "b"]


def test_no_input_is_no_message(connect, node_echo):
    assert printed(connect(f"{node_echo.ws}/echo", lines="")) == []


def test_text_beyond_ascii_arrives_unharmed(connect, node_echo):
    assert printed(connect(f"{node_echo.ws}/echo", lines="grüß dich, 世界 🙂\n")) == ["grüß dich, 世界 🙂"]


def test_a_thousand_lines_come_back_in_order(connect, node_echo):
    lines = [f"line {number}" for number in range(1_000)]
    assert printed(connect(f"{node_echo.ws}/echo", lines="\n".join(lines) + "\n")) == lines


def test_a_long_line_comes_back(connect, node_echo):
    assert printed(connect(f"{node_echo.ws}/echo", lines="x" * 300_000 + "\n")) == ["x" * 300_000]


def test_a_reply_in_fragments_is_one_line(connect, python_echo):
    assert printed(connect(f"{python_echo}/fragments", lines="in pieces\n")) == ["in pieces"]


def test_a_binary_reply_is_shown_as_hex(connect, node_echo):
    (line,) = printed(connect(f"{node_echo.ws}/binary"))
    assert "deadbeef" in line.replace(" ", "").lower()


def test_the_subprotocol_is_offered(connect, node_echo, python_echo):
    (line,) = printed(connect(f"{node_echo.ws}/headers", "--subprotocol", "beta"))
    assert json.loads(line)["sec-websocket-protocol"] == "beta"
    assert printed(connect(f"{python_echo}/echo", "--subprotocol", "beta")) == ["hello"]


def test_headers_are_sent(connect, node_echo):
    (line,) = printed(connect(f"{node_echo.ws}/headers", "--header", "X-Token: a: b"))
    assert json.loads(line)["x-token"] == "a: b"


def test_deflate_is_agreed_and_used(connect, node_echo):
    (line,) = printed(connect(f"{node_echo.ws}/deflate", lines="well compressible " * 400 + "\n"))
    assert json.loads(line) == {"extensions": "permessage-deflate", "compressed": True}


def test_deflate_can_be_left_out(connect, node_echo):
    (line,) = printed(connect(f"{node_echo.ws}/deflate", "--no-deflate", lines="well compressible " * 400 + "\n"))
    assert json.loads(line) == {"extensions": "", "compressed": False}


def test_a_private_authority_is_trusted_when_named(connect, node_echo_tls, certificates):
    assert printed(connect(f"{node_echo_tls.ws}/echo", "--ca", str(certificates.ca))) == ["hello"]


def test_a_name_is_resolved(connect, node_echo):
    assert printed(connect(f"ws://localhost:{node_echo.port}/echo")) == ["hello"]


def test_our_client_and_our_server_agree(connect, server):
    assert printed(connect(f"{server.ws}/echo", lines="a\nb\n")) == ["a", "b"]


# ---- what does not ----


def test_a_close_by_the_server_is_shown_with_code_and_reason(connect, node_echo):
    done = connect(f"{node_echo.ws}/close")
    assert done.returncode not in (0, 101)
    assert "4001" in done.stderr and "signed in elsewhere" in done.stderr


def test_a_port_where_nothing_listens(connect):
    # Bound, but not listening: no one else can take it meanwhile.
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        text = complaint(connect(f"ws://127.0.0.1:{port}/echo"))
    assert "refused" in text.lower() and str(port) in text


def test_a_host_that_does_not_resolve(connect):
    # A label of more than 63 letters cannot resolve, and no query leaves the machine.
    assert "h" * 64 in complaint(connect(f"ws://{'h' * 64}.invalid/echo"))


def test_a_server_that_speaks_no_websocket(connect):
    """A web server that knows of no upgrade answers the request as any other."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            stream, _ = listener.accept()
            with stream:
                while b"\r\n\r\n" not in stream.recv(65536):
                    pass
                stream.sendall(b"HTTP/1.1 404 Not Found\r\ncontent-length: 5\r\n\r\nnope\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        assert "404" in complaint(connect(f"ws://127.0.0.1:{listener.getsockname()[1]}/echo"))
        thread.join(5)


def test_a_server_that_refuses(connect, node_echo):
    assert "403" in complaint(connect(f"{node_echo.ws}/refused"))


def test_a_server_that_is_no_web_server(connect):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            stream, _ = listener.accept()
            with stream:
                stream.recv(65536)
                stream.sendall(b"220 mail.test ESMTP\r\n\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        complaint(connect(f"ws://127.0.0.1:{listener.getsockname()[1]}/"))
        thread.join(5)


def test_a_server_that_hangs_up(connect):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=lambda: listener.accept()[0].close(), daemon=True)
        thread.start()
        complaint(connect(f"ws://127.0.0.1:{listener.getsockname()[1]}/"))
        thread.join(5)


def test_a_certificate_of_an_unknown_authority(connect, node_echo_tls):
    assert "certificate" in complaint(connect(f"{node_echo_tls.ws}/echo")).lower()


def test_a_certificate_for_another_name(connect, node_echo_other_name, certificates):
    text = complaint(connect(f"{node_echo_other_name.ws}/echo", "--ca", str(certificates.ca)))
    assert "certificate" in text.lower()


def test_a_bad_certificate_is_taken_when_told_to(connect, node_echo_tls, node_echo_other_name):
    assert printed(connect(f"{node_echo_tls.ws}/echo", "--insecure")) == ["hello"]
    assert printed(connect(f"{node_echo_other_name.ws}/echo", "--insecure")) == ["hello"]


def test_tls_to_a_server_without(connect, node_echo):
    complaint(connect(f"wss://127.0.0.1:{node_echo.port}/echo"))


@pytest.mark.parametrize("url", ["http//nothing", "ftp://127.0.0.1/", "ws://", "ws://127.0.0.1:99999/"])
def test_what_is_no_websocket_address(connect, url):
    complaint(connect(url))
