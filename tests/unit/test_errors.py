"""Exceptions cross process borders whole: Celery and process pools pickle them."""

import pickle

import pytest

from pushjobs.errors import (
    AudienceUnread,
    CallRefused,
    CredentialsRefused,
    InvalidInput,
    InvalidMessage,
    PushJobsError,
    gathered,
)


@pytest.mark.parametrize(
    "error",
    [
        InvalidMessage("data.thing1", "is 21 characters long", "a thing has 1 to 20 characters"),
        AudienceUnread("readers.csv", "is damaged", "write it anew"),
        CallRefused(40029, "login code invalid, used or expired"),
        CallRefused(20002, "parameter invalid", "61725984-6126f6f9-040f19c4"),
        CredentialsRefused(40125, "secret invalid", "61725984-6126f6f9-040f19c4"),
    ],
    ids=repr,
)
def test_an_error_comes_through_a_pickle_as_it_was(error: PushJobsError) -> None:
    """Kind, message and attributes are the same on the other side."""
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - made a moment ago
    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))


def test_a_refusal_names_the_request_where_wechat_did() -> None:
    """The rid stands at the end, for an operator to copy."""
    assert str(CallRefused(1, "no", "a-b")) == "WeChat answered 1: no (rid a-b)"
    assert str(CallRefused(1, "no")) == "WeChat answered 1: no"


@pytest.mark.parametrize("fault", [KeyError(), CallRefused(1, "no")], ids=repr)
def test_gathering_keeps_refusals_and_nothing_else(fault: Exception) -> None:
    """A refusal is noted in place of being raised; any other error goes on."""
    found: list[InvalidInput] = []

    def read(raised: Exception) -> None:
        with gathered(found):
            raise raised

    read(InvalidInput("page", "begins with a slash", "leave it out"))
    with pytest.raises(type(fault)):
        read(fault)
    assert [each.field for each in found] == ["page"]
