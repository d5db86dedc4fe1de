"""Starts and ends the programs that are tested and those they are tested with."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path
from urllib.request import urlopen

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
NODE = HERE / "node"
VENV_BIN = ROOT / ".work" / "venv" / "bin"

LISTENING = re.compile(r"listening on (https?://(\S+):(\d+))")


class Missing(Exception):
    """A program is not there. The text says how to get it."""


def find(name: str) -> str:
    """The path of an installed program; Debian keeps some in /usr/sbin."""
    path = shutil.which(name, path=f"{VENV_BIN}:{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if path is None:
        raise Missing(f"{name} is not installed: run conformance/setup.sh")
    return path


def openline_binary() -> str:
    """OPENLINE_BIN, or the newest `openline` that cargo built."""
    if chosen := os.environ.get("OPENLINE_BIN"):
        if not os.access(chosen, os.X_OK):
            raise Missing(f"OPENLINE_BIN={chosen} is not a program")
        return str(Path(chosen).resolve())
    built = [path for profile in ("debug", "release") if (path := ROOT / "target" / profile / "openline").is_file()]
    if not built:
        raise Missing("no target/debug/openline or target/release/openline: run `cargo build`, or set OPENLINE_BIN")
    return str(max(built, key=lambda path: path.stat().st_mtime))


def free_port() -> int:
    """A port that was free a moment ago, for programs that cannot report theirs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Program:
    """A running program, its output kept; leaving the `with` block ends it.

    It gets a process group and a folder of its own, so that nothing outlives
    the test and nothing is left in the tree.
    """

    ends_by = signal.SIGTERM

    def __init__(
        self,
        argv: list[str],
        folder: Path,
        environment: dict[str, str] | None = None,
        pass_fds: tuple[int, ...] = (),
        is_told: bool = False,
    ) -> None:
        """With `is_told` it can be told things on its standard input: see `tell`."""
        folder.mkdir(parents=True, exist_ok=True)
        self.name = Path(argv[0]).name
        self.output = ""
        self._changed = threading.Condition()
        try:
            self._process = subprocess.Popen(
                argv,
                cwd=folder,
                env=os.environ | (environment or {}),
                stdin=subprocess.PIPE if is_told else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=pass_fds,
            )
        except OSError as error:
            raise Missing(f"cannot start {argv[0]}: {error.strerror}") from error
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.poll()

    def wait_for(self, pattern: re.Pattern[str] | str, seconds: float = 15) -> re.Match[str]:
        """Waits until the output matches, and fails with the output if it does not."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while (match := re.search(pattern, self.output)) is None:
                left = deadline - time.monotonic()
                if left <= 0 or (self.returncode is not None and not self._reader.is_alive()):
                    wanted = pattern if isinstance(pattern, str) else pattern.pattern
                    raise AssertionError(f"{self.name} did not print {wanted}; it printed:\n{self.output}")
                self._changed.wait(min(left, 0.2))
        return match

    def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()

    def wait_for_port(self, port: int, seconds: float = 15) -> None:
        """Waits until the program accepts connections."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                if time.monotonic() > deadline or self.returncode is not None:
                    raise AssertionError(f"{self.name} does not listen on {port}; it printed:\n{self.output}") from None
                time.sleep(0.02)

    def wait(self, seconds: float) -> int:
        """Waits for the end. Raises `subprocess.TimeoutExpired`."""
        code = self._process.wait(seconds)
        self._reader.join(5)
        return code

    def stop(self) -> None:
        for number in (self.ends_by, signal.SIGKILL):
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:
                break
            try:
                self._process.wait(3)
            except subprocess.TimeoutExpired:
                continue
        self._process.wait()
        self._reader.join(5)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._changed:
                self.output += line.decode(errors="replace")
                self._changed.notify_all()


