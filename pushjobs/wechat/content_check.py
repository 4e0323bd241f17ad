"""What WeChat says of texts: `msg_sec_check`, version 2 (wechat-api.md section 8, [M1]).

It is made for a user who was in the Mini Program within the last two hours, and allows 4,000 calls a minute. This
process stays below that by itself; where several ask at once, WeChat's 44991 is an answer like any other.

Refuses to: repeat a call, cut a text that is too long into pieces (a risky word may stand across the cut).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from pushjobs.clock import monotonic
from pushjobs.domain.content_check import Suggestion
from pushjobs.errors import CallRefused, Unreachable
from pushjobs.wechat.authorised import AuthorisedClient
from pushjobs.wechat.fields import length

__all__ = ["ContentChecker", "Question", "Unsaid"]

_PATH = "/wxa/msg_sec_check"
_LONGEST = 2500
_AT_ONCE = 20
_APART_SECONDS = 60 / 3600  # a tenth below 4,000 a minute


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A text, the user for whom it is asked, and the scene it is judged as, 1 to 4."""

    content: str = field(repr=False)
    openid: str = field(repr=False)
    scene: int


@dataclass(frozen=True, slots=True)
class Unsaid:
    """No word came, and `why`, without text or user."""

    why: str


class ContentChecker:
    """Asks about texts; used within the event loop of its client, one a process: it keeps the process's pace."""

    def __init__(self, wechat: AuthorisedClient) -> None:
        self._wechat = wechat
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._next_at = 0.0

    async def check(self, questions: Sequence[Question]) -> dict[Question, Suggestion | Unsaid]:
        """Ask each question once, some at a time; whatever goes wrong is that question's answer."""
        distinct = list(dict.fromkeys(questions))
        return dict(zip(distinct, await asyncio.gather(*map(self._answer, distinct)), strict=True))

    async def _answer(self, question: Question) -> Suggestion | Unsaid:
        if length(question.content) > _LONGEST:
            return Unsaid(f"it has more than {_LONGEST:,} characters")
        async with self._places:
            await self._turn()
            try:
                return await self._ask(question)
            except CallRefused as refused:
                return Unsaid(f"{refused.errcode}: {refused.meaning}")
            except Unreachable:
                return Unsaid("WeChat does not answer")

    async def _ask(self, question: Question) -> Suggestion:
        body = {"version": 2, "scene": question.scene, "openid": question.openid, "content": question.content}
        answer = await self._wechat.post(_PATH, body)
        match answer:
            case {"result": {"suggest": str(word)}} if word in list(Suggestion):
                return Suggestion(word)
        raise Unreachable("WeChat answered the content check without a suggestion")

    async def _turn(self) -> None:
        """Wait until the next call may leave."""
        now = monotonic()
        at = self._next_at = max(now, self._next_at)
        self._next_at += _APART_SECONDS
        await asyncio.sleep(at - now)
