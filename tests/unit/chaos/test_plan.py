"""The plan of what goes wrong: fixed by its seed, and complete however short."""

import pytest

from pushjobs.chaos.plan import Fault, Kind, Load, Plan

MINUTE = Load(jobs=6000, rate=100)
KILLS = {Kind.KILL_WORKER, Kind.KILL_CHILD, Kind.KILL_BEAT, Kind.KILL_DOOR}


def kills(plan: Plan) -> list[Fault]:
    """Return the faults that strike processes."""
    return [fault for fault in plan.faults if fault.kind in KILLS]


def test_the_same_seed_makes_the_same_plan() -> None:
    """A run that broke a promise can be had again."""
    assert Plan.of(7, MINUTE, kill_every=2) == Plan.of(7, MINUTE, kill_every=2)
    assert Plan.of(7, MINUTE, kill_every=2) != Plan.of(8, MINUTE, kill_every=2)


def test_kills_come_at_even_distances_while_jobs_fall_due() -> None:
    """One each two seconds, from the second on, to the last job's moment."""
    assert [fault.at for fault in kills(Plan.of(1, MINUTE, kill_every=2))] == [2.0 * number for number in range(1, 31)]


@pytest.mark.parametrize("seconds", [12, 40, 250])
@pytest.mark.parametrize("seed", range(5))
def test_every_other_fault_is_met_once_before_one_is_met_twice(seconds: int, seed: int) -> None:
    """A short run has seen each too: servers killed, restarted and flushed, the sandbox slow and dropping."""
    plan = Plan.of(seed, Load(jobs=seconds * 10, rate=10), kill_every=2)
    others = [fault.kind for fault in plan.faults if fault.kind not in KILLS]
    everything = set(Kind) - KILLS
    for begin in range(0, len(others) - len(everything) + 1, len(everything)):
        assert set(others[begin : begin + len(everything)]) == everything
    assert len(others) >= len(everything)


def test_the_plan_is_in_order_of_time_and_within_it() -> None:
    """Nothing goes wrong before the first job's moment, or after the last one's."""
    times = [fault.at for fault in Plan.of(3, MINUTE, kill_every=2).faults]
    assert times == sorted(times)
    assert times[0] > 0
    assert times[-1] <= MINUTE.span
