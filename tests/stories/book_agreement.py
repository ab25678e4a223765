"""What the exchange's ticker channel says of the books that recordings of its stream rebuild.

`python -m tests.stories.book_agreement RECORDING …` imports recordings into a lake of its own, prints for
each what its messages are to the books, and ends with 1 unless 99.5 % of those that fall where a book is
known agree with it on best bid, best ask and both sizes.
"""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import polars as pl

from pipelines.ingest.import_ws import import_ws
from warehouse import Lake
from warehouse.book_quality import quotes_agreement
from warehouse.book_quality_tops import AGREEMENTS
from warehouse.tables import QUOTES

LEAST: Final = 0.995
RIGHT: Final = ("ok", "late")
UNDECIDED: Final = ("unknown", "edge")

_NOW: Final = datetime(2026, 11, 26, tzinfo=UTC)
_LIFE: Final = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))


def by_recording(lake: Lake, files: Sequence[Path]) -> pl.DataFrame:
    """Import recordings; return for each: recording, messages, known, agree (of those), and AGREEMENTS.

    A message is held against what the lake says of its market, from whatever recording that comes.
    """
    import_ws(lake, files, observed_ts=_NOW)
    quotes = lake.scan(QUOTES).select("ticker", "session", "source").collect()
    told = quotes_agreement(lake, sorted(quotes["ticker"].unique()), *_LIFE)
    sources = quotes.select("session", recording=pl.col("source").str.strip_prefix("import:")).unique()
    counts = [(pl.col("agreement") == each).sum().cast(pl.Int64).alias(each) for each in AGREEMENTS]
    rows = told.join(sources, on="session").group_by("recording").agg(*counts, pl.len().alias("messages"))
    known = pl.col("messages") - pl.sum_horizontal(UNDECIDED)
    return (
        rows.with_columns(known=known)
        .with_columns(agree=pl.when(pl.col("known") > 0).then(pl.sum_horizontal(RIGHT) / pl.col("known")))
        .select("recording", "messages", "known", "agree", *AGREEMENTS)
        .sort("recording")
    )


def share(rows: pl.DataFrame) -> float:
    """Return which share of all messages that fall where a book is known agrees with it."""
    return float(rows.select(pl.sum_horizontal(pl.col(RIGHT).sum())).item() / rows["known"].sum())


def main(names: Sequence[str]) -> int:
    """Import, print, judge."""
    with TemporaryDirectory() as folder:
        rows = by_recording(Lake(folder), [Path(each) for each in names])
    with pl.Config(
        tbl_rows=-1, tbl_cols=-1, tbl_width_chars=220, fmt_str_lengths=60, tbl_hide_column_data_types=True
    ):
        sys.stdout.write(f"{rows}\n")
    sys.stdout.write(
        f"{share(rows):.4%} of {rows['known'].sum():,} agree, of {rows['messages'].sum():,} messages\n"
    )
    return int(share(rows) < LEAST)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
