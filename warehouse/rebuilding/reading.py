"""Rows of books out of the lake, each stream in its own order, and when each row became known.

A stream is one subscription of one market: (ticker, session, sid), in order of seq. Its rows are known in
that order too: none before what came before it. Snapshots of polls have neither sid nor seq.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final, Protocol

import polars as pl

from warehouse.panels import dates_around
from warehouse.rebuilding.ends import without_passed_ends
from warehouse.rebuilding.ordering import Streams, in_order
from warehouse.storage import collected
from warehouse.tables import BOOK_DELTAS, BOOK_GAPS, BOOK_SNAPSHOTS, Table

# A stream's order in time: one counter per subscription, subscriptions one after the other.
STREAM: Final = ["ticker", "session", "sid"]
IS_WHOLE: Final = pl.col("depth").is_null()
"""Of a row of book_snapshots: every level was recorded. Without the others, no book can be told from it."""
SIDES: Final = ["yes_prices_cc", "yes_counts_centi", "no_prices_cc", "no_counts_centi"]
# Clocks of recorder and exchange differ by seconds at most; a base snapshot this much older is safe.
CLOCK_SKEW: Final = timedelta(minutes=10)

POLLS: Final = "rest"  # the method of snapshots that stand alone

# By which clock changes count: when we knew of them, or when the exchange says they happened.
KNOWN: Final = BOOK_DELTAS.known_ts.expr
EXCHANGE: Final = pl.col("event_ts")

_HEAD: Final = [*STREAM, "seq", "captured_ts", "method"]
_GAP: Final = [*STREAM, "from_seq", "to_seq", "from_ts", "until_ts", "cause", "is_recovered"]
_DAY: Final = timedelta(days=1)
_PAIRS_MAX: Final = 32  # of (ticker, session) that the files' statistics are asked about one by one


class Scanned(Protocol):
    """What reading needs of a lake."""

    @property
    def uri(self) -> str:
        """Where it lies, for messages."""

    def scan(self, table: Table, *, dates: tuple[date | None, date | None] = (None, None)) -> pl.LazyFrame:
        """Read a table lazily; `dates` limits the files that are looked at."""


def read_streams(
    lake: Scanned,
    named: Sequence[str] | None,
    start_ts: datetime | None,
    end_ts: datetime | None,
    *,
    clock: pl.Expr = KNOWN,
    has_levels: bool = True,
    is_sparing: bool = True,
) -> Streams:
    """Read what rebuilds the books of `[start_ts, end_ts)`, and maybe a little more.

    Args:
        lake: where from.
        named: the markets; None means all.
        start_ts: None means from the beginning.
        end_ts: None means to the end.
        clock: what `known_ts` of a delta is, before it is put after what came before it.
        has_levels: whether snapshots come with their levels.
        is_sparing: leave out what no book of the interval needs: changes before a session's last snapshot at
            `start_ts`, and sessions that are broken from before the interval until after it.
    """
    gaps = _gaps(lake, named, end_ts)
    snapshots = _heads(lake, named, start_ts, end_ts)
    if is_sparing and start_ts is not None and end_ts is not None:
        blind = gaps.filter(
            pl.col("from_ts") < start_ts - CLOCK_SKEW,
            pl.col("until_ts").is_null() | (pl.col("until_ts") > end_ts),
        )
        over = blind.filter(~pl.col("session").is_in(_polling(snapshots).implode()))
        snapshots = snapshots.join(over, on=["ticker", "session"], how="anti", maintain_order="left")
    if has_levels:
        snapshots = with_levels(lake, snapshots)
    deltas = _deltas(lake, named, snapshots, (start_ts, end_ts), clock, is_sparing=is_sparing)
    return in_order(snapshots, deltas, gaps)


def with_levels(lake: Scanned, heads: pl.DataFrame) -> pl.DataFrame:
    """Return snapshots with the levels that the lake has of them, in the same order."""
    if heads.is_empty():
        schema = {name: BOOK_SNAPSHOTS.polars_schema[name] for name in SIDES}
        return heads.with_columns(pl.lit(None, dtype=dtype).alias(name) for name, dtype in schema.items())
    key, found, captured = ["ticker", "session", "captured_ts"], [], pl.col("captured_ts")
    # A book can rest on a snapshot of long ago: the days between are not read.
    run = (captured.diff() > _DAY).cum_sum().fill_null(0)
    spans = heads.sort(captured).group_by(run.alias("run")).agg(captured.min(), last_ts=captured.max())
    for _, first_ts, last_ts in spans.iter_rows():
        rows = _of(
            lake.scan(BOOK_SNAPSHOTS, dates=(first_ts.date(), last_ts.date())), heads["ticker"].unique()
        )
        found.append(rows.filter(captured.is_between(first_ts, last_ts)).select(*key, *SIDES))
    told = collected(pl.concat(found), lake.uri)
    return heads.join(told, on=key, how="inner", maintain_order="left")


def _polling(snapshots: pl.DataFrame) -> pl.Series:
    """Return the sessions of polls; they are kept, for the end of one is no break of a stream."""
    return snapshots.filter(pl.col("method") == POLLS)["session"].unique()


def _heads(
    lake: Scanned, named: Sequence[str] | None, start_ts: datetime | None, end_ts: datetime | None
) -> pl.DataFrame:
    """Return whole snapshots without their levels: of each session the last one before start, and later."""
    rows = lake.scan(BOOK_SNAPSHOTS, dates=dates_around(None, end_ts)).filter(IS_WHOLE)
    rows = rows if named is None else _of(rows, pl.Series(named))
    if end_ts is not None:
        rows = rows.filter(pl.col("captured_ts") < end_ts + CLOCK_SKEW)
    found = collected(rows.select(_HEAD), lake.uri).sort(*STREAM, "seq", "captured_ts", nulls_last=False)
    if start_ts is not None:
        is_base = pl.col("captured_ts") <= start_ts - CLOCK_SKEW
        base = pl.col("place").filter(is_base).max().over("ticker", "session")
        found = found.with_row_index("place").filter(base.is_null() | (pl.col("place") >= base)).drop("place")
    return found.with_columns(known_ts="captured_ts")


def _deltas(
    lake: Scanned,
    named: Sequence[str] | None,
    snapshots: pl.DataFrame,
    bounds: tuple[datetime | None, datetime | None],
    clock: pl.Expr,
    *,
    is_sparing: bool,
) -> pl.DataFrame:
    start_ts, end_ts = bounds
    streams = snapshots.filter(pl.col("method") != POLLS)
    first_ts, oldest_ts = start_ts, streams["captured_ts"].min()
    if start_ts is not None and oldest_ts is not None:
        assert isinstance(oldest_ts, datetime)
        first_ts = min(start_ts, oldest_ts)
    rows = lake.scan(BOOK_DELTAS, dates=dates_around(first_ts, end_ts))
    rows = rows if named is None else _of(rows, pl.Series(named))
    rows = rows.with_columns(known_ts=clock)
    if end_ts is not None:
        rows = rows.filter(pl.col("known_ts") < end_ts + CLOCK_SKEW)
    if is_sparing:
        rows = _since_bases(rows, streams, start_ts)
    columns = (*STREAM, "seq", "side", "price_cc", "delta_centi", "event_ts", "known_ts")
    return collected(rows.select(columns), lake.uri)


def _since_bases(rows: pl.LazyFrame, snapshots: pl.DataFrame, start_ts: datetime | None) -> pl.LazyFrame:
    """Keep deltas of sessions that have a snapshot; of few sessions, none before the session's base."""
    bases = snapshots.group_by("ticker", "session", maintain_order=True).first()
    is_base = pl.lit(value=False) if start_ts is None else pl.col("captured_ts") <= start_ts - CLOCK_SKEW
    numbers = (pl.when(is_base).then(each).alias(each) for each in ("sid", "seq"))
    pairs = bases.select("ticker", "session", *numbers)
    if pairs.height > _PAIRS_MAX or pairs.is_empty():
        return rows.filter(pl.col("session").is_in(pairs["session"].unique().implode()))
    wanted = []
    for ticker, session, sid, seq in pairs.iter_rows():
        is_it = (pl.col("ticker") == ticker) & (pl.col("session") == session)
        if sid is not None and seq is not None:
            is_it &= (pl.col("sid") > sid) | ((pl.col("sid") == sid) & (pl.col("seq") > seq))
        wanted.append(is_it)
    return rows.filter(pl.any_horizontal(wanted))


def _gaps(lake: Scanned, named: Sequence[str] | None, end_ts: datetime | None) -> pl.DataFrame:
    gaps = lake.scan(BOOK_GAPS).explode("tickers").rename({"tickers": "ticker"})
    if named is not None:
        gaps = gaps.filter(pl.col("ticker").is_in(list(named)))
    if end_ts is not None:
        gaps = gaps.filter(pl.col("from_ts") < end_ts)
    return without_passed_ends(lake, collected(gaps.select(_GAP), lake.uri))


def _of(rows: pl.LazyFrame, tickers: pl.Series) -> pl.LazyFrame:
    """Keep the rows of markets; the bounds let files and row groups be passed over."""
    if len(tickers) == 1:
        return rows.filter(pl.col("ticker") == tickers[0])
    inside = pl.col("ticker").is_between(pl.lit(tickers.min()), pl.lit(tickers.max()))
    return rows.filter(inside & pl.col("ticker").is_in(tickers.implode()))
