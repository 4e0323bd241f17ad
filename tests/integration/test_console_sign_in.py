"""Who gets into the console, for how long, and what is believed of whoever is in."""

from collections.abc import Callable

import pytest

from pushjobs.runtime import Runtime
from tests.integration.at_console import Browser, console_door, operator, visitor
from tests.integration.hands import ask
from tests.integration.pushes import news

__all__ = ["console_door", "operator", "visitor"]

MakeBrowser = Callable[..., Browser]
PAGES = ("/console/jobs", "/console/in-doubt", "/console/dead", "/console/audit", "/console/jobs/1")


def is_signed_in(browser: Browser) -> bool:
    """Whether a page opens, and not the door before it."""
    return str(browser.get("/console/jobs").url).endswith("/console/jobs")


def test_nobody_sees_a_page_without_signing_in(visitor: MakeBrowser, runtime: Runtime) -> None:
    """Each page sends a stranger to the sign-in, and behind it to the page that was asked for."""
    key = runtime.clients.add("ops", rights=("operate",))
    for path in PAGES:
        browser = visitor()
        answer = browser.get(path)
        assert answer.url.path == "/console/sign-in"
        assert "pushjobs_session" not in browser.http.cookies
    back = browser.hidden("next")
    answer = browser.post("/console/sign-in", {"id": key.client.id, "key": key.key, "next": "/console/dead"})
    assert back.startswith("/console/jobs/1")
    assert (answer.status_code, answer.url.path) == (200, "/console/dead")


@pytest.mark.parametrize(
    "to", ["https://elsewhere.example/", "//elsewhere.example/console/", "/console\\..", "/v1/jobs"]
)
def test_signing_in_leads_nowhere_else(visitor: MakeBrowser, runtime: Runtime, to: str) -> None:
    """A link to the sign-in cannot name a page that is not the console's."""
    key = runtime.clients.add("ops", rights=("operate",))
    browser = visitor()
    browser.get("/console/sign-in")
    browser.http.follow_redirects = False
    answer = browser.post("/console/sign-in", {"id": key.client.id, "key": key.key, "next": to})
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/")


def test_a_wrong_key_and_a_client_without_the_right_stay_out(visitor: MakeBrowser, runtime: Runtime) -> None:
    """Which of id and key was wrong is not told; a client that may not operate is told what it lacks."""
    key, reader = runtime.clients.add("ops", rights=("operate",)), runtime.clients.add("shop")
    browser = visitor()
    for client_id, written in ((key.client.id, "0" * 64), ("pj00", key.key), ("", "")):
        browser.get("/console/sign-in")
        answer = browser.post("/console/sign-in", {"id": client_id, "key": written})
        assert (answer.status_code, "No client has that id and key" in answer.text) == (401, True)
        assert written == "" or written not in answer.text
    answer = browser.post("/console/sign-in", {"id": reader.client.id, "key": reader.key})
    assert (answer.status_code, "may not operate" in answer.text) == (401, True)
    assert not is_signed_in(browser)


def test_wrong_keys_make_an_address_wait(visitor: MakeBrowser, runtime: Runtime) -> None:
    """The seventh try in a row is not looked at, however right its key is, and the answer says for how long."""
    key = runtime.clients.add("ops", rights=("operate",))
    browser = visitor()
    browser.get("/console/sign-in")
    for _ in range(6):
        assert browser.post("/console/sign-in", {"id": key.client.id, "key": "wrong"}).status_code == 401
    answer = browser.post("/console/sign-in", {"id": key.client.id, "key": key.key})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) in {1, 2}


def test_a_session_is_in_no_table(operator: MakeBrowser, runtime: Runtime) -> None:
    """What the database keeps of a session, and of its key, opens none: neither is the cookie's value."""
    browser = operator()
    [cookie] = [each for each in browser.http.cookies.jar if each.name == "pushjobs_session"]
    [(token_hash, key_hash)] = ask(runtime, "SELECT token_hash, key_hash FROM pushjobs.sessions")
    assert cookie.value is not None
    for kept in (bytes(token_hash), bytes(key_hash)):
        assert cookie.value.encode() not in kept
        stranger = Browser(browser.origin)
        stranger.http.cookies.set("pushjobs_session", kept.hex(), path="/console")
        assert not is_signed_in(stranger)
        stranger.http.close()
    assert (cookie.path, cookie.has_nonstandard_attr("HttpOnly")) == ("/console", True)
    assert cookie.get_nonstandard_attr("SameSite") == "lax"


def test_signing_out_ends_the_session_everywhere(operator: MakeBrowser, visitor: MakeBrowser) -> None:
    """What was copied of a session that was ended opens nothing."""
    browser, thief = operator(), visitor()
    thief.http.cookies.update(browser.http.cookies)
    assert is_signed_in(thief)
    browser.get("/console/jobs")
    assert browser.post("/console/sign-out").url.path == "/console/sign-in"
    assert not is_signed_in(browser)
    assert not is_signed_in(thief)


