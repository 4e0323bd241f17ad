"""Events as log lines: the event's own name, its fields, nothing else.

A slice in which all went well is a debug line: at a thousand slices a minute it is a metric, not a message.
"""

import logging
import re
from dataclasses import fields
from typing import TextIO

import structlog

from pushjobs.domain.events import (
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
    RequestsFailed,
    RequestsNotAccepted,
    RunFailed,
    SettleBroke,
    SettleRepeated,
    SliceSettled,
    TokenUnavailable,
)
from pushjobs.domain.lifecycle import Transition

__all__ = ["configure", "log"]

_TROUBLE = (
    *(AllowanceUnknown, AppUnreadable, AudienceUnreadable, CampaignNotTaken),
    *(ContentUnread, OutcomesGivenUp, OutcomesNotTold, RunFailed),
    *(BatchDropped, CallBroke, CallbacksNotKept, CallbacksRefused, CallsMoved),
    *(CatalogueUnread, ContentsUnchecked, DatabaseSteppedBack, EventsUnreadable, JobsUnpublished),
    *(MessageUnreadable, Paused, PushesNotTaken, RequestsFailed, RequestsNotAccepted, SettleBroke, SettleRepeated),
    TokenUnavailable,
)

# Through the standard library's logger of our name: in an application's own process it decides what is shown and how.
_logger = structlog.wrap_logger(
    logging.getLogger("pushjobs"),
    processors=[structlog.stdlib.filter_by_level, structlog.stdlib.render_to_log_kwargs],
    wrapper_class=structlog.stdlib.BoundLogger,
)


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
    logger = logging.getLogger("pushjobs")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def log(event: Event) -> None:
    """Write one event as one line."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(event).__name__).lower()
    values = {field.name: getattr(event, field.name) for field in fields(event)}
    _logger.log(_level(event), name, **values)


def _level(event: Event) -> int:
    if isinstance(event, _TROUBLE):
        return logging.WARNING
    went_well = isinstance(event, SliceSettled) and not event.late and set(event.moves) <= {Transition.DELIVER}
    is_usual = isinstance(event, EventsApplied) and not event.left and not event.confirmed
    return logging.DEBUG if went_well or is_usual or isinstance(event, JobsReleased) else logging.INFO
