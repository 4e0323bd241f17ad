"""Apps and their templates: our numbers for them, and the catalogue as WeChat last listed it.

A row in `templates` without fields is a template we have only seen used; one with fields is in the catalogue. An app
whose catalogue was never read has none, and any template id is taken on trust.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, null, select, update
from sqlalchemy.dialects.postgresql import insert

from pushjobs.domain.content_check import NOT_ASKED, CheckPolicy, CheckRules, ContentCheck
from pushjobs.domain.template import Template, TemplateField, TemplateKind
from pushjobs.domain.translation import Translation
from pushjobs.store.database import as_json, statement
from pushjobs.store.tables import apps, installation, templates

__all__ = [
    "App",
    "KnownTemplate",
    "begin_refresh",
    "begin_sync",
    "ensure_app",
    "ensure_template",
    "forget",
    "known",
    "remember",
    "replace",
]

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
    """A template as the store knows it; `template` is None while it is not in the catalogue.

    `translation`: how its messages become another template's, for a legacy one that is mapped. `check`: whether WeChat
    is asked about them.
    """

    template_no: int
    title: str | None
    template: Template | None
    translation: Translation | None = None
    check: CheckRules = NOT_ASKED


_BEGIN_SYNC = statement("""
UPDATE pushjobs.apps SET templates_synced_at = now()
 WHERE app_no = :app_no
   AND (:forced OR templates_synced_at IS NULL OR templates_synced_at < now() - make_interval(secs => :interval))
RETURNING app_no""")

# Never read is never refreshed: until somebody reads it for the first time, any template is taken on trust.
_BEGIN_REFRESH = statement("""
UPDATE pushjobs.apps SET templates_synced_at = now()
 WHERE app_no = :app_no AND templates_synced_at < :since
RETURNING app_no""")

_KNOWN = statement("""
SELECT t.template_no, t.template_id, t.title, t.kind, t.fields, t.content_check, t.on_review, t.on_unchecked,
       m.keywords, m.shortens, target.template_id AS target_id
  FROM pushjobs.templates t
  LEFT JOIN pushjobs.translations m USING (template_no)
  LEFT JOIN pushjobs.templates target ON target.template_no = m.target_no
 WHERE t.app_no = :app_no""")

# A template that WeChat no longer lists loses its fields, and with them its place in the catalogue; the row stays,
# for jobs name it.
_REPLACE = statement("""
WITH listed AS (
    SELECT * FROM json_to_recordset(:templates)
        AS t(template_id text, title text, kind pushjobs.template_kind, fields jsonb)
), gone AS (
    UPDATE pushjobs.templates SET fields = NULL
     WHERE app_no = :app_no AND fields IS NOT NULL AND template_id NOT IN (SELECT template_id FROM listed)
)
INSERT INTO pushjobs.templates (app_no, template_id, title, kind, fields, synced_at)
SELECT :app_no, template_id, title, kind, fields, now() FROM listed ORDER BY template_id
    ON CONFLICT (app_no, template_id)
    DO UPDATE SET title = excluded.title, kind = excluded.kind, fields = excluded.fields,
                  synced_at = excluded.synced_at""")


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
    rows = connection.execute(_KNOWN, {"app_no": app_no})
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


def begin_refresh(connection: Connection, app_no: int, since: datetime) -> bool:
    """Take the right to read the catalogue anew; False when it was read `since` then, or never."""
    return connection.execute(_BEGIN_REFRESH, {"app_no": app_no, "since": since}).one_or_none() is not None


def forget(connection: Connection, app_no: int, template_id: str) -> None:
    """Take a template out of the catalogue, as if WeChat listed it no longer."""
    wanted = (templates.c.app_no == app_no, templates.c.template_id == template_id)
    connection.execute(update(templates).where(*wanted).values(fields=null()))


def replace(connection: Connection, app_no: int, listed: Sequence[tuple[str, Template]]) -> None:
    """Make the catalogue what WeChat listed: pairs of title and template."""
    rows = [
        {
            "template_id": template.template_id,
            "title": title,
            "kind": template.kind,
            "fields": [{"key": each.key, "name": each.name, "allowed": each.allowed} for each in template.fields],
        }
        for title, template in listed
    ]
    connection.execute(_REPLACE, {"app_no": app_no, "templates": as_json(rows)})


def remember(connection: Connection, name: str, value: str) -> str:
    """Store a fact about the installation unless one of that name is there; return the one that counts."""
    connection.execute(insert(installation).values(name=name, value=value).on_conflict_do_nothing())
    return str(connection.execute(select(installation.c.value).where(installation.c.name == name)).scalar_one())


def _known(row: Row[tuple[object, ...]]) -> KnownTemplate:
    template, translation = None, None
    if row.fields is not None:
        # Names came later than keys: a row of an older release has none until the next reading.
        fields = tuple(
            TemplateField(key=each["key"], name=each.get("name", ""), allowed=tuple(each["allowed"]))
            for each in row.fields
        )
        kind = None if row.kind is None else TemplateKind(row.kind)
        template = Template(template_id=row.template_id, fields=fields, kind=kind)
    if row.keywords is not None:
        pairs = tuple((key, target) for key, target in row.keywords)
        translation = Translation(template_id=row.target_id, keywords=pairs, shortens=row.shortens)
    check = CheckRules(
        check=ContentCheck(row.content_check),
        on_review=CheckPolicy(row.on_review),
        on_unchecked=CheckPolicy(row.on_unchecked),
    )
    return KnownTemplate(
        template_no=row.template_no, title=row.title, template=template, translation=translation, check=check
    )
