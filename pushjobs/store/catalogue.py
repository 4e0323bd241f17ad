"""Apps and their templates: our numbers for them, and the catalogue as WeChat last listed it.

A row in `templates` without fields is a template we have only seen used; one with fields is in the catalogue. An app
whose catalogue was never read has none, and any template id is taken on trust.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Row, select
from sqlalchemy.dialects.postgresql import insert

from pushjobs.domain.template import Template, TemplateField
from pushjobs.store.database import as_json, statement
from pushjobs.store.tables import apps, installation, templates

__all__ = ["App", "KnownTemplate", "begin_sync", "ensure_app", "ensure_template", "known", "remember", "replace"]

SYNC_INTERVAL = 600.0
"""Seconds between two reads of one app's catalogue: WeChat allows few (wechat-api.md 4.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A Mini Program as the store knows it. `is_synced`: its catalogue was read at least once."""

    app_no: int
    appid: str
    is_synced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownTemplate:
    """A template as the store knows it; `template` is None while it is not in the catalogue."""

    template_no: int
    title: str | None
    template: Template | None


_BEGIN_SYNC = statement("""
UPDATE pushjobs.apps SET templates_synced_at = now()
 WHERE app_no = :app_no
   AND (:forced OR templates_synced_at IS NULL OR templates_synced_at < now() - make_interval(secs => :interval))
RETURNING app_no""")

# A template that WeChat no longer lists loses its fields, and with them its place in the catalogue; the row stays,
# for jobs name it.
_REPLACE = statement("""
WITH listed AS (
    SELECT * FROM json_to_recordset(:templates) AS t(template_id text, title text, fields jsonb)
), gone AS (
    UPDATE pushjobs.templates SET fields = NULL
     WHERE app_no = :app_no AND fields IS NOT NULL AND template_id NOT IN (SELECT template_id FROM listed)
)
INSERT INTO pushjobs.templates (app_no, template_id, title, fields, synced_at)
SELECT :app_no, template_id, title, fields, now() FROM listed ORDER BY template_id
    ON CONFLICT (app_no, template_id)
    DO UPDATE SET title = excluded.title, fields = excluded.fields, synced_at = excluded.synced_at""")


def ensure_app(connection: Connection, appid: str) -> App:
    """Return the app, storing it if it is new."""
    wanted = select(apps).where(apps.c.appid == appid)
    row = connection.execute(wanted).one_or_none()
    if row is None:
        # Not tried at every reading: an INSERT that conflicts draws a number all the same, and there are 32,767.
        connection.execute(insert(apps).values(appid=appid).on_conflict_do_nothing())
        row = connection.execute(wanted).one()
    return App(app_no=row.app_no, appid=row.appid, is_synced=row.templates_synced_at is not None)


def known(connection: Connection, app_no: int) -> dict[str, KnownTemplate]:
    """Return every template of the app that the store has heard of, by WeChat's id."""
    rows = connection.execute(select(templates).where(templates.c.app_no == app_no))
    return {row.template_id: _known(row) for row in rows}


def ensure_template(connection: Connection, app_no: int, template_id: str) -> int:
    """Return our number for a template, storing it if it is new."""
    values = {"app_no": app_no, "template_id": template_id}
    connection.execute(insert(templates).values(values).on_conflict_do_nothing())
    wanted = select(templates.c.template_no).filter_by(**values)
    return int(connection.execute(wanted).scalar_one())


def begin_sync(connection: Connection, app_no: int, *, forced: bool) -> bool:
    """Take the right to read the app's catalogue from WeChat now; False when it was read a short while ago."""
    values = {"app_no": app_no, "forced": forced, "interval": SYNC_INTERVAL}
    return connection.execute(_BEGIN_SYNC, values).one_or_none() is not None


def replace(connection: Connection, app_no: int, listed: Sequence[tuple[str, Template]]) -> None:
    """Make the catalogue what WeChat listed: pairs of title and template."""
    rows = [
        {
            "template_id": template.template_id,
            "title": title,
            "fields": [{"key": field.key, "allowed": field.allowed} for field in template.fields],
        }
        for title, template in listed
    ]
    connection.execute(_REPLACE, {"app_no": app_no, "templates": as_json(rows)})


def remember(connection: Connection, name: str, value: str) -> str:
    """Store a fact about the installation unless one of that name is there; return the one that counts."""
    connection.execute(insert(installation).values(name=name, value=value).on_conflict_do_nothing())
    return str(connection.execute(select(installation.c.value).where(installation.c.name == name)).scalar_one())


def _known(row: Row[tuple[object, ...]]) -> KnownTemplate:
    template = None
    if row.fields is not None:
        fields = tuple(TemplateField(key=field["key"], allowed=tuple(field["allowed"])) for field in row.fields)
        template = Template(template_id=row.template_id, fields=fields)
    return KnownTemplate(template_no=row.template_no, title=row.title, template=template)
