"""How much a tick may claim, and how jobs are cut into batches."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pushjobs.domain.job import JobId, Lane
from pushjobs.release import TOGETHER_SECONDS, batches, budget
from pushjobs.settings import LEASE_SECONDS
from pushjobs.store.releases import Bucket, Load, Released

BUCKET = Bucket(1, Lane.BULK)
RATES = st.floats(0.01, 100_000)
LOOKAHEADS = st.floats(1, 10)
COUNTS = st.integers(0, 1_000_000)


def jobs_due_in(seconds: list[float]) -> list[Released]:
    """Released jobs, soonest first, as a claim returns them."""
    return [Released(id=JobId(n), release_no=n + 1, due_in=due) for n, due in enumerate(sorted(seconds))]


DUE = st.lists(st.floats(-100, 5), min_size=1, max_size=200).map(jobs_due_in)


@given(RATES, LOOKAHEADS, COUNTS, COUNTS)
def test_a_budget_never_exceeds_what_the_rate_drains(rate: float, lookahead: float, out: int, settled: int) -> None:
    """What is out and what may follow is at most rate times look-ahead, but always room for one."""
    room = budget(Load(outstanding=out, settled=settled), rate=rate, lookahead_seconds=lookahead)
    assert room + out <= max(1.0, rate * lookahead)


@given(RATES, LOOKAHEADS, COUNTS)
def test_an_idle_bucket_always_has_room(rate: float, lookahead: float, settled: int) -> None:
    """With nothing out, at least one job may go, however low the rate."""
    assert budget(Load(outstanding=0, settled=settled), rate=rate, lookahead_seconds=lookahead) >= 1


@given(RATES, LOOKAHEADS, COUNTS, COUNTS, COUNTS)
def test_a_budget_grows_with_what_was_drained(rate: float, lookahead: float, out: int, settled: int, more: int) -> None:
    """A bucket that drained more may have as much out, or more."""
    before = budget(Load(outstanding=out, settled=settled), rate=rate, lookahead_seconds=lookahead)
    after = budget(Load(outstanding=out, settled=settled + more), rate=rate, lookahead_seconds=lookahead)
    assert after >= before


def test_a_fast_bucket_has_twice_out_what_it_drained() -> None:
    """12.8 Beyond what the rate drains until the next tick, a bucket may have out twice what it settled of late."""
    loads = [Load(outstanding=500, settled=settled) for settled in (0, 1_000, 3_000, 1_000_000)]
    assert [budget(load, rate=4_000, lookahead_seconds=5) for load in loads] == [4_500, 4_500, 5_500, 19_500]


@given(DUE, st.integers(1, 50))
def test_batches_hold_every_job_once_in_order(released: list[Released], largest: int) -> None:
    """Cutting loses no job, doubles none, keeps their order, and no batch is larger than allowed."""
    made = list(batches(BUCKET, released, largest=largest))
    assert [job[:2] for batch in made for job in batch.jobs] == [(job.id, job.release_no) for job in released]
    assert all(1 <= len(batch.jobs) <= largest for batch in made)
    assert {(batch.app_no, batch.lane) for batch in made} == {(BUCKET.app_no, BUCKET.lane)}


@given(DUE, st.integers(1, 50))
def test_the_jobs_of_a_batch_fall_due_together(released: list[Released], largest: int) -> None:
    """12.12 Within a batch all are due within a quarter second, each told from the first; it ends with its lease."""
    due = {job.id: max(job.due_in, 0.0) for job in released}
    for batch in batches(BUCKET, released, largest=largest):
        moments = [due[job_id] for job_id, _, _ in batch.jobs]
        assert max(moments) - min(moments) <= TOGETHER_SECONDS
        assert batch.due_in == min(moments)
        assert [after for _, _, after in batch.jobs] == [moment - min(moments) for moment in moments]
        assert batch.expires_in == min(moments) + LEASE_SECONDS


@given(DUE)
def test_a_batch_is_cut_only_where_it_must(released: list[Released]) -> None:
    """Without a limit of size, each batch begins with a job that fits into none before it."""
    due = {job.id: max(job.due_in, 0.0) for job in released}
    firsts = [due[batch.jobs[0][0]] for batch in batches(BUCKET, released, largest=1000)]
    assert all(later - earlier > TOGETHER_SECONDS for earlier, later in pairwise(firsts))


def test_nothing_makes_no_batch() -> None:
    """Without jobs there are no batches."""
    assert list(batches(BUCKET, [], largest=10)) == []
