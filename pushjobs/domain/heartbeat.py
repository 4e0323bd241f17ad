"""The database's heartbeat, and how it shows that the database went back in time.

A row of the database, raised about once a second, says how far it has come; what was seen of it last is kept outside
(the witness). A restored dump brings an old row back. The row also names the server and the timeline it was raised on:
one that stands on another came there by a restore, a failover or a move.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

__all__ = ["Heartbeat", "Sighting", "Step", "judge"]


class Step(StrEnum):
    """What shows that the database is not the one that was seen last, or not as far as it was."""

    HEARTBEAT = "heartbeat"
    """It has forgotten what it had told: a dump was restored, or an old state of its disk."""
    WAL = "wal"
    """Its log ends before a place that was on disk already."""
    TIMELINE = "timeline"
    """It has left the history it stood in: recovered to a moment, or a standby was promoted."""
    SERVER = "server"
    """It stands on another server: restored there, or moved."""
    DATABASE = "database"
    """It is another one, and not a new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What somebody saw of a database: which one, its last beat, and how many bytes of its log were on disk."""

    lineage: str
    at: datetime
    wal: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The row as it stands, and the server it stands on.

    `since`: when the lineage began. `accepted_at`: when what there was last of steps was noticed and accepted; with
    `accepted_server` and `accepted_timeline`, where it stood then. `server`, `timeline`, `wal`: where it stands now.
    """

    lineage: str
    since: datetime
    at: datetime
    accepted_at: datetime
    accepted_server: int
    accepted_timeline: str
    server: int
    timeline: str
    wal: int

    @property
    def sighting(self) -> Sighting:
        """What is to be remembered of it."""
        return Sighting(lineage=self.lineage, at=self.at, wal=self.wal)


def judge(now: Heartbeat, seen: Sighting | None) -> Step | None:
    """Tell what shows that the database stepped back since it was seen; None where nothing does.

    `seen` must be older than `now` was read. Who has seen nothing believes the database, but for what its own row says.
    Another lineage is a new database's if it began after the sighting (whether it holds older jobs is not asked here),
    or it was noticed and accepted since.
    """
    if now.server != now.accepted_server:
        return Step.SERVER
    if now.timeline != now.accepted_timeline:
        return Step.TIMELINE
    if seen is None:
        return None
    if now.lineage != seen.lineage:
        return Step.DATABASE if now.accepted_at <= seen.at else None
    if now.at < seen.at:
        return Step.HEARTBEAT
    # A sighting from before an accepted step may be of a log that ended elsewhere.
    return Step.WAL if now.accepted_at <= seen.at and now.wal < seen.wal else None
