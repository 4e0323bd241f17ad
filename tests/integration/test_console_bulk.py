"""Many jobs at once at the console: chosen, counted, confirmed, changed; and every action written down before it."""

import re
from collections.abc import Callable

import pytest

from pushjobs.auditing import AuditLog
from pushjobs.browsing import Sought
from pushjobs.domain.job import JobId, JobState
from pushjobs.errors import NotPossible
from pushjobs.operations import Act
from pushjobs.runtime import Runtime
from tests.integration.at_console import Browser, console_door, operator, visitor
from tests.integration.hands import ask
from tests.integration.pushes import news

__all__ = ["console_door", "operator", "visitor"]

MakeBrowser = Callable[..., Browser]


def fill(runtime: Runtime, count: int, state: JobState, **more: object) -> list[JobId]:
    """Make so many jobs of a state; return them."""
    rows = [news(number, time="2100-12-01 08:00:00", **more) for number in range(count)]
    before = ask(runtime, "SELECT coalesce(max(id), 0) FROM pushjobs.jobs")[0][0]
    assert runtime.producer.send_many(rows).accepted == count
    ask(
        runtime,
        "UPDATE pushjobs.jobs SET state = cast(:state AS pushjobs.job_state), release_no = 1,"
        " closed_at = CASE WHEN :is_final THEN now() END WHERE id > :before",
        state=state,
        is_final=state.is_final,
        before=before,
    )
    return [JobId(row[0]) for row in ask(runtime, "SELECT id FROM pushjobs.jobs WHERE id > :b ORDER BY id", b=before)]


def in_state(runtime: Runtime, state: str) -> set[int]:
    """Return the jobs of a state."""
    return {row[0] for row in ask(runtime, f"SELECT id FROM pushjobs.jobs WHERE state = '{state}'")}  # noqa: S608 - a word of the test


def confirm(browser: Browser, **more: str) -> str:
    """Press the button of the confirmation that is open; return what the next page says was done."""
    form = {name: browser.hidden(name) for name in ("act", "ids", "back")} | more
    browser.post("/console/do", form)
    found = re.search(r'<p class="notice" role="status">([^<]*)', browser.page)
    return found[1] if found else ""


def test_ticked_jobs_are_cancelled_when_it_is_confirmed(operator: MakeBrowser, runtime: Runtime) -> None:
    """The confirmation says how many and changes nothing; what it does not apply to is told apart and stays."""
    waiting, sent = fill(runtime, 3, JobState.SCHEDULED), fill(runtime, 1, JobState.SENT)
    browser = operator()
    browser.get("/console/jobs")
    chosen = [("id", number) for number in (*waiting[:2], *sent)]
    browser.post("/console/choose", [("act", "cancel"), ("back", "/console/jobs?state=scheduled"), *chosen])
    assert "Cancel 2 jobs?" in browser.page
    assert "1 of the chosen jobs stays as it is" in browser.page
    assert in_state(runtime, "cancelled") == set()
    assert confirm(browser) == "2 jobs were cancelled. 1 stayed as they are."
    assert in_state(runtime, "cancelled") == set(waiting[:2])
    assert str(browser.http.cookies.get("pushjobs_notice")) == "None"


def test_all_that_match_are_those_that_were_counted(operator: MakeBrowser, runtime: Runtime) -> None:
    """What is confirmed are the jobs that were there when they were counted, not those that match by then."""
    dead = fill(runtime, 120, JobState.DEAD)
    others = fill(runtime, 5, JobState.DEAD, template_id="order")
    browser = operator()
    browser.get("/console/dead")
    browser.post(
        "/console/choose", {"act": "replay", "all": "1", "state": "dead", "template": "news", "back": "/console/dead"}
    )
    assert "Replay 120 jobs?" in browser.page
    later = fill(runtime, 2, JobState.DEAD)
    assert confirm(browser) == "120 jobs were replayed."
    assert in_state(runtime, "scheduled") == set(dead)
    assert in_state(runtime, "dead") == {*others, *later}


def test_doubts_are_resolved_in_bulk(operator: MakeBrowser, runtime: Runtime) -> None:
    """Doubts of a group are resolved as sent, or are sent again in a minute."""
    first, second = fill(runtime, 4, JobState.IN_DOUBT), fill(runtime, 3, JobState.IN_DOUBT, template_id="order")
    browser = operator()
    for template, act, words in (("news", "confirm", "as sent"), ("order", "send_again", "in a minute")):
        browser.get("/console/in-doubt")
        form = {"act": act, "all": "1", "state": "in_doubt", "template": template, "back": "/console/in-doubt"}
        browser.post("/console/choose", form)
        assert words in confirm(browser)
    assert (in_state(runtime, "sent"), in_state(runtime, "scheduled")) == (set(first), set(second))
    assert "No job is in doubt." in browser.page


def test_jobs_past_their_deadline_need_another(operator: MakeBrowser, runtime: Runtime) -> None:
    """How many are overdue is said before; without another deadline they stay, with one they go."""
    dead = fill(runtime, 3, JobState.DEAD)
    ask(
        runtime,
        "UPDATE pushjobs.jobs SET planned_at = now() - interval '3 d', expires_at = now() - interval '1 d'"
        " WHERE id > :b",
        b=dead[0],
    )
    browser = operator()
    form = {"act": "replay", "all": "1", "state": "dead", "back": "/console/dead"}
    browser.get("/console/dead")
    browser.post("/console/choose", form)
    assert "The deadline of 2 of them has passed" in browser.page
    assert confirm(browser) == "1 job was replayed."
    browser.post("/console/choose", form)
    browser.post("/console/do", {name: browser.hidden(name) for name in ("act", "ids", "back")} | {"expires": "soon"})
    assert 'role="alert"' in browser.page
    assert 'value="soon"' in browser.page
    assert confirm(browser, expires="1d") == "2 jobs were replayed."
    assert in_state(runtime, "scheduled") == set(dead)


