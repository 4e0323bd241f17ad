"""The doctor: looks at everything an installation hangs on, and says of each thing how it is and what to do.

A look changes nothing and sends nothing; of WeChat it asks for the access token, which is the same one as before. One
thing that is out of order keeps no other from being looked at.
"""

import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from shutil import disk_usage
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from pushjobs import clock
from pushjobs.domain.job import JobState
from pushjobs.domain.pause import Pause, PauseReason
from pushjobs.errors import InvalidInput, PushJobsError
from pushjobs.figures import TROUBLED
from pushjobs.queue import QueueName
from pushjobs.runtime import Runtime
from pushjobs.store import apps as stored_apps
from pushjobs.store import examining, migrate

__all__ = ["LATE_BEAT_SECONDS", "LONG_QUEUE", "Doctor", "Finding", "Verdict"]

_OLDEST_POSTGRESQL = 150000
"""Unique keys whose nulls are equal (NULLS NOT DISTINCT)."""

_OLDEST_REDIS = (6, 2)
"""What Celery's transport needs."""

_CROWDED = 0.8
_SKEW_SECONDS, _WORST_SKEW_SECONDS = 0.5, 5.0
LATE_BEAT_SECONDS, _LAST_BEAT_SECONDS = 3.0, 10.0
"""Seconds without a release tick from which on beat is late."""

LONG_QUEUE = 1000
"""Messages of one queue, each a batch, that nobody should let wait."""

_FREE_SHARE, _FREE_BYTES, _LAST_FREE_BYTES = 0.05, 2**30, 2**28

_REMEDIES: Mapping[str, str] = {
    "database": "start it, or mend PUSHJOBS_DATABASE_URL",
    "tables": "run `pushjobs db upgrade`",
    "redis": "start it, or mend PUSHJOBS_REDIS_URL",
    "broker": "start it, or mend PUSHJOBS_BROKER_URL",
    "disk": "make it readable for whoever runs this",
    "keys": "give every process the same keys, those of keys.json or of the environment: docs/how-to/rotate-keys.md",
    "credentials": "compare appid and secret with WeChat's console, and this machine's address with its allow-list",
    "heartbeat": "mend what is wrong with the database first",
    "workers": "start the broker, or mend PUSHJOBS_BROKER_URL",
    "pauses": "mend what is wrong with the database first",
    "jobs": "mend what is wrong with the database first",
}
"""What to do where a look could not be finished."""


class Verdict(StrEnum):
    """How a thing is."""

    OK = "ok"
    WARN = "warn"
    """It works, and something about it is not as it should be."""
    FAIL = "fail"
    """Messages do not leave, or one of the promises does not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at: `words` say how it is, `advice` what to do, empty where nothing is to be done."""

    subject: str
    verdict: Verdict
    words: str
    advice: str = ""


_Findings = Iterator[Finding]


