"""The demo's account: only what arrived at the receiver counts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pushjobs.cli.account import Account, Plan, fingerprint, percentile
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
    )


def test_everything_accounted_for() -> None:
    """Each once, none before its time, nothing of what was cancelled: complete, with the lateness of each."""
    account = Account.of(plan(), [arrival("bo", 0.2), arrival("anna", 0.1)])
    assert (account.planned, account.sent, account.refused, account.cancelled) == (5, 2, 2, 1)
    assert [round(late, 3) for late in account.lateness] == [0.1, 0.2]
    assert account.is_complete


def test_a_missing_message_is_missed() -> None:
    """What never arrived makes the account incomplete."""
    assert not Account.of(plan(), [arrival("bo", 0.2)]).is_complete


def test_a_repeat_is_found() -> None:
    """A message accepted twice is counted once as sent and once as a repeat."""
    account = Account.of(plan(), [arrival("anna", 0.1), arrival("bo", 0.1), arrival("bo", 0.3)])
    assert (account.sent, account.repeats, account.is_complete) == (2, 1, False)


def test_an_early_arrival_is_found() -> None:
    """A thousandth of a second before its time is early."""
    account = Account.of(plan(), [arrival("anna", -0.001), arrival("bo", 0.1)])
    assert (account.early, account.is_complete) == (1, False)


def test_a_cancelled_message_must_not_arrive() -> None:
    """What was taken back and arrives all the same makes the account incomplete."""
    account = Account.of(plan(), [arrival("anna", 0.1), arrival("bo", 0.1), arrival("cai", 0.1)])
    assert (account.cancelled, account.is_complete) == (0, False)


def test_wechat_s_refusal_counts_as_refused() -> None:
    """A message that WeChat turned down, however often it was tried, is refused and not sent."""
    account = Account.of(plan(), [arrival("anna", 0.1), arrival("bo", 0.1, 43101), arrival("bo", 0.5, 43101)])
    assert (account.sent, account.refused, account.is_complete) == (1, 3, True)
    assert list(account.reasons.values()) == [2, 1]
    assert any(reason.startswith("WeChat answered 43101: ") for reason in account.reasons)


def test_a_try_again_counts_as_sent() -> None:
    """Refused at first and accepted later is sent; its lateness is that of the first arrival."""
    account = Account.of(plan(), [arrival("anna", 0.1), arrival("bo", 0.3, -1), arrival("bo", 2.5)])
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
