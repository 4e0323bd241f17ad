"""What the door says of what was deleted because of its age."""

import pytest

from pushjobs.domain.job import JobState
from pushjobs.errors import InvalidInput, InvalidMessage
from pushjobs.runtime import Runtime
from tests.integration.hands import ORDER, ask


def test_a_key_outlives_its_job_and_still_refuses_a_second_push(runtime: Runtime) -> None:
    """12.19 Who repeats a push whose job was deleted is told so and sends nothing; in bulk it counts as known."""
    push = {"touser": "oReader", "idempotency_key": "order-7", "lane": "bulk", **ORDER}
    job = runtime.producer.send(**push)
    ask(runtime, "UPDATE pushjobs.jobs SET state = 'sent', lease_until = NULL, closed_at = now() - interval '31 days'")
    assert runtime.upkeep.prune() == 1
    with pytest.raises(InvalidInput, match=rf"made job {job.id}, which is closed and deleted since"):
        runtime.producer.send(**push)
    assert runtime.producer.send_many([push]).known == 1
    assert sum(runtime.producer.counts().values()) == 0


def test_a_content_that_was_pruned_is_refused_at_the_door(runtime: Runtime) -> None:
    """A job that names a content nobody has named for long is refused; in bulk by its row, and the others go in."""
    old, new = (runtime.producer.store_content(**ORDER) for _ in range(2))
    ask(runtime, "UPDATE pushjobs.contents SET created_at = now() - interval '31 days' WHERE content_no = 1")
    runtime.upkeep.prune()
    with pytest.raises(InvalidMessage, match="content is stored no longer"):
        runtime.producer.send(touser="oReader", content=old)
    report = runtime.producer.send_many([{"touser": "oReader", "content": each} for each in (old, new)])
    assert (report.accepted, [rejection.row for rejection in report.rejected]) == (1, [1])
    assert runtime.producer.counts()[JobState.SCHEDULED] == 1
