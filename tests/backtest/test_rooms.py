"""Rooms: memory that one world after another is made in."""

import numpy as np
import pytest

from backtest.rooms import Room, Rooms

INT: np.dtype[np.int64] = np.dtype(np.int64)


def test_an_array_stays_as_large_as_the_largest() -> None:
    """Ten, of which a world takes three; the next world takes ten again."""
    room = Room()
    ten = room.of("fills", 10, INT)
    room.keep("fills", room.of("fills", 3, INT))
    assert np.shares_memory(room.of("fills", 10, INT)[9:], ten)


def test_an_array_that_grew_takes_the_place_of_a_smaller_one() -> None:
    room, grown = Room(), np.arange(5)
    room.of("fills", 2, INT)
    room.keep("fills", grown)
    assert np.shares_memory(room.of("fills", 5, INT), grown)


def test_zeros_and_copies_hold_nothing_of_the_world_before() -> None:
    room = Room()
    room.of("levels", 3, INT)[:] = 7
    assert room.zeros("levels", 2, INT).tolist() == [0, 0]
    assert room.copy("levels", np.array([1, 2, 3])).tolist() == [1, 2, 3]
    assert room.zeros("levels", 0, INT).tolist() == []


def test_two_worlds_at_once_are_in_two_rooms_and_a_failure_leaves_a_room_free() -> None:
    rooms = Rooms()
    with rooms.one() as first, rooms.one() as second:
        assert first is not second
    with pytest.raises(RuntimeError), rooms.one() as third:
        raise RuntimeError
    with rooms.one() as fourth:
        assert fourth is third
        assert third in {first, second}
