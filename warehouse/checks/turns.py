"""Turns: runs of days that fit in memory together, so that a long tape is looked at piece by piece."""

from datetime import date
from typing import Final, NamedTuple

import polars as pl

from warehouse.storage import TableFiles

ROWS_A_TURN: Final = 2_000_000


class Turn(NamedTuple):
    """Days from `first` to `last`, both included."""

    first: date
    last: date


def turns(files: TableFiles | None, *, n_rows: int = ROWS_A_TURN) -> list[Turn]:
    """Return turns over all dates of the files, ascending, each with about so many rows or one day's more."""
    found: list[Turn] = []
    if files is None:
        return found
    n_waiting = 0
    by_date = files.files.group_by("date").agg(pl.col("n_rows").sum()).sort("date")
    for day, n_more in by_date.iter_rows():
        if not found or n_waiting + n_more > n_rows:
            found.append(Turn(day, day))
            n_waiting = 0
        found[-1] = Turn(found[-1].first, day)
        n_waiting += n_more
    return found
