"""Floor 1: listeners to events. Those who cause an event call `emit` and know nothing of logs or metrics.

Whoever takes jobs a step further calls `follow` beside it, and knows nothing of traces.
"""

from collections.abc import Callable

from pushjobs.domain.events import Event, TraceBroke
from pushjobs.domain.steps import Step
from pushjobs.errors import Misconfigured
from pushjobs.settings import Settings
from pushjobs.telemetry.logs import log
from pushjobs.telemetry.sightings import notice

__all__ = ["Emit", "Follow", "emit", "follow", "is_followed", "start_tracing"]

Emit = Callable[[Event], None]
Follow = Callable[[Step], None]

_LISTENERS: tuple[Emit, ...] = (log, notice)


class _Following:
    """Who follows single jobs in this process: nobody, unless jobs are traced."""

    follower: Follow | None = None
    has_broken = False


def emit(event: Event) -> None:
    """Tell every listener."""
    for listener in _LISTENERS:
        listener(event)


def is_followed() -> bool:
    """Whether anybody follows single jobs."""
    return _Following.follower is not None


def follow(step: Callable[[], Step]) -> None:
    """Tell who follows single jobs, if anybody does: the step is made only then.

    Never raises, for the jobs go on; the first fault is an event.
    """
    follower = _Following.follower
    if follower is None:
        return
    try:
        follower(step())
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a trace must not be wrong with its job
        if not _Following.has_broken:
            _Following.has_broken = True
            emit(TraceBroke(fault=type(error).__name__))


def start_tracing(settings: Settings, fingerprint: Callable[[], str]) -> Callable[[], None]:
    """Trace jobs in this process, if the settings say so; return what ends it, which sends what is left.

    There is one follower a process, the latest. `fingerprint` is the installation's. Raises Misconfigured where jobs
    are to be traced and OpenTelemetry is not installed.
    """
    if not settings.trace_share:
        return lambda: None
    try:
        from pushjobs.telemetry.traces import Shares, Traces  # noqa: PLC0415 - an extra, and only where it is used
    except ModuleNotFoundError:
        raise Misconfigured(
            "PUSHJOBS_TRACE_SHARE is set, and OpenTelemetry is not installed: pip install 'pushjobs[tracing]'"
        ) from None
    traces = Traces(Shares(urgent=settings.trace_share, bulk=settings.trace_bulk_share), fingerprint)
    _Following.follower, _Following.has_broken = traces, False

    def stop() -> None:
        if _Following.follower is traces:
            _Following.follower = None
        traces.close()

    return stop
