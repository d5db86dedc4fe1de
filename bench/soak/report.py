"""What a soak is told of: a page of text with a plot."""

import argparse
import subprocess
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from samples import Sample
from verdict import Finding, mib

WIDTH, HEIGHT = 72, 10


def write(
    out: Path | None,
    options: argparse.Namespace,
    samples: list[Sample],
    warmup: float,
    end: Sample,
    findings: list[Finding],
    done: Counter,
    load_cpu: float,
) -> None:
    """Prints the report, and writes it to `out` if there is one."""
    seconds = samples[-1].at or 1.0
    cpu = (samples[-1].cpu - samples[0].cpu) / seconds
    verdict = "All holds." if all(finding.holds for finding in findings) else "**Something does not hold.**"
    rules = [
        f"| {finding.rule} | {'yes' if finding.holds else '**no**'} | {finding.seen.replace('|', '/')} |"
        for finding in findings
    ]
    text = "\n".join(
        [
            "# Soak",
            "",
            f"`make soak`: {options.minutes:g} minutes of a small load of all kinds, on {datetime.now(UTC):%Y-%m-%d},",
            f"`{_version(options.binary)}`{', with reloads' if options.reload else ''}. {verdict}",
            "",
            "| Rule | Holds | Seen |",
            "|---|---|---|",
            *rules,
            "",
            f"Anonymous memory of the server; the warm-up is {warmup / 60:.0f} minutes of it:",
            "",
            "```",
            *plot([one.memory / (1 << 20) for one in samples], samples[-1].at / 60),
            "```",
            "",
            "| | Before | Median | Most | After |",
            "|---|---|---|---|---|",
            *_table(samples, end),
            "",
            f"The server took {cpu:.1%} of a core, the load {load_cpu / seconds:.1%}. What the load did:",
            ", ".join(f"{what} {count:,}" for what, count in sorted(done.items())) + ".",
            "",
        ]
    )
    print(text)
    if out is not None:
        out.write_text(text)


def plot(values: list[float], minutes: float) -> list[str]:
    """Columns of the mean of what falls into them, from the least to the most."""
    width = min(WIDTH, len(values))
    columns = [values[i * len(values) // width : (i + 1) * len(values) // width] for i in range(width)]
    means = [sum(column) / len(column) for column in columns]
    low, high = min(means), max(means)
    step = (high - low) / HEIGHT or 1.0
    rows = []
    for row in range(HEIGHT, -1, -1):
        level = low + row * step
        marks = "".join("*" if round((mean - low) / step) == row else " " for mean in means)
        rows.append(f"{level:8.1f} MiB |{marks}".rstrip())
    return [*rows, " " * 13 + "+" + "-" * width, " " * 14 + "0" + f"{minutes:.0f} min".rjust(width - 1)]


def _table(samples: list[Sample], end: Sample) -> list[str]:
    kinds = [
        ("Memory", "memory", mib),
        ("Disk", "disk", mib),
        ("Sockets", "sockets", "{:.0f}".format),
        ("Other descriptors", "files", "{:.0f}".format),
        ("Threads", "threads", "{:.0f}".format),
        ("Sessions", "sessions", "{:.0f}".format),
    ]
    rows = []
    for title, name, shown in kinds:
        values = [getattr(one, name) for one in samples]
        cells = [values[0], median(values), max(values), getattr(end, name)]
        rows.append(f"| {title} | " + " | ".join(shown(cell) for cell in cells) + " |")
    return rows


def _version(binary: str) -> str:
    return subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.strip()
