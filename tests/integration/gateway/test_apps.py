"""Which app a client's request is for, where the installation sends for several."""

from collections.abc import Iterator

import httpx
import pytest

from pushjobs.runtime import Runtime
from pushjobs.sandbox import SandboxOptions, SandboxProcess, paths
from pushjobs.sandbox.catalogue import DAILY_NEWS
from tests.conftest import APPID, SECRET
from tests.integration.drop_in import LATER, MESSAGE, SEND, Post, said, token_of

OTHER, OTHER_SECRET = "wxother", "another-secret"


@pytest.fixture(scope="module")
def sandbox_process() -> Iterator[SandboxProcess]:
    """A sandbox that knows two apps."""
    with SandboxProcess(SandboxOptions(apps={APPID: SECRET, OTHER: OTHER_SECRET})) as running:
        yield running


@pytest.fixture
def two(worker: Runtime) -> Runtime:
    """An installation that sends for a second app."""
    worker.apps.add(OTHER, OTHER_SECRET)
    return worker


def test_the_app_that_is_meant(two: Runtime, door: httpx.Client, post: Post) -> None:
    """A message is for the app that it names, else for its client's first, else for the environment's."""
    theirs = token_of(door, two.clients.add("theirs", apps=[OTHER]))
    both = token_of(door, two.clients.add("both", apps=[OTHER, APPID]))
    later = MESSAGE | {"time": LATER}
    answers = {
        "all": post(SEND, later),
        "all, named": post(SEND, later | {"appid": OTHER}),
        "theirs": post(SEND, later, token=theirs),
        "both": post(SEND, later, token=both),
        "both, named": post(SEND, later | {"appid": APPID}, token=both),
    }
    apps = {name: two.producer.get(answer["msgid"]).appid for name, answer in answers.items()}
    assert apps == {"all": APPID, "all, named": OTHER, "theirs": OTHER, "both": OTHER, "both, named": APPID}
    assert post(SEND, later | {"appid": APPID}, token=theirs)["errcode"] == 48001


def test_calls_are_passed_on_for_that_app(two: Runtime, door: httpx.Client) -> None:
    """What is passed on goes out with the token of the client's own app."""
    query = {"access_token": token_of(door, two.clients.add("theirs", apps=[OTHER]))}
    added = said(door.post(paths.ADD_TEMPLATE, params=query, json={"tid": "1451", "kidList": [5, 6]}))["priTmplId"]
    ids = {each["priTmplId"] for each in said(door.get(paths.TEMPLATES, params=query))["data"]}
    assert {DAILY_NEWS, added} <= ids
    two.catalogue.sync()
    assert added not in two.catalogue.titles()
