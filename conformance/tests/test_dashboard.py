"""The dashboard in Chromium, with a server and clients of its own: what it shows against what the server says."""

from __future__ import annotations

import json
import re

import pytest

from programs import ROOT, find

# The fixture is everything that the operator does; the first test waits for it.
pytestmark = pytest.mark.timeout(300)

HOSTILE = "room:<img/src=x/onerror=globalThis.hacked=1>"


@pytest.fixture(scope="module")
def seen(node, openline, folder):
    return node("dashboard.mjs", find("chromium"), openline, str(folder / "dashboard"), seconds=280)


class Metrics:
    """A text of /metrics, read here in a way of its own."""

    def __init__(self, text: str) -> None:
        self.samples = re.findall(r"^(\w+)(?:\{(.*)\})? (\S+)$", text, re.MULTILINE)

    def sum(self, series: str) -> float | None:
        """What `name` or `name{label="value"}` adds up to, `None` where it is not there."""
        name, _, labels = series.removesuffix("}").partition("{")
        found = [float(value) for other, has, value in self.samples if other == name and labels in has]
        return sum(found) if found else None

    def buckets(self, name: str) -> list[tuple[float, float]]:
        found = [(re.search(r'le="([^"]*)"', labels)[1], value) for other, labels, value in self.samples if other == f"{name}_bucket"]
        return [(float(bound), float(count)) for bound, count in found]


def quantile(share: float, before: list, after: list) -> float:
    """Linear within the bucket that holds the share, as Prometheus has it."""
    counts = [(bound, now - then) for (bound, now), (_, then) in zip(after, before, strict=True)]
    rank = share * counts[-1][1]
    low, below = 0.0, 0.0
    for bound, count in counts:
        if count >= rank:
            return low if bound == float("inf") else low + (bound - low) * (rank - below) / (count - below)
        low, below = bound, count
    raise AssertionError(counts)


# Asking, drawing and being measured change these themselves: they are between what was said before and after.
MOVING = {"cpu", "resident"}
NEVER = {"webhook"}


@pytest.fixture(scope="module")
def rounds(seen):
    return [one | {"before": Metrics(one["before"]), "after": Metrics(one["after"])} for one in seen["rounds"]]


def test_all_plots_are_of_one_answer(rounds):
    for one in rounds:
        assert len(one["plots"]) == 8
        assert isinstance(one["at"], float | int), one["at"]
    assert all(1_500 < later["at"] - one["at"] < 6_000 for one, later in zip(rounds, rounds[1:], strict=False))


def test_each_line_says_of_which_series_it_is(rounds):
    documented = (ROOT / "docs/dashboard.md").read_text()
    for line, about in rounds[0]["expressions"].items():
        assert f"| `{about['expression']}` |" in documented, line


def test_raw_values_are_those_of_metrics(rounds):
    for one in rounds:
        for line, about in one["expressions"].items():
            low, high = one["before"].sum(about["series"]), one["after"].sum(about["series"])
            if line in NEVER:
                assert (low, high, one["raw"][line]) == (None, None, "")
            elif line in MOVING:
                assert min(low, high) * 0.9 <= float(one["raw"][line]) <= max(low, high) * 1.1 + 0.1, line
            else:
                assert low == high == float(one["raw"][line]), line


@pytest.mark.parametrize("index", [1, 2, 3])
def test_each_plot_shows_what_metrics_say(rounds, index):
    """Gauges are the number, rates the difference over the interval, quantiles those of the increase: to the last digit."""
    earlier, now = rounds[index - 1], rounds[index]
    seconds = (now["at"] - earlier["at"]) / 1_000
    kinds = set()
    for line, about in now["expressions"].items():
        value, expression, series = now["values"][line], about["expression"], about["series"]
        if line in NEVER:
            assert (value, now["text"][line]) == ("missing", "not reported")
            continue
        if share := re.match(r"histogram_quantile\(([\d.]+), rate\((\w+)_bucket\)\)", expression):
            kinds.add("quantile")
            expected = quantile(float(share[1]), earlier["after"].buckets(share[2]), now["after"].buckets(share[2]))
            assert float(value) == pytest.approx(expected, rel=1e-9), line
        elif expression == f"rate({series})":
            kinds.add("rate")
            low = (now["before"].sum(series) - earlier["after"].sum(series)) / seconds
            high = (now["after"].sum(series) - earlier["before"].sum(series)) / seconds
            assert low - 1e-9 <= float(value) <= high + 1e-9, line
            assert line in MOVING or low == high, line
        else:
            kinds.add("gauge")
            assert expression == series
            assert float(value) == float(now["raw"][line]), line
    assert kinds == {"quantile", "rate", "gauge"}


