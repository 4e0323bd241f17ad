"""The tables of alerts, part of `tables`: what is wrong, what is to be told of it, and who has been told how much."""

from sqlalchemy import BigInteger, Column, ForeignKey, Identity, Index, Integer, LargeBinary, Table, Text, func, text

from pushjobs.store.schema import metadata, moment

__all__ = ["alert_addresses", "alert_notices", "alerts"]

alerts = Table(
    "alerts",
    metadata,
    Column("alert_no", BigInteger, Identity(), primary_key=True, comment="Our number for the alert"),
    Column("kind", Text, nullable=False, comment="What is wrong, in the words of the house"),
    Column("appid", Text, nullable=False, comment="Of which app; empty: of the installation"),
    Column("subject", Text, nullable=False, comment="Of what: a template, a lane, a campaign, a client; or empty"),
    Column("detail", Text, nullable=False, comment="How it was when it was last seen; nothing of a user"),
    Column("since", moment, nullable=False, server_default=func.now(), comment="When it was first seen"),
    Column("seen_at", moment, nullable=False, server_default=func.now(), comment="When it was last seen"),
    Column("began_at", moment, comment="When it had held long enough to be told; null: not yet"),
    Column("noted_at", moment, comment="When the last notice of it was made"),
    Column("gone_at", moment, comment="Since when it is gone; null: it is there"),
    Column("ended_at", moment, comment="The same, once it was gone long enough; null: it is open"),
    comment="What somebody should know of; a row ends, and what comes again is another one",
)
Index(
    "uq_alerts_open",
    alerts.c.kind,
    alerts.c.appid,
    alerts.c.subject,
    unique=True,
    postgresql_where=text("ended_at IS NULL"),
    info={"serves": "One open row a condition, however many processes see it"},
)
Index(
    "ix_alerts_ended_at",
    alerts.c.ended_at,
    postgresql_where=text("ended_at IS NOT NULL"),
    info={"serves": "Pruning"},
)

alert_notices = Table(
    "alert_notices",
    metadata,
    Column("notice_no", BigInteger, Identity(), primary_key=True, comment="Order of entry, and of commit"),
    Column(
        "alert_no", BigInteger, ForeignKey(alerts.c.alert_no, ondelete="CASCADE"), nullable=False, comment="Of what"
    ),
    Column("what", Text, nullable=False, comment="That it began, goes on or ended"),
    Column("at", moment, nullable=False, server_default=func.now(), comment="When"),
    Index("ix_alert_notices_alert_no", "alert_no", info={"serves": "An alert's notices, and their going with it"}),
    comment="What is to be told of alerts, to each address in this order",
)

alert_addresses = Table(
    "alert_addresses",
    metadata,
    Column("fingerprint", LargeBinary, primary_key=True, comment="Hash of the address, which may hold a key"),
    Column("host", Text, nullable=False, comment="Its host, for people"),
    Column("told_through", BigInteger, nullable=False, comment="The last notice that was taken there"),
    Column("attempts", Integer, nullable=False, server_default=text("0"), comment="How often the next was tried"),
    Column("try_at", moment, nullable=False, server_default=func.now(), comment="When the next may leave"),
    Column("told_at", moment, comment="When something was last taken"),
    Column("fault", Text, comment="Why the last was not taken; null: it was"),
    comment="How far each address has been told",
)
