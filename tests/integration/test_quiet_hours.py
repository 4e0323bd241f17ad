"""Quiet hours at the sandbox: bulk waits for their end, urgent goes."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from pushjobs import clock
from pushjobs.domain.job import JobState, Lane, Reason
from pushjobs.domain.moment import SHANGHAI
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.settings import Settings
from tests.integration.hands import claim, deliver, only_job, schedule


@pytest.fixture
def at_night(sandbox: SandboxClient, settings: Settings) -> Iterator[Runtime]:
    """A worker's runtime whose quiet hours began an hour ago and end in two."""
    assert sandbox is not None
    now = clock.now().astimezone(SHANGHAI)
    span = f"{now - timedelta(hours=1):%H:%M}-{now + timedelta(hours=2):%H:%M}"
    made = Runtime(settings.model_copy(update={"quiet_hours": span}))
    yield made
    made.close()


def test_bulk_waits_for_the_end_and_urgent_goes(at_night: Runtime, sandbox: SandboxClient) -> None:
    """A campaign's jobs are put off to the end of the quiet hours with the reason; a single notice is sent."""
    schedule(at_night, 5)
    schedule(at_night, 3, lane="urgent")
    deliver(at_night, claim(at_night))
    deliver(at_night, claim(at_night, lane=Lane.URGENT), lane=Lane.URGENT)
    assert sandbox.summary().accepted == 3
    waiting = at_night.producer.find(state="scheduled")
    assert [(job.lane, job.reason) for job in waiting] == [(Lane.BULK, Reason.QUIET_HOURS)] * 5
    ends = (clock.now() + timedelta(hours=2)).replace(second=0, microsecond=0)
    assert all(abs(job.due_at - ends) <= timedelta(seconds=61) for job in waiting)


def test_what_would_end_before_they_do_expires_at_its_deadline(at_night: Runtime, sandbox: SandboxClient) -> None:
    """A bulk job whose deadline lies within the quiet hours waits for that and expires, uncalled."""
    schedule(at_night, expires=timedelta(minutes=30))
    deliver(at_night, claim(at_night))
    waiting = only_job(at_night)
    assert (waiting.state, waiting.due_at) == (JobState.SCHEDULED, waiting.expires)
    assert sandbox.summary().received == 0
