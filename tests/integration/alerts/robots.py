"""Robots and looks by hand, in the test's own process: time passes by moving what is noted into the past."""

import json

from pushjobs.domain.alert import AlertKind
from pushjobs.domain.events import Event
from pushjobs.runtime import Runtime
from pushjobs.telemetry import sightings
from tests.integration.hands import ask
from tests.integration.own_door import OwnDoor

__all__ = ["KEY", "TAKEN", "hear", "kinds", "let_look", "let_tell", "look", "pass_time", "texts", "watch"]

KEY = "693a91f6-7abc-4bc4-97a0-0ec2sifa5aaa"
TAKEN = '{"errcode":0,"errmsg":"ok"}'

_EARLIER = """
UPDATE pushjobs.alerts
   SET since = since - make_interval(secs => :seconds), seen_at = seen_at - make_interval(secs => :seconds),
       noted_at = noted_at - make_interval(secs => :seconds), gone_at = gone_at - make_interval(secs => :seconds)
 WHERE ended_at IS NULL"""


def let_look(runtime: Runtime) -> None:
    """Let the next look be made now, though there was one just now; beat is alive."""
    runtime.witness.beat()
    ask(runtime, "DELETE FROM pushjobs.installation WHERE name = 'alerts_looked_at'")


def let_tell(runtime: Runtime) -> None:
    """Let every address be tried now."""
    ask(runtime, "UPDATE pushjobs.alert_addresses SET try_at = now()")


def look(runtime: Runtime) -> list[str]:
    """Look and tell nobody; return what began, went on and ended."""
    let_look(runtime)
    runtime.alerts._looking.note(sightings.take())
    return [f"{each.what} {each.alert.kind}" for each in runtime.alerts._looking.look()]


def watch(runtime: Runtime) -> None:
    """Look and tell, as every process does every few seconds."""
    let_look(runtime)
    let_tell(runtime)
    runtime.alerts.watch()


def pass_time(runtime: Runtime, seconds: float) -> None:
    """Let whatever was noted of alerts have been noted so much earlier."""
    ask(runtime, _EARLIER, seconds=seconds)


def kinds(runtime: Runtime) -> list[AlertKind]:
    """Return the kinds of what is open."""
    return [each.kind for each in runtime.alerts.listed()]


def texts(robot: OwnDoor) -> list[str]:
    """Return what a WeCom robot was told."""
    bodies = [json.loads(taken.callback.body) for taken in robot.taken]
    assert {body["msgtype"] for body in bodies} <= {"markdown"}
    return [body["markdown"]["content"] for body in bodies]


def hear(runtime: Runtime) -> list[Event]:
    """Note what is told to the log from now on."""
    heard: list[Event] = []
    runtime.alerts._looking._emit = runtime.alerts._telling._emit = heard.append
    return heard
