"""Several requests accepted at once: each has an answer of its own, and one transaction is enough for all."""

from typing import Any

import pytest

from pushjobs.acceptance import Asked, Verdict
from pushjobs.batches import AcceptedJob
from pushjobs.domain.job import Job, JobState
from pushjobs.errors import FormIdUsedUp, InvalidInput, KeyReused, NotReady, UnknownTemplate
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from tests.integration.hands import ask, only_job
from tests.integration.pushes import news

LATER = {"time": "2099-12-01 08:00:00"}


def accept(runtime: Runtime, *rows: dict[str, Any], from_memory: bool = False) -> list[Verdict]:
    """Accept rows of arguments, from no client."""
    return runtime.acceptance.accept([Asked(arguments=row) for row in rows], from_memory=from_memory)


def job(verdict: Verdict) -> Job:
    assert isinstance(verdict, AcceptedJob)
    return verdict.job


def test_each_has_its_own_answer(runtime: Runtime) -> None:
    """Good and bad rows are told apart in their order, and what is returned is what is stored."""
    first, bad, second = accept(runtime, news(1, **LATER), news(2, page="/no"), news(3, **LATER))
    assert isinstance(bad, InvalidInput)
    assert bad.field == "page"
    assert [each.id for each in runtime.producer.find()] == [job(second).id, job(first).id]
    stored = runtime.producer.get(job(first).id)
    assert (stored.time, stored.expires, stored.lane) == (job(first).time, job(first).expires, job(first).lane)


@pytest.mark.parametrize("count", [1, 2, 19, 60])
def test_however_many_they_are_one_transaction(runtime: Runtime, count: int) -> None:
    """What waits and what is due now is stored together, by one commit; what is due is on its way."""
    rows = [news(number, **({} if number % 2 else LATER)) for number in range(count)]
    assert all(isinstance(verdict, AcceptedJob) for verdict in accept(runtime, *rows))
    states = dict(ask(runtime, "SELECT state, count(*) FROM pushjobs.jobs GROUP BY state"))
    assert states.get(JobState.RELEASED, 0) == count // 2
    assert sum(states.values()) == count
    assert ask(runtime, "SELECT count(DISTINCT xmin::text) FROM pushjobs.jobs") == [(1,)]
    assert {each.state for each in runtime.producer.find()} <= {JobState.SCHEDULED, JobState.RELEASED}


def test_a_key_makes_one_job(runtime: Runtime) -> None:
    """A key of the same body is the job it made, in this transaction or before; of another body it is refused."""
    once = news(1, **LATER, idempotency_key="once")
    first, same, other = accept(runtime, once, once, {**once, "page": "other"})
    [again] = accept(runtime, once)
    assert job(first).id == job(same).id == job(again).id == only_job(runtime).id
    assert isinstance(other, KeyReused)


def test_a_form_id_serves_once(runtime: Runtime) -> None:
    """Of two legacy messages with one form id, the first has it."""
    legacy = news(1, form_id="FORMID", data={"keyword1": "x"}, template_id="old")
    first, second = accept(runtime, legacy, legacy)
    assert job(first).id == only_job(runtime).id
    assert isinstance(second, FormIdUsedUp)


def test_what_wechat_must_be_asked_about_is_left(worker: Runtime, sandbox: SandboxClient) -> None:
    """From memory, a template that is not known yet is left undecided, and decided when that may take its time."""
    worker.catalogue.sync()
    assert sandbox.summary().received == 0
    assert accept(worker, news(1, **LATER), from_memory=True) == [None]
    for from_memory in (False, True):  # it was asked about once, and is remembered as unknown
        [verdict] = accept(worker, news(1, **LATER), from_memory=from_memory)
        assert isinstance(verdict, UnknownTemplate)


def test_what_was_never_read_needs_no_asking(runtime: Runtime) -> None:
    """An app whose catalogue was never read takes any template at once."""
    [verdict] = accept(runtime, news(1, **LATER), from_memory=True)
    assert isinstance(verdict, AcceptedJob)


def test_without_tables_nothing_is_accepted(runtime: Runtime) -> None:
    """A fault of the database is nobody's own refusal: it is raised for all of them."""
    accept(runtime, news(1, **LATER))
    ask(runtime, "ALTER TABLE pushjobs.jobs RENAME TO gone")
    with pytest.raises(NotReady):
        accept(runtime, news(2, **LATER), news(3, page="/no"))


def test_nothing_is_nothing(runtime: Runtime) -> None:
    """No requests, no answers, no transaction."""
    assert accept(runtime) == []
