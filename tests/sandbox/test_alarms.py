"""Being called when the floor's time comes to an instant."""

from datetime import timedelta

from exchange.units import to_us
from sandbox.clock import Stepped
from sandbox.floor import Listener
from sandbox.lifecycle import LifecycleChange
from sandbox.world import DEFAULT_END_TS, World
from tests.sandbox.places import a_copied_world


class Diary(Listener):
    """Writes down when markets changed."""

    def __init__(self) -> None:
        self.times_us: list[int] = []

    def changed(self, change: LifecycleChange) -> None:
        """Note the instant."""
        self.times_us.append(change.time_us)


def test_an_alarm_rings_at_its_instant_and_before_what_else_is_due_then() -> None:
    """Alarms at the first change of all, a second before it and a second after, set in disorder."""
    start_us = to_us(DEFAULT_END_TS - timedelta(days=1))

    def a_floor() -> tuple[Stepped, World, Diary]:
        world, clock = a_copied_world(before=timedelta(days=1), activity=0.05)
        diary = Diary()
        world.floor.listen(diary)
        return clock, world, diary

    clock, world, diary = a_floor()
    clock.advance(timedelta(hours=1))
    world.floor.advance()
    first_us = diary.times_us[0]

    clock, world, diary = a_floor()
    rung: list[tuple[int, int]] = []
    for time_us in (first_us + 1_000_000, first_us, first_us - 1_000_000):
        world.floor.call_at(time_us, lambda: rung.append((world.floor.now_us, len(diary.times_us))))
    clock.advance(timedelta(hours=1))
    world.floor.advance()
    assert [time_us - first_us for time_us, _ in rung] == [-1_000_000, 0, 1_000_000]
    assert [n_heard for _, n_heard in rung][:2] == [0, 0]
    assert rung[2][1] >= 1
    assert world.floor.now_us == start_us + 3_600_000_000
