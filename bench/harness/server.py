"""A server under test: started on one core, measured from outside, always killed."""

import functools
import os
import resource
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

HOST = "127.0.0.1"
START_SECONDS_MAX = 15.0


class BenchError(Exception):
    """Something that the person who runs the benchmark must read."""


@functools.cache
def cores() -> tuple[int, int]:
    """The core for the server and the core for the load; first asked before pinning."""
    available = sorted(os.sched_getaffinity(0))
    if len(available) < 2:
        raise BenchError("two cores are needed: one for the server, one for the load")
    return available[0], available[1]


def raise_descriptor_limit(needed: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise BenchError(f"{needed} descriptors are needed, the limit is {hard} (ulimit -Hn)")
    if soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def listens(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
        return True
    except OSError:
        return False


class Server:
    """Runs a command with `{port}` filled in, as a context manager.

    It gets a session of its own, so that children die with it, and a directory
    to work in that holds the given files and nothing else, so that stores begin
    empty.
    """

    def __init__(self, command: list[str], files: dict[str, str] | None = None) -> None:
        self.port = free_port()
        self._files = files or {}
        self._command = [word.replace("{port}", str(self.port)) for word in command]

    def __enter__(self) -> "Server":
        self._directory = tempfile.TemporaryDirectory(prefix="openline-bench-")
        for name, text in self._files.items():
            self.path(name).write_text(text)
        self._log = open(self.path("log"), "w+")
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def restart(self) -> None:
        """Kills it, and starts it again with what it has stored."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._start()

    def _start(self) -> None:
        core = cores()[0]
        self._process = subprocess.Popen(
            self._command,
            cwd=self._directory.name,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
        self._wait_until_listening()

    def __exit__(self, *_: object) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()
        self._log.close()
        self._directory.cleanup()

    @property
    def ports(self) -> list[int]:
        return [self.port]

    def beside(self) -> list[int]:
        """What runs on its core for it and is not it."""
        return []

    def path(self, name: str) -> Path:
        """Where a file of the server's directory is."""
        return Path(self._directory.name) / name

    def _wait_until_listening(self) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise BenchError(f"{self._command[0]} ended at once: {self.log_tail()}")
            if listens(self.port):
                return
            time.sleep(0.01)
        raise BenchError(f"{self._command[0]} does not listen: {self.log_tail()}")

    def log_tail(self) -> str:
        self._log.flush()
        return Path(self._log.name).read_text(errors="replace").strip()[-600:] or "(no output)"

    def processes(self) -> list[int]:
        """The server and all its descendants."""
        parents = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    # The name in parentheses may hold spaces; the parent is the
                    # second word after it.
                    after_name = (entry / "stat").read_text().rpartition(")")[2].split()
                    parents[int(entry.name)] = int(after_name[1])
                except OSError:
                    continue
        tree = [self._process.pid]
        for pid in tree:
            tree.extend(child for child, parent in parents.items() if parent == pid)
        return tree

    def memory_bytes(self) -> int:
        """Anonymous memory: heap, stacks and what else belongs to user space alone."""
        return sum(_smaps_bytes(pid, "Anonymous") for pid in self.processes())

    def resident_bytes(self) -> int:
        """All that is in memory, mapped files and shared pages included."""
        return sum(_smaps_bytes(pid, "Rss") for pid in self.processes())

    def unread_bytes(self) -> int:
        """The most that a client of the server has let stand in the server's socket."""
        own = f":{self.port:04X}"
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        queues = (row[4].split(":")[0] for row in rows if row[1].endswith(own))
        return max((int(queue, 16) for queue in queues), default=0)


class CpuMeter:
    """User and system time of a server's processes over a window, in seconds.

    Read from each process's CPU clock, the one behind clock_getcpuclockid(3):
    nanoseconds from the scheduler, all threads, those that ended too. The times
    in /proc/PID/stat count in ticks of 10 ms, and not every kernel offers
    /proc/PID/schedstat.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._known = server.processes()
        self._beside = server.beside()
        self._begin: dict[int, float] = {}
        self._beside_begin = 0.0
        self._core_begin = 0.0

    def start(self) -> None:
        self._begin = {pid: _cpu_seconds(pid) for pid in self._known}
        self._beside_begin = sum(map(_cpu_seconds, self._beside))
        self._core_begin = _core_busy_seconds(cores()[0])

    def stop(self) -> tuple[float, float]:
        """What the server took, and what others took on its core (to a tick or two)."""
        end = {pid: _cpu_seconds(pid) for pid in self._known}
        core_busy = _core_busy_seconds(cores()[0]) - self._core_begin
        # A child born meanwhile spent all its time within the window.
        for pid in self._server.processes():
            if pid not in end:
                end[pid] = _cpu_seconds(pid)
        own = sum(seconds - self._begin.get(pid, 0.0) for pid, seconds in end.items())
        beside = sum(map(_cpu_seconds, self._beside)) - self._beside_begin
        return own, max(0.0, core_busy - own - beside)


def _cpu_seconds(pid: int) -> float:
    # A clock id is made of the complement of the pid and the kind of clock: 2
    # is the scheduler's. Python has no function for another process's clock.
    return time.clock_gettime((~pid << 3) | 2)


def _core_busy_seconds(core: int) -> float:
    """Everything but idling, the time that a hypervisor took away included."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *ticks = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, ticks[:8])
            busy = user + nice + system + irq + softirq + steal
            return busy / os.sysconf("SC_CLK_TCK")
    raise BenchError(f"/proc/stat has no line for core {core}")


def _smaps_bytes(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise BenchError(f"/proc/{pid}/smaps_rollup has no line {name}")
