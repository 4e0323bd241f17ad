"""`/metrics`: how things stand, as Prometheus reads it, for a client that may operate.

Never without a key: behind a proxy everybody comes from this machine, and how busy a company is, is its own affair.
"""

import asyncio
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from itertools import accumulate
from typing import Any

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString
from starlette.responses import PlainTextResponse, Response

from pushjobs.domain.client import Right
from pushjobs.domain.lateness import STEPS
from pushjobs.errors import UnknownClient
from pushjobs.figures import FIGURES, Figure, Figures, Kind, Reading, Steps
from pushjobs.http.permission import Permission

__all__ = ["Metrics"]

_SCHEME = "bearer"


class Metrics:
    """The door for a monitoring system."""

    def __init__(self, figures: Figures, permission: Permission) -> None:
        self._figures = figures
        self._permission = permission
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="metrics")

    def door(self) -> APIRouter:
        """Return the door as a route."""
        router = APIRouter()

        @router.get("/metrics")
        async def metrics(request: Request) -> Response:
            if (refused := await self._refused(request.headers.get("authorization", ""))) is not None:
                return refused
            text = await asyncio.get_running_loop().run_in_executor(self._thread, self._text)
            return Response(text, media_type=CONTENT_TYPE_LATEST)

        return router

    def close(self) -> None:
        """End the thread; a reading that hangs is not waited for."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _refused(self, header: str) -> Response | None:
        scheme, _, written = header.partition(" ")
        client_id, _, key = written.strip().partition(".") if scheme.lower() == _SCHEME else ("", "", "")
        try:
            client = await self._permission.authenticate(client_id, key)
        except UnknownClient:
            headers = {"WWW-Authenticate": 'Bearer realm="pushjobs"'}
            return PlainTextResponse("give a client's ID.KEY as bearer token", HTTPStatus.UNAUTHORIZED, headers)
        # The figures are of the whole installation.
        if not client.may(Right.OPERATE) or client.apps is not None or client.templates is not None:
            return PlainTextResponse("the client may not operate all apps", HTTPStatus.FORBIDDEN)
        return None

    def _text(self) -> bytes:
        registry = CollectorRegistry()
        registry.register(_Read(self._figures.read()))
        return generate_latest(registry)


class _Read(Collector):
    """One reading, in the words of Prometheus' library."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def collect(self) -> Iterator[Metric]:
        """Return each figure that could be read."""
        for figure in FIGURES:
            if figure in self._reading:
                yield _family(figure, self._reading[figure])


def _family(figure: Figure, values: Mapping[Any, Any]) -> Metric:
    if figure.kind is Kind.HISTOGRAM:
        histogram = HistogramMetricFamily(figure.name, figure.words, labels=figure.labels)
        for labels, steps in values.items():
            histogram.add_metric(labels, _buckets(steps), sum_value=steps.seconds)
        return histogram
    kind = CounterMetricFamily if figure.kind is Kind.COUNTER else GaugeMetricFamily
    family = kind(figure.name, figure.words, labels=figure.labels)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family


def _buckets(steps: Steps) -> list[tuple[str, float]]:
    """Return how many calls kept below each bound, as Prometheus adds them up."""
    bounds = [*map(floatToGoString, STEPS), "+Inf"]
    below = accumulate(steps.counts.get(step, 0) for step in range(len(bounds)))
    return list(zip(bounds, below, strict=True))
