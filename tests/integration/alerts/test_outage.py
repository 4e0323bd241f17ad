"""A database that does not answer is told without it: once, whoever sees it, and when it is over."""

from collections.abc import Iterator

import pytest
from redis import Redis

from pushjobs.errors import Unreachable
from pushjobs.runtime import Runtime
from pushjobs.settings import Settings
from tests.integration.alerts.robots import TAKEN, texts, watch
from tests.integration.own_door import OwnDoor

NOWHERE = "postgresql://nobody@127.0.0.1:9/nothing"


@pytest.fixture
def cut_off(settings: Settings) -> Iterator[list[Runtime]]:
    """Three processes that have not reached the database for half a minute."""
    made = [Runtime(settings.model_copy(update={"database_url": NOWHERE})) for _ in range(3)]
    for each in made:
        fail(each)
        assert each.alerts._outage._since is not None
        each.alerts._outage._since -= 31.0
    yield made
    for each in made:
        each.close()


def fail(process: Runtime) -> None:
    """Keep watch as a process does that cannot reach the database."""
    with pytest.raises(Unreachable):
        process.alerts.watch()


def recover(process: Runtime, runtime: Runtime) -> None:
    """Let a process reach it again, by another's connections, and keep watch."""
    process.alerts._looking._database = process.alerts._telling._database = runtime.database
    process.alerts.watch()


def test_an_outage_is_told_once_and_its_end_once(runtime: Runtime, cut_off: list[Runtime], robot: OwnDoor) -> None:
    """Of three processes one tells, with Redis alone; of those that reach it again one tells that too."""
    for _ in range(2):
        for each in cut_off:
            fail(each)
    [told] = texts(robot)
    assert told.startswith("**pushjobs: The database does not answer**")
    assert "`database_silent`, critical" in told
    for each in [*cut_off, *cut_off]:
        recover(each, runtime)
    watch(runtime)
    [_, over] = texts(robot)
    assert over.startswith("**pushjobs: over: The database does not answer**")


def test_a_process_that_is_new_tells_the_end(runtime: Runtime, cut_off: list[Runtime], robot: OwnDoor) -> None:
    """Where every process that saw it is gone, the next one that looks tells that it is over."""
    fail(cut_off[0])
    watch(runtime)
    watch(runtime)
    assert [text.startswith("**pushjobs: over: ") for text in texts(robot)] == [False, True]


def test_a_restart_is_no_outage(settings: Settings, robot: OwnDoor) -> None:
    """Some seconds without an answer are told to nobody."""
    process = Runtime(settings.model_copy(update={"database_url": NOWHERE}))
    for _ in range(3):
        fail(process)
    assert robot.taken == []
    process.close()


def test_what_nobody_took_is_tried_again(settings: Settings, cut_off: list[Runtime], robot: OwnDoor) -> None:
    """A robot that is down when it is told is told half a minute later, by whoever looks then."""
    robot.answer = lambda _: (500, "")
    for each in cut_off:
        fail(each)
    assert len(robot.taken) == 1
    robot.answer = lambda _: (200, TAKEN)
    with Redis.from_url(settings.require_redis_url) as redis:
        assert 0 < redis.ttl("pushjobs:alerts:database_silent") <= 30
        redis.delete("pushjobs:alerts:database_silent")
    for each in cut_off:
        fail(each)
    assert len(robot.taken) == 2


def test_without_redis_nobody_tells(settings: Settings, robot: OwnDoor) -> None:
    """With Redis gone too nothing could decide who tells: then none does, and nothing breaks."""
    process = Runtime(settings.model_copy(update={"database_url": NOWHERE, "redis_url": "redis://127.0.0.1:9"}))
    fail(process)
    assert process.alerts._outage._since is not None
    process.alerts._outage._since -= 31.0
    fail(process)
    assert robot.taken == []
    process.close()
