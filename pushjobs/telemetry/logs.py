"""Events as log lines: the event's own name, its fields, nothing else.

A slice in which all went well is a debug line: at a thousand slices a minute it is a metric, not a message.
"""

import logging
import re
import sys
from dataclasses import fields

import structlog

from pushjobs.domain.events import (
    BatchDropped,
    CallBroke,
    Event,
    JobsReleased,
    JobsUnpublished,
    MessageUnreadable,
    SettleRepeated,
    SliceSettled,
    TokenUnavailable,
)
from pushjobs.domain.lifecycle import Transition

__all__ = ["configure", "log"]

_TROUBLE = (BatchDropped, CallBroke, JobsUnpublished, MessageUnreadable, SettleRepeated, TokenUnavailable)

_logger = structlog.get_logger("pushjobs")


def configure(*, is_json: bool) -> None:
    """Send log lines to standard error, as JSON or for reading."""
    renderer = structlog.processors.JSONRenderer() if is_json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


def log(event: Event) -> None:
    """Write one event as one line."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(event).__name__).lower()
    values = {field.name: getattr(event, field.name) for field in fields(event)}
    _logger.log(_level(event), name, **values)


def _level(event: Event) -> int:
    if isinstance(event, _TROUBLE):
        return logging.WARNING
    went_well = isinstance(event, SliceSettled) and not event.late and set(event.moves) <= {Transition.DELIVER}
    return logging.DEBUG if went_well or isinstance(event, JobsReleased) else logging.INFO