def test_the_traffic_is_to_be_seen(rounds):
    """What is compared above is not a row of zeros."""
    for one in rounds[1:]:
        values = one["values"]
        assert (values["sessions-websocket"], values["sessions-sse"], values["sessions-poll"]) == ("5", "1", "0")
        for line in ("received", "sent", "published", "errors", "p50", "p99", "channels", "subscriptions", "history", "resident"):
            assert float(values[line]) > 0, line
        # Each publication goes to five lines.
        assert float(values["sent"]) == pytest.approx(5 * float(values["published"]))


def test_without_a_key_it_asks_and_a_wrong_one_is_said(seen):
    tried = seen["wrongKey"]
    assert tried["asks"] is True
    assert tried["noKey"] == "A key has letters, digits and signs, and no spaces between them."
    assert tried["refused"] == {
        "error": "The server does not take this key: this is not a key of this server.",
        "board": False,
        "focus": "key",
        "stored": [],
    }
    assert tried["then"] == "live"
    assert tried["forgotten"] == {"entry": True, "stored": 0}


def test_the_key_leaves_the_address_and_outlasts_a_reload(seen):
    assert seen["address"]["hash"] == ""
    assert seen["address"]["href"].endswith("/dashboard")
    assert seen["address"]["stored"] == 1
    assert seen["reload"] == {"state": "live", "hash": ""}


def test_one_crosshair_for_all_plots(seen):
    crosshair = seen["crosshair"]
    assert crosshair["byMouse"]["crosses"] == 8
    assert re.fullmatch(r"at \d\d:\d\d:\d\d", crosshair["byMouse"]["time"])
    assert crosshair["gone"] == 0


def test_the_crosshair_moves_by_keyboard_and_says_the_values(seen):
    crosshair = seen["crosshair"]
    assert crosshair["role"] == "slider"
    assert re.fullmatch(r"\d\d:\d\d:\d\d: WebSocket 5, SSE 1, polling 0", crosshair["newest"])
    assert crosshair["first"] < crosshair["earlier"] < crosshair["newest"]
    assert (crosshair["byKey"], crosshair["escaped"]) == (8, 0)


def test_raw_names_the_series(seen):
    assert 'queue full: rate(openline_line_batches_total{result="full"})' in seen["raw"]["text"]
    assert "webhooks: rate(openline_webhook_events_dropped_total)\nnot reported" in seen["raw"]["text"]
    assert seen["raw"]["hiddenAgain"] is True


def test_a_look_into_a_channel(seen):
    channel = seen["channel"]
    assert channel["title"] == HOSTILE
    assert "Subscribers\n4" in channel["facts"]
    assert "History\n3 messages" in channel["facts"]
    assert sorted(channel["members"]) == sorted(channel["ids"])
    assert "<b>here</b>" in channel["details"]
    assert [json.loads(one) for one in channel["first"]] == [{"text": "<img src=x onerror='globalThis.hacked=1'>"}]
    assert [json.loads(one) for one in channel["live"]][0] == "by itself"
    assert channel["heads"] == ["note", "message", "<i>ev</i>"]


def test_a_test_message_is_published(seen):
    channel = seen["channel"]
    assert channel["broken"].startswith("Not published, the data is no JSON: ")
    assert re.fullmatch(r"Published at \S+\.", channel["published"])
    assert json.loads(channel["third"][0]) == {"from": "the operator"}
    assert channel["got"]["data"] == {"from": "the operator"}


