"""Batches of jobs at `/v1/jobs`, one process of the doors, everything else idle."""

import http.client
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from benchmarks.figure import Figure, Line, Values
from benchmarks.installation import FAR_OFF, installation, news
from pushjobs import clock

__all__ = ["BATCHES"]

_JOBS, _BATCHES, _LEAST = 10_000, 12, 15_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Caller:
    """Somebody with batches to send, and the key to do so."""

    address: str
    key: str
    bodies: tuple[bytes, ...]

    def send(self) -> None:
        """Send all of them over one connection, the next when the last is answered."""
        where = urlsplit(self.address)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        for body in self.bodies:
            connection.request("POST", "/v1/jobs", body, headers)
            report = orjson.loads(connection.getresponse().read())
            if report.get("accepted") != _JOBS:
                raise RuntimeError(f"a batch of {_JOBS} was answered {str(report)[:200]}")
        connection.close()


def _measure(directory: Path) -> Values:
    numbers = count()
    with installation(directory, workers=1, doors=True) as running:
        client = running.made.clients.add("benchmark", rights=("write",))
        key = f"{client.client.id}.{client.key}"

        def per_second(callers: int, *, with_keys: bool = False) -> float:
            made = [
                _Caller(
                    address=running.http or "",
                    key=key,
                    bodies=tuple(_body(next(numbers), with_keys=with_keys) for _ in range(_BATCHES)),
                )
                for _ in range(callers)
            ]
            begun = clock.monotonic()
            with ThreadPoolExecutor(callers) as pool:
                list(pool.map(_Caller.send, made))
            return callers * _BATCHES * _JOBS / (clock.monotonic() - begun)

        return {"one": per_second(1), "two": per_second(2), "keys": per_second(1, with_keys=True)}


def _body(number: int, *, with_keys: bool) -> bytes:
    jobs = [news(number * _JOBS + each, time=FAR_OFF) for each in range(_JOBS)]
    if with_keys:
        jobs = [{**job, "idempotency_key": f"news-{job['touser']}"} for job in jobs]
    return orjson.dumps({"jobs": jobs})


BATCHES = Figure(
    name="batches",
    about=f"""Each request is a batch of {_JOBS:,} jobs for a far-off time over a kept-alive connection, written
beforehand; a caller waits for each answer before it sends the next. It is bound by the one processor that a process of
the doors has; a second process has a second.""",
    measure=_measure,
    runs=3,
    lines=(
        Line(key="one", words="jobs in batches, one caller", unit="{:,.0f}/s", at_least=_LEAST),
        Line(key="two", words="jobs in batches, two callers", unit="{:,.0f}/s", at_least=_LEAST),
        Line(
            key="keys",
            words="each with an idempotency key",
            unit="{:,.0f}/s",
            at_least=_LEAST,
            otherwise="a key is a fingerprint of the body, and a row with an index of its own",
        ),
    ),
)
