"""Server-sent events: what is sent, what is sent again, and what is refused."""

from __future__ import annotations

import json
import random
import socket
import time
from contextlib import contextmanager

import pytest

from programs import LISTENING, NODE, Program, Server, find, free_port
from streams import SECRET, Publishing, Stream, ask, publish, query, resident_bytes, token

MIB = 1 << 20

CONFIG = f"""\
[http]
allowed_origins = ["https://app.example"]

[auth]
cookie = "openline"

[[auth.keys]]
algorithm = "HS256"
secret = "{SECRET}"

[limits]
message = "64KiB"
"""

BEARER = "Bearer "


@pytest.fixture(scope="module")
def guarded(openline: str, tmp_path_factory):
    """A server where clients have to say who they are."""
    folder = tmp_path_factory.mktemp("guarded")
    config = folder / "openline.toml"
    config.write_text(CONFIG)
    with Server(openline, folder / "run", "--config", str(config)) as program:
        yield program
        assert "panicked" not in program.output, program.output


@contextmanager
def open_stream(server: Server, **parameters: str):
    with Stream(server.port, f"/sse?{query(**parameters)}") as stream:
        yield stream


def test_a_stream_begins_with_the_time_to_retry_the_welcome_and_the_channels(server):
    with open_stream(server, channels="sse-begin,other:sse-begin") as stream:
        welcome, subscribed = stream.opened()
        assert stream.headers["content-type"] == "text/event-stream"
        assert stream.headers["cache-control"] == "no-store"
        assert stream.headers["x-accel-buffering"] == "no"
        assert 1_000 <= stream.retry_ms <= 3_000
    assert welcome["protocol"] == 1 and welcome["clientId"] and welcome["session"]
    assert welcome["session"] != welcome["clientId"]
    assert subscribed["channels"] == ["sse-begin", "other:sse-begin"]


def test_what_is_published_by_post_arrives_with_its_position_as_id(server):
    with open_stream(server, channels="sse-post") as stream:
        stream.opened()
        data = {"text": "grüß dich\r\n世界\n🙂", "null": None}
        published = publish(server.port, "sse-post", data).json
        while (event := stream.event()).message["type"] != "message":
            pass
        assert event.message["data"] == data
        assert event.message["position"] == published["position"] == event.id
        assert stream.comments == 0


