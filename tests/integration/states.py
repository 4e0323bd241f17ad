"""Jobs forced into states that only a delivery brings about."""

from sqlalchemy import text

from pushjobs.domain.job import Job, JobState
from pushjobs.runtime import Runtime

__all__ = ["put_into"]


def put_into(runtime: Runtime, state: JobState, job: Job) -> None:
    """Force a job into a state."""
    with runtime.database.transaction() as connection:
        connection.execute(
            text(
                "UPDATE pushjobs.jobs SET state = cast(:state AS pushjobs.job_state), release_no = 1, "
                "lease_until = CASE WHEN :state IN ('released', 'sending') THEN now() + interval '15 s' END, "
                "closed_at = CASE WHEN :is_final THEN now() END WHERE id = :id"
            ),
            {"state": state, "is_final": state.is_final, "id": job.id},
        )
