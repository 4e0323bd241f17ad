"""The demo's account: only what arrived at the receiver counts."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pushjobs.cli.account import Account, Plan, fingerprint, percentile
from pushjobs.domain.job import OnQuota
from pushjobs.sandbox.client import ReceivedSend

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def message(user: str) -> dict[str, Any]:
    return {"touser": user, "template_id": "TPL", "data": {"thing1": {"value": "订单已发货"}}}


def arrival(user: str, after: float, errcode: int | None = 0) -> ReceivedSend:
    return ReceivedSend(
        seq=1,
        arrived_at=(NOON + timedelta(seconds=after)).timestamp(),
        appid="wx",
        path="/send",
        touser=user,
        template_id="TPL",
        errcode=errcode,
        msgid=1,
        fault=None,
        body=message(user),
    )


def plan() -> Plan:
    """Two to be sent at noon, one taken back, two refused at the door."""
    return Plan(
        times={fingerprint(message(user)): NOON for user in ("anna", "bo")},
        cancelled={fingerprint(message("cai"))},
        refused=["page begins with a slash", "page begins with a slash"],
        daily_quota=1,
        references={user: fingerprint(message(user)) for user in ("anna", "bo", "cai")},
    )


def account_of(*arrivals: ReceivedSend, over_quota: Mapping[str, OnQuota] | None = None) -> Account:
    """Compare the plan with what arrived, and with what our records say was over quota."""
    return Account.of(plan(), arrivals, over_quota or {})


def not_sent(*, refused: int = 2, deferred: int = 0, cancelled: int = 1) -> dict[str, int]:
    """What is accounted for without having been sent: unless said otherwise, what the plan says."""
    return {"refused": refused, "deferred": deferred, "cancelled": cancelled}


def test_everything_accounted_for() -> None:
    """Each once, none before its time, nothing of what was cancelled: complete, with the lateness of each."""
    account = account_of(arrival("bo", 0.2), arrival("anna", 0.1))
    assert (account.planned, account.sent, account.not_sent) == (5, 2, not_sent())
    assert [round(late, 3) for late in account.lateness] == [0.1, 0.2]
    assert account.is_complete


def test_a_missing_message_is_missed() -> None:
    """What never arrived makes the account incomplete."""
    assert not account_of(arrival("bo", 0.2)).is_complete


def test_a_repeat_is_found() -> None:
    """A message accepted twice is counted once as sent and once as a repeat."""
    account = account_of(arrival("anna", 0.1), arrival("bo", 0.1), arrival("bo", 0.3))
    assert (account.sent, account.repeats, account.is_complete) == (2, 1, False)


def test_an_early_arrival_is_found() -> None:
    """A thousandth of a second before its time is early."""
    account = account_of(arrival("anna", -0.001), arrival("bo", 0.1))
    assert (account.early, account.is_complete) == (1, False)


def test_a_cancelled_message_must_not_arrive() -> None:
    """What was taken back and arrives all the same makes the account incomplete."""
    account = account_of(arrival("anna", 0.1), arrival("bo", 0.1), arrival("cai", 0.1))
    assert (account.not_sent, account.is_complete) == (not_sent(cancelled=0), False)


def test_wechat_s_refusal_counts_as_refused() -> None:
    """A message that WeChat turned down, however often it was tried, is refused and not sent."""
    account = account_of(arrival("anna", 0.1), arrival("bo", 0.1, 43101), arrival("bo", 0.5, 43101))
    assert (account.sent, account.not_sent, account.is_complete) == (1, not_sent(refused=3), True)
    assert list(account.refused.values()) == [2, 1]
    assert any(reason.startswith("WeChat answered 43101: ") for reason in account.refused)


@pytest.mark.parametrize(
    ("how", "expected"), [(OnQuota.REFUSE, not_sent(refused=3)), (OnQuota.DEFER, not_sent(deferred=1))]
)
def test_what_is_over_quota_is_accounted_for(how: OnQuota, expected: dict[str, int]) -> None:
    """A message that our records say was held back, and that never arrived, is refused or deferred with that reason."""
    account = account_of(arrival("anna", 0.1), over_quota={"bo": how})
    assert (account.sent, account.not_sent, account.is_complete) == (1, expected, True)
    assert any(reason.startswith("daily quota: ") for reason in {**account.refused, **account.deferred})
    assert account.most_to_one == 1


def test_what_arrived_was_not_held_back() -> None:
    """The receiver is believed: a message that arrived is sent, whatever our records say."""
    account = account_of(arrival("anna", 0.1), arrival("bo", 0.1), over_quota={"bo": OnQuota.DEFER})
    assert (account.sent, account.not_sent, account.is_complete) == (2, not_sent(), True)


def test_a_try_again_counts_as_sent() -> None:
    """Refused at first and accepted later is sent; its lateness is that of the first arrival."""
    account = account_of(arrival("anna", 0.1), arrival("bo", 0.3, -1), arrival("bo", 2.5))
    assert (account.sent, account.repeats, account.is_complete) == (2, 0, True)
    assert round(account.lateness[-1], 3) == 0.3


def test_messages_are_told_by_what_they_say() -> None:
    """Both ways of writing a text make the same fingerprint; another text or user makes another."""
    short = {**message("anna"), "data": {"thing1": "订单已发货"}}
    assert fingerprint(short) == fingerprint(message("anna")) != fingerprint(message("bo"))
    assert fingerprint(arrival("anna", 0).body) == fingerprint(replace(arrival("anna", 9), seq=2).body)


def test_percentiles_are_values_that_occurred() -> None:
    """The p-th percentile is the smallest value that p of all values do not exceed."""
    values = [float(each) for each in range(1, 201)]
    assert [percentile(values, share) for share in (0, 0.5, 0.99, 1)] == [1.0, 100.0, 198.0, 200.0]
    assert percentile([7.0], 0.99) == 7.0
