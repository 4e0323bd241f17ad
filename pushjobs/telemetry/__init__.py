"""Floor 1: listeners to events. Those who cause an event call `emit` and know nothing of logs or metrics."""

from collections.abc import Callable

from pushjobs.domain.events import Event
from pushjobs.telemetry.logs import log
from pushjobs.telemetry.sightings import notice

__all__ = ["Emit", "emit"]

Emit = Callable[[Event], None]

_LISTENERS: tuple[Emit, ...] = (log, notice)


def emit(event: Event) -> None:
    """Tell every listener."""
    for listener in _LISTENERS:
        listener(event)
