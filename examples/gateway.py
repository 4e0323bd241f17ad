"""A program that speaks WeChat's own API, at our door instead of WeChat's: the same paths and answers, and a `time`.

Before it, in another terminal: pushjobs up --sandbox --http 8080
Then, in the same directory:    pushjobs client add shop
and in the environment PUSHJOBS_URL=http://127.0.0.1:8080, with the id and the key that were printed as
PUSHJOBS_CLIENT_ID and PUSHJOBS_CLIENT_KEY: they stand in for appid and secret.

It imports nothing of pushjobs: any program in any language does the same.
"""

import os
import sys

import httpx

MISSING = [name for name in ("PUSHJOBS_URL", "PUSHJOBS_CLIENT_ID", "PUSHJOBS_CLIENT_KEY") if name not in os.environ]
ORDER_SHIPPED = "order-shipped000000000000000000000000000000"


def main() -> None:
    """Fetch a token, send for later, and hear what a wrong message is answered."""
    with httpx.Client(base_url=os.environ["PUSHJOBS_URL"]) as wechat:
        who = {"appid": os.environ["PUSHJOBS_CLIENT_ID"], "secret": os.environ["PUSHJOBS_CLIENT_KEY"]}
        got = wechat.get("/cgi-bin/token", params={"grant_type": "client_credential", **who}).json()
        if "access_token" not in got:
            sys.exit(f"no token: {got}")
        values = {
            "thing1": "高山乌龙茶 250 克",
            "character_string2": "OD20261123000131",
            "thing3": "顺丰速运",
            "time5": "2026年11月23日 15:04",
        }
        message = {
            "touser": "oBuyerOfThisExample00000003",
            "template_id": ORDER_SHIPPED,
            "data": {key: {"value": value} for key, value in values.items()},
            "time": "2040-12-01 08:00:00",  # the one field that WeChat does not have
        }
        for body in (message, {**message, "page": "/pages/order"}):
            answer = wechat.post(
                "/cgi-bin/message/subscribe/send", params={"access_token": got["access_token"]}, json=body
            ).json()
            print(answer["errcode"], answer.get("msgid", answer["errmsg"]))


if __name__ == "__main__":
    if MISSING:
        sys.exit(f"{MISSING[0]} is not set: {__doc__}")
    try:
        main()
    except httpx.TransportError as trouble:
        sys.exit(f"{os.environ['PUSHJOBS_URL']} does not answer ({type(trouble).__name__}): start `pushjobs up`")
