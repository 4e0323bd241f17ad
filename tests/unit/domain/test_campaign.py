"""Which instants are run, which were missed, and what a run needs next."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pushjobs.domain.campaign import Missed, Planned, Policies, RunState, Standing, Step, next_steps, plan

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def ago(*minutes: int) -> list[datetime]:
    """Moments that many minutes before now; negative ones are to come."""
    return [NOW - each * MINUTE for each in minutes]


def run(planned: list[Planned]) -> list[datetime]:
    """The instants that are run."""
    return [each.instant for each in planned if not each.is_missed]


def missed(planned: list[Planned]) -> list[datetime]:
    """The instants that are recorded as missed."""
    return [each.instant for each in planned if each.is_missed]


@pytest.mark.parametrize("policy", list(Missed))
def test_what_is_near_is_run(policy: Missed) -> None:
    """An instant to come is run, and one that passed within the grace too, whatever becomes of missed ones."""
    planned = plan(ago(10, 3, -5), Policies(missed=policy, grace=10 * MINUTE), NOW)
    assert run(planned) == ago(10, 3, -5)
    assert missed(planned) == []


def test_missed_instants_are_skipped() -> None:
    """By default what passed longer ago than the grace is recorded, and not run."""
    planned = plan(ago(120, 60, 5), Policies(), NOW)
    assert run(planned) == ago(5)
    assert missed(planned) == ago(120, 60)


def test_the_latest_missed_instant_is_made_up_for() -> None:
    """With `latest`, of what was missed only the youngest is run, and only where no younger one is run anyway."""
    policies = Policies(missed=Missed.LATEST)
    assert run(plan(ago(120, 60, 30), policies, NOW)) == ago(30)
    assert missed(plan(ago(120, 60, 30), policies, NOW)) == ago(120, 60)
    assert run(plan(ago(120, 60, 5), policies, NOW)) == ago(5)
    # One that is still to come does not count: it says nothing about what was missed.
    assert run(plan(ago(60, -5), policies, NOW)) == ago(60, -5)


def test_all_missed_instants_are_made_up_for() -> None:
    """With `all`, everything is run, the oldest first."""
    planned = plan(ago(120, 60, 5), Policies(missed=Missed.ALL), NOW)
    assert run(planned) == ago(120, 60, 5)


def test_a_long_outage_leaves_a_short_record() -> None:
    """Of a great many missed instants the latest hundred are recorded."""
    instants = ago(*range(1000, 0, -1))
    planned = plan(instants, Policies(grace=timedelta()), NOW)
    assert missed(planned) == ago(*range(100, 0, -1))
    assert run(planned) == []


def test_policies_survive_being_written_down() -> None:
    """What JSON keeps of a campaign's policies is what they were."""
    policies = Policies(spread=30 * MINUTE, missed=Missed.ALL, grace=HOUR, life=6 * HOUR)
    assert Policies.from_record(policies.as_record()) == policies


FRESH = Standing(
    state=RunState.PLANNED,
    begins_at=NOW + 8 * MINUTE,
    is_read=False,
    is_expanded=False,
    has_content=False,
    reads_later=False,
    fetches_later=False,
)
READ = replace(FRESH, state=RunState.PREPARING, is_read=True)
EXPANDED = replace(READ, is_expanded=True)


@pytest.mark.parametrize(
    ("standing", "steps"),
    [
        (FRESH, {Step.READ}),
        (replace(FRESH, reads_later=True), set()),
        (READ, {Step.EXPAND}),
        (replace(READ, begins_at=NOW + MINUTE), {Step.EXPAND, Step.FETCH}),
        (EXPANDED, set()),
        (replace(EXPANDED, begins_at=NOW + MINUTE), {Step.FETCH}),
        (replace(EXPANDED, begins_at=NOW, fetches_later=True), set()),
        (replace(EXPANDED, has_content=True), {Step.OPEN}),
        (replace(READ, has_content=True), {Step.OPEN, Step.EXPAND}),
        (replace(READ, state=RunState.OPEN, has_content=True), {Step.EXPAND}),
        (replace(EXPANDED, state=RunState.OPEN, has_content=True), {Step.FINISH}),
        (replace(FRESH, state=RunState.CANCELLED), {Step.SWEEP}),
        (replace(EXPANDED, state=RunState.FAILED), {Step.SWEEP}),
    ],
)
def test_what_a_run_needs_next_follows_from_its_row(standing: Standing, steps: set[Step]) -> None:
    """Whoever finds a run's row knows what to do, whoever was at it before."""
    assert next_steps(standing, NOW) == steps
