"""A dozen lines a task: each reads its message and calls one use case."""

from workers.tasks import deliver, intake, release, upkeep

__all__ = ["deliver", "intake", "release", "upkeep"]
