"""Send one push from a service that shares no database with pushjobs, and look after it.

Before it, in another terminal: pushjobs up --sandbox --http 8080
Then, in the same directory:    pushjobs client add shop
and in the environment PUSHJOBS_URL=http://127.0.0.1:8080, with the id and the key that were printed as
PUSHJOBS_CLIENT_ID and PUSHJOBS_CLIENT_KEY.
"""

from datetime import UTC, datetime, timedelta

from pushjobs.client import Client

with Client() as push:
    soon = datetime.now(UTC) + timedelta(seconds=10)
    job = push.send(
        touser="oDemoReaderOfThisExample0002",
        template_id="order-shipped000000000000000000000000000000",
        page="pages/order/detail?id=129",
        data={
            "thing1": "高山乌龙茶 250 克",
            "character_string2": "OD20261123000129",
            "thing3": "顺丰速运",
            "time5": "2026年11月23日 15:02",
        },
        time=soon,
        reference="OD20261123000129",
    )
    print(f"job {job.id} is {job.state} for {job.time:%H:%M:%S} UTC")
    print(push.why(job.id).words)

    job = push.reschedule(job.id, time=soon + timedelta(seconds=5))
    print(f"moved to {job.time:%H:%M:%S}")
