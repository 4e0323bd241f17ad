"""How a job may change its state. Nothing else decides that: every statement in `store` takes its states from here.

    accept ──▶ scheduled ──release──▶ released ──admit──▶ sending ──deliver──▶ sent
                  ▲  ▲                  │  │                │
                  │  └─── give_back ────┘  ├─ expire         ├─ reject ──▶ refused
                  │                        └─ refuse         ├─ give_up ──▶ dead
                  └───────────────── defer ◀─────────────────┴─ doubt ──▶ in_doubt

Late and duplicate news are transitions of their own, not errors: an answer that arrives after the lease expired still
settles the job it belongs to (`deliver` and its siblings accept `in_doubt`), because the release number proves that
it is the same attempt. Everything that does not match the table changes nothing.
"""

from enum import StrEnum

from pushjobs.domain.job import JobState

__all__ = ["Transition", "sources", "target"]

_SCHEDULED, _RELEASED, _SENDING = JobState.SCHEDULED, JobState.RELEASED, JobState.SENDING
_IN_DOUBT = JobState.IN_DOUBT


class Transition(StrEnum):
    """One way a job may go from one state to another."""

    RELEASE = "release"
    """Due within the look-ahead: claimed, numbered, published."""
    GIVE_BACK = "give_back"
    """Released, but nobody called: not published, drained, or the lease ran out."""
    EXPIRE = "expire"
    """The deadline passed before anyone called."""
    REFUSE = "refuse"
    """A gate says never: no consent, or no place left on the day and no wish to wait."""
    POSTPONE = "postpone"
    """A gate holds the job until later."""
    ADMIT = "admit"
    """Through every gate: a call will follow."""
    HAND_BACK = "hand_back"
    """Admitted, and surely not called: too late for the lease, or the worker drained."""
    DELIVER = "deliver"
    """WeChat accepted it."""
    DEFER = "defer"
    """The attempt failed in a way worth repeating."""
    REJECT = "reject"
    """WeChat will never accept it."""
    GIVE_UP = "give_up"
    """The attempts are used up; kept, can be replayed."""
    DOUBT = "doubt"
    """The outcome is unknown; held."""
    CANCEL = "cancel"
    """Taken back by its owner before anyone called."""
    RESCHEDULE = "reschedule"
    """Moved to another time by its owner before anyone called."""
    REPLAY = "replay"
    """Given up, and tried again by an operator's word."""
    CONFIRM = "confirm"
    """In doubt, and known to have been sent: by an operator's word or a receipt."""
    SEND_AGAIN = "send_again"
    """In doubt, and to be sent again: by an operator's word, or because its template accepts a repeat."""


_TABLE: dict[Transition, tuple[tuple[JobState, ...], JobState]] = {
    Transition.RELEASE: ((_SCHEDULED,), _RELEASED),
    Transition.GIVE_BACK: ((_RELEASED,), _SCHEDULED),
    Transition.EXPIRE: ((_SCHEDULED, _RELEASED), JobState.EXPIRED),
    Transition.REFUSE: ((_SCHEDULED, _RELEASED), JobState.REFUSED),
    Transition.POSTPONE: ((_RELEASED,), _SCHEDULED),
    Transition.ADMIT: ((_RELEASED,), _SENDING),
    Transition.HAND_BACK: ((_SENDING,), _SCHEDULED),
    Transition.DELIVER: ((_SENDING, _IN_DOUBT), JobState.SENT),
    Transition.DEFER: ((_SENDING, _IN_DOUBT), _SCHEDULED),
    Transition.REJECT: ((_SENDING, _IN_DOUBT), JobState.REFUSED),
    Transition.GIVE_UP: ((_SENDING, _IN_DOUBT), JobState.DEAD),
    Transition.DOUBT: ((_SENDING,), _IN_DOUBT),
    Transition.CANCEL: ((_SCHEDULED, _RELEASED), JobState.CANCELLED),
    Transition.RESCHEDULE: ((_SCHEDULED, _RELEASED), _SCHEDULED),
    Transition.REPLAY: ((JobState.DEAD,), _SCHEDULED),
    Transition.CONFIRM: ((_IN_DOUBT,), JobState.SENT),
    Transition.SEND_AGAIN: ((_IN_DOUBT,), _SCHEDULED),
}


def sources(transition: Transition) -> tuple[JobState, ...]:
    """Return the states a job may be in for this transition to apply."""
    return _TABLE[transition][0]


def target(transition: Transition) -> JobState:
    """Return the state this transition leads to."""
    return _TABLE[transition][1]
