"""Events as log lines: the event's own name, its fields, nothing else.

A slice in which all went well is a debug line: at a thousand slices a minute it is a metric, not a message.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import TextIO, get_args

import structlog

from pushjobs.domain.events import (
    AlertBegan,
    AlertsNotTold,
    AllowanceUnknown,
    AppUnreadable,
    AudienceUnreadable,
    BatchDropped,
    CallbacksNotKept,
    CallbacksRefused,
    CallBroke,
    CallsMoved,
    CampaignNotTaken,
    CatalogueUnread,
    ContentsUnchecked,
    ContentUnread,
    DatabaseSteppedBack,
    Event,
    EventsApplied,
    EventsUnreadable,
    JobsReleased,
    JobsUnpublished,
    MessageUnreadable,
    OutcomesGivenUp,
    OutcomesNotTold,
    Paused,
    PushesNotTaken,
    RequestAnswered,
    RequestsFailed,
    RequestsNotAccepted,
    RunBroke,
    RunFailed,
    SettleBroke,
    SettleRepeated,
    SliceSettled,
    TokenUnavailable,
)
from pushjobs.domain.lifecycle import Transition
from pushjobs.telemetry.asking import ASKING

__all__ = ["configure", "log"]

_TROUBLE = (
    *(AlertBegan, AlertsNotTold),
    *(AllowanceUnknown, AppUnreadable, AudienceUnreadable, CampaignNotTaken),
    *(ContentUnread, OutcomesGivenUp, OutcomesNotTold, RunBroke, RunFailed),
    *(BatchDropped, CallBroke, CallbacksNotKept, CallbacksRefused, CallsMoved),
    *(CatalogueUnread, ContentsUnchecked, DatabaseSteppedBack, EventsUnreadable, JobsUnpublished),
    *(MessageUnreadable, Paused, PushesNotTaken, RequestsFailed, RequestsNotAccepted, SettleBroke, SettleRepeated),
    TokenUnavailable,
)

_WORDS: Mapping[type, tuple[str, tuple[str, ...]]] = {
    kind: (re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower(), tuple(each.name for each in fields(kind)))
    for kind in get_args(Event)
}
"""The name of each event, and those of its fields."""

# Through the standard library's logger of our name: in an application's own process it decides what is shown and how.
_logger = logging.getLogger("pushjobs")


def configure(stream: TextIO | None = None) -> None:
    """Send our log lines to a stream, standard error unless given, as JSON: for processes that are wholly ours."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.stdlib.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    # httpx writes every address whole, with the keys that robots and WeChat's tokens are in it.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logger = logging.getLogger("pushjobs")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def log(event: Event) -> None:
    """Write one event as one line, with the id of the HTTP request that it happened in."""
    level = _level(event)
    if not _logger.isEnabledFor(level):
        return
    name, names = _WORDS[type(event)]
    values = {each: getattr(event, each) for each in names}
    if (asking := ASKING.get()) is not None:
        values["request_id"] = asking.request_id
    # Made here and not by `log`, which looks for its caller: half of what a line costs, and doors write a thousand a
    # second.
    _logger.handle(_logger.makeRecord(_logger.name, level, "", 0, name, (), None, None, values))


def _level(event: Event) -> int:
    if isinstance(event, RequestAnswered):
        return logging.INFO
    if isinstance(event, _TROUBLE):
        return logging.WARNING
    went_well = isinstance(event, SliceSettled) and not event.late and set(event.moves) <= {Transition.DELIVER}
    is_usual = isinstance(event, EventsApplied) and not event.left and not event.confirmed
    return logging.DEBUG if went_well or is_usual or isinstance(event, JobsReleased) else logging.INFO
