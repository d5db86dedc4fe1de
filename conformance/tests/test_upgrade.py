"""A process that takes over from another: nobody is refused, nothing that was acknowledged is lost, and one that dies on the way changes nothing."""

from __future__ import annotations

import array
import asyncio
import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from websockets.sync.client import connect

from crowd import Crowd, describe
from programs import Program, Server, free_port
from streams import SECRET, Answer, ask, token

KEY = "a-key-of-the-api-for-those-that-take-over"

CONFIG = f"""\
[auth]
anonymous = true

[[auth.keys]]
algorithm = "HS256"
secret = "{SECRET}"

[namespace.default]
publish = "anyone"
history_size = {{history}}
history_read = "anyone"

[limits]
connections_per_ip = 0
admission = "off"

[rates]
commands = "off"
publish = "off"
publish_user = "off"
subscribe = "off"

# A test that is over does not wait.
[drain]
delay = "0s"
duration = "0s"
notice = "0s"

[upgrade]
duration = "{{duration}}"
timeout = "{{timeout}}"
lines = {{lines}}

[api]
keys = ["{KEY}"]
"""


class Generations:
    """A server, and those that take over from it."""

    def __init__(self, openline: str, folder: Path, duration: str = "2s", timeout: str = "20s", lines: bool = False, more: tuple[str, ...] = (), history: int = 100_000) -> None:
        folder.mkdir(parents=True)
        (folder / "openline.toml").write_text(CONFIG.format(duration=duration, timeout=timeout, lines=str(lines).lower(), history=history))
        self.openline, self.folder, self.port, self.more = openline, folder, free_port(), more
        self.processes = [Server(openline, folder, *self.flags, port=self.port)]
        deadline = time.monotonic() + 10
        while not self.socket.exists():
            assert time.monotonic() < deadline, self.processes[0].output
            time.sleep(0.01)

    @property
    def flags(self) -> list[str]:
        return ["--config", "openline.toml", "--data-dir", "data", *self.more]

    @property
    def socket(self) -> Path:
        return self.folder / "data" / "upgrade.sock"

    def __enter__(self) -> Generations:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for process in self.processes:
            process.stop()
            assert "panicked" not in process.output, process.output

    def begin(self, *flags: str) -> Program:
        """Starts the next process, and does not wait for it."""
        argv = [self.openline, "serve", "--takeover", "--listen", f"127.0.0.1:{self.port}", "--threads", "1", *self.flags, *flags]
        process = Program(argv, self.folder)
        self.processes.append(process)
        return process

    def upgrade(self) -> None:
        """Has the next process take over, and waits until the one before has ended."""
        before, after = self.processes[-1], self.begin()
        after.wait_for("taken over from the process before", 30)
        assert before.wait(40) == 0, before.output
        assert "another process has taken over" in before.output

    def publish(self, number: int) -> Answer:
        message = {"channel": "news", "data": number, "key": f"news-{number}"}
        return ask(self.port, "POST", "/api/v1/publish", message, authorization=f"Bearer {KEY}")

    def history(self, channel: str = "news") -> list[int]:
        numbers: list[int] = []
        since = "sinceTime=0"
        while True:
            path = f"/api/v1/history?channel={channel}&limit=1000&{since}"
            answer = ask(self.port, "GET", path, authorization=f"Bearer {KEY}")
            assert answer.status == 200, answer
            numbers += [message["data"] for message in answer.json["messages"]]
            if not answer.json["more"]:
                return numbers
            since = f"since={answer.json['messages'][-1]['position']}"

    def metric(self, name: str) -> float:
        text = ask(self.port, "GET", "/metrics", authorization=f"Bearer {KEY}").body.decode()
        return float(re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)[1])


@pytest.fixture
def server(openline, tmp_path):
    with Generations(openline, tmp_path / "server") as generations:
        yield generations


async def upgrades_under(generations: Generations, readers: int, channels: int, pause: float) -> Crowd:
    crowd = Crowd(generations.port, channels)
    await crowd.enter(readers)
    working = [asyncio.create_task(crowd.publish_all(channel, pause)) for channel in crowd.channels]
    working += [asyncio.create_task(crowd.probe()) for _ in range(2)]
    for _ in range(2):
        await crowd.more(5)
        await asyncio.to_thread(generations.upgrade)
    await crowd.more(5)
    crowd.over.set()
    await asyncio.gather(*working)
    await crowd.settle(20)
    await asyncio.gather(*(reader.leave() for reader in crowd.readers))
    print(describe(crowd))
    return crowd


def holds(generations: Generations, crowd: Crowd) -> None:
    assert crowd.refused == [], f"{len(crowd.refused)} refused"
    assert crowd.wrong == [] and crowd.gaps == []
    assert crowd.drained >= len(crowd.readers), "lines are told, and move before they are closed"
    for channel, acked in crowd.acked.items():
        assert acked == list(range(len(acked))) and len(acked) >= 15
        assert generations.history(channel) == acked, channel
    assert generations.metric('openline_upgrades_total{result="done"}') == 2


