"""The app's list of forbidden words: added to, taken from, read; `request` obeys it when a job is accepted.

What is accepted already is not looked through again: a list says what may be asked for, not what was promised.
"""

from collections.abc import Iterable

from pushjobs.catalogue import Catalogue
from pushjobs.domain.message import read_template_id
from pushjobs.domain.words import MOST_WORDS, read_words
from pushjobs.errors import InvalidInput
from pushjobs.store import words as stored
from pushjobs.store.database import Database

__all__ = ["Wording"]


class Wording:
    """The words that messages must not hold; safe to share between threads.

    Each verb is for one template, or without `template_id` for all of the app's. Other processes follow within a
    minute. Raises InvalidInput, UnknownTemplate.
    """

    def __init__(self, database: Database, catalogue: Catalogue) -> None:
        self._database = database
        self._catalogue = catalogue

    def forbid(self, words: Iterable[str], *, template_id: str | None = None) -> int:
        """Refuse messages that hold one of these words from now on; return how many words are new."""
        read, template_no, app_no = read_words(words), self._template_no(template_id), self._catalogue.app.app_no
        with self._database.transaction() as connection:
            added = stored.add(connection, app_no, template_no, read)
            count = len(stored.forbidden(connection, app_no).get(template_no, ()))
            if count > MOST_WORDS:
                raise InvalidInput("words", f"would be {count:,}", f"a list has up to {MOST_WORDS:,}")
        self._catalogue.reload()
        return added

    def allow(self, words: Iterable[str], *, template_id: str | None = None) -> int:
        """Take words off the list; return how many stood on it."""
        read, template_no = read_words(words), self._template_no(template_id)
        with self._database.transaction() as connection:
            removed = stored.remove(connection, self._catalogue.app.app_no, template_no, read)
        self._catalogue.reload()
        return removed

    def forbidden(self, *, template_id: str | None = None) -> list[str]:
        """Return the list, folded as words are compared; a template's own, without the app's."""
        template_no = self._template_no(template_id)
        with self._database.transaction() as connection:
            return sorted(stored.forbidden(connection, self._catalogue.app.app_no).get(template_no, ()))

    def _template_no(self, template_id: str | None) -> int | None:
        return None if template_id is None else self._catalogue.number(read_template_id({"template_id": template_id}))
