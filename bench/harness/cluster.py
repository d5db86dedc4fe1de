"""Several nodes on one broker, started and measured as one server."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from harness.server import HOST, START_SECONDS_MAX, BenchError, Server, cores, free_port, listens


class Cluster:
    """Nodes that run the same command, each with a directory of its own, as a context manager.

    The broker runs on the core of the nodes; its time is not theirs.
    """

    def __init__(self, broker: str, nodes: int, command: list[str]) -> None:
        self._broker = Broker(broker)
        self._nodes = [
            Server([*command, "--broker-url", self._broker.url]) for _ in range(nodes)
        ]

    def __enter__(self) -> "Cluster":
        self._open = []
        try:
            for part in (self._broker, *self._nodes):
                part.__enter__()
                self._open.append(part)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        while self._open:
            self._open.pop().__exit__()

    @property
    def ports(self) -> list[int]:
        return [port for node in self._nodes for port in node.ports]

    def path(self, name: str) -> Path:
        return self._nodes[0].path(name)

    def processes(self) -> list[int]:
        return [pid for node in self._nodes for pid in node.processes()]

    def beside(self) -> list[int]:
        return [self._broker.pid]

    def log_tail(self) -> str:
        return " | ".join(node.log_tail() for node in self._nodes)


class Broker:
    """A Redis or NATS server that keeps what it has in a directory of its own."""

    def __init__(self, kind: str) -> None:
        self._port = free_port()
        self.url = f"{kind}://{HOST}:{self._port}"
        self._directory = tempfile.TemporaryDirectory(prefix="openline-bench-")
        port, directory = str(self._port), self._directory.name
        match kind:
            case "redis":
                words = f"redis-server --port {port} --bind {HOST} --appendonly yes --save"
                self._command = [*words.split(), "", "--dir", directory]
            case "nats":
                words = f"nats-server -js -a {HOST} -p {port} -sd"
                self._command = [*words.split(), directory]

    def __enter__(self) -> "Broker":
        program = self._command[0]
        if shutil.which(program) is None:
            raise BenchError(f"{program} is needed: conformance/setup.sh installs it")
        core = cores()[0]
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
        deadline = time.monotonic() + START_SECONDS_MAX
        while not listens(self._port):
            if time.monotonic() > deadline or self._process.poll() is not None:
                self.__exit__()
                raise BenchError(f"{program} does not listen")
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._directory.cleanup()

    @property
    def pid(self) -> int:
        return self._process.pid
