"""The account against the sandbox: who a login code stands for, what is left of a day, and clearing the counters."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pushjobs.errors import CallRefused, InvalidInput, NotPossible, Unreachable
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.store.tables import metadata
from pushjobs.wechat.client import SUBSCRIBE_PATH
from tests.integration.hands import ask, claim, deliver, schedule

CLEAR = "/cgi-bin/clear_quota"


def used(runtime: Runtime) -> int:
    [(count,)] = ask(runtime, "SELECT coalesce(sum(used), 0) FROM pushjobs.clearances")
    return int(count)


def test_a_login_code_is_exchanged(worker: Runtime, sandbox: SandboxClient) -> None:
    """The user behind a code is told, once; the union id where there is one, the session key only if asked for."""
    sandbox.add_login_code("CODE1", "oUser1", unionid="uUser1")
    sandbox.add_login_code("CODE2", "oUser2")
    first = worker.producer.exchange_code("CODE1")
    assert (first.openid, first.unionid, first.session_key) == ("oUser1", "uUser1", None)
    second = worker.producer.exchange_code("CODE2", with_session_key=True)
    assert (second.openid, second.unionid) == ("oUser2", None)
    assert second.session_key
    with pytest.raises(CallRefused, match="40029"):
        worker.producer.exchange_code("CODE1")


def test_a_login_is_kept_nowhere_and_shown_nowhere(worker: Runtime, sandbox: SandboxClient) -> None:
    """Neither the open id nor the session key is in a table or in a repr."""
    sandbox.add_login_code("CODE1", "oUser1")
    found = worker.producer.exchange_code("CODE1", with_session_key=True)
    assert found.session_key is not None
    questions = [f"SELECT t::text FROM {table} t" for table in metadata.sorted_tables]  # noqa: S608 - our own tables
    stored = "".join(str(row) for question in questions for row in ask(worker, question))
    for secret in ("oUser1", found.session_key):
        assert secret not in stored
        assert secret not in repr(found)


@pytest.mark.parametrize("errcode", [-1, 40226, 45011])
def test_a_refused_login_has_its_code(worker: Runtime, sandbox: SandboxClient, errcode: int) -> None:
    """jscode2session's codes are exceptions with a meaning, that hold neither code nor secret."""
    sandbox.order_fault("errcode", {"path": "/sns/jscode2session"}, errcode=errcode)
    with pytest.raises(CallRefused) as caught:
        worker.producer.exchange_code("CODE-1")
    assert caught.value.errcode == errcode
    assert caught.value.meaning != "a code no page lists"
    assert "CODE-1" not in str(caught.value)


def test_a_login_without_an_answer_shows_no_secret(worker: Runtime, sandbox: SandboxClient) -> None:
    """The call carries the app's secret in its query: no error of ours repeats it."""
    sandbox.order_fault("drop_after_read", {"path": "/sns/jscode2session"})
    with pytest.raises(Unreachable) as caught:
        worker.producer.exchange_code("CODE-1")
    assert "sandbox-secret" not in str(caught.value)
    assert "CODE-1" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("code", ["", "a b", "码", "c" * 129, None, 5])
def test_what_is_no_code_is_refused(worker: Runtime, code: Any) -> None:  # noqa: ANN401 - the wrong types too
    """A code of the wrong form is refused without a call."""
    with pytest.raises(InvalidInput, match=r"^code is no code"):
        worker.producer.exchange_code(code)


def test_tells_what_is_left_of_a_call_s_day(worker: Runtime, sandbox: SandboxClient) -> None:
    """quota/get: the day's limit, what is used and left, and the shorter limit where there is one."""
    sandbox.change_settings(per_day=10, per_minute=5)
    schedule(worker, 2)
    deliver(worker, claim(worker))
    found = worker.account.quota()
    assert dataclasses.asdict(found) == {
        "path": SUBSCRIBE_PATH,
        "daily_limit": 10,
        "used": 2,
        "remain": 8,
        "calls": 5,
        "seconds": 60,
    }
    assert worker.account.quota("/wxaapi/newtmpl/gettemplate").calls is None


@pytest.mark.parametrize(("path", "errcode"), [("/cgi-bin/no", 76021), ("/sns/jscode2session", 76022)])
def test_a_path_without_a_quota_is_wechat_s_to_refuse(worker: Runtime, path: str, errcode: int) -> None:
    """quota/get: 76021 for an unknown path, 76022 for one below /sns/."""
    with pytest.raises(CallRefused, match=str(errcode)):
        worker.account.quota(path)


@pytest.mark.parametrize("path", ["cgi-bin/token", "https://api.weixin.qq.com/cgi-bin/token", "/a?b", "", None])
def test_what_is_no_path_is_refused(worker: Runtime, path: Any) -> None:  # noqa: ANN401 - the wrong types too
    """What WeChat would answer 76003 is refused without a call."""
    with pytest.raises(InvalidInput, match=r"^path is no path"):
        worker.account.quota(path)