def test_a_session_ends_with_its_client_and_its_key(operator: MakeBrowser, runtime: Runtime) -> None:
    """A client that is revoked is out; one that got another key stays for the day in which the old one is good."""
    revoked, rotated, kept = operator("revoked"), operator("rotated"), operator("kept")
    runtime.clients.revoke("revoked")
    runtime.clients.rotate("rotated", at_once=True)
    runtime.clients.rotate("kept")
    assert [is_signed_in(each) for each in (revoked, rotated, kept)] == [False, False, True]
    ask(runtime, "UPDATE pushjobs.clients SET old_key_until = now() - interval '1 s' WHERE name = 'kept'")
    assert not is_signed_in(kept)


@pytest.mark.parametrize(
    ("column", "span", "stays"),
    [
        ("used_at", "59 minutes", True),
        ("used_at", "61 minutes", False),
        ("made_at", "11 hours 59 minutes", True),
        ("made_at", "12 hours 1 minute", False),
    ],
)
def test_a_session_ends_by_itself(
    operator: MakeBrowser, runtime: Runtime, column: str, span: str, *, stays: bool
) -> None:
    """An hour without a page ends it, and twelve hours end it however busy it was."""
    browser = operator()
    ask(runtime, f"UPDATE pushjobs.sessions SET {column} = now() - interval '{span}'")  # noqa: S608 - words of the test
    assert is_signed_in(browser) is stays


def test_a_form_from_elsewhere_is_not_believed(operator: MakeBrowser, runtime: Runtime) -> None:
    """A POST without the page's proof, with another's, or from another site changes nothing."""
    job = runtime.producer.send(**news(time="2100-12-01 08:00:00"))
    browser, other = operator(), operator("other")
    path, form = "/console/do", {"act": "cancel", "ids": str(job.id)}
    proof = browser.proof
    tries = [
        browser.post(path, form, proof=""),
        browser.post(path, form, proof=other.proof),
        browser.post(path, form, proof="é" * 64),
        browser.post(path, form, proof=proof, headers={"Origin": "https://elsewhere.example"}),
        browser.post(path, form, proof=proof, headers={"Origin": "null"}),
        browser.post(path, form, proof=proof, headers={"Sec-Fetch-Site": "cross-site"}),
    ]
    assert {answer.status_code for answer in tries} == {403}
    assert runtime.producer.get(job.id).state == "scheduled"
    browser.get(f"/console/jobs/{job.id}")
    assert browser.post(path, form).status_code == 200
    assert runtime.producer.get(job.id).state == "cancelled"


def test_htmx_proves_itself_by_a_header(operator: MakeBrowser, runtime: Runtime) -> None:
    """What asks in place of a form brings the proof along as a header; who is out is led to the sign-in as a whole."""
    job = runtime.producer.send(**news(time="2100-12-01 08:00:00"))
    browser = operator()
    browser.get(f"/console/jobs/{job.id}")
    htmx = {"HX-Request": "true"}
    proof = browser.proof
    assert browser.post(f"/console/jobs/{job.id}/content", proof="", headers=htmx).status_code == 403
    answer = browser.post(f"/console/jobs/{job.id}/content", proof="", headers=htmx | {"X-Proof": proof})
    assert (answer.status_code, "<html" in answer.text) == (200, False)
    browser.http.cookies.clear()
    answer = browser.get(f"/console/jobs/{job.id}", htmx)
    assert answer.headers["hx-redirect"] == "/console/sign-in"


def test_every_page_forbids_what_is_not_ours(operator: MakeBrowser) -> None:
    """A page loads scripts and styles of ours alone, none that stands in it, is framed by nobody and kept nowhere."""
    browser = operator()
    for path in ("/console/jobs", "/console/sign-in", "/console/nothing", "/console/jobs/77"):
        answer = browser.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["cache-control"] == "no-store"
        assert "<script>" not in answer.text
        assert " style=" not in answer.text


def test_styles_and_scripts_are_kept_for_a_year(visitor: MakeBrowser) -> None:
    """Their addresses change with their content; one of another content is not there."""
    browser = visitor()
    page = browser.get("/console/sign-in").text
    found = [part.partition('"')[0] for part in page.split('="')[1:] if part.startswith("/console/static/")]
    assert len(found) == 4
    for address in found:
        answer = browser.get(address)
        assert (answer.status_code, "immutable" in answer.headers["cache-control"]) == (200, True)
        assert browser.get(address.replace("/static/", "/static/0")).status_code == 404


def test_language_and_light_are_remembered(visitor: MakeBrowser) -> None:
    """The browser's language is spoken until another is chosen; dark and light are chosen the same way."""
    browser = visitor()
    assert 'lang="zh-CN"' in browser.get("/console/sign-in", {"Accept-Language": "zh-CN,zh;q=0.9"}).text
    assert "登录" in browser.page
    browser.get("/console/sign-in")
    browser.post("/console/preferences", {"language": "zh", "back": "/console/sign-in"})
    browser.get("/console/sign-in", {"Accept-Language": "en"})
    browser.post("/console/preferences", {"theme": "dark", "back": "/console/sign-in"})
    assert 'lang="zh-CN" data-theme="dark"' in browser.page
