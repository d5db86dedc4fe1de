"""The work: which subjects do it, what the load generator is told, what comes out."""

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from harness.server import HOST, BenchError, CpuMeter, Server, cores
from harness.subjects import LOAD, OURS, SUBJECTS

IDLE_LINES = 10_000
IDLE_SETTLE_SECONDS = 1.0
LOAD_SECONDS_MAX = 60.0

LIBRARIES = ["tungstenite", "tokio-websockets", "fastwebsockets", "yawc", "sockudo"]
ECHO = [OURS, "openline-ws", "bun", "ws", *LIBRARIES]
CHAT = [OURS, "bun", "ws"]


@dataclass(frozen=True)
class Entry:
    """One row of a workload's table."""

    subject: str
    deflate: bool = False

    @property
    def label(self) -> str:
        return f"{self.subject} (deflate)" if self.deflate else self.subject


@dataclass(frozen=True)
class Workload:
    name: str
    title: str
    mode: str  # the load generator's
    path: str
    entries: list[Entry]
    arguments: list[str] = field(default_factory=list)


def _entries(names: list[str]) -> list[Entry]:
    return [Entry(name) for name in names]


WORKLOADS = {
    workload.name: workload
    for workload in [
        Workload(
            "echo-1",
            "Echo: 64 lines, 128-byte text, one message in flight per line",
            "echo",
            "/echo",
            _entries(["floor", *ECHO]),
            "--lines 64 --size 128 --in-flight 1 --text".split(),
        ),
        Workload(
            "echo-32",
            "Echo: 64 lines, 128-byte text, 32 messages in flight per line",
            "echo",
            "/echo",
            _entries(["floor", *ECHO, *(name for name in SUBJECTS if name.endswith("+batch"))]),
            "--lines 64 --size 128 --in-flight 32 --text".split(),
        ),
        Workload(
            "echo-64k",
            "Echo: 16 lines, 64 KiB binary, one message in flight per line",
            "echo",
            "/echo",
            # yawc stands here twice, because its default buffers do not suit this size.
            _entries(["floor", *ECHO, "yawc+batch"]),
            "--lines 16 --size 65536 --in-flight 1".split(),
        ),
        Workload(
            "idle-10k",
            "Idle: 10,000 open lines that say nothing",
            "idle",
            "/echo",
            _entries(ECHO),
            ["--lines", str(IDLE_LINES), "--hold", "60"],
        ),
        Workload(
            "fanout-1000",
            "Fan-out: 128 bytes from one line to 1,000, one publication at a time",
            "fanout",
            "/chat",
            _entries(CHAT),
            "--lines 1000 --burst 1 --size 128".split(),
        ),
        Workload(
            "fanout-1000-burst16",
            "Fan-out: 128 bytes from one line to 1,000, in bursts of 16",
            "fanout",
            "/chat",
            _entries(CHAT),
            "--lines 1000 --burst 16 --size 128".split(),
        ),
        Workload(
            "fanout-1000-deflate",
            "Fan-out: 2 KiB of words from one line to 1,000, one at a time, permessage-deflate",
            "fanout",
            "/chat",
            [Entry(OURS), *(Entry(name, deflate=True) for name in CHAT)],
            "--lines 1000 --burst 1 --size 2048".split(),
        ),
    ]
}


def measure(workload: Workload, entry: Entry, seconds: float, warmup: float) -> dict[str, float]:
    """Starts the subject afresh, loads it once, and returns what was seen."""
    with Server(SUBJECTS[entry.subject].command(entry.deflate)) as server:
        try:
            if workload.mode == "idle":
                return _measure_idle(workload, server)
            return _measure_window(workload, entry, server, seconds, warmup)
        except BenchError as error:
            raise BenchError(f"{error} [server: {server.log_tail()}]") from None


def _measure_window(
    workload: Workload, entry: Entry, server: Server, seconds: float, warmup: float
) -> dict[str, float]:
    arguments = [*workload.arguments, "--seconds", str(seconds), "--warmup", str(warmup)]
    if SUBJECTS[entry.subject].kind == "floor":
        arguments.append("--raw")
    if entry.deflate:
        arguments.append("--deflate")
    meter = CpuMeter(server)
    cpu = others = result = None
    with Load(workload, server, arguments) as load:
        for line in load.lines():
            match line.get("event"):
                case "start":
                    meter.start()
                case "end":
                    cpu, others = meter.stop()
                case _:
                    result = line
    if cpu is None or result is None:
        raise BenchError("the load generator ended without a result")
    if result["errors"]:
        raise BenchError(f"{result['errors']} wrong echoes")
    result["cpu_seconds"] = cpu
    result["per_cpu_second"] = result["messages"] / cpu
    result["cpu_share"] = cpu / result["seconds"]
    result["others_share"] = others / result["seconds"]
    return result


def _measure_idle(workload: Workload, server: Server) -> dict[str, float]:
    # A first line makes the server allocate what it has once and for all.
    with Load(workload, server, ["--lines", "1", "--hold", "0.2"]) as load:
        list(load.lines())
    time.sleep(0.2)
    before = server.memory_bytes()
    with Load(workload, server, workload.arguments) as load:
        opened = next(load.lines(), {})
        if opened.get("open") != IDLE_LINES:
            raise BenchError(f"{IDLE_LINES} lines were asked for: {opened}")
        time.sleep(IDLE_SETTLE_SECONDS)
        after = server.memory_bytes()
        meter = CpuMeter(server)
        meter.start()
        time.sleep(IDLE_SETTLE_SECONDS)
        cpu, others = meter.stop()
        load.release()
        list(load.lines())
    return {
        "bytes_per_line": (after - before) / IDLE_LINES,
        "cpu_share": cpu / IDLE_SETTLE_SECONDS,
        "others_share": others / IDLE_SETTLE_SECONDS,
    }


class Load:
    """The load generator on its own core, as a context manager."""

    def __init__(self, workload: Workload, server: Server, arguments: list[str]) -> None:
        url = f"ws://{HOST}:{server.port}{workload.path}"
        self._command = [str(LOAD), workload.mode, "--url", url, *arguments]

    def __enter__(self) -> "Load":
        core = cores()[1]
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
        self._timer = threading.Timer(LOAD_SECONDS_MAX, self._process.kill)
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            pipe.close()

    def lines(self) -> Iterator[dict]:
        """Its JSON lines as they come; raises what it died of."""
        for line in self._process.stdout:
            yield json.loads(line)
        if self._process.wait() != 0:
            reason = self._process.stderr.read().strip()
            raise BenchError(reason or f"the load generator took over {LOAD_SECONDS_MAX:.0f} s")

    def release(self) -> None:
        """Ends its standard input, which ends an idle load."""
        self._process.stdin.close()
