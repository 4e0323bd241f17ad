"""What WeChat's word on a text means for a job, by the template's policies."""

import pytest

from pushjobs.domain.content_check import CheckPolicy, CheckRules, ContentCheck, Suggestion
from pushjobs.errors import ContentRefused, ContentUnchecked

REFUSE, ACCEPT = CheckPolicy.REFUSE, CheckPolicy.ACCEPT


def test_scenes_have_wechat_s_numbers() -> None:
    """Profile 1, comment 2, forum 3, social log 4 (wechat-api.md section 8); off has none."""
    assert [(each, each.scene) for each in ContentCheck] == [
        ("off", 0),
        ("profile", 1),
        ("comment", 2),
        ("forum", 3),
        ("social", 4),
    ]
    assert not CheckRules().is_on


@pytest.mark.parametrize(
    ("suggestion", "on_review", "is_refused"),
    [
        (Suggestion.PASS, REFUSE, False),
        (Suggestion.PASS, ACCEPT, False),
        (Suggestion.REVIEW, REFUSE, True),
        (Suggestion.REVIEW, ACCEPT, False),
        (Suggestion.RISKY, REFUSE, True),
        (Suggestion.RISKY, ACCEPT, True),
    ],
)
def test_suggestions(suggestion: Suggestion, on_review: CheckPolicy, is_refused: bool) -> None:
    """What passes is accepted, what is risky never, what is for review as the policy says."""
    for on_unchecked in CheckPolicy:
        rules = CheckRules(check=ContentCheck.FORUM, on_review=on_review, on_unchecked=on_unchecked)
        refusal = rules.judge(suggestion)
        assert (refusal is not None) == is_refused
        assert refusal is None or (type(refusal) is ContentRefused and refusal.field == "data")


def test_unchecked() -> None:
    """Without a word the job is not accepted yet, and told why, unless the policy takes it."""
    refusal = CheckRules(check=ContentCheck.FORUM).unchecked("61010: x")
    assert type(refusal) is ContentUnchecked
    assert refusal.fault == "could not be checked (61010: x)"
    assert CheckRules(check=ContentCheck.FORUM, on_unchecked=ACCEPT).unchecked("61010: x") is None
