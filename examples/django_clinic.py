"""A clinic on Django that shares no database with pushjobs: it asks over HTTP, as a client of the door.

Before it, in another terminal: pushjobs up --sandbox --http 8080
Then, in the same directory:    pushjobs client add clinic
and in this environment:        pip install django
with PUSHJOBS_URL=http://127.0.0.1:8080, and the id and the key that were printed as PUSHJOBS_CLIENT_ID and
PUSHJOBS_CLIENT_KEY.

It is a whole project in one file; `python examples/django_clinic.py` asks it once, as its tests would.
"""

import sys
from functools import cache

import django
from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.test import Client as Browser
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from pushjobs import errors
from pushjobs.client import Client

APPOINTMENT = "appointment00000000000000000000000000000000"


@cache
def push() -> Client:
    """Return this process' client, made when it is first needed: threads share it, processes do not."""
    return Client()


@csrf_exempt
@require_POST
def appoint(request: HttpRequest, number: str) -> JsonResponse:
    """Have a patient reminded; what cannot be sent is the caller's to mend, what is away is to be asked again."""
    try:
        job = push().send(
            touser=request.POST["patient"],
            template_id=APPOINTMENT,
            data={
                "thing1": request.POST["what"],
                "date2": request.POST["when"],
                "thing3": "人民路 18 号",
                "name4": "王小明",
            },
            time=request.POST["remind"],
            reference=number,
            idempotency_key=f"appointment-{number}",  # the same request again is the same reminder
        )
    except errors.InvalidInput as refused:
        return JsonResponse({"field": refused.field, "fault": refused.fault, "rule": refused.rule}, status=400)
    except (errors.Unreachable, errors.Overloaded):
        return JsonResponse({"fault": "reminders are away: ask again"}, status=503)
    return JsonResponse({"job": job.id, "at": job.time.isoformat()}, status=201)


urlpatterns = [path("appointments/<str:number>", appoint)]


def main() -> None:
    """Make an appointment twice, and one whose text is too long."""
    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["testserver"], SECRET_KEY="of this example alone")  # noqa: S106 - it guards nothing
    django.setup()
    browser = Browser()
    good = {
        "patient": "oPatientOfThisExample000003",
        "what": "洗牙",
        "when": "2040年12月1日 09:30",
        "remind": "2040-12-01 08:00:00",
    }
    for number, more in (("YY0201", {}), ("YY0201", {}), ("YY0202", {"what": "洗" * 24})):
        answer = browser.post(f"/appointments/{number}", good | more)
        print(f"{number}: {answer.status_code} {answer.json()}")


if __name__ == "__main__":
    try:
        main()
    except errors.PushJobsError as trouble:
        sys.exit(str(trouble))
