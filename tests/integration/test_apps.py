"""Several apps in one installation: each with its own secret, templates, zone, limits and callbacks."""

import base64
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from threading import Thread
from typing import Any

import pytest
from pydantic import SecretStr

from pushjobs import clock
from pushjobs.delivery import Waiting
from pushjobs.domain.job import JobId, JobState, Lane
from pushjobs.domain.rule import Rule
from pushjobs.errors import CredentialsRefused, InvalidInput, NotFound, NotPossible
from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxClient, SandboxOptions, SandboxProcess
from pushjobs.sandbox.catalogue import DAILY_NEWS
from pushjobs.settings import Settings
from pushjobs.store import releases
from pushjobs.store.releases import Bucket
from pushjobs.wechat.crypto import signature
from pushjobs.wechat.events import Callback
from tests.conftest import APPID, SECRET
from tests.integration.commands import Run, runner
from tests.integration.hands import ask
from tests.integration.pushes import OPEN_ID, news
from tests.integration.telling import TOKEN, apply, popup

OTHER, OTHER_SECRET = "wxother", "another-secret"
OTHER_TOKEN = "anothertoken"


@pytest.fixture(scope="module")
def sandbox_process() -> Iterator[SandboxProcess]:
    """A sandbox that knows two apps."""
    with SandboxProcess(SandboxOptions(apps={APPID: SECRET, OTHER: OTHER_SECRET})) as running:
        yield running


@pytest.fixture
def two(worker: Runtime) -> Runtime:
    """An installation that sends for a second app, which lives in Berlin."""
    worker.apps.add(OTHER, OTHER_SECRET, timezone="Europe/Berlin")
    return worker


def paper(**more: object) -> dict[str, Any]:
    """The arguments of a push that the sandbox takes."""
    data = {"thing1": "第1条", "thing2": "今日要闻", "date3": "2026年12月1日"}
    return {"touser": OPEN_ID, "template_id": DAILY_NEWS, "data": data, **more}


def deliver_all(runtime: Runtime) -> None:
    """Claim and deliver what is due, bucket by bucket, as workers would."""
    with runtime.database.transaction() as connection:
        claimed = {each: releases.claim(connection, each, limit=1000, lookahead=5.0) for each in buckets(connection)}
    for bucket, released in claimed.items():
        app = runtime.app_numbered(bucket.app_no)
        if released and app is not None:
            now = clock.monotonic()
            batch = [Waiting(id=job.id, release_no=job.release_no, due=now) for job in released]
            app.delivery.deliver(bucket.app_no, bucket.lane, batch)
            app.delivery.finish()


def buckets(connection: Any) -> list[Bucket]:  # noqa: ANN401 - SQLAlchemy's connection, which only store knows
    return releases.buckets(connection)


def test_each_app_s_jobs_go_out_under_its_own_name(two: Runtime, sandbox: SandboxClient) -> None:
    """One producer sends for both; at WeChat each message arrives with the token of the app that it is of."""
    rows = [paper(touser=f"oUser{n}", appid=appid) for n, appid in enumerate([APPID, OTHER, None, OTHER, OTHER])]
    report = two.producer.send_many(rows)
    single = two.producer.send(**news(appid=OTHER, time="2099-01-01 08:00:00"))
    assert (report.accepted, report.rejected, single.appid) == (5, [], OTHER)
    deliver_all(two)
    assert Counter(each.appid for each in sandbox.log()) == {APPID: 2, OTHER: 3}
    assert Counter(job.appid for job in two.producer.app(OTHER).find(state=JobState.SENT)) == {OTHER: 3}
    assert [job.appid for job in two.producer.find()] == [APPID, APPID]
    assert two.producer.counts()[JobState.SENT] == 2


@pytest.fixture
def busy(two: Runtime, sandbox: SandboxClient) -> Iterator[Callable[[float], Thread]]:
    """A worker whose calls for the first app hang for so many seconds: more of them than it may have out."""
    two.app(APPID).operations.set_pace(2000)
    rows = [paper(touser=f"oReader{number:06d}") for number in range(500)]
    assert two.producer.send_many(rows).accepted == 500

    def begin(seconds: float) -> Thread:
        matched = {"appid": APPID, "path": "/cgi-bin/message/subscribe/send"}
        sandbox.order_fault("slow", match=matched, seconds=seconds)
        bucket = bucket_of(two, APPID)
        with two.database.transaction() as connection:
            released = releases.claim(connection, bucket, limit=500, lookahead=5.0)
        now = clock.monotonic()
        batch = [Waiting(id=job.id, release_no=job.release_no, due=now) for job in released]
        thread = Thread(target=two.app(APPID).delivery.deliver, args=(bucket.app_no, bucket.lane, batch))
        thread.start()
        return thread

    yield begin
    two.app(APPID).delivery.finish()


