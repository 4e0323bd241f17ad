"""The table of result codes, row by row against the classes of the fact sheet, sections 1.2, 6.1 and 6.2."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushjobs.domain.job import Reason
from pushjobs.domain.outcome import DayOver, Fatal, Refused, Retry, SlowDown, TemplateFault, Token
from pushjobs.wechat.errcodes import CALL_ERRCODES, ERRCODES, SOURCES, CallErrcode, Errcode, meaning, read

Coded = Retry | SlowDown | TemplateFault | Token | DayOver | Refused | Fatal

EXPECTED: list[tuple[Coded, tuple[int, ...]]] = [
    (Retry(), (-1, -1000, 20001, 200001, 43108)),
    (SlowDown(seconds=2.0), (43100, 44990)),
    (SlowDown(to_next_minute=True), (44991, 45011)),
    (SlowDown(seconds=600.0), (44992, 45102)),
    (TemplateFault(errcode=0), (41030, 47003)),
    (TemplateFault(errcode=0, in_a_row=1), (40036, 40037, 43102, 43116, 48011)),
    (Token(errcode=0), (40001, 40014, 42001)),
    (DayOver(errcode=0), (44993, 45009, 45029)),
    (Refused(errcode=0, reason=Reason.NO_CONSENT), (43004, 43101, 48002)),
    (Refused(errcode=0, reason=Reason.FORM_ID), (41028, 41029)),
    (Refused(errcode=0, reason=Reason.RECIPIENT), (40003, 43019, 43104, 50001, 50002, 70000)),
    (
        Refused(errcode=0, reason=Reason.CONTENT),
        (40035, 40097, 40165, 45013, 45014, 45026, 45027, 45100, 45168, 47001, 87014),
    ),
    (Refused(errcode=0, reason=Reason.UNLISTED_CODE), (45157, 87009)),
    (Fatal(), (40002, 40013, 40033, 40066, 40125, 40164, 40243, 41001, 41002, 41004, 41031, 41032, 41034, 41035)),
    (Fatal(), (43001, 43002, 43003, 43107, 44002, 45103, 45109, 45501, 46101, 47002, 48001, 48004, 48008, 48009)),
    (Fatal(), (50004, 50007, 61004, 61007, 61014, 61023, 61024)),
    (Fatal(hold_seconds=600.0), (89501, 89502, 89503, 89504, 89505)),
    (Fatal(hold_seconds=86400.0), (89506,)),
    (Fatal(hold_seconds=3600.0), (89507,)),
]
CASES = [(code, outcome) for outcome, codes in EXPECTED for code in codes]


@pytest.mark.parametrize(("code", "expected"), CASES)
def test_a_code_means_its_class_of_the_fact_sheet(code: int, expected: Coded) -> None:
    """Each code is read as the outcome its class in the fact sheet calls for, and keeps its number."""
    assert read(code) == replace(expected, errcode=code)


def test_no_row_goes_untested() -> None:
    """The table and this test list the same codes, each once."""
    codes = [code for code, _ in CASES]
    assert sorted(codes) == sorted(ERRCODES)
    assert len(set(codes)) == len(codes)


@given(st.integers().filter(lambda code: code not in ERRCODES and code not in CALL_ERRCODES))
def test_an_unlisted_code_is_refused_by_that_name(code: int) -> None:
    """A code nobody has listed refuses the job, is never retried, and stands in the history as unlisted."""
    assert read(code) == Refused(errcode=code, reason=Reason.UNLISTED_CODE)
    assert meaning(code) == "a code no page lists"


def test_success_has_no_row() -> None:
    """`0` is the client's to read: it carries the msgid."""
    assert 0 not in ERRCODES


def test_every_row_says_what_it_means_and_who_says_so() -> None:
    """Every row has a meaning and names sources that resolve; no source is left without a row."""
    rows: list[tuple[int, Errcode | CallErrcode]] = [*ERRCODES.items(), *CALL_ERRCODES.items()]
    assert all(row.meaning == meaning(code) and row.source for code, row in rows)
    assert {source for _, row in rows for source in row.source} == set(SOURCES)


def test_rows_stand_in_order() -> None:
    """The tables read in the order of their codes, so that a page made from them does too."""
    assert list(ERRCODES) == sorted(ERRCODES)
    assert list(CALL_ERRCODES) == sorted(CALL_ERRCODES)


def test_the_other_calls_have_codes_of_their_own() -> None:
    """The codes of sections 4.3, 7.1 and 8 that no send answers are listed once, and end a job as unlisted ones."""
    template_calls = [404, 20002, 40400, 43106, 200002, 200011, 200012, 200013, 200014, *range(200016, 200023), 200100]
    others = [40029, 40129, 40226, 48006, 61010, 76001, 76002, 76003, 76004, 76021, 76022]
    assert sorted(CALL_ERRCODES) == sorted([*template_calls, *others])
    assert not CALL_ERRCODES.keys() & ERRCODES.keys()
    assert {read(code) for code in CALL_ERRCODES} == {
        Refused(errcode=code, reason=Reason.UNLISTED_CODE) for code in CALL_ERRCODES
    }
