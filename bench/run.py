#!/usr/bin/env python3
"""Measures Openline beside its peers on this machine and writes RESULTS.md.

python3 bench/run.py [--quick] [--workloads a,b] [--subjects a,b] [--rounds N] [--out FILE]
python3 bench/run.py [--quick] --workloads storm [--out FILE]
"""

import argparse
import json
import os
import signal
import sys
from pathlib import Path

from harness import report, storm
from harness.measurement import measure
from harness.server import BenchError, cores, raise_descriptor_limit
from harness.subjects import BENCH, OURS, SUBJECTS, build, build_storm
from harness.workloads import WORKLOADS, Workload

# Memory hardly varies and ten thousand lines take a while to open.
IDLE_ROUNDS_MAX = 2


def main() -> int:
    options = parse_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        return run_storm(options) if options.workloads == ["storm"] else run(options)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="one short round, to see that all works"
    )
    parser.add_argument("--workloads", type=_names([*WORKLOADS, "storm"]), default=list(WORKLOADS))
    parser.add_argument("--subjects", type=_names(SUBJECTS), default=list(SUBJECTS))
    parser.add_argument("--rounds", type=int, default=None, help="5 by default")
    parser.add_argument("--out", type=Path, default=None, help="bench/RESULTS.md by default")
    options = parser.parse_args()
    if "storm" in options.workloads and len(options.workloads) > 1:
        parser.error("storm is a workload of its own: it needs both cores, and has another report")
    name = "RESULTS-storm" if options.workloads == ["storm"] else "RESULTS"
    # A quick run is no result: it must not replace one.
    quick_out = BENCH / "target" / f"{name}-quick.md"
    options.out = options.out or (quick_out if options.quick else BENCH / f"{name}.md")
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.seconds, options.warmup = (0.8, 0.3) if options.quick else (1.25, 0.6)
    return options


def run_storm(options: argparse.Namespace) -> int:
    binary, crowd = build_storm()
    storms = storm.QUICK if options.quick else storm.STORMS
    raise_descriptor_limit(max(each.lines for each in storms) + 1_000)
    outcomes = []
    for each in storms:
        outcomes.append(storm.run(each, binary, crowd))
        print(f"{each.name}: all back after {outcomes[-1].all:.1f} s", flush=True)
    text = storm.render(outcomes)
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_text(text)
    print(text)
    print(f"written to {options.out}")
    failed = [out for out in outcomes if out.gaps or out.silent_gaps or out.is_late]
    for out in failed:
        print(f"bench: {out.storm.name} took more than twice the ideal, or has gaps", file=sys.stderr)
    return 1 if failed and not options.quick else 0


def _names(known):
    def parse(text: str) -> list[str]:
        names = text.split(",")
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is not one of {', '.join(known)}")
        return names

    return parse


def run(options: argparse.Namespace) -> int:
    workloads = [_narrowed(WORKLOADS[name], options.subjects) for name in options.workloads]
    used = {entry.subject for workload in workloads for entry in workload.entries}
    raise_descriptor_limit(max(workload.descriptors() for workload in workloads))
    build([subject for name, subject in SUBJECTS.items() if name in used])

    samples: dict[str, report.Samples] = {}
    failures: list[report.Failure] = []
    # This process looks at clocks beside the load, never beside the server.
    with Pinned(cores()[1]):
        for workload in workloads:
            samples[workload.name] = run_workload(workload, options, failures)
    text = report.render(samples, options.rounds, options.seconds, failures)
    options.out.write_text(text)
    (BENCH / "target" / "samples.json").write_text(json.dumps(samples, indent=1))
    print(text)
    print(f"written to {options.out}")
    for failure in failures:
        print(f"bench: {failure}", file=sys.stderr)
    # A peer that fails leaves a gap in a table; Openline failing fails the run.
    return 1 if any(failure.label.startswith(OURS) for failure in failures) else 0


def _narrowed(workload: Workload, subjects: list[str]) -> Workload:
    entries = [entry for entry in workload.entries if entry.subject in subjects]
    return Workload(**{**vars(workload), "entries": entries})


def run_workload(
    workload: Workload, options: argparse.Namespace, failures: list[report.Failure]
) -> report.Samples:
    rounds = min(options.rounds, IDLE_ROUNDS_MAX) if workload.mode == "idle" else options.rounds
    rows: report.Samples = {entry.label: [] for entry in workload.entries}
    for number in range(1, rounds + 1):
        for entry in workload.entries:
            try:
                sample = measure(workload, entry, options.seconds, options.warmup)
            except BenchError as error:
                failures.append(report.Failure(workload.name, entry.label, number, str(error)))
                print(f"failed: {failures[-1]}", flush=True)
                continue
            rows[entry.label].append({**sample, "round": number})
            print(f"{workload.name} {number}/{rounds} {entry.label}: {_brief(sample)}", flush=True)
    return rows


def _brief(sample: dict[str, float]) -> str:
    if "bytes_per_line" in sample:
        return f"{sample['bytes_per_line']:,.0f} bytes per line"
    return (
        f"{sample['per_cpu_second']:,.0f} per CPU second, {sample['per_second']:,.0f} per second, "
        f"CPU {sample['cpu_share']:.0%}"
    )


class Pinned:
    """Keeps this process on one core for as long as servers are measured."""

    def __init__(self, core: int) -> None:
        self._core = core
        self._before = os.sched_getaffinity(0)

    def __enter__(self) -> None:
        os.sched_setaffinity(0, {self._core})

    def __exit__(self, *_: object) -> None:
        os.sched_setaffinity(0, self._before)


if __name__ == "__main__":
    sys.exit(main())
