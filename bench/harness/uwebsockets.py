"""uWebSockets in C++: its sources come with a package of Rust's, and are compiled as its own Makefile does."""

import json
import shutil
import subprocess
from pathlib import Path

from harness.server import BenchError

BENCH = Path(__file__).resolve().parent.parent
SERVER = BENCH / "peers" / "uwebsockets" / "server.cpp"
PROGRAM = BENCH / "target" / "release" / "peer-uwebsockets"
PACKAGE = "libuwebsockets-sys"

FLAGS = "-O3 -march=native -flto=auto -DLIBUS_USE_OPENSSL".split()
LIBRARIES = "-lz -lssl -lcrypto".split()


def build() -> None:
    """Compiles the server, where it is older than what it is made of."""
    if missing := [program for program in ("gcc", "g++") if shutil.which(program) is None]:
        raise BenchError(
            f"uwebsockets needs {' and '.join(missing)}: apt install g++ zlib1g-dev libssl-dev"
        )
    newest = max(path.stat().st_mtime for path in (SERVER, Path(__file__), BENCH / "Cargo.lock"))
    if PROGRAM.is_file() and PROGRAM.stat().st_mtime >= newest:
        return
    root = _sources()
    sockets = root / "uSockets" / "src"
    include = [f"-I{root / 'src'}", f"-I{sockets}"]
    objects = BENCH / "target" / "uwebsockets"
    shutil.rmtree(objects, ignore_errors=True)
    objects.mkdir(parents=True)
    c_files = [path for part in ("", "eventing", "crypto") for path in (sockets / part).glob("*.c")]
    cpp_files = list((sockets / "crypto").glob("*.cpp"))
    _run(["gcc", "-std=c11", *FLAGS, *include, "-c", *map(str, c_files)], objects)
    _run(["g++", "-std=c++20", *FLAGS, *include, "-c", *map(str, cpp_files)], objects)
    parts = [str(SERVER), *sorted(str(path) for path in objects.glob("*.o"))]
    PROGRAM.parent.mkdir(parents=True, exist_ok=True)
    _run(["g++", "-std=c++20", *FLAGS, *include, *parts, *LIBRARIES, "-o", str(PROGRAM)], objects)


def _sources() -> Path:
    """Where Cargo has unpacked the package."""
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    found = subprocess.run(command, cwd=BENCH, capture_output=True, text=True)
    if found.returncode != 0:
        raise BenchError(f"this failed in {BENCH}: {' '.join(command)}\n{found.stderr}")
    packages = json.loads(found.stdout)["packages"]
    manifest = next(each["manifest_path"] for each in packages if each["name"] == PACKAGE)
    return Path(manifest).parent / "uWebSockets"


def _run(command: list[str], directory: Path) -> None:
    finished = subprocess.run(command, cwd=directory, capture_output=True, text=True)
    if finished.returncode != 0:
        raise BenchError(f"this failed in {directory}: {' '.join(command)}\n{finished.stderr}")
