"""The delay before the next attempt."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushjobs.domain.backoff import (
    MAX_ASKS,
    MAX_ATTEMPTS,
    MAX_FORWARDS,
    asking_delay,
    forward_delay,
    retry_delay,
    tell_delay,
)

ATTEMPTS = st.integers(1, 50)
DRAWS = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(1, 2), (2, 4), (3, 8), (4, 16), (MAX_ATTEMPTS, 32), (8, 256), (9, 300), (50, 300)]
)
def test_the_longest_delay_doubles_up_to_five_minutes(attempt: int, seconds: float) -> None:
    """An unlucky draw waits 2 s, then twice as long each time, never more than 5 min."""
    assert retry_delay(attempt, draw=0.5) == timedelta(seconds=seconds / 2)


@given(ATTEMPTS, DRAWS)
def test_a_delay_lies_between_a_second_and_five_minutes(attempt: int, draw: float) -> None:
    """No draw of any attempt waits less than a second or more than five minutes."""
    assert timedelta(seconds=1) <= retry_delay(attempt, draw=draw) <= timedelta(minutes=5)


@given(ATTEMPTS, DRAWS, DRAWS)
def test_the_draw_spreads_the_delay(attempt: int, one: float, other: float) -> None:
    """A larger draw never waits less, so that jobs that failed together come back apart."""
    first, second = sorted((one, other))
    assert retry_delay(attempt, draw=first) <= retry_delay(attempt, draw=second)


@given(ATTEMPTS, DRAWS)
def test_a_later_attempt_never_waits_less(attempt: int, draw: float) -> None:
    """With the same draw, the delay grows with the attempt."""
    assert retry_delay(attempt, draw=draw) <= retry_delay(attempt + 1, draw=draw)


def test_a_push_is_forwarded_for_most_of_a_day() -> None:
    """Waits double from 5 s to an hour, at least half of each for sure; after the last try there is none."""
    delays = [forward_delay(attempt, draw=0.0) for attempt in range(1, MAX_FORWARDS)]
    assert [delay and delay.total_seconds() for delay in delays[:3]] == [2.5, 5, 10]
    assert max(delay for delay in delays if delay is not None) == timedelta(minutes=30)
    assert sum((delay for delay in delays if delay is not None), timedelta()) > timedelta(hours=7)
    assert forward_delay(MAX_FORWARDS, draw=0.0) is None


def test_the_door_is_asked_six_times_within_seconds() -> None:
    """Growing delays, half of each jitter, three to seven seconds in all; after the last request there is none."""
    for draw, seconds in ((0.0, 3.1), (0.5, 4.65)):
        delays = [asking_delay(attempt, draw=draw) for attempt in range(1, MAX_ASKS)]
        assert sum((each for each in delays if each), timedelta()).total_seconds() == pytest.approx(seconds)
    assert asking_delay(MAX_ASKS, draw=0.0) is None


@given(st.integers(1, MAX_ASKS - 1), DRAWS, st.floats(0, 10))
def test_a_door_s_wish_is_added_to(attempt: int, draw: float, wish: float) -> None:
    """Nobody comes back before the door wished for it, nor all at that very moment; beyond ten seconds nobody waits."""
    delay = asking_delay(attempt, draw=draw, at_least=wish)
    assert delay is not None
    assert wish < delay.total_seconds() < wish + 6.5
    assert asking_delay(attempt, draw=draw, at_least=wish + 10.001) is None


@pytest.mark.parametrize("attempt", [MAX_FORWARDS, 100, 10**6])
def test_telling_goes_on_each_hour(attempt: int) -> None:
    """A client is told for as long as something is worth telling, in the end once in half an hour to an hour."""
    assert tell_delay(attempt, draw=0.0) == timedelta(minutes=30)
    assert tell_delay(attempt, draw=0.999) <= timedelta(hours=1)
    assert tell_delay(1, draw=0.0) == timedelta(seconds=2.5)