class Server(Program):
    """`openline serve`, on a port that the system chooses or on this one."""

    # SIGTERM begins a drain, which takes its time with a configuration file.
    ends_by = signal.SIGINT

    def __init__(self, binary: str, folder: Path, *flags: str, port: int = 0, threads: int = 1) -> None:
        argv = [binary, "serve", "--listen", f"127.0.0.1:{port}", "--threads", str(threads), *flags]
        super().__init__(argv, folder)
        try:
            match = self.wait_for(LISTENING)
        except BaseException:
            self.stop()
            raise
        self.http = match[1]
        self.port = int(match[3])
        self.ws = self.http.replace("http", "ws", 1)


class SocketIo(Program):
    """The program of the Socket.IO tests: Openline's, or the one on npm's `socket.io`.

    SOCKETIO_PEER=reference chooses the latter, to prove the tests themselves.
    """

    def __init__(self, openline: str, folder: Path, *flags: str) -> None:
        if os.environ.get("SOCKETIO_PEER") == "reference":
            argv = [find("node"), str(NODE / "socketio_reference.mjs")]
        else:
            ours = Path(openline).parent / "examples" / "socketio_suite"
            if not ours.is_file():
                raise Missing(f"no {ours}: run `cargo build -p openline-server --example socketio_suite`")
            argv = [str(ours)]
        super().__init__([*argv, *flags], folder)
        try:
            self.http = self.wait_for(LISTENING)[1]
        except BaseException:
            self.stop()
            raise


