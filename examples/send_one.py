"""Send one push ten seconds from now, and move it.

Before it, in another terminal: pushjobs up --sandbox
"""

from datetime import UTC, datetime, timedelta

import pushjobs

push = pushjobs.connect()

soon = datetime.now(UTC) + timedelta(seconds=10)
job = push.send(
    touser="oDemoReaderOfThisExample0001",
    template_id="order-shipped000000000000000000000000000000",
    page="pages/order/detail?id=128",
    data={
        "thing1": "高山乌龙茶 250 克",
        "character_string2": "OD20261123000128",
        "thing3": "顺丰速运",
        "time5": "2026年11月23日 15:01",
    },
    time=soon,
    reference="OD20261123000128",
)
print(f"job {job.id} is {job.state} for {job.time:%H:%M:%S} UTC")

job = push.reschedule(job.id, time=soon + timedelta(seconds=5))
print(f"moved to {job.time:%H:%M:%S}; look at it with: pushjobs show {job.id}")
