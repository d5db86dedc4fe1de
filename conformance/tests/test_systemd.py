"""The server as systemd runs it: told by NOTIFY_SOCKET, watched, and given its socket by LISTEN_FDS.

The harness does what systemd does by `systemd.service(5)` and `sd_listen_fds(3)`; the unit files
are held to `systemd-analyze` besides.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from programs import LISTENING, ROOT, Program, find
from streams import ask

UNITS = ROOT / "packaging" / "systemd"

# Lower is better; `systemd-analyze security` calls up to 2 safe.
EXPOSURE_MAX = 1.5


class Systemd:
    """Opens the port, listens for news, and starts the server as a service of Type=notify."""

    def __init__(self, openline: str, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.openline, self.folder = openline, folder
        self.news = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.news.bind(str(folder / "notify"))
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.port = self.socket.getsockname()[1]
        self.heard: list[str] = []

    def close(self) -> None:
        self.news.close()
        self.socket.close()

    def start(self, *flags: str, watchdog: float | None = None) -> Program:
        environment = {"NOTIFY_SOCKET": str(self.folder / "notify"), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "openline.socket"}
        if watchdog is not None:
            environment["WATCHDOG_USEC"] = str(int(watchdog * 1_000_000))
        given = self.socket.fileno()
        # The process that becomes the server is the one that LISTEN_PID and WATCHDOG_PID name.
        become = f'exec 3<&{given} {given}<&-; export LISTEN_PID=$$ WATCHDOG_PID=$$; exec "$@"'
        # Another port than that of the socket: what `listen` says does not count.
        serve = [self.openline, "serve", "--listen", "127.0.0.1:1", "--data-dir", "data", "--threads", "2", *flags]
        return Program([find("bash"), "-c", become, "systemd", *serve], self.folder, environment, pass_fds=(given,))

    def hear(self, seconds: float = 15) -> str:
        """What is said next."""
        self.news.settimeout(seconds)
        return self.news.recv(4096).decode()

    def until(self, word: str, seconds: float = 15) -> str:
        deadline = time.monotonic() + seconds
        while True:
            said = self.hear(max(0.01, deadline - time.monotonic()))
            if word in said.splitlines():
                return said


@pytest.fixture
def systemd(openline, tmp_path):
    harness = Systemd(openline, tmp_path / "systemd")
    yield harness
    harness.close()


def test_it_says_when_it_is_ready_and_when_it_ends_and_serves_on_the_socket_it_was_given(systemd):
    with systemd.start() as server:
        assert systemd.hear().splitlines()[0] == "READY=1"
        assert server.wait_for(LISTENING)[3] == str(systemd.port)
        assert ask(systemd.port, "GET", "/health/ready").status == 200
        os.kill(server.pid, signal.SIGTERM)
        assert systemd.hear().splitlines()[0] == "STOPPING=1"
        assert server.wait(15) == 0, server.output


def test_it_feeds_the_watchdog_as_long_as_it_runs(systemd):
    with systemd.start(watchdog=0.4) as server:
        systemd.until("READY=1")
        begin = time.monotonic()
        for _ in range(5):
            assert systemd.hear() == "WATCHDOG=1"
        assert time.monotonic() - begin > 0.5, "twice in its time, not without a pause"
        os.kill(server.pid, signal.SIGSTOP)
        time.sleep(0.1)
        with pytest.raises(TimeoutError):
            while True:
                systemd.hear(0.8)
        os.kill(server.pid, signal.SIGCONT)
        systemd.until("WATCHDOG=1")
        os.kill(server.pid, signal.SIGTERM)
        systemd.until("STOPPING=1")


def test_it_says_when_it_reads_its_configuration_again_and_when_that_is_over(systemd):
    settings = systemd.folder / "openline.toml"
    settings.write_text('log.level = "info"\n')
    with systemd.start("--config", str(settings)) as server:
        systemd.until("READY=1")
        for text, outcome in (('log.level = "debug"\n', "was loaded again"), ("log.level = 3\n", "stays what it was")):
            settings.write_text(text)
            os.kill(server.pid, signal.SIGHUP)
            assert systemd.hear().splitlines()[0] == "RELOADING=1"
            # Also with a file that was refused: it serves by the one before.
            assert systemd.hear().splitlines()[0] == "READY=1"
            server.wait_for(outcome)
            assert ask(systemd.port, "GET", "/health/ready").status == 200


def test_a_watchdog_for_another_process_is_not_fed(systemd):
    with systemd.start() as server:
        systemd.until("READY=1")
        with pytest.raises(TimeoutError):
            systemd.hear(1)
        assert server.returncode is None


def test_while_it_restarts_the_socket_stays_and_nobody_is_refused(systemd):
    refused: list[str] = []
    answered = 0
    over = threading.Event()

    def knock() -> None:
        nonlocal answered
        while not over.is_set():
            try:
                assert ask(systemd.port, "GET", "/health/live").status == 200
                answered += 1
            except OSError as error:
                refused.append(repr(error))

    with systemd.start() as first:
        systemd.until("READY=1")
        knocking = threading.Thread(target=knock)
        knocking.start()
        try:
            time.sleep(0.3)
            os.kill(first.pid, signal.SIGTERM)
            systemd.until("STOPPING=1")
            assert first.wait(15) == 0, first.output
            before = answered
            # Now nobody serves; whoever comes waits.
            time.sleep(0.5)
            assert answered == before
            with systemd.start() as second:
                systemd.until("READY=1")
                time.sleep(0.5)
                over.set()
                knocking.join(15)
                assert second.returncode is None
        finally:
            over.set()
            knocking.join(15)
    assert answered > before
    assert not refused


def test_a_supervisor_that_cannot_be_told_is_an_error(openline, tmp_path):
    done = subprocess.run(
        [openline, "serve", "--ephemeral", "--listen", "127.0.0.1:0"],
        cwd=tmp_path,
        env=os.environ | {"NOTIFY_SOCKET": "nowhere"},
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 74 and "NOTIFY_SOCKET=nowhere" in done.stderr, done


def units(folder: Path, openline: str) -> list[str]:
    """The units in a folder, with the program where it is here."""
    for unit in UNITS.iterdir():
        text = unit.read_text().replace("/usr/bin/openline", openline)
        (folder / unit.name).write_text(text)
    return [str(folder / unit.name) for unit in sorted(UNITS.iterdir())]


def test_the_units_are_what_systemd_understands(openline, tmp_path):
    files = units(tmp_path, openline)
    assert [Path(file).name for file in files] == ["openline.service", "openline.socket"]
    done = subprocess.run(
        [find("systemd-analyze"), "verify", "--man=no", *files], capture_output=True, text=True, timeout=30
    )
    # The system's own units may be found wanting too.
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "openline" in line or str(tmp_path) in line]
    assert not ours, ours


def test_the_service_is_hardened(tmp_path, openline):
    service = units(tmp_path, openline)[0]
    done = subprocess.run(
        [find("systemd-analyze"), "security", "--offline=yes", f"--threshold={int(EXPOSURE_MAX * 10)}", "--no-pager", service],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert "Overall exposure level" in done.stdout, done
    assert done.returncode == 0, done.stdout[-400:]


def test_the_service_is_one_that_is_told_and_does_not_start_again_what_cannot_start():
    text = (UNITS / "openline.service").read_text()
    settings = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and line[0] != "#")
    assert settings["Type"] == "notify" and settings["WatchdogSec"] == "30s"
    assert "78" in settings["RestartPreventExitStatus"].split()


def test_a_signal_has_the_next_process_take_over_and_systemd_is_told_which_that_is(systemd):
    with systemd.start("--upgrade-duration", "0s") as server:
        systemd.until("READY=1")
        os.kill(server.pid, signal.SIGUSR2)
        # What the new one says does not count before it is the service's process.
        while not (said := systemd.hear()).startswith("MAINPID="):
            assert "STOPPING=1" not in said
        after = int(said.splitlines()[0].removeprefix("MAINPID="))
        try:
            assert after != server.pid
            systemd.socket.close()
            assert server.wait(20) == 0, server.output
            assert ask(systemd.port, "GET", "/health/ready").status == 200
        finally:
            os.kill(after, signal.SIGTERM)
        assert "STOPPING=1" in systemd.until("STOPPING=1")