class HAProxy(Program):
    """HAProxy with an HTTP/1.1 front. `http2` speaks RFC 8441 to the server.

    Several servers have their turns, whoever asks: nothing sticks.
    """

    def __init__(self, folder: Path, *server_ports: int, http2: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.http, self.ws = f"http://127.0.0.1:{self.port}", f"ws://127.0.0.1:{self.port}"
        several = len(server_ports) > 1
        settings = (" proto h2" if http2 else "") + (" check inter 500ms fall 1 rise 1" if several else "")
        servers = "\n".join(f"    server openline{port} 127.0.0.1:{port}{settings}" for port in server_ports)
        configuration = folder / "haproxy.cfg"
        configuration.write_text(f"""\
global
    maxconn 1000
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout tunnel 600s
frontend front
    bind 127.0.0.1:{self.port}
    default_backend back
backend back
    balance roundrobin
    option redispatch 1
{servers}
""")
        super().__init__([find("haproxy"), "-db", "-f", str(configuration)], folder)
        self.wait_for_port(self.port)


class Nginx(Program):
    """nginx as the WebSocket proxy that its manual describes. Several servers have their turns."""

    def __init__(self, folder: Path, *server_ports: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.http, self.ws = f"http://127.0.0.1:{self.port}", f"ws://127.0.0.1:{self.port}"
        servers = " ".join(f"server 127.0.0.1:{port} fail_timeout=1s;" for port in server_ports)
        configuration = folder / "nginx.conf"
        configuration.write_text(f"""\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
    upstream back {{ {servers} }}
    server {{
        listen 127.0.0.1:{self.port};
        client_max_body_size 64m;
        location / {{
            proxy_pass http://back;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_read_timeout 600s;
            proxy_buffering off;
        }}
    }}
}}
""")
        super().__init__([find("nginx"), "-e", "stderr", "-p", str(folder), "-c", str(configuration)], folder)
        self.wait_for_port(self.port)


class Pebble(Program):
    """An authority for ACME that forgets everything, which looks at names on `tls_port` of this machine.

    Its own names come from a DNS server that says 127.0.0.1 for each, unless it is told otherwise. What it
    issues is good for `seconds`.
    """

    def __init__(self, folder: Path, tls_port: int, certificate: Path, key: Path, seconds: int = 3600) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        names, self.names_management, api, management = (free_port() for _ in range(4))
        self.directory = f"https://127.0.0.1:{api}/dir"
        self.management = f"https://127.0.0.1:{management}"
        configuration = folder / "pebble.json"
        settings = {
            "listenAddress": f"127.0.0.1:{api}",
            "managementListenAddress": f"127.0.0.1:{management}",
            "certificate": str(certificate),
            "privateKey": str(key),
            "httpPort": free_port(),
            "tlsPort": tls_port,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": False,
            "certificateValidityPeriod": seconds,
        }
        configuration.write_text(json.dumps({"pebble": settings}))
        off = ["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""]
        dns = ["-dns01", f"127.0.0.1:{names}", "-management", f"127.0.0.1:{self.names_management}"]
        self.dns = Program([find("pebble-challtestsrv"), *dns, *off], folder)
        # Each order is looked at anew, and at once.
        environment = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0"}
        argv = [find("pebble"), "-config", str(configuration), "-dnsserver", f"127.0.0.1:{names}"]
        super().__init__(argv, folder, environment)
        try:
            self.dns.wait_for_port(self.names_management)
            self.wait_for_port(api)
        except BaseException:
            self.stop()
            raise

    def leads_to(self, name: str, address: str) -> None:
        """From now on the name is this address."""
        told = json.dumps({"host": f"{name}.", "addresses": [address]}).encode()
        urlopen(f"http://127.0.0.1:{self.names_management}/add-a", told, 5).close()

    def root(self, trusted: ssl.SSLContext) -> str:
        """What vouches for all that it issues."""
        with urlopen(f"{self.management}/roots/0", timeout=5, context=trusted) as answer:
            return answer.read().decode()

    def stop(self) -> None:
        self.dns.stop()
        super().stop()


class BrokerServer:
    """A broker's server on a port of its own, with its data in a folder. It can be stopped and started again."""

    url: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.start()

    def argv(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        self.program = Program(self.argv(), self.folder)
        self.program.wait_for_port(self.port)

    def pause(self) -> None:
        os.killpg(self.program.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.killpg(self.program.pid, signal.SIGCONT)

    def kill(self) -> None:
        os.killpg(self.program.pid, signal.SIGKILL)
        self.program.wait(5)

    def stop(self) -> None:
        # One that is paused does not hear that it is to end.
        if self.program.returncode is None:
            self.go_on()
        self.program.stop()


class Redis(BrokerServer):
    """redis-server, which forgets nothing when it is killed."""

    def argv(self) -> list[str]:
        self.url = f"redis://127.0.0.1:{self.port}"
        settings = f"--bind 127.0.0.1 --port {self.port} --appendonly yes --appendfsync always --save".split()
        return [find("redis-server"), *settings, "", "--dir", str(self.folder)]

    def listeners(self, channel: str) -> int:
        """How many connections it carries a channel's publications to."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as asking:
            asking.sendall(f"PUBSUB NUMSUB openline:{{{channel}}}\r\n".encode())
            return int(asking.recv(4096).rsplit(b":", 1)[1])

    def snapshot(self) -> dict[str, bytes]:
        """Its files as they are now."""
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}

    def restart_from(self, snapshot: dict[str, bytes]) -> None:
        """Ends it, and starts it with its files as they were."""
        self.kill()
        for path in [path for path in self.folder.rglob("*") if path.is_file()]:
            path.unlink()
        for name, content in snapshot.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_bytes(content)
        self.start()


class Nats(BrokerServer):
    """nats-server with JetStream."""

    def argv(self) -> list[str]:
        self.url = f"nats://127.0.0.1:{self.port}"
        self.monitor = free_port()
        ports = ["-a", "127.0.0.1", "-p", str(self.port), "-m", str(self.monitor)]
        return [find("nats-server"), *ports, "-js", "-sd", str(self.folder)]

    def listeners(self, channel: str) -> int:
        """How many connections it carries a channel's publications to."""
        with urlopen(f"http://127.0.0.1:{self.monitor}/subsz?subs=1&limit=10000", timeout=5) as answer:
            subscriptions = json.load(answer)["subscriptions_list"]
        return len({one["cid"] for one in subscriptions if one["subject"].endswith(f".l.default.{channel}")})
