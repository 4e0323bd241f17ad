"""POSTs that are not taken, or whose teller dies: repeated, in time given up, never mixed up."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from pushjobs.domain.client import Client
from pushjobs.domain.events import OutcomesGivenUp, OutcomesNotTold
from pushjobs.runtime import Runtime
from tests.integration.hands import ask
from tests.integration.own_door import OwnDoor
from tests.integration.webhooks.hearing import Verify, close, hear, ids, let_try, told, waiting

TELL = "from pushjobs import settings; from pushjobs.runtime import Runtime; Runtime(settings.load()).telling.tell()"


@pytest.mark.usefixtures("secret")
def test_what_is_not_taken_is_told_again(runtime: Runtime, client: Client, door: OwnDoor) -> None:
    """A failed POST comes again under its id and with its body, later each time; what closes meanwhile waits."""
    door.answer = lambda _: (500, "trouble")
    heard = hear(runtime)
    first = close(runtime, client)
    assert (runtime.telling.tell(), runtime.telling.tell(), len(door.taken)) == (0, 0, 1)
    assert heard == [OutcomesNotTold(client=client.id, outcomes=1, attempts=1, fault="HTTP 500")]
    second = close(runtime, client)
    for attempt in (2, 3):
        let_try(runtime)
        runtime.telling.tell()
        [(wait,)] = ask(runtime, "SELECT extract(epoch FROM try_at - now())::float FROM pushjobs.webhooks")
        assert 2.5 * 2 ** (attempt - 1) - 1 < wait <= 5 * 2 ** (attempt - 1)
    door.answer = lambda _: (204, "")
    let_try(runtime)
    assert runtime.telling.tell() == 1
    assert runtime.telling.tell() == 1
    assert [job["id"] for job in told(door)] == first * 4 + second
    assert len(set(ids(door)[:4])) == 1
    assert len({taken.callback.body for taken in door.taken[:4]}) == 1
    assert len(set(ids(door))) == 2


@pytest.mark.usefixtures("secret")
def test_after_a_day_it_is_given_up_and_counted(runtime: Runtime, client: Client, door: OwnDoor) -> None:
    """What nobody took in a day is dropped, counted and told of; what is younger goes on."""
    heard = hear(runtime)
    door.answer = lambda _: (410, "gone")
    close(runtime, client, 3)
    runtime.telling.tell()
    ask(runtime, "UPDATE pushjobs.outcomes SET closed_at = closed_at - interval '25 h'")
    [young] = close(runtime, client)
    door.answer = lambda _: (200, "")
    # It is not tried again for seconds, in the end for an hour: what is too late goes meanwhile.
    assert (runtime.telling.tell(), len(door.taken), waiting(runtime)) == (0, 1, 1)
    let_try(runtime)
    assert runtime.telling.tell() == 1
    assert [job["id"] for job in told(door)][3:] == [young]
    assert heard[1:] == [OutcomesGivenUp(client=client.id, outcomes=3)]
    [webhook] = runtime.webhooks.all().values()
    assert (webhook.given_up, webhook.told, webhook.waiting) == (3, 1, 0)
    assert len(set(ids(door))) == 2


def test_one_that_fails_keeps_nobody_waiting(runtime: Runtime, client: Client, door: OwnDoor) -> None:
    """Each client has its own address, secret and patience."""
    till = runtime.clients.add("till").client
    runtime.webhooks.place("shop", "http://127.0.0.1:9/")
    runtime.webhooks.place("till", door.url)
    heard = hear(runtime)
    close(runtime, client)
    [own] = close(runtime, till)
    assert runtime.telling.tell() == 1
    assert [job["id"] for job in told(door)] == [own]
    assert heard == [
        OutcomesNotTold(client=client.id, outcomes=1, attempts=1, fault="no connection can be made, or no TLS")
    ]


def test_a_teller_killed_behind_its_post_tells_again(
    runtime: Runtime, environment: dict[str, str], client: Client, secret: str, door: OwnDoor, verify: Verify
) -> None:
    """Killed between the POST and its mark: after the promise it comes again, the same id and body, and is not lost."""
    numbers = close(runtime, client, 3)
    came = threading.Event()
    killed = threading.Event()

    def answer(_: object) -> tuple[int, str]:
        came.set()
        assert killed.wait(30)
        return 200, ""

    door.answer = answer
    with subprocess.Popen([sys.executable, "-c", TELL], env=environment) as teller:
        assert came.wait(30)
        os.kill(teller.pid, signal.SIGKILL)
        assert teller.wait(30) == -signal.SIGKILL
        killed.set()
    door.answer = lambda _: (200, "")
    # While the promise lasts nobody else tells the same.
    assert (runtime.telling.tell(), waiting(runtime)) == (0, 3)
    let_try(runtime)
    assert runtime.telling.tell() == 3
    assert [job["id"] for job in told(door)] == numbers[::-1] * 2 or [job["id"] for job in told(door)] == numbers * 2
    assert len(set(ids(door))) == 1
    assert len({taken.callback.body for taken in door.taken}) == 1
    assert verify(secret, door.taken[1].headers, door.taken[1].callback.body)
    assert waiting(runtime) == 0


@pytest.mark.usefixtures("secret")
def test_a_mark_that_comes_late_marks_nothing_else(runtime: Runtime, client: Client, door: OwnDoor) -> None:
    """A teller that overran its promise, while another told the same and the next: its word changes nothing."""
    close(runtime, client)
    others: list[int] = []

    def answer(_: object) -> tuple[int, str]:
        door.answer = lambda _: (200, "")
        let_try(runtime)
        other = Runtime(runtime.settings)
        others.append(other.telling.tell())
        close(runtime, client, 2)
        door.answer = lambda _: (500, "")
        others.append(other.telling.tell())
        other.close()
        return 200, ""

    door.answer = answer
    runtime.telling.tell()
    assert others == [1, 0]
    assert waiting(runtime) == 2
    [webhook] = runtime.webhooks.all().values()
    assert (webhook.told, webhook.attempts) == (1, 1)


@pytest.mark.usefixtures("secret")
def test_two_tellers_do_not_tell_the_same(runtime: Runtime, client: Client, door: OwnDoor) -> None:
    """While one process calls, another's tick leaves that client alone."""
    close(runtime, client)
    meanwhile: list[int] = []

    def answer(_: object) -> tuple[int, str]:
        other = Runtime(runtime.settings)
        meanwhile.append(other.telling.tell())
        other.close()
        return 200, ""

    door.answer = answer
    assert runtime.telling.tell() == 1
    assert (meanwhile, len(door.taken)) == ([0], 1)


@pytest.mark.usefixtures("secret")
def test_redirects_are_not_followed(runtime: Runtime, client: Client, door: OwnDoor) -> None:
    """A redirect may lead anywhere, and is a fault like any other."""
    heard = hear(runtime)
    door.answer = lambda _: (307, "")
    close(runtime, client)
    runtime.telling.tell()
    assert [event.fault for event in heard if isinstance(event, OutcomesNotTold)] == ["HTTP 307"]
