"""Where tests count: what arrived at WeChat, waited for instead of slept for."""

from collections.abc import Callable, Mapping

from pushjobs.domain.job import JobState
from pushjobs.local.daemon import wait_until
from pushjobs.sandbox import SandboxClient
from pushjobs.sandbox.client import ReceivedSend

__all__ = ["Sandbox"]

_SECONDS = 10.0


class Sandbox(SandboxClient):
    """The tests' WeChat: its log, its users, and faults on order, as `SandboxClient` has them; and waiting.

    Each of the three below tells of accepted messages only, in order of arrival, of all or of one user or template;
    `body` is WeChat's own: `message.body["data"]["thing1"]["value"]`. What WeChat refused is in `log()` as well.
    """

    def __init__(
        self, base_url: str, *, is_settled: Callable[[], bool], counts: Callable[[], Mapping[JobState, int]]
    ) -> None:
        super().__init__(base_url)
        self._is_settled = is_settled
        self._counts = counts

    def received(self, *, touser: str | None = None, template_id: str | None = None) -> list[ReceivedSend]:
        """Return what has arrived so far."""
        return [
            send
            for send in self.all_received()
            if send.errcode == 0 and touser in {None, send.touser} and template_id in {None, send.template_id}
        ]

    def wait_for(
        self, count: int = 1, *, touser: str | None = None, template_id: str | None = None, seconds: float = _SECONDS
    ) -> list[ReceivedSend]:
        """Return what has arrived as soon as it is `count` messages; AssertionError where it is not in time."""
        __tracebackhide__ = True
        found: list[ReceivedSend] = []

        def is_there() -> bool:
            found[:] = self.received(touser=touser, template_id=template_id)
            return len(found) >= count

        if not wait_until(is_there, seconds):
            raise AssertionError(
                f"after {seconds:g} s {len(found)} of {count} messages had arrived; {self._standing()}"
            )
        return found

    def settled(
        self, *, touser: str | None = None, template_id: str | None = None, seconds: float = _SECONDS
    ) -> list[ReceivedSend]:
        """Return what has arrived when every job whose moment has come is closed; AssertionError if one stays open.

        Then it is all, and what is not there was not sent. It knows jobs: a task of your own Celery, or a campaign that
        is about to make some, is waited for before.
        """
        __tracebackhide__ = True
        if not wait_until(self._is_settled, seconds):
            raise AssertionError(f"after {seconds:g} s a job whose moment has come was open; {self._standing()}")
        return self.received(touser=touser, template_id=template_id)

    def _standing(self) -> str:
        """Say what a test's author would ask next."""
        summary = self.summary()
        refused = {code: count for code, count in summary.by_errcode.items() if code != "0"}
        said = ", ".join(f"{count} with {code}" for code, count in refused.items()) or "none"
        jobs = ", ".join(f"{count} {state}" for state, count in self._counts().items() if count) or "there are none"
        return f"in all WeChat accepted {summary.accepted} and refused {said}; jobs: {jobs}"
