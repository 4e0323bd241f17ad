"""Claiming: each due job to one claimer, in order, under a new number, and never too early."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from pushjobs import clock
from pushjobs.domain.job import JobState, Lane
from pushjobs.domain.lifecycle import Transition
from pushjobs.settings import LEASE_SECONDS
from pushjobs.store import catalogue, releases
from pushjobs.store.releases import Bucket, Released
from tests.integration.store.shelf import Shelf

MANY = 2000


def in_turns(shelf: Shelf, barrier: threading.Barrier) -> list[Released]:
    """Claim until nothing is left, beginning together with others."""
    barrier.wait()
    claimed: list[Released] = []
    while found := shelf.claim(limit=37):
        claimed += found
    return claimed


def test_templates_are_claimed_together_in_the_order_of_moments(shelf: Shelf) -> None:
    """The soonest jobs are claimed whatever their template; one that somebody holds makes way for the next."""
    ids = shelf.accept([-60.0 + number for number in range(12)])
    with shelf.database.transaction() as connection:
        other = catalogue.ensure_template(connection, shelf.bucket.app_no, "other")
    shelf.execute("UPDATE pushjobs.jobs SET template_no = :other WHERE id % 3 = 0", other=other)
    assert [job.id for job in shelf.claim(5)] == ids[:5]
    with shelf.database.transaction() as connection:
        connection.execute(text("SELECT FROM pushjobs.jobs WHERE id = :id FOR UPDATE"), {"id": ids[5]})
        assert len(shelf.claim(4)) == 4
    assert shelf.get(ids[5]).state is JobState.SCHEDULED
    assert shelf.claim()[0].id == ids[5]


def test_two_claimers_share_what_is_due(shelf: Shelf) -> None:
    """Two claimers at once get every due job between them, and none twice."""
    ids = shelf.accept([-60.0 + number / 100 for number in range(MANY)])
    barrier = threading.Barrier(2)
    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(lambda _: in_turns(shelf, barrier), range(2))
    assert one
    assert other
    assert sorted(job.id for job in one + other) == ids


def test_a_claim_takes_the_soonest_first(shelf: Shelf) -> None:
    """A claim returns jobs in the order of their moments, jobs of one moment by their ids, the rest left for later."""
    # 389 is coprime to 1000: every place once, in a scattered order. Every second job shares its moment with others.
    due_in = [-60.0 if place % 2 else -50.0 + place / 1000 for place in (number * 389 % 1000 for number in range(1000))]
    ids = shelf.accept(due_in)
    expected = [job_id for _, job_id in sorted(zip(due_in, ids, strict=True))]
    assert [job.id for job in shelf.claim(limit=700)] == expected[:700]
    assert [job.id for job in shelf.claim()] == expected[700:]


def test_a_claim_leaves_what_lies_beyond_the_lookahead(shelf: Shelf) -> None:
    """Jobs further off than the look-ahead stay scheduled."""
    overdue, near, _far = shelf.accept([-10.0, 3.0, 60.0])
    claimed = {job.id: job.due_in for job in shelf.claim(lookahead=5.0)}
    assert claimed.keys() == {overdue, near}
    assert claimed[overdue] == pytest.approx(-10, abs=1)
    assert claimed[near] == pytest.approx(3, abs=1)
    assert shelf.claim(lookahead=5.0) == []


def test_a_claim_leaves_other_buckets_alone(shelf: Shelf) -> None:
    """A claim takes the jobs of its app and lane and no others."""
    shelf.accept([-1.0])
    with shelf.database.transaction() as connection:
        for other in (Bucket(shelf.bucket.app_no, Lane.URGENT), Bucket(shelf.bucket.app_no + 1, Lane.BULK)):
            assert releases.claim(connection, other, limit=10, lookahead=5.0) == []


def test_every_release_raises_the_number(shelf: Shelf) -> None:
    """Released, given back and released again, a job has a higher number each time."""
    shelf.accept([-1.0] * 3)
    for expected in (1, 2, 3):
        claimed = shelf.claim()
        assert [job.release_no for job in claimed] == [expected] * 3
        shelf.move(claimed, Transition.GIVE_BACK)


def test_a_lease_counts_from_the_jobs_moment(shelf: Shelf) -> None:
    """A released job is held for the lease from its moment on, or from now when it is overdue."""
    shelf.accept([-60.0, 4.0])
    shelf.claim()
    rows = shelf.ask("SELECT extract(epoch FROM lease_until - greatest(due_at, now()))::float FROM pushjobs.jobs")
    assert [left for (left,) in rows] == pytest.approx([LEASE_SECONDS] * 2, abs=1)


def test_a_locked_row_is_skipped(shelf: Shelf) -> None:
    """A job whose owner is changing it at this moment is left for the next tick; nobody waits."""
    held, free = shelf.accept([-2.0, -1.0])
    with shelf.database.transaction() as connection:
        connection.exec_driver_sql("SELECT 1 FROM pushjobs.jobs WHERE id = %s FOR UPDATE", (held,))
        assert [job.id for job in shelf.claim()] == [free]
    assert [job.id for job in shelf.claim()] == [held]


def test_a_bucket_belongs_to_one_tick_at_a_time(shelf: Shelf) -> None:
    """While one tick holds a bucket another gets False at once; a different bucket is free; the commit frees it."""
    other = Bucket(shelf.bucket.app_no, Lane.URGENT)
    with shelf.database.transaction() as first:
        assert releases.lock(first, shelf.bucket)
        with shelf.database.transaction() as second:
            assert not releases.lock(second, shelf.bucket)
            assert releases.lock(second, other)
    with shelf.database.transaction() as third:
        assert releases.lock(third, shelf.bucket)


def test_every_bucket_has_a_lock_of_its_own(shelf: Shelf) -> None:
    """No two of many buckets share a lock."""
    buckets = [Bucket(app_no, lane) for app_no in range(1, 50) for lane in Lane]
    with shelf.database.transaction() as first, shelf.database.transaction() as second:
        for bucket in buckets:
            assert releases.lock(second, bucket)
            assert not releases.lock(first, bucket)


def test_load_counts_what_is_out_and_what_was_drained(shelf: Shelf) -> None:
    """The load is the jobs released and not yet begun, and the jobs settled over the last five seconds."""
    shelf.sending(2)
    shelf.released(3)
    shelf.accept([-1.0] * 4)
    shelf.execute(
        "INSERT INTO pushjobs.settlements (at, app_no, lane, jobs) VALUES "
        "(now(), :app_no, 'bulk', 40), (now() - interval '4 s', :app_no, 'bulk', 30), "
        "(now() - interval '6 s', :app_no, 'bulk', 100), (now(), :app_no, 'urgent', 100)",
        app_no=shelf.bucket.app_no,
    )
    with shelf.database.transaction() as connection:
        assert releases.load(connection, shelf.bucket) == releases.Load(outstanding=3, settled=70)


def test_renewal_prolongs_only_old_leases_of_released_jobs(shelf: Shelf) -> None:
    """A lease past its half is prolonged; a fresh one, and one of a job that is being sent, stay as they are."""
    sending, old, fresh = (job.id for job in [*shelf.sending(), *shelf.released(2)])
    shelf.execute("UPDATE pushjobs.jobs SET lease_until = now() + interval '2 s' WHERE id <> :fresh", fresh=fresh)
    before = shelf.leases()
    with shelf.database.transaction() as connection:
        releases.renew(connection, [old, fresh, sending])
    after = shelf.leases()
    assert after[old] > before[old]
    assert (after[fresh], after[sending]) == (before[fresh], before[sending])


def test_claims_are_fast(shelf: Shelf, record_property: Callable[[str, object], None]) -> None:
    """Claiming 20,000 due jobs, 2,000 at a time, is a matter of a second or two; the rate is reported."""
    shelf.accept([-60.0 + number / 1000 for number in range(20_000)])
    began = clock.monotonic()
    claimed = sum(len(shelf.claim(limit=MANY)) for _ in range(10))
    rate = int(claimed / (clock.monotonic() - began))
    record_property("claimed per second", rate)
    print(f"claimed {rate:,} jobs/s")  # noqa: T201 - read with -s, and in the report
    assert claimed == 20_000
