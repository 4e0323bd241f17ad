"""A client: a program that speaks to us over HTTP, and what it may do.

Pure values. Keys are `clients`' affair; which door needs which right is the door's.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

__all__ = ["DEFAULT_RIGHTS", "Client", "Right", "let_in"]

_BURST_SECONDS = 1.0


class Right(StrEnum):
    """What a client may do within its apps and templates; none of them implies another."""

    READ = "read"
    WRITE = "write"
    OPERATE = "operate"
    CONTENTS = "contents"
    """See what messages say and whom they are for, job by job, at the console; each look is written down there."""


DEFAULT_RIGHTS = frozenset({Right.READ, Right.WRITE})
"""What application code needs: enqueue, change, look. To pause, replay and resolve is an operator's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One client. `apps` and `templates` are ids, None where all are meant; `per_second`: requests, None for no limit.

    The first of several apps is the one that is meant where a request names none.
    """

    client_no: int
    id: str
    name: str
    apps: tuple[str, ...] | None
    templates: tuple[str, ...] | None
    rights: frozenset[Right]
    per_second: float | None
    created_at: datetime
    rotated_at: datetime | None = None
    revoked_at: datetime | None = None

    def may(self, right: Right | None = None, *, appid: str | None = None, template_id: str | None = None) -> bool:
        """Whether the client has the right, and whether the app and the template are among its own.

        What is not given is not asked. A message counts as its caller names it: by the legacy id where that is mapped.
        """
        return (
            (right is None or right in self.rights)
            and (appid is None or self.apps is None or appid in self.apps)
            and (template_id is None or self.templates is None or template_id in self.templates)
        )


def let_in(count: int, per_second: float, *, busy_until: float, now: float) -> tuple[float, float]:
    """Return in how many seconds to ask again, 0.0 if so many requests are let in, and until when they keep busy.

    A second's worth may come at once. More than that in one request is let in as well, and the next one waits for it.
    """
    begins = max(busy_until, now - _BURST_SECONDS)
    return (begins - now, busy_until) if begins > now else (0.0, begins + count / per_second)