def test_tells_what_a_refused_request_was(worker: Runtime) -> None:
    """rid/get: the rid of a refusal leads to the request, whose token is left out and whose bodies no repr shows."""
    with pytest.raises(CallRefused) as caught:
        worker.account.quota("/cgi-bin/no")
    assert caught.value.rid is not None
    found = worker.account.past_request(caught.value.rid)
    assert (found.url, found.client_ip) == ("access_token=…", "127.0.0.1")
    assert found.request_body == '{"cgi_path":"/cgi-bin/no"}'
    assert "cgi_path" not in repr(found)


@pytest.mark.parametrize("errcode", [76001, 76002, 76003, 76004])
def test_a_rid_that_leads_nowhere_has_its_code(worker: Runtime, sandbox: SandboxClient, errcode: int) -> None:
    """rid/get: unknown, malformed, another account's and too old are told apart."""
    sandbox.order_fault("errcode", {"path": "/cgi-bin/openapi/rid/get"}, errcode=errcode)
    with pytest.raises(CallRefused) as caught:
        worker.account.past_request("61725984-6126f6f9-040f19c4")
    assert (caught.value.errcode, caught.value.meaning != "a code no page lists") == (errcode, True)


@pytest.mark.parametrize("rid", ["", "rid: 61725984-6126f6f9-040f19c4", "61725984", None])
def test_what_is_no_rid_is_refused(worker: Runtime, rid: Any) -> None:  # noqa: ANN401 - the wrong types too
    """A rid of the wrong form is refused without a call."""
    with pytest.raises(InvalidInput, match=r"^rid has not its form"):
        worker.account.past_request(rid)


def test_clears_the_counters_ten_times_a_month(worker: Runtime, sandbox: SandboxClient) -> None:
    """clear_quota: the day begins anew, each is counted in SQL, and the eleventh is refused here, without a call."""
    sandbox.change_settings(per_day=10)
    schedule(worker, 1)
    deliver(worker, claim(worker))
    assert worker.account.quota().remain == 9
    assert worker.account.clear_quota() == 1
    assert worker.account.quota().remain == 10
    assert [worker.account.clear_quota() for _ in range(9)] == list(range(2, 11))
    fault = sandbox.order_fault("errcode", {"path": CLEAR}, errcode=-1)
    with pytest.raises(NotPossible, match="10 clearances"):
        worker.account.clear_quota()
    assert [rule["fired"] for rule in sandbox.faults() if rule["id"] == fault] == [0]


def test_many_who_clear_at_once_have_ten_between_them(worker: Runtime, sandbox: SandboxClient) -> None:
    """However many ask at the same moment, ten are made, and WeChat is asked for no eleventh."""
    fault = sandbox.order_fault("slow", {"path": CLEAR}, seconds=0.05)

    def is_cleared(_: int) -> bool:
        try:
            worker.account.clear_quota()
        except NotPossible:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(is_cleared, range(24))) == 10
    assert [rule["fired"] for rule in sandbox.faults() if rule["id"] == fault] == [10]


def test_a_month_that_others_used_up_is_noted(worker: Runtime, sandbox: SandboxClient) -> None:
    """clear_quota: 48006 means that the console cleared too; the next one is refused here."""
    sandbox.order_fault("errcode", {"path": CLEAR}, errcode=48006)
    with pytest.raises(CallRefused, match="48006"):
        worker.account.clear_quota()
    assert used(worker) == 10
    with pytest.raises(NotPossible):
        worker.account.clear_quota()


def test_only_what_was_cleared_is_counted(worker: Runtime, sandbox: SandboxClient) -> None:
    """clear_quota: one that was refused is given back; one without an answer may have been made, and stays counted."""
    sandbox.order_fault("errcode", {"path": CLEAR}, errcode=40013, times=1)
    with pytest.raises(CallRefused, match="40013"):
        worker.account.clear_quota()
    assert used(worker) == 0
    sandbox.order_fault("drop_after_read", {"path": CLEAR}, times=1)
    with pytest.raises(Unreachable):
        worker.account.clear_quota()
    assert used(worker) == 1


def test_last_month_s_clearances_do_not_count(worker: Runtime) -> None:
    """A month's row is its own."""
    assert worker.account.clear_quota() == 1
    ask(worker, "UPDATE pushjobs.clearances SET month = month - interval '1 month', used = 10")
    assert worker.account.clear_quota() == 1


def test_clears_without_a_token_when_there_are_no_more(worker: Runtime, sandbox: SandboxClient) -> None:
    """clear_quota/v2: where the day's calls for tokens are used up too, the app's secret clears them."""
    sandbox.order_fault("errcode", {"path": "/cgi-bin/stable_token"}, errcode=45009)
    with pytest.raises(CallRefused, match="45009"):
        worker.account.quota()
    assert worker.account.clear_quota() == 1
    sandbox.clear_faults()
    assert worker.account.clear_quota() == 2
