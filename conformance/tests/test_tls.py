"""Certificates of the program: several names, and files that are replaced while lines are open."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trustme
from websockets.asyncio.client import connect

from programs import Server

NAMES = ["a.openline.test", "b.openline.test", "*.c.openline.test"]
LINES = 50


class Site:
    """An authority, and the files of a server with a certificate for each name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = trustme.CA()
        self.context = ssl.create_default_context(cadata=self.authority.cert_pem.bytes().decode())
        for index, name in enumerate(NAMES):
            self.issue(index, name)
        listed = "".join(f'[[tls.certificates]]\ncertificate = "{i}.pem"\nkey = "{i}.key"\n' for i in range(len(NAMES)))
        self.config = folder / "openline.toml"
        self.config.write_text(f"demo = true\nephemeral = true\nhttp.allowed_hosts = [\"*\"]\n[auth]\nanonymous = true\n{listed}")

    def issue(self, index: int, name: str) -> None:
        """Puts a new certificate in place, as programs that renew them do: aside, then renamed."""
        issued = self.authority.issue_cert(name)
        issued.private_key_pem.write_to_path(self.folder / "new.key")
        issued.cert_chain_pems[0].write_to_path(self.folder / "new.pem")
        for end in ("key", "pem"):
            shutil.move(self.folder / f"new.{end}", self.folder / f"{index}.{end}")

    def shown(self, port: int, name: str) -> int:
        """The serial number of the certificate for the name, which has to be good."""
        with socket.create_connection(("127.0.0.1", port), 5) as plain:
            with self.context.wrap_socket(plain, server_hostname=name) as line:
                return int(line.getpeercert()["serialNumber"], 16)


@pytest.fixture
def site(tmp_path) -> Site:
    return Site(tmp_path)


def test_three_names_have_three_certificates(openline, site):
    with Server(openline, site.folder, "--config", str(site.config)) as server:
        serials = {site.shown(server.port, name.replace("*", "chat")) for name in NAMES}
        assert len(serials) == 3
        with pytest.raises(ssl.SSLCertVerificationError):
            site.shown(server.port, "other.openline.test")


@pytest.mark.parametrize("by", ["signal", pytest.param("look", marks=pytest.mark.long)])
async def test_certificates_are_replaced_under_open_lines(openline, site, by):
    """Told by SIGHUP, or left to the server to notice."""

    def tell(server: Server) -> None:
        if by == "signal":
            os.kill(server.pid, signal.SIGHUP)

    name = NAMES[0]
    async with AsyncExitStack() as stack:
        server = stack.enter_context(Server(openline, site.folder, "--config", str(site.config)))
        first = site.shown(server.port, name)
        where = {"host": "127.0.0.1", "port": server.port, "server_hostname": name, "ssl": site.context}
        opened = [connect(f"wss://{name}:{server.port}/echo", **where) for _ in range(LINES)]
        lines = [await stack.enter_async_context(line) for line in opened]

        site.issue(0, name)
        tell(server)
        server.wait_for("certificates were replaced|the configuration was loaded again")
        second = site.shown(server.port, name)
        assert second != first

        (site.folder / "0.key").write_text("no key")
        site.issue(1, NAMES[1])
        tell(server)
        server.wait_for("0.key: there is no private key in it")
        assert site.shown(server.port, name) == second

        for line in lines:
            await line.send("still here")
            assert await line.recv() == "still here"
        assert server.returncode is None
