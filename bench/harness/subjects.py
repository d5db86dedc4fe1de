"""What is measured: how each subject is built, started and named."""

import json
import os
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

from harness import uwebsockets
from harness.server import BenchError

BENCH = Path(__file__).resolve().parent.parent
ROOT = BENCH.parent
NODE = BENCH / "peers" / "node"
LOAD = BENCH / "target" / "release" / "openline-load"

OURS = "openline"

# A program to measure instead of building the tree's own, for trials.
GIVEN = os.environ.get("OPENLINE_BIN")


@dataclass(frozen=True)
class Subject:
    name: str
    kind: str  # "server", "library", "peer", "batched", "node", "bun", "uwebsockets", "floor" or "socketio…"
    package: str  # the name in the lock file, for the version
    note: str

    def command(self, deflate: bool = False, tls: bool = False) -> list[str]:
        """How it is started; with TLS, on the files of `harness.certificate`."""
        listen = ["--listen", "127.0.0.1:{port}"]
        release = ROOT / "target" / "release"
        match self.kind:
            case "server":
                program = GIVEN or str(release / "openline")
                files = "--tls-certificate certificate.pem --tls-key key.pem".split()
                command = [program, "serve", *listen, "--threads", "1", "--data-dir", "data"]
                return command + files * tls
            case "library":
                return [str(release / "examples" / "echo"), *listen]
            case "node":
                command = ["node", str(NODE / "ws-server.mjs"), *listen]
            case "bun":
                command = [bun(), str(NODE / "bun-server.ts"), *listen]
            case "uwebsockets":
                command = [str(uwebsockets.PROGRAM), *listen]
            case "socketio":
                return ["node", str(NODE / "socketio-server.mjs"), *listen]
            case "socketio+recovery":
                return ["node", str(NODE / "socketio-server.mjs"), *listen, "--recovery"]
            case "socketio-bun":
                return [bun(), str(NODE / "socketio-bun-server.ts"), *listen]
            case "batched":
                return [peer(self.package), *listen, "--batched"]
            case _:
                return [peer(self.package), *listen]
        return command + ["--deflate"] * deflate + ["--tls"] * tls


def peer(package: str) -> str:
    name = {"tokio-tungstenite": "tungstenite", "sockudo-ws": "sockudo"}.get(package, package)
    return str(BENCH / "target" / "release" / f"peer-{name}")


SUBJECTS = {
    subject.name: subject
    for subject in [
        Subject("floor", "floor", "floor", "raw epoll TCP echo, no WebSocket"),
        Subject(OURS, "server", "openline", "the full server, `openline serve`"),
        Subject("openline-ws", "library", "openline-ws", "the library, its README's echo loop"),
        Subject(
            "uwebsockets",
            "uwebsockets",
            uwebsockets.PACKAGE,
            "uWebSockets in C++, from the sources in libuwebsockets-sys",
        ),
        Subject("bun", "bun", "bun", "Bun.serve (a fork of uWebSockets inside)"),
        Subject("ws", "node", "ws", "ws with bufferutil on Node.js"),
        Subject("tungstenite", "peer", "tokio-tungstenite", "tokio-tungstenite, send per message"),
        Subject("tokio-websockets", "peer", "tokio-websockets", "send per message"),
        Subject("fastwebsockets", "peer", "fastwebsockets", "send per message"),
        Subject("yawc", "peer", "yawc", "send per message"),
        Subject("sockudo", "peer", "sockudo-ws", "sockudo-ws, send per message"),
        Subject("tungstenite+batch", "batched", "tokio-tungstenite", "feed, flush when drained"),
        Subject(
            "tokio-websockets+batch", "batched", "tokio-websockets", "feed, flush when drained"
        ),
        Subject("yawc+batch", "batched", "yawc", "feed, flush when drained"),
        Subject("sockudo+batch", "batched", "sockudo-ws", "feed, flush when drained"),
        Subject("socket.io", "socketio", "socket.io", "Socket.IO on Node.js, no recovery"),
        Subject(
            "socket.io+recovery", "socketio+recovery", "socket.io", "connectionStateRecovery on"
        ),
        Subject("socket.io-bun", "socketio-bun", "socket.io", "Socket.IO on its engine for Bun"),
    ]
}


