"""What the TypeScript SDK does in a browser with a window: hidden, put away, without a network, in a worker, in React."""

from __future__ import annotations

import pytest

from programs import find

pytestmark = pytest.mark.timeout(300)

INTERVAL, TIMEOUT = 3_000, 2_000
# Chromium lets timers of a hidden page fire once a second. One that is due a second late makes the SDK ask once more.
HELD_BACK, ASKED_AGAIN = 1_000, 4_000
# What a busy machine may add. Without the bound's cause, a dead line is found after minutes or never.
SLACK = 10_000


@pytest.fixture
def part(node, server):
    return lambda name: node("page_life.mjs", find("chromium"), find("Xvfb"), server.http, name, seconds=280)


def whats(log, name=None):
    return [entry["what"] for entry in log if name is None or entry.get("name") == name]


def texts(log):
    return [entry["data"]["text"] for entry in log if entry["what"] == "publication"]


def first(log, what, name="page"):
    return next(entry for entry in log if entry["what"] == what and entry.get("name") == name)


def after(log, what):
    """What followed the first entry of this kind, in order."""
    return log[whats(log).index(what) + 1 :]


def test_the_demo_is_away_while_it_is_hidden(part):
    seen = part("demo")
    assert (seen["visibility"], seen["still"]) == ("hidden", "hidden")
    assert seen["statuses"] == ["online", "away", "online"]
    # What other tests said in the room stands before it.
    assert (seen["texts"][-1], seen["texts"].count("while hidden")) == ("while hidden", 1)


def test_a_hidden_page_hears_and_finds_a_dead_line(part):
    seen = part("hidden")
    log = seen["log"]
    assert (seen["visibility"], seen["still"]) == ("hidden", "hidden")
    assert texts(log) == ["1", "2", "3", "into the silence"]
    noticed = first(log, "waiting")
    assert noticed["reason"].startswith("nothing heard for")
    bound = INTERVAL + HELD_BACK + TIMEOUT + HELD_BACK + ASKED_AGAIN + HELD_BACK
    assert noticed["at"] - seen["cut"] <= bound + SLACK
    assert whats(log)[-3:] == ["visible", "probing", "online"]


def test_timers_of_a_worker_are_not_held_back(part):
    """The page's own come once a minute by then, as its client shows: it knows nothing until it is shown."""
    seen = part("longHidden")
    before, log = seen["before"], seen["log"]
    assert (seen["visibility"], seen["still"]) == ("hidden", "hidden")
    assert first(before, "waiting", "worker")["at"] - seen["cut"] <= INTERVAL + TIMEOUT + SLACK
    assert whats(before, "worker")[-2:] == ["online", "recovered"]
    assert "waiting" not in whats(before, "page")
    assert "probing" in whats(after(log, "visible"), "worker")
    assert "waiting" in whats(after(log, "visible"), "page")


def test_a_page_that_was_put_away_comes_back_online(part):
    seen = part("putAway")
    log = seen["log"]
    assert [entry["persisted"] for entry in log if entry["what"] == "pageshow"] == [False, True, True], seen["reasons"]
    assert texts(log) == ["before", "a1", "b1", "after1", "a2", "b2", "after2"]
    assert "gap" not in whats(log)
    # One line each time it is shown, with no delay and no failed attempt between them.
    assert seen["lines"] == 3
    once = ["connecting", "online"]
    assert [what for what in whats(log, "page") if what in (*once, "waiting", "probing")] == [*once, "waiting"] * 2 + once
    assert all(entry["delay"] is None for entry in log if entry["what"] == "waiting")


def test_without_a_network_the_line_is_probed(part):
    log = part("network")["log"]
    assert after(log, "network offline")[0]["what"] == "probing"
    assert texts(log) == ["meanwhile"]
    assert "gap" not in whats(log)


def test_the_network_ends_a_delay_when_it_comes_back(part):
    log = part("networkSoon")["log"]
    waiting = [entry for entry in log if entry["what"] == "waiting"][-1]
    # The news that it had gone must not use up the attempt that its return is for.
    assert whats(log[log.index(waiting) :])[:5] == ["waiting", "network offline", "network online", "connecting", "online"]
    assert first(after(log, "network online"), "connecting")["at"] < waiting["at"] + waiting["delay"]


def test_react_has_one_line_and_one_subscription(part):
    seen = part("react")
    assert 'data-state="idle" data-joined="unsubscribed"' in seen["rendered"]
    assert seen["complaints"] == []
    assert_react(seen["first"], ["one", "two"], lines=1, subscribes=1)
    # Who comes back soon finds the line as it was; later there is a new one.
    assert_react(seen["again"], ["three"], lines=1, subscribes=1)
    assert seen["gone"]["client"] == "stopped"
    assert_react(seen["later"], ["five"], lines=2, subscribes=2)


def assert_react(view, shown, *, lines, subscribes):
    assert (view["state"], view["joined"]) == ("online", "subscribed")
    assert view["texts"] == shown
    assert view["count"] == str(len(shown))
    assert view["lines"] == {"opened": lines, "open": 1}
    assert view["subscribes"] == subscribes


def test_a_module_worker_has_a_client(part):
    log = part("worker")["log"]
    assert first(log, "subscribed", "worker")["page"] == "undefined"
    assert texts(log) == ["to the worker", "from the worker", "meanwhile"]
    assert "gap" not in whats(log)
