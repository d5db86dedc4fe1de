"""Runs the Autobahn cases, by kosoku, against Openline's server or client.

    python autobahn.py server --bin target/debug/openline [--cases quick|all] [--via-haproxy]
    python autobahn.py client --bin target/debug/examples/autobahn_client [--cases quick|all]

Every case must be OK, but for three that have no right answer, and the number
of cases must be right, so that a run which selected nothing cannot pass.
kosoku's own exit code is not used: it lets NON-STRICT pass.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

# Run as a program, this file may be started by any Python 3.11: all that it
# needs of the venv is kosoku's command.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from programs import HAProxy, Missing, Program, Server, find, free_port  # noqa: E402

# Cases per group in Autobahn 25.10.1: 517.
GROUP_SIZES = {1: 16, 2: 11, 3: 7, 4: 10, 5: 20, 6: 145, 7: 37, 9: 54, 10: 1, 12: 90, 13: 126}

# They probe what RFC 6455 leaves open: INFORMATIONAL is the best there is.
INFORMATIONAL = {"7.1.6", "7.13.1", "7.13.2"}

BASIC_GROUPS = [group for group in GROUP_SIZES if group <= 10]
DEFLATE_SUBGROUPS = [f"12.{n}" for n in range(1, 6)] + [f"13.{n}" for n in range(1, 8)]

# 16 bytes and 8 KiB in fragments of 256 bytes in every deflate group; 16 KiB
# whole in some. A case sends 1,000 messages one at a time, hence so few.
QUICK_DEFLATE = [f"{group}.{case}" for group in DEFLATE_SUBGROUPS for case in (1, 11)] + [
    f"{group}.7" for group in ("12.1", "12.4", "13.1", "13.4", "13.5", "13.7")
]


@dataclass(frozen=True)
class Selection:
    """Which cases to run, in chunks that may run side by side."""

    chunks: list[list[str]]
    sizes: dict[int, int] | None
    seconds_max: int


def selection(cases: str, only: list[str]) -> Selection:
    if only:
        return Selection([only], None, 3600)
    basic = [f"{group}.*" for group in BASIC_GROUPS]
    if cases == "quick":
        sizes = {group: GROUP_SIZES[group] for group in BASIC_GROUPS}
        sizes |= Counter(int(case.split(".")[0]) for case in QUICK_DEFLATE)
        return Selection([basic, QUICK_DEFLATE], sizes, 300)
    # Group 12 takes about as long as all the others.
    return Selection([basic + ["13.*"], ["12.*"]], GROUP_SIZES, 3600)


@dataclass(frozen=True)
class Verdict:
    case: str
    behavior: str
    close: str
    reason: str

    @property
    def group(self) -> int:
        return int(self.case.split(".")[0])

    @property
    def passed(self) -> bool:
        accepted = {"OK", "INFORMATIONAL"} if self.case in INFORMATIONAL else {"OK"}
        return self.behavior in accepted and self.close in {"OK", "INFORMATIONAL"}


def read_report(folder: Path) -> list[Verdict]:
    """The verdicts of one kosoku run. A crashed run leaves no report: no verdicts."""
    index = folder / "index.json"
    if not index.is_file():
        return []
    verdicts = []
    # The agent's name is what the peer calls itself: one run may see several.
    for cases in json.loads(index.read_text()).values():
        for case, entry in cases.items():
            verdicts.append(Verdict(case, entry["behavior"], entry["behaviorClose"], reason(folder, entry)))
    return verdicts


def reason(folder: Path, entry: dict[str, str]) -> str:
    detail = folder / entry.get("reportfile", "")
    if not detail.is_file():
        return ""
    report = json.loads(detail.read_text())
    parts = [report.get("result"), report.get("resultClose"), report.get("wasNotCleanReason")]
    return " · ".join(part for part in parts if part)


def judge(verdicts: list[Verdict], sizes: dict[int, int] | None, out=sys.stdout) -> bool:
    """Prints what came of the run; True when nothing deviates."""
    verdicts = sorted(verdicts, key=lambda verdict: [int(part) for part in verdict.case.split(".")])
    deviations = []

    seen = Counter(verdict.group for verdict in verdicts)
    print(f"{'group':>5} {'cases':>6} {'passed':>7} {'failed':>7}", file=out)
    for group in sorted(seen.keys() | (sizes or {}).keys()):
        passed = sum(verdict.passed for verdict in verdicts if verdict.group == group)
        print(f"{group:>5} {seen[group]:>6} {passed:>7} {seen[group] - passed:>7}", file=out)
        if sizes is not None and seen[group] != sizes.get(group, 0):
            deviations.append(f"group {group}: {seen[group]} cases ran, {sizes.get(group, 0)} expected")
    for case, times in Counter(verdict.case for verdict in verdicts).items():
        if times > 1:
            deviations.append(f"case {case} was reported {times} times")
    if not verdicts:
        deviations.append("no case ran")

    failed = [verdict for verdict in verdicts if not verdict.passed]
    for verdict in failed:
        print(f"case {verdict.case}: {verdict.behavior}, close {verdict.close}: {verdict.reason}", file=out)
    for deviation in deviations:
        print(deviation, file=out)
    print(f"{len(verdicts) - len(failed)} passed, {len(failed)} failed", file=out)
    return not failed and not deviations


def kosoku(mode: str, address: str, cases: list[str], folder: Path, *flags: str) -> Program:
    includes = [flag for case in cases for flag in ("-i", case)]
    return Program([find("kosoku"), "-m", mode, *flags, *includes, "-o", str(folder), address], folder)


def run_server(arguments: argparse.Namespace, chosen: Selection, out: Path, stack: ExitStack) -> list[Program]:
    """One kosoku for all chunks: its `-p` runs cases side by side."""
    address = arguments.address
    server = None
    if address is None:
        server = stack.enter_context(Server(str(Path(arguments.bin).resolve()), out / "serve"))
        address = f"127.0.0.1:{server.port}"
    if arguments.via_haproxy:
        proxy = stack.enter_context(HAProxy(out / "haproxy", int(address.rpartition(":")[2]), http2=True))
        address = f"127.0.0.1:{proxy.port}"
    cases = [case for chunk in chosen.chunks for case in chunk]
    run = stack.enter_context(kosoku("fuzzingclient", address, cases, out / "chunk-0", "-p", str(arguments.jobs)))
    return [run] if server is None else [run, server]


def run_client(arguments: argparse.Namespace, chosen: Selection, out: Path, stack: ExitStack) -> list[Program]:
    """A fuzzing server runs one case at a time, so each chunk gets its own."""
    runs = []
    for number, cases in enumerate(chosen.chunks):
        port = free_port()
        run = stack.enter_context(kosoku("fuzzingserver", f"127.0.0.1:{port}", cases, out / f"chunk-{number}"))
        run.wait_for("fuzzingserver listening")
        driver = [arguments.bin] if not arguments.bin.endswith(".mjs") else ["node", arguments.bin]
        driver[-1] = str(Path(driver[-1]).resolve())
        runs.append(run)
        url = f"ws://127.0.0.1:{port}"
        runs.append(stack.enter_context(Program([*driver, url, "openline"], out / f"driver-{number}")))
    return runs


def wait(runs: list[Program], others: list[Program], seconds: float) -> list[str]:
    """Waits for the kosoku runs; what went wrong, in words.

    `others` are the programs under test: a server must not end before kosoku
    does, and a driver must leave kosoku nothing to wait for when it ends.
    """
    deadline = time.monotonic() + seconds
    while any(run.returncode is None for run in runs):
        time.sleep(0.1)
        if time.monotonic() > deadline:
            return ["kosoku was still waiting for cases when the time was up"]
        if any(other.returncode not in (None, 0) for other in others):
            break
        if others and all(other.returncode == 0 for other in others):
            deadline = min(deadline, time.monotonic() + 10)

    troubles = []
    for program in others:
        if program.returncode not in (None, 0):
            troubles.append(f"{program.name} ended with {program.returncode}:\n{program.output}")
    for run in runs:
        # 1 says that cases failed: the report tells which. A traceback has no report.
        if run.returncode not in (None, 0, 1) or "Traceback" in run.output:
            troubles.append(f"{run.name} ended with {run.returncode}:\n{run.output}")
    return troubles


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs the Autobahn cases against Openline.")
    parser.add_argument("role", choices=["server", "client"], help="which side is under test")
    parser.add_argument("--bin", help="server: the openline binary; client: a driver (a program, or an .mjs for node)")
    parser.add_argument("--address", help="server: HOST:PORT of one that already runs, instead of --bin")
    parser.add_argument("--cases", choices=["quick", "all"], default="quick")
    parser.add_argument("--only", action="append", default=[], metavar="GLOB", help="these cases only; not counted")
    parser.add_argument("--jobs", type=int, default=2, help="server: cases side by side (default 2)")
    parser.add_argument("--via-haproxy", action="store_true", help="server: over HTTP/2, through HAProxy")
    parser.add_argument("--out", type=Path, help="keep kosoku's reports here")
    arguments = parser.parse_args()
    if (arguments.bin is None) == (arguments.address is None):
        parser.error("give --bin or --address")
    if arguments.role == "client" and (arguments.via_haproxy or arguments.address):
        parser.error("--via-haproxy and --address are for the server role")

    chosen = selection(arguments.cases, arguments.only)
    with ExitStack() as stack:
        if arguments.out:
            out = arguments.out.resolve()
            out.mkdir(parents=True, exist_ok=True)
        else:
            out = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="autobahn-")))
        for old in out.glob("chunk-*/index.json"):
            old.unlink()
        start = time.monotonic()
        programs = (run_server if arguments.role == "server" else run_client)(arguments, chosen, out, stack)
        runs = [program for program in programs if program.name == "kosoku"]
        others = [program for program in programs if program.name != "kosoku"]
        troubles = wait(runs, others, chosen.seconds_max)
        verdicts = [verdict for folder in sorted(out.glob("chunk-*")) for verdict in read_report(folder)]
        fine = judge(verdicts, chosen.sizes)
        for trouble in troubles:
            print(trouble, file=sys.stderr)
        print(f"{time.monotonic() - start:.0f} s", file=sys.stderr)
    return 0 if fine and not troubles else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Missing, AssertionError) as error:
        sys.exit(f"autobahn.py: {error}")
