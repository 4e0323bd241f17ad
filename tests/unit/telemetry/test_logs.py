"""Log lines: one form for everything that a process writes, and nothing in them that is nobody's business."""

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from pushjobs.domain.events import Event, JobsReleased, SliceSettled, TokenUnavailable
from pushjobs.domain.job import Lane
from pushjobs.domain.lifecycle import Transition
from pushjobs.settings import LogFormat, LogLevel
from pushjobs.telemetry import emit
from pushjobs.telemetry.asking import ASKING, Asking
from pushjobs.telemetry.logs import configure, levels, name

SECRET = "oReader000001"
TROUBLE = TokenUnavailable(appid="wx1", fault="Unreachable")


class Terminal(io.StringIO):
    """A stream that people look at."""

    def isatty(self) -> bool:
        """It is one."""
        return True


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where the process writes; afterwards all is as it was."""
    root, ours = logging.getLogger(), logging.getLogger("pushjobs")
    kept = [(each, each.handlers, each.level, each.propagate) for each in (root, ours)]
    hooks = sys.excepthook, threading.excepthook
    yield io.StringIO()
    logging.captureWarnings(False)  # noqa: FBT003 - its only argument
    sys.excepthook, threading.excepthook = hooks
    for logger, handlers, level, propagate in kept:
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """Read what was written as JSON; each line must be."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def settled(*, late: int = 0) -> SliceSettled:
    """A slice in which all went well, but for those that are late."""
    return SliceSettled(app_no=1, lane=Lane.BULK, moves={Transition.DELIVER: 3}, late=late, seconds=0.1)


def test_an_event_is_a_line_with_its_fields(stream: io.StringIO) -> None:
    """Name, fields, level, moment; and the request's id where there is one."""
    configure(stream=stream)
    ASKING.set(Asking(request_id="r1"))
    emit(TROUBLE)
    ASKING.set(None)
    [line] = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    said = {"event": "token_unavailable", "level": "warning", "request_id": "r1"}
    assert line == said | {"appid": "wx1", "fault": "Unreachable"}


@pytest.mark.parametrize(("level", "count"), [(LogLevel.DEBUG, 4), (LogLevel.INFO, 2), (LogLevel.WARNING, 1)])
def test_a_level_says_how_much_is_written(stream: io.StringIO, level: LogLevel, count: int) -> None:
    """Where all goes well there is no line, unless every line is asked for."""
    configure(level=level, stream=stream)
    for event in (JobsReleased(app_no=1, lane=Lane.BULK, jobs=1), settled(), settled(late=1), TROUBLE):
        emit(event)
    written = lines(stream)
    assert len(written) == count
    assert all(line["level"] in levels(type(TROUBLE)) for line in written if line["event"] == name(type(TROUBLE)))
    assert all(line["level"] in levels(SliceSettled) for line in written if line["event"] == name(SliceSettled))


def test_every_event_has_a_level() -> None:
    """What the page of events says of each."""
    assert all(levels(kind) for kind in get_args(Event))


def test_libraries_write_in_the_same_form_from_warnings_on(stream: io.StringIO) -> None:
    """Below it they tell addresses with tokens, so not even `debug` brings them; warnings of Python are lines too."""
    configure(level=LogLevel.DEBUG, stream=stream)
    logging.getLogger("httpx").info("POST https://api.weixin.qq.com/?access_token=%s", SECRET)
    logging.getLogger("kombu").warning("gone")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", stacklevel=1)
    assert [(line["logger"], line["level"]) for line in lines(stream)] == [
        ("kombu", "warning"),
        ("py.warnings", "warning"),
    ]


def test_celery_s_lines_name_the_task_and_show_no_arguments(stream: io.StringIO) -> None:
    """Of what Celery adds to a line, its task's name and id are fields; the rest is left out."""
    configure(stream=stream)
    task = {"id": "t1", "name": "pushjobs.send", "args": f"['{SECRET}']", "kwargs": SECRET, "exc": "…"}
    logging.getLogger("celery.app.trace").error("Task %(name)s failed", task, extra={"data": task})
    [line] = lines(stream)
    assert (line["task"], line["task_id"], line["event"]) == ("pushjobs.send", "t1", "Task pushjobs.send failed")
    assert SECRET not in stream.getvalue()


@pytest.mark.parametrize("form", LogFormat)
def test_a_traceback_shows_no_variables(stream: io.StringIO, form: LogFormat) -> None:
    """What a function held when it broke may be an open id."""
    configure(form, stream=stream)

    def breaks(touser: str) -> None:
        held = touser[::-1]
        raise ValueError(len(held))

    try:
        breaks(SECRET)
    except ValueError:
        logging.getLogger("celery").exception("broken")
    written = stream.getvalue()
    assert "Traceback" in written
    assert "ValueError: 13" in written
    assert SECRET not in written
    assert SECRET[::-1] not in written


def test_an_end_that_nobody_foresaw_is_a_line(stream: io.StringIO) -> None:
    """Of the process and of a thread; with the traceback as a field, and nothing beside it on standard error."""
    configure(stream=stream)
    error = ValueError("of a main program")
    sys.excepthook(ValueError, error, None)
    thread = threading.Thread(target=lambda: 1 / 0, name="settler")
    thread.start()
    thread.join()
    process, of_thread = lines(stream)
    assert (process["event"], process["level"]) == ("process_broke", "critical")
    assert "of a main program" in process["exception"]
    assert (of_thread["event"], of_thread["of"]) == ("thread_broke", "settler")
    assert "ZeroDivisionError" in of_thread["exception"]


@pytest.mark.parametrize(("form", "is_json"), [(None, False), (LogFormat.JSON, True), (LogFormat.CONSOLE, False)])
def test_people_get_lines_for_people(stream: io.StringIO, form: LogFormat | None, *, is_json: bool) -> None:
    """At a terminal, unless JSON is asked for; anywhere else JSON, unless people's form is asked for."""
    terminal = Terminal()
    configure(form, stream=terminal)
    emit(TROUBLE)
    assert terminal.getvalue().startswith("{") is is_json
    assert "token_unavailable" in terminal.getvalue()
    configure(form, stream=stream)
    emit(TROUBLE)
    assert stream.getvalue().startswith("{") is (form is not LogFormat.CONSOLE)
    assert "\x1b" not in stream.getvalue()
