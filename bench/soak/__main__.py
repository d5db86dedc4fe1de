"""Has a server work for an hour under a small load of all kinds, and judges whether it stays as it was.

OPENLINE_BIN=path .work/venv/bin/python bench/soak [--minutes N] [--out FILE]
"""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

from fallbacks import call_the_api, flood_the_bulk, poll, socket_io, stream_events
from lines import come_and_go, publish_steadily, stay
from report import write
from rogues import dripping, malformed, not_reading
from samples import Sample, cpu_seconds, sample
from stage import Stage
from verdict import judge, mib
from world import PATIENCE, World

BENCH = Path(__file__).resolve().parent.parent
SAMPLE_SECONDS = 10.0
# The first part, in which caches and tables fill; at least what is kept for the longest time.
WARMUP_SHARE = 0.2
WARMUP_SECONDS_MIN = 60.0
# What was left without a word is found out by then: pings, sessions of polls, the threads that wait for work.
SETTLE_SECONDS = 60.0
RELOAD_SECONDS = 30.0

# What each kind of client does, how many of them there are, and how long each rests in between.
CLIENTS = [
    (publish_steadily, 1, 1.0),
    (stay, 20, 1.0),
    (come_and_go, 5, 1.0),
    (stream_events, 5, 1.0),
    (poll, 4, 2.0),
    (socket_io, 6, 2.0),
    (call_the_api, 1, 3.0),
    (flood_the_bulk, 1, 12.0),
    (not_reading, 3, 5.0),
    (malformed, 6, 0.5),
    (dripping, 2, 5.0),
]


def main() -> int:
    options = parse_options()
    # So that the server and its folder do not stay behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="openline-soak-") as folder:
        return asyncio.run(run(options, Path(folder)))


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--reload", action="store_true", help="have it read its configuration again, now and then")
    parser.add_argument("--out", type=Path, default=None, help="bench/SOAK.md after an hour, else none")
    options = parser.parse_args()
    options.binary = os.environ.get("OPENLINE_BIN") or sys.exit("OPENLINE_BIN has to name the program")
    if options.out is None and options.minutes >= 60:
        options.out = BENCH / "SOAK.md"
    return options


async def run(options: argparse.Namespace, folder: Path) -> int:
    warmup = max(WARMUP_SECONDS_MIN, options.minutes * 60 * WARMUP_SHARE)
    with Stage(options.binary, folder) as stage:
        fresh, patience = aiohttp.TCPConnector(force_close=True), aiohttp.ClientTimeout(total=2 * PATIENCE)
        async with aiohttp.ClientSession(connector=fresh, timeout=patience) as http:
            world = World(stage, http, options.seed)
            samples, counters = await work(world, options)
            end = await settle(world, counters)
        findings = judge(samples, warmup, end, counters, stage.log, world.unexpected)
    holds = all(finding.holds for finding in findings)
    write(options.out, options, samples, warmup, end, findings, world.done, cpu_seconds(os.getpid()))
    return 0 if holds else 1


async def work(world: World, options: argparse.Namespace) -> tuple[list[Sample], list[dict[str, float]]]:
    """The load, with a look at the server each ten seconds. The first is from before it."""
    began = time.monotonic()
    samples: list[Sample] = []
    counters: list[dict[str, float]] = []
    clients: list[asyncio.Task] = []
    reload_at = began + RELOAD_SECONDS
    while (at := time.monotonic() - began) < options.minutes * 60 and world.stage.runs:
        counters.append(await world.stage.metrics(world.http))
        samples.append(look(world.stage, at, counters[-1]))
        progress(samples[-1], world)
        if not clients:
            clients = [
                asyncio.create_task(world.repeat(act.__name__, act, pause))
                for act, count, pause in CLIENTS
                for _ in range(count)
            ]
        if options.reload and time.monotonic() > reload_at:
            reload_at += RELOAD_SECONDS
            world.stage.reload()
        await asyncio.sleep(max(0.0, began + len(samples) * SAMPLE_SECONDS - time.monotonic()))
    world.over.set()
    await asyncio.gather(*clients)
    return samples, counters


async def settle(world: World, counters: list[dict[str, float]]) -> Sample:
    """Waits until nothing is left of the load, or for as long as it may take."""
    for _ in range(int(SETTLE_SECONDS)):
        await asyncio.sleep(1)
    counters.append(await world.stage.metrics(world.http))
    return look(world.stage, 0.0, counters[-1])


def progress(last: Sample, world: World) -> None:
    """A line for whoever waits."""
    seen = f"{mib(last.memory)}, {last.sockets} sockets, {last.sessions} sessions, {mib(last.disk)} on disk"
    print(f"{last.at / 60:5.1f} min: {seen}, {sum(world.unexpected.values())} unexpected", file=sys.stderr, flush=True)


def look(stage: Stage, at: float, metrics: dict[str, float]) -> Sample:
    return sample(stage.pid, stage.folder / "data", at, metrics)


if __name__ == "__main__":
    sys.exit(main())
