"""The proxies' configurations of packaging/, as they are handed out, in front of real nodes.

Only addresses, ports, the name and the certificate are put in place of those in the files.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import signal
import ssl
from collections.abc import Awaitable, Iterator
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import pytest

from programs import ROOT, Program, Server, find, free_port

PACKAGING = ROOT / "packaging"

# The server is not quiet for longer than it waits to ping, and waits so much longer for the answer.
QUIET_SECONDS = 25 + 10

LINES_MAX = 2

CONFIG = f"""\
demo = true
demo_ticker = false
strict_namespaces = false

[http]
trusted_proxies = ["127.0.0.1"]

[auth]
anonymous = true

[namespace.default]
publish = "anyone"
history_size = 100

[limits]
connections_per_ip = {LINES_MAX}

# As long as a balancer that asks each second needs, and not a minute.
[drain]
delay = "3s"
duration = "0s"
notice = "0s"
"""

FORGED = ["203.0.113.7", "127.0.0.1", "203.0.113.7, 127.0.0.1", "unknown", "a" * 200]

INSIDE = ["/metrics", "/api/v1/info", "/health/ready", "/dashboard", "/%6detrics", "/api"]


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    """The file with these in place of what stands there; each has to stand there."""
    for old, new in pairs:
        assert old in text, f"{old} is not in:\n{text}"
        text = text.replace(old, new)
    return text


class Proxy(Program):
    """A proxy by its file in packaging/, in front of two nodes."""

    file: str
    argv: list[str]

    def __init__(self, folder: Path, nodes: tuple[int, int], certificate: Path, key: Path) -> None:
        folder.mkdir(parents=True)
        self.port = free_port()
        self.folder, self.certificate, self.key = folder, certificate, key
        self.http = f"https://127.0.0.1:{self.port}"
        text = replaced(
            (PACKAGING / self.file).read_text(),
            ("10.0.0.11:8000", f"127.0.0.1:{nodes[0]}"),
            ("10.0.0.12:8000", f"127.0.0.1:{nodes[1]}"),
        )
        self.configuration = folder / Path(self.file).name
        self.configuration.write_text(self.here(text))
        super().__init__(self.command(), folder, {"HOME": str(folder), "XDG_DATA_HOME": str(folder)})
        self.wait_for_port(self.port)

    def here(self, text: str) -> str:
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError


class Nginx(Proxy):
    file = "nginx/openline.conf"

    def here(self, text: str) -> str:
        return replaced(
            text,
            ("listen 443 ", f"listen 127.0.0.1:{self.port} "),
            ("/etc/ssl/live.example.com.pem", str(self.certificate)),
            ("/etc/ssl/live.example.com.key", str(self.key)),
        )

    def command(self) -> list[str]:
        folders = "\n".join(
            f"    {kind}_temp_path {self.folder}/{kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        main = self.folder / "nginx.conf"
        # Its workers write bodies into folders of the test, which are root's if root runs it.
        user = "user root;" if os.geteuid() == 0 else ""
        main.write_text(f"""\
