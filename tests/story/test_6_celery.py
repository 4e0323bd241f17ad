"""Chapter 6: from an application that has a Celery of its own."""

from pathlib import Path

from celery import Celery

from pushjobs import intake, settings
from pushjobs.sandbox.catalogue import ORDER_SHIPPED
from tests.story.conftest import Phones


def test_a_push_goes_out_from_the_application_s_own_celery(directory: Path, phones: Phones, user: str) -> None:
    """After `register`, `send_task` by name is all it takes; the content travels encrypted."""
    shop = Celery("shop", broker=settings.load(directory).require_broker_url, set_as_current=False)
    intake.register(shop, directory)
    data = {"thing1": "雨前龙井", "character_string2": "OD20261123000130", "thing3": "顺丰速运", "time5": "15:01"}

    shop.send_task("pushjobs.send", kwargs={"touser": user, "template_id": ORDER_SHIPPED, "data": data}, countdown=0.5)

    assert phones.wait_for(user)["data"]["thing1"] == {"value": "雨前龙井"}
    shop.close()
