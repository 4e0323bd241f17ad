"""Pauses: what is held back, why and until when. Set by breakers, by WeChat's limits or by an operator.

A pause without an end lasts until somebody resumes. One with a probe lets a single job try every few seconds, and the
first that WeChat answers lifts it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pushjobs.domain.job import Lane

__all__ = ["Pause", "PauseReason", "paused_templates"]


class PauseReason(StrEnum):
    """Why something is paused."""

    OPERATOR = "operator"
    TEMPLATE_FAULT = "template_fault"
    APP_FAULT = "app_fault"
    DAY_OVER = "day_over"
    SLOW_DOWN = "slow_down"
    APP_BUDGET = "app_budget"
    WECHAT_DOWN = "wechat_down"
    RESTORED = "restored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """One thing held back: the app, or only a template or a lane of it.

    `until_in` and `probe_in` are seconds from the database's now; None: no end, no probe.
    """

    pause_no: int
    app_no: int
    template_no: int | None
    template_id: str | None
    lane: Lane | None
    reason: PauseReason
    errcode: int | None
    note: str | None
    since: datetime
    until: datetime | None
    until_in: float | None
    probe_in: float | None

    def holds_lane(self, lane: Lane) -> bool:
        """Whether it holds back everything of a lane."""
        return self.template_no is None and self.lane in {None, lane}

    def holds(self, template_no: int, lane: Lane) -> bool:
        """Whether it holds back a template's jobs of a lane, with all others or by themselves."""
        return self.template_no in {None, template_no} and self.lane in {None, lane}


def paused_templates(in_force: Iterable[Pause], lane: Lane) -> set[int]:
    """Return the templates whose jobs of a lane are held back by themselves, whatever else is paused."""
    return {pause.template_no for pause in in_force if pause.template_no is not None and pause.lane in {None, lane}}
