"""Three nodes that share a broker, with proxies in front that send each request to another of them."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import ExitStack
from pathlib import Path

from programs import BrokerServer, HAProxy, Nginx, Server, free_port
from streams import SECRET, Answer, ask

KEY = "a-key-of-the-api-for-all-three-nodes"

CONFIG = """\
demo = true
demo_ticker = false
strict_namespaces = false

[node]
name = "{name}"

[broker]
url = "{url}"
probe_interval = "1s"

[auth]
anonymous = true

[[auth.keys]]
algorithm = "HS256"
secret = "{secret}"

[namespace.default]
publish = "anyone"
history_size = 5000
history_read = "anyone"
presence_read = "anyone"

[limits]
connections_per_ip = 0
connections_per_user = 4
admission = "off"

[rates]
{rates}

[api]
keys = ["{key}"]

[drain]
delay = "0s"
duration = "1s"
notice = "3s"
"""

RATES = "\n".join(f'{name} = "off"' for name in ("commands", "publish"))


class Cluster:
    """The nodes, and the proxies by name."""

    def __init__(self, openline: str, folder: Path, broker: type[BrokerServer]) -> None:
        self._openline, self._folder = openline, folder
        self._running = ExitStack()
        try:
            self.broker = broker(folder / "broker")
            self._running.callback(self.broker.stop)
            self.ports = [free_port() for _ in range(3)]
            self.nodes = [self._start(number) for number in range(3)]
            self._running.callback(lambda: [node.stop() for node in self.nodes])
            self.proxies = {"nginx": Nginx(folder / "nginx", *self.ports), "haproxy": HAProxy(folder / "haproxy", *self.ports)}
            for proxy in self.proxies.values():
                self._running.callback(proxy.stop)
            self.wait_until_whole()
        except BaseException:
            self._running.close()
            raise

    def close(self) -> None:
        self._running.close()
        for node in self.nodes:
            assert "panicked" not in node.output, node.output

    def _start(self, number: int) -> Server:
        folder = self._folder / f"node{number}"
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "openline.toml"
        texts = {"name": f"node{number}", "url": self.broker.url, "secret": SECRET, "key": KEY, "rates": RATES}
        config.write_text(CONFIG.format(**texts))
        flags = ("--config", str(config), "--data-dir", str(folder / "data"))
        return Server(self._openline, folder, *flags, port=self.ports[number])

    def kill(self, number: int) -> None:
        """As by a crash."""
        os.killpg(self.nodes[number].pid, signal.SIGKILL)
        self.nodes[number].wait(5)

    def start(self, number: int) -> None:
        self.nodes[number] = self._start(number)

    def wait_until_whole(self) -> None:
        """Waits until each node knows all."""
        self.until(lambda: all(len(self.info(port)["nodes"]) == len(self.ports) for port in self.ports))

    def info(self, port: int):
        return self.api(port, "info").json

    def api(self, port: int, route: str, body=None) -> Answer:
        method = "GET" if body is None else "POST"
        return ask(port, method, f"/api/v1/{route}", body, seconds=10, Authorization=f"Bearer {KEY}")

    def publish(self, number: int, channel: str, data, **more) -> Answer:
        return self.api(self.ports[number], "publish", {"channel": channel, "data": data, **more})

    @staticmethod
    def until(is_so, seconds: float = 15) -> None:
        deadline = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < deadline, f"not so after {seconds} s"
            time.sleep(0.05)


def members(cluster: Cluster, port: int, channel: str) -> tuple[list[str], int]:
    """Who is on a channel, by client id, and how many, as one node says."""
    answer = cluster.api(port, "presence", {"channel": channel}).json
    return sorted(member["clientId"] for member in answer["members"]), answer["count"]


def sent(**message) -> str:
    return json.dumps(message)
