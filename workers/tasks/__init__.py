"""A dozen lines a task: each reads its message and calls one use case."""

from workers.tasks import callbacks, campaigns, deliver, intake, release, upkeep

__all__ = ["callbacks", "campaigns", "deliver", "intake", "release", "upkeep"]
