"""The runner itself: what passes, what does not, and that nothing run is not a pass."""

from __future__ import annotations

import io
import json

import pytest

from autobahn import GROUP_SIZES, INFORMATIONAL, Verdict, judge, read_report, selection


def verdict(case: str, behavior: str = "OK", close: str = "OK") -> Verdict:
    return Verdict(case, behavior, close, "the reason")


def judged(*verdicts: Verdict, sizes: dict[int, int] | None = None) -> tuple[bool, list[str]]:
    out = io.StringIO()
    fine = judge(list(verdicts), sizes, out)
    return fine, out.getvalue().splitlines()


def test_all_cases_are_517_and_quick_ones_331():
    assert sum(selection("all", []).sizes.values()) == sum(GROUP_SIZES.values()) == 517
    assert sum(selection("quick", []).sizes.values()) == 331


def test_ok_passes():
    fine, lines = judged(verdict("1.1.1"), verdict("10.1.1"), sizes={1: 1, 10: 1})
    assert fine
    assert lines[-1] == "2 passed, 0 failed"


@pytest.mark.parametrize("behavior", ["NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED", "FAILED", "ERROR"])
def test_anything_else_fails_and_is_named_with_its_reason(behavior):
    fine, lines = judged(verdict("1.1.1"), verdict("6.4.1", behavior))
    assert not fine
    assert f"case 6.4.1: {behavior}, close OK: the reason" in lines
    assert lines[-1] == "1 passed, 1 failed"


@pytest.mark.parametrize("close", ["FAILED", "WRONG CODE", "UNCLEAN", "FAILED BY CLIENT"])
def test_a_bad_close_fails(close):
    assert not judged(verdict("1.1.1", "OK", close))[0]


@pytest.mark.parametrize("case", sorted(INFORMATIONAL))
def test_three_cases_may_be_informational_but_not_less(case):
    assert judged(verdict(case, "INFORMATIONAL", "INFORMATIONAL"))[0]
    assert not judged(verdict(case, "NON-STRICT"))[0]


def test_a_missing_case_fails():
    fine, lines = judged(verdict("1.1.1"), sizes={1: 2})
    assert not fine
    assert "group 1: 1 cases ran, 2 expected" in lines


def test_a_case_reported_twice_fails():
    assert not judged(verdict("1.1.1"), verdict("1.1.1"), sizes={1: 2})[0]


def test_no_report_is_no_pass(tmp_path):
    assert read_report(tmp_path) == []
    assert not judged()[0]


def test_a_report_is_read_with_its_reasons(tmp_path):
    entry = {"behavior": "NON-STRICT", "behaviorClose": "OK", "reportfile": "case.json"}
    (tmp_path / "index.json").write_text(json.dumps({"agent": {"6.4.1": entry}}))
    (tmp_path / "case.json").write_text(json.dumps({"result": "too late", "resultClose": "closed"}))
    assert read_report(tmp_path) == [Verdict("6.4.1", "NON-STRICT", "OK", "too late · closed")]
