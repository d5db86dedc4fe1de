"""The programs that tests share: each is started once, on a port of its own."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import ssl
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from programs import NODE, HAProxy, Missing, Nginx, Program, Server, SocketIo, find, free_port, openline_binary


def pytest_pyfunc_call(pyfuncitem):
    """Runs a test that is a coroutine; longer than 30 s is a failure, or than half of its own timeout."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    coroutine = pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names})
    own = pyfuncitem.get_closest_marker("timeout")
    asyncio.run(asyncio.wait_for(coroutine, own.args[0] / 2 if own else 30))
    return True


def pytest_collection_modifyitems(items):
    """With SOCKETIO_PEER=reference, what npm's `socket.io` fails has to fail, so that the claim stays true."""
    if os.environ.get("SOCKETIO_PEER") != "reference":
        return
    for item in items:
        if mark := item.get_closest_marker("npm_fails"):
            item.add_marker(pytest.mark.xfail(reason=mark.args[0], strict=True))


@pytest.fixture(scope="session")
def openline() -> str:
    try:
        return openline_binary()
    except Missing as missing:
        pytest.exit(str(missing), returncode=2)


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("programs")


@dataclass(frozen=True)
class Certificates:
    """A private authority and what it signed."""

    ca: Path
    certificate: Path
    key: Path
    # Signed by the same authority, for another name.
    other_certificate: Path
    other_key: Path

    def client_context(self, *alpn: str) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.ca))
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context


@pytest.fixture(scope="session")
def certificates(folder: Path) -> Certificates:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    paths = [folder / "ca.pem"]
    for name, identities in (("own", ["127.0.0.1", "localhost"]), ("other", ["other.test"])):
        issued = authority.issue_cert(*identities)
        issued.private_key_pem.write_to_path(folder / f"{name}.key")
        for number, part in enumerate(issued.cert_chain_pems):
            part.write_to_path(folder / f"{name}.pem", append=number > 0)
        paths += [folder / f"{name}.pem", folder / f"{name}.key"]
    return Certificates(*paths)


@pytest.fixture(scope="session")
def server(openline: str, folder: Path):
    """`openline serve`, as it starts without a config."""
    with Server(openline, folder / "serve") as program:
        yield program
        assert "panicked" not in program.output, program.output
        assert program.returncode is None, f"the server ended:\n{program.output}"


@pytest.fixture(scope="session")
def tls_server(openline: str, folder: Path, certificates: Certificates):
    flags = ("--tls-certificate", str(certificates.certificate), "--tls-key", str(certificates.key))
    with Server(openline, folder / "serve-tls", *flags) as program:
        yield program
        assert "panicked" not in program.output, program.output


@dataclass(frozen=True)
class Peer:
    """A server that is not ours."""

    port: int
    ws: str


def node_server(folder: Path, *flags: str):
    with Program([find("node"), str(NODE / "echo_server.mjs"), *flags], folder) as program:
        port = int(program.wait_for(r"listening on (\d+)")[1])
        yield Peer(port, f"{'wss' if '--tls' in flags else 'ws'}://127.0.0.1:{port}")


@pytest.fixture(scope="session")
def node_echo(folder: Path):
    """`ws` for node, with deflate."""
    yield from node_server(folder / "node-echo")


@pytest.fixture(scope="session")
def node_echo_plain(folder: Path):
    yield from node_server(folder / "node-echo-plain", "--no-deflate")


@pytest.fixture(scope="session")
def node_echo_tls(folder: Path, certificates: Certificates):
    yield from node_server(
        folder / "node-echo-tls", "--tls", str(certificates.certificate), str(certificates.key)
    )


@pytest.fixture(scope="session")
def node_echo_other_name(folder: Path, certificates: Certificates):
    yield from node_server(
        folder / "node-echo-other", "--tls", str(certificates.other_certificate), str(certificates.other_key)
    )


@pytest.fixture(scope="session")
def socketio_program(openline: str, tmp_path_factory):
    """Starts the program of the Socket.IO tests with these arguments; it ends with the tests."""
    with ExitStack() as running:

        def start(*flags: str) -> SocketIo:
            program = running.enter_context(SocketIo(openline, tmp_path_factory.mktemp("socketio"), *flags))
            running.callback(lambda: _is_sound(program))
            return program

        yield start


def _is_sound(program: Program) -> None:
    assert "panicked" not in program.output, program.output
    assert program.returncode is None, f"the server ended:\n{program.output}"


@dataclass(frozen=True)
class Suite:
    """A server that runs the program of the Socket.IO tests."""

    http: str
    # The one origin that the server allows is that of pages from this port of loopback.
    page_port: int


@pytest.fixture(scope="session")
def socketio_page_port() -> int:
    return int(os.environ.get("SOCKETIO_PAGE_PORT") or free_port())


@pytest.fixture(scope="session")
def socketio(request, socketio_page_port):
    """With the protocol's usual heartbeat. SOCKETIO_URL names one that runs already."""
    return _suite(request, "SOCKETIO_URL", socketio_page_port)


@pytest.fixture(scope="session")
def brisk_socketio(request, socketio_page_port):
    """With the heartbeat of the official suites. SOCKETIO_BRISK_URL names one that runs already."""
    flags = ("--ping-interval", "300", "--ping-timeout", "200", "--connect-timeout", "1000")
    return _suite(request, "SOCKETIO_BRISK_URL", socketio_page_port, *flags)


@pytest.fixture(scope="session")
def steady_socketio(request, socketio_page_port):
    """With many heartbeats, and patience with clients on a busy machine. SOCKETIO_STEADY_URL names one that runs already."""
    return _suite(request, "SOCKETIO_STEADY_URL", socketio_page_port, "--ping-interval", "300", "--ping-timeout", "5000")


def _suite(request, variable: str, page_port: int, *flags: str) -> Suite:
    if url := os.environ.get(variable):
        return Suite(url, page_port)
    start = request.getfixturevalue("socketio_program")
    return Suite(start("--origin", f"http://127.0.0.1:{page_port}", *flags).http, page_port)


@pytest.fixture(scope="session")
def nginx(folder: Path, server: Server):
    with Nginx(folder / "nginx", server.port) as program:
        yield program


@pytest.fixture(scope="session")
def haproxy(folder: Path, server: Server):
    with HAProxy(folder / "haproxy", server.port) as program:
        yield program


@pytest.fixture(scope="session")
def haproxy_http2(folder: Path, server: Server):
    """HTTP/1.1 in front, RFC 8441 to the server."""
    with HAProxy(folder / "haproxy-h2", server.port, http2=True) as program:
        yield program


@pytest.fixture(scope="session")
def node(folder: Path):
    """Runs one of the scripts in conformance/node and returns the JSON it prints."""

    def run(script: str, *arguments: str, seconds: float = 40, environment: dict[str, str] | None = None):
        done = subprocess.run(
            [find("node"), str(NODE / script), *arguments],
            cwd=folder,
            env=os.environ | (environment or {}),
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        assert done.returncode == 0, f"{script} {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
        return json.loads(done.stdout)

    return run