def test_the_answer_to_a_post_is_the_reply(server):
    def post(body, path="/sse"):
        return ask(server.port, "POST", path, body)

    pong = post({"type": "ping", "id": 7})
    assert (pong.status, pong.json["type"], pong.json["id"]) == (200, "pong", 7)
    assert pong.headers["cache-control"] == "no-store"
    for body, status, code in [
        (b"{", 400, "invalid_json"),
        (b"", 400, "invalid_json"),
        ({"type": "publish"}, 400, "bad_request"),
        ({"type": "publish", "channel": "a b"}, 400, "bad_channel"),
        ({"type": "roll", "id": "x"}, 400, "unknown_type"),
        ({"type": "subscribe", "channels": ["a"]}, 404, "unknown_session"),
        ({"type": "typing", "channel": "a"}, 404, "unknown_session"),
    ]:
        answer = post(body)
        assert (answer.status, answer.json["type"], answer.code) == (status, "error", code), body
    gone = post({"type": "subscribe", "id": 3, "channels": ["a"]}, "/sse?session=AAAAAAAAAAAAAAAAAAAAAA")
    assert (gone.status, gone.code, gone.json["id"]) == (404, "unknown_session", 3)
    assert publish(server.port, "sse-answer", 1, path="/sse?session=unknown").json["level"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD"])
def test_other_methods_are_refused(server, method):
    answer = ask(server.port, method, "/sse?channels=a")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, POST")


def test_a_message_in_a_post_has_a_limit(guarded):
    authorization = BEARER + token("ann")
    for length, status in [(60_000, 200), (66_000, 413)]:
        body = {"type": "publish", "channel": "big", "data": "x" * length}
        answer = ask(guarded.port, "POST", "/sse", body, Authorization=authorization)
        assert answer.status == status, answer
    # What says that it is longer than allowed is refused before it comes.
    with socket.create_connection(("127.0.0.1", guarded.port), 10) as line:
        head = f"POST /sse HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {authorization}\r\n"
        line.sendall(f"{head}Content-Length: 1000000000\r\n\r\n".encode())
        assert line.recv(100).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("channels", [["sse-resume"], ["sse-resume-a", "sse-resume-b", "sse-resume-c"]])
@pytest.mark.parametrize("how", ["header", "query"])
def test_a_stream_that_broke_goes_on_without_loss_and_without_repeat(server, channels, how):
    channels = [f"{channel}-{how}" for channel in channels]
    count, seen, last_id, opened = 300, {channel: [] for channel in channels}, None, 0
    chance = random.Random(7)
    publishing = Publishing(server.port, channels, count)
    started = False
    while any(len(of_channel) < count for of_channel in seen.values()):
        parameters, headers = {"channels": ",".join(channels)}, {}
        if last_id is not None and how == "header":
            headers["Last_Event_ID"] = last_id
        elif last_id is not None:
            parameters["position"] = last_id
        with Stream(server.port, f"/sse?{query(**parameters)}", **headers) as stream:
            _, subscribed = stream.opened()
            opened += 1
            for channel in channels:
                assert subscribed["data"][channel].get("recovered", True), subscribed
            last_id = stream.last_id
            if not started:
                publishing.start()
                started = True
            for _ in range(chance.randrange(1, 60)):
                event = stream.event()
                if event.message["type"] == "message":
                    seen[event.message["channel"]].append(event.message["data"])
                    assert event.id is not None
                last_id = stream.last_id
                if all(len(of_channel) == count for of_channel in seen.values()):
                    break
        time.sleep(chance.random() / 50)
    publishing.finish()
    assert all(of_channel == list(range(count)) for of_channel in seen.values())
    assert opened > 3


def test_more_than_fits_is_caught_up_piece_by_piece(server):
    last = publish(server.port, "sse-catch-up", "before").json["position"]
    payload = "x" * 9_000
    for number in range(90):
        publish(server.port, "sse-catch-up", [number, payload])
    with open_stream(server, channels="sse-catch-up", position=last) as stream:
        _, subscribed = stream.opened()
        assert subscribed["data"]["sse-catch-up"]["recovered"] is True
        assert [stream.message("message")["data"][0] for _ in range(90)] == list(range(90))
        publish(server.port, "sse-catch-up", ["live"])
        assert stream.message("message", "unrecovered")["data"] == ["live"]


@pytest.mark.parametrize("bad", ["x", "~", "~AAAA", "12", "A" * 2_000, "%FF%00", "AAAAAQAAAAAAAAACAQ"])
def test_an_id_that_no_server_wrote_is_a_gap_that_is_told(server, bad):
    with Stream(server.port, "/sse?channels=sse-bad-a,sse-bad-b", Last_Event_ID=bad) as stream:
        _, subscribed = stream.opened()
        assert set(subscribed["channels"]) == {"sse-bad-a", "sse-bad-b"}
        for joined in subscribed["data"].values():
            assert (joined["recovered"], joined["reason"]) == (False, "epoch")
        publish(server.port, "sse-bad-b", 1)
        assert stream.message("message")["data"] == 1


def test_the_position_of_one_channel_is_no_id_of_another(server):
    theirs = publish(server.port, "sse-theirs", 1).json["position"]
    publish(server.port, "sse-ours", 1)
    with open_stream(server, channels="sse-ours", position=theirs) as stream:
        _, subscribed = stream.opened()
        joined = subscribed["data"]["sse-ours"]
        assert joined["recovered"] is False and joined["reason"] in ("epoch", "fork")


def test_after_quiet_there_is_a_comment(server):
    with Stream(server.port, "/sse?channels=sse-quiet", seconds=25) as stream:
        stream.opened()
        time.sleep(16)
        publish(server.port, "sse-quiet", 1)
        assert stream.message("message")["data"] == 1
        assert stream.comments == 1


def test_a_stream_may_begin_without_channels_and_subscribe_by_messages(server):
    with open_stream(server, channels="") as stream:
        welcome = stream.message("welcome")
        body = {"type": "subscribe", "id": 1, "channels": ["sse-bare"]}
        assert ask(server.port, "POST", "/sse", body, Openline_Session=welcome["session"]).status == 204
        assert stream.message("subscribed", "welcome")["channels"] == ["sse-bare"]
        publish(server.port, "sse-bare", 1)
        assert stream.message("message")["data"] == 1


def test_a_session_is_spoken_for_by_its_secret(server):
    with open_stream(server, channels="sse-session") as stream:
        welcome, _ = stream.opened()
        session = welcome["session"]

        def post(body, **headers):
            return ask(server.port, "POST", "/sse", body, **{"Openline_Session": session, **headers})

        subscribed = post({"type": "subscribe", "id": 1, "channels": ["sse-session-2"]})
        assert (subscribed.status, subscribed.body) == (204, b"")
        reply = stream.message("subscribed")
        assert (reply["id"], reply["channels"]) == (1, ["sse-session-2"])
        publish(server.port, "sse-session-2", "two")
        assert stream.message("message")["data"] == "two"
        assert stream.last_id.startswith("~")

        members = post({"type": "presence", "channel": "sse-session"}).json["data"]["members"]
        assert [member["clientId"] for member in members] == [welcome["clientId"]]
        assert post({"type": "typing", "channel": "sse-session"}).json == {"type": "typing"}
        answer = post({"type": "subscribe", "id": 2, "channels": [f"many-{n}" for n in range(31)]})
        assert (answer.status, answer.code, answer.json["id"]) == (429, "channel_limit", 2)

        # Others see the client's id; it opens nothing.
        other = post({"type": "unsubscribe", "channels": ["sse-session"]}, Openline_Session=welcome["clientId"])
        assert other.code == "unknown_session"

        in_query = ask(server.port, "POST", f"/sse?session={session}", {"type": "unsubscribe", "channels": ["sse-session-2"]})
        assert in_query.status == 204
        assert stream.message("unsubscribed")["channels"] == ["sse-session-2"]
        own = post({"type": "publish", "channel": "sse-session", "data": 1, "echo": False})
        assert own.json["type"] == "published"
        publish(server.port, "sse-session", 2)
        assert stream.message("message")["data"] == 2

    deadline = time.monotonic() + 5
    while post({"type": "typing", "channel": "sse-session"}).status != 404:
        assert time.monotonic() < deadline, "the session outlives its stream"
        time.sleep(0.05)


@pytest.mark.parametrize(
    "path, code",
    [
        ("/sse", "bad_request"),
        ("/sse?channels=a%20b", "bad_channel"),
        ("/sse?channels=%FF", "bad_request"),
        (f"/sse?channels={'x' * 256}", "bad_channel"),
        (f"/sse?channels={','.join(f'c{n}' for n in range(33))}", "bad_request"),
    ],
)
def test_what_cannot_be_subscribed_is_refused_before_the_stream(server, path, code):
    with Stream(server.port, path) as stream:
        answer = stream.body()
        assert (answer.status, answer.code) == (400, code)


def test_who_has_to_say_who_it_is_is_told_so(guarded):
    for headers, code in [
        ({}, "unauthorized"),
        ({"Authorization": BEARER + "nonsense"}, "auth_failed"),
        ({"Authorization": BEARER + token("ann", seconds=-60)}, "token_expired"),
        ({"Cookie": f"openline={token('ann')}"}, "unauthorized"),
    ]:
        for method, path in [("GET", "/sse?channels=a"), ("POST", "/sse"), ("GET", "/poll?channels=a")]:
            answer = ask(guarded.port, method, path, {"type": "ping"} if method == "POST" else None, **headers)
            assert (answer.status, answer.code) == (401, code), (method, path, headers)
            assert answer.headers["www-authenticate"] == "Bearer"
    with Stream(guarded.port, "/sse?channels=a", Authorization=BEARER + token("ann")) as stream:
        assert stream.opened()[0]["user"] == "ann"


def test_a_cookie_counts_for_pages_of_allowed_origins(guarded):
    cookie = f"openline={token('ann')}"
    for headers in [{"Origin": "https://app.example"}, {"Sec_Fetch_Site": "same-origin"}]:
        with Stream(guarded.port, "/sse?channels=a", Cookie=cookie, **headers) as stream:
            assert stream.opened()[0]["user"] == "ann"
            if "Origin" in headers:
                assert stream.headers["access-control-allow-origin"] == "https://app.example"
                assert stream.headers["access-control-allow-credentials"] == "true"
    for origin in ["https://evil.example", "https://app.example.evil.example", "null"]:
        answer = ask(guarded.port, "GET", "/sse?channels=a", Cookie=cookie, Origin=origin)
        assert (answer.status, answer.code) == (403, "origin_not_allowed")
        assert "access-control-allow-origin" not in answer.headers


def test_a_page_of_an_allowed_origin_may_ask_before_it_posts(guarded):
    preflight = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "openline-session"}
    for path in ["/sse", "/sse/ticket", "/poll"]:
        answer = ask(guarded.port, "OPTIONS", path, Origin="https://app.example", **preflight)
        assert answer.status == 204, answer
        assert "POST" in answer.headers["access-control-allow-methods"]
        assert "openline-session" in answer.headers["access-control-allow-headers"]
        assert ask(guarded.port, "OPTIONS", path, Origin="https://evil.example", **preflight).status == 403


