"""Which legacy templates are mapped to subscribe templates, and how; read with the catalogue."""

from sqlalchemy import Connection, delete

from pushjobs.domain.translation import Translation
from pushjobs.store.database import as_json, statement
from pushjobs.store.tables import translations

__all__ = ["put", "take_away"]

_PUT = statement("""
INSERT INTO pushjobs.translations (template_no, target_no, keywords, shortens)
VALUES (:template_no, :target_no, cast(:keywords AS jsonb), :shortens)
    ON CONFLICT (template_no) DO UPDATE
   SET target_no = excluded.target_no, keywords = excluded.keywords, shortens = excluded.shortens, made_at = now()""")


def put(connection: Connection, template_no: int, target_no: int, translation: Translation) -> None:
    """Set how a template's messages are translated, in place of what was set before."""
    connection.execute(
        _PUT,
        {
            "template_no": template_no,
            "target_no": target_no,
            "keywords": as_json(list(translation.keywords)),
            "shortens": translation.shortens,
        },
    )


def take_away(connection: Connection, template_no: int) -> bool:
    """Translate a template's messages no longer; False where they were not."""
    wanted = delete(translations).where(translations.c.template_no == template_no)
    return connection.execute(wanted.returning(translations.c.template_no)).one_or_none() is not None
