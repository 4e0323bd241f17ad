"""Chinese, as it is written in China."""

from collections.abc import Mapping

from pushjobs.http.console.words.zh import campaigns, common, history, jobs, now, schedule, templates

__all__ = ["WORDS"]

WORDS: Mapping[str, str] = {
    **common.WORDS,
    **now.WORDS,
    **schedule.WORDS,
    **history.WORDS,
    **jobs.WORDS,
    **campaigns.WORDS,
    **templates.WORDS,
}
