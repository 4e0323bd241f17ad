"""The content check's calls: what is written, what is read, and how many are made at once and a minute."""

import asyncio
from collections.abc import Collection
from typing import Any

import pytest

from pushjobs.clock import monotonic
from pushjobs.domain.content_check import Suggestion
from pushjobs.wechat.content_check import ContentChecker, Question, Unsaid


class Wechat:
    """All of an authorised client that is asked here; notes the calls."""

    def __init__(self, answer: dict[str, Any] | None = None, *, is_held: bool = False) -> None:
        self.answer = answer or {"errcode": 0, "result": {"suggest": "pass", "label": 100}}
        self.bodies: list[Any] = []
        self.asked_at: list[float] = []
        self.may_answer = asyncio.Event()
        if not is_held:
            self.may_answer.set()

    async def post(self, path: str, body: object, *, accepting: Collection[int] = ()) -> dict[str, Any]:
        """Answer when the test lets it."""
        assert (path, accepting) == ("/wxa/msg_sec_check", ())
        self.bodies.append(body)
        self.asked_at.append(monotonic())
        await self.may_answer.wait()
        return self.answer


def checker(wechat: Wechat) -> ContentChecker:
    return ContentChecker(wechat)  # type: ignore[arg-type] # all of a client that is asked here


def question(content: str = "今日要闻", openid: str = "oReader") -> Question:
    return Question(content=content, openid=openid, scene=3)


async def test_what_is_written() -> None:
    """Version 2, scene, openid and content, in one call."""
    wechat = Wechat()
    assert await checker(wechat).check([question()]) == {question(): Suggestion.PASS}
    assert wechat.bodies == [{"version": 2, "scene": 3, "openid": "oReader", "content": "今日要闻"}]


@pytest.mark.parametrize("word", ["pass", "review", "risky"])
async def test_suggestions(word: str) -> None:
    """WeChat's three words are ours."""
    answers = await checker(Wechat({"errcode": 0, "result": {"suggest": word}})).check([question()])
    assert answers == {question(): Suggestion(word)}


@pytest.mark.parametrize("answer", [{"errcode": 0}, {"result": {}}, {"result": {"suggest": "maybe"}}, {"result": 5}])
async def test_an_answer_without_a_word_is_none(answer: dict[str, Any]) -> None:
    """An answer that does not say is no word."""
    assert await checker(Wechat(answer)).check([question()]) == {question(): Unsaid("WeChat does not answer")}


async def test_the_longest_text() -> None:
    """2,500 characters are asked about, in UTF-16 units; a longer text is not, for a cut may hide a word."""
    wechat = Wechat()
    longest, longer, emoji = question("长" * 2500), question("长" * 2501), question("😀" * 1251)
    answers = await checker(wechat).check([longest, longer, emoji])
    too_long = Unsaid("it has more than 2,500 characters")
    assert answers == {longest: Suggestion.PASS, longer: too_long, emoji: too_long}
    assert len(wechat.bodies) == 1


async def test_nothing_is_nothing_and_the_same_is_asked_once() -> None:
    """Without a question there is no call, and a question that comes twice is one."""
    wechat = Wechat()
    assert await checker(wechat).check([]) == {}
    await checker(wechat).check([question(), question(), question(openid="oOther")])
    assert len(wechat.bodies) == 2


async def test_twenty_at_once() -> None:
    """However many texts there are, twenty calls are under way; the others follow as these end."""
    wechat = Wechat(is_held=True)
    checking = asyncio.create_task(checker(wechat).check([question(openid=f"o{number}") for number in range(25)]))
    while len(wechat.bodies) < 20:  # noqa: ASYNC110 - the calls are what happens
        await asyncio.sleep(0.01)
    assert len(wechat.bodies) == 20
    wechat.may_answer.set()
    assert len(await checking) == 25


async def test_below_four_thousand_a_minute() -> None:
    """Calls of one process leave a sixtieth of a second apart, across those who ask: 3,600 a minute."""
    wechat = Wechat()
    shared = checker(wechat)
    some, others = ([question(openid=f"{who}{number}") for number in range(6)] for who in "ab")
    begun = monotonic()
    await asyncio.gather(shared.check(some), shared.check(others))
    assert len(wechat.asked_at) == 12
    # From the beginning, not the first call, which a busy machine may make late.
    assert wechat.asked_at[-1] - begun >= 11 / 60 - 0.002  # a timer fires a millisecond early


def test_a_question_is_not_shown() -> None:
    """Neither text nor user is in a repr."""
    assert repr(question()) == "Question(scene=3)"
