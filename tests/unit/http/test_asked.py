"""What a request asks, read: bodies that do not come, cursors, numbers."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from pushjobs.domain.job import JobId
from pushjobs.errors import InvalidInput, NotFound
from pushjobs.http.v1.asked import cursor_after, read_body, read_cursor, read_id
from pushjobs.http.v1.problems import Refused


async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    """A client that sends a half and no more is told so when the time is over, and its connection closed."""
    parts = [{"type": "http.request", "body": b"{", "more_body": True}]

    async def receive() -> dict[str, Any]:
        if not parts:
            await asyncio.Event().wait()
        return parts.pop()

    request = Request({"type": "http", "method": "POST", "path": "/", "headers": []}, receive)
    with pytest.raises(Refused) as refused:
        await read_body(request, 10, seconds=0.01)
    assert (refused.value.kind.status, refused.value.headers) == (408, {"Connection": "close"})


@given(st.integers(1, 2**53 - 1))
def test_a_cursor_is_read_as_it_was_written(number: int) -> None:
    """Whatever job a page ends with."""
    assert read_cursor(cursor_after(JobId(number))) == number


@given(st.text() | st.integers() | st.lists(st.text()))
def test_what_is_no_cursor_is_refused(written: Any) -> None:  # noqa: ANN401 - whatever a caller writes
    """A cursor is what we wrote; another text is refused, however little it differs."""
    with pytest.raises(InvalidInput, match="cursor is none of ours"):
        read_cursor(written)


@given(st.text())
def test_a_job_s_number_is_digits(written: str) -> None:
    """Anything else is a job that is not there."""
    try:
        assert str(read_id(written)).zfill(len(written)) == written
    except NotFound:
        assert not (written.isascii() and written.isdecimal() and len(written) <= 16)