@pytest.mark.timeout(180)
def test_two_upgrades_refuse_nobody_and_lose_nothing(server):
    crowd = asyncio.run(upgrades_under(server, readers=200, channels=10, pause=0.05))
    holds(server, crowd)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_two_upgrades_under_two_thousand_lines_refuse_nobody_and_lose_nothing(openline, tmp_path):
    with Generations(openline, tmp_path / "server", duration="5s") as server:
        crowd = asyncio.run(upgrades_under(server, readers=2000, channels=20, pause=0.2))
        holds(server, crowd)


class Successor:
    """A new process as the running one sees it, that says what a test wants it to."""

    def __init__(self, generations: Generations) -> None:
        self.generations = generations
        self.stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.stream.settimeout(20)
        self.stream.connect(str(generations.socket))
        self.listener: socket.socket | None = None
        self._input = b""

    def say(self, step: str, **more: object) -> None:
        self.stream.sendall(json.dumps({"step": step, **more}).encode() + b"\n")

    def hear(self) -> dict | None:
        """The next step; none if the other side has ended."""
        while b"\n" not in self._input:
            data, ancillary, *_ = self.stream.recvmsg(65536, socket.CMSG_SPACE(4))
            for level, kind, payload in ancillary:
                assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
                self.listener = socket.socket(fileno=array.array("i", payload)[0])
            if not data:
                return None
            self._input += data
        line, self._input = self._input.split(b"\n", 1)
        return json.loads(line)

    def hello(self, protocol: int = 1) -> dict:
        self.say("hello", protocol=protocol, version="9.9.9")
        return self.hear()

    def take_store(self) -> None:
        """Goes as far as opening the store, whose lock it then has."""
        self.say("ready")
        while (step := self.hear())["step"] == "revoked":
            pass
        assert step == {"step": "given"}
        self.lock = open(self.generations.folder / "data" / "history" / "LOCK", "r+")
        fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def die(self) -> None:
        """What `kill -9` leaves: nothing."""
        for held in (getattr(self, "lock", None), self.listener, self.stream):
            if held:
                held.close()


def published(generations: Generations, number: int, seconds: float = 10) -> None:
    """Publishes until it is acknowledged; what is said meanwhile is that it is to be tried again."""
    deadline = time.monotonic() + seconds
    while (answer := generations.publish(number)).status != 200:
        assert (answer.status, answer.code) == (503, "shutting_down"), answer
        assert time.monotonic() < deadline, "the server has its store back by now"
        time.sleep(0.02)


# Where a new process dies, and whether it has the store then.
STEPS = ("before it says anything", "after hello", "when it has the socket", "when it asked for the store", "when it has the store")


@pytest.mark.parametrize("step", STEPS)
def test_the_running_process_goes_on_whenever_the_new_one_dies(server, step):
    published(server, 0)
    successor = Successor(server)
    if step != STEPS[0]:
        successor.say("hello", protocol=1, version="9.9.9")
    if step in STEPS[2:]:
        assert successor.hear()["step"] == "listener" and successor.listener
    if step == STEPS[3]:
        successor.say("ready")
    if step == STEPS[4]:
        successor.take_store()
        answer = server.publish(1)
        assert (answer.status, answer.code) == (503, "shutting_down")
        assert server.history() == [0], "readers are answered meanwhile"
    successor.die()
    published(server, 1)
    server.processes[0].wait_for("did not take over")
    assert server.history() == [0, 1]
    assert server.metric('openline_upgrades_total{result="failed"}') == 1
    # And it can be taken over from still.
    server.upgrade()
    published(server, 2)
    assert server.history() == [0, 1, 2]
    assert server.metric('openline_upgrades_total{result="failed"}') == 1
    assert server.metric('openline_upgrades_total{result="done"}') == 1


def test_a_new_process_that_is_late_can_not_serve_any_more(openline, tmp_path):
    with Generations(openline, tmp_path / "server", timeout="1s") as server:
        published(server, 0)
        successor = Successor(server)
        successor.hello()
        successor.take_store()
        server.processes[0].wait_for("did not take over")
        with pytest.raises(BrokenPipeError):
            successor.say("serving")
        assert successor.hear() == {"step": "taken_back", "why": "it said nothing for 1s"}
        # It has the store as long as the other lives.
        assert server.publish(1).code == "shutting_down"
        successor.die()
        published(server, 1)
        assert server.history() == [0, 1]


def test_a_process_of_another_version_is_told_and_another_upgrade_meanwhile_too(server):
    why = "it speaks version 1 of the handover, the new program version 7; stop it and start the new one"
    assert Successor(server).hello(protocol=7) == {"step": "refused", "why": why}
    # The running process is done with the one before in a moment.
    while (first := Successor(server)).hello()["step"] != "listener":
        first.die()
        time.sleep(0.02)
    second = server.begin()
    assert second.wait(10) == 75
    assert second.output.endswith("was not taken over from, it goes on: another upgrade is going on\n"), second.output
    first.die()
    published(server, 0)