class Doctor:
    """Looks at one installation."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def examine(self) -> Iterator[Finding]:
        """Look at one thing after the other; yields as it goes, for a server that does not answer takes its time."""
        looks: dict[str, Callable[[], _Findings]] = {
            "database": self._database,
            "tables": self._tables,
            "redis": self._redis,
            "broker": self._broker,
            "disk": self._disk,
            "keys": self._keys,
            "credentials": self._credentials,
            "heartbeat": self._heartbeat,
            "workers": self._workers,
            "pauses": self._pauses,
            "jobs": self._jobs,
        }
        for subject, look in looks.items():
            try:
                yield from look()
            except PushJobsError as error:
                yield _fail(subject, str(error), _REMEDIES[subject])

    def readiness(self) -> Mapping[str, Callable[[], str | None]]:
        """Return what is to be asked all the time: each check returns its trouble, or raises a PushJobsError.

        Each takes a second at most while everything answers. No words hold an address.
        """
        return {
            **self._runtime.checks,
            "beat": lambda: _trouble(self._heartbeat()),
            "workers": lambda: _trouble(self._workers()),
        }

    def _database(self) -> _Findings:
        with self._runtime.database.transaction() as connection:
            examining.server(connection)  # opens the connection, so that the next answer tells the time
            asked_at = clock.now()
            facts = examining.server(connection)
            answered_at = clock.now()
        version = f"PostgreSQL {facts.version // 10000}.{facts.version % 10000}"
        if facts.is_in_recovery:
            yield _fail("database", f"{version} is a standby", "name the primary in PUSHJOBS_DATABASE_URL")
        elif facts.version < _OLDEST_POSTGRESQL:
            yield _fail("database", f"{version} is too old", "use PostgreSQL 15 or later")
        else:
            yield _ok("database", f"{version} at {self._runtime.database.address}")
        if not facts.fsync:
            advice = "set fsync = on: a power cut may forget what was sent, and send it again"
            yield _fail("durability", "fsync is off", advice)
        else:
            yield _ok("durability", f"fsync is on, and synchronous_commit is {facts.synchronous_commit} for us")
        used = f"{facts.connections} of {facts.max_connections} connections are in use"
        if facts.connections > _CROWDED * facts.max_connections:
            yield _warn("connections", used, "raise max_connections, or lower PUSHJOBS_DATABASE_POOL_SIZE")
        else:
            yield _ok("connections", used)
        yield _skew("database's clock", facts.now, asked_at, answered_at)

    def _tables(self) -> _Findings:
        with self._runtime.database.transaction() as connection:
            found, needed = migrate.revision(connection), migrate.head()
        if found == needed:
            yield _ok("tables", f"they are at {found}, as this release needs")
        else:
            yield _fail("tables", f"they are at {found or 'nothing'}, and not at {needed}", "run `pushjobs db upgrade`")

    def _redis(self) -> _Findings:
        return self._server("redis", self._runtime.settings.require_redis_url)

    def _broker(self) -> _Findings:
        """Look at the broker where it is a server of its own."""
        url = self._runtime.settings.broker_url
        if url is not None and url != self._runtime.settings.redis_url:
            yield from self._server("broker", url)

    def _server(self, name: str, url: str) -> _Findings:
        once = Retry(NoBackoff(), retries=0)
        with Redis.from_url(url, socket_timeout=2.0, socket_connect_timeout=2.0, retry=once) as redis:
            try:
                info: dict[str, Any] = redis.info()
                asked_at = clock.now()
                seconds, microseconds = redis.time()
                answered_at = clock.now()
            except (RedisError, OSError) as error:
                what = f"it does not answer ({type(error).__name__}): without it nothing is sent"
                yield _fail(name, what, _REMEDIES[name])
                return
            saves = None
            with suppress(RedisError, OSError):  # many a service does not tell its configuration
                saves = bool(redis.config_get("save").get("save"))
        yield _version(name, info)
        yield _eviction(name, info)
        yield _persistence(name, info, saves=saves)
        now = datetime.fromtimestamp(seconds + microseconds / 1e6, UTC)
        yield _skew(f"{name}'s clock", now, asked_at, answered_at)

    def _disk(self) -> _Findings:
        """Look at the disk of the directory: keys and witness are there, and the servers' data where they are ours."""
        directory = self._runtime.settings.directory
        if not directory.exists():
            return
        total, _, free = disk_usage(directory)
        words = f"{free / 2**30:,.1f} GiB of {total / 2**30:,.1f} are free at {directory}"
        if free >= max(_FREE_SHARE * total, _FREE_BYTES):
            yield _ok("disk", words)
        else:
            make = _warn if free >= _LAST_FREE_BYTES else _fail
            yield make("disk", words, "make room: a database whose disk is full takes nothing more")

    def _keys(self) -> _Findings:
        settings = self._runtime.settings
        keys = len(settings.require_encryption_keys)
        yield _ok("encryption keys", f"{keys} {'is' if keys == 1 else 'are'} there, the first encrypts")
        file = settings.directory / "keys.json"
        if file.exists() and stat.S_IMODE(file.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
            yield _warn("keys.json", "others than its owner may read it", f"chmod 600 {file}")
        _ = self._runtime.catalogue.app  # for its complaint about another installation's key
        yield _ok("lookup key", f"its fingerprint {self._runtime.connections.lookup.fingerprint} is the database's")

    def _credentials(self) -> _Findings:
        """Look at those of every app, of the one that is meant first."""
        host = self._runtime.settings.wechat_base_url
        for place, appid in enumerate(self._appids()):
            subject = f"credentials of {appid}" if place else "credentials"
            try:
                self._runtime.prove_credentials(appid)
            except InvalidInput:
                yield _fail(subject, "no key of ours opens its secret: its jobs wait", _REMEDIES["keys"])
            except PushJobsError as error:
                yield _fail(subject, str(error), _REMEDIES["credentials"])
            else:
                yield _ok(subject, f"{host} gives an access token for them")

    def _appids(self) -> Sequence[str | None]:
        """Return every app; where none can be found, None, of which it is said how to have one."""
        added: list[str] = []
        with suppress(PushJobsError), self._runtime.database.transaction() as connection:
            added = [row.appid for row in stored_apps.read(connection) if row.settings is not None]
        try:
            meant = self._runtime.app().app.appid
        except PushJobsError:
            return added or (None,)
        return (meant, *(appid for appid in added if appid != meant))

    def _heartbeat(self) -> _Findings:
        with self._runtime.database.transaction() as connection:
            age = examining.heartbeat_age(connection)
        if age is None:
            yield _fail("heartbeat", "its row is missing", "restore the whole schema: docs/how-to/back-up.md")
            return
        words = f"the last release tick was {max(age, 0.0):.1f} s ago"
        if age <= LATE_BEAT_SECONDS:
            yield _ok("heartbeat", words)
        else:
            make = _warn if age <= _LAST_BEAT_SECONDS else _fail
            yield make("heartbeat", words, f"run beat, and a worker for {QueueName.TICKS} that keeps up")

    def _workers(self) -> _Findings:
        publisher = self._runtime.connections.publisher
        lengths, readers = publisher.lengths(), publisher.readers()
        for queue in QueueName:
            count, waiting = readers[queue], lengths[queue]
            words = f"{waiting:,} {'message waits' if waiting == 1 else 'messages wait'}"
            if not count:
                yield _fail(queue, f"nobody reads it, {words}", f"run `celery -A workers.app worker -Q {queue}`")
            elif waiting > LONG_QUEUE:
                yield _warn(queue, f"{words} for {count}", "run more workers for it, or look into their log")
            else:
                yield _ok(queue, f"{count} {'reads' if count == 1 else 'read'} it, {words}")

    def _pauses(self) -> _Findings:
        apps = self._runtime.all_apps()
        found = [(app.app.appid, pause) for app in apps for pause in app.operations.pauses()]
        if not found:
            yield _ok("pauses", "nothing is paused")
        for appid, pause in found:
            yield _paused("the app" if len(apps) == 1 else f"app {appid}", pause)

    def _jobs(self) -> _Findings:
        """Look at jobs that wait for somebody's word."""
        counted = {str(state): int(jobs) for (state,), jobs in self._runtime.figures.read().get(TROUBLED, {}).items()}
        dead, in_doubt = counted.get(JobState.DEAD, 0), counted.get(JobState.IN_DOUBT, 0)
        if dead:
            what = f"{dead:,} {'is' if dead == 1 else 'are'} dead: given up, and kept"
            yield _warn("dead jobs", what, "`pushjobs jobs --state dead`, then `pushjobs replay`")
        if in_doubt:
            what = f"of {in_doubt:,} nobody knows whether they arrived"
            yield _warn("jobs in doubt", what, "`pushjobs jobs --state in_doubt`, then `pushjobs resolve`")
        if not (dead or in_doubt):
            yield _ok("jobs", "none is dead or in doubt")


def _trouble(findings: _Findings) -> str | None:
    """Return what keeps messages from leaving; None where nothing does."""
    failed = [f"{each.subject}: {each.words}" for each in findings if each.verdict is Verdict.FAIL]
    return "; ".join(failed) or None


def _ok(subject: str, words: str) -> Finding:
    return Finding(subject=subject, verdict=Verdict.OK, words=words)


def _warn(subject: str, words: str, advice: str) -> Finding:
    return Finding(subject=subject, verdict=Verdict.WARN, words=words, advice=advice)


def _fail(subject: str, words: str, advice: str) -> Finding:
    return Finding(subject=subject, verdict=Verdict.FAIL, words=words, advice=advice)


def _skew(subject: str, theirs: datetime, asked_at: datetime, answered_at: datetime) -> Finding:
    """Compare a clock with ours, read before and after: it is off by no less than it lies outside the two."""
    behind, ahead = (asked_at - theirs).total_seconds(), (theirs - answered_at).total_seconds()
    off = max(behind, ahead, 0.0)
    if off <= _SKEW_SECONDS:
        return _ok(subject, f"it agrees with this machine's to within {_SKEW_SECONDS:g} s")
    words = f"it is {off:.1f} s {'ahead of' if ahead > behind else 'behind'} this machine's"
    make = _fail if off > _WORST_SKEW_SECONDS else _warn
    return make(subject, words, "keep both by NTP: jobs leave by these clocks")


def _version(subject: str, info: dict[str, Any]) -> Finding:
    name, number = ("Valkey", info["valkey_version"]) if "valkey_version" in info else ("Redis", info["redis_version"])
    if name == "Redis" and tuple(int(part) for part in str(number).split(".")[:2]) < _OLDEST_REDIS:
        return _fail(subject, f"Redis {number} is too old", "use Redis 6.2 or later, or Valkey")
    return _ok(subject, f"{name} {number}")


def _eviction(name: str, info: dict[str, Any]) -> Finding:
    subject = f"{name}'s memory"
    policy = info.get("maxmemory_policy", "noeviction")
    if policy == "noeviction":
        return _ok(subject, "nothing is evicted")
    words = f"maxmemory-policy is {policy}: under pressure it forgets queued messages and the pace"
    if not info.get("maxmemory"):
        return _warn(subject, f"{words} (no limit is set now)", "set maxmemory-policy noeviction")
    return _fail(subject, words, "set maxmemory-policy noeviction")


def _persistence(name: str, info: dict[str, Any], *, saves: bool | None) -> Finding:
    subject = f"{name}'s disk"
    if info.get("aof_enabled"):
        return _ok(subject, "every write is appended to a file")
    if saves:
        return _ok(subject, "snapshots are saved")
    if saves is None:
        return _ok(subject, "no file is appended to; whether snapshots are saved it does not tell")
    words = "it keeps nothing: a restart loses the queues, for half a minute, and tasks of `pushjobs.send` for good"
    return _warn(subject, words, "set appendonly yes")


def _paused(app: str, pause: Pause) -> Finding:
    of = [f"template {pause.template_id}" if pause.template_id else "", f"the {pause.lane} lane" if pause.lane else ""]
    words = f"{', '.join(filter(None, of)) or app} is paused: {pause.reason}"
    words += f" ({pause.note})" if pause.note else ""
    if pause.reason is PauseReason.RESTORED:
        return _fail("pauses", words, "see what would be sent again, then `pushjobs resume`: docs/how-to/back-up.md")
    ends_by_itself = pause.until is not None or pause.probe_in is not None
    return _warn("pauses", words, "it ends by itself" if ends_by_itself else "`pushjobs resume` when it may go on")