def build(subjects: list[Subject]) -> None:
    """Builds and installs what the subjects need; nothing else."""
    kinds = {subject.kind for subject in subjects}
    load_alone = [] if kinds & {"peer", "batched", "floor"} else ["-p", "openline-load"]
    _run(["cargo", "build", "--release", "--locked", "--target-dir", "target", *load_alone], BENCH)
    if "server" in kinds and not GIVEN:
        _run(_cargo_ours("-p", "openline"), ROOT)
    if "library" in kinds:
        _run(_cargo_ours("-p", "openline-ws", "--example", "echo"), ROOT)
    if kinds & {"node", "bun", "socketio", "socketio+recovery", "socketio-bun"}:
        if shutil.which("node") is None or shutil.which("npm") is None:
            raise BenchError("node and npm are needed for the subjects ws, bun and socket.io")
        if not _installed():
            _run(["npm", "ci", "--no-audit", "--no-fund"], NODE)
    if "uwebsockets" in kinds:
        uwebsockets.build()
    for subject in subjects:
        program = subject.command()[0]
        if shutil.which(program) is None:
            raise BenchError(f"{subject.name}: the build left no {program}")


def build_storm() -> tuple[Path, Path]:
    """The server and the crowd of a storm. The crowd stands beside a server that is given."""
    if not GIVEN:
        _run(_cargo_ours("-p", "openline"), ROOT)
        _run(_cargo_ours("-p", "openline-client", "--example", "storm"), ROOT)
    server = Path(GIVEN or ROOT / "target" / "release" / "openline").resolve()
    crowd = server.parent / "examples" / "storm"
    if missing := [path for path in (server, crowd) if not path.is_file()]:
        raise BenchError(f"there is no {missing[0]}")
    return server, crowd


def _installed() -> bool:
    """Whether npm has installed all that the lock file names."""
    installed = NODE / "node_modules" / ".package-lock.json"
    lock = NODE / "package-lock.json"
    return installed.is_file() and installed.stat().st_mtime >= lock.stat().st_mtime


def bun() -> str:
    """The Bun binary out of its npm package, wherever its install script put it."""
    modules = NODE / "node_modules"
    candidates = [modules / "bun" / "bin" / "bun.exe", *modules.glob("@oven/bun-linux-*/bin/bun")]
    for candidate in candidates:
        try:
            subprocess.run([candidate, "--version"], check=True, capture_output=True, timeout=30)
            return str(candidate)
        except (OSError, subprocess.SubprocessError):
            continue
    raise BenchError(f"no Bun that runs in {modules}; remove it and run again")


def version(subject: Subject) -> str:
    if subject.kind == "floor":
        return "–"
    if subject.kind in ("server", "library"):
        manifest = tomllib.loads((ROOT / "Cargo.toml").read_text())
        given = ", from OPENLINE_BIN" if GIVEN and subject.kind == "server" else ""
        return manifest["workspace"]["package"]["version"] + given
    if subject.kind in ("node", "bun") or subject.kind.startswith("socketio"):
        return _npm_version(subject)
    lock = tomllib.loads((BENCH / "Cargo.lock").read_text())
    found = [entry["version"] for entry in lock["package"] if entry["name"] == subject.package]
    return found[0]


def _npm_version(subject: Subject) -> str:
    packages = json.loads((NODE / "package-lock.json").read_text())["packages"]

    def of(package: str) -> str:
        return packages[f"node_modules/{package}"]["version"]

    own = of(subject.package)
    if subject.kind == "bun":
        return own
    if subject.kind == "socketio-bun":
        return f"{own}, engine {of('@socket.io/bun-engine')}, Bun {of('bun')}"
    addon = of("bufferutil")
    node = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip()
    return f"{own}, bufferutil {addon}, Node.js {node.removeprefix('v')}"


def _cargo_ours(*what: str) -> list[str]:
    return ["cargo", "build", "--release", "--target-dir", "target", *what]


def _run(command: list[str], directory: Path) -> None:
    print(f"$ {' '.join(command)}", flush=True)
    finished = subprocess.run(command, cwd=directory, env=os.environ)
    if finished.returncode != 0:
        raise BenchError(f"this failed in {directory}: {' '.join(command)}")
