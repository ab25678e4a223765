"""Memory that one world after another is made in: fresh pages cost more than what is written to them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from backtest.kernels.arrays import Records

Array = np.ndarray[tuple[int], np.dtype[Any]]


class Room:
    """Arrays by name, each as large as the largest that was asked for; good for one world at a time."""

    def __init__(self) -> None:
        """Begin with none."""
        self._kept: dict[str, Array] = {}

    def of(self, name: str, n: int, dtype: "np.dtype[Any]") -> Array:
        """Return n values, whatever was in them."""
        kept = self._kept.get(name)
        if kept is None or len(kept) < n:
            kept = self._kept[name] = np.empty(n, dtype)
        return kept[:n]

    def zeros(self, name: str, n: int, dtype: "np.dtype[Any]") -> Array:
        """Return n zeros."""
        values = self.of(name, n, dtype)
        values.view(np.uint8)[:] = 0
        return values

    def copy(self, name: str, values: Records) -> Array:
        """Return a copy of an array of one dimension."""
        copied = self.of(name, len(values), values.dtype)
        copied.view(np.uint8)[:] = values.view(np.uint8)  # record by record takes five times as long
        return copied

    def keep(self, name: str, values: Array) -> None:
        """Take an array in place of a smaller one."""
        if len(values) > len(self._kept[name]):
            self._kept[name] = values


class Rooms:
    """As many rooms as there are worlds at once."""

    def __init__(self) -> None:
        """Begin with none."""
        self._free: list[Room] = []

    @contextmanager
    def one(self) -> Iterator[Room]:
        """Give a room that nobody else is in."""
        try:
            room = self._free.pop()  # not asked before whether there is one: another thread might take it
        except IndexError:
            room = Room()
        try:
            yield room
        finally:
            self._free.append(room)
