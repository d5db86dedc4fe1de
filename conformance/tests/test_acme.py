"""Certificates by ACME, from Debian's pebble: the challenge is answered on the server's own port."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import ssl
import stat
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from programs import Pebble, Server, free_port

NAME = "chat.openline.test"


def configuration(folder: Path, directory: str, ca: Path, names: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "openline.toml"
    listed = ", ".join(f'"{name}"' for name in names)
    path.write_text(f"""\
demo = true
data_dir = "{folder}/data"
http.allowed_hosts = ["*"]
[auth]
anonymous = true
[tls]
acme_domains = [{listed}]
acme_directory = "{directory}"
acme_contact = "operator@openline.test"
acme_ca = "{ca}"
""")
    return path


@contextmanager
def authority(folder: Path, certificates, port: int, **settings):
    with Pebble(folder / "pebble", port, certificates.certificate, certificates.key, **settings) as pebble:
        yield pebble, pebble.root(certificates.client_context())


def start(openline: str, config: Path, port: int) -> Server:
    return Server(openline, config.parent, "--config", str(config), port=port)


def shown(port: int, root: str, name: str = NAME) -> str:
    """The certificate for the name, which has to be good."""
    context = ssl.create_default_context(cadata=root)
    with socket.create_connection(("127.0.0.1", port), 5) as plain:
        with context.wrap_socket(plain, server_hostname=name) as line:
            return hashlib.sha256(line.getpeercert(True)).hexdigest()


def test_a_certificate_is_ordered_kept_and_used_again(openline, certificates, tmp_path):
    port = free_port()
    with authority(tmp_path, certificates, port) as (pebble, root):
        config = configuration(tmp_path / "own", pebble.directory, certificates.ca, [NAME])
        with start(openline, config, port) as server:
            server.wait_for(f'a certificate was issued domain="{NAME}"')
            first = shown(port, root)
            # What the authority was shown is shown to nobody any more.
            context = ssl.create_default_context(cadata=root)
            context.set_alpn_protocols(["acme-tls/1"])
            with socket.create_connection(("127.0.0.1", port), 5) as plain, pytest.raises(ssl.SSLError):
                context.wrap_socket(plain, server_hostname=NAME)
        kept = [path for path in (tmp_path / "own" / "data" / "acme").rglob("*") if path.is_file()]
        assert sorted(path.name for path in kept) == ["account.json", f"{NAME}.pem"]
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in kept)
        with start(openline, config, port) as server:
            assert shown(port, root) == first
            assert "is ordered" not in server.output
            assert server.returncode is None


async def test_a_renewal_closes_no_line(openline, certificates, tmp_path):
    port = free_port()
    with authority(tmp_path, certificates, port, seconds=6) as (pebble, root):
        config = configuration(tmp_path / "own", pebble.directory, certificates.ca, [NAME])
        with start(openline, config, port) as server:
            server.wait_for("a certificate was issued")
            first = shown(port, root)
            context = ssl.create_default_context(cadata=root)
            where = {"host": "127.0.0.1", "port": port, "server_hostname": NAME, "ssl": context}
            async with connect(f"wss://{NAME}:{port}/echo", **where) as line:
                server.wait_for(r"(?s)a certificate was issued.*a certificate was issued")
                assert shown(port, root) != first
                await line.send("still here")
                assert await line.recv() == "still here"


def test_a_name_that_leads_elsewhere_is_told_and_holds_up_no_other(openline, certificates, tmp_path):
    port = free_port()
    with authority(tmp_path, certificates, port) as (pebble, root):
        pebble.leads_to("gone.openline.test", "127.0.0.2")
        names = ["gone.openline.test", NAME]
        config = configuration(tmp_path / "own", pebble.directory, certificates.ca, names)
        with start(openline, config, port) as server:
            said = server.wait_for(r'not issued.*domain="gone.openline.test" why=(.*) again_in_s=(\d+)')
            assert re.search("the authority says (connection|unauthorized): ", said[1]) and "has to lead here" in said[1], said[1]
            assert 60 <= int(said[2]) <= 75
            server.wait_for(f'a certificate was issued domain="{NAME}"')
            shown(port, root)


@pytest.mark.parametrize(
    ("path", "why"),
    [("/nothing", "the answer to https://.*/nothing is 404 Not Found"), ("/roots/0", "is no directory")],
)
def test_a_wrong_directory_is_told_and_clients_are_refused_until_there_is_a_certificate(
    openline, certificates, tmp_path, path, why
):
    port = free_port()
    with authority(tmp_path, certificates, port) as (pebble, root):
        base = pebble.management if path == "/roots/0" else pebble.directory.removesuffix("/dir")
        config = configuration(tmp_path / "own", base + path, certificates.ca, [NAME])
        with start(openline, config, port) as server:
            server.wait_for(f"a certificate was not issued.*why=.*tls.acme_directory.*{why}")
            with pytest.raises(ssl.SSLError):
                shown(port, root)
            server.wait_for("a client was refused: there is no certificate yet")
            assert server.returncode is None


def test_an_account_that_the_authority_has_forgotten_is_made_anew(openline, certificates, tmp_path):
    port = free_port()
    with authority(tmp_path, certificates, port) as (pebble, root):
        config = configuration(tmp_path / "own", pebble.directory, certificates.ca, [NAME])
        with start(openline, config, port) as server:
            server.wait_for("a certificate was issued")
        (account,) = (tmp_path / "own" / "data" / "acme").rglob("account.json")
        kept = json.loads(account.read_text())
        account.write_text(json.dumps(kept | {"id": kept["id"].rsplit("/", 1)[0] + "/none"}))
        account.with_name(f"{NAME}.pem").unlink()
        with start(openline, config, port) as server:
            server.wait_for("a certificate was issued")
            shown(port, root)
        assert json.loads(account.read_text())["id"] not in (kept["id"], f"{kept['id']}/none")
