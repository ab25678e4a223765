"""Rows of a listing that are not kept as one list: picked out of another, or made when looked at.

All are in the order of creation, and a rank never changes: rows are only ever added at the end.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

Row = TypeVar("Row")
Row_co = TypeVar("Row_co", covariant=True)


class Rows(Protocol[Row_co]):
    """What a page is cut out of."""

    def __len__(self) -> int: ...

    def __getitem__(self, rank: int, /) -> Row_co: ...


class Picked(Generic[Row]):
    """Some rows of a list, by their ranks in it."""

    def __init__(self, rows: Sequence[Row], ranks: Sequence[int]) -> None:
        self._rows = rows
        self._ranks = ranks

    def __len__(self) -> int:
        return len(self._ranks)

    def __getitem__(self, rank: int, /) -> Row:
        return self._rows[self._ranks[rank]]


class Merged(Generic[Row]):
    """A list and rows that are made when looked at, as one; `places` are where the list's rows lie in it."""

    def __init__(self, rows: Sequence[Row], places: Sequence[int], made: Rows[Row]) -> None:
        self._rows = rows
        self._places = places
        self._made = made

    def __len__(self) -> int:
        return len(self._rows) + len(self._made)

    def __getitem__(self, rank: int, /) -> Row:
        n_before = bisect_left(self._places, rank)
        if n_before < len(self._places) and self._places[n_before] == rank:
            return self._rows[n_before]
        return self._made[rank - n_before]
