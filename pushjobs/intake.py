"""Jobs from applications that enqueue through their own Celery: sealed where they are asked for, opened where stored.

After `register(app)`, `app.send_task("pushjobs.send", kwargs={…})` hands Celery one sealed value and nothing else, so
broker, events, Flower and signals cannot show what they never see. `send_task` itself is taken over, on this one app:
routes, signals, events and a task's own options all act before a serializer would, and each could show the content or
undo the serializer. The moments go into the sealed value too: an `eta` left to Celery is held in a worker's memory and
delivered again whenever the broker's visibility time-out passes; ours waits in SQL.

The message is JSON, `{"sealed": "<base64>"}`, and only the task opens it: a worker that lacks the key keeps it.
With PLAIN_INTAKE an app may do without `register`; then the broker holds the content readable, and an `eta` as Celery
does, so that `time` in kwargs is the better way to say it.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from celery import Celery
from celery.app.routes import Router
from kombu.entity import Queue

from pushjobs import clock, settings
from pushjobs.domain.events import IntakeRefused
from pushjobs.domain.moment import read_moment
from pushjobs.errors import InvalidInput
from pushjobs.keyfile import renewal
from pushjobs.queue import QueueName, TaskName
from pushjobs.runtime import Runtime
from pushjobs.store.sealing import Sealer
from pushjobs.telemetry import emit

__all__ = ["register", "take_in"]

_SEALED = "sealed"
_BOUND_TO = b"intake"

_LARGEST = 64 * 1024
"""Bytes; many times what the longest message has."""

_FOLLOW_UPS = ("link", "link_error", "chain", "chord")

_OPTIONS: dict[str, Any] = {
    # A router without routes: whatever the app says of other tasks, this one goes to our queue.
    "router": Router(),
    "queue": Queue(QueueName.INTAKE),  # type: ignore[no-untyped-call]  # kombu types only parts of itself
    "exchange": None,
    "routing_key": None,
    "serializer": "json",
    "argsrepr": "()",
    "kwargsrepr": "{}",
    # Said in the sealed value: the broker must not drop a message that is to become a job.
    "expires": None,
    "ignore_result": True,
}


def register(app: Celery, directory: str | Path | None = None) -> None:
    """Let the Celery application `app` enqueue jobs: its `pushjobs.send` tasks go, encrypted, to our queue.

    The broker is the app's own. The task's keyword arguments are those of `Producer.send`. Celery's `eta` and
    `countdown` are taken as `time`, its `expires` as the job's. There is no result: the job counts as accepted once our
    worker has committed it, under the task's id as idempotency key unless it has another. What is seen to be wrong at
    once raises InvalidInput from `send_task`; the rest our worker refuses, with an event.

    `directory` stands in for PUSHJOBS_DIRECTORY. Raises Misconfigured when the encryption key is missing or wrong.
    """
    configured = settings.load(None if directory is None else Path(directory))
    keys, zone = configured.require_encryption_keys, configured.zone
    sealer = Sealer(keys, renewed=renewal(configured.directory, keys))

    def send_task(
        name: str,
        args: object = None,
        kwargs: Mapping[str, Any] | None = None,
        countdown: float | None = None,
        eta: object = None,
        *rest: object,
        **options: object,
    ) -> object:
        if name == TaskName.SEND:
            _refuse_what_cannot_be_kept(args, options)
            moments = _moments(countdown=countdown, eta=eta, expires=options.get("expires"))
            kwargs = {_SEALED: _seal(sealer, _joined(kwargs or {}, moments, zone))}
            countdown, eta, options = None, None, {**options, **_OPTIONS}
        # The class's method, not the app's attribute: an app that is registered twice must not seal twice.
        return app.__class__.send_task(app, name, args, kwargs, countdown, eta, *rest, **options)

    app.send_task = send_task


def take_in(payload: Mapping[str, Any], runtime: Runtime, *, message_id: str) -> None:
    """Store the job that a message asks for; what cannot be sent becomes an event, for nobody waits for an error.

    The message's id is the idempotency key of a job that has none, so a message that comes twice makes one job. Every
    other PushJobsError means: not now, the message must come again.
    """
    try:
        arguments = _opened(payload, runtime)
        if arguments.get("idempotency_key") is None:
            arguments["idempotency_key"] = f"celery:{message_id}"
        runtime.producer.send(session=None, **arguments)
    except InvalidInput as refusal:
        emit(IntakeRefused(field=refusal.field, fault=refusal.fault, rule=refusal.rule))


def _refuse_what_cannot_be_kept(args: object, options: Mapping[str, object]) -> None:
    if args:
        raise InvalidInput("args", "are given by position", "name them, in kwargs")
    for option in _FOLLOW_UPS:
        if options.get(option):
            raise InvalidInput(
                option, "hangs on this task", "nothing can follow it: it accepts a job, it sends nothing"
            )


def _moments(*, countdown: float | None, eta: object, expires: object) -> dict[str, object]:
    """Say Celery's options in our words; where both are given, its countdown wins over its eta."""
    now = clock.now()
    time = now + timedelta(seconds=countdown) if countdown else eta
    deadline = now + timedelta(seconds=expires) if isinstance(expires, int | float) else expires
    return {name: value for name, value in (("time", time), ("expires", deadline)) if value is not None}


def _joined(kwargs: Mapping[str, Any], moments: Mapping[str, object], zone: ZoneInfo) -> dict[str, Any]:
    for name in moments:
        if kwargs.get(name) is not None:
            raise InvalidInput(name, "is given twice", "give it in kwargs or as Celery's option")
    joined = {**kwargs, **moments}
    for name in ("time", "expires"):
        # A datetime is checked here, because as a text a naive one would pass for a local time; texts are read there.
        if isinstance(joined.get(name), datetime):
            joined[name] = read_moment(joined[name], zone, field=name).isoformat()
    return joined


def _seal(sealer: Sealer, arguments: Mapping[str, Any]) -> str:
    try:
        sealed = sealer.seal(arguments, _BOUND_TO)
    except TypeError as error:
        raise InvalidInput("kwargs", f"cannot be sent ({error})", "give texts, numbers, lists and mappings") from None
    if len(sealed) > _LARGEST:
        # It would be refused where it is opened, with nobody there to hear of it.
        raise InvalidInput("kwargs", f"are {len(sealed):,} bytes long", f"a job has up to {_LARGEST:,}")
    return b64encode(sealed).decode()


def _opened(payload: Mapping[str, Any], runtime: Runtime) -> dict[str, Any]:
    if payload.keys() == {_SEALED}:
        try:
            return dict(runtime.sealer.open(b64decode(payload[_SEALED], validate=True), _BOUND_TO))
        except (TypeError, binascii.Error):
            raise InvalidInput("payload", "is no sealed value", "let pushjobs.intake.register(app) seal it") from None
    if not runtime.settings.plain_intake:
        raise InvalidInput(
            "payload", "is not encrypted", "call pushjobs.intake.register(app), or set PUSHJOBS_PLAIN_INTAKE"
        )
    return dict(payload)
