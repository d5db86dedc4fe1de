"""A certificate for loopback, made for this run."""

import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

from harness.server import HOST, BenchError


@functools.cache
def files() -> dict[str, str]:
    """The certificate, which vouches for itself, and its key."""
    if shutil.which("openssl") is None:
        raise BenchError("openssl is needed for the workloads over TLS")
    with tempfile.TemporaryDirectory(prefix="openline-bench-") as directory:
        words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
        outputs = "-keyout key.pem -out certificate.pem"
        name = ["-subj", "/CN=openline bench", "-addext", f"subjectAltName=IP:{HOST}"]
        # rustls does not take a certificate of an authority for that of a server.
        leaf = ["-addext", "basicConstraints=critical,CA:FALSE"]
        command = [*words.split(), *outputs.split(), *name, *leaf]
        made = subprocess.run(command, cwd=directory, capture_output=True, text=True)
        if made.returncode != 0:
            raise BenchError(f"openssl makes no certificate: {made.stderr.strip()[-300:]}")
        names = ("certificate.pem", "key.pem")
        return {name: (Path(directory) / name).read_text() for name in names}
