"""RESULTS.md: the machine, the method, a table per workload, the targets."""

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from harness.subjects import OURS, SUBJECTS, version
from harness.workloads import NATIVE, NODES, WORKLOADS, Workload

METHOD = """\
The server runs on one core, the load generator on another. Each round measures every
subject once, in turn, each time in a fresh process. The server's CPU time is user plus
system, of all its threads and children, read from the scheduler's clock at the two ends
of a window that follows a warm-up. *Per CPU second* is messages (deliveries, for fan-out)
in the window divided by that time: the median of the rounds, then the least and the
most. Ratios are medians of the rounds' own ratios, so that what disturbs a whole round
cancels out; above 1 is faster than the subject it is compared with. Less than 5 % apart
is a tie. Latency is from the write to the end of the read that brought the answer, with
a load that always keeps the server busy: it tells how long a queue is, not how quick an
unloaded server answers. For the exchange p50 and p99 are from the publication to its
last delivery, the column *Each* is the p99 of each delivery on its own.

The exchange is the whole of Openline: a WebSocket on `/ws`, protocol v1 in JSON, history
in the embedded store at level `os`, positions, presence. Its peers broadcast text as it
came. So that as many bytes are sent, theirs is as long as one of our deliveries, which is
measured first; in the rows *bare* they deliver the 128 bytes alone.

For Socket.IO all run the same chat: `join-room` joins and announces, `chat` goes to the
room with who sent it and when. Clients use WebSocket from the start. Openline recovers
connections, as Socket.IO does in the row *+recovery*, where each event carries its offset.

Event streams are read as bytes, in which deliveries are counted; a line publishes. Over TLS all
servers have the same certificate (P-256), and lines TLS 1.3. A line that arrives has its 101, or
the answer to its hello, before it is cut; a server without TLS accepts it on a socket of its own.
In `recover` a message of the table is a client that came back and got all that it missed.

With several nodes the server's CPU time is that of all nodes, without the broker's, and the
lines are so many on each node. Redis writes its append-only file, NATS keeps streams in files.

In the echo tables *+batch* marks a peer whose application takes what has arrived, feeds
the answers and flushes once. Without the mark it sends each message as it comes, as the
libraries' READMEs do; openline, openline-ws, Bun and ws run their plain loop as well."""

# The modes of the load generator in which one publishes and many get it.
DELIVERING = ("fanout", "stream")

# A workload's samples: row label to one measurement per round.
Samples = dict[str, list[dict[str, float]]]


@dataclass(frozen=True)
class Failure:
    workload: str
    label: str
    round: int
    reason: str

    def __str__(self) -> str:
        return f"{self.workload}, {self.label}, round {self.round}: {self.reason}"


@dataclass(frozen=True)
class Target:
    workload: str
    subject: str
    rival: str
    field: str
    bound: float
    at_least: bool
    text: str


def _faster(workload: str, bound: float, rival: str) -> list[Target]:
    return [
        Target(workload, subject, rival, "per_cpu_second", bound, True, f"≥ {bound:g} × {rival}")
        for subject in (OURS, "openline-ws")
    ]


def _at_least(workload: str, subject: str, bound: float, rival: str) -> Target:
    text = f"≥ {bound:g} × {rival}"
    return Target(workload, subject, rival, "per_cpu_second", bound, True, text)


def _at_most(workload: str, subject: str, bound: float, rival: str, field: str) -> Target:
    text = f"{NAMES[field]} ≤ {bound:g} × {rival}"
    return Target(workload, subject, rival, field, bound, False, text)


def _bytes(workload: str, subject: str, bound: int) -> Target:
    text = f"≤ {bound:,} bytes per line"
    return Target(workload, subject, "", "bytes_per_line", bound, False, text)


# What targets call the fields of a sample.
NAMES = {"cpu_per_message": "CPU per delivery", "delivery_p99_us": "p99 of deliveries"}

