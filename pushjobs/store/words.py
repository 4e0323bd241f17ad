"""The words that an app's messages, or one template's, must not hold; read with the catalogue.

In plain: they are the company's rules, and nobody's message.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, TextClause

from pushjobs.store.database import as_json, statement

__all__ = ["add", "forbidden", "remove"]

_FORBIDDEN = statement("SELECT template_no, word FROM pushjobs.forbidden_words WHERE app_no = :app_no")

_ADD = statement("""
INSERT INTO pushjobs.forbidden_words (app_no, template_no, word)
SELECT :app_no, CAST(:template_no AS int), word FROM json_array_elements_text(:words) AS w(word) ORDER BY word
    ON CONFLICT DO NOTHING RETURNING word""")

_REMOVE = statement("""
DELETE FROM pushjobs.forbidden_words
 WHERE app_no = :app_no AND template_no IS NOT DISTINCT FROM CAST(:template_no AS int)
   AND word IN (SELECT json_array_elements_text(:words))
RETURNING word""")


def forbidden(connection: Connection, app_no: int) -> Mapping[int | None, frozenset[str]]:
    """Return the words of each template, by our number for it; those of all the app's templates under None."""
    found: defaultdict[int | None, set[str]] = defaultdict(set)
    for row in connection.execute(_FORBIDDEN, {"app_no": app_no}):
        found[row.template_no].add(row.word)
    return {template_no: frozenset(words) for template_no, words in found.items()}


def add(connection: Connection, app_no: int, template_no: int | None, words: Sequence[str]) -> int:
    """Forbid words in a template's messages, in all of the app's for None; return how many are new."""
    return _count(connection, _ADD, app_no, template_no, words)


def remove(connection: Connection, app_no: int, template_no: int | None, words: Sequence[str]) -> int:
    """Forbid words no longer; return how many were forbidden."""
    return _count(connection, _REMOVE, app_no, template_no, words)


def _count(
    connection: Connection, change: TextClause, app_no: int, template_no: int | None, words: Sequence[str]
) -> int:
    values = {"app_no": app_no, "template_no": template_no, "words": as_json(words)}
    return len(connection.execute(change, values).all())
