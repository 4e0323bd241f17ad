"""Where a client may be told, with which secret, and how both come and go at the terminal."""

import json

import pytest

from pushjobs.domain.client import Client
from pushjobs.domain.events import OutcomesNotTold
from pushjobs.errors import InvalidInput, NotFound
from pushjobs.runtime import Runtime
from pushjobs.store.sealing import Sealer
from tests.integration.commands import Run, runner
from tests.integration.hands import ask
from tests.integration.own_door import OwnDoor, Taken
from tests.integration.webhooks.hearing import Verify, close, hear, let_try, waiting


@pytest.mark.usefixtures("secret")
def test_a_private_address_is_not_called(runtime: Runtime, client: Client, door: OwnDoor) -> None:
    """Without the setting an address needs TLS, and one that leads within is never connected to."""
    strict = Runtime(runtime.settings.model_copy(update={"private_webhooks": False}))
    heard = hear(strict)
    with pytest.raises(InvalidInput, match="is without TLS"):
        strict.webhooks.place("shop", door.url)
    close(runtime, client)
    assert (strict.telling.tell(), door.taken) == (0, [])
    [event] = heard
    assert isinstance(event, OutcomesNotTold)
    assert "a private address" in event.fault
    strict.close()


@pytest.mark.parametrize("url", ["shop.example", "ftp://shop.example/", "https://me:word@shop.example/", "https://"])
def test_what_is_no_address_is_refused(runtime: Runtime, client: Client, url: str) -> None:
    """An address is http or https and names nobody's password."""
    with pytest.raises(InvalidInput) as refused:
        runtime.webhooks.place(client.id, url)
    assert refused.value.field == "webhook"
    assert runtime.webhooks.all() == {}


def test_a_secret_is_stored_sealed_and_waits_for_its_key(
    runtime: Runtime, client: Client, secret: str, door: OwnDoor
) -> None:
    """The secret stands nowhere in plain; while no key opens it nothing is sent unsigned, and nothing lost."""
    [row] = ask(runtime, "SELECT webhooks::text FROM pushjobs.webhooks")
    assert secret.removeprefix("whsec_") not in str(row)
    close(runtime, client)
    runtime.telling._sealer = Sealer([b"x" * 32])
    assert (runtime.telling.tell(), door.taken) == (0, [])
    runtime.telling._sealer = runtime.sealer
    let_try(runtime)
    assert runtime.telling.tell() == 1


def test_an_address_that_goes_takes_along_what_waits(
    runtime: Runtime, client: Client, secret: str, door: OwnDoor
) -> None:
    """Without its address, or revoked, a client is told nothing, not even what closed before; figures stay."""
    close(runtime, client)
    runtime.telling.tell()
    close(runtime, client, 2)
    runtime.webhooks.end("shop")
    assert runtime.telling.tell() == 0
    close(runtime, client)
    assert (waiting(runtime), len(door.taken)) == (0, 1)
    again = runtime.webhooks.place("shop", door.url).secret
    assert again not in {None, secret}
    close(runtime, client)
    runtime.clients.revoke("shop")
    assert (runtime.telling.tell(), waiting(runtime), len(door.taken)) == (0, 0, 1)
    [webhook] = runtime.webhooks.all().values()
    assert (webhook.url, webhook.told) == (None, 1)
    with pytest.raises(NotFound):
        runtime.webhooks.place("shop", door.url)


@pytest.fixture
def run(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run commands against this installation."""
    return runner(environment, monkeypatch, capfd)


def test_the_commands(run: Run, runtime: Runtime, door: OwnDoor, verify: Verify) -> None:
    """A webhook is given, moved, signed anew and ended at the terminal; its secret is shown where it is made."""
    status, out, _ = run("client", "add", "shop", "--webhook", door.url, "--json")
    made = json.loads(out)
    assert (status, made["webhook"]) == (0, door.url)
    [client] = runtime.clients.all()
    close(runtime, client)
    runtime.telling.tell()

    def proves(secret: str, taken: Taken) -> bool:
        return verify(secret, taken.headers, taken.callback.body)

    assert proves(made["webhook_secret"], door.taken[-1])
    status, out, err = run("client", "update", "shop", "--webhook", door.url + "?v=2")
    assert (status, "whsec_" in out, "--new-secret" in err) == (0, False, True)
    renewed = json.loads(run("client", "update", "shop", "--new-secret", "--json")[1])
    assert renewed["webhook"] == door.url + "?v=2"
    close(runtime, client, 2)
    runtime.telling.tell()
    assert door.taken[-1].callback.query == {"v": "2"}
    assert proves(renewed["webhook_secret"], door.taken[-1])
    assert not proves(made["webhook_secret"], door.taken[-1])
    close(runtime, client)
    [listed] = json.loads(run("client", "list", "--json")[1])
    assert "secret" not in str(listed)
    assert {name: listed["webhook"][name] for name in ("waiting", "told", "given_up")} == {
        "waiting": 1,
        "told": 3,
        "given_up": 0,
    }
    status, out, _ = run("client", "list")
    assert (status, "given up" in out) == (0, True)
    assert run("client", "update", "shop", "--no-webhook")[0] == 0
    assert json.loads(run("client", "list", "--json")[1])[0]["webhook"]["url"] is None
    assert run("client", "update", "shop", "--new-secret")[0] != 0
    for wrong in ((), ("--no-webhook", "--new-secret")):
        status, _, err = run("client", "update", "shop", *wrong)
        assert (status, err.startswith("pushjobs: webhook is not said")) == (2, True)
    status, _, err = run("client", "add", "till", "--webhook", "nowhere")
    assert (status, err.startswith("pushjobs: webhook is no address")) == (2, True)
    assert [each.name for each in runtime.clients.all()] == ["shop"]
