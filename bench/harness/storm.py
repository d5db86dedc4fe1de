"""All clients cut at once: when they are back, how late others are meanwhile, what memory it takes.

The clients are Openline's own (crates/openline-client/examples/storm.rs): they wait as the protocol
says. Other servers have no clients that could be held to the same, so there is no comparison.
"""

import json
import os
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from harness.server import HOST, BenchError, Server, cores

KEY = "b" * 32
CHANNELS = 50
PUBLISH_PER_SECOND = 50
# Lines that are connected by another process and are not cut.
WITNESSES = 100
PROCESSES = 3
SAMPLE_SECONDS = 0.5
WAIT_SECONDS_MAX = 180

CONFIG = """\
data_dir = "data"
strict_namespaces = false

[auth]
anonymous = true

[namespace.default]
publish = "anyone"

[limits]
admission = "{rate}/s"
connections_per_ip = 0

[rates]
commands = "off"
subscribe = "off"
publish = "off"

[api]
keys = ["{key}"]
"""


@dataclass
class Storm:
    """What a storm is made of."""

    name: str
    lines: int
    # Lines a second that the server lets in.
    rate: int
    kills: bool


@dataclass
class Outcome:
    storm: Storm
    # Lines that were lost.
    lost: int = 0
    # Seconds since the cut, and how many have recovered by then.
    curve: list[tuple[float, int]] = field(default_factory=list)
    half: float = 0.0
    most: float = 0.0
    all: float = 0.0
    gaps: int = 0
    silent_gaps: int = 0
    refused: int = 0
    replayed: int = 0
    # Milliseconds; before, and the worst half second of the storm.
    calm_p99: int = 0
    witness_p99: int = 0
    cpu: float = 0.0
    rss_before: int = 0
    rss_peak: int = 0

    @property
    def ideal(self) -> float:
        """Seconds in which the rate alone would let all of them in."""
        return self.lost / self.storm.rate

    @property
    def is_late(self) -> bool:
        return self.all > 2 * self.ideal


class Crowd:
    """A process with many clients, which reports each half second."""

    def __init__(self, program: Path, port: int, clients: int, per_second: int) -> None:
        command = [program, f"{HOST}:{port}", clients, CHANNELS, per_second]
        core = cores()[1]
        self._process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
        self.reports: list[dict] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._process.stdout:
            self.reports.append(json.loads(line))

    def tell(self, word: str) -> None:
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    def last(self, name: str) -> int:
        return self.reports[-1][name] if self.reports else 0

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