def test_the_socket_is_for_its_user_alone(server):
    assert os.stat(server.socket).st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user, which takes root")
def test_a_process_of_another_user_is_turned_away(server):
    # As if somebody had opened folder and socket to others.
    for path in (server.socket.parent, server.socket):
        os.chmod(path, 0o777)
    for folder in server.folder.parents:
        if folder.stat().st_uid == 0 and folder != Path("/") and str(folder).startswith("/tmp/"):
            os.chmod(folder, folder.stat().st_mode | 0o011)
    become = "import os, socket, sys; os.setuid(65534); s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print(s.recv(4096).decode())"
    told = subprocess.run(["python3", "-c", become, str(server.socket)], capture_output=True, text=True, timeout=20, check=True)
    assert json.loads(told.stdout) == {"step": "refused", "why": "it is for user 0, not for user 65534"}
    os.chmod(server.socket, 0o600)
    assert subprocess.run(["python3", "-c", become, str(server.socket)], capture_output=True, timeout=20).returncode != 0


def test_without_a_process_to_take_over_from_it_says_so(openline, tmp_path):
    with Program([openline, "serve", "--takeover", "--data-dir", "data"], tmp_path) as alone:
        assert alone.wait(10) == 69
        what = "no process to take over from: data/upgrade.sock: No such file or directory (os error 2); start without --takeover"
        assert alone.output == f"openline: {what}\n"


class Predecessor:
    """A running process as a new one sees it."""

    def __init__(self, folder: Path) -> None:
        (folder / "data").mkdir(parents=True)
        self.folder = folder
        self.control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.control.bind(str(folder / "data" / "upgrade.sock"))
        self.control.listen()
        self.control.settimeout(20)

    def serve(self, openline: str) -> tuple[Program, socket.socket]:
        argv = [openline, "serve", "--takeover", "--listen", "127.0.0.1:0", "--data-dir", "data", "--upgrade-timeout", "1s"]
        program = Program(argv, self.folder)
        stream, _ = self.control.accept()
        stream.settimeout(20)
        assert json.loads(stream.recv(4096))["step"] == "hello"
        return program, stream

    def give_socket(self, stream: socket.socket) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", 0))
        step = json.dumps({"step": "listener", "version": "0.0.1", "done": 4, "failed": 1}).encode() + b"\n"
        socket.send_fds(stream, [step], [listener.fileno()])
        assert json.loads(stream.recv(4096))["step"] == "ready"
        return listener


def test_a_new_process_gives_up_when_the_running_one_does_not_give_its_store(openline, tmp_path):
    program, stream = (running := Predecessor(tmp_path)).serve(openline)
    listener = running.give_socket(stream)
    assert program.wait(10) == 75
    assert program.output.endswith("was not taken over from, it goes on: it said nothing for 1s\n"), program.output
    listener.close()


def test_a_new_process_goes_on_alone_when_the_running_one_dies_on_the_way(openline, tmp_path):
    program, stream = (running := Predecessor(tmp_path)).serve(openline)
    with program:
        listener = running.give_socket(stream)
        port = listener.getsockname()[1]
        listener.close()
        stream.close()
        program.wait_for("taken over from the process before")
        assert ask(port, "GET", "/health/ready").status == 200
        key = (tmp_path / "data" / "api-key").read_text().strip()
        text = ask(port, "GET", "/metrics", authorization=f"Bearer {key}").body.decode()
        assert 'openline_upgrades_total{result="done"} 5\n' in text


def test_what_cannot_be_used_is_found_before_the_store_is_asked_for(server):
    published(server, 0)
    wrong = server.begin("--tls-certificate", "none.pem", "--tls-key", "none.pem")
    assert wrong.wait(10) == 78
    assert "none.pem" in wrong.output
    server.processes[0].wait_for("did not take over")
    assert "store" not in server.processes[0].output.split("another process takes over")[1]
    published(server, 1)


def admitted(server: Generations, shown: str) -> bool:
    with connect(f"ws://127.0.0.1:{server.port}/ws") as line:
        line.send(json.dumps({"type": "auth", "token": shown}))
        while (answer := json.loads(line.recv()))["type"] not in ("auth_success", "auth_failed"):
            pass
        return answer["type"] == "auth_success"


def test_who_was_taken_back_stays_so(server):
    tokens = {user: token(user) for user in ("mallory", "alice")}
    assert admitted(server, tokens["mallory"]) and admitted(server, tokens["alice"])
    assert ask(server.port, "POST", "/api/v1/revoke", {"user": "mallory"}, authorization=f"Bearer {KEY}").status == 200
    server.upgrade()
    assert not admitted(server, tokens["mallory"])
    assert admitted(server, tokens["alice"])


def test_a_running_process_that_is_stopped_on_the_way_ends(server):
    successor = Successor(server)
    successor.hello()
    successor.take_store()
    os.kill(server.processes[0].pid, signal.SIGINT)
    assert server.processes[0].wait(15) == 0
    assert successor.hear() is None
    successor.die()
