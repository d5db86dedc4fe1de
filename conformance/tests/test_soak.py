"""The verdict of the soak, on figures that were made up; and with `-m long` two minutes of it."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

SOAK = Path(__file__).resolve().parents[2] / "bench" / "soak"
sys.path.insert(0, str(SOAK))

from samples import Sample  # noqa: E402
from verdict import CAUSED, flat, judge, log_is_quiet, mib  # noqa: E402

MIB = 1 << 20
WARMUP = 600.0


def hour(memory) -> list[Sample]:
    """A sample each ten seconds, with the memory that `memory` makes of the minute."""
    return [
        Sample(at=at, memory=int(memory(at / 60) * MIB), sockets=9, files=17, threads=11, disk=MIB, cpu=at / 50, sessions=60)
        for at in range(0, 3600, 10)
    ]


def counters(**changes: float) -> dict[str, float]:
    sound = {name: 5.0 for name in CAUSED} | {
        'openline_sessions_opened_total{transport="websocket"}': 30.0,
        "openline_store_ok": 1.0,
    }
    return sound | changes


def broken(samples: list[Sample], series: list[dict[str, float]], log=(), unexpected=()) -> set[str]:
    """The rules that do not hold, with an end as the beginning was."""
    findings = judge(samples, WARMUP, samples[0], series, list(log), Counter(unexpected))
    return {finding.rule for finding in findings if not finding.holds}


def test_a_server_that_stays_as_it_was_holds():
    series = [counters(), counters()]
    assert broken(hour(lambda minute: 8 + min(minute, 9)), series) == set()


@pytest.mark.parametrize(("a_minute", "holds"), [(0.0, True), (0.03, True), (0.1, False), (0.35, False)])
def test_memory_that_grows_for_an_hour_is_found(a_minute, holds):
    samples = hour(lambda minute: 10 + a_minute * minute)
    finding = flat("memory", [one.memory for one in samples], samples, WARMUP, 2 * MIB)
    assert finding.holds is holds, finding


def test_what_is_left_over_or_lost_is_found():
    samples = hour(lambda _: 10)
    assert broken(samples, [counters(openline_sessions=1)]) == {"no session is left over"}
    assert broken(samples, [counters(openline_panics_total=1)]) == {"nothing broke"}
    assert broken(samples, [counters(openline_store_ok=0)]) == {"nothing broke"}
    assert broken(samples, [counters(openline_x_total=5), counters(openline_x_total=4)]) == {"counters only grow"}
    lost = counters() | {'openline_sessions_opened_total{transport="websocket"}': 31.0}
    assert broken(samples, [lost]) == {"each session that began has ended"}
    assert broken(samples, [counters() | {CAUSED[0]: 0.0}]) == {"the load was of all kinds"}


def test_what_the_log_or_a_client_says_is_found():
    samples, series = hour(lambda _: 10), [counters()]
    assert broken(samples, series, ["12:00:00 WARN the disk is slow ms=31"]) == {"the log is quiet"}
    assert broken(samples, series, unexpected=["after 4 came 6"]) == {"clients saw what was to be seen"}
    twice = log_is_quiet(["12:00:00 ERROR it broke id=1", "12:00:09 ERROR it broke id=2"])
    assert "it broke id=#: 2" in twice.seen
    # Every fifth reload has an error in it, and no other.
    refused = "12:00:00 ERROR the configuration stays what it was why=\"openline.toml:{}: not TOML: {}\""
    assert log_is_quiet([refused.format("26:1", "duplicate key")]).holds
    assert not log_is_quiet([refused.format("1:6", "unclosed table")]).holds
    assert mib(3 * MIB / 2) == "1.5 MiB"


@pytest.mark.long
@pytest.mark.timeout(300)
def test_two_minutes_hold(openline):
    done = subprocess.run(
        [sys.executable, str(SOAK), "--minutes", "2"],
        env={"OPENLINE_BIN": openline, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    # What fills up in an hour's warm-up is not full after a minute.
    loose = [line for line in done.stdout.splitlines() if "| **no** |" in line and "is flat" not in line]
    assert not loose and "| Rule | Holds | Seen |" in done.stdout, done.stdout + done.stderr