def test_a_ticket_is_good_once(guarded):
    assert ask(guarded.port, "POST", "/sse/ticket").status == 401
    assert ask(guarded.port, "GET", "/sse/ticket").status == 405
    given = ask(guarded.port, "POST", "/sse/ticket", Authorization=BEARER + token("ann"))
    assert given.status == 200 and given.json["expiresIn"] == 30 and given.headers["cache-control"] == "no-store"
    path = f"/sse?{query(channels='a', ticket=given.json['ticket'])}"
    with Stream(guarded.port, path) as stream:
        welcome, _ = stream.opened()
        assert welcome["user"] == "ann" and welcome["authenticated"] is True
    for used in [path, "/sse?channels=a&ticket=AAAAAAAAAAAAAAAAAAAAAA", "/sse?channels=a&ticket="]:
        answer = ask(guarded.port, "GET", used)
        assert (answer.status, answer.code) == (401, "auth_failed")
    assert given.json["ticket"] not in guarded.output


def test_channels_of_the_token_are_part_of_the_stream_and_of_its_id(guarded):
    authorization = BEARER + token("ann", subs=["mine"])
    with Stream(guarded.port, "/sse", Authorization=authorization) as stream:
        assert stream.opened()[1]["channels"] == ["mine"]
        last_id = stream.last_id
    body = {"type": "publish", "channel": "mine", "data": 1}
    assert ask(guarded.port, "POST", "/sse", body, Authorization=authorization).status == 200
    with Stream(guarded.port, "/sse", Authorization=authorization, Last_Event_ID=last_id) as stream:
        assert stream.opened()[1]["data"]["mine"]["recovered"] is True
        assert stream.message("message")["data"] == 1


