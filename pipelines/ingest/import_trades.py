"""Trade tapes that others downloaded, into the lake.

Columns: trade_id, ticker, count, created_time, yes_price, no_price, taker_side; prices in whole cents, as
the API sent them until 2026-03 [KALSHI.md §13]; other columns are ignored. A row that is not a trade is
named and quarantined, the rest goes in. Kalshi's trade_id makes a tape importable twice, and an old pull
after a new one.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import polars as pl

from exchange.units import DOLLAR_CC
from pipelines.ingest import exact
from pipelines.ingest.receipts import ImportReceipt
from pipelines.ingest.refused import as_refused, quarantine
from pipelines.ingest.tape_files import check_tape, tape_chunks
from warehouse.choosing import lacking
from warehouse.lake import Lake
from warehouse.progress import Progress, silent
from warehouse.tables import TRADES

COMMIT_ROWS: Final = 1_000_000
COLUMNS: Final = ("trade_id", "ticker", "count", "created_time", "yes_price", "no_price", "taker_side")


def import_trades(lake: Lake, files: Sequence[Path], progress: Progress = silent) -> ImportReceipt:
    """Bring trade tapes (CSV, CSV.gz, Parquet) into `trades`.

    Every file is checked before the first row goes in.

    Raises:
        UnreadableFile: a file is missing, damaged or lacks a column; the lake is as it was.
    """
    started_s = time.monotonic()
    receipt = ImportReceipt("trades", files=[str(each) for each in files])
    for path in files:
        check_tape(path, COLUMNS)
    for done, path in enumerate(files):
        progress("import trades", done, len(files))
        waiting: list[pl.DataFrame] = []
        is_whole = True
        for chunk in tape_chunks(path, COLUMNS):
            waiting.append(_good(lake, path, chunk, receipt))
            if sum(each.height for each in waiting) >= COMMIT_ROWS:
                _commit(lake, path, pl.concat(waiting), receipt, is_whole=False)
                waiting, is_whole = [], False
        if waiting:
            _commit(lake, path, pl.concat(waiting), receipt, is_whole=is_whole)
    progress("import trades", len(files), len(files))
    receipt.wall_s = time.monotonic() - started_s
    return receipt


def _good(lake: Lake, path: Path, chunk: pl.DataFrame, receipt: ImportReceipt) -> pl.DataFrame:
    """Return the trades of a chunk; what is none goes into quarantine."""
    receipt.n_rows += chunk.height
    read = read_trades(chunk)
    is_good = pl.col("reason").is_null()
    quarantine(lake, TRADES, _refused(path, read.filter(~is_good)), receipt)
    return read.filter(is_good).select(
        "trade_id",
        "ticker",
        "event_ts",
        "yes_price_cc",
        "count_centi",
        "taker_side",
        pl.lit(f"import:{path.name}").alias("source"),
    )


def _commit(lake: Lake, path: Path, trades: pl.DataFrame, receipt: ImportReceipt, *, is_whole: bool) -> None:
    """Commit trades; of a whole tape, only days of a market that the lake does not have whole and better."""
    told = lacking(lake.place, TRADES, lake.files(TRADES), trades) if is_whole else trades
    commit = lake.commit(TRADES, told, location=path.name)
    n_known = trades.height - told.height + commit.n_known
    receipt.count(TRADES.name, n_new=commit.n_new, n_known=n_known, n_quarantined=commit.n_quarantined)


def read_trades(chunk: pl.DataFrame) -> pl.DataFrame:
    """Read a chunk of text cells (see `tape_chunks`) as trades.

    Returns:
        The chunk plus event_ts, yes_price_cc, no_price_cc, count_centi, and field, value, reason: what is
        wrong with the row, or null.
    """
    read = chunk.with_columns(
        exact.moment("created_time").alias("event_ts"),
        exact.cents_cc("yes_price").alias("yes_price_cc"),
        exact.cents_cc("no_price").alias("no_price_cc"),
        exact.centi("count").alias("count_centi"),
    )
    checks = _checks()
    verdict = pl.coalesce(
        pl.when(is_wrong).then(pl.struct(field=pl.lit(field), value=_shown(field), reason=pl.lit(reason)))
        for field, is_wrong, reason in checks
    )
    return read.with_columns(verdict.alias("verdict")).unnest("verdict")


def _checks() -> tuple[tuple[str | None, pl.Expr, str], ...]:
    yes_cc, no_cc = pl.col("yes_price_cc"), pl.col("no_price_cc")
    cents = "is not a whole number of cents from 1 to 99"
    return (
        (None, pl.col("is_torn"), "a quoted cell holds a line break, which no trade has"),
        (None, pl.col("n_missing") > 0, "the row has fewer cells than the first line names columns"),
        (None, pl.col("n_missing") < 0, "the row has more cells than the first line names columns"),
        (None, pl.col("payload").str.contains("\ufffd", literal=True), "the row is not UTF-8 text"),
        ("trade_id", _is_empty("trade_id"), "is empty"),
        ("ticker", _is_empty("ticker"), "is empty"),
        ("count", _outside("count_centi", 1, None), "is not a positive count with at most 2 decimals"),
        (
            "created_time",
            pl.col("event_ts").is_null(),
            "is not a time with a zone and at most 6 decimals, such as 2025-07-19T14:22:42.193311Z",
        ),
        ("yes_price", _outside("yes_price_cc", 1, DOLLAR_CC - 1), cents),
        ("no_price", _outside("no_price_cc", 1, DOLLAR_CC - 1), cents),
        ("no_price", yes_cc + no_cc != DOLLAR_CC, "does not make 100 cents with yes_price"),
        ("taker_side", ~pl.col("taker_side").is_in(["yes", "no"]).fill_null(value=False), "is not yes or no"),
    )


def _is_empty(column: str) -> pl.Expr:
    return pl.col(column).fill_null("") == ""


def _outside(column: str, least: int, most: int | None) -> pl.Expr:
    value = pl.col(column)
    inside = value >= least if most is None else value.is_between(least, most)
    return ~inside.fill_null(value=False)


def _shown(field: str | None) -> pl.Expr:
    return pl.lit(None, pl.String) if field is None else pl.col(field).fill_null("")


def _refused(path: Path, rows: pl.DataFrame) -> pl.DataFrame:
    location = pl.format("{}:{}", pl.lit(path.name), pl.col("line")).alias("location")
    return as_refused(rows.with_columns(location))
