"""What takes longer than a page: begun once, asked after, and kept only as long as it is news."""

import threading
from collections.abc import Iterator
from concurrent import futures

import pytest

from pushjobs.errors import NotFound, NotPossible
from pushjobs.http.console.errands import Errands


@pytest.fixture
def errands() -> Iterator[Errands]:
    """Those of a process."""
    made = Errands()
    yield made
    made.close()


def test_a_short_errand_is_done_when_it_is_begun(errands: Errands) -> None:
    """What is done within the wait is there at once; it is its client's, by its name."""
    errands.begin("pj1", "add", lambda: 1 + 1, wait=10.0)
    found = errands.find("pj1", "add")
    assert found is not None
    assert found.future.result(0) == 2
    assert errands.find("pj2", "add") is None
    assert errands.find("pj1", "other") is None
    errands.forget("pj1", "add")
    assert errands.find("pj1", "add") is None


def test_an_errand_under_way_is_not_begun_twice(errands: Errands) -> None:
    """Who asks again while it runs is given the one that runs; afterwards it is begun anew."""
    gate, begun = threading.Event(), []

    def work() -> int:
        begun.append(1)
        gate.wait(10)
        return len(begun)

    errands.begin("pj1", "long", work, wait=0.0)
    errands.begin("pj1", "long", work, wait=0.0)
    found = errands.find("pj1", "long")
    assert found is not None
    assert not found.future.done()
    gate.set()
    assert found.future.result(10) == 1
    errands.begin("pj1", "long", work, wait=10.0)
    again = errands.find("pj1", "long")
    assert again is not None
    assert again.future.result(0) == 2


def test_there_are_not_too_many_errands(errands: Errands) -> None:
    """While twenty are under way another one is refused; one that is done makes room."""
    gate = threading.Event()
    for number in range(20):
        errands.begin("pj1", str(number), lambda: gate.wait(10), wait=0.0)
    with pytest.raises(NotPossible):
        errands.begin("pj1", "more", lambda: None, wait=0.0)
    gate.set()
    futures.wait([found.future for n in range(20) if (found := errands.find("pj1", str(n)))], timeout=10)
    errands.begin("pj1", "more", lambda: None, wait=10.0)
    assert errands.find("pj1", "more") is not None


def test_what_was_looked_at_long_ago_is_not_told(errands: Errands) -> None:
    """Nothing is told before the first look is over, its word while that is fresh, and nothing of an old one."""
    gate = threading.Event()

    def look() -> str:
        gate.wait(10)
        return "well"

    assert errands.lately("look", look, fresh=3600.0) is None
    gate.set()
    assert errands._lately["look"][-1].future.result(10) == "well"
    gate.clear()
    assert errands.lately("look", look, fresh=3600.0) == "well"
    assert len(errands._lately["look"]) == 1
    # To whom a look is old at once: it is looked again, and the old one is not told.
    assert errands.lately("look", look, fresh=0.0) is None
    assert len(errands._lately["look"]) == 2
    gate.set()


def test_a_look_that_fails_tells_nothing(errands: Errands) -> None:
    """It is as if it had not been looked."""

    def fail() -> object:
        raise NotFound("nothing")

    assert errands.lately("look", fail, fresh=5.0) is None
    futures.wait([each.future for each in errands._lately["look"]], timeout=10)
    assert errands.lately("look", fail, fresh=5.0) is None
