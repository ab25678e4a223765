"""A writer in a process of its own: `python -m tests.warehouse.writer LAKE FIRST N SIZE`.

Commits N batches of SIZE trades; batch b holds trades b-0 .. b-(SIZE-1), all of one date. Says "go" before
the first commit and, after each, the batch's number.
"""

import sys
from datetime import timedelta

import polars as pl

from tests.warehouse.rows import NOON, a_trade, frame
from warehouse import Lake
from warehouse.tables import TRADES


def batch(number: int, size: int) -> pl.DataFrame:
    """Return the trades of one batch; a batch is one second of the tape."""
    at_ts = NOON + timedelta(seconds=number)
    rows = (a_trade(f"{number}-{i}", event_ts=at_ts, ticker=f"KX-{i % 7}") for i in range(size))
    return frame(TRADES, *rows)


def main(uri: str, first: int, n_batches: int, size: int) -> None:
    """Commit the batches one after the other."""
    lake = Lake(uri)
    batches = [(number, batch(number, size)) for number in range(first, first + n_batches)]
    sys.stdout.write("go\n")
    sys.stdout.flush()
    for number, rows in batches:
        lake.commit(TRADES, rows)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], *(int(each) for each in sys.argv[2:]))
