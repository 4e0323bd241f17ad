"""What is counted, and how it is asked for: log, summary, pace, settings, two apps in one sandbox."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from pushjobs.sandbox import SandboxClient, SandboxOptions, SandboxProcess, Settings
from pushjobs.sandbox.__main__ import main
from pushjobs.sandbox.catalogue import DAILY_NEWS
from pushjobs.sandbox.client import SandboxError
from pushjobs.sandbox.options import Users
from pushjobs.sandbox.received import Received, Verdict
from pushjobs.sandbox.request import Request, read_target

Send = Callable[..., Any]


def test_reads_the_log_in_pages(send: Send, control: SandboxClient) -> None:
    """The log is read on from any number, in order of arrival."""
    for number in range(5):
        send(touser=f"o{number}")
    assert [each.touser for each in control.log(after=1, limit=2)] == ["o1", "o2"]
    assert [each.seq for each in control.all_received()] == [1, 2, 3, 4, 5]
    arrivals = [each.arrived_at for each in control.all_received()]
    assert arrivals == sorted(arrivals)


def test_counts_repeats(send: Send, control: SandboxClient, message: dict[str, Any]) -> None:
    """The same content to the same user again is a repeat, in whatever order its keys are; a refused one is none."""
    send()
    send(data=dict(reversed(message["data"].items())))
    send(touser="oUser2")
    send(data=message["data"] | {"thing1": {"value": "龙井"}})
    send(data={})
    summary = control.summary()
    assert (summary.received, summary.accepted, summary.repeats) == (5, 4, 1)
    assert summary.by_errcode == {"0": 4, "47003": 1}
    assert summary.first_arrival is not None
    assert summary.last_arrival is not None
    assert summary.first_arrival < summary.last_arrival


def test_counts_the_fullest_second() -> None:
    """The peak is the most arrivals in any sliding second, wherever it begins; one second apart is not within one."""
    received = Received()
    for arrived_at in (0.0, 0.5, 1.0, 1.4, 1.45, 3.0):
        _add(received, arrived_at)
    pace = received.pace()
    assert (pace["peak"], pace["peak_at"]) == (4, 1.45)
    assert pace["average"] == pytest.approx(5 / 3)
    assert received.summary()["peak_per_second"] == 4


def test_even_spacing_shows_its_rate() -> None:
    """Arrivals at exactly 128 a second show a peak of 128."""
    received = Received()
    for number in range(1000):
        _add(received, 1_800_000_000 + number / 128)
    assert received.pace()["peak"] == 128


def test_leaves_bodies_out_on_request(send: Send, control: SandboxClient) -> None:
    """Without bodies the log still has users and templates, and repeats are still seen."""
    control.change_settings(keep_bodies=False)
    send()
    send()
    assert [(each.touser, each.body) for each in control.log()] == [("oUser1", None)] * 2
    assert control.summary().repeats == 1


def test_keeps_bodies_that_are_no_json(call: Send, token: str, control: SandboxClient) -> None:
    """A body that is no JSON stands in the log as text."""
    call("POST", f"/cgi-bin/message/subscribe/send?access_token={token}", b"touser=o1")
    assert control.log()[0].body == "touser=o1"


@pytest.mark.parametrize(
    "changes",
    [{"latency": 1}, {"latency_ms": -1}, {"lenient": 1}, {"behave": "tomorrow"}, {"per_second": 0.5}],
)
def test_refuses_wrong_settings(control: SandboxClient, changes: dict[str, Any]) -> None:
    """A setting that is not there, or cannot be so, is refused and changes nothing."""
    with pytest.raises(SandboxError):
        control.change_settings(**changes)
    assert control.change_settings() == Settings().as_json()


def test_refuses_wrong_control_requests(control: SandboxClient) -> None:
    """Unknown templates, apps and kinds of user are named."""
    with pytest.raises(SandboxError, match="no template"):
        control.grant("oUser1", "unknown")
    with pytest.raises(SandboxError, match="no app"):
        control.mark_users("oUser1", "known", appid="wx0")
    with pytest.raises(SandboxError, match="known, refusing, invalid"):
        control.mark_users("oUser1", "happy")
    with pytest.raises(SandboxError, match="takes GET"):
        control._call("POST", "log")
    with pytest.raises(SandboxError, match="no door"):
        control._call("GET", "nowhere")


def test_reset_keeps_tokens(send: Send, control: SandboxClient) -> None:
    """After a reset the log is empty and the settings are the first ones, and a client's token is still good."""
    control.change_settings(per_day=0)
    send()
    control.reset()
    assert control.summary().received == 0
    assert send()["errcode"] == 0


