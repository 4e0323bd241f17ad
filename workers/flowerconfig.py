"""Flower: what it may show, to whom, and how much it keeps. Its password comes by FLOWER_BASIC_AUTH, never by argument.

The JSON API shows raw arguments whatever stands here, so what must not be seen never is in a message: arguments are
job ids (`pushjobs.queue`), and an intake's payload is sealed (`pushjobs.intake`).
"""

from pushjobs import settings as ours
from pushjobs.telemetry import logs

_given = ours.load()
logs.configure(_given.log_format, _given.log_level)

# Its own lines from warnings on, in our form: what it says below that is its banner.
logging = "warning"

# Looking, not acting: with POST on the API anybody who knows the password could run any task.
read_only = True

# 4 KB a task in memory: 10,000 batches are hours at the usual pace.
max_tasks = 10_000

# Workers that were stopped leave the page.
purge_offline_workers = 300

tasks_columns = "name,uuid,state,args,received,started,runtime,worker"
