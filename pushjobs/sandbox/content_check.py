"""`POST /wxa/msg_sec_check`, version 2: whether a text may be shown, by the words that the sandbox was told.

Strict where WeChat is: the user must have been in the Mini Program within the last two hours, and a call has a limit a
minute. Stricter on purpose, unless lenient: fields that it does not know are refused.
"""

import secrets
from typing import Any

from pushjobs.sandbox.answers import OK, Refusal, refusal
from pushjobs.sandbox.options import Settings, Users
from pushjobs.sandbox.request import Request
from pushjobs.sandbox.world import App, CheckedWord, World

__all__ = ["LABELS", "check_content"]

LABELS = (100, 10001, 20001, 20002, 20003, 20006, 20008, 20012, 20013, 21000)
"""What a word can be about; 100 is nothing to mind."""

_LONGEST = 2500
_SCENES = (1, 2, 3, 4)
_PROFILE = 1
_SEEN_SECONDS = 7200.0
_LIMITS = Settings(per_minute=4000, per_day=2_000_000)
_PER_MINUTE, _PER_MINUTE_HERE = 45011, 44991
_VERSION = 2
_FIELDS = frozenset({"content", "version", "scene", "openid", "title", "nickname", "signature"})
_PASS = CheckedWord(word="", suggest="pass", label=100)


def check_content(world: World, app: App, request: Request) -> dict[str, Any] | Refusal:
    """Answer the call."""
    refused = app.check_meter.count(request.arrived_at, _LIMITS)
    if refused is not None:
        return refusal(_PER_MINUTE_HERE) if refused.errcode == _PER_MINUTE else refused
    return _bad_arguments(world, request) or _bad_user(world, app, request) or _judged(app, request)


def _bad_arguments(world: World, request: Request) -> Refusal | None:
    asked = request.message
    texts = [asked.get(name, "") for name in ("title", "nickname", "signature")]
    if asked.get("version") != _VERSION or not (world.settings.lenient or asked.keys() <= _FIELDS):
        return refusal(47001)
    if not all(isinstance(text, str) for text in texts) or not _is_content(asked.get("content")):
        return refusal(47001)
    scene = asked.get("scene")
    if type(scene) is not int or scene not in _SCENES:
        return refusal(40129)
    return refusal(47001) if "signature" in asked and scene != _PROFILE else None


def _is_content(content: object) -> bool:
    return isinstance(content, str) and 0 < len(content.encode("utf-16-le")) // 2 <= _LONGEST


def _bad_user(world: World, app: App, request: Request) -> Refusal | None:
    openid = request.message.get("openid")
    if not isinstance(openid, str) or not openid or openid in app.invalid:
        return refusal(40003)
    if openid not in app.known and any(openid in other.known for other in world.apps.values()):
        return refusal(43104)
    if openid not in app.known and world.settings.users is Users.STRICT:
        return refusal(40003)
    seen_at = app.seen_at.get(openid)
    return refusal(61010) if seen_at is None or request.arrived_at - seen_at > _SEEN_SECONDS else None


def _judged(app: App, request: Request) -> dict[str, Any]:
    asked = request.message
    text = "\n".join(str(asked.get(name, "")) for name in ("content", "title", "nickname", "signature"))
    found = [word for word in app.checked_words.values() if word.word in text]
    # One risky word outweighs any number for review.
    worst = min(found, key=lambda word: word.suggest != "risky", default=_PASS)
    verdict = {"suggest": worst.suggest, "label": worst.label}
    by_keyword = {"strategy": "keyword", "errcode": 0, **verdict, "level": 90, "keyword": worst.word}
    by_model = {"strategy": "content_model", "errcode": 0, **verdict, "prob": 90}
    detail = [by_model, by_keyword] if found else [by_model]
    return {**OK, "result": verdict, "detail": detail, "trace_id": secrets.token_hex(8)}
