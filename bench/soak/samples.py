"""What is looked at from outside while the server works."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Sample:
    """The server at one time. Sizes are bytes, times seconds."""

    at: float
    memory: int
    sockets: int
    files: int
    threads: int
    disk: int
    cpu: float
    sessions: int


def sample(pid: int, folder: Path, at: float, metrics: dict[str, float]) -> Sample:
    """Looks at a process and its folder. Memory is the anonymous part of what is resident: the
    program's own, without the mapped files."""
    sockets, files = descriptors(pid)
    return Sample(
        at=at,
        memory=_anonymous(pid),
        sockets=sockets,
        files=files,
        threads=len(os.listdir(f"/proc/{pid}/task")),
        disk=sum(_size(path) for path in folder.rglob("*")),
        cpu=cpu_seconds(pid),
        sessions=int(total(metrics, "openline_sessions")),
    )


def descriptors(pid: int) -> tuple[int, int]:
    """How many sockets are open, and how many of all other kinds."""
    sockets = others = 0
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            continue
        if target.startswith("socket:"):
            sockets += 1
        else:
            others += 1
    return sockets, others


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def total(metrics: dict[str, float], name: str) -> float:
    """A metric, its labels added up."""
    return sum(value for series, value in metrics.items() if series.split("{")[0] == name)


def thirds(samples: list[Sample], warmup: float) -> Iterable[list[Sample]]:
    """The samples after the warm-up, in three parts of the same length."""
    warm = [one for one in samples if one.at >= warmup]
    size = len(warm) / 3
    return [warm[round(part * size) : round((part + 1) * size)] for part in range(3)]


def _anonymous(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this kernel does not tell anonymous memory")


def _size(path: Path) -> int:
    try:
        # What it takes, not how long it says it is.
        return path.stat().st_blocks * 512 if path.is_file() else 0
    except FileNotFoundError:
        return 0
