"""The verbs of `pushjobs.connect()` over HTTP, for services that share no database with us.

    from pushjobs.client import Client

    with Client("https://push.example.com", "ID", "KEY") as push:
        push.send(touser="…", template_id="…", data={"thing1": "订单已发货"}, time="2026-12-01 08:00:00")

`conversation` says what is asked, again and again if need be, and what the answers mean; it opens nothing. `senders`
carries that out, in a thread or in an event loop. Nothing is checked here but what JSON cannot carry: the door checks,
in the words of every door.
"""

from pushjobs.client.senders import AsyncClient, Client

__all__ = ["AsyncClient", "Client"]
