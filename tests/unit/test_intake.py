"""What leaves an application's process after `register`, seen in Celery's own in-memory broker."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from freezegun import freeze_time
from kombu.message import Message

from pushjobs import intake
from pushjobs.errors import InvalidInput, InvalidMoment, Misconfigured
from pushjobs.store.sealing import Sealer

KEY = b"k" * 32
SECRETS = ("oMarkedReader", "marked-content")
CONTENT = {"touser": SECRETS[0], "template_id": "t", "data": {"thing1": SECRETS[1]}}
NOW = datetime(2026, 12, 1, tzinfo=UTC)
MOMENT = NOW + timedelta(hours=8)


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Celery]:
    """An application's own Celery, registered, with routes and habits that are none of ours."""
    monkeypatch.setenv("PUSHJOBS_ENCRYPTION_KEYS", base64.b64encode(KEY).decode())
    made = Celery("shop", broker="memory://", set_as_current=False)
    intake.register(made)
    made.conf.update(
        task_routes={"*": {"queue": "shop", "exchange": "shop", "routing_key": "shop", "serializer": "json"}},
        task_create_missing_queues=True,
    )
    yield made
    with made.connection_for_write() as connection:
        for queue in ("pushjobs.intake", "shop"):
            connection.SimpleQueue(queue).clear()
    made.close()


def received(app: Celery, queue: str = "pushjobs.intake") -> Message:
    """Return the only message of a queue."""
    with app.connection_for_write() as connection:
        waiting = connection.SimpleQueue(queue, no_ack=True)
        message: Message = waiting.get(block=False)
        assert waiting.qsize() == 0
        return message


def opened(message: Message) -> dict[str, Any]:
    """Return the keyword arguments that a message holds, opened with the key."""
    args, kwargs, _ = json.loads(message.body)
    assert args == []
    assert kwargs.keys() == {"sealed"}
    return dict(Sealer([KEY]).open(base64.b64decode(kwargs["sealed"]), b"intake"))


def shown(message: Message) -> str:
    """Return everything of a message that the broker and its onlookers can see."""
    return repr((message.body, message.headers, message.properties, message.delivery_info))


def test_a_job_leaves_sealed_for_our_queue_whatever_the_app_routes(shop: Celery) -> None:
    """The message lies in our queue, shows neither open id nor content, and opens to the arguments as given."""
    arguments = {**CONTENT, "time": "2026-12-01 08:00:00"}
    given = dict(arguments)

    shop.send_task("pushjobs.send", kwargs=arguments)

    message = received(shop)
    assert opened(message) == arguments == given
    assert not [secret for secret in SECRETS if secret in shown(message)]
    assert (message.headers["argsrepr"], message.headers["kwargsrepr"]) == ("()", "{}")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"eta": MOMENT}, {"time": MOMENT.isoformat()}),
        ({"eta": "2026-12-01 16:00"}, {"time": "2026-12-01 16:00"}),
        ({"countdown": 60}, {"time": (NOW + timedelta(seconds=60)).isoformat()}),
        ({"eta": MOMENT, "expires": MOMENT}, {"time": MOMENT.isoformat(), "expires": MOMENT.isoformat()}),
        ({"expires": 90}, {"expires": (NOW + timedelta(seconds=90)).isoformat()}),
        ({"countdown": 0}, {}),
    ],
)
def test_celerys_moments_become_ours_and_the_broker_knows_none(
    shop: Celery, options: dict[str, Any], expected: dict[str, str]
) -> None:
    """`eta`, `countdown` and `expires` stand in the sealed value, and nowhere else."""
    with freeze_time(NOW):
        shop.send_task("pushjobs.send", kwargs=CONTENT, **options)

    message = received(shop)
    assert opened(message) == CONTENT | expected
    assert message.headers["eta"] is None
    assert message.headers["expires"] is None
    assert "expiration" not in message.properties


def test_every_way_of_calling_is_sealed(shop: Celery) -> None:
    """A signature, and a stub task of that name with a serializer of its own, seal like `send_task`."""
    shop.signature("pushjobs.send", kwargs=CONTENT, immutable=True).apply_async(countdown=60)
    assert opened(received(shop)).keys() == {*CONTENT, "time"}

    def stub(**_: object) -> None:
        """Only give the name a place in the app."""

    shop.task(name="pushjobs.send", serializer="yaml")(stub).delay(**CONTENT)
    assert opened(received(shop)) == CONTENT


def test_registering_twice_seals_once(shop: Celery) -> None:
    """The second registration takes the place of the first."""
    intake.register(shop)
    shop.send_task("pushjobs.send", kwargs=CONTENT)

    assert opened(received(shop)) == CONTENT


def test_other_tasks_are_left_alone(shop: Celery) -> None:
    """The app's own tasks keep their arguments, their options and their queue."""
    shop.send_task("shop.pack", (1,), {"parcel": 2}, None, MOMENT, expires=MOMENT)

    message = received(shop, "shop")
    args, kwargs, _ = json.loads(message.body)
    assert (args, kwargs) == ([1], {"parcel": 2})
    assert message.headers["eta"] == message.headers["expires"] == MOMENT.isoformat()


@pytest.mark.parametrize(
    ("call", "field"),
    [
        ({"args": ["oMarkedReader"]}, "args"),
        ({"eta": MOMENT, "kwargs": {"time": MOMENT}}, "time"),
        ({"expires": 60, "kwargs": {"expires": MOMENT}}, "expires"),
        ({"link": Celery(set_as_current=False).signature("shop.pack")}, "link"),
        ({"kwargs": {"expires": timedelta(hours=1)}}, "kwargs"),
    ],
)
def test_what_could_not_be_kept_is_refused_in_the_callers_process(
    shop: Celery, call: dict[str, Any], field: str
) -> None:
    """A call that would be taken in as something else raises InvalidInput at once."""
    with pytest.raises(InvalidInput) as refusal:
        shop.send_task("pushjobs.send", **call)

    assert refusal.value.field == field
    assert "oMarkedReader" not in str(refusal.value)


@pytest.mark.parametrize("call", [{"eta": MOMENT.replace(tzinfo=None)}, {"kwargs": {"time": datetime(2026, 12, 1)}}])  # noqa: DTZ001 - the fault under test
def test_a_datetime_without_a_zone_is_refused(shop: Celery, call: dict[str, Any]) -> None:
    """A naive datetime has more than one reading, and as a text it would silently get one."""
    with pytest.raises(InvalidMoment):
        shop.send_task("pushjobs.send", **call)


def test_an_app_without_our_key_cannot_register(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without an encryption key `register` says so, and the app's `send_task` stays its own."""
    monkeypatch.delenv("PUSHJOBS_ENCRYPTION_KEYS", raising=False)
    app = Celery("shop", broker="memory://", set_as_current=False)
    with pytest.raises(Misconfigured, match="ENCRYPTION_KEYS"):
        intake.register(app, tmp_path)

    assert "send_task" not in vars(app)


def test_what_is_too_long_is_refused_where_it_is_asked_for(shop: Celery) -> None:
    """No job is that long, and nobody would hear of it where it is opened; nothing is enqueued."""
    with pytest.raises(InvalidInput, match=r"kwargs are .* bytes long: a job has up to 65,536"):
        shop.send_task("pushjobs.send", kwargs=CONTENT | {"data": {"thing1": "x" * 70_000}})
    with shop.connection_for_write() as connection:
        assert connection.SimpleQueue("pushjobs.intake").qsize() == 0
