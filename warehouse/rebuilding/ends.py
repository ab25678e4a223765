"""Ends of recordings that have grown since: a file was imported, went on, and was imported again."""

from typing import TYPE_CHECKING, Final

import polars as pl

from warehouse.panels import dates_around
from warehouse.storage import collected
from warehouse.tables import BOOK_DELTAS, BOOK_SNAPSHOTS
from warehouse.tape_schemas import PASSING_ENDS

if TYPE_CHECKING:
    from datetime import date

    from warehouse.rebuilding.reading import Scanned

_ENDS_MAX: Final = 64  # that the files' statistics are asked about one by one


def without_passed_ends(lake: "Scanned", gaps: pl.DataFrame) -> pl.DataFrame:
    """Drop the ends of streams that went on.

    Where the next number that was heard, in whatever market, is not the end's own, numbers are missing: the
    end then lasts until that frame.
    """
    ends = gaps.filter(pl.col("cause").is_in(PASSING_ENDS))
    if ends.is_empty():
        return gaps
    ends = ends.select("session", "sid", "from_seq", "cause", "from_ts").unique()
    heard = (
        collected(pl.concat(_later(lake, ends)), lake.uri)
        .join(ends.drop("from_ts"), on=["session", "sid"])
        .filter(pl.col("seq") >= pl.col("from_seq"))
        .group_by("session", "sid", "from_seq", "cause")
        .agg(pl.col("seq", "known_ts").sort_by("seq").first().name.prefix("_"))
    )
    told = gaps.join(heard, on=["session", "sid", "from_seq", "cause"], how="left", maintain_order="left")
    return (
        told.filter(pl.col("_seq").ne_missing(pl.col("from_seq")))
        .with_columns(pl.coalesce("until_ts", "_known_ts").alias("until_ts"))
        .select(gaps.columns)
    )


def _later(lake: "Scanned", ends: pl.DataFrame) -> list[pl.LazyFrame]:
    """Return session, sid, seq, known_ts of the frames of books that came after these ends."""
    dates: tuple[date | None, date | None] = dates_around(ends["from_ts"].min(), None)  # type: ignore[arg-type]  # a column of times
    firsts = ends.group_by("session", "sid").agg(pl.col("from_seq").min())
    if firsts.height <= _ENDS_MAX:
        is_later = pl.any_horizontal(
            [
                (pl.col("session") == session) & (pl.col("sid") == sid) & (pl.col("seq") >= from_seq)
                for session, sid, from_seq in firsts.iter_rows()
            ]
        )
    else:
        is_later = pl.col("session").is_in(firsts["session"].unique().implode())
        is_later &= pl.col("seq") >= firsts["from_seq"].min()
    return [
        lake.scan(table, dates=dates)
        .filter(is_later)
        .select("session", "sid", "seq", known_ts=table.known_ts.expr)
        for table in (BOOK_DELTAS, BOOK_SNAPSHOTS)
    ]
