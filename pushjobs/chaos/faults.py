"""What each fault does to a running installation, and what is noted of it.

Right after a kill of a process that delivers, the jobs that stand as `sending` are noted: they are what it may have had
in hand, and nothing else may end in doubt. That is looked at only when PostgreSQL has ended the transactions that were
open at the kill, for a commit may outlive the process that asked for it.
"""

import os
import signal
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event

from pushjobs import clock
from pushjobs.chaos.plan import Fault, Kind
from pushjobs.errors import Unreachable
from pushjobs.local.daemon import wait_until
from pushjobs.local.family import alive, descendants
from pushjobs.local.processes import Supervisor
from pushjobs.local.servers import EmbeddedServers
from pushjobs.sandbox import SandboxClient
from pushjobs.store import ledger
from pushjobs.store.database import Database
from pushjobs.store.ledger import Held

__all__ = ["Faults", "Noted"]

_DELIVERS = frozenset({"bulk", "urgent"})
_SANDBOX_SECONDS = 3.0
_LOOK_SECONDS = 0.1
_SLOW_SECONDS, _SLOW_SHARE = 1.0, 0.5
_DROPPED_SHARE = 0.05
_NOTE_SECONDS = 13.0
"""A little less than a lease: after it what was in hand is not `sending` any more."""

_SERVERS: Mapping[Kind, tuple[str, signal.Signals]] = {
    Kind.KILL_VALKEY: ("valkey", signal.SIGKILL),
    Kind.RESTART_VALKEY: ("valkey", signal.SIGTERM),
    Kind.KILL_POSTGRES: ("postgres", signal.SIGKILL),
    Kind.RESTART_POSTGRES: ("postgres", signal.SIGINT),
}


@dataclass(slots=True)
class Noted:
    """What was done, by kind; what found nobody to do it to; and what was in hand at the kills, with their moments."""

    done: Counter[Kind] = field(default_factory=Counter)
    missed: Counter[Kind] = field(default_factory=Counter)
    in_hand: dict[Held, datetime] = field(default_factory=dict)
    unread: int = 0
    """Kills after which nobody could be asked what was in hand."""


class Faults:
    """Does faults, one after the other; one thread's."""

    def __init__(
        self,
        servers: EmbeddedServers,
        supervisors: tuple[Supervisor, ...],
        sandbox: SandboxClient,
        database: Database,
        *,
        say: Callable[[str], None],
    ) -> None:
        self._servers = servers
        self._supervisors = supervisors
        self._sandbox = sandbox
        self._database = database
        self._say = say
        self._sandbox_until = 0.0
        self.noted = Noted()

    def do_all(self, faults: Sequence[Fault], begin: datetime, stopping: Event) -> None:
        """Do each fault at its time after `begin`, or as soon after as can be, until told to stop; then relent."""
        for fault in faults:
            moment = begin + timedelta(seconds=fault.at)
            while (left := (moment - clock.now()).total_seconds()) > 0:
                if stopping.wait(min(left, _LOOK_SECONDS)):
                    return
                self._relent()
            self.do(fault)
        stopping.wait(_SANDBOX_SECONDS)
        self._relent()

    def do(self, fault: Fault) -> None:
        """Do it, or note that there was nobody to do it to."""
        is_done = self._do(fault)
        self._say(f"{fault.kind.value} {fault.target}: {'done' if is_done else 'found nobody'}")
        (self.noted.done if is_done else self.noted.missed)[fault.kind] += 1

    def _relent(self) -> None:
        """Have the sandbox behave again, if it has misbehaved for long enough."""
        if self._sandbox_until and clock.monotonic() >= self._sandbox_until:
            self._sandbox.clear_faults()
            self._sandbox_until = 0.0

    def _do(self, fault: Fault) -> bool:
        match fault.kind:
            case Kind.KILL_WORKER | Kind.KILL_CHILD | Kind.KILL_BEAT | Kind.KILL_DOOR:
                return self._kill(fault)
            case Kind.FLUSH_VALKEY:
                return self._flush()
            case Kind.SLOW_SANDBOX:
                return self._spoil("slow", probability=_SLOW_SHARE, seconds=_SLOW_SECONDS)
            case Kind.DROPPING_SANDBOX:
                half = _DROPPED_SHARE / 2
                return self._spoil("drop_before_read", probability=half) and self._spoil(
                    "drop_after_read", probability=half
                )
            case Kind.KILL_VALKEY | Kind.RESTART_VALKEY | Kind.KILL_POSTGRES | Kind.RESTART_POSTGRES:
                name, number = _SERVERS[fault.kind]
                server = self._servers.valkey if name == "valkey" else self._servers.postgres
                pid = server.pid
                return pid is not None and _signal(pid, number)

    def _kill(self, fault: Fault) -> bool:
        victim = self._pid(fault.target)
        if victim is not None and fault.kind is Kind.KILL_CHILD:
            children = sorted(descendants(victim))
            victim = children[int(fault.draw * len(children))] if children else None
        if victim is None:
            return False
        # A worker's children die with it, but a moment later.
        dying = {victim} | descendants(victim)
        if not _signal(victim, signal.SIGKILL):
            return False
        if fault.target in _DELIVERS:
            self._note(clock.now(), dying)
        return True

    def _pid(self, name: str) -> int | None:
        found = [pid for supervisor in self._supervisors if (pid := supervisor.pids.get(name)) is not None]
        return found[0] if found else None

    def _note(self, killed_at: datetime, dying: set[int]) -> None:
        wait_until(lambda: not alive(dying), _NOTE_SECONDS)
        before: set[tuple[int, datetime]] = set()

        def has_ended() -> bool:
            with suppress(Unreachable), self._database.transaction() as connection:
                now = ledger.under_way(connection)
                if not before:
                    before.update(now)
                before.intersection_update(now)
                if not before:
                    for held in ledger.sending(connection):
                        self.noted.in_hand.setdefault(held, killed_at)
                    return True
            return False

        self.noted.unread += not wait_until(has_ended, _NOTE_SECONDS)

    def _flush(self) -> bool:
        try:
            self._servers.valkey.flush()
        except Unreachable:
            return False
        return True

    def _spoil(self, kind: str, **more: float) -> bool:
        self._sandbox.order_fault(kind, {"path": "/cgi-bin/message/subscribe/send"}, **more)
        self._sandbox_until = clock.monotonic() + _SANDBOX_SECONDS
        return True


def _signal(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