def bucket_of(runtime: Runtime, appid: str) -> Bucket:
    """An app's bulk lane."""
    return Bucket(runtime.app(appid).catalogue.app.app_no, Lane.BULK)


def given_back(runtime: Runtime) -> int:
    """How many jobs went back because calls before them did not come back."""
    [(jobs,)] = ask(runtime, "SELECT count(*) FROM pushjobs.jobs WHERE state = 'scheduled' AND reason = 'no_room'")
    return int(jobs)


def test_an_app_whose_calls_hang_leaves_its_worker_to_others(two: Runtime, busy: Callable[[float], Thread]) -> None:
    """12.13: while another app has jobs released, a batch waits a second for answers, then its rest goes back."""
    two.producer.send_many([paper(appid=OTHER)])
    with two.database.transaction() as connection:
        assert len(releases.claim(connection, bucket_of(two, OTHER), limit=10, lookahead=5.0)) == 1
    began = clock.monotonic()
    busy(6.0).join(timeout=30)
    assert clock.monotonic() - began < 6.0, "it waited for its answers"
    assert given_back(two) > 0


def test_alone_it_waits_for_its_answers(two: Runtime, busy: Callable[[float], Thread]) -> None:
    """Where nobody else has anything to send, slow answers send no job back."""
    busy(1.6).join(timeout=60)
    assert given_back(two) == 0


def test_an_app_that_nobody_added_is_refused(two: Runtime, ask: Callable[[str], list[tuple[Any, ...]]]) -> None:
    """At every door, with the field; the other rows of a batch are taken."""
    with pytest.raises(InvalidInput, match=r"appid is no app of this installation: see `pushjobs app list`"):
        two.producer.send(**news(appid="wxnobody"))
    with pytest.raises(InvalidInput, match="appid"):
        two.producer.app("wxnobody")
    report = two.producer.send_many([news(), news(appid="wxnobody"), news(appid=7)])
    assert (report.accepted, [(each.row, each.field) for each in report.rejected]) == (1, [(2, "appid"), (3, "appid")])
    assert ask("SELECT count(*) FROM pushjobs.jobs") == [(1,)]


def test_its_zone_is_its_own(two: Runtime) -> None:
    """The same words are another moment for an app in another zone, also for a job that is moved by its number."""
    here = two.producer.send(**news(time="2099-01-01 08:00:00"))
    there = two.producer.send(**news(time="2099-01-01 08:00:00", appid=OTHER))
    assert here.time == datetime(2099, 1, 1, 0, tzinfo=UTC)
    assert there.time == datetime(2099, 1, 1, 7, tzinfo=UTC)
    assert two.producer.reschedule(there.id, time="2099-01-01 09:00:00").time == datetime(2099, 1, 1, 8, tzinfo=UTC)


def test_its_quota_is_its_own(two: Runtime, sandbox: SandboxClient) -> None:
    """A user has the day's messages of each app; `why` names the limit of the app that the job is of."""
    two.apps.update(OTHER, daily_quota=1)
    two.producer.send_many([paper(appid=appid) for appid in (APPID, APPID, OTHER, OTHER)])
    for _ in range(3):  # one user, one call at a time
        deliver_all(two)
        ask(two, "UPDATE pushjobs.jobs SET due_at = now() WHERE state = 'scheduled' AND reason = 'user_busy'")
    assert Counter(each.appid for each in sandbox.log()) == {APPID: 2, OTHER: 1}
    [waiting] = two.producer.app(OTHER).find(state=JobState.SCHEDULED)
    assert two.producer.why(waiting.id).rule is Rule.QUOTA


def test_a_content_is_of_one_app(two: Runtime) -> None:
    """What was stored for one app is refused for another's job, which could not be opened."""
    message = news()
    touser = message.pop("touser")
    content = two.producer.app(OTHER).store_content(**message)
    with pytest.raises(InvalidInput, match="content is another app's"):
        two.producer.send(touser=touser, content=content)
    assert two.producer.send(touser=touser, content=content, appid=OTHER).appid == OTHER


