"""The clients of the HTTP doors: their keys, their rights, and how they come to an end."""

import json
from typing import Any

import pytest

from pushjobs.clients import KEY_OVERLAP, Clients
from pushjobs.domain.client import Right
from pushjobs.errors import InvalidInput, NotFound, NotPossible, UnknownClient
from pushjobs.runtime import Runtime
from tests.conftest import APPID
from tests.integration.commands import Run, runner
from tests.integration.hands import ask
from tests.integration.pushes import news


@pytest.fixture
def clients(runtime: Runtime) -> Clients:
    """The clients as this process knows them."""
    return runtime.clients


def is_good(clients: Clients, client_id: str, key: str) -> bool:
    """Whether somebody is let in by this key, with what stands in SQL now."""
    clients.refresh()
    try:
        return clients.authenticate(client_id, key).id == client_id
    except UnknownClient:
        return False


def test_is_known_by_its_key_and_by_no_other(clients: Clients) -> None:
    """A client is who has its id and key; another's key, half a key and an id that is none are refused alike."""
    shop, till = clients.add("shop"), clients.add("till")
    assert is_good(clients, shop.client.id, shop.key)
    said = set()
    for client_id, key in [(shop.client.id, till.key), (shop.client.id, shop.key[:32]), ("pj00", shop.key), ("", "")]:
        with pytest.raises(UnknownClient) as refused:
            clients.authenticate(client_id, key)
        said.add(str(refused.value))
    assert len(said) == 1


def test_a_key_is_stored_nowhere(clients: Clients, runtime: Runtime) -> None:
    """What stands in the table has neither the key nor any piece of it that could be tried."""
    made = clients.add("shop")
    [row] = ask(runtime, "SELECT clients::text FROM pushjobs.clients")
    assert made.key not in str(row)
    assert made.key not in repr(made)
    assert len(bytes.fromhex(made.key)) == 32


def test_an_older_key_is_good_for_a_day(clients: Clients, runtime: Runtime) -> None:
    """After a rotation both keys are good until the day is over; a second rotation ends the first key."""
    made = clients.add("shop")
    second = clients.rotate("shop").key
    assert is_good(clients, made.client.id, made.key)
    assert is_good(clients, made.client.id, second)
    third = clients.rotate(made.client.id).key
    assert [is_good(clients, made.client.id, key) for key in (made.key, second, third)] == [False, True, True]
    [(left,)] = ask(runtime, "SELECT old_key_until - now() FROM pushjobs.clients")
    assert 0 < (KEY_OVERLAP - left).total_seconds() < 60
    ask(runtime, "UPDATE pushjobs.clients SET old_key_until = now() RETURNING id")
    assert [is_good(clients, made.client.id, key) for key in (second, third)] == [False, True]


def test_a_key_that_got_out_is_void_at_once(clients: Clients) -> None:
    """A rotation at once leaves the new key alone, and voids what was made before it."""
    made = clients.add("shop")
    clients.refresh()
    _, before = clients.find(made.client.client_no)
    second = clients.rotate("shop", at_once=True).key
    assert [is_good(clients, made.client.id, key) for key in (made.key, second)] == [False, True]
    assert clients.find(made.client.client_no)[1] > before


def test_who_is_revoked_is_nobody(clients: Clients) -> None:
    """A revoked client's keys are void, its name is free, and the list remembers it."""
    made = clients.add("shop")
    assert clients.revoke("shop").revoked_at is not None
    assert not is_good(clients, made.client.id, made.key)
    with pytest.raises(UnknownClient):
        clients.find(made.client.client_no)
    with pytest.raises(NotFound, match="no client in force"):
        clients.rotate("shop")
    with pytest.raises(NotFound, match="no client in force"):
        clients.revoke(made.client.id)
    again = clients.add("shop")
    assert [each.id for each in clients.all()] == [made.client.id, again.client.id]


