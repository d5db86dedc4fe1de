"""Whose address counts, directly and through nginx and HAProxy, with headers forged on the way.

All of 127.0.0.0/8 is this machine, so each client has an address of its own: what the proxies and
the server see is what they would see of clients elsewhere. The server says in its refusal whom it
counted.
"""

from __future__ import annotations

import itertools
import re
import socket
import time
from pathlib import Path

import pytest

from programs import Program, Server, find, free_port
from raw import Raw, Response, request

LINES_MAX = 2

# The last proxy before the server, and one before that.
PROXY, OUTER_PROXY = "127.0.0.9", "127.0.0.8"

CONFIG = f"""\
[http]
trusted_proxies = ["{PROXY}", "{OUTER_PROXY}/32"]
proxy_protocol = PROXY_PROTOCOL

[auth]
anonymous = true

[limits]
connections_per_ip = {LINES_MAX}
"""

FORGED = [
    "203.0.113.7",
    "2001:db8::7",
    "127.0.0.1",
    PROXY,
    f"203.0.113.7, {PROXY}",
    "203.0.113.7,,",
    "unknown",
    "a" * 200,
]


class Client(Raw):
    """A connection from an address of one's choice."""

    def __init__(self, port: int, source: str) -> None:
        self.port = port
        self._socket = socket.create_connection(("127.0.0.1", port), 10, source_address=(source, 0))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def ask(self, **headers: str) -> Response:
        self.send(request("/ws", self.port, **headers))
        return self.response()


