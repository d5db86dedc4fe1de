"""The work: who does it, and what the load generator is told."""

from dataclasses import dataclass

from harness.subjects import OURS, SUBJECTS

IDLE_LINES = 10_000
EXCHANGE_IDLE_LINES = 15_000
SOCKETIO_ROOMS = 100
USERS = 1_000

# The publisher, a line that stalls, and what a process has open anyway.
DESCRIPTORS_BESIDE_LINES = 500

TLS_IDLE_LINES = 5_000

# What who comes back has missed, and how each publication of it is long.
MISSED = 100

LIBRARIES = ["tungstenite", "tokio-websockets", "fastwebsockets", "yawc", "sockudo"]
NATIVE = ["uwebsockets", "bun"]
ECHO = [OURS, "openline-ws", *NATIVE, "ws", *LIBRARIES]
NODES = 3
FLAT_LINES = [100, 1_000, 10_000, 15_000]

# What a client of the exchange says and hears (spec/PROTOCOL.md).
EXCHANGE_HELLO = """
--hello {"type":"subscribe","channels":["news"]}
--answer {"type":"subscribed"
--quiet 1.5
"""
EXCHANGE_PUBLISH = """
--publish {"type":"publish","channel":"news","data":"{data}"}
--delivery {"type":"message"
"""

# An event stream gets the same deliveries; somebody else publishes.
STREAM_PUBLISH = f"""
{EXCHANGE_PUBLISH.strip()}
--publisher /ws
"""

# A publication of its own channel for each line, with an answer.
ASK = """
--request {"type":"publish","id":{id},"channel":"load:{line}","data":"{data}"}
--answer {"type":"published"
"""

# What a client says that has missed all that was published ahead.
RECOVERY = f"""
--published {MISSED}
--publish {{"type":"publish","id":1,"channel":"news","data":"{'x' * 128}"}}
--hello {{"type":"subscribe","channels":[{{"channel":"news","position":"{{position}}"}}]}}
--answer {{"type":"subscribed"
--holds "recovered":true
"""

# What a Socket.IO client says and hears, of every server alike (peers/node/chat.mjs).
SOCKETIO_HELLO = """
--socketio
--hello 42["join-room","{room}"]
--answer 42["system"
--quiet 1.5
"""
SOCKETIO_PUBLISH = """
--publish 42["chat",{"room":"0","text":"{data}"}]
--delivery 42["chat"
"""


def _arguments(text: str) -> list[str]:
    """One option and its value a line, since the values have spaces of their own."""
    return [word for line in text.split("\n") if line for word in line.split(" ", 1)]


@dataclass(frozen=True)
class Entry:
    """One row of a workload's table."""

    subject: str
    note: str = ""  # what sets the row apart from the subject's others
    deflate: bool = False
    users: int = 0  # lines bring tokens of so many users
    stalled: bool = False  # one more line is subscribed, whose process is stopped
    bare: bool = False  # a peer delivers the text alone, not as many bytes as ours
    lines: int = 0  # instead of the workload's
    broker: str = ""  # several nodes on "redis" or "nats"
    tls: bool = False
    options: str = ""  # of our command

    @property
    def label(self) -> str:
        return f"{self.subject} ({self.note})" if self.note else self.subject


@dataclass(frozen=True)
class Workload:
    name: str
    title: str
    mode: str  # the load generator's
    lines: int
    entries: list[Entry]
    arguments: list[str]
    door: str = "echo"  # or "exchange", lines subscribed to a channel; or "socketio", in a room
    rivals: tuple[str, ...] = tuple(NATIVE)  # whom the tables compare with
    size: int = 0
    seconds: float = 0.0  # the least that the window lasts

    def descriptors(self) -> int:
        """What a server or a load of this workload has open at most."""
        most = max((entry.lines for entry in self.entries), default=0)
        return max(most, self.lines) + DESCRIPTORS_BESIDE_LINES

    def path(self, entry: Entry) -> str:
        match self.door:
            case "echo":
                return "/echo"
            case "stream":
                return "/sse?channels=news" if entry.subject == OURS else "/sse"
            case "socketio":
                return "/socket.io/?EIO=4&transport=websocket"
        return "/ws" if entry.subject == OURS else "/chat"

    def hello(self, entry: Entry) -> list[str]:
        """How each line is introduced; peers of the exchange subscribe whoever comes."""
        match self.door:
            case "echo" | "stream" | "arrival":
                return []
            case "socketio":
                return _arguments(SOCKETIO_HELLO)
        if entry.subject != OURS:
            return ["--quiet", "0.6"]
        words = _arguments(EXCHANGE_HELLO)
        if entry.deflate:
            # The beginning of a compressed answer cannot be seen.
            del words[words.index("--answer") :][:2]
        return words

    def publishing(self, entry: Entry, envelope_bytes: int) -> list[str]:
        """What a publication is: for a peer, text of the length that our delivery has."""
        if self.door == "socketio":
            return [*_arguments(SOCKETIO_PUBLISH), "--size", str(self.size)]
        if self.door == "stream" and entry.subject == OURS:
            return [*_arguments(STREAM_PUBLISH), "--size", str(self.size)]
        if self.door == "stream":
            return ["--publisher", "/publish", "--size", str(envelope_bytes)]
        if entry.subject == OURS:
            return [*_arguments(EXCHANGE_PUBLISH), "--size", str(self.size)]
        return ["--size", str(self.size if entry.bare else envelope_bytes)]


