"""Three clocks, none of which goes back."""

from datetime import timedelta

import pytest

from exchange.errors import BadInput
from sandbox.clock import Frozen, Running, Stepped


def test_a_frozen_clock_stands() -> None:
    """It tells the same instant for ever."""
    clock = Frozen(5)
    assert [clock.now_us(), clock.now_us()] == [5, 5]


def test_a_running_clock_is_its_start_plus_what_passed_times_its_speed() -> None:
    """1.5 s at 60 exchange seconds a second are 90 s: 90,000,000 us after the start at 7."""
    wall_ns = [2_000_000_000]
    clock = Running(7, 60, lambda: wall_ns[0])
    assert clock.now_us() == 7
    wall_ns[0] += 1_500_000_000
    assert clock.now_us() == 90_000_007


@pytest.mark.parametrize("speed", [0, -1, float("nan"), float("inf")])
def test_a_clock_that_does_not_run_forward_is_refused(speed: float) -> None:
    """A speed must be positive and finite."""
    with pytest.raises(BadInput, match="more than 0"):
        Running(0, speed)


def test_a_stepped_clock_moves_only_when_told_and_never_back() -> None:
    """Steps add up; a step back is bad input."""
    clock = Stepped(100)
    clock.advance(timedelta(seconds=1))
    clock.advance(timedelta(0))
    assert clock.now_us() == 1_000_100
    with pytest.raises(BadInput, match="only runs forward"):
        clock.advance(timedelta(microseconds=-1))
