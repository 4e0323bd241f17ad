"""Yes and no, as WeChat tells of them: what was said when decides, not what we heard first."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import permutations

import pytest

from pushjobs import clock
from pushjobs.domain.consent import Consent
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import DAILY_NEWS
from pushjobs.store import consents
from pushjobs.store.consents import Change, Turn
from tests.conftest import APPID
from tests.integration.hands import SEND, admit, ask, call, claim, schedule, settle
from tests.integration.telling import READER, TOKEN, apply, event_states, popup, tell

OTHER = "a-template-nobody-has-sent-yet"
SECOND = timedelta(seconds=1)


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    """An app that takes callbacks in plain."""
    return environment | {"PUSHJOBS_CALLBACK_TOKEN": TOKEN}


def credits_of(runtime: Runtime, template_id: str = DAILY_NEWS) -> int:
    """Return the user's credits for a template."""
    known = runtime.producer.consent(READER).get(template_id)
    return 0 if known is None else known.credits


def say(runtime: Runtime, words: Sequence[tuple[str, datetime]]) -> None:
    """Tell of each yes and no in this order, each applied before the next is heard."""
    for word, at in words:
        tell(runtime, "popup" if word == "accept" else "change", popup(word), at=at)
        apply(runtime)


def test_a_yes_is_a_credit_and_a_no_takes_it_away(runtime: Runtime) -> None:
    """One dialog says yes to one template and no to another; templates never seen before are stored."""
    tell(runtime, "popup", popup("accept"), popup("accept", template_id=OTHER))
    assert apply(runtime) == 2
    assert (credits_of(runtime), credits_of(runtime, OTHER)) == (1, 1)
    tell(runtime, "popup", popup("accept"), popup("reject", template_id=OTHER), at=clock.now() + 2 * SECOND)
    assert apply(runtime) == 2
    assert (credits_of(runtime), credits_of(runtime, OTHER)) == (2, 0)
    assert set(event_states(runtime)) == {"applied"}


def test_many_words_of_many_users_are_applied_together(runtime: Runtime) -> None:
    """A slice with several words of one user counts each once, in the order in which they were said."""
    now = clock.now()
    for second, word in enumerate(["accept", "accept", "reject", "accept"]):
        for user in (READER, "oAnother"):
            tell(runtime, "popup", popup(word), at=now + second * SECOND, user=user)
    assert apply(runtime) == 8
    assert credits_of(runtime) == 1
    assert runtime.producer.consent("oAnother")[DAILY_NEWS].credits == 1


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
@pytest.mark.parametrize(
    ("said", "left"),
    [(("accept", "reject", "accept"), 1), (("reject", "accept", "accept"), 2), (("accept", "accept", "reject"), 0)],
    ids=["between", "first", "last"],
)
def test_a_reject_takes_away_only_what_was_given_before_it(
    runtime: Runtime, said: tuple[str, ...], left: int, order: tuple[int, ...]
) -> None:
    """12.17 What counts is the order in which it was said, in whatever order we hear of it."""
    now = clock.now()
    words = [(word, now + 2 * n * SECOND) for n, word in enumerate(said)]
    say(runtime, [words[place] for place in order])
    assert credits_of(runtime) == left


def test_an_old_reject_heard_again_takes_nothing(runtime: Runtime) -> None:
    """12.17 A no that comes after a later one was heard changes nothing any more."""
    now = clock.now()
    say(runtime, [("reject", now), ("accept", now + 2 * SECOND), ("accept", now + 4 * SECOND)])
    say(runtime, [("reject", now - 10 * SECOND)])
    assert credits_of(runtime) == 2


def test_a_reject_from_between_two_credits_leaves_the_later_one(runtime: Runtime) -> None:
    """12.17 Of credits given before and after a no, the latest stays for sure: more is not known of each."""
    now = clock.now()
    say(runtime, [("accept", now), ("accept", now + 4 * SECOND), ("reject", now + 2 * SECOND)])
    assert credits_of(runtime) == 1


def test_a_no_and_a_yes_of_one_second_leave_the_yes(runtime: Runtime) -> None:
    """WeChat tells whole seconds: a no never takes away what may have been said after it."""
    now = clock.now()
    say(runtime, [("accept", now), ("reject", now)])
    assert credits_of(runtime) == 1


