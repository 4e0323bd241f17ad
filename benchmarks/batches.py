"""`python -m benchmarks.batches`: batches of jobs at `/v1/jobs`, one process of the doors, everything else idle.

Real processes, real servers with fsync. Each request is a batch of 10,000 jobs for a far-off time over a kept-alive
connection, so that nothing but the accepting works; bodies are written beforehand. The caller waits for each answer
before it sends the next, or two callers do.
"""

import argparse
import http.client
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from benchmarks.measure import cpu_spent
from pushjobs import settings
from pushjobs.local.processes import Ended
from pushjobs.local.up import Up, UpOptions
from pushjobs.runtime import Runtime
from pushjobs.sandbox.catalogue import DAILY_NEWS

_TARGET = 15_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Caller:
    """Somebody with batches to send, and the key to do so."""

    address: str
    key: str
    bodies: tuple[bytes, ...]

    def send(self) -> tuple[int, list[float]]:
        """Send all of them over one connection; return how many jobs were accepted, and the seconds of each."""
        where = urlsplit(self.address)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        accepted, took = 0, []
        for body in self.bodies:
            begun = time.perf_counter()
            connection.request("POST", "/v1/jobs", body, headers)
            report = orjson.loads(connection.getresponse().read())
            took.append(time.perf_counter() - begun)
            accepted += report.get("accepted", 0)
        connection.close()
        return accepted, took


def _main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.batches", description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000, help="jobs in a batch (default: %(default)s)")
    parser.add_argument("--batches", type=int, default=12, help="batches of each caller (default: %(default)s)")
    parser.add_argument("--keys", action="store_true", help="each job with an idempotency key of its own")
    chosen = parser.parse_args()
    settings.forget_environment()
    with tempfile.TemporaryDirectory(prefix="pushjobs-batches-") as directory:
        options = UpOptions(
            directory=Path(directory),
            environment=settings.environment(),
            workers=1,
            http=0,
            flower=None,
            sandbox=True,
        )
        with Up(options, _report) as running:
            running.ready()
            address = running.addresses["http"]
            key = _key(Path(directory))
            begin = 0
            for callers in (1, 1, 2):
                made = []
                for _ in range(callers):
                    bodies = tuple(
                        _body(begin + chosen.jobs * number, chosen.jobs, with_keys=chosen.keys)
                        for number in range(chosen.batches)
                    )
                    begin += chosen.jobs * chosen.batches
                    made.append(_Caller(address=address, key=key, bodies=bodies))
                _tell(made)


def _tell(callers: list[_Caller]) -> None:
    with cpu_spent() as spent_since, ThreadPoolExecutor(len(callers)) as pool:
        begun = time.perf_counter()
        done = list(pool.map(_Caller.send, callers))
        whole = time.perf_counter() - begun
        spent = spent_since()
    accepted = sum(count for count, _ in done)
    took = [each for _, several in done for each in several]
    per_second = accepted / whole
    size = len(callers[0].bodies[0]) / 1e6
    print(
        f"{len(callers)} at a time, {size:.1f} MB each: {accepted:,} jobs, {per_second:,.0f}/s "
        f"({'met' if per_second >= _TARGET else 'NOT MET'}: {_TARGET:,}/s); "
        f"a batch took {statistics.median(took):.2f} s, {max(took):.2f} s at most; processor us a job: "
        f"{', '.join(f'{role} {seconds / accepted * 1e6:.0f}' for role, seconds in spent.seconds.items() if seconds)}; "
        f"others took {spent.others:.0%} of the machine",
        flush=True,
    )


def _body(begin: int, count: int, *, with_keys: bool) -> bytes:
    return orjson.dumps(
        {
            "jobs": [
                {
                    "touser": f"oReader{number:021d}",
                    "template_id": DAILY_NEWS,
                    "page": "pages/news",
                    "data": {
                        "thing1": {"value": f"第{number}期"},
                        "thing2": {"value": "今日要闻"},
                        "date3": {"value": "2026-12-01"},
                    },
                    "time": "2099-12-01 08:00:00",
                    **({"idempotency_key": f"news-{number}"} if with_keys else {}),
                }
                for number in range(begin, begin + count)
            ]
        }
    )


def _key(directory: Path) -> str:
    runtime = Runtime(settings.load(directory))
    try:
        made = runtime.clients.add("benchmark", rights=("write",))
    finally:
        runtime.close()
    return f"{made.client.id}.{made.key}"


def _report(ended: Ended) -> None:
    print(f"ended: {ended}", flush=True)


if __name__ == "__main__":
    _main()
