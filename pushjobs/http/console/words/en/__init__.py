"""English."""

from collections.abc import Mapping

from pushjobs.http.console.words.en import common, history, jobs

__all__ = ["WORDS"]

WORDS: Mapping[str, str] = {**common.WORDS, **history.WORDS, **jobs.WORDS}
