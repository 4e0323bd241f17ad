"""A dozen lines a task: each reads its message and calls one use case."""

from workers.tasks import callbacks, deliver, intake, release, upkeep

__all__ = ["callbacks", "deliver", "intake", "release", "upkeep"]