@pytest.mark.parametrize(("earlier", "left"), [(30, 0), (0, 1)])
def test_a_43101_takes_away_only_what_was_given_before_the_call(
    worker: Runtime, sandbox: SandboxClient, earlier: int, left: int
) -> None:
    """12.17 A yes from before the refused call is void even if we hear of it later; one from its second stays."""
    sandbox.order_fault("errcode", SEND, errcode=43101)
    schedule(worker)
    answers = call(worker, admit(worker, claim(worker)))
    settle(worker, answers)
    say(worker, [("accept", clock.now() - earlier * SECOND)])
    assert credits_of(worker) == left


@pytest.mark.parametrize("event", ["popup", "change"])
def test_a_no_ends_a_standing_consent(runtime: Runtime, event: str) -> None:
    """A long-term consent ends with the user's no, and one granted later stands."""
    runtime.producer.grant(READER, DAILY_NEWS, standing=True)
    tell(runtime, event, popup("reject"), at=clock.now() - 60 * SECOND)
    apply(runtime)
    assert runtime.producer.consent(READER)[DAILY_NEWS].is_standing
    tell(runtime, event, popup("reject"), at=clock.now() + 2 * SECOND)
    apply(runtime)
    assert runtime.producer.consent(READER)[DAILY_NEWS] == Consent(credits=0, held=0, is_standing=False)


def test_a_yes_to_a_long_term_template_stands(runtime: Runtime) -> None:
    """The catalogue knows which templates are long-term: one yes to those is good for all their messages."""
    runtime.catalogue.number(DAILY_NEWS)
    ask(runtime, "UPDATE pushjobs.templates SET kind = 'long_term'")
    now = clock.now()
    say(runtime, [("accept", now)])
    assert runtime.producer.consent(READER)[DAILY_NEWS] == Consent(credits=0, held=0, is_standing=True)
    say(runtime, [("reject", now + 2 * SECOND), ("accept", now - 2 * SECOND)])
    assert not runtime.producer.consent(READER)[DAILY_NEWS].is_standing


def test_what_was_revoked_is_not_brought_back_by_an_older_yes(runtime: Runtime) -> None:
    """A yes that was said before the application revoked it is void."""
    runtime.producer.revoke(READER, DAILY_NEWS)
    say(runtime, [("accept", clock.now() - 60 * SECOND)])
    assert credits_of(runtime) == 0


def test_a_no_leaves_what_calls_under_way_hold(worker: Runtime) -> None:
    """A credit that a call holds is settled by its answer; the no between them breaks nothing."""
    worker.producer.grant(READER, DAILY_NEWS, 2)
    schedule(worker)
    admitted = admit(worker, claim(worker))
    say(worker, [("reject", clock.now() + 2 * SECOND)])
    settle(worker, call(worker, admitted))
    assert worker.producer.consent(READER)[DAILY_NEWS] == Consent(credits=0, held=0, is_standing=False)


def test_words_are_applied_while_sends_are_settled(runtime: Runtime) -> None:
    """12.9 Appliers and settling workers lock the same consents in one order: none waits for another for ever."""
    users = [f"oUser{number:03d}" for number in range(40)]
    app_no, template_no = runtime.catalogue.app.app_no, runtime.catalogue.number(DAILY_NEWS)
    keys = [(runtime.connections.lookup.recipient(APPID, user), template_no) for user in users]
    with runtime.database.transaction() as connection:
        consents.grant(connection, app_no, keys[::2], credits=1, is_standing=False)
    now = clock.now()
    for second, word in enumerate(["accept", "reject", "accept"]):
        for user in users:
            tell(runtime, "popup", popup(word), at=now + 2 * second * SECOND, user=user)

    def work(number: int) -> None:
        mine = keys[: len(keys) - number % 2]
        for turn in (Turn.EMPTIED, Turn.SPENT, Turn.BACK):
            with runtime.database.transaction() as connection:
                consents.hold(connection, app_no, mine)
            with runtime.database.transaction() as connection:
                changes = [Change(key=key, turn=turn, held=True, called_at=now - 60 * SECOND) for key in mine]
                consents.settle(connection, app_no, changes)

    with ThreadPoolExecutor(8) as pool:
        worked = [pool.submit(work, number) for number in range(24)]
        applied = pool.submit(apply, runtime)
        for each in worked:
            each.result()
    assert applied.result() == 120
    assert set(event_states(runtime)) == {"applied"}


def test_nothing_stored_shows_an_open_id(runtime: Runtime) -> None:
    """Whoever reads the tables of callbacks finds no user there."""
    say(runtime, [("accept", clock.now())])
    for table in ("events", "pushes", "consents"):
        rows = ask(runtime, f"SELECT t::text FROM pushjobs.{table} t")  # noqa: S608 - names of ours
        assert READER not in str(rows)
        assert READER.encode().hex() not in str(rows)
