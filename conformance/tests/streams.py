"""Streams, polls and single requests, on plain HTTP."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import threading
import time
import urllib.parse
from dataclasses import dataclass

SECRET = "0123456789abcdef0123456789abcdef"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of an error, in either of the two shapes."""
        body = self.json
        return body["error"]["code"] if isinstance(body["error"], dict) else body["code"]


def ask(port: int, method: str, path: str, body=None, *, seconds: float = 35, **headers: str) -> Answer:
    """One request. `_` in the name of a header means `-`."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, data, named)
        response = connection.getresponse()
        lowered = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, lowered, response.read())
    finally:
        connection.close()


def query(**parameters: str) -> str:
    return urllib.parse.urlencode(parameters)


def publish(port: int, channel: str, data, path: str = "/sse", **more) -> Answer:
    answer = ask(port, "POST", path, {"type": "publish", "channel": channel, "data": data, **more})
    assert answer.status == 200 and answer.json["type"] == "published", answer
    return answer


def token(user: str | None = None, seconds: int = 600, **claims) -> str:
    """A JWT as a backend makes it."""

    def encoded(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    named = {} if user is None else {"sub": user}
    payload = {"exp": int(time.time()) + seconds, "iat": int(time.time()), **named, **claims}
    parts = [{"alg": "HS256", "typ": "JWT"}, payload]
    signed = ".".join(encoded(json.dumps(part).encode()) for part in parts)
    return f"{signed}.{encoded(hmac.digest(SECRET.encode(), signed.encode(), hashlib.sha256))}"


@dataclass
class Event:
    data: str
    id: str | None

    @property
    def message(self):
        return json.loads(self.data)


class Stream:
    """An open stream of events, read as the HTML standard says. Leaving the `with` block ends it."""

    def __init__(self, port: int, path: str, *, seconds: float = 20, **headers: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request("GET", path, headers={"Accept": "text/event-stream", **named})
        self._response = self._connection.getresponse()
        self.status = self._response.status
        self.headers = {name.lower(): value for name, value in self._response.getheaders()}
        self.last_id: str | None = None
        self.retry_ms: int | None = None
        self.comments = 0

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._connection.sock is not None:
            self._connection.sock.close()
        self._response.close()
        self._connection.close()

    def body(self) -> Answer:
        """All of it, for what is no stream."""
        return Answer(self.status, self.headers, self._response.read())

    def event(self) -> Event | None:
        """The next event; None at the end of the stream."""
        data: list[str] = []
        this_id: str | None = None
        while line := self._response.readline():
            text = line.decode().removesuffix("\n")
            if text == "" and data:
                return Event("\n".join(data), this_id)
            name, _, value = text.partition(":")
            value = value.removeprefix(" ")
            if name == "data":
                data.append(value)
            elif name == "id":
                this_id = self.last_id = value
            elif name == "retry":
                self.retry_ms = int(value)
            elif name == "" and text:
                self.comments += 1
            else:
                assert text == "", f"a line that has no place here: {text}"
        return None

    def message(self, *kinds: str):
        """The next message of one of these types; what others come meanwhile is passed over."""
        while event := self.event():
            message = event.message
            if message["type"] in kinds:
                return message
        raise AssertionError(f"the stream ended before {kinds} came")

    def opened(self) -> tuple[dict, dict]:
        """`welcome` and `subscribed`."""
        assert self.status == 200, self.body()
        welcome, subscribed = self.event(), self.event()
        assert welcome is not None and subscribed is not None
        assert welcome.message["type"] == "welcome", welcome
        assert subscribed.message["type"] == "subscribed", subscribed
        return welcome.message, subscribed.message


class Publishing(threading.Thread):
    """Publishes numbers to channels, one after the other, until it has done so many."""

    def __init__(self, port: int, channels: list[str], count: int, pause: float = 0.003) -> None:
        super().__init__(daemon=True)
        self.port, self.channels, self.count, self.pause = port, channels, count, pause
        self.failed: BaseException | None = None

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            for number in range(self.count):
                for channel in self.channels:
                    body = json.dumps({"type": "publish", "channel": channel, "data": number})
                    connection.request("POST", "/sse", body)
                    response = connection.getresponse()
                    answer = response.read()
                    assert response.status == 200, answer
                time.sleep(self.pause)
        except BaseException as error:
            self.failed = error
        finally:
            connection.close()

    def finish(self) -> None:
        self.join(30)
        assert self.failed is None, self.failed


def resident_bytes(pid: int) -> int:
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        (line,) = (line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024