daemon off;
{user}
worker_processes 1;
pid {self.folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 512; }}
http {{
    access_log off;
{folders}
    include {self.configuration};
}}
""")
        return [find("nginx"), "-e", "stderr", "-p", str(self.folder), "-c", str(main)]


class HAProxy(Proxy):
    file = "haproxy/haproxy.cfg"

    def here(self, text: str) -> str:
        both = self.folder / "both.pem"
        both.write_text(self.certificate.read_text() + self.key.read_text())
        return replaced(
            text,
            ("bind :443 ", f"bind 127.0.0.1:{self.port} "),
            ("/etc/ssl/live.example.com.pem", str(both)),
            # It takes descriptors for all of them when it starts.
            ("maxconn 50000", "maxconn 500"),
        )

    def command(self) -> list[str]:
        return [find("haproxy"), "-db", "-f", str(self.configuration)]


class Caddy(Proxy):
    file = "caddy/Caddyfile"

    def here(self, text: str) -> str:
        site = f"https://127.0.0.1:{self.port} {{\n\tbind 127.0.0.1\n\ttls {self.certificate} {self.key}\n"
        return "{\n\tadmin off\n\tauto_https off\n}\n" + replaced(text, ("live.example.com {\n", site))

    def command(self) -> list[str]:
        return [find("caddy"), "run", "--adapter", "caddyfile", "--config", str(self.configuration)]


PROXIES = [Nginx, HAProxy, Caddy]


def node(openline: str, folder: Path, port: int = 0, *flags: str) -> Server:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "openline.toml").write_text(CONFIG)
    return Server(openline, folder, "--config", "openline.toml", "--ephemeral", *flags, port=port)


def end(server: Server) -> None:
    """Has it drain, and waits for that."""
    os.kill(server.pid, signal.SIGTERM)
    assert server.wait(20) == 0, server.output


@pytest.fixture(scope="module")
def proxy(request, openline, folder, certificates) -> Iterator[Proxy]:
    """The proxy in front of a node, and of one that is not there."""
    kind = request.param
    here = folder / "packaging" / kind.__name__
    with (
        node(openline, here / "node", 0, "--drain-delay", "0s") as server,
        kind(here / "proxy", (server.port, free_port()), certificates.certificate, certificates.key) as program,
    ):
        yield program
        assert "panicked" not in server.output, server.output
        assert program.returncode is None, program.output


proxies = pytest.mark.parametrize("proxy", PROXIES, ids=lambda kind: kind.__name__.lower(), indirect=True)

numbers = itertools.count(1)


@pytest.fixture
def client(certificates):
    """Makes clients with addresses of their own, as all of 127.0.0.0/8 is this machine."""

    def make(address: str | None = None) -> aiohttp.ClientSession:
        number = next(numbers)
        source = address or f"127.3.{number // 250}.{number % 250 + 1}"
        context = ssl.create_default_context(cafile=str(certificates.ca))
        connector = aiohttp.TCPConnector(ssl=context, local_addr=(source, 0))
        return aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=25))

    return make


async def subscribed(line: aiohttp.ClientWebSocketResponse, channel: str) -> None:
    await line.send_json({"type": "subscribe", "id": 1, "channel": channel})
    await until(line, "subscribed")


async def until(line: aiohttp.ClientWebSocketResponse, kind: str) -> dict:
    while True:
        message = await line.receive_json(timeout=10)
        if message["type"] == kind:
            return message


async def event(stream: aiohttp.ClientResponse, kind: str) -> dict:
    while True:
        text = await asyncio.wait_for(stream.content.readline(), 10)
        assert text, "the stream ended"
        if text.startswith(b"data:") and (message := json.loads(text.removeprefix(b"data:")))["type"] == kind:
            return message


async def polled(client: aiohttp.ClientSession, url: str, kind: str, **parameters: str) -> dict:
    while True:
        async with client.get(url, params=parameters) as answer:
            assert answer.status == 200, await answer.text()
            body = await answer.json()
        parameters |= {name: body[name] for name in ("position", "session") if body.get(name)}
        for message in body["messages"]:
            if message["type"] == kind:
                return message | {"parameters": dict(parameters)}


@proxies
async def test_a_line_a_stream_and_polls_get_what_is_published_as_it_comes(proxy, client):
    channel = f"through-{type(proxy).__name__}"
    async with client() as one, client() as two, client() as three:
        line = await one.ws_connect(f"{proxy.http}/ws")
        await subscribed(line, channel)
        stream = await two.get(f"{proxy.http}/sse", params={"channels": channel})
        assert stream.status == 200 and stream.content_type == "text/event-stream"
        await event(stream, "subscribed")
        first = await polled(three, f"{proxy.http}/poll", "subscribed", channels=channel)
        for number in range(3):
            # The poll waits by now or soon, and the stream stays open: nothing that gathers would give it out.
            poll = asyncio.create_task(polled(three, f"{proxy.http}/poll", "message", **first["parameters"]))
            await asyncio.sleep(0.2)
            await line.send_json({"type": "publish", "id": 2, "channel": channel, "data": number})
            assert (await until(line, "message"))["data"] == number
            assert (await event(stream, "message"))["data"] == number
            first = await poll
            assert first["data"] == number
        posted = {"type": "publish", "channel": channel, "data": "x" * 500_000}
        async with two.post(f"{proxy.http}/sse", json=posted) as answer:
            assert answer.status == 200, await answer.text()
        assert len((await until(line, "message"))["data"]) == 500_000
        stream.close()


@proxies
async def test_socket_io_gets_through_by_polling_and_as_a_websocket(proxy, client):
    path = f"{proxy.http}/socket.io/"
    async with client() as one:
        async with one.get(path, params={"EIO": "4", "transport": "polling"}) as answer:
            assert (answer.status, (await answer.text())[:1]) == (200, "0")
        async with one.ws_connect(f"{path}?EIO=4&transport=websocket") as line:
            assert (await line.receive_str(timeout=10)).startswith("0{")


@proxies
async def test_each_client_counts_for_itself_whatever_it_says_of_its_address(proxy, client):
    async with client("127.4.0.1") as own, client("127.4.0.2") as victim:

        async def refusal(session: aiohttp.ClientSession, **headers: str) -> str:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(f"{proxy.http}/ws", headers=headers)
            assert refused.value.status == 429
            async with session.get(f"{proxy.http}/sse?channels=a", headers=headers) as answer:
                return (await answer.json())["error"]["message"]

        lines = []
        for forged in ["127.4.0.2", *FORGED][:LINES_MAX]:
            headers = {"X-Forwarded-For": forged, "X-Real-IP": forged}
            lines.append(await own.ws_connect(f"{proxy.http}/ws", headers=headers))
        for forged in ["127.4.0.2", *FORGED]:
            for header in ("X-Forwarded-For", "X-Real-IP", "Forwarded"):
                said = await refusal(own, **{header: f"for={forged}" if header == "Forwarded" else forged})
                assert said.startswith(f"127.4.0.1 has {LINES_MAX} connections"), (header, forged, said)
        # Nothing was counted to the one whose address was borrowed.
        for _ in range(LINES_MAX):
            lines.append(await victim.ws_connect(f"{proxy.http}/ws"))


@proxies
async def test_what_stays_inside_is_not_there_outside(proxy, client):
    async with client() as one:
        for path in INSIDE:
            async with one.get(f"{proxy.http}{path}") as answer:
                assert answer.status == 404, (path, answer.status)
        async with one.get(f"{proxy.http}/apis") as answer:
            assert "application/json" in answer.content_type, "this is the node's answer"


async def test_while_one_of_two_nodes_stops_and_starts_nobody_is_refused(openline, folder, certificates, client):
    here = folder / "packaging" / "two"
    ports = (free_port(), free_port())
    with ExitStack() as running:
        nodes = [running.enter_context(node(openline, here / str(port), port)) for port in ports]
        fronts = [
            running.enter_context(kind(here / kind.__name__, ports, certificates.certificate, certificates.key))
            for kind in PROXIES
        ]

        async def open_lines(proxy: Proxy, over: asyncio.Event) -> None:
            """One after the other until it is over, and three at least."""
            opened = 0
            while opened < 3 or not over.is_set():
                # Whoever is not let in raises here.
                async with client() as one, one.ws_connect(f"{proxy.http}/echo") as line:
                    await line.send_str("there?")
                    message = await line.receive(timeout=10)
                    # A node that ends closes the lines that it has.
                    assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.CLOSE), message
                    opened += message.type == aiohttp.WSMsgType.TEXT

        async def open_all(meanwhile: Awaitable[object]) -> None:
            over = asyncio.Event()
            opening = asyncio.gather(*(open_lines(proxy, over) for proxy in fronts))
            await meanwhile
            over.set()
            await opening

        await open_all(asyncio.sleep(0.2))
        await open_all(asyncio.to_thread(end, nodes[0]))
        await open_all(asyncio.sleep(0))
        running.enter_context(node(openline, here / str(ports[0]), ports[0]))
        # As long as each of them needs to see that it is back.
        await open_all(asyncio.sleep(2.5))
        await open_all(asyncio.to_thread(end, nodes[1]))
        await open_all(asyncio.sleep(0))
        assert all(proxy.returncode is None for proxy in fronts)


def test_timeouts_are_longer_than_the_server_is_quiet():
    nginx = (PACKAGING / "nginx/openline.conf").read_text()
    haproxy = (PACKAGING / "haproxy/haproxy.cfg").read_text()
    found = re.findall(r"proxy_(?:read|send)_timeout (\d+)s;", nginx)
    found += re.findall(r"timeout (?:client|server|tunnel) (\d+)s", haproxy)
    assert len(found) == 5 and all(int(seconds) > QUIET_SECONDS for seconds in found), found


@pytest.mark.long
@pytest.mark.timeout(200)
@proxies
def test_a_quiet_line_and_a_quiet_stream_stay(proxy, client):
    async def stay() -> None:
        async with client() as one:
            line = await one.ws_connect(f"{proxy.http}/ws", timeout=aiohttp.ClientWSTimeout(ws_close=5))
            stream = await one.get(
                f"{proxy.http}/sse?channels=quiet", timeout=aiohttp.ClientTimeout(total=None)
            )
            comments = 0
            end = asyncio.get_running_loop().time() + 90
            reading = asyncio.create_task(line.receive())
            while asyncio.get_running_loop().time() < end:
                comments += (await asyncio.wait_for(stream.content.readline(), 60)).startswith(b":")
            # A ping is answered by the library and is no message.
            while reading.done() and reading.result().type == aiohttp.WSMsgType.TEXT:
                reading = asyncio.create_task(line.receive())
                await asyncio.sleep(0)
            await line.send_json({"type": "ping", "id": 1})
            assert json.loads((await asyncio.wait_for(reading, 10)).data)["type"] in ("welcome", "pong")
            assert comments >= 2

    asyncio.run(stay())
