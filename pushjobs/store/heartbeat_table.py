"""The table of the heartbeat, which shows how far the database has come; what it is for is told by `witness`."""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Table, Text, Uuid, func, text

from pushjobs.store.schema import metadata
from pushjobs.store.schema import moment as _moment

__all__ = ["heartbeat"]

heartbeat = Table(
    "heartbeat",
    metadata,
    Column("is_here", Boolean, primary_key=True, server_default=text("true"), comment="There is one row"),
    Column(
        "lineage",
        Uuid,
        nullable=False,
        server_default=func.gen_random_uuid(),
        comment="Which database this is; its copies have the same",
    ),
    Column("since", _moment, nullable=False, server_default=func.now(), comment="When the lineage began"),
    Column("at", _moment, nullable=False, server_default=func.now(), comment="Raised about once a second"),
    Column(
        "accepted_at",
        _moment,
        nullable=False,
        server_default=func.now(),
        comment="When it last was noticed that the database had stepped back",
    ),
    Column("server", BigInteger, nullable=False, comment="The server it stood on then"),
    Column("timeline", Text, nullable=False, comment="The timeline it stood in then, as in names of WAL"),
    CheckConstraint("is_here", name="there_is_one_row"),
    comment="How far this database has come: what was seen of it is kept outside, so that a step back is noticed",
)
