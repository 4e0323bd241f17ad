"""What an application asked for, before anything is sent: jobs, with what they say."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pushjobs.domain.job import Job
from pushjobs.producer import Producer
from pushjobs.store.testing import Accepted

__all__ = ["AcceptedJob", "AcceptedJobs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedJob:
    """One job and what it says: `data` maps each key to its text, as in {"thing1": "雨前龙井"}."""

    job: Job
    touser: str
    template_id: str
    page: str | None
    data: Mapping[str, str] = field(repr=False)


class AcceptedJobs:
    """The jobs that were accepted so far, to be iterated over, the first one first; read anew at every look.

    Nothing is sent: the app is paused, and there may be no workers at all. `push` is application code's connection.
    """

    def __init__(self, read: Callable[[], Sequence[Accepted]], push: Producer) -> None:
        self._read = read
        self.push = push

    def __len__(self) -> int:
        return len(self._read())

    def __iter__(self) -> Iterator[AcceptedJob]:
        return iter([_told(each) for each in self._read()])


def _told(accepted: Accepted) -> AcceptedJob:
    content = accepted.message.content
    return AcceptedJob(
        job=accepted.job,
        touser=accepted.message.touser,
        template_id=content.template_id,
        page=content.page,
        data=dict(content.data),
    )
