"""Pushes that tests ask for."""

from datetime import timedelta
from typing import Any

from pushjobs import clock

__all__ = ["OPEN_ID", "SECRET_WORD", "TOMORROW", "news"]

OPEN_ID, SECRET_WORD = "oReader000001", "秘密消息"
TOMORROW = clock.now() + timedelta(days=1)


def news(number: int = 1, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - arguments of `send`
    """The arguments of a push that can be sent."""
    data = {"thing1": f"{SECRET_WORD}{number}", "thing2": {"value": "今日要闻"}}
    return {"touser": f"oReader{number:06d}", "template_id": "news", "data": data} | more
