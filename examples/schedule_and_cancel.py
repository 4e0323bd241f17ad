"""Schedule reminders of appointments, move one, and take back what is not wanted any more.

Before it, in another terminal: pushjobs up --sandbox
"""

import sys
from datetime import UTC, datetime, timedelta

import pushjobs
from pushjobs.errors import NotPossible

APPOINTMENT = "appointment00000000000000000000000000000000"
TOMORROW = datetime.now(UTC) + timedelta(days=1)


def remind(push: pushjobs.Producer, reference: str, touser: str, what: str, when: datetime) -> pushjobs.Job:
    """Have a user reminded an hour before an appointment."""
    return push.send(
        touser=touser,
        template_id=APPOINTMENT,
        data={"thing1": what, "date2": f"{when:%Y年%m月%d日 %H:%M}", "thing3": "人民路 18 号", "name4": "王小明"},
        time=when - timedelta(hours=1),
        expires=when,  # a reminder that is late is none
        reference=reference,
        idempotency_key=f"{reference}-{when:%Y%m%d%H%M}",  # asked for twice, it is one
    )


def main() -> None:
    """Make three, move the first, take back the second, and then the rest."""
    with pushjobs.connect() as push:
        first = remind(push, "YY0101", "oPatientOfThisExample000001", "洗牙", TOMORROW)
        again = remind(push, "YY0101", "oPatientOfThisExample000001", "洗牙", TOMORROW)
        remind(push, "YY0102", "oPatientOfThisExample000001", "补牙", TOMORROW + timedelta(days=7))
        third = remind(push, "YY0103", "oPatientOfThisExample000002", "复诊", TOMORROW)
        print(f"{first.id == again.id}: asked for twice, made once")

        moved = push.reschedule(
            first.id, time=first.time + timedelta(hours=2), expires=first.expires + timedelta(hours=2)
        )
        print(f"{moved.time - first.time} later: {push.why(first.id).words}")

        print(f"{push.cancel(reference='YY0102')} taken back, by the caller's own number")
        print(f"{push.cancel(third.id)} taken back, by the job's")
        try:
            push.cancel(third.id)
        except NotPossible as why:
            print(f"not twice: {str(why).partition(' is ')[2]}")

        now = push.reschedule(first.id, time=datetime.now(UTC))
        print(f"the first one goes out now; look at it with: pushjobs show {now.id}")


if __name__ == "__main__":
    try:
        main()
    except pushjobs.PushJobsError as trouble:
        sys.exit(str(trouble))