def test_two_of_one_name_are_not_told_apart(clients: Clients) -> None:
    """A name belongs to one client in force."""
    clients.add("shop")
    with pytest.raises(NotPossible, match="there is a client 'shop' already"):
        clients.add("shop")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"apps": ["wxnobody"]}, "appid"),
        ({"templates": ["has a blank"]}, "template_id"),
        ({"rights": ["read", "sing"]}, "scope"),
        ({"per_second": 0}, "rate"),
        ({"per_second": float("nan")}, "rate"),
    ],
)
def test_a_client_that_cannot_be_is_refused(clients: Clients, given: dict[str, Any], field: str) -> None:
    """What cannot be meant is refused with its field, and nobody is added."""
    with pytest.raises(InvalidInput) as refused:
        clients.add(**{"name": "shop", **given})
    assert refused.value.field == field
    assert clients.all() == []


def test_may_what_its_scopes_say(clients: Clients) -> None:
    """Without scopes a client may read and write everywhere; with some, only that."""
    all_ = clients.add("all").client
    assert all(all_.may(right, appid="any", template_id="any") for right in (Right.READ, Right.WRITE))
    assert not all_.may(Right.OPERATE)
    some = clients.add("some", apps=[APPID], templates=["TPL", "TPL"], rights=["operate"]).client
    assert some.may(Right.OPERATE, appid=APPID, template_id="TPL")
    assert some.templates == ("TPL",)
    assert not any((some.may(Right.READ), some.may(appid="wxother"), some.may(template_id="OTHER")))


def test_its_own_rate_holds(clients: Clients) -> None:
    """A second's worth comes at once, then it is held up; a client without a rate never is."""
    slow, free = clients.add("slow", per_second=0.1).client, clients.add("free").client
    assert clients.hold_up(slow) == 0.0
    assert 8 < clients.hold_up(slow) < 10
    assert {clients.hold_up(free, 1000) for _ in range(100)} == {0.0}


def test_a_job_names_its_client(clients: Clients, runtime: Runtime) -> None:
    """What is accepted on behalf of a client has its name, one job or many; what the application sends has none."""
    client = clients.add("shop").client
    push = runtime.producer.on_behalf_of(client)
    far: dict[str, Any] = {"time": "2099-01-01 08:00:00"}
    single = push.send(**news(**far, reference="single"))
    assert push.send_many([news(**far, reference="many")] * 30).accepted == 30
    own = runtime.producer.send(**news(**far))
    assert (single.client, push.get(single.id).client) == ("shop", "shop")
    assert (own.client, push.get(own.id).client) == (None, None)
    assert {job.client for job in push.find(reference="many")} == {"shop"}
    assert push.app(APPID).send(**news(**far)).client == "shop"
    clients.revoke("shop")
    assert push.get(single.id).client == "shop"


@pytest.fixture
def run(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run commands against this installation."""
    return runner(environment, monkeypatch, capfd)


def test_the_commands(run: Run, clients: Clients) -> None:
    """A client is added, listed, given another key and revoked at the terminal; keys stand only where they are made."""
    status, out, _ = run(
        "client", "add", "shop", "--template-id", "TPL", "--scope", "write", "--per-second", "5", "--json"
    )
    made = json.loads(out)
    assert (status, made["templates"], made["rights"], made["per_second"]) == (0, ["TPL"], ["write"], 5.0)
    assert is_good(clients, made["id"], made["key"])
    status, out, err = run("client", "rotate", "shop")
    assert (status, "24 hours" in err, made["id"] in out) == (0, True, True)
    _, out, _ = run("client", "list", "--json")
    [listed] = json.loads(out)
    assert "key" not in listed
    assert (listed["name"], listed["rotated_at"] is not None, listed["revoked_at"]) == ("shop", True, None)
    assert run("client", "revoke", "shop")[0] == 2  # nobody is there to be asked
    assert run("client", "revoke", "shop", "--yes")[0] == 0
    status, out, _ = run("client", "list")
    assert (status, "shop" in out, made["key"] in out) == (0, True, False)
    assert not is_good(clients, made["id"], made["key"])


def test_a_bad_command_is_one_line(run: Run) -> None:
    """What cannot be added ends with 2 and a line that says which field and what it may be."""
    status, _, err = run("client", "add", "shop", "--scope", "sing")
    assert (status, err) == (2, "pushjobs: scope is not one of its values: use read, write, operate, contents\n")
