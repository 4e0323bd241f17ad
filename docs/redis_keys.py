"""What docs/reference/redis.md says of every key in Redis: its type, how long it lives, who writes it, what it costs.

The lives come from the modules that set them. A test reads the names of keys off the code, and after every test with a
real Redis what stands in it is held against this list.
"""  # noqa: INP001 - a script's part, as docs/generate.py

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pushjobs.alerts.outage import _AGAIN_SECONDS as OUTAGE_AGAIN
from pushjobs.alerts.outage import _KEPT_SECONDS as OUTAGE_KEPT
from pushjobs.pace.reserve import _FAR_SECONDS as HORIZON
from pushjobs.pace.reserve import _KEPT_SECONDS as PACE_KEPT
from pushjobs.queue import BROKER_OPTIONS, QueueName
from pushjobs.wechat.tokens import _COUNT_KEPT_SECONDS as COUNT_KEPT
from pushjobs.wechat.tokens import _LOCK_SECONDS as LOCK
from pushjobs.wechat.tokens import _SETTLED_SECONDS as SETTLED
from pushjobs.wechat.tokens import _SPARE_SECONDS as SPARE
from pushjobs.witness import _KEPT_SECONDS as WITNESS_KEPT

__all__ = ["KEYS", "Key", "is_known", "lines"]

Write = Callable[[Sequence[str], Iterable[Sequence[str]]], list[str]]


@dataclass(frozen=True, slots=True)
class Key:
    """A key, or many: what is in capitals in `name` stands for something."""

    name: str
    kind: str
    lives: str
    holds: str
    lost: str
    by: str = ""


def _seconds(count: float) -> str:
    days, rest = divmod(count, 86_400)
    if rest:
        return f"{count:g} s"
    return "1 day" if days == 1 else f"{days:g} days"


_WHILE_NOT_EMPTY = "while not empty"
_BACK_BY_LEASE = "nothing: its jobs come back when their leases are over"
_NEXT_TICK = "nothing: the next tick asks again"
_LOST_WITH: Mapping[QueueName, tuple[str, str]] = {
    QueueName.URGENT: ("batches of urgent jobs: ids and release numbers", _BACK_BY_LEASE),
    QueueName.BULK: ("batches of bulk jobs, the same; ticks that take long", _BACK_BY_LEASE),
    QueueName.INTAKE: (
        "what applications hand over through Celery; sealed, unless `PUSHJOBS_PLAIN_INTAKE` lets in other",
        "**what no worker has taken yet: it was not accepted**",
    ),
    QueueName.TICKS: ("ticks of beat; each expires after seconds", _NEXT_TICK),
    QueueName.CALLBACKS: ("ticks: what WeChat told is applied and forwarded, clients are told of ends", _NEXT_TICK),
    QueueName.CAMPAIGNS: ("ticks: runs are gone on with", _NEXT_TICK),
}

OURS = (
    Key(
        "pushjobs:pace:APPID",
        "string",
        f"{_seconds(PACE_KEPT)} from the last call",
        "the last slot given, and whose turn it is",
        f"nothing: slots begin {_seconds(HORIZON)} later, so that none lies over one that was given",
        by="pace/reserve.lua",
    ),
    Key(
        "pushjobs:token:APPID",
        "string",
        f"the token's own life, less {_seconds(SPARE)}",
        "the app's access token",
        "one call: WeChat is asked, and repeats the token that is good",
        by="wechat/tokens.py",
    ),
    Key(
        "pushjobs:token:APPID:lock",
        "string",
        _seconds(LOCK),
        "who asks WeChat just now",
        "nothing: two may ask, and what one of them got is not stored",
        by="wechat/tokens.py",
    ),
    Key(
        "pushjobs:token:APPID:settled",
        "string",
        _seconds(SETTLED),
        "a token that a call did not accept and that WeChat stands by",
        "nothing: WeChat may be asked sooner",
        by="wechat/tokens.py",
    ),
    Key(
        "pushjobs:token:APPID:fetched",
        "string",
        f"{_seconds(COUNT_KEPT)} from the last token",
        "how many tokens WeChat gave",
        "the metric `pushjobs_tokens_fetched_total` begins anew",
        by="wechat/tokens.py",
    ),
    Key(
        "pushjobs:witness",
        "string",
        f"{_seconds(WITNESS_KEPT)}, written about once a second",
        "how far the database had come",
        "nothing while a process lives that has seen the database, or the directory has its file; else the next step "
        "back goes unnoticed",
        by="witness.py",
    ),
    Key(
        "pushjobs:alerts:database_silent",
        "string",
        f"{_seconds(OUTAGE_KEPT)}; {_seconds(OUTAGE_AGAIN)} where nobody took it",
        "that somebody was told that PostgreSQL does not answer",
        "it is told again; that it is over is told only if it was",
        by="alerts/outage.py",
    ),
)

