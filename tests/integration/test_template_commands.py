"""`pushjobs template …` and `pushjobs wechat …` against the sandbox: what they show, and with which status they end."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pushjobs.files import open_jobs
from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.catalogue import CLASS_REMINDER, DAILY_NEWS
from pushjobs.wechat.client import SUBSCRIBE_PATH
from tests.integration.commands import Run, runner

Read = Callable[..., Any]
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def run(
    sandbox: SandboxClient,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Run:
    """Runs a command that calls the sandbox; returns status, output, errors."""
    assert sandbox is not None
    return runner(environment, monkeypatch, capfd)


@pytest.fixture
def read(run: Run) -> Read:
    """Runs a command with --json that must succeed; returns what it shows."""

    def call(*arguments: str) -> Any:  # noqa: ANN401 - any JSON
        status, out, err = run(*arguments, "--json")
        assert status == 0, err
        return json.loads(out)

    return call


def test_list_shows_kinds_names_and_values(run: Run, read: Read) -> None:
    """After a sync the list has each template's title, kind, keywords with names, and enum values."""
    assert read("template", "sync") == {"templates": 6}
    [reminder] = [each for each in read("template", "list") if each["template_id"] == CLASS_REMINDER]
    assert (reminder["title"], reminder["kind"]) == ("上课提醒", "long_term")
    assert reminder["keywords"] == ["thing1", "time2", "enum3"]
    assert reminder["fields"][2] == {"key": "enum3", "name": "上课方式", "allowed": ["线上", "线下"]}
    _, out, _ = run("template", "list")
    for said in ("long-term", "enum3 上课方式", "one-time"):
        assert said in out


def test_from_the_library_to_a_template_and_back(run: Run, read: Read) -> None:
    """Categories, titles and keywords lead to a template that is added, is named when it exists, and is deleted."""
    assert read("template", "library", "--categories")[0] == {"category_id": 307, "name": "电商平台"}
    assert "资讯" in run("template", "library", "--categories")[1]
    page = read("template", "library", "--category", "307", "--start", "1", "--limit", "2")
    assert (page["count"], [each["tid"] for each in page["titles"]]) == (4, ["2154", "1451"])
    assert "2 of 4 titles" in run("template", "library", "--category", "307", "--limit", "2")[1]
    assert read("template", "keywords", "1451")[1]["rule"] == "amount"
    assert "退款金额" in run("template", "keywords", "1451")[1]
    added = read("template", "add", "1451", "3", "2", "--scene", "退款")
    assert added["is_new"]
    assert run("template", "add", "1451", "3", "2")[:2] == (0, f"exists already: {added['template_id']}\n")
    assert run("template", "delete", added["template_id"], "--yes")[:2] == (0, f"deleted {added['template_id']}\n")
    status, _, err = run("template", "delete", added["template_id"], "--yes")
    assert (status, err.count("\n")) == (1, 1)
    assert err.startswith("pushjobs: WeChat answered 20002")


@pytest.mark.parametrize("command", [("template", "delete", DAILY_NEWS), ("wechat", "clear-quota")], ids=" ".join)
def test_what_cannot_be_undone_is_asked(run: Run, sandbox: SandboxClient, command: tuple[str, ...]) -> None:
    """Where nobody can be asked, the command ends with 2, names `--yes` and calls nobody."""
    fault = sandbox.order_fault("errcode", errcode=-1)
    status, out, err = run(*command)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "--yes" in err
    assert [rule["fired"] for rule in sandbox.faults() if rule["id"] == fault] == [0]


