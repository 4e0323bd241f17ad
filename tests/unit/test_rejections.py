"""What is said of rows that were refused, however many they are."""

import pytest

from pushjobs import rejections
from pushjobs.errors import InvalidInput
from pushjobs.rejections import Rejected, Rejection


def test_all_are_counted_and_the_first_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of bad rows without end does not fill the memory; its report says how many there were."""
    monkeypatch.setattr(rejections, "MOST_LISTED", 3)
    refused = Rejected()
    for row in range(1, 11):
        refused.add(row, InvalidInput("touser", "is missing", "give the user's openid"))
    assert refused.total == 10
    assert [each.row for each in refused] == [1, 2, 3]
    assert refused[0] == Rejection(row=1, field="touser", reason="is missing: give the user's openid")
