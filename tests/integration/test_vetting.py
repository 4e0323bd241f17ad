"""WeChat's content check at the door: who is refused, who is accepted, and how often WeChat is asked."""

from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker

from pushjobs.errors import ContentRefused, ContentUnchecked, InvalidInput
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import DAILY_NEWS
from tests.integration.hands import ORDER, ask

CHECK = "/wxa/msg_sec_check"
NEWS: dict[str, Any] = {
    "touser": "oReader",
    "template_id": DAILY_NEWS,
    "data": {"thing1": "第一条", "thing2": "今日要闻", "date3": "2026年12月1日"},
}
RISKY: dict[str, Any] = {**NEWS, "data": {**NEWS["data"], "thing1": "下单返现五元"}}
REVIEW: dict[str, Any] = {**NEWS, "data": {**NEWS["data"], "thing1": "好评有礼"}}


@pytest.fixture
def vetted(worker: Runtime, sandbox: SandboxClient) -> Runtime:
    """A runtime whose news are checked by WeChat, and a reader who has just been there."""
    sandbox.mind("返现")
    sandbox.mind("好评", "review")
    sandbox.visit("oReader")
    worker.operations.set_policies(DAILY_NEWS, content_check="forum")
    return worker


def checks(runtime: Runtime) -> int:
    """Return how many checks WeChat counts today."""
    return int(runtime.account.quota(CHECK).used or 0)


def stored(runtime: Runtime) -> int:
    [(count,)] = ask(runtime, "SELECT count(*) FROM pushjobs.jobs")
    return int(count)


def test_what_passes_is_accepted(vetted: Runtime) -> None:
    """A text that passes makes a job, for one call."""
    assert vetted.producer.send(**NEWS).id
    assert checks(vetted) == 1


def test_what_is_risky_is_refused(vetted: Runtime) -> None:
    """A risky text is refused with its field and no text, whatever the policies; nothing is stored."""
    vetted.operations.set_policies(DAILY_NEWS, on_review="accept", on_unchecked="accept")
    with pytest.raises(ContentRefused) as caught:
        vetted.producer.send(**RISKY)
    assert caught.value.field == "data"
    assert "返现" not in str(caught.value)
    assert stored(vetted) == 0


def test_what_is_for_review_is_as_the_policy_says(vetted: Runtime) -> None:
    """A text that a person should look at is refused, or accepted where the policy takes it."""
    with pytest.raises(ContentRefused, match=r"^data is for a person"):
        vetted.producer.send(**REVIEW)
    vetted.operations.set_policies(DAILY_NEWS, on_review="accept")
    assert vetted.producer.send(**REVIEW).id


def test_a_user_not_seen_for_two_hours_is_unchecked(vetted: Runtime, sandbox: SandboxClient) -> None:
    """61010: not accepted yet, or accepted where the policy takes it; the refusal names no open id."""
    sandbox.visit("oReader", age_seconds=7300)
    with pytest.raises(ContentUnchecked, match=r"^data could not be checked \(61010: ") as caught:
        vetted.producer.send(**NEWS)
    assert "oReader" not in str(caught.value)
    assert stored(vetted) == 0
    vetted.operations.set_policies(DAILY_NEWS, on_unchecked="accept")
    assert vetted.producer.send(**NEWS).id


@pytest.mark.parametrize("errcode", [-1, 40001, 40003, 40129, 43002, 43104, 44002, 44991, 45009, 47001, 61010])
def test_every_code_is_no_word(vetted: Runtime, sandbox: SandboxClient, errcode: int) -> None:
    """Each code of the fact sheet means that no word came: refused with the code, accepted where the policy says so."""
    sandbox.order_fault("errcode", {"path": CHECK}, errcode=errcode)
    with pytest.raises(ContentUnchecked, match=rf"\({errcode}: "):
        vetted.producer.send(**NEWS)
    vetted.operations.set_policies(DAILY_NEWS, on_unchecked="accept")
    assert vetted.producer.send(**NEWS).id


@pytest.mark.parametrize("kind", ["drop_before_read", "drop_after_read", "not_json", "half_answer", "http"])
def test_no_answer_is_no_word(vetted: Runtime, sandbox: SandboxClient, kind: str) -> None:
    """An answer that does not come, or is none, means that no word came; it is asked once."""
    more = {"status": 502} if kind == "http" else {}
    fault = sandbox.order_fault(kind, {"path": CHECK}, **more)
    with pytest.raises(ContentUnchecked, match="WeChat does not answer"):
        vetted.producer.send(**NEWS)
    assert [rule["fired"] for rule in sandbox.faults() if rule["id"] == fault] == [1]
    assert stored(vetted) == 0


def test_a_template_without_the_policy_is_not_checked(vetted: Runtime) -> None:
    """The check is off unless a template's policy turns it on; turned off again, nothing is asked."""
    assert vetted.producer.send(touser="oBuyer", **ORDER).id
    vetted.operations.set_policies(DAILY_NEWS, content_check="off")
    assert vetted.producer.send(**RISKY).id
    assert checks(vetted) == 0


