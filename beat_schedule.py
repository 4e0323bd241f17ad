"""The timetable: what beat ticks, how often and why; and the campaigns declared in code.

Every tick is idempotent, so two beats are safe, and a tick that is not taken up in time is worth nothing: it expires.
"""

from pushjobs.queue import QueueName, TaskName

TICKS = {
    # Each second: jobs leave SQL up to the look-ahead (5 s) early, so a lost tick or two cost no lateness; jobs of
    # `send_many` that are due at once wait for the next tick, at most this long.
    "release": {
        "task": TaskName.RELEASE,
        "schedule": 1.0,
        "options": {"queue": QueueName.TICKS, "expires": 2.0},
    },
    # Each second: with the lease of 15 s it decides a dead worker's jobs within 20 s of the death. Should beat, Redis
    # or the ticks' worker be gone as well, the other workers' processes do it by themselves (`workers.process`).
    "rescue": {
        "task": TaskName.RESCUE,
        "schedule": 1.0,
        "options": {"queue": QueueName.TICKS, "expires": 2.0},
    },
    # Every 5 s: a doubt is a minute old before it may be sent again, and a little more does not matter.
    "resend": {
        "task": TaskName.RESEND,
        "schedule": 5.0,
        "options": {"queue": QueueName.TICKS, "expires": 5.0},
    },
    # Each second: a receipt shows on its job, and a doubt ends, within seconds. Not among the ticks above: a burst of
    # receipts must not keep a release waiting.
    "apply": {
        "task": TaskName.APPLY,
        "schedule": 1.0,
        "options": {"queue": QueueName.CALLBACKS, "expires": 2.0},
    },
    # Every 2 s: what the app's own door gets late by that, it gets late from WeChat too.
    "forward": {
        "task": TaskName.FORWARD,
        "schedule": 2.0,
        "options": {"queue": QueueName.CALLBACKS, "expires": 2.0},
    },
    # Each second: a client that has a webhook hears of its jobs' ends within about two.
    "tell": {
        "task": TaskName.TELL,
        "schedule": 1.0,
        "options": {"queue": QueueName.CALLBACKS, "expires": 2.0},
    },
    # Each second: plans the runs of campaigns, fetches what they say a minute ahead, opens and closes them.
    "campaigns": {
        "task": TaskName.CAMPAIGNS,
        "schedule": 1.0,
        "options": {"queue": QueueName.CAMPAIGNS, "expires": 3.0},
    },
    # Each second: reads audiences and makes jobs, ten minutes ahead of the instant. A task of its own, which may take
    # seconds, so that no other run's content waits for it.
    "expand": {
        "task": TaskName.EXPAND,
        "schedule": 1.0,
        "options": {"queue": QueueName.CAMPAIGNS, "expires": 3.0},
    },
    # Every minute, for at most 5 s: some 30 million jobs a day at least. Not among the ticks, for a release must not
    # wait for it.
    "prune": {
        "task": TaskName.PRUNE,
        "schedule": 60.0,
        "options": {"queue": QueueName.BULK, "expires": 30.0},
    },
    # Every 5 s: what was being sent when its user was forgotten is erased within that of its end.
    "forget": {
        "task": TaskName.FORGET,
        "schedule": 5.0,
        "options": {"queue": QueueName.BULK, "expires": 5.0},
    },
    # Every 5 s: what became of jobs is added up, and what is scheduled is counted, if that is due. Nobody waits for it.
    "summarise": {
        "task": TaskName.SUMMARISE,
        "schedule": 5.0,
        "options": {"queue": QueueName.BULK, "expires": 5.0},
    },
    # Every 10 minutes: asks whether the app's hour of the night has come to read its templates anew. Not among the
    # ticks, for it may wait for WeChat, and a release tick must not wait for it.
    "refresh": {
        "task": TaskName.REFRESH,
        "schedule": 600.0,
        "options": {"queue": QueueName.BULK, "expires": 60.0},
    },
}

# What is sent to many users again and again: arguments by key, as `push.campaigns.add` takes them. Read when the
# workers start; what is changed here is planned anew then, and what is taken out is retired. There is one to look at in
# `examples/daily_news/beat_schedule.py`. Where the workers are started in a directory that has a module of this name,
# its campaigns count.
CAMPAIGNS: dict[str, dict[str, object]] = {}
