"""Flower: where it listens, whom it lets in, what it may show, and how much it keeps. What is not set here is Flower's.

The password is a setting of ours and never an argument: everybody can read a command line. The JSON API shows raw
arguments whatever stands here, so what must not be seen never is in a message: arguments are job ids
(`pushjobs.queue`), and an intake's payload is sealed (`pushjobs.intake`).
"""

from flower.views.monitor import Metrics
from tornado.web import authenticated

from pushjobs import settings
from pushjobs.errors import Misconfigured
from pushjobs.telemetry import logs

try:
    _settings = settings.load()
    basic_auth = [f"pushjobs:{_settings.require_flower_password}"]
except Misconfigured as error:
    raise SystemExit(f"flower: {error}") from None

# Its own lines from warnings on, in our form: what it says below that is its banner.
logs.configure(_settings.log_format, _settings.log_level)
logging = "warning"

# Flower's own default is every address; `--address` says another where something else keeps strangers out.
address = "127.0.0.1"

# Looking, not acting: with POST on the API anybody who knows the password could run any task.
read_only = _settings.flower_read_only

# Flower shows its figures to everybody, with the password or without. `/healthcheck`, which says `OK`, stays open.
Metrics.get = authenticated(Metrics.get)

# 4 KB a task in memory: 10,000 batches are hours at the usual pace.
max_tasks = 10_000

# Workers that were stopped leave the page.
purge_offline_workers = 300

tasks_columns = "name,uuid,state,args,received,started,runtime,worker"
