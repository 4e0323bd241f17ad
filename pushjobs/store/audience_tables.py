"""The tables of audiences that were uploaded, part of `tables`."""

from sqlalchemy import BigInteger, Column, ForeignKey, Identity, Index, Integer, LargeBinary, SmallInteger, Table, Text
from sqlalchemy import func as _func
from sqlalchemy import text as _text

from pushjobs.store.app_tables import apps
from pushjobs.store.schema import metadata, moment

__all__ = ["audience_members", "audiences"]

audiences = Table(
    "audiences",
    metadata,
    Column("audience_no", Integer, Identity(), primary_key=True, comment="Our number for this upload of it"),
    Column("app_no", SmallInteger, ForeignKey(apps.c.app_no), nullable=False, comment="Whose it is"),
    Column("name", Text, nullable=False, comment="What campaigns name it by"),
    Column("recipients", Integer, nullable=False, server_default=_text("0"), comment="Rows kept"),
    Column("rejected", Integer, nullable=False, server_default=_text("0"), comment="Rows that were no recipients"),
    Column("first_member", BigInteger, nullable=False, comment="None of its rows has a lower number; others' may"),
    Column("last_member", BigInteger, comment="None has a higher one"),
    Column("touched_at", moment, nullable=False, server_default=_func.now(), comment="When the last rows came"),
    Column("uploaded_at", moment, comment="From when on it is read; null: it is not there as a whole"),
    Column(
        "replaced_at", moment, comment="When another took its place, or it was deleted or given up; null: it stands"
    ),
    comment="To whom campaigns go, as it was uploaded; a row an upload, of which one of a name is in force",
)
Index(
    "uq_audiences_name",
    audiences.c.app_no,
    audiences.c.name,
    unique=True,
    postgresql_where=_text("uploaded_at IS NOT NULL AND replaced_at IS NULL"),
    info={"serves": "One upload of a name in force, and finding it"},
)

audience_members = Table(
    "audience_members",
    metadata,
    Column("member_no", BigInteger, Identity(), primary_key=True, comment="In the order of the rows"),
    Column("audience_no", Integer, nullable=False, comment="The upload"),
    Column("app_no", SmallInteger, nullable=False, comment="Its app"),
    Column("recipient", LargeBinary, nullable=False, comment="Keyed hash of app and open id, 16 bytes"),
    Column("sealed", LargeBinary, nullable=False, comment="Open id and columns, encrypted"),
    comment="The rows of uploaded audiences",
    # Filled at once and deleted at once, as `snapshots`.
    postgresql_with={"autovacuum_vacuum_scale_factor": 0.1, "autovacuum_vacuum_insert_scale_factor": 0.5},
)
