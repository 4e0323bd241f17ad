"""WeChat asked about what new jobs say, for templates whose policy wants it: at the door, before anything is stored.

The user was just there, or WeChat does not judge; at the moment of sending, days later, only 45168 is left. No
transaction of ours is open meanwhile. A shared content is judged once, when it is stored; what repeats a job under its
idempotency key is that job, and judged no more.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from pushjobs.catalogue import Catalogue
from pushjobs.domain.content_check import CheckRules, Suggestion
from pushjobs.domain.events import ContentsUnchecked
from pushjobs.domain.message import Content, read_touser
from pushjobs.errors import InvalidInput
from pushjobs.request import Request
from pushjobs.store import accepting
from pushjobs.store.database import Database
from pushjobs.telemetry import Emit
from pushjobs.wechat.content_check import Question, Unsaid

__all__ = ["Check", "Vetting"]

Check = Callable[[Sequence[Question]], Mapping[Question, Suggestion | Unsaid]]
"""Asks WeChat."""

_Key = TypeVar("_Key")


class Vetting:
    """Vets what is to be accepted for one app; safe to share between threads."""

    def __init__(self, database: Database, catalogue: Catalogue, check: Check, *, emit: Emit) -> None:
        self._database = database
        self._catalogue = catalogue
        self._check = check
        self._emit = emit

    def vet(self, requests: Mapping[_Key, Request]) -> dict[_Key, InvalidInput]:
        """Return the refusals of those that WeChat's word, or the want of it, keeps out."""
        if not self._catalogue.asks_wechat:  # the usual case costs a million rows nothing
            return {}
        asked = {key: each for key, each in requests.items() if each.content is None and self._rules(each).is_on}
        known = self._known([name for each in asked.values() if (name := each.idempotency_key) is not None])
        texts = {
            key: (self._rules(each), each.message.content, each.message.touser)
            for key, each in asked.items()
            if each.idempotency_key not in known
        }
        return self._judged(texts)

    def vet_content(self, content: Content, openid: str | None) -> None:
        """Raise the refusal of a content that many jobs will share; `openid` is the user for whom WeChat is asked."""
        rules = self._catalogue.check_rules(content.template_id)
        if not rules.is_on:
            return
        refusal: InvalidInput | None
        if openid is None:
            refusal = rules.unchecked("WeChat judges texts for a user: give the openid of one who was just there")
        else:
            refusal = self._judged({None: (rules, content, _read_openid(openid))}).get(None)
        if refusal is not None:
            raise refusal

    def let_unasked(self, template_id: str) -> None:
        """Raise the refusal of contents for which nobody can be named to WeChat, if the template's are judged."""
        rules = self._catalogue.check_rules(template_id)
        if rules.is_on and (refusal := rules.unchecked("what it says is not known before it is sent")) is not None:
            raise refusal

    def _rules(self, request: Request) -> CheckRules:
        return self._catalogue.check_rules(request.message.content.template_id)

    def _known(self, keys: Sequence[str]) -> set[str]:
        """Return the keys that stand for a job already. One of the caller's own session may be missing: asked again."""
        if not keys:
            return set()
        with self._database.transaction() as connection:
            return accepting.known_keys(connection, self._catalogue.app.app_no, keys)

    def _judged(self, texts: Mapping[_Key, tuple[CheckRules, Content, str]]) -> dict[_Key, InvalidInput]:
        questions = {
            key: Question(content=_text(content), openid=openid, scene=rules.check.scene)
            for key, (rules, content, openid) in texts.items()
        }
        answers = self._check(list(questions.values())) if questions else {}
        refusals: dict[_Key, InvalidInput] = {}
        for key, (rules, _, _) in texts.items():
            answer = answers[questions[key]]
            refusal = rules.unchecked(answer.why) if isinstance(answer, Unsaid) else rules.judge(answer)
            if refusal is not None:
                refusals[key] = refusal
        if unsaid := [answer.why for answer in answers.values() if isinstance(answer, Unsaid)]:
            self._emit(ContentsUnchecked(appid=self._catalogue.app.appid, contents=len(unsaid), why=unsaid[0]))
        return refusals


def _read_openid(value: object) -> str:
    try:
        return read_touser({"touser": value})
    except InvalidInput as refusal:
        raise InvalidInput("openid", refusal.fault, refusal.rule) from None


def _text(content: Content) -> str:
    return "\n".join(text for _, text in content.data)
