"""Faults on order: each kind, what the caller sees of it, and what counts."""

import http.client
import json
from collections.abc import Callable
from typing import Any

import pytest

from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.client import SandboxError

Send = Callable[..., Any]


def test_errcode_answers_without_sending(send: Send, control: SandboxClient) -> None:
    """The ordered code is answered as often as ordered, to the user it was ordered for, and nothing is accepted."""
    control.order_fault("errcode", {"touser": "oUser1"}, errcode=-1, times=2)
    assert [send(touser=user)["errcode"] for user in ("oUser1", "oUser2", "oUser1", "oUser1")] == [-1, 0, -1, 0]
    assert control.faults()[0]["fired"] == 2
    assert [each.fault for each in control.log()] == ["errcode", None, "errcode", None]
    assert control.summary().by_errcode == {"-1": 2, "0": 2}


def test_matches_by_template_and_path(send: Send, control: SandboxClient) -> None:
    """An order for another template or path leaves a send alone; one that lists this template does not."""
    control.order_fault("errcode", {"template_id": "other"}, errcode=40037)
    control.order_fault("errcode", {"path": "/cgi-bin/token"}, errcode=-1)
    assert send()["errcode"] == 0
    control.order_fault("errcode", {"template_id": ["other", "order-shipped".ljust(43, "0")]}, errcode=43116)
    assert send()["errcode"] == 43116
    control.clear_faults()
    assert send()["errcode"] == 0


def test_chance_is_drawn_per_call(send: Send, control: SandboxClient) -> None:
    """With a probability some calls fail, and the same ones in every run."""
    outcomes = []
    for _ in range(2):
        control.reset()
        control.order_fault("errcode", probability=0.5, errcode=-1)
        outcomes.append([send()["errcode"] for _ in range(20)])
    assert outcomes[0] == outcomes[1]
    assert set(outcomes[0]) == {0, -1}


def test_http_status(send: Send, control: SandboxClient) -> None:
    """An HTTP error is no JSON, and by default nothing was done."""
    control.order_fault("http", status=502)
    with pytest.raises(http.client.HTTPException, match="502"):
        send()
    summary = control.summary()
    assert (summary.received, summary.accepted, summary.unjudged) == (1, 0, 1)
    assert control.log()[0].errcode is None
    assert control.log()[0].touser == "oUser1"


def test_not_json(send: Send, control: SandboxClient) -> None:
    """An answer that is no JSON hides that the message was accepted."""
    control.order_fault("not_json")
    with pytest.raises(json.JSONDecodeError):
        send()
    assert control.summary().accepted == 1


def test_half_answer(send: Send, control: SandboxClient) -> None:
    """The connection ends in the middle of the answer's JSON; the message was accepted."""
    control.order_fault("half_answer")
    with pytest.raises(http.client.IncompleteRead):
        send()
    assert control.summary().accepted == 1


@pytest.mark.parametrize("accepted", [True, False])
def test_drop_after_read(send: Send, control: SandboxClient, *, accepted: bool) -> None:
    """The connection ends without an answer; whether the message was accepted is part of the order."""
    control.order_fault("drop_after_read", accepted=accepted)
    with pytest.raises(http.client.RemoteDisconnected):
        send()
    summary = control.summary()
    assert (summary.received, summary.accepted) == (1, int(accepted))
    assert control.log()[0].fault == "drop_after_read"


def test_drop_before_read(send: Send, control: SandboxClient) -> None:
    """The connection ends and nothing was received."""
    control.order_fault("drop_before_read", times=1)
    with pytest.raises(http.client.RemoteDisconnected):
        send()
    assert (control.summary().received, control.summary().dropped) == (0, 1)
    assert send()["errcode"] == 0


def test_expire_tokens(send: Send, call: Send, control: SandboxClient) -> None:
    """The app's tokens end at once: the call is answered 42001, and the next stable token is a new one."""
    wanted = {"grant_type": "client_credential", "appid": "wxsandbox00000000", "secret": "sandbox-secret"}
    before = call("POST", "/cgi-bin/stable_token", wanted)["access_token"]
    control.order_fault("expire_tokens", {"path": "/cgi-bin/message/subscribe/send"}, times=1)
    assert send()["errcode"] == 42001
    assert call("POST", "/cgi-bin/stable_token", wanted)["access_token"] != before


def test_token_call_can_fail(call: Send, control: SandboxClient) -> None:
    """Faults reach the calls that are no sends, by path and by app."""
    wanted = {"grant_type": "client_credential", "appid": "wxsandbox00000000", "secret": "sandbox-secret"}
    control.order_fault("errcode", {"path": "/cgi-bin/stable_token", "appid": wanted["appid"]}, errcode=40164)
    assert call("POST", "/cgi-bin/stable_token", wanted)["errcode"] == 40164
    assert control.summary().received == 0


@pytest.mark.parametrize(
    "order",
    [
        {"kind": "fire"},
        {"kind": "http", "status": 999},
        {"kind": "errcode", "errcode": 0},
        {"kind": "slow", "seconds": "1"},
        {"kind": "slow", "colour": 1},
        {"kind": "slow", "match": {"user": "o"}},
    ],
)
def test_refuses_an_order_it_cannot_carry_out(control: SandboxClient, order: dict[str, Any]) -> None:
    """A wrong order is an HTTP 400 that says what is wrong."""
    with pytest.raises(SandboxError):
        control.order_fault(**order)