def test_keeps_apps_apart() -> None:
    """Options reach the process; a user known to one app is none of the other's."""
    options = SandboxOptions(apps={"wxone": "s1", "wxtwo": "s2"}, settings=Settings(users=Users.STRICT, latency_ms=1))
    with SandboxProcess(options) as process:
        process.client.mark_users("oUser1", "known", appid="wxtwo")
        codes = [_send(process.base_url, appid, secret) for appid, secret in options.apps.items()]
        assert codes == [40003, 0]
        assert [each.appid for each in process.client.log()] == ["wxone", "wxtwo"]


def test_ends_with_its_parent() -> None:
    """When standard input closes, as it does when the parent dies, the process ends in order."""
    with SandboxProcess() as process:
        assert process._process.stdin is not None
        process._process.stdin.close()
        assert process._process.wait(30) == 0


def _send(base_url: str, appid: str, secret: str) -> int:
    query = {"grant_type": "client_credential", "appid": appid, "secret": secret}
    data = {"thing1": {"value": "茶"}, "thing2": {"value": "茶"}, "date3": {"value": "2026-11-23"}}
    message = {"touser": "oUser1", "template_id": DAILY_NEWS, "data": data}
    with httpx.Client(base_url=base_url) as client:
        token = client.get("/cgi-bin/token", params=query).json()["access_token"]
        answer = client.post("/cgi-bin/message/subscribe/send", params={"access_token": token}, json=message)
    return int(answer.json()["errcode"])


def _add(received: Received, arrived_at: float) -> None:
    target = read_target(b"/cgi-bin/message/subscribe/send")
    request = Request(method="POST", target=target, body=b"", arrived_at=arrived_at)
    received.add(request, Verdict(errcode=40003), fault=None, keep_body=False)


def test_a_file_of_settings_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Settings may come from a file, which keeps secrets off the command line; one that is not there ends it with 2."""
    with pytest.raises(SystemExit) as ended:
        main(["--settings", "@/nonexistent.json"])
    assert ended.value.code == 2
    assert "/nonexistent.json: No such file" in capsys.readouterr().err


def test_takes_templates_of_a_caller_s_own(
    send: Send, call: Callable[..., Any], token: str, control: SandboxClient
) -> None:
    """A template of any id and keys is listed and judged as the others are, until the reset."""
    control.add_template("TPL", {"thing1": [], "enum2": ["线上", "线下"]}, title="上课提醒", kind=3)

    listed = call("GET", f"/wxaapi/newtmpl/gettemplate?access_token={token}")["data"]
    [ours] = [each for each in listed if each["priTmplId"] == "TPL"]
    assert (ours["title"], ours["type"]) == ("上课提醒", 3)
    assert ours["content"] == "thing1:{{thing1.DATA}}\nenum2:{{enum2.DATA}}\n"
    assert ours["keywordEnumValueList"] == [{"keywordCode": "enum2", "enumValueList": ["线上", "线下"]}]
    good, bad = ({"thing1": {"value": "书法"}, "enum2": {"value": value}} for value in ("线上", "空中"))
    assert send(template_id="TPL", data=good)["errcode"] == 0
    assert send(template_id="TPL", data=bad)["errcode"] == 47003
    control.reset()
    assert send(template_id="TPL", data=good)["errcode"] == 40037


@pytest.mark.parametrize(
    ("keywords", "more", "fault"),
    [
        ({}, {}, "keywords maps keys"),
        ({"thing1": [1]}, {}, "keywords maps keys"),
        ({"keyword1": []}, {}, "keyword1 is no key"),
        ({"thing1": []}, {"kind": 1}, "kind is 2"),
    ],
)
def test_refuses_what_is_no_template(control: SandboxClient, keywords: Any, more: dict[str, Any], fault: str) -> None:  # noqa: ANN401 - what is wrong has any type
    """Keys that no subscribe template has, texts that are none, and a kind that there is not, are refused."""
    with pytest.raises(SandboxError, match=fault):
        control.add_template("TPL", keywords, **more)