def test_clearing_asks_first_and_enter_alone_does_nothing(seen):
    clear = seen["clear"]
    assert HOSTILE in clear["question"]
    assert clear["focus"] == "confirm-no"
    assert clear["kept"] == 3
    assert clear["cleared"] == "Nothing is kept."


def test_lists_are_leafed_through_and_filtered(seen):
    lists = seen["lists"]
    names = [f"topic:{number:02}" for number in range(60)]
    assert lists["first"] + lists["second"] + lists["third"] == names
    assert lists["focus"] == "channels-back"
    assert lists["back"] == lists["first"]
    assert lists["filtered"] == [lists["many"]]
    assert lists["none"].startswith("No client is of that user and channel.")
    assert lists["all"] == 6
    assert lists["transports"] == ["sse"] + ["websocket"] * 5


def test_disconnecting_asks_first_and_ends_that_line_alone_with_the_code(seen):
    ended = seen["disconnect"]
    assert "Transport\nwebsocket" in ended["facts"]
    assert sorted(ended["channels"]) == sorted(["room:one", HOSTILE])
    assert "4004 maintenance, “moving house”" in ended["question"]
    assert ended["effect"] in ended["question"]
    assert ended["cancelled"] == {"closed": None, "result": "Nothing was done."}
    assert ended["closed"] == {"code": 4004, "reason": "moving house"}
    assert ended["result"] == "1 line ended with 4004."
    assert "not connected any more" in ended["after"]
    assert ended["disabled"] is True
    assert ended["others"] == [None, None, None]


def test_it_pauses_and_changes_its_interval(seen):
    pause = seen["pause"]
    assert pause["still"] is True
    assert pause["badge"] == "paused"
    assert pause["gaps"] == 1
    first, *rest = pause["times"]
    steps = [later - one for one, later in zip([first, *rest], rest, strict=False)]
    assert len(steps) == 3 and all(step > 0 for step in steps)


def test_a_server_that_is_away_leaves_a_gap_and_comes_back_by_itself(seen):
    restart = seen["restart"]
    during = restart["during"]
    assert restart["away"] == "away"
    assert re.match(r"No answer since \d\d:\d\d:\d\d for \d+ s: the server cannot be reached\.", during["banner"])
    assert during["badge"] == "away"
    assert during["said"].startswith("The server gives no answer since ")
    assert during["gaps"] == 8
    assert during["width"] > 0
    assert during["axe"] == []
    assert restart["back"] == "live"
    assert restart["said"] == "The server answers again."
    assert restart["banner"] is False
    assert restart["gap"] > 2_500
    assert restart["gaps"] == 8
    assert restart["pieces"] >= 2


def test_counters_of_a_new_run_make_no_rate_with_the_old(seen):
    values = seen["restart"]["values"]
    assert values["received"] == "0"
    assert values["sessions-websocket"] == "0"


def test_what_clients_say_stays_text(seen):
    assert seen["hostile"] == {"hacked": 0, "images": 0}


def test_the_keyboard_reaches_everything(seen):
    keyboard = seen["keyboard"]
    wanted = ["theme", "pause", "forget", "connections plot-area", "memory plot-area", "channels-prefix", "channels-look", "clients-user", "clients-channel"]
    assert [one for one in keyboard["ids"] if one in wanted] == wanted
    assert keyboard["unmarked"] == []
    assert keyboard["inside"] == "channel"
    assert keyboard["back"] == keyboard["opener"]


def test_it_fits_a_narrow_screen(seen):
    assert seen["narrow"]["wide"] <= 360
    assert seen["narrow"]["drawer"] <= 360


def test_axe_finds_nothing_serious(seen):
    found = seen["accessibility"]
    assert len(found) == 10
    assert {where: what for where, what in found.items() if what} == {}


def test_the_console_stays_empty(seen):
    assert seen["complaints"] == []
