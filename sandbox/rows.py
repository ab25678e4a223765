"""Rows of a listing that are not kept as one list: picked out of another, or made when looked at.

All are in the order of creation, and a rank never changes: rows are only ever added at the end.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
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


class Made(Rows[Row_co], Protocol[Row_co]):
    """Rows that are made when looked at; neighbours come in groups that are much alike."""

    def first_alike(self, rank: int, /) -> int:
        """Return the rank of the first row of a row's group."""
        ...


class Merged(Generic[Row]):
    """A list and rows that are made when looked at, as one; `places` are where the list's rows lie in it."""

    def __init__(self, rows: Sequence[Row], places: Sequence[int], made: Made[Row]) -> None:
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

    def jumper(self, is_worth: Callable[[Row], bool]) -> Callable[[int], int]:
        """Return what turns a rank into the next lower one that may be wanted, or -1.

        `is_worth` is asked about the first made row of each group and answers for the whole group.
        """
        known: dict[int, bool] = {}

        def jump(rank: int) -> int:
            while rank >= 0:
                n_before = bisect_left(self._places, rank)
                if n_before < len(self._places) and self._places[n_before] == rank:
                    return rank
                first = self._made.first_alike(rank - n_before)
                if first not in known:
                    known[first] = is_worth(self._made[first])
                if known[first]:
                    return rank
                own = self._places[n_before - 1] if n_before else -1
                rank = max(own, first - 1 + n_before)
            return rank

        return jump
