"""Chapter 4: exactly what was meant, once."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session

import pushjobs
from pushjobs import settings
from pushjobs.sandbox.catalogue import REFUND
from tests.story.conftest import Phones


def refund(number: str) -> dict[str, str]:
    """Say that an order was refunded."""
    return {"character_string1": number, "amount2": "¥128.00", "phrase3": "退款成功", "thing4": "商品缺货"}


@pytest.fixture
def shop(directory: Path) -> Iterator[Engine]:
    """The application's own table of orders, in the database that pushjobs uses."""
    engine = create_engine(settings.load(directory).require_database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE orders (number text PRIMARY KEY)"))
    yield engine
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE orders"))
    engine.dispose()


def test_asking_twice_sends_once(push: pushjobs.Producer, phones: Phones, user: str) -> None:
    """With an `idempotency_key` a repeated request returns the job that the first one made."""
    number, key = "OD20261123000128", f"refund-{uuid4().hex}"
    first = push.send(touser=user, template_id=REFUND, data=refund(number), idempotency_key=key)
    again = push.send(touser=user, template_id=REFUND, data=refund(number), idempotency_key=key)

    assert again.id == first.id
    phones.wait_for(user)
    assert [job.id for job in push.find(touser=user)] == [first.id]
    with pytest.raises(pushjobs.errors.KeyReused):
        push.send(touser=user, template_id=REFUND, data=refund("OD20261123000999"), idempotency_key=key)


def test_an_order_and_its_notice_are_stored_together(
    push: pushjobs.Producer, phones: Phones, user: str, shop: Engine
) -> None:
    """With `session=` the job is part of the caller's transaction: rolled back with it, or committed with it."""
    number = "OD20261123000129"

    def place_order(session: Session) -> None:
        session.execute(text("INSERT INTO orders VALUES (:number)"), {"number": number})
        push.send(touser=user, template_id=REFUND, data=refund(number), reference=number, session=session)

    with Session(shop) as session:
        place_order(session)
        session.rollback()
    assert push.find(reference=number) == []

    with Session(shop) as session:
        place_order(session)
        session.commit()
    assert phones.wait_for(user)["data"]["character_string1"] == {"value": number}
