"""The demo at `/` in Chromium: two tabs, one of which cuts its line."""

from __future__ import annotations

import re

import pytest

from programs import find


# The fixture is everything that the two people do; the first test waits for it.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def seen(node, server):
    return node("demo.mjs", find("chromium"), f"{server.http}/", seconds=280)


def texts(messages):
    return [message["text"] for message in messages]


def test_people_see_each_other(seen):
    people = seen["people"]
    assert people["ann"] == ["Ann", "Bob"]
    assert people["bob"] == ["Bob", "Ann"]
    assert people["count"] == 2
    assert any(note.endswith(" joined") for note in people["notes"])


def test_people_talk_and_markup_stays_text(seen):
    for tab in ("ann", "bob"):
        messages = seen["talk"][tab]
        assert [(one["name"], one["text"]) for one in messages] == [("Ann", "hello <b>Bob</b> 🙂"), ("Bob", "hello Ann")]
        assert all(one["state"] == "delivered" and re.search(r"\d\d:\d\d", one["time"]) for one in messages)


def test_typing_is_seen_and_ends(seen):
    assert seen["typing"] == {"during": "Ann is typing", "after": ""}


def test_a_hidden_tab_is_away(seen):
    assert seen["away"] == {"hidden": "away", "shown": "online"}


def test_rooms_are_apart_and_count_what_was_not_read(seen):
    rooms = seen["rooms"]
    assert rooms["unread"] == "1"
    assert rooms["there"] == ["psst"]
    assert rooms["back"]["title"] == "lobby"
    assert "psst" not in rooms["back"]["texts"]


def test_cursors_move_in_the_other_tab(seen):
    cursors = seen["cursors"]
    (by_key,), (by_mouse,) = cursors["byKey"], cursors["byMouse"]
    # Five steps of a fortieth from the middle; places are whole pixels.
    assert (by_key["name"], by_key["x"]) == ("Ann", pytest.approx(0.625, abs=0.01))
    assert (by_mouse["name"], by_mouse["x"]) == ("Ann", pytest.approx(0.2, abs=0.02))
    assert cursors["left"] == []


def test_an_echo_has_its_size_and_its_round_trip(seen):
    out, back = seen["echo"]["rows"]
    assert out.split("\n") == ["→", "grüß dich", "11 B"]
    assert re.fullmatch(r"←\ngrüß dich\n11 B · [\d.]+ ms", back)
    assert seen["echo"]["median"].startswith("1 of 1 back")


def test_while_it_is_cut_messages_wait(seen):
    during = seen["cutAndTalk"]["during"]
    assert during["texts"][-2:] == ["pending cut 1", "pending cut 2"]
    assert not any("meanwhile" in text for text in during["texts"])
    assert during["queue"].startswith("2 messages, ")
    assert during["close"].startswith("1006")
    assert during["button"] == "Mend the line"
    assert during["phase"] == "cut"


def test_after_a_cut_nothing_is_lost(seen):
    verdict = seen["cutAndTalk"]["verdict"]
    assert (verdict["phase"], verdict["lost"], verdict["sure"]) == ("done", "0", "true")
    assert int(verdict["recovered"]) >= 3
    assert "chat:lobby\n3 back" in verdict["rows"]
    assert "sent by you\n2 of 2 delivered" in verdict["rows"]
    assert verdict["title"] == f"{verdict['recovered']} recovered, 0 lost"


def test_after_a_cut_both_have_the_same_conversation(seen):
    ann, bob = seen["cutAndTalk"]["ann"], seen["cutAndTalk"]["bob"]
    expected = ["hello <b>Bob</b> 🙂", "hello Ann", "meanwhile 1", "meanwhile 2", "meanwhile 3", "cut 1", "cut 2"]
    assert texts(ann) == texts(bob) == expected
    assert [one["text"] for one in ann if one["recovered"]] == ["meanwhile 1", "meanwhile 2", "meanwhile 3"]
    assert not any(one["recovered"] for one in bob)
    assert seen["cutAndTalk"]["echoes"] == 2


def test_the_line_mends_itself_after_the_time_that_was_chosen(seen):
    assert seen["cutForTwoSeconds"]["cut"] == "true"
    verdict = seen["cutForTwoSeconds"]["verdict"]
    assert (verdict["phase"], verdict["lost"], verdict["sure"]) == ("done", "0", "true")


def test_prices_move_and_the_cuts_are_drawn(seen):
    prices = seen["prices"]
    assert prices["first"] != prices["second"]
    assert prices["lines"] >= 1
    assert prices["spans"] >= 1


def test_an_upload_pauses_and_survives_a_cut(seen):
    uploads = seen["uploads"]
    assert uploads["paused"] == {"state": "paused", "button": "Resume"}
    assert uploads["atCut"] < 1
    assert uploads["during"] == "waiting"
    assert uploads["after"] == "done", uploads["hash"]
    assert uploads["hash"] == f"{uploads['sum']}, the same as here"
    assert uploads["fetched"] == uploads["sum"]
    assert uploads["cancelled"] == "cancelled"


def test_who_goes_has_left_and_nobody_left_before(seen):
    """Ann's line was lost three times meanwhile: that is no reason to say that Bob had gone."""
    joined, left = seen["someoneLeft"]
    assert joined.endswith(" joined")
    assert left == "Bob left"


def test_the_keyboard_is_enough(seen):
    keyboard = seen["keyboard"]
    wanted = ["theme", "second-tab", "cut", "cut-2", "new-room", "composer", "send", "name", "echo-text", "area", "file"]
    assert [one for one in keyboard["ids"] if one in wanted] == wanted
    assert keyboard["unmarked"] == []
    assert keyboard["skipped"] == "cut"
    assert keyboard["last"] == "by keyboard"


def test_it_fits_a_narrow_screen_with_the_button_in_reach(seen):
    narrow = seen["narrow"]
    assert narrow["wide"] <= 360
    assert narrow["atTop"] is False
    assert (narrow["cut"], narrow["lost"]) == ("true", "0")


def test_axe_finds_nothing_serious(seen):
    found = seen["accessibility"]
    assert len(found) == 6
    assert {where: what for where, what in found.items() if what} == {}


def test_the_console_stays_empty(seen):
    assert seen["complaints"] == []
