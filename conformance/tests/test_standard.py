"""The WebSocket standard, assertion by assertion: Chromium's own class, undici's, and the drop-in over both."""

from __future__ import annotations

import subprocess

from programs import ROOT, find

RUNNER = ROOT / "sdk" / "typescript" / "test" / "standard" / "run.mjs"


def test_the_drop_in_keeps_the_standard_where_it_does_not_say_otherwise():
    ended = subprocess.run(
        ["node", str(RUNNER), find("chromium")],
        cwd=RUNNER.parent,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    print(ended.stdout)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    # A run that looked at nothing must not pass: what holds and what differs on purpose, in each column.
    counts = [line.split() for line in ended.stdout.splitlines() if line.startswith(("undici  ", "undici once", "chromium  ", "chromium once"))]
    assert len(counts) == 4
    assert all(int(row[-5]) >= 45 for row in counts), counts
