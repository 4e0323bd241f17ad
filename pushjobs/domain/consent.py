"""A user's consent to a template's messages: credits for single ones, or a standing consent.

The ledger is a cache, for WeChat has no call that reads the balance: 43101 is the truth, and a normal outcome
(wechat-api.md 4.5). What the ledger does not know is judged by the template's policy.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum, auto

__all__ = ["Consent", "ConsentPolicy", "Standing", "judge"]


class ConsentPolicy(StrEnum):
    """Who may be sent a template's messages."""

    REQUIRE = "require"
    """Only users known to have a credit or a standing consent."""
    OPTIMISTIC = "optimistic"
    """Everybody, unless the ledger knows better."""


class Standing(Enum):
    """What a consent lets a job do."""

    GO = auto()
    """It may go."""
    WAIT = auto()
    """Every credit is held by a call under way: its answer will tell."""
    NO = auto()
    """It may not go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What the ledger knows of one user and one template.

    `credits`: messages the user said yes to and did not get yet, `held` of them by calls under way; `is_standing`:
    whether the user said yes to all of the template's.
    """

    credits: int
    held: int
    is_standing: bool


def judge(known: Consent | None, policy: ConsentPolicy) -> Standing:
    """Say whether a job may go; `known` is None where the ledger has never heard of user and template."""
    if known is None:
        return Standing.GO if policy is ConsentPolicy.OPTIMISTIC else Standing.NO
    if known.is_standing or known.credits > known.held:
        return Standing.GO
    return Standing.WAIT if known.credits else Standing.NO
