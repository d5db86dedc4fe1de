"""What a soak has to hold, decided from what was seen and nothing else."""

import re
from collections import Counter
from dataclasses import dataclass
from statistics import median

from samples import Sample, thirds, total

# Memory may end this much above where it began: the more of a share and of bytes, since a small
# server's pages are coarse.
GROWTH_SHARE_MAX = 0.05
GROWTH_BYTES_MAX = 2 << 20
# The log of the store is cut by segments; between two cuts it is longer.
DISK_GROWTH_BYTES_MAX = 32 << 20
# Files come and go with the segments of the store.
FILES_MORE_MAX = 8
# Some threads begin when they are first needed, and stay.
THREADS_MORE_MAX = 4
# Of these lines of the log there is a reason in the load.
EXPECTED_LOG = re.compile(r"listening on|the configuration stays what it was why=.* duplicate key")
# What the load is to cause; where one of these is missing, the load was not what it says.
CAUSED = [
    *(f'openline_lines_closed_total{{code="{code}"}}' for code in (1000, 1006, 4000, 4002, 4005)),
    *(
        f'openline_sessions_closed_total{{transport="{name}"}}'
        for name in ("websocket", "sse", "poll", "engine_polling", "engine_websocket", "socketio")
    ),
    'openline_publications_total{result="duplicate"}',
    "openline_recovered_total",
]


@dataclass(frozen=True)
class Finding:
    """One rule, whether it held, and what was seen."""

    rule: str
    holds: bool
    seen: str


def judge(
    samples: list[Sample],
    warmup: float,
    end: Sample,
    counters: list[dict[str, float]],
    log: list[str],
    unexpected: Counter,
) -> list[Finding]:
    """`samples` are from the load, the first from before it; `end` is from after it, when all had gone."""
    base = samples[0]
    return [
        flat("memory", [one.memory for one in samples], samples, warmup, GROWTH_BYTES_MAX),
        flat("disk", [one.disk for one in samples], samples, warmup, DISK_GROWTH_BYTES_MAX),
        Finding("sockets are closed", end.sockets <= base.sockets, f"{base.sockets} before, {end.sockets} after"),
        Finding(
            "files are closed",
            end.files <= base.files + FILES_MORE_MAX,
            f"{base.files} before, {end.files} after, at most {FILES_MORE_MAX} more",
        ),
        Finding(
            "threads have ended",
            end.threads <= base.threads + THREADS_MORE_MAX,
            f"{base.threads} before, {end.threads} after, at most {THREADS_MORE_MAX} more",
        ),
        *metrics_hold(counters),
        log_is_quiet(log),
        Finding("clients saw what was to be seen", not unexpected, _counted(unexpected)),
    ]


def flat(name: str, values: list[int], samples: list[Sample], warmup: float, bytes_max: int) -> Finding:
    """Whether the medians of the first and the last third after the warm-up are near each other."""
    value_of = dict(zip((one.at for one in samples), values, strict=True))
    parts = [[value_of[one.at] for one in part] for part in thirds(samples, warmup)]
    if not all(parts):
        return Finding(f"{name} is flat", False, "too few samples after the warm-up")
    first, _, last = (median(part) for part in parts)
    allowed = max(first * GROWTH_SHARE_MAX, bytes_max)
    seen = f"{mib(first)} in the first third, {mib(last)} in the last; {mib(allowed)} more would be too much"
    return Finding(f"{name} is flat", last - first <= allowed, seen)


def metrics_hold(counters: list[dict[str, float]]) -> list[Finding]:
    """Counters only grow, all that began has ended, and nothing was told that is a bug."""
    fell = {
        name
        for before, after in zip(counters, counters[1:], strict=False)
        for name, value in before.items()
        if _counts(name) and after.get(name, 0) < value
    }
    last = counters[-1]
    left = {
        name: total(last, name)
        for name in ("openline_sessions", "openline_lines", "openline_subscriptions", "openline_channels")
    }
    opened, closed = (total(last, f"openline_sessions_{what}_total") for what in ("opened", "closed"))
    bad = {name: total(last, name) for name in ("openline_panics_total", "openline_store_damaged")}
    bad["not openline_store_ok"] = 1 - last.get("openline_store_ok", 0)
    missing = [name for name in CAUSED if not last.get(name)]
    return [
        Finding("the load was of all kinds", not missing, ", ".join(missing) or "all that it is to cause was counted"),
        Finding("counters only grow", not fell, ", ".join(sorted(fell)) or "none fell"),
        Finding("no session is left over", not any(left.values()), _counted(Counter(left))),
        Finding("each session that began has ended", opened == closed, f"{opened:.0f} began, {closed:.0f} ended"),
        Finding("nothing broke", not any(bad.values()), _counted(Counter(bad))),
    ]


def log_is_quiet(log: list[str]) -> Finding:
    """No errors, no warnings but those that the load is to cause."""
    loud = Counter(
        re.sub(r"\d+", "#", line.split(" ", 1)[-1])[:160]
        for line in log
        if re.search(r"\b(WARN|ERROR)\b|panicked", line) and not EXPECTED_LOG.search(line)
    )
    return Finding("the log is quiet", not loud, _counted(loud))


def mib(size: float) -> str:
    return f"{size / (1 << 20):.1f} MiB"


def _counts(series: str) -> bool:
    name = series.split("{")[0]
    return name.endswith(("_total", "_count", "_bucket", "_sum"))


def _counted(counter: Counter) -> str:
    kept = [f"{what}: {count:.0f}" for what, count in counter.most_common(12) if count]
    return "; ".join(kept) or "none"
