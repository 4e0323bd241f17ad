"""Events as log lines: the event's own name, its fields, nothing else. And every other line of a process, alike.

A slice in which all went well is a debug line: at a thousand slices a minute it is a metric, not a message.

Refuses to write: what libraries say below a warning, whatever is asked for, since they tell addresses with tokens; the
arguments that Celery adds to its lines; the values of variables in a traceback.
"""

import logging
import re
import sys
import threading
from collections.abc import Mapping
from dataclasses import fields
from types import TracebackType
from typing import TextIO, get_args

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

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
    TraceBroke,
)
from pushjobs.domain.lifecycle import Transition
from pushjobs.settings import LogFormat, LogLevel
from pushjobs.telemetry.asking import ASKING

__all__ = ["configure", "levels", "log", "name", "write_to"]

_TROUBLE = (
    *(AlertBegan, AlertsNotTold),
    *(AllowanceUnknown, AppUnreadable, AudienceUnreadable, CampaignNotTaken),
    *(ContentUnread, OutcomesGivenUp, OutcomesNotTold, RunBroke, RunFailed),
    *(BatchDropped, CallBroke, CallbacksNotKept, CallbacksRefused, CallsMoved),
    *(CatalogueUnread, ContentsUnchecked, DatabaseSteppedBack, EventsUnreadable, JobsUnpublished),
    *(MessageUnreadable, Paused, PushesNotTaken, RequestsFailed, RequestsNotAccepted, SettleBroke, SettleRepeated),
    *(TokenUnavailable, TraceBroke),
)
_USUAL = (JobsReleased,)
_USUAL_IF_WELL = (SliceSettled, EventsApplied)

_WORDS: Mapping[type, tuple[str, tuple[str, ...]]] = {
    kind: (re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower(), tuple(each.name for each in fields(kind)))
    for kind in get_args(Event)
}
"""The name of each event, and those of its fields."""

# Through the standard library's logger of our name: in an application's own process it decides what is shown and how.
_OURS = "pushjobs"
_logger = logging.getLogger(_OURS)


def configure(form: LogFormat | None = None, level: LogLevel = LogLevel.INFO, stream: TextIO | None = None) -> None:
    """Have every line of this process written in one form, to standard error unless a stream is given.

    For processes that are wholly ours. `form` None: `console` at a terminal, else `json`. `level`: of our own lines.
    """
    root = logging.getLogger()
    root.handlers = [_handler(form, stream or sys.stderr)]
    root.setLevel(logging.WARNING)
    # httpx writes every address whole, with the keys that robots and WeChat's tokens are in it.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # Its exporter warns of each try; that it gave a batch up is enough.
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)
    ours = logging.getLogger(_OURS)
    ours.handlers, ours.propagate = [], True
    ours.setLevel(level.upper())
    logging.captureWarnings(True)  # noqa: FBT003 - its only argument
    sys.excepthook = _tell_the_end
    threading.excepthook = _tell_of_thread


def write_to(stream: TextIO) -> None:
    """Have our own lines written to a stream, as JSON, whatever becomes of others."""
    ours = logging.getLogger(_OURS)
    ours.handlers, ours.propagate = [_handler(LogFormat.JSON, stream)], False
    ours.setLevel(logging.INFO)


def name(kind: type) -> str:
    """Return what the log calls a kind of event."""
    return _WORDS[kind][0]


def levels(kind: type) -> tuple[LogLevel, ...]:
    """Return at which levels a kind of event is written."""
    if issubclass(kind, _TROUBLE):
        return (LogLevel.WARNING,)
    if issubclass(kind, _USUAL):
        return (LogLevel.DEBUG,)
    return (LogLevel.DEBUG, LogLevel.INFO) if issubclass(kind, _USUAL_IF_WELL) else (LogLevel.INFO,)


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
    return logging.DEBUG if went_well or is_usual or isinstance(event, _USUAL) else logging.INFO


def _handler(form: LogFormat | None, stream: TextIO) -> logging.Handler:
    is_terminal = stream.isatty()
    if form is LogFormat.CONSOLE or (form is None and is_terminal):
        # The default shows the values of variables beside a traceback: open ids and contents among them.
        plain = structlog.dev.plain_traceback
        rendering: list[Processor] = [structlog.dev.ConsoleRenderer(colors=is_terminal, exception_formatter=plain)]
    else:
        rendering = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), _say_whose],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.stdlib.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                *rendering,
            ],
        )
    )
    return handler


def _say_whose(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Name the library that writes a line; and of what Celery adds to one, take its task's name and id alone."""
    record: logging.LogRecord = line["_record"]
    if record.name == _OURS:
        return line
    line["logger"] = record.name
    task = line.pop("data", None)
    if isinstance(task, Mapping) and "id" in task:
        line.update(task=task.get("name"), task_id=task["id"])
    return line


def _tell_the_end(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
    else:
        _logger.critical("process_broke", exc_info=(kind, error, traceback))


def _tell_of_thread(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None:
        error = ended.exc_value
        of = None if ended.thread is None else ended.thread.name
        _logger.critical("thread_broke", exc_info=error, extra={"of": of})
