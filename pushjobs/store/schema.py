"""What every table of ours shares: the schema, how its constraints are named, and the types of words and moments."""

from enum import StrEnum

from sqlalchemy import DateTime, Enum, MetaData

__all__ = ["SCHEMA", "metadata", "moment", "words"]

SCHEMA = "pushjobs"

metadata = MetaData(
    schema=SCHEMA,
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    },
)

moment = DateTime(timezone=True)


def words(enum: type[StrEnum], name: str) -> Enum:
    """Return the PostgreSQL enum of this name, whose words are the members' values."""
    return Enum(
        enum, name=name, metadata=metadata, values_callable=lambda members: [member.value for member in members]
    )