OF_CELERY = (
    *(Key(name, "list", _WHILE_NOT_EMPTY, *_LOST_WITH[name]) for name in QueueName),
    Key(
        BROKER_OPTIONS["unacked_key"],
        "hash",
        _WHILE_NOT_EMPTY,
        "messages that a worker holds and has not begun, those for a moment to come among them",
        "as with the queue they came by",
    ),
    Key(
        BROKER_OPTIONS["unacked_index_key"],
        "sorted set",
        _WHILE_NOT_EMPTY,
        f"since when; after {BROKER_OPTIONS['visibility_timeout']} s they are given to another worker",
        "as with the queue they came by",
    ),
    Key(
        BROKER_OPTIONS["unacked_mutex_key"],
        "string",
        "300 s",
        "which worker looks for those just now",
        "nothing",
    ),
    Key(
        "_kombu.binding.EXCHANGE",
        "set",
        "for ever",
        "which queues an exchange leads to",
        "nothing: task messages name their queue, questions to workers declare theirs anew",
    ),
    Key("_kombu.binding_permanent.EXCHANGE", "set", "for ever", "those of them that stay", "nothing"),
    Key("_kombu.binding_deadlines", "sorted set", "for ever", "until when the others are good", "nothing"),
    Key(
        "ID.reply.celery.pidbox",
        "list",
        "10 s",
        "what workers answer to `pushjobs doctor` and to Flower",
        "an answer; the question is asked again",
    ),
)

KEYS = (*OURS, *OF_CELERY)
"""Every key there is."""

_PATTERN = re.compile("|".join(re.sub(r"[A-Z]+", ".+", re.escape(each.name)) for each in KEYS))


def is_known(key: str) -> bool:
    """Return whether the page names this key."""
    return _PATTERN.fullmatch(key) is not None


def lines(write: Write) -> Iterator[str]:
    """Yield the page below its title; `write` writes a table of columns and rows."""
    yield "Redis, or Valkey, says what is allowed this second, and carries Celery's messages. Nothing in it is true"
    yield "for longer: with `FLUSHALL` no job that was accepted is lost, and none is sent twice. What we write into"
    yield "it holds no open id, and no content that is not sealed. What is in capitals stands for something."
    columns = ("key", "type", "lives", "holds", "lost with it")
    for title, keys in (("Ours", OURS), ("Celery's", OF_CELERY)):
        rows = [(f"`{each.name}`", each.kind, each.lives, each.holds, each.lost) for each in keys]
        yield from ("", f"## {title}", "", *write(columns, rows))
        if keys is OURS:
            yield ""
            yield "All in the database of `PUSHJOBS_REDIS_URL`; each has a time to live. They are written by"
            yield ", ".join(f"`{name}`" for name in dict.fromkeys(each.by for each in keys)) + "."
    yield ""
    yield "In the database of `PUSHJOBS_BROKER_URL`, by default the same. It may be shared with an application's own"
    yield "Celery, which hands over by `pushjobs.intake`: what its workers hold is `unacked`, and not ours. Events"
    yield "for Flower and questions to workers go by publish and subscribe, on channels below"
    yield f"`{BROKER_OPTIONS['fanout_prefix']}`, and leave no key. Redis must evict nothing (`maxmemory-policy"
    yield "noeviction`): `pushjobs doctor` looks."
