"""The doctor: looks at everything an installation hangs on, and says of each thing how it is and what to do.

A look changes nothing and sends nothing; of WeChat it asks for the access token, which is the same one as before. One
thing that is out of order keeps no other from being looked at.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from pushjobs import clock
from pushjobs.domain.pause import Pause, PauseReason
from pushjobs.errors import PushJobsError
from pushjobs.queue import QueueName
from pushjobs.runtime import Runtime
from pushjobs.store import examining, migrate

__all__ = ["Doctor", "Finding", "Verdict"]

_OLDEST_POSTGRESQL = 150000
"""Unique keys whose nulls are equal (NULLS NOT DISTINCT)."""

_OLDEST_REDIS = (6, 2)
"""What Celery's transport needs."""

_CROWDED = 0.8
_SKEW_SECONDS, _WORST_SKEW_SECONDS = 0.5, 5.0
_LATE_BEAT_SECONDS, _LAST_BEAT_SECONDS = 3.0, 10.0
_LONG_QUEUE = 1000


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
            "keys": self._keys,
            "credentials": self._credentials,
            "heartbeat": self._heartbeat,
            "workers": self._workers,
            "pauses": self._pauses,
        }
        for subject, look in looks.items():
            try:
                yield from look()
            except PushJobsError as error:
                yield Finding(subject=subject, verdict=Verdict.FAIL, words=str(error))

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
        url = self._runtime.settings.require_redis_url
        once = Retry(NoBackoff(), retries=0)
        with Redis.from_url(url, socket_timeout=2.0, socket_connect_timeout=2.0, retry=once) as redis:
            try:
                info: dict[str, Any] = redis.info()
                asked_at = clock.now()
                seconds, microseconds = redis.time()
                answered_at = clock.now()
            except (RedisError, OSError) as error:
                what = f"it does not answer ({type(error).__name__}): without it nothing is sent"
                yield _fail("redis", what, "start it, or mend PUSHJOBS_REDIS_URL")
                return
            saves = None
            with suppress(RedisError, OSError):  # many a service does not tell its configuration
                saves = bool(redis.config_get("save").get("save"))
        yield _version(info)
        yield _eviction(info)
        yield _persistence(info, saves=saves)
        now = datetime.fromtimestamp(seconds + microseconds / 1e6, UTC)
        yield _skew("redis's clock", now, asked_at, answered_at)

    def _keys(self) -> _Findings:
        settings = self._runtime.settings
        keys = len(settings.require_encryption_keys)
        yield _ok("encryption keys", f"{keys} {'is' if keys == 1 else 'are'} there, the first encrypts")
        _ = self._runtime.catalogue.app  # for its complaint about another installation's key
        yield _ok("lookup key", f"its fingerprint {self._runtime.connections.lookup.fingerprint} is the database's")

    def _credentials(self) -> _Findings:
        host = self._runtime.settings.wechat_base_url
        self._runtime.prove_credentials()
        yield _ok("credentials", f"{host} gives an access token for them")

    def _heartbeat(self) -> _Findings:
        with self._runtime.database.transaction() as connection:
            age = examining.heartbeat_age(connection)
        if age is None:
            yield _fail("heartbeat", "its row is missing", "restore the whole schema: docs/how-to/back-up.md")
            return
        words = f"the last release tick was {max(age, 0.0):.1f} s ago"
        if age <= _LATE_BEAT_SECONDS:
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
            elif waiting > _LONG_QUEUE:
                yield _warn(queue, f"{words} for {count}", "run more workers for it, or look into their log")
            else:
                yield _ok(queue, f"{count} {'reads' if count == 1 else 'read'} it, {words}")

    def _pauses(self) -> _Findings:
        found = self._runtime.operations.pauses()
        if not found:
            yield _ok("pauses", "nothing is paused")
        for pause in found:
            yield _paused(pause)


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


def _version(info: dict[str, Any]) -> Finding:
    name, number = ("Valkey", info["valkey_version"]) if "valkey_version" in info else ("Redis", info["redis_version"])
    if name == "Redis" and tuple(int(part) for part in str(number).split(".")[:2]) < _OLDEST_REDIS:
        return _fail("redis", f"Redis {number} is too old", "use Redis 6.2 or later, or Valkey")
    return _ok("redis", f"{name} {number}")


def _eviction(info: dict[str, Any]) -> Finding:
    policy = info.get("maxmemory_policy", "noeviction")
    if policy == "noeviction":
        return _ok("redis's memory", "nothing is evicted")
    words = f"maxmemory-policy is {policy}: under pressure it forgets queued messages and the pace"
    if not info.get("maxmemory"):
        return _warn("redis's memory", f"{words} (no limit is set now)", "set maxmemory-policy noeviction")
    return _fail("redis's memory", words, "set maxmemory-policy noeviction")


def _persistence(info: dict[str, Any], *, saves: bool | None) -> Finding:
    if info.get("aof_enabled"):
        return _ok("redis's disk", "every write is appended to a file")
    if saves:
        return _ok("redis's disk", "snapshots are saved")
    if saves is None:
        return _ok("redis's disk", "no file is appended to; whether snapshots are saved it does not tell")
    words = "it keeps nothing: a restart loses the queues, for half a minute, and tasks of `pushjobs.send` for good"
    return _warn("redis's disk", words, "set appendonly yes")


def _paused(pause: Pause) -> Finding:
    of = [f"template {pause.template_id}" if pause.template_id else "", f"the {pause.lane} lane" if pause.lane else ""]
    words = f"{', '.join(filter(None, of)) or 'the app'} is paused: {pause.reason}"
    words += f" ({pause.note})" if pause.note else ""
    if pause.reason is PauseReason.RESTORED:
        return _fail("pauses", words, "see what would be sent again, then `pushjobs resume`: docs/how-to/back-up.md")
    ends_by_itself = pause.until is not None or pause.probe_in is not None
    return _warn("pauses", words, "it ends by itself" if ends_by_itself else "`pushjobs resume` when it may go on")