def test_a_secret_is_tried_before_it_is_stored(worker: Runtime) -> None:
    """What WeChat does not bear out is refused and leaves nothing."""
    with pytest.raises(CredentialsRefused):
        worker.apps.add(OTHER, "a wrong one".replace(" ", "-"))
    assert [app.appid for app in worker.apps.all()] == [APPID]
    worker.apps.add(OTHER, OTHER_SECRET)
    with pytest.raises(CredentialsRefused):
        worker.apps.update(OTHER, secret="another-wrong-one")
    assert worker.apps.get(OTHER).secret == OTHER_SECRET


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"rate_per_second": 0}, "rate_per_second"),
        ({"resume_hour": 24}, "resume_hour"),
        ({"quiet_hours": "late"}, "quiet_hours"),
        ({"callback_token": "!"}, "callback_token"),
        ({"callback_forward_url": "https://us.example/door"}, "callback_token"),
    ],
)
def test_what_makes_no_sense_is_refused(worker: Runtime, given: dict[str, Any], field: str) -> None:
    """By its field, with the rule; WeChat is not asked, nothing is stored."""
    with pytest.raises(InvalidInput) as refused:
        worker.apps.add(OTHER, OTHER_SECRET, **given)
    assert refused.value.field == field
    assert [app.appid for app in worker.apps.all()] == [APPID]


def test_secrets_are_stored_encrypted(two: Runtime) -> None:
    """Neither secret nor token nor key stands in SQL or in a representation."""
    two.apps.update(OTHER, callback_token=OTHER_TOKEN, callback_aes_key="k" * 43)
    [(stored,)] = ask(
        two, "SELECT settings::text || encode(sealed, 'escape') FROM pushjobs.apps WHERE appid = 'wxother'"
    )
    shown = stored + repr(two.apps.get(OTHER))
    assert all(secret not in shown for secret in (OTHER_SECRET, OTHER_TOKEN, "k" * 43))


@pytest.mark.usefixtures("two")
def test_secrets_follow_a_new_key(settings: Settings) -> None:
    """A rotation seals them anew; with the new key alone they can still be read."""
    new = base64.b64encode(b"n" * 32).decode()
    both = settings.model_copy(update={"encryption_keys": (SecretStr(new), *settings.encryption_keys)})
    rotating = Runtime(both)
    assert rotating.keys.reseal().unreadable == 0
    rotating.close()
    after = Runtime(settings.model_copy(update={"encryption_keys": (SecretStr(new),)}))
    assert after.apps.get(OTHER).secret == OTHER_SECRET
    after.close()


def test_twice_and_the_environment_s_own(two: Runtime) -> None:
    """An app is added once; the environment's is neither added nor changed; one that is not there is not changed."""
    with pytest.raises(NotPossible, match="pushjobs app update"):
        two.apps.add(OTHER, OTHER_SECRET)
    with pytest.raises(NotPossible, match="PUSHJOBS_"):
        two.apps.update(APPID, timezone="UTC")
    with pytest.raises(NotFound):
        two.apps.update("wxnobody", timezone="UTC")


def test_a_change_reaches_a_process_that_runs(two: Runtime, settings: Settings) -> None:
    """Another process follows: an app that is new to it when it is named, and a change when it looks again."""
    running = Runtime(settings)
    assert running.app(OTHER).limit().per_second == 50.0
    before = running.app(OTHER)
    two.apps.update(OTHER, rate_per_second=7)
    running.apps.refresh()
    assert running.app(OTHER).limit().per_second == 7.0
    assert running.app(OTHER) is not before
    assert running.app() is running.app(APPID)
    running.close()


def test_jobs_of_an_app_that_cannot_be_sent_for_wait(two: Runtime) -> None:
    """Without its secret an app's jobs are not claimed, and nothing of theirs is lost."""
    two.producer.send_many([news(appid=OTHER), news()])
    ask(two, "UPDATE pushjobs.apps SET settings = NULL, sealed = NULL WHERE appid = 'wxother'")
    two.apps.refresh()
    assert two.releaser.tick() == 1
    assert ask(two, "SELECT state::text, count(*) FROM pushjobs.jobs GROUP BY state ORDER BY 1") == [
        ("released", 1),
        ("scheduled", 1),
    ]