def test_nothing_chosen_is_nothing_done(operator: MakeBrowser, runtime: Runtime) -> None:
    """A button without a tick says so; words that are none of ours are refused."""
    fill(runtime, 1, JobState.DEAD)
    browser = operator()
    browser.get("/console/jobs")
    browser.post("/console/choose", {"act": "replay", "back": "/console/jobs"})
    assert "No job was chosen" in browser.page
    assert browser.post("/console/choose", {"act": "delete", "id": "1"}).status_code == 422
    assert in_state(runtime, "dead") != set()


def test_a_choice_has_five_thousand_jobs_at_most(runtime: Runtime) -> None:
    """Where more match, the choice has the first five thousand and says that there may be more."""
    fill(runtime, 1, JobState.SCHEDULED)
    ask(
        runtime,
        "INSERT INTO pushjobs.jobs (app_no, template_no, lane, state, on_quota, planned_at, due_at, expires_at,"
        " closed_at, recipient, sealed)"
        " SELECT app_no, template_no, lane, 'dead', on_quota, planned_at, due_at, expires_at,"
        " now() - n * interval '1 ms', recipient, sealed FROM pushjobs.jobs, generate_series(1, 5050) n",
    )
    browsing, operations = runtime.app().browsing, runtime.operations
    choice = browsing.choose(Act.REPLAY, None, sought=Sought(state="dead"))
    assert (len(choice.ids), choice.fit, choice.is_all) == (5000, 5000, False)
    assert operations.change(Act.REPLAY, choice.ids) == 5000
    rest = browsing.choose(Act.REPLAY, None, sought=Sought(state="dead"))
    assert (len(rest.ids), rest.is_all) == (50, True)


def test_every_action_leaves_a_line(operator: MakeBrowser, runtime: Runtime) -> None:
    """Who did what to how many and what came of it stands in the audit log, for everybody who may see everything."""
    [job, other] = fill(runtime, 2, JobState.SCHEDULED)
    browser = operator("night-watch")
    browser.get("/console/jobs")
    browser.post(f"/console/jobs/{job}/reschedule", {"time": "2100-12-02 09:00:00"})
    browser.post(f"/console/jobs/{job}/reschedule", {"time": "soon"})
    browser.post("/console/choose", [("act", "cancel"), ("id", job), ("id", other), ("back", "/console/jobs")])
    confirm(browser)
    lines = ask(
        runtime, "SELECT action, what, outcome, ended_at IS NOT NULL, client FROM pushjobs.audit ORDER BY entry_no"
    )
    assert [(action, client) for action, *_, client in lines] == [
        ("sign_in", "night-watch"),
        ("reschedule", "night-watch"),
        ("reschedule", "night-watch"),
        ("cancel", "night-watch"),
    ]
    assert all(is_ended for *_, is_ended, _ in lines)
    assert lines[1][1] == {"app": "wxsandbox00000000", "job": job, "time": "2100-12-02 09:00:00"}
    assert "refused" in lines[2][2]
    assert (lines[3][1]["jobs"], lines[3][1]["ids"], lines[3][2]) == (2, [other, job], {"changed": 2})
    browser.get("/console/audit")
    assert browser.page.count("<td>night-watch</td>") == 4
    narrow = operator("narrow", templates=["news"])
    narrow.get("/console/audit")
    assert ("night-watch" in narrow.page, narrow.page.count("<td>narrow</td>")) == (False, 1)


def test_a_line_is_there_before_what_it_tells_of(runtime: Runtime) -> None:
    """A process that dies in the middle leaves a line without an end; a refusal leaves its words; both stay."""
    client = runtime.clients.add("ops", rights=("operate",)).client
    log = AuditLog(runtime.database)
    seen: list[object] = []

    def look() -> None:
        seen.extend(row[0] for row in ask(runtime, "SELECT ended_at FROM pushjobs.audit"))

    with pytest.raises(KeyboardInterrupt), log.line(client, "cancel", job=1):  # noqa: PT012 - as if it died there
        look()
        raise KeyboardInterrupt
    with pytest.raises(NotPossible), log.line(client, "cancel", job=2):
        raise NotPossible("job 2 is sent: it cannot be cancelled")
    assert seen == [None]
    lines = log.read(client)
    assert [(line.what["job"], line.ended_at is None, line.outcome) for line in lines] == [
        (2, False, {"refused": "job 2 is sent: it cannot be cancelled"}),
        (1, True, None),
    ]


def test_lines_go_after_a_year_and_sessions_after_a_day(operator: MakeBrowser, runtime: Runtime) -> None:
    """Upkeep deletes what nobody asks for any more, and keeps what is younger."""
    operator("one")
    operator("two")
    ask(runtime, "UPDATE pushjobs.audit SET at = now() - interval '366 d' WHERE client = 'one'")
    ask(runtime, "UPDATE pushjobs.sessions SET used_at = now() - interval '25 h' WHERE client_no = 1")
    runtime.upkeep.prune()
    assert ask(runtime, "SELECT client FROM pushjobs.audit") == [("two",)]
    assert ask(runtime, "SELECT client_no FROM pushjobs.sessions") == [(2,)]
