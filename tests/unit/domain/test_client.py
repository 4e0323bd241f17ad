"""A client's own rate, at its edges."""

import pytest

from pushjobs.domain.client import let_in


def test_a_second_s_worth_comes_at_once() -> None:
    """At two a second, three come at once (one begins the second), and the fourth waits half a second."""
    busy_until, waits = 0.0, []
    for _ in range(4):
        wait, busy_until = let_in(1, 2.0, busy_until=busy_until, now=100.0)
        waits.append(wait)
    assert waits == [0.0, 0.0, 0.0, 0.5]
    assert let_in(1, 2.0, busy_until=busy_until, now=100.5)[0] == 0.0


def test_a_batch_is_let_in_and_waited_for() -> None:
    """A batch of more than a second's worth is let in where nothing is owed, and what it owes is waited for."""
    wait, busy_until = let_in(10, 2.0, busy_until=0.0, now=100.0)
    assert (wait, busy_until) == (0.0, 104.0)
    assert let_in(1, 2.0, busy_until=busy_until, now=101.0) == (3.0, 104.0)


@pytest.mark.parametrize("idle", [2.0, 3600.0])
def test_what_was_not_used_is_not_saved_up(idle: float) -> None:
    """However long a client was silent, no more than a second's worth comes at once."""
    _, busy_until = let_in(1, 1.0, busy_until=100.0, now=100.0 + idle)
    assert let_in(1, 1.0, busy_until=busy_until, now=100.0 + idle)[0] == 0.0
    _, busy_until = let_in(1, 1.0, busy_until=busy_until, now=100.0 + idle)
    assert let_in(1, 1.0, busy_until=busy_until, now=100.0 + idle)[0] == pytest.approx(1.0)
