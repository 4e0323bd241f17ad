"""Problems of the door become the errors of the producer; and what a client is made with."""

from pathlib import Path

import pytest

from pushjobs import errors, settings
from pushjobs.client import AsyncClient, Client
from pushjobs.client.answers import Answer, refusal
from pushjobs.http.v1 import problems

FAULTS = (
    errors.InvalidInput("reference", "is no short text", "give 1 to 200 printable characters"),
    errors.InvalidMoment("time", "cannot be read", "write ISO 8601"),
    errors.InvalidMessage("data.thing1", "is 24 characters long", "a thing has 1 to 20 characters"),
    errors.UnknownTemplate("template_id", "is not in the app's catalogue", "sync it"),
    errors.KeyReused("idempotency_key", "stands for another body", "use a new key"),
    errors.ContentRefused("data", "is not let pass", "say it otherwise"),
    errors.ContentUnchecked("data", "was not checked", "ask again"),
)
OTHERS = (
    errors.NotFound("there is no job 7"),
    errors.NotPossible("job 7 is sent: it cannot be cancelled"),
    errors.NotPermitted("the client has no right to write"),
    errors.Overloaded("too much waits"),
)

WRONG_ADDRESSES = (
    *("push.example.com", "ftp://push.example.com", "http://", "https://a b", "http://h:99999", "http://h/?a"),
    "http://me:secret@h",
)


def as_answer(error: errors.PushJobsError) -> Answer:
    """What the door answers for an error of ours."""
    response = problems.refusal(error)
    return Answer(status=response.status_code, media_type=response.headers["content-type"], body=bytes(response.body))


@pytest.mark.parametrize("error", [*FAULTS, *OTHERS], ids=lambda error: type(error).__name__)
def test_an_error_crosses_the_door_whole(error: errors.PushJobsError) -> None:
    """Class, words, field, fault and rule."""
    found = refusal(as_answer(error))
    assert type(found) is type(error)
    assert str(found) == str(error)
    assert found.__reduce__() == error.__reduce__()


def test_every_kind_of_problem_is_an_error() -> None:
    """Those that only a fault of ours brings about are PushJobsError itself, with the door's words."""
    bare = {"unreadable", "not-a-method", "too-large", "no-json", "no-rows", "broken", "wechat-refused"}
    with_fields = {"invalid", "unknown-template", "key-reused", "content-refused", "content-unchecked"}
    for kind in problems.KINDS:
        response = problems.problem(kind, "so it is")
        answer = Answer(status=kind.status, media_type=response.headers["content-type"], body=bytes(response.body))
        found = refusal(answer)
        assert str(found) == "so it is"
        assert (type(found) is errors.PushJobsError) is (kind.name in bare | with_fields), kind.name


@pytest.mark.parametrize("made", [Client, AsyncClient])
def test_what_a_client_is_made_with(
    made: type[Client | AsyncClient], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Address, id and key come from the arguments, else from the environment; what is missing or wrong is named."""
    settings.forget_environment()
    monkeypatch.setenv("PUSHJOBS_DIRECTORY", str(tmp_path))
    with pytest.raises(errors.Misconfigured, match="PUSHJOBS_CLIENT_KEY is not set"):
        made("https://push.example.com", "pj1")
    monkeypatch.setenv("PUSHJOBS_CLIENT_KEY", "the-key")
    made("https://push.example.com", "pj1")
    with pytest.raises(errors.Misconfigured, match="PUSHJOBS_URL is not set"):
        made()
    for url in WRONG_ADDRESSES:
        with pytest.raises(errors.Misconfigured, match="PUSHJOBS_URL"):
            made(url, "pj1")
    monkeypatch.setenv("PUSHJOBS_URL", "https://push.example.com/under/here")
    monkeypatch.setenv("PUSHJOBS_CLIENT_ID", "pj1")
    made()
    with pytest.raises(errors.Misconfigured, match="PUSHJOBS_CLIENT_KEY holds a blank") as refused:
        made(key="the-key\n")
    assert "the-key" not in str(refused.value)
    assert "the-key" not in repr(settings.given())