def test_a_stream_that_is_ended_for_good_is_not_opened_again(server, folder):
    key = (folder / "serve" / "openline-data" / "api-key").read_text().strip()
    with open_stream(server, channels="sse-kicked") as stream:
        welcome, _ = stream.opened()
        publish(server.port, "sse-kicked", 1)
        stream.message("message")
        position = stream.last_id
        body = {"client": welcome["clientId"], "reason": "enough"}
        kicked = ask(server.port, "POST", "/api/v1/disconnect", body, Authorization=BEARER + key)
        assert kicked.status == 200, kicked
        close = stream.message("close")
        assert close["code"] == 4005
        assert stream.last_id == "!" + position
        assert stream.event() is None
    answer = ask(server.port, "GET", "/sse?channels=sse-kicked", Last_Event_ID="!" + position)
    assert (answer.status, answer.body) == (204, b"")
    with open_stream(server, channels="sse-kicked", position="!" + position) as stream:
        assert stream.opened()[1]["data"]["sse-kicked"]["recovered"] is True


def test_a_reader_that_stops_costs_no_more_than_its_queue(openline, tmp_path):
    with Server(openline, tmp_path / "run", "--ephemeral") as server:
        paused = []
        for number in range(10):
            line = socket.socket()
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            line.connect(("127.0.0.1", server.port))
            line.sendall(b"GET /sse?channels=flood HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert line.recv(1000)
            paused.append(line)
        with open_stream(server, channels="flood") as reading:
            reading.opened()
            before = resident_bytes(server.pid)
            data = "x" * 100_000
            for number in range(640):
                publish(server.port, "flood", [number, data], volatile=True)
                assert reading.message("message")["data"][0] == number
            grown = resident_bytes(server.pid) - before
        # 64 MB went by: the queue is 1 MiB, beside what the system's buffers and hyper's hold.
        assert grown < 40 * MIB, f"{grown / MIB:.1f} MiB"
        # None of them reads, so none is kept.
        deadline = time.monotonic() + 25
        for line in paused:
            line.settimeout(max(0.1, deadline - time.monotonic()))
            seen = b"x"
            while seen:
                try:
                    seen = line.recv(1 << 16)
                except ConnectionResetError:
                    break
            line.close()




@pytest.mark.parametrize("which", ["chromium", "undici"])
def test_an_event_source_comes_back_by_itself_when_the_server_restarts(openline, tmp_path, which):
    port = free_port()

    def start() -> Program:
        program = Program([openline, "serve", "--listen", f"127.0.0.1:{port}", "--threads", "1"], tmp_path / "run")
        program.wait_for(LISTENING)
        return program

    arguments = [find("chromium"), str(tmp_path / "profile")] if which == "chromium" else []
    with start():
        script = Program(
            [find("node"), str(NODE / f"event_source_{which}.mjs"), f"http://127.0.0.1:{port}", "20", *arguments],
            tmp_path / "script",
        )
        script.wait_for("open", 30)
        for number in range(10):
            publish(port, "es", number)
        script.wait_for("seen 10", 20)
    with script:
        with start():
            for number in range(10, 20):
                publish(port, "es", number)
            seen = json.loads(script.wait_for(r"result (.*)", 30)[1])
    assert seen["numbers"] == list(range(20))
    assert seen["types"][:2] == ["welcome", "subscribed"]


def test_events_go_through_nginx_as_they_come(nginx):
    with Stream(nginx.port, "/sse?channels=sse-nginx") as stream:
        stream.opened()
        for number in range(20):
            publish(nginx.port, "sse-nginx", number)
            assert stream.message("message")["data"] == number