def test_callbacks_are_proven_by_the_app_s_own_token(two: Runtime) -> None:
    """Each app's door takes what its own token proves, and notes it in its own ledger."""
    two.apps.update(OTHER, callback_token=OTHER_TOKEN)
    head = {"ToUserName": "gh_1", "FromUserName": OPEN_ID, "CreateTime": int(clock.now().timestamp())}
    body = json.dumps({**head, "MsgType": "event", "Event": "subscribe_msg_popup_event", "List": popup("accept")})

    def signed(token: str) -> Callback:
        timestamp = str(int(clock.now().timestamp()))
        query = {"signature": signature(token, timestamp, "1"), "timestamp": timestamp, "nonce": "1", "openid": OPEN_ID}
        return Callback(method="POST", query=query, body=body.encode())

    with pytest.raises(InvalidInput):
        two.door(OTHER).take(OTHER, signed(TOKEN))
    assert two.door(OTHER).take(OTHER, signed(OTHER_TOKEN)) == "success"
    with pytest.raises(NotFound):
        two.door(APPID)  # it has no token
    apply(two)
    assert two.producer.app(OTHER).consent(OPEN_ID)[DAILY_NEWS].credits == 1
    assert two.producer.consent(OPEN_ID) == {}


def test_each_has_its_own_templates(two: Runtime) -> None:
    """An app's catalogue is read with its own token; the night's reading is each app's own."""
    assert two.app(OTHER).catalogue.sync() > 0
    assert two.app(OTHER).catalogue.app.is_synced
    assert not two.catalogue.app.is_synced


@pytest.fixture
def run(
    sandbox: SandboxClient,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Callable[..., tuple[int, str, str]]:
    """Runs a command, with lines on its standard input."""
    assert sandbox is not None
    call: Run = runner(environment, monkeypatch, capfd)

    def typed(*arguments: str, lines: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(lines))
        return call(*arguments)

    return typed


def test_from_the_terminal(run: Callable[..., tuple[int, str, str]]) -> None:
    """Add an app with its secrets on standard input, change it, send for it, and see what it has."""
    status, out, _ = run(
        *("app", "add", OTHER, "--callbacks", "--timezone", "Europe/Berlin", "--daily-quota", "3", "--json"),
        lines=f"{OTHER_SECRET}\n{OTHER_TOKEN}\n\n",
    )
    assert status == 0
    made = json.loads(out)
    assert (made["timezone"], made["daily_quota"], made["callbacks"]) == ("Europe/Berlin", 3, "plain")
    assert OTHER_SECRET not in out
    assert OTHER_TOKEN not in out
    status, out, _ = run("app", "update", OTHER, "--daily-quota", "none", "--rate-per-second", "5", "--no-callbacks")
    assert status == 0
    assert "no limit" in out
    status, out, _ = run("app", "list", "--json")
    assert [(each["appid"], each["is_default"], each["rate_per_second"]) for each in json.loads(out)] == [
        (APPID, True, 50.0),
        (OTHER, False, 5.0),
    ]
    status, out, _ = run("--appid", OTHER, "jobs", "--summary", "--json")
    assert (status, json.loads(out)["scheduled"]) == (0, 0)


@pytest.mark.parametrize(
    ("arguments", "lines", "said"),
    [
        (("app", "add", OTHER), "", "AppSecret is missing"),
        (("app", "add", "not an id"), "s\n", "appid is no appid"),
        (("app", "add", OTHER, "--timezone", "Mars"), f"{OTHER_SECRET}\n", "timezone"),
        (("app", "update", OTHER), "", "changes nothing"),
        (("app", "update", OTHER, "--daily-quota", "3"), "", "add it with"),
        (("app", "update", OTHER, "--callbacks", "--no-callbacks"), "", "one of the two"),
        (("--appid", OTHER, "jobs"), "", "appid is no app of this installation"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(
    run: Callable[..., tuple[int, str, str]], arguments: tuple[str, ...], lines: str, said: str
) -> None:
    """Status 2 and one line on standard error."""
    status, out, err = run(*arguments, lines=lines)
    assert (status, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_numbers_are_of_all_apps(two: Runtime) -> None:
    """A job's number is enough to see and to cancel it, whichever app it is of."""
    job = two.producer.send(**news(appid=OTHER, time="2099-01-01 08:00:00"))
    assert two.producer.get(job.id).appid == OTHER
    assert two.producer.why(job.id).rule is Rule.NOT_DUE
    assert two.producer.cancel(job.id) == 1
    assert two.producer.app(OTHER).get(JobId(job.id)).state is JobState.CANCELLED
