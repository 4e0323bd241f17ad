"""What shows that a database stepped back, at its edges."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pushjobs.domain.heartbeat import Heartbeat, Sighting, Step, judge

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)

NOW = Heartbeat(
    lineage="ours",
    since=NOON - timedelta(days=9),
    at=NOON,
    accepted_at=NOON - timedelta(days=9),
    accepted_server=7,
    accepted_timeline="00000001",
    server=7,
    timeline="00000001",
    wal=1000,
)
SEEN = Sighting(lineage="ours", at=NOON, wal=1000)


@pytest.mark.parametrize(
    ("now", "seen", "step"),
    [
        (NOW, SEEN, None),
        (NOW, None, None),
        (NOW, replace(SEEN, at=NOON - SECOND, wal=1), None),
        (NOW, replace(SEEN, at=NOON + timedelta(microseconds=1)), Step.HEARTBEAT),
        (NOW, replace(SEEN, wal=1001), Step.WAL),
        (replace(NOW, timeline="00000002"), SEEN, Step.TIMELINE),
        (replace(NOW, timeline="00000002"), None, Step.TIMELINE),
        (replace(NOW, server=8), None, Step.SERVER),
        (NOW, replace(SEEN, lineage="another"), Step.DATABASE),
        (NOW, replace(SEEN, lineage="another", at=NOW.since), Step.DATABASE),
    ],
)
def test_what_shows_that_a_database_stepped_back(now: Heartbeat, seen: Sighting | None, step: Step | None) -> None:
    """12.5 A heartbeat, a log, a timeline, a server or a lineage that is not what it was; the same again is none."""
    assert judge(now, seen) is step


def test_a_database_made_since_is_no_step_back() -> None:
    """A lineage that began after the last sighting is a new database's."""
    assert judge(NOW, Sighting(lineage="another", at=NOW.since - SECOND, wal=9999)) is None


def test_another_database_is_noticed_once() -> None:
    """Whoever saw the database before only hears of it by the pause that the first to notice has set."""
    assert judge(replace(NOW, accepted_at=NOON), Sighting(lineage="another", at=NOON - SECOND, wal=9999)) is None


def test_a_sighting_from_before_an_accepted_step_says_nothing_of_the_log() -> None:
    """What was seen of another server's log is not compared with this one's once the step was noticed."""
    assert judge(replace(NOW, accepted_at=NOON), replace(SEEN, at=NOON - SECOND, wal=9999)) is None
