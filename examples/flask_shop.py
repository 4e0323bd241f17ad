"""A shop on Flask-SQLAlchemy whose orders and notices are one transaction: both are there, or neither.

Before it, in another terminal: pushjobs up --sandbox
and in this environment:        pip install flask flask-sqlalchemy
Then, in the same directory:    python examples/flask_shop.py

The session's database must be the one that pushjobs is in (in a schema of its own, `pushjobs`). Here it is the one that
`up` started; with PUSHJOBS_DATABASE_URL set, that.
"""

import sys
from functools import cache
from uuid import uuid4

from flask import Flask, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import pushjobs
from pushjobs import settings

ORDER_SHIPPED = "order-shipped000000000000000000000000000000"


class Base(DeclarativeBase):
    """What the shop's own tables are of."""


db = SQLAlchemy(model_class=Base)


class Order(db.Model):  # type: ignore[name-defined]  # flask-sqlalchemy says what its models are of when it runs
    """One order; a shop that is out of stock keeps none."""

    __tablename__ = "shop_orders"
    # The role that `up` makes is called as our schema is, and would have the shop's tables there.
    __table_args__ = {"schema": "public"}  # noqa: RUF012 - SQLAlchemy reads it once

    number: Mapped[str] = mapped_column(primary_key=True)
    buyer: Mapped[str]
    what: Mapped[str]


@cache
def push() -> pushjobs.Producer:
    """Return this process' connection, made when it is first needed: after the server's fork."""
    return pushjobs.connect()


def make_app() -> Flask:
    """Make the application."""
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.load().require_database_url
    db.init_app(app)

    @app.post("/orders/<number>")
    def order(number: str) -> tuple[str, int]:
        what = request.form["what"]
        db.session.add(Order(number=number, buyer=request.form["buyer"], what=what))
        push().send(
            touser=request.form["buyer"],
            template_id=ORDER_SHIPPED,
            data={"thing1": what, "character_string2": number, "thing3": "顺丰速运", "time5": "2026年11月23日 15:01"},
            reference=number,
            session=db.session,
        )
        if "in_stock" not in request.form:
            db.session.rollback()
            return "out of stock", 409
        db.session.commit()
        return "ordered", 201

    return app


def main() -> None:
    """Order two things, one of which is out of stock, and tell what became of the notices."""
    app = make_app()
    with app.app_context():
        db.create_all()
    run = uuid4().hex[:8]
    buyer = {"buyer": "oBuyerOfThisExample00000001"}
    with app.test_client() as browser:
        for number, more in ((f"OD{run}1", {"what": "雨前龙井", "in_stock": "yes"}), (f"OD{run}2", {"what": "茶壶"})):
            answer = browser.post(f"/orders/{number}", data=buyer | more)
            print(f"{number}: {answer.status_code} {answer.text}, {len(push().find(reference=number))} notices")


if __name__ == "__main__":
    try:
        main()
    except pushjobs.PushJobsError as trouble:
        sys.exit(str(trouble))