class ForwardingNginx(Program):
    """nginx that says whom it serves, on three ports, each in another usual way."""

    def __init__(self, folder: Path, server_port: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.appends, self.real_ip, self.second_hop = free_port(), free_port(), free_port()
        upgrade = """
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;"""
        configuration = folder / "nginx.conf"
        configuration.write_text(f"""\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{self.appends};
        location / {{
            proxy_pass http://127.0.0.1:{server_port};{upgrade}
            proxy_bind {PROXY};
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }}
    }}
    server {{
        listen 127.0.0.1:{self.real_ip};
        location / {{
            proxy_pass http://127.0.0.1:{server_port};{upgrade}
            proxy_bind {PROXY};
            proxy_set_header X-Forwarded-For "";
            proxy_set_header X-Real-IP $remote_addr;
        }}
    }}
    server {{
        listen 127.0.0.1:{self.second_hop};
        location / {{
            proxy_pass http://127.0.0.1:{self.appends};{upgrade}
            proxy_bind {OUTER_PROXY};
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }}
    }}
}}
""")
        super().__init__([find("nginx"), "-e", "stderr", "-p", str(folder), "-c", str(configuration)], folder)
        for port in (self.appends, self.real_ip, self.second_hop):
            self.wait_for_port(port)


class PassingHAProxy(Program):
    """HAProxy that passes bytes on and says whose they are by the PROXY protocol."""

    def __init__(self, folder: Path, server_port: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.ports = {"send-proxy": free_port(), "send-proxy-v2": free_port()}
        listeners = "".join(
            f"""
listen {option}
    bind 127.0.0.1:{port}
    server openline 127.0.0.1:{server_port} source {PROXY} {option}
"""
            for option, port in self.ports.items()
        )
        configuration = folder / "haproxy.cfg"
        configuration.write_text(f"""\
global
    maxconn 1000
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
{listeners}""")
        super().__init__([find("haproxy"), "-db", "-f", str(configuration)], folder)
        for port in self.ports.values():
            self.wait_for_port(port)


def limited_server(openline: str, folder: Path, proxy_protocol: bool) -> Server:
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "openline.toml"
    config.write_text(CONFIG.replace("PROXY_PROTOCOL", str(proxy_protocol).lower()))
    return Server(openline, folder, "--config", str(config))


@pytest.fixture(scope="module")
def limited(openline, folder):
    with limited_server(openline, folder / "limited", False) as program:
        yield program
        assert "panicked" not in program.output, program.output


@pytest.fixture(scope="module")
def limited_behind_haproxy(openline, folder):
    with limited_server(openline, folder / "limited-proxy-protocol", True) as program:
        yield program
        assert "panicked" not in program.output, program.output


@pytest.fixture(scope="module")
def forwarding_nginx(folder, limited):
    with ForwardingNginx(folder / "forwarding-nginx", limited.port) as program:
        yield program


@pytest.fixture(scope="module")
def passing_haproxy(folder, limited_behind_haproxy):
    with PassingHAProxy(folder / "passing-haproxy", limited_behind_haproxy.port) as program:
        yield program


numbers = itertools.count(1)


@pytest.fixture
def address() -> str:
    """A client's address that no other test has."""
    number = next(numbers)
    return f"127.1.{number // 250}.{number % 250 + 1}"


class Lines:
    """The lines of a test, closed when it ends."""

    def __init__(self) -> None:
        self._open: list[Client] = []

    def ask(self, port: int, source: str, before: bytes = b"", **headers: str) -> Response:
        client = Client(port, source)
        self._open.append(client)
        client.send(before)
        return client.ask(**headers)

    def fill(self, port: int, source: str, **headers: str) -> None:
        for _ in range(LINES_MAX):
            response = self.ask(port, source, **headers)
            assert response.status == 101, response

    def close(self) -> None:
        for client in self._open:
            client.__exit__()
        self._open.clear()


@pytest.fixture
def lines():
    lines = Lines()
    yield lines
    lines.close()


def counted(response: Response) -> str:
    """Whom the server counted, by its refusal."""
    assert response.status == 429, response
    assert int(response.headers["retry-after"]) >= 1
    assert response.error["code"] == "connection_limit"
    match = re.match(rf"(\S+) has {LINES_MAX} connections", response.error["message"])
    assert match, response.error
    return match[1]


@pytest.mark.parametrize("header", ["X_Forwarded_For", "X_Real_IP", "Forwarded"])
def test_headers_of_a_client_that_comes_directly_are_not_believed(limited, lines, address, header):
    for forged in FORGED[:LINES_MAX]:
        assert lines.ask(limited.port, address, **{header: forged}).status == 101
    for forged in FORGED:
        assert counted(lines.ask(limited.port, address, **{header: forged})) == address


def test_lines_that_end_make_room(limited, lines, address):
    lines.fill(limited.port, address)
    assert counted(lines.ask(limited.port, address)) == address
    lines.close()
    deadline = time.monotonic() + 10
    while lines.ask(limited.port, address).status != 101:
        assert time.monotonic() < deadline, "the places were not given back"
        time.sleep(0.05)


@pytest.mark.parametrize("way", ["appends", "real_ip", "second_hop"])
def test_through_nginx_each_client_counts_for_itself(forwarding_nginx, lines, address, way):
    port = getattr(forwarding_nginx, way)
    lines.fill(port, address)
    assert counted(lines.ask(port, address)) == address
    neighbour = f"127.2.{address.split('.', 2)[2]}"
    lines.fill(port, neighbour)
    assert counted(lines.ask(port, neighbour)) == neighbour


def test_a_client_is_the_same_directly_and_through_nginx(limited, forwarding_nginx, lines, address):
    assert lines.ask(limited.port, address).status == 101
    assert lines.ask(forwarding_nginx.appends, address).status == 101
    for port in (limited.port, forwarding_nginx.real_ip, forwarding_nginx.second_hop):
        assert counted(lines.ask(port, address)) == address


@pytest.mark.parametrize("way", ["appends", "real_ip", "second_hop"])
def test_what_a_client_forges_left_of_nginx_changes_nothing(forwarding_nginx, lines, address, way):
    port = getattr(forwarding_nginx, way)
    victim = f"127.2.{address.split('.', 2)[2]}"
    for forged in [victim, *FORGED][:LINES_MAX]:
        assert lines.ask(port, address, X_Forwarded_For=forged, X_Real_IP=forged).status == 101
    for forged in [victim, f"{victim}, {victim}", *FORGED]:
        response = lines.ask(port, address, X_Forwarded_For=forged, X_Real_IP=forged)
        assert counted(response) == address, forged
    # Nothing was counted to the one whose address was borrowed.
    lines.fill(port, victim)


@pytest.mark.parametrize("option", ["send-proxy", "send-proxy-v2"])
def test_through_the_proxy_protocol_each_client_counts_for_itself(passing_haproxy, lines, address, option):
    port = passing_haproxy.ports[option]
    lines.fill(port, address)
    for forged in FORGED:
        assert counted(lines.ask(port, address, X_Forwarded_For=forged, X_Real_IP=forged)) == address
    neighbour = f"127.2.{address.split('.', 2)[2]}"
    lines.fill(port, neighbour)
    assert counted(lines.ask(port, neighbour)) == neighbour


@pytest.mark.parametrize("option", ["send-proxy", "send-proxy-v2"])
def test_a_proxy_header_behind_the_proxys_own_is_no_header(passing_haproxy, lines, address, option):
    forged = b"PROXY TCP4 203.0.113.7 127.0.0.1 1 2\r\n"
    response = lines.ask(passing_haproxy.ports[option], address, before=forged)
    assert response.status == 400, response


def test_a_proxy_header_of_a_client_that_comes_directly_is_no_header(limited_behind_haproxy, lines, address):
    forged = b"PROXY TCP4 203.0.113.7 127.0.0.1 1 2\r\n"
    assert lines.ask(limited_behind_haproxy.port, address, before=forged).status == 400
    lines.fill(limited_behind_haproxy.port, address)
    assert counted(lines.ask(limited_behind_haproxy.port, address)) == address


def test_a_trusted_proxy_that_sends_no_proxy_header_is_not_served(limited_behind_haproxy):
    with Client(limited_behind_haproxy.port, PROXY) as client:
        client.send(request("/ws", limited_behind_haproxy.port))
        assert client.ended()