def _entries(names: list[str]) -> list[Entry]:
    return [Entry(name) for name in names]


def _fanout(name: str, lines: int, burst: int, others: list[Entry]) -> Workload:
    how = "one publication at a time" if burst == 1 else f"in bursts of {burst}"
    return Workload(
        name,
        f"The exchange: 128 bytes from one line to {lines:,}, {how}",
        "fanout",
        lines,
        [
            Entry(OURS),
            *(Entry(name, note, bare=bool(note)) for name in NATIVE for note in ("", "bare")),
            *others,
        ],
        f"--burst {burst}".split(),
        door="exchange",
        size=128,
    )


def _cluster(name: str, lines: int, how: str, arguments: str) -> Workload:
    """The same number of lines on each node, whether it is alone or one of several."""
    nodes = [
        Entry(OURS, f"{broker}, {NODES} nodes", broker=broker, lines=NODES * lines)
        for broker in ("redis", "nats")
    ]
    return Workload(
        name,
        f"Nodes: 128 bytes from one line to {lines:,} on each node, {how}",
        "fanout",
        lines,
        [Entry(OURS), *nodes],
        arguments.split(),
        door="exchange",
        rivals=(OURS,),
        size=128,
    )


def _flat_entries() -> list[Entry]:
    return [
        Entry(subject, f"{lines:,} lines", lines=lines)
        for lines in FLAT_LINES
        for subject in (OURS, *NATIVE)
    ]


ECHO_WORKLOADS = [
    Workload(
        "echo-1",
        "Echo: 64 lines, 128-byte text, one message in flight per line",
        "echo",
        64,
        _entries(["floor", *ECHO]),
        "--size 128 --in-flight 1 --text".split(),
    ),
    Workload(
        "echo-32",
        "Echo: 64 lines, 128-byte text, 32 messages in flight per line",
        "echo",
        64,
        _entries(["floor", *ECHO, *(name for name in SUBJECTS if name.endswith("+batch"))]),
        "--size 128 --in-flight 32 --text".split(),
    ),
    Workload(
        "echo-64k",
        "Echo: 16 lines, 64 KiB binary, one message in flight per line",
        "echo",
        16,
        # yawc stands here twice, because its default buffers do not suit this size.
        _entries(["floor", *ECHO, "yawc+batch"]),
        "--size 65536 --in-flight 1".split(),
    ),
    Workload(
        "idle-10k",
        "Idle: 10,000 open lines that say nothing",
        "idle",
        IDLE_LINES,
        _entries(ECHO),
        "--hold 60".split(),
    ),
]

EXCHANGE_WORKLOADS = [
    _fanout("exchange-1000", 1_000, 1, [Entry("ws")]),
    _fanout("exchange-1000-burst16", 1_000, 16, [Entry("ws")]),
    _fanout("exchange-10000", 10_000, 1, []),
    _fanout("exchange-10000-burst16", 10_000, 16, []),
    Workload(
        "exchange-flat",
        "The exchange: 128 bytes from one line to 100 … 15,000, one publication at a time",
        "fanout",
        1_000,
        _flat_entries(),
        "--burst 1".split(),
        door="exchange",
        size=128,
    ),
    Workload(
        "exchange-stall",
        "The exchange: 1 KiB to 1,000 lines, 20 bursts of 16 a second; "
        "a subscriber beside them does not read",
        "fanout",
        1_000,
        [
            Entry(subject, note, stalled=bool(note))
            for subject in (OURS, *NATIVE)
            for note in ("", "stalled reader")
        ],
        "--burst 16 --rate 20".split(),
        door="exchange",
        size=1_024,
        seconds=3.0,
    ),
    Workload(
        "exchange-1000-deflate",
        "The exchange: 2 KiB of words from one line to 1,000, one at a time, permessage-deflate",
        "fanout",
        1_000,
        [
            Entry(OURS),
            *(Entry(name, "deflate", deflate=True) for name in (OURS, *NATIVE, "ws")),
        ],
        "--burst 1".split(),
        door="exchange",
        size=2_048,
    ),
    Workload(
        "exchange-idle-15k",
        "The exchange: 15,000 lines of 1,000 users, authenticated and subscribed, that say nothing",
        "idle",
        EXCHANGE_IDLE_LINES,
        [Entry(OURS, users=USERS), Entry(OURS, "no token"), *_entries(NATIVE)],
        "--hold 60".split(),
        door="exchange",
    ),
]

