"""Lateness in steps that can be added up, and the quantiles read from them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushjobs.domain.lateness import STEPS, quantile


def test_a_quantile_lies_evenly_in_its_step() -> None:
    """Of a hundred calls between 25 and 50 ms the median is taken to be in the middle."""
    step = STEPS.index(0.05)
    assert quantile({step: 100}, 0.5) == pytest.approx(0.0375)
    assert quantile({step: 100}, 1.0) == 0.05


def test_a_few_late_calls_show_at_the_end_only() -> None:
    """98 calls in the first step and two beyond a minute: the median is small, the 99th hundredth is not."""
    counts = {0: 98, STEPS.index(300.0): 2}
    assert quantile(counts, 0.5) == pytest.approx(0.005 * 50 / 98)
    assert quantile(counts, 0.99) == pytest.approx(60 + 240 * 0.5)


def test_without_calls_there_is_no_quantile() -> None:
    """Nothing is said of a minute in which nothing left."""
    assert quantile({}, 0.99) is None


def test_beyond_the_last_step_nothing_is_known() -> None:
    """A call that was a day late is told as the last bound."""
    assert quantile({len(STEPS): 1}, 0.5) == STEPS[-1]


@given(
    st.dictionaries(st.integers(0, len(STEPS)), st.integers(1, 1000), min_size=1),
    st.floats(0.01, 1),
    st.floats(0.01, 1),
)
def test_a_larger_share_is_never_earlier(counts: dict[int, int], one: float, other: float) -> None:
    """Quantiles rise with their share, and lie within the steps that hold calls."""
    low, high = (quantile(counts, share) for share in sorted((one, other)))
    assert low is not None
    assert high is not None
    assert 0 < low <= high <= STEPS[-1]
