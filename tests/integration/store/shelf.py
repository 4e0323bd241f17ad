"""A bucket of jobs on a real database, stored and looked at without the rest of the house."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from pushjobs import clock
from pushjobs.domain.job import Job, JobId, Lane, OnQuota
from pushjobs.domain.lifecycle import Transition
from pushjobs.settings import LEASE_SECONDS
from pushjobs.store import accepting, catalogue, jobs, moves, releases, slices
from pushjobs.store.database import Database
from pushjobs.store.moves import Move
from pushjobs.store.releases import Bucket, Released

__all__ = ["Shelf"]


class Shelf:
    """One app's bulk lane, and the few things tests do to its jobs."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.transaction() as connection:
            app_no = catalogue.ensure_app(connection, "wxshelf0000000000").app_no
            self._template_no = catalogue.ensure_template(connection, app_no, "tpl")
        self.bucket = Bucket(app_no, Lane.BULK)

    def accept(self, due_in: Sequence[float]) -> list[JobId]:
        """Store a job for each distance in seconds from now; return their ids in that order."""
        now = clock.now()
        with self.database.transaction() as connection:
            ids = accepting.draw_ids(connection, len(due_in))
            new = [self._job(job_id, now + timedelta(seconds=due)) for job_id, due in zip(ids, due_in, strict=True)]
            accepting.insert(connection, new)
        return ids

    def claim(self, limit: int = 10_000, *, lookahead: float = 5.0) -> list[Released]:
        """Release what is due."""
        with self.database.transaction() as connection:
            return releases.claim(connection, self.bucket, limit=limit, lookahead=lookahead)

    def released(self, count: int = 1) -> list[Released]:
        """Store that many jobs due now and release them."""
        self.accept([-1.0] * count)
        return self.claim()

    def sending(self, count: int = 1) -> list[Released]:
        """Store that many jobs due now, release and admit them."""
        released = self.released(count)
        assert len(self.admit(released)) == count
        return released

    def admit(self, released: Sequence[Released]) -> set[JobId]:
        """Admit as a worker does whom no gate stops; return which jobs are its own."""
        day = clock.now().date()
        with self.database.transaction() as connection:
            locked = slices.lock(connection, [(job.id, job.release_no) for job in released])
            slices.begin(
                connection,
                [slices.Begun(id=job.id, day=day, credit_held=False) for job in locked],
                lease=LEASE_SECONDS,
            )
        return {job.id for job in locked}

    def move(self, released: Sequence[Released], transition: Transition, **more: Any) -> set[JobId]:  # noqa: ANN401 - the fields of a Move
        """Make the same move of each job; return which took hold."""
        made = [Move(id=job.id, release_no=job.release_no, transition=transition, **more) for job in released]
        with self.database.transaction() as connection:
            return set(moves.apply(connection, made))

    def cancel(self, ids: Sequence[JobId]) -> set[JobId]:
        """Cancel as an owner does."""
        with self.database.transaction() as connection:
            return jobs.cancel(connection, ids)

    def rescue(self) -> list[releases.Rescued]:
        """Take back what nobody holds."""
        with self.database.transaction() as connection:
            return releases.rescue(connection, limit=10_000)

    def let_leases_run_out(self) -> None:
        """Put every lease into the past."""
        self.execute("UPDATE pushjobs.jobs SET lease_until = now() - interval '1 ms' WHERE lease_until IS NOT NULL")

    def get(self, job_id: JobId) -> Job:
        """Return a job that is there."""
        with self.database.transaction() as connection:
            job = jobs.get(connection, job_id)
        assert job is not None
        return job

    def history(self, job_id: JobId) -> list[jobs.Happening]:
        """Return what happened to a job beyond the happy path."""
        with self.database.transaction() as connection:
            return jobs.history(connection, job_id)

    def leases(self) -> dict[int, datetime]:
        """Return until when each job is held."""
        return {row[0]: row[1] for row in self.ask("SELECT id, lease_until FROM pushjobs.jobs")}

    def execute(self, sql: str, **values: object) -> None:
        """Run a statement of the test's own."""
        with self.database.transaction() as connection:
            connection.execute(text(sql), values)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a question of the test's own."""
        with self.database.transaction() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]

    def _job(self, job_id: JobId, planned_at: datetime) -> accepting.NewJob:
        return accepting.NewJob(
            id=job_id,
            app_no=self.bucket.app_no,
            template_no=self._template_no,
            content_no=None,
            lane=self.bucket.lane,
            on_quota=OnQuota.DEFER,
            planned_at=planned_at,
            expires_at=planned_at + timedelta(hours=48),
            recipient=job_id.to_bytes(16, "big"),
            sealed=b"sealed",
            reference=f"order-{job_id}",
        )