SOCKETIO_ENTRIES = _entries([OURS, "socket.io", "socket.io+recovery", "socket.io-bun"])


def _socketio(name: str, title: str, mode: str, lines: int, arguments: str) -> Workload:
    return Workload(
        name,
        title,
        mode,
        lines,
        SOCKETIO_ENTRIES,
        arguments.split(),
        door="socketio",
        rivals=("socket.io",),
        size=128,
    )


SOCKETIO_WORKLOADS = [
    _socketio(
        "socketio-1000",
        "Socket.IO: 128 bytes from one client to a room of 1,000, one at a time",
        "fanout",
        1_000,
        "--burst 1",
    ),
    _socketio(
        "socketio-1000-burst16",
        "Socket.IO: 128 bytes from one client to a room of 1,000, in bursts of 16",
        "fanout",
        1_000,
        "--burst 16",
    ),
    _socketio(
        "socketio-idle-10k",
        f"Socket.IO: 10,000 clients in {SOCKETIO_ROOMS} rooms that say nothing",
        "idle",
        IDLE_LINES,
        f"--hold 60 --rooms {SOCKETIO_ROOMS}",
    ),
]

CLUSTER_WORKLOADS = [
    _cluster("cluster-1000", 1_000, "one publication at a time", "--burst 1"),
    _cluster("cluster-1000-burst16", 1_000, "in bursts of 16", "--burst 16"),
    _cluster("cluster-latency", 100, "50 publications a second", "--burst 1 --rate 50"),
]

TLS_ENTRIES = [Entry(name, tls=True) for name in (OURS, *NATIVE, "ws")]

TLS_WORKLOADS = [
    Workload(
        "tls-echo-1",
        "TLS: echo, 64 lines, 128-byte text, one message in flight per line",
        "echo",
        64,
        TLS_ENTRIES,
        "--size 128 --in-flight 1 --text".split(),
    ),
    Workload(
        "tls-exchange-1000",
        "TLS: the exchange, 128 bytes from one line to 1,000, one publication at a time",
        "fanout",
        1_000,
        TLS_ENTRIES,
        "--burst 1".split(),
        door="exchange",
        size=128,
    ),
    Workload(
        "tls-idle-5k",
        "TLS: 5,000 open lines that say nothing",
        "idle",
        TLS_IDLE_LINES,
        TLS_ENTRIES,
        "--hold 60".split(),
    ),
]


def _stream(name: str, burst: int) -> Workload:
    how = "one publication at a time" if burst == 1 else f"in bursts of {burst}"
    return Workload(
        name,
        f"Event streams (SSE): 128 bytes to 1,000 readers, {how}",
        "stream",
        1_000,
        _entries([OURS, *NATIVE, "ws"]),
        f"--burst {burst}".split(),
        door="stream",
        size=128,
    )


STREAM_WORKLOADS = [_stream("sse-1000", 1), _stream("sse-1000-burst16", 16)]

ARRIVAL_WORKLOADS = [
    Workload(
        "connect",
        "Arriving: lines are opened and cut, 64 at a time",
        "cycle",
        64,
        _entries(ECHO),
        [],
    ),
    Workload(
        "recover",
        f"Coming back: lines subscribe with a position, get the {MISSED} messages that they missed, "
        "and are cut, 64 at a time",
        "cycle",
        64,
        [Entry(OURS), Entry(OURS, "in memory", options="--ephemeral")],
        _arguments(RECOVERY),
        door="arrival",
        rivals=(OURS,),
    ),
    Workload(
        "publish-acked",
        "Publishing: 128 bytes to 64 channels, 32 acks awaited on each of 64 lines, nobody subscribed",
        "ask",
        64,
        [
            Entry(OURS),
            Entry(OURS, "level memory", options="--history-level memory"),
            Entry(OURS, "level fsync", options="--history-level fsync"),
            Entry(OURS, "in memory", options="--ephemeral"),
        ],
        [*"--size 128 --in-flight 32".split(), *_arguments(ASK)],
        door="arrival",
        rivals=(OURS,),
        seconds=2.0,
    ),
]

WORKLOADS = {
    workload.name: workload
    for workload in [
        *ECHO_WORKLOADS,
        *EXCHANGE_WORKLOADS,
        *STREAM_WORKLOADS,
        *TLS_WORKLOADS,
        *ARRIVAL_WORKLOADS,
        *SOCKETIO_WORKLOADS,
        *CLUSTER_WORKLOADS,
    ]
}
