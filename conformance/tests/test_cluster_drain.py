"""A node is drained under clients that publish all the time: they move to another, and nothing is seen of it."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path

import pytest

from cluster import Cluster
from programs import NODE, Missing, Program, Redis, find

COUNT = 700


class Switch:
    """Hands each new connection to the port that it is set to, as a load balancer does that knows who is ready."""

    def __init__(self, target: int) -> None:
        self.target = target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        opening = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._carry, "127.0.0.1", 0), self._loop)
        self._server = opening.result(5)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward_reader, onward_writer = await asyncio.open_connection("127.0.0.1", self.target)
        await asyncio.gather(_copy(reader, onward_writer), _copy(onward_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    writer.close()


@pytest.fixture(scope="module")
def cluster(openline, tmp_path_factory):
    running = Cluster(openline, tmp_path_factory.mktemp("drain"), Redis)
    yield running
    running.close()


def typescript(openline: str, *arguments: str) -> list[str]:
    return [find("node"), str(NODE / "sdk_drain.mjs"), *arguments]


def rust(openline: str, *arguments: str) -> list[str]:
    program = Path(openline).parent / "examples" / "drain"
    if not program.is_file():
        raise Missing(f"{program}: run `cargo build -p openline-client --example drain`")
    return [str(program), *arguments]


@pytest.mark.parametrize(("number", "program"), [(0, typescript), (1, rust)], ids=["typescript", "rust"])
def test_a_client_that_publishes_sees_nothing_of_a_drain(cluster, openline, tmp_path, number, program):
    switch = Switch(cluster.ports[number])
    try:
        arguments = (f"ws://127.0.0.1:{switch.port}/ws", f"drain-{program.__name__}", str(COUNT))
        with Program(program(openline, *arguments), tmp_path) as client:
            client.wait_for("ready", 30)
            switch.target = cluster.ports[2]
            assert cluster.api(cluster.ports[number], "drain", {}).status < 300
            assert client.wait(60) == 0, client.output
            told = json.loads(client.output.splitlines()[-1])
    finally:
        switch.close()
    assert told["seen"] == list(range(COUNT))
    assert (told["states"], told["gaps"], told["failures"]) == (["online"], [], [])
    assert told["lines"] == 2
    assert cluster.nodes[number].wait(30) == 0
