"""One row, once: a fresh server, its load, and what was seen."""

import contextlib
import functools
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator

from harness import certificate, tokens
from harness.cluster import Cluster
from harness.server import HOST, BenchError, CpuMeter, Server, cores
from harness.subjects import LOAD, OURS, SUBJECTS
from harness.workloads import NODES, Entry, Workload

IDLE_SETTLE_SECONDS = 1.0
LOAD_SECONDS_MAX = 120.0

# Little room, so that the server's own queue is reached soon.
STALLED_BUFFER_BYTES = 4096


def measure(workload: Workload, entry: Entry, seconds: float, warmup: float) -> dict[str, float]:
    """Starts the subject afresh, loads it once, and returns what was seen."""
    with _server(entry) as server:
        try:
            if workload.mode == "idle":
                return _measure_idle(workload, entry, server)
            with _stalled_reader(workload, entry, server):
                return _measure_window(workload, entry, server, seconds, warmup)
        except BenchError as error:
            raise BenchError(f"{error} [server: {server.log_tail()}]") from None


def _server(entry: Entry) -> Server | Cluster:
    deflate = entry.deflate and entry.subject != OURS
    command = [*SUBJECTS[entry.subject].command(deflate, entry.tls), *entry.options.split()]
    if entry.broker:
        return Cluster(entry.broker, NODES, command)
    if not entry.users:
        return Server(command, certificate.files() if entry.tls else None)
    files = {"openline.toml": tokens.CONFIG, "tokens": tokens.tokens(entry.users)}
    return Server([*command, "--config", "openline.toml"], files)


def _measure_window(
    workload: Workload, entry: Entry, server: Server, seconds: float, warmup: float
) -> dict[str, float]:
    seconds = max(seconds, workload.seconds)
    arguments = [*_arguments(workload, entry, server), "--seconds", str(seconds)]
    meter = CpuMeter(server)
    cpu = others = result = None
    with Load(workload, entry, server, [*arguments, "--warmup", str(warmup)]) as load:
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


def _arguments(workload: Workload, entry: Entry, server: Server) -> list[str]:
    arguments = [*workload.arguments, "--lines", str(entry.lines or workload.lines)]
    arguments += _introduction(workload, entry, server)
    if workload.mode in ("fanout", "stream"):
        is_ours = workload.door in ("exchange", "stream")
        envelope = envelope_bytes(workload.size) if is_ours else 0
        arguments += workload.publishing(entry, envelope)
    if SUBJECTS[entry.subject].kind == "floor":
        arguments.append("--raw")
    if entry.deflate:
        arguments.append("--deflate")
    return arguments


def _introduction(workload: Workload, entry: Entry, server: Server) -> list[str]:
    bearers = ["--bearers", str(server.path("tokens"))] if entry.users else []
    authority = ["--ca", str(server.path("certificate.pem"))] if entry.tls else []
    return [*workload.hello(entry), *bearers, *authority]


@functools.cache
def envelope_bytes(size: int) -> int:
    """How long a delivery of ours is for data of this size; as long are those of the peers."""
    entry = Entry(OURS)
    probe = Workload(
        "envelope", "", "fanout", 1, [entry], [], door="exchange", size=size
    )
    arguments = [*"--lines 1 --burst 1 --seconds 0.1 --warmup 0.1".split(), *probe.hello(entry)]
    arguments += probe.publishing(entry, 0)
    with _server(entry) as server:
        with Load(probe, entry, server, arguments) as load:
            return round(list(load.lines())[-1]["payload_bytes"])


@contextlib.contextmanager
def _stalled_reader(workload: Workload, entry: Entry, server: Server) -> Iterator[None]:
    """A subscriber in a process of its own, which is stopped; it must have had an effect."""
    if not entry.stalled:
        yield
        return
    arguments = ["--lines", "1", "--hold", "60", *_introduction(workload, entry, server)]
    arguments += ["--receive-buffer", str(STALLED_BUFFER_BYTES)]
    with Load(workload, entry, server, arguments, mode="idle") as load:
        next(load.lines())
        load.stop()
        yield
        unread = server.unread_bytes()
        if unread < STALLED_BUFFER_BYTES:
            raise BenchError(f"the stalled reader left only {unread} bytes unread")


def _measure_idle(workload: Workload, entry: Entry, server: Server) -> dict[str, float]:
    introduction = _introduction(workload, entry, server)
    # A first line makes the server allocate what it has once and for all.
    first = ["--lines", "1", "--hold", "0.2", *introduction]
    with Load(workload, entry, server, first) as load:
        list(load.lines())
    time.sleep(0.2)
    before, resident_before = server.memory_bytes(), server.resident_bytes()
    lines = ["--lines", str(workload.lines)]
    with Load(workload, entry, server, [*workload.arguments, *lines, *introduction]) as load:
        opened = next(load.lines(), {})
        if opened.get("open") != workload.lines:
            raise BenchError(f"{workload.lines} lines were asked for: {opened}")
        time.sleep(IDLE_SETTLE_SECONDS)
        after, resident_after = server.memory_bytes(), server.resident_bytes()
        meter = CpuMeter(server)
        meter.start()
        time.sleep(IDLE_SETTLE_SECONDS)
        cpu, others = meter.stop()
        load.release()
        # It fails unless every line was held to the end.
        list(load.lines())
    return {
        "bytes_per_line": (after - before) / workload.lines,
        "resident_per_line": (resident_after - resident_before) / workload.lines,
        "cpu_share": cpu / IDLE_SETTLE_SECONDS,
        "others_share": others / IDLE_SETTLE_SECONDS,
    }


class Load:
    """The load generator on its own core, as a context manager."""

    def __init__(
        self,
        workload: Workload,
        entry: Entry,
        server: Server | Cluster,
        arguments: list[str],
        mode: str | None = None,
    ) -> None:
        hosts = [f"{HOST}:{port}" for port in server.ports]
        url = f"ws://{hosts[0]}{workload.path(entry)}"
        self._command = [str(LOAD), mode or workload.mode, "--url", url, *arguments]
        if hosts[1:]:
            self._command += ["--also", ",".join(hosts[1:])]

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

    def stop(self) -> None:
        """Lets it do nothing more, with all its sockets open."""
        self._process.send_signal(signal.SIGSTOP)
