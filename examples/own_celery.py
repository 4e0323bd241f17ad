"""An application that has a Celery of its own hands a push over through it, for later, and needs no database of ours.

Before it, in another terminal: pushjobs up --sandbox
Then, in the same directory:    python examples/own_celery.py

The broker is the one that pushjobs' workers read; here the one that `up` started.
"""

import sys
from datetime import UTC, datetime, timedelta

from celery import Celery

from pushjobs import errors, intake, settings

ORDER_SHIPPED = "order-shipped000000000000000000000000000000"


def make_app() -> Celery:
    """Make the shop's Celery; its own tasks are its own affair."""
    app = Celery("shop", broker=settings.load().require_broker_url)
    intake.register(app)  # from here on what is sent as pushjobs.send is sealed before Celery sees it
    return app


def main() -> None:
    """Hand one over."""
    app = make_app()
    handed = app.send_task(
        "pushjobs.send",
        kwargs={
            "touser": "oBuyerOfThisExample00000002",
            "template_id": ORDER_SHIPPED,
            "data": {
                "thing1": "高山乌龙茶 250 克",
                "character_string2": "OD20261123000130",
                "thing3": "顺丰速运",
                "time5": "2026年11月23日 15:03",
            },
            "reference": "OD20261123000130",
        },
        eta=datetime.now(UTC) + timedelta(seconds=10),  # taken as `time`: it waits in SQL, not in the broker
    )
    print(f"task {handed.id} is handed over; look at its job with: pushjobs jobs --reference OD20261123000130")


if __name__ == "__main__":
    try:
        main()
    except errors.PushJobsError as trouble:
        sys.exit(str(trouble))