TARGETS = [
    *_faster("echo-1", 1, "uwebsockets"),
    *_faster("echo-1", 1.05, "bun"),
    *_faster("echo-1", 0.97, "floor"),
    *_faster("echo-32", 1.05, "uwebsockets"),
    *_faster("echo-32", 1.5, "bun"),
    *_faster("echo-32", 15, "tungstenite"),
    *_faster("echo-32", 15, "tokio-websockets"),
    *_faster("echo-32", 15, "fastwebsockets"),
    *_faster("echo-64k", 1.05, "uwebsockets"),
    *(_bytes("idle-10k", subject, 1024) for subject in ("openline-ws", OURS)),
    *(
        _at_least(f"exchange-{lines}{burst}", OURS, bound, rival)
        for lines in (1_000, 10_000)
        for burst, bound in (("", 1), ("-burst16", 1.1))
        for rival in NATIVE
    ),
    _at_most(
        "exchange-flat", f"{OURS} (15,000 lines)", 1.15, f"{OURS} (100 lines)", "cpu_per_message"
    ),
    # 5 % apart is a tie, for a server's CPU; what is rare varies more.
    _at_most("exchange-stall", f"{OURS} (stalled reader)", 1.1, OURS, "delivery_p99_us"),
    _at_most("exchange-1000-deflate", f"{OURS} (deflate)", 1.3, OURS, "cpu_per_message"),
    _bytes("exchange-idle-15k", OURS, 2048),
    *(
        _at_least(workload, f"{OURS} ({broker}, {NODES} nodes)", 0.8, OURS)
        for workload in ("cluster-1000", "cluster-1000-burst16")
        for broker in ("redis", "nats")
    ),
    _at_least("socketio-1000-burst16", OURS, 5, "socket.io"),
    _bytes("socketio-idle-10k", OURS, 3072),
]


def render(
    samples: dict[str, Samples], rounds: int, seconds: float, failures: list[Failure]
) -> str:
    about = [*_machine(), f"Rounds: {rounds}, windows of {seconds:g} s", _disturbance(samples)]
    parts = [
        "# Benchmark results",
        "\n".join(f"- {fact}" for fact in about),
        "## Method",
        METHOD,
        "## Subjects",
    ]
    used = {label.split(" (")[0] for rows in samples.values() for label in rows}
    parts.append(_versions([name for name in SUBJECTS if name in used]))
    parts += ["## Targets", _targets(samples)]
    for name, rows in samples.items():
        workload = WORKLOADS[name]
        table = _idle_table if workload.mode == "idle" else _speed_table
        parts += [f"## {name}", f"{workload.title}.", table(workload, rows)]
    if failures:
        parts += ["## Failures", "\n".join(f"- {failure}" for failure in failures)]
    return "\n\n".join(parts) + "\n"


def _machine() -> list[str]:
    model = "unknown CPU"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return [
        f"Date: {time.strftime('%Y-%m-%d')}",
        f"Machine: {model}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
    ]


def _disturbance(samples: dict[str, Samples]) -> str:
    shares = [
        sample["others_share"]
        for rows in samples.values()
        for measured in rows.values()
        for sample in measured
    ]
    if not shares:
        return "Nothing was measured"
    return (
        f"Others on the server's core: {median(shares):.1%} of the windows' time, "
        f"{max(shares):.0%} in the worst window (above a few percent, distrust the figures)"
    )


def _versions(names: list[str]) -> str:
    rows = [(name, version(SUBJECTS[name]), SUBJECTS[name].note) for name in names]
    return _table(["Subject", "Version", "What it is"], rows)


def _targets(samples: dict[str, Samples]) -> str:
    asked = [target for target in TARGETS if target.workload in samples]
    rows = [(t.workload, t.subject, t.text, *_verdict(t, samples)) for t in asked]
    return _table(["Workload", "Subject", "Target", "Measured", "Reached"], rows)


def _verdict(target: Target, samples: dict[str, Samples]) -> tuple[str, str]:
    rows = samples.get(target.workload, {})
    if target.rival:
        measured = ratio(rows, target.subject, target.rival, target.field)
        text = f"{measured:.2f} ×" if measured is not None else ""
    else:
        values = [sample[target.field] for sample in rows.get(target.subject, [])]
        measured = median(values) if values else None
        text = f"{measured:,.0f}" if measured is not None else ""
    if measured is None:
        return "not measured", "–"
    reached = measured >= target.bound if target.at_least else measured <= target.bound
    return text, "yes" if reached else "**no**"


