"""The tables of what is kept of users, part of `tables`: quota days, consents, and who is to be forgotten.

A user is a keyed hash here; no open id is in them.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    func,
    text,
)

from pushjobs.store.schema import metadata, moment

__all__ = ["consents", "erasures", "recipients", "template_days"]

# Rewritten at every send: room in the page keeps the new version beside the old one, and its index entry as it is.
_HOT = {"fillfactor": 70}

recipients = Table(
    "recipients",
    metadata,
    Column("app_no", SmallInteger, primary_key=True, comment="The app"),
    Column("recipient", LargeBinary, primary_key=True, comment="Keyed hash of app and open id, 16 bytes"),
    Column("quota_day", Date, nullable=False, comment="The day `sent` and `held` count, in the app's zone"),
    Column("sent", Integer, nullable=False, comment="Places of that day that are used"),
    Column("held", Integer, nullable=False, comment="Places held by calls whose answer is not in yet"),
    Column("in_flight_until", moment, comment="Until when somebody may be calling; null: nobody is"),
    CheckConstraint("sent >= 0 AND held >= 0", name="counts_are_not_negative"),
    comment="One row per user ever sent to: the daily quota, and that nobody is called twice at once",
    postgresql_with=_HOT,
)

template_days = Table(
    "template_days",
    metadata,
    Column("app_no", SmallInteger, primary_key=True, comment="The app"),
    Column("recipient", LargeBinary, primary_key=True, comment="Keyed hash of app and open id, 16 bytes"),
    Column("template_no", Integer, primary_key=True, comment="A template with a daily cap"),
    Column("quota_day", Date, nullable=False, comment="The day `used` counts, in the app's zone"),
    Column("used", Integer, nullable=False, comment="Places of that day that are used or held"),
    CheckConstraint("used >= 0", name="used_is_not_negative"),
    comment="Daily caps of single templates",
    postgresql_with=_HOT,
)

consents = Table(
    "consents",
    metadata,
    Column("app_no", SmallInteger, primary_key=True, comment="The app"),
    Column("recipient", LargeBinary, primary_key=True, comment="Keyed hash of app and open id, 16 bytes"),
    Column("template_no", Integer, primary_key=True, comment="The template"),
    Column("credits", Integer, nullable=False, server_default=text("0"), comment="Messages the user said yes to"),
    Column("held", Integer, nullable=False, server_default=text("0"), comment="Credits held by calls under way"),
    Column("is_standing", Boolean, nullable=False, server_default=text("false"), comment="A long-term consent"),
    Column("granted_from", moment, comment="When the oldest of the credits was given"),
    Column("granted_at", moment, comment="When the latest credit was given"),
    Column("refused_at", moment, comment="When WeChat or the user last said no: a yes from before counts for nothing"),
    CheckConstraint("credits >= 0 AND held >= 0", name="counts_are_not_negative"),
    comment="What we know of users' consent; WeChat's 43101 is the truth and corrects it",
    postgresql_with=_HOT,
)

erasures = Table(
    "erasures",
    metadata,
    Column("app_no", SmallInteger, primary_key=True, comment="The app"),
    Column("recipient", LargeBinary, primary_key=True, comment="Keyed hash of app and open id, 16 bytes"),
    Column("up_to", BigInteger, nullable=False, comment="The last job number drawn when it was asked for"),
    Column("asked_at", moment, nullable=False, server_default=func.now(), comment="When it was asked for"),
    comment="Users to be forgotten, until nothing of theirs is left: what is being sent just now is let end",
)