class Publisher(threading.Thread):
    """Publishes to all channels in turn, and again what was not taken."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._port, self._ends = port, threading.Event()

    def run(self) -> None:
        published, made, data = 0, -1, {}
        while not self._ends.wait(1 / PUBLISH_PER_SECOND):
            number, channel = divmod(published, CHANNELS)
            if made != published:
                made, data = published, {"n": number, "at": int(time.time() * 1000)}
            body = {"channel": f"storm:{channel}", "data": data, "key": f"{channel}-{number}"}
            try:
                ask(self._port, "/api/v1/publish", body)
            except OSError:
                continue
            published += 1

    def end(self) -> None:
        self._ends.set()
        self.join()


def ask(port: int, path: str, body: object = None) -> str:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {KEY}"}
    asked = urllib.request.Request(f"http://{HOST}:{port}{path}", data, headers)
    with urllib.request.urlopen(asked, timeout=10) as answer:
        return answer.read().decode()


def refused(port: int) -> int:
    """Handshakes that were answered with `overloaded` so far."""
    beginning = 'openline_turned_away_total{code="overloaded"} '
    lines = ask(port, "/metrics").splitlines()
    return int(float(next(line for line in lines if line.startswith(beginning)).split()[1]))


def run(storm: Storm, binary: Path, program: Path) -> Outcome:
    """One storm, from an empty server on."""
    command = [str(binary), "serve", "--config", "openline.toml", "--threads", "1"]
    command += ["--listen", f"{HOST}:{{port}}"]
    files = {"openline.toml": CONFIG.format(rate=storm.rate, key=KEY)}
    outcome = Outcome(storm)
    crowds: list[Crowd] = []
    with Server(command, files) as server:
        try:
            each = storm.lines // PROCESSES
            pace = storm.rate * 8 // 10 // PROCESSES
            crowds = [Crowd(program, server.port, each, pace) for _ in range(PROCESSES)]
            _wait(crowds, "subscribed", each)
            witness = Crowd(program, server.port, WITNESSES, WITNESSES)
            crowds.append(witness)
            _wait([witness], "subscribed", WITNESSES)
            publisher = Publisher(server.port)
            publisher.start()
            # Longer than a ping's interval: clients are to know how many they are.
            time.sleep(30)
            outcome.calm_p99 = max(report["p99"] or 0 for report in witness.reports[-10:])
            watch(storm, server, crowds[:-1], witness, outcome)
            publisher.end()
        finally:
            for crowd in crowds:
                crowd.kill()
    return outcome


def watch(
    storm: Storm, server: Server, crowds: list[Crowd], witness: Crowd, outcome: Outcome
) -> None:
    """Cuts, and watches until all are back."""
    outcome.rss_before = outcome.rss_peak = server.memory_bytes()
    refused_before = 0 if storm.kills else refused(server.port)
    cpu_before = 0.0 if storm.kills else _cpu_seconds(server)
    parts = [*crowds, witness] if storm.kills else crowds
    outcome.lost = expected = sum(crowd.last("subscribed") for crowd in parts)
    witness_reports = len(witness.reports)
    begin = time.monotonic()
    for crowd in parts:
        crowd.tell("mark" if storm.kills else "cut")
    if storm.kills:
        server.restart()
    while True:
        time.sleep(SAMPLE_SECONDS)
        elapsed = time.monotonic() - begin
        # A report from before the cut counts from another moment.
        present = [crowd for crowd in parts if crowd.last("ms") < elapsed * 1000 + 600]
        back = sum(crowd.last("recovered") for crowd in present)
        outcome.curve.append((elapsed, back))
        outcome.rss_peak = max(outcome.rss_peak, server.memory_bytes())
        if back >= expected:
            break
        if elapsed > WAIT_SECONDS_MAX:
            raise BenchError(f"{storm.name}: {back} of {expected} were back after {elapsed:.0f} s")
    outcome.half, outcome.most, outcome.all = (
        next(seconds for seconds, count in outcome.curve if count >= expected * share)
        for share in (0.5, 0.99, 1.0)
    )
    outcome.cpu = (_cpu_seconds(server) - cpu_before) / outcome.all
    outcome.refused = refused(server.port) - refused_before
    outcome.gaps = sum(crowd.last("gaps") for crowd in parts)
    outcome.silent_gaps = sum(crowd.last("silentGaps") for crowd in [*crowds, witness])
    outcome.replayed = sum(crowd.last("replayed") for crowd in parts)
    reports = witness.reports[witness_reports:]
    outcome.witness_p99 = max((report["p99"] or 0 for report in reports), default=0)


def _wait(crowds: list[Crowd], name: str, count: int) -> None:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while any(crowd.last(name) < count for crowd in crowds):
        if time.monotonic() > deadline:
            reached = [crowd.last(name) for crowd in crowds]
            raise BenchError(f"{name}: {reached} of {count} after {WAIT_SECONDS_MAX} s")
        time.sleep(0.1)


def _cpu_seconds(server: Server) -> float:
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in server.processes())


def render(outcomes: list[Outcome]) -> str:
    machine = subprocess.run(["uname", "-sr"], capture_output=True, text=True, check=True)
    parts = [HEAD.format(date=time.strftime("%Y-%m-%d"), machine=machine.stdout.strip())]
    parts.append(
        "| Storm | Lines | Rate | Ideal | Half back | 99 % | All | to ideal | Refused | Gaps "
        "| Replayed | p99 before | p99 while | Server's CPU | Memory before | at most |\n"
        "| --- |" + " --- |" * 15
    )
    for out in outcomes:
        storm = out.storm
        late = f"{out.witness_p99} ms"
        parts.append(
            f"| {storm.name} | {out.lost:,} | {storm.rate:,}/s | {out.ideal:.1f} s "
            f"| {out.half:.1f} s | {out.most:.1f} s | {out.all:.1f} s "
            f"| {out.all / out.ideal:.2f} | {out.refused:,} | {out.gaps + out.silent_gaps} "
            f"| {out.replayed:,} | {out.calm_p99} ms | {late} | {out.cpu:.0%} "
            f"| {out.rss_before / 2**20:.0f} MiB | {out.rss_peak / 2**20:.0f} MiB |"
        )
    for out in outcomes:
        parts.append(f"\n## {out.storm.name}\n\n```\n{plot(out)}\n```")
    return "\n".join(parts) + "\n"


def plot(outcome: Outcome) -> str:
    """The share that is back, second by second."""
    total = outcome.curve[-1][1]
    rows, second = [], 0
    for seconds, count in outcome.curve:
        if seconds >= second:
            bar = "#" * round(60 * count / total)
            rows.append(f"{seconds:6.1f} s {count:7,} {bar}")
            second = int(seconds) + 1
    return "\n".join(rows)


HEAD = """\
# Benchmark results: a reconnect storm

- Date: {date}
- Machine: 2 cores, {machine}

Made by `bench/run.py --workloads storm`. The server runs on one core with one thread, a
store at level `os` and the settings of a configuration file; the clients, in three processes,
on the other. They are those of `openline-client` and do what they do by themselves. Each is
subscribed to one of 50 channels, to which 50 publications a second go all the time.

*Cut*: all connections are reset at once, on both sides; 100 lines of another process stay.
*Kill*: the server is killed (-9) and started again. *Ideal* is the lines divided by
`limits.admission`. A client is back when it has said that it has recovered, with nothing
missing; *gaps* are those that were told of a gap, or that found a publication missing by its
number. *p99 while* is the worst half second of the lines that stay (cut) or that are back
already (kill), from the publication to the client, of live publications. *Memory* is the
server's anonymous memory, read from the kernel each half second.
"""

STORMS = [
    Storm("cut", 15_000, 1_000, kills=False),
    Storm("kill", 15_000, 1_000, kills=True),
]
QUICK = [Storm("cut", 600, 200, kills=False), Storm("kill", 600, 200, kills=True)]