def ratio(rows: Samples, one: str, other: str, field: str) -> float | None:
    """The median of the rounds' ratios; rounds that either side failed have no sample."""
    if not rows.get(one) or not rows.get(other):
        return None
    theirs = {sample["round"]: _field(sample, field) for sample in rows[other]}
    pairs = [
        _field(sample, field) / theirs[sample["round"]]
        for sample in rows[one]
        if sample["round"] in theirs
    ]
    return median(pairs) if pairs else None


def _field(sample: dict[str, float], field: str) -> float:
    if field == "cpu_per_message":
        return 1 / sample["per_cpu_second"]
    return sample[field]


def _speed_table(workload: Workload, rows: Samples) -> str:
    heads = ["Subject", "Per CPU second", "Least – most", "Per second", "CPU", "p50 µs", "p99 µs"]
    heads += ["Each", "Bytes"] if workload.mode in DELIVERING else []
    heads += _ratio_heads(workload)
    return _table(heads, [_speed_row(workload, label, rows) for label in _measured(workload, rows)])


def _speed_row(workload: Workload, label: str, rows: Samples) -> tuple[str, ...]:
    values = _column(rows[label])
    speed = values("per_cpu_second")
    rivals = (_rival(label, subject, rows) for subject in _compared(workload))
    ratios = (ratio(rows, label, rival, "per_cpu_second") for rival in rivals)
    deliveries = ("delivery_p99_us", "payload_bytes") if workload.mode in DELIVERING else ()
    return (
        label,
        _short(median(speed)),
        f"{_short(min(speed))} – {_short(max(speed))}",
        _short(median(values("per_second"))),
        f"{median(values('cpu_share')):.0%}",
        f"{median(values('p50_us')):,.0f}",
        f"{median(values('p99_us')):,.0f}",
        *(f"{median(values(field)):,.0f}" for field in deliveries),
        *("–" if value is None else f"{value:.2f}" for value in ratios),
    )


def _ratio_heads(workload: Workload) -> list[str]:
    names = {"uwebsockets": "uWebSockets", "bun": "Bun", "socket.io": "Socket.IO", OURS: "Openline"}
    return [f"to {names[subject]}" for subject in _compared(workload)]


def _compared(workload: Workload) -> list[str]:
    """Us and the rivals, once where one of them is us."""
    return list(dict.fromkeys((OURS, *workload.rivals)))


def _rival(label: str, subject: str, rows: Samples) -> str:
    """The subject's row to compare with: its plain one, or that of the same kind."""
    _, mark, note = label.partition(" (")
    return subject if subject in rows else f"{subject}{mark}{note}"


def _idle_table(workload: Workload, rows: Samples) -> str:
    heads = ["Subject", "Bytes per line", "Least – most", "Resident", "CPU while idle"]
    heads += _ratio_heads(workload)
    return _table(heads, [_idle_row(workload, label, rows) for label in _measured(workload, rows)])


def _idle_row(workload: Workload, label: str, rows: Samples) -> tuple[str, ...]:
    values = _column(rows[label])
    size = values("bytes_per_line")
    ratios = (ratio(rows, label, rival, "bytes_per_line") for rival in _compared(workload))
    return (
        label,
        f"{median(size):,.0f}",
        f"{min(size):,.0f} – {max(size):,.0f}",
        f"{median(values('resident_per_line')):,.0f}",
        f"{median(values('cpu_share')):.1%}",
        *("–" if value is None else f"{value:.2f}" for value in ratios),
    )


def _measured(workload: Workload, rows: Samples) -> list[str]:
    return [entry.label for entry in workload.entries if rows.get(entry.label)]


def _column(samples: list[dict[str, float]]) -> Callable[[str], list[float]]:
    return lambda field: [sample[field] for sample in samples]


def _short(value: float) -> str:
    if value >= 1e6:
        return f"{value / 1e6:.2f}M"
    return f"{value / 1e3:.1f}k"


def _table(heads: list[str], rows: list[tuple[str, ...]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
