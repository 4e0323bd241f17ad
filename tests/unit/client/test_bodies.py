"""Arguments written as JSON: moments, spans, and what is refused before anything is sent."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from freezegun import freeze_time

from pushjobs.client.bodies import written, written_job, written_move
from pushjobs.errors import InvalidInput, InvalidMessage, InvalidMoment

NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
SHANGHAI = timezone(timedelta(hours=8))


@pytest.fixture(autouse=True)
def frozen() -> Any:  # noqa: ANN401 - a fixture that yields nothing
    """At a known moment."""
    with freeze_time(NOW, real_asyncio=True):
        yield


def job(**arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - arguments of `send`
    """What is written of a job."""
    found: dict[str, Any] = orjson.loads(written_job(arguments, "made"))
    return found


def test_moments_are_written_with_their_offsets() -> None:
    """In UTC, to the microsecond; a text stays as it is."""
    moment = datetime(2026, 12, 1, 16, 0, 0, 123456, SHANGHAI)
    assert job(time=moment)["time"] == "2026-12-01T08:00:00.123456+00:00"
    assert job(time="2026-12-01 08:00:00")["time"] == "2026-12-01 08:00:00"
    assert orjson.loads(written({"due_after": NOW})) == {"due_after": "2026-12-01T08:00:00+00:00"}


@pytest.mark.parametrize(
    ("arguments", "deadline"),
    [
        ({}, NOW + HOUR),
        ({"time": None}, NOW + HOUR),
        ({"time": NOW + HOUR}, NOW + 2 * HOUR),
        ({"time": "2026-12-01T18:00:00+08:00"}, NOW + 3 * HOUR),
        ({"time": NOW - HOUR}, NOW + HOUR),
        ({"time": NOW - HOUR, "idempotency_key": "mine"}, NOW),
        ({"time": NOW + HOUR, "idempotency_key": "mine"}, NOW + 2 * HOUR),
    ],
)
def test_a_span_becomes_a_deadline(arguments: dict[str, Any], deadline: datetime) -> None:
    """Counted from the moment asked for, or from now; under the caller's key never from now, which will be another."""
    assert datetime.fromisoformat(job(**arguments, expires=HOUR)["expires"]) == deadline


def test_a_move_s_span_is_counted_from_its_time() -> None:
    """As the producer counts it."""
    moved = orjson.loads(written_move(NOW + HOUR, HOUR))
    assert datetime.fromisoformat(moved["expires"]) == NOW + 2 * HOUR


@pytest.mark.parametrize(
    ("arguments", "kind", "field"),
    [
        ({"time": NOW.replace(tzinfo=None)}, InvalidMoment, "time"),
        ({"time": 7.5 * HOUR}, InvalidMoment, "time"),
        ({"expires": HOUR, "time": "2026-12-01 08:00:00"}, InvalidMoment, "expires"),
        ({"expires": HOUR, "time": "tomorrow"}, InvalidMoment, "expires"),
        ({"expires": HOUR, "time": 7}, InvalidMoment, "expires"),
        ({"expires": HOUR, "idempotency_key": "mine"}, InvalidMoment, "expires"),
        ({"expires": timedelta.max}, InvalidMoment, "expires"),
        ({"content": "stored"}, InvalidMessage, "content"),
        ({"data": {"thing1": NOW}}, InvalidMessage, "data"),
        ({"data": {"number1": 2**70}}, InvalidMessage, "data"),
        ({"page": "\ud800"}, InvalidMessage, "page"),
        ({"reference": b"r"}, InvalidInput, "reference"),
    ],
    ids=repr,
)
def test_what_is_refused_before_it_is_sent(arguments: dict[str, Any], kind: type[InvalidInput], field: str) -> None:
    """With the field, and without what it holds."""
    with pytest.raises(InvalidInput) as refused:
        job(**arguments)
    assert (type(refused.value), refused.value.field) == (kind, field)
    assert str(2**70) not in str(refused.value)