def test_many_are_checked_at_once_and_each_text_once(vetted: Runtime, sandbox: SandboxClient) -> None:
    """`send_many` refuses risky rows by number and takes the others; a row that repeats another costs no call."""
    sandbox.visit(["oA", "oB"])
    rows = [NEWS, RISKY, {**NEWS, "touser": "oA"}, REVIEW, {**NEWS, "touser": "oB"}, NEWS, {**NEWS, "touser": "oC"}]
    report = vetted.producer.send_many(rows)
    assert (report.accepted, sorted(each.row for each in report.rejected)) == (4, [2, 4, 7])
    assert checks(vetted) == 6
    assert stored(vetted) == 4


def test_a_shared_content_is_checked_once(vetted: Runtime) -> None:
    """A content is checked when it is stored, for the user given, and not again for any of its rows."""
    content = {"template_id": DAILY_NEWS, "data": NEWS["data"]}
    with pytest.raises(ContentRefused):
        vetted.producer.store_content(openid="oReader", template_id=DAILY_NEWS, data=RISKY["data"])
    shared = vetted.producer.store_content(openid="oReader", **content)
    rows = [{"touser": f"o{number}", "content": shared} for number in range(100)]
    assert vetted.producer.send_many(rows).accepted == 100
    assert checks(vetted) == 2
    assert ask(vetted, "SELECT count(*) FROM pushjobs.contents") == [(1,)]


def test_a_shared_content_needs_a_user(vetted: Runtime) -> None:
    """Without a user WeChat cannot be asked: unchecked, as the policy says; an open id of no form is refused."""
    content = {"template_id": DAILY_NEWS, "data": NEWS["data"]}
    with pytest.raises(ContentUnchecked, match="give the openid"):
        vetted.producer.store_content(**content)
    with pytest.raises(InvalidInput, match=r"^openid holds a blank"):
        vetted.producer.store_content(openid="o Reader", **content)
    vetted.operations.set_policies(DAILY_NEWS, on_unchecked="accept")
    assert vetted.producer.store_content(**content).content_no
    assert checks(vetted) == 0


def test_a_repeat_under_its_key_is_not_checked_again(vetted: Runtime, sandbox: SandboxClient) -> None:
    """The same request under the same key is the job it made, although its user has long gone; also among many."""
    job = vetted.producer.send(**NEWS, idempotency_key="K")
    sandbox.visit("oReader", age_seconds=7300)
    assert vetted.producer.send(**NEWS, idempotency_key="K").id == job.id
    assert vetted.producer.send_many([{**NEWS, "idempotency_key": "K", "lane": "urgent"}]).known == 1
    assert checks(vetted) == 1
    with pytest.raises(ContentUnchecked):
        vetted.producer.send(**NEWS, idempotency_key="ANOTHER")


def test_within_the_caller_s_transaction(vetted: Runtime, open_session: sessionmaker[Session]) -> None:
    """With `session=` a refusal comes before anything is stored, and the caller's own transaction goes on."""
    with open_session.begin() as session:
        with pytest.raises(ContentRefused):
            vetted.producer.send(session=session, **RISKY)
        vetted.producer.send(session=session, **NEWS)
    assert stored(vetted) == 1


def test_a_legacy_message_is_checked_as_what_it_becomes(vetted: Runtime) -> None:
    """A mapped message is checked by the policy of the subscribe template it goes out as."""
    keywords = {"keyword1": "thing1", "keyword2": "thing2", "keyword3": "date3"}
    vetted.producer.map_template("OLD", DAILY_NEWS, keywords)
    data = {"keyword1": "下单返现五元", "keyword2": "今日要闻", "keyword3": "2026年12月1日"}
    with pytest.raises(ContentRefused):
        vetted.producer.send(touser="oReader", template_id="OLD", data=data)


def test_check_and_reschedule_ask_nobody(vetted: Runtime) -> None:
    """Looking a file through and moving a job make no call."""
    assert vetted.producer.check([RISKY]).faults == []
    job = vetted.producer.send(**NEWS, time="2100-01-01 08:00:00")
    vetted.producer.reschedule(job.id, time="2100-01-02 08:00:00")
    assert checks(vetted) == 1


def test_no_word_is_an_event(vetted: Runtime, sandbox: SandboxClient, caplog: pytest.LogCaptureFixture) -> None:
    """Texts accepted without WeChat's word are told to operators, with how many and why, and nothing of theirs."""
    vetted.operations.set_policies(DAILY_NEWS, on_unchecked="accept")
    sandbox.visit("oReader", age_seconds=7300)
    assert vetted.producer.send_many([NEWS, REVIEW]).accepted == 2
    [record] = [each for each in caplog.records if each.message == "contents_unchecked"]
    assert record.levelname == "WARNING"
    assert vars(record)["contents"] == 2
    assert vars(record)["why"].startswith("61010: ")


def test_no_transaction_is_open_meanwhile(vetted: Runtime) -> None:
    """While WeChat is asked, no connection of ours holds a transaction."""
    seen: list[tuple[Any, ...]] = []
    original = vetted.app().parts.vetting._check

    def look(questions: Any) -> Any:  # noqa: ANN401 - handed on
        seen.extend(ask(vetted, "SELECT state FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"))
        return original(questions)

    vetted.app().parts.vetting._check = look
    vetted.producer.send(**NEWS, idempotency_key="K")
    vetted.producer.send_many([{**NEWS, "idempotency_key": "L"}])
    assert (seen, checks(vetted)) == ([], 2)
