"""Jobs that somebody chose: whose they are and what they are made of; what is in trouble, in groups; what one seals.

Whoever may see some templates only chooses among their jobs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from pushjobs.domain.job import JobId, JobState
from pushjobs.domain.lifecycle import Transition
from pushjobs.store.browsing import LOOKED_AT
from pushjobs.store.database import statement

__all__ = ["Group", "Share", "Whose", "allowed", "groups", "made_of", "sealed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Whose:
    """An app, and the templates of it that somebody may see; None: all of them."""

    app_no: int
    template_nos: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many of some jobs are of one template; `fit`: what is asked applies to them."""

    template_no: int
    template_id: str
    title: str | None
    jobs: int
    fit: int
    overdue: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Jobs in trouble that have template, reason and WeChat's code in common, and since when."""

    template_no: int
    template_id: str
    title: str | None
    reason: str | None
    errcode: int | None
    jobs: int
    last_hour: int
    last_day: int
    oldest: datetime
    newest: datetime


# What a choice is made of, for whoever is asked whether it is meant. What cannot go anywhere is told apart.
_MADE_OF = {
    transition: statement(
        f"""
SELECT j.template_no, t.template_id, t.title, count(*) AS jobs,
       count(*) FILTER (WHERE j.state {{{transition}.sources}} AND (j.sealed IS NOT NULL OR NOT :calls)) AS fit,
       count(*) FILTER (WHERE j.state {{{transition}.sources}} AND (j.sealed IS NOT NULL OR NOT :calls)
                          AND j.expires_at <= now() + make_interval(secs => :wait)) AS overdue
  FROM pushjobs.jobs j JOIN pushjobs.templates t USING (template_no)
 WHERE j.id = ANY (:ids) AND j.app_no = :app_no
   AND (CAST(:template_nos AS int[]) IS NULL OR j.template_no = ANY (:template_nos))
 GROUP BY j.template_no, t.template_id, t.title ORDER BY jobs DESC, t.template_id""",  # noqa: S608 - a word of ours
        transition,
    )
    for transition in (Transition.CANCEL, Transition.REPLAY, Transition.CONFIRM, Transition.SEND_AGAIN)
}

_ALLOWED = statement("""
SELECT id FROM pushjobs.jobs
 WHERE id = ANY (:ids) AND app_no = :app_no
   AND (CAST(:template_nos AS int[]) IS NULL OR template_no = ANY (:template_nos))""")

_SEALED = statement("""
SELECT j.recipient, j.sealed, c.sealed AS sealed_content, t.template_id
  FROM pushjobs.jobs j JOIN pushjobs.templates t USING (template_no)
  LEFT JOIN pushjobs.contents c ON c.content_no = j.content_no
 WHERE j.id = :id""")

# The newest of a state, in groups: how many there are in all is nobody's question when there are ten thousand.
_GROUPS = {
    state: statement(f"""
SELECT g.template_no, t.template_id, t.title, g.reason, g.errcode, g.jobs, g.last_hour, g.last_day, g.oldest, g.newest
  FROM (SELECT template_no, reason, errcode, count(*) AS jobs,
               count(*) FILTER (WHERE closed_at > now() - interval '1 hour') AS last_hour,
               count(*) FILTER (WHERE closed_at > now() - interval '1 day') AS last_day,
               min(closed_at) AS oldest, max(closed_at) AS newest
          FROM (SELECT app_no, template_no, reason, errcode, closed_at FROM pushjobs.jobs
                 WHERE state = '{state}' ORDER BY closed_at DESC LIMIT :look) AS looked
         WHERE app_no = :app_no AND (CAST(:template_nos AS int[]) IS NULL OR template_no = ANY (:template_nos))
         GROUP BY template_no, reason, errcode) AS g
  JOIN pushjobs.templates t USING (template_no)
 ORDER BY g.jobs DESC, t.template_id, g.reason""")  # noqa: S608 - a state of ours
    for state in (JobState.DEAD, JobState.IN_DOUBT)
}


def made_of(
    connection: Connection, transition: Transition, ids: Sequence[JobId], whose: Whose, *, calls: bool, wait: float
) -> list[Share]:
    """Return what jobs are made of, by template; `overdue` counts those that need another deadline to go again.

    `calls`: whether the transition leads to another call, `wait`: seconds until then.
    """
    values = {**_whose(whose), "ids": list(ids), "calls": calls, "wait": wait}
    return [Share(**row._asdict()) for row in connection.execute(_MADE_OF[transition], values)]


def allowed(connection: Connection, ids: Sequence[JobId], whose: Whose) -> list[JobId]:
    """Return those of the jobs that are somebody's."""
    return [JobId(number) for number in connection.execute(_ALLOWED, {**_whose(whose), "ids": list(ids)}).scalars()]


def groups(connection: Connection, state: JobState, whose: Whose, *, look: int = LOOKED_AT) -> list[Group]:
    """Return the newest jobs in trouble by template, reason and code, the largest group first."""
    rows = connection.execute(_GROUPS[state], {**_whose(whose), "look": look})
    return [Group(**row._asdict()) for row in rows]


def sealed(connection: Connection, job_id: JobId) -> Row[Any] | None:
    """Return what a job and its content seal, with what they are bound to; None where there is no such job."""
    return connection.execute(_SEALED, {"id": job_id}).one_or_none()


def _whose(whose: Whose) -> dict[str, Any]:
    return {
        "app_no": whose.app_no,
        "template_nos": None if whose.template_nos is None else list(whose.template_nos),
    }