@pytest.mark.parametrize(
    "arguments",
    [
        ("template", "add", "1856", "1"),
        ("template", "add", "no", "1", "2"),
        ("template", "library", "--limit", "31"),
        ("template", "keywords", "no"),
        ("template", "map", "OLD", DAILY_NEWS, "keyword1"),
        ("template", "map", "OLD", DAILY_NEWS, "keyword1=thing1", "keyword1=thing2"),
        ("template", "map", "OLD", DAILY_NEWS, "keyword1=keyword1"),
        ("template", "unmap", "OLD"),
        ("template", "check", "no.csv"),
        ("wechat", "quota", "cgi-bin/token"),
        ("wechat", "rid", "6172"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_is_refused_in_a_line(run: Run, arguments: tuple[str, ...]) -> None:
    """Bad words end with 2 and one line that says what they should be."""
    status, out, err = run(*arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("pushjobs: ")


def test_check_lists_every_fault_and_stores_nothing(run: Run, read: Read, tmp_path: Path) -> None:
    """The example's five bad rows are listed with field and reason, status 1; a good file ends with 0."""
    read("template", "sync")
    status, out, err = run("template", "check", str(EXAMPLES / "notices.csv"))
    assert status == 1
    with open_jobs(EXAMPLES / "notices.csv") as rows:
        total = rows.count
    assert out.startswith(f"{total - 5} of {total} rows can be sent, 5 faults\n")
    for said in ("template_id", "data.thing1", "data.thing4", "page", "time"):
        assert said in out
    assert not err, "progress is for terminals"
    status, out, _ = run("template", "check", str(EXAMPLES / "notices.csv"), "--json")
    checked = json.loads(out)
    assert (status, checked["rows"], checked["sound"]) == (1, total, total - 5)
    assert set(checked["faults"][0]) == {"row", "field", "reason"}
    good = tmp_path / "good.csv"
    data = '{""thing1"":""a"",""thing2"":""b"",""date3"":""2026-12-01""}'
    good.write_text(f'touser,template_id,data\noUser,{DAILY_NEWS},"{data}"\n')
    assert run("template", "check", str(good))[:2] == (0, "1 of 1 rows can be sent, 0 faults\n")
    assert sum(read("jobs", "--summary").values()) == 0


def test_map_and_unmap(run: Run, read: Read) -> None:
    """A mapping is made, listed with what becomes of each keyword, obeyed by `send`, and taken away."""
    read("template", "sync")
    pairs = ("keyword1=thing1", "keyword2=thing2", "keyword3=date3", "keyword4=")
    status, out, _ = run("template", "map", "OLD", DAILY_NEWS, *pairs, "--shorten")
    assert (status, out) == (0, f"messages of OLD are sent as {DAILY_NEWS}\n")
    [made] = read("template", "mappings")
    assert made == {
        "legacy_id": "OLD",
        "template_id": DAILY_NEWS,
        "keywords": {"keyword1": "thing1", "keyword2": "thing2", "keyword3": "date3", "keyword4": None},
        "shortens": True,
    }
    _, out, _ = run("template", "mappings")
    for said in ("OLD", "keyword1 → thing1", "keyword4 → left out", "shortened"):
        assert said in out
    data = json.dumps({"keyword1": "a", "keyword2": "b", "keyword3": "2026-12-01"})
    sent = read("send", "--touser", "o", "--template-id", "OLD", "--data", data, "--time", "2040-12-01 08:00:00")
    assert sent["template_id"] == DAILY_NEWS
    assert run("template", "unmap", "OLD")[:2] == (0, "messages of OLD are translated no longer\n")
    assert read("template", "mappings") == []


def test_the_account_s_tools(run: Run, read: Read) -> None:
    """Quota, rid and clear-quota show what WeChat says; bodies of a past request only when they are asked for."""
    assert read("wechat", "quota")["path"] == SUBSCRIBE_PATH
    _, out, _ = run("wechat", "quota", SUBSCRIBE_PATH)
    assert "30,000,000" in out
    status, _, err = run("wechat", "quota", "/cgi-bin/no")
    assert (status, err.count("\n")) == (1, 1)
    rid = err.rpartition("rid ")[2].rstrip(")\n")
    assert "/cgi-bin/no" not in run("wechat", "rid", rid)[1]
    shown = read("wechat", "rid", rid)
    assert shown.keys() == {"invoked_at", "cost_in_ms", "url", "client_ip"}
    assert json.loads(read("wechat", "rid", rid, "--bodies")["request_body"]) == {"cgi_path": "/cgi-bin/no"}
    assert run("wechat", "clear-quota", "--yes")[:2] == (0, "cleared; 1 of 10 this month, as far as we know\n")
    assert read("wechat", "clear-quota", "--yes") == {"used": 2, "a_month": 10}


def test_words(run: Run, read: Read) -> None:
    """Words are added, removed and listed, a template's or the app's; a bad one ends with status 2, not repeated."""
    assert run("template", "words", DAILY_NEWS)[:2] == (0, "no words are forbidden\n")
    assert run("template", "words", DAILY_NEWS, "--add", "返现", "--add", "VPN")[:2] == (0, "vpn\n返现\n")
    assert read("template", "words", "--add", "刷单") == {"template_id": None, "words": ["刷单"]}
    assert read("template", "words", DAILY_NEWS, "--remove", "vpn") == {"template_id": DAILY_NEWS, "words": ["返现"]}
    status, _, err = run("template", "words", "--add", "长" * 51)
    assert (status, err) == (2, "pushjobs: words hold what is no word: a word has 1 to 50 printable characters\n")
