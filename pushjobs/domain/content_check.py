"""Whether WeChat is asked about a template's texts when a job is accepted, and what its word means for the job.

Off unless a template's policy says otherwise: the check costs a call a message, and WeChat makes it only for users who
were in the Mini Program within the last two hours (wechat-api.md section 8).
"""

from dataclasses import dataclass
from enum import StrEnum

from pushjobs.errors import ContentRefused, ContentUnchecked

__all__ = ["NOT_ASKED", "CheckPolicy", "CheckRules", "ContentCheck", "Suggestion"]


class ContentCheck(StrEnum):
    """As what WeChat is to judge a template's texts."""

    OFF = "off"
    """Not at all."""
    PROFILE = "profile"
    COMMENT = "comment"
    FORUM = "forum"
    SOCIAL = "social"
    """A social log."""

    @property
    def scene(self) -> int:
        """WeChat's number for it, from 1; 0 for none."""
        return list(ContentCheck).index(self)


class CheckPolicy(StrEnum):
    """What becomes of a job that the check neither passed nor failed."""

    REFUSE = "refuse"
    """It is not accepted yet."""
    ACCEPT = "accept"
    """It is accepted all the same."""


class Suggestion(StrEnum):
    """What WeChat says of a text."""

    PASS = "pass"  # noqa: S105 - no secret
    REVIEW = "review"
    """A person should look at it."""
    RISKY = "risky"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRules:
    """The policies of a template: `on_review` for what a person should see, `on_unchecked` where no word came."""

    check: ContentCheck = ContentCheck.OFF
    on_review: CheckPolicy = CheckPolicy.REFUSE
    on_unchecked: CheckPolicy = CheckPolicy.REFUSE

    @property
    def is_on(self) -> bool:
        """Whether WeChat is asked at all."""
        return self.check is not ContentCheck.OFF

    def judge(self, suggestion: Suggestion) -> ContentRefused | None:
        """Return the refusal of a text of which WeChat says this; None for one that is accepted."""
        if suggestion is Suggestion.RISKY:
            return ContentRefused("data", "is risky, says WeChat's content check", "say it in other words")
        if suggestion is Suggestion.REVIEW and self.on_review is CheckPolicy.REFUSE:
            rule = "say it in other words; `pushjobs template policy --on-review accept` takes such texts"
            return ContentRefused("data", "is for a person to look at, says WeChat's content check", rule)
        return None

    def unchecked(self, why: str) -> ContentUnchecked | None:
        """Return the refusal of a text that was not checked, and `why`; None where it is accepted all the same."""
        if self.on_unchecked is CheckPolicy.ACCEPT:
            return None
        rule = "ask again later; `pushjobs template policy --on-unchecked accept` takes such texts"
        return ContentUnchecked("data", f"could not be checked ({why})", rule)


NOT_ASKED = CheckRules()
"""What holds for a template without policies."""
