"""Chinese, as it is written in China."""

from collections.abc import Mapping

from pushjobs.http.console.words.zh import common, history, jobs

__all__ = ["WORDS"]

WORDS: Mapping[str, str] = {**common.WORDS, **history.WORDS, **jobs.WORDS}
