"""Candles that others downloaded, with their markets and events, into the lake.

The files hold dollars and contracts as floats; they are taken only where they are exact multiples of
$0.0001 and of 0.01 contract. Times without a zone are UTC, as `end_ts` in Unix seconds proves for candles.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import polars as pl

from exchange.units import DOLLAR_CC
from pipelines.ingest import exact
from pipelines.ingest.errors import UnreadableFile
from pipelines.ingest.market_facts import commit_facts, laid_over
from pipelines.ingest.receipts import ImportReceipt
from pipelines.ingest.refused import as_refused, quarantine
from pipelines.ingest.tape_files import unreadable
from pipelines.ingest.windows import candles_resource
from warehouse.lake import Lake
from warehouse.progress import Progress, silent
from warehouse.tables import CANDLES, EVENTS, Table

HOUR_S: Final = 3_600

_DAY_S: Final = 86_400
_NAMES: Final = {60: "one-minute", HOUR_S: "one-hour", _DAY_S: "one-day"}
_OHLC: Final = ("open", "high", "low", "close")
_QUOTES: Final = {f"yes_{side}_{each}_cc": f"yes_{side}_{each}" for side in ("bid", "ask") for each in _OHLC}
_PRICES: Final = {f"price_{each}_cc": f"price_{each}" for each in _OHLC} | {
    "price_previous_cc": "price_prev",
    "price_mean_cc": "price_mean",
}
_COUNTS: Final = {"volume_centi": "volume", "open_interest_centi": "open_interest"}
_CANDLES: Final = ("ticker", "end_ts", *_QUOTES.values(), *_PRICES.values(), *_COUNTS.values())

_MARKETS: Final = {
    "event_ticker": "event_ticker",
    "series_ticker": "_series_ticker",
    "market_type": "market_type",
    "yes_sub_title": "yes_sub_title",
    "no_sub_title": "no_sub_title",
    "open_ts": "open_time",
    "close_ts": "close_time",
    "expected_expiration_ts": "expected_expiration_time",
    "latest_expiration_ts": "expiration_time",
    "settlement_ts": "settlement_time",
    "status": "status",
    "result": "result",
    "strike_type": "strike_type",
    "floor_strike": "floor_strike",
    "cap_strike": "cap_strike",
    "rules_primary": "rules_primary",
    "volume_centi": "volume",
    "open_interest_centi": "open_interest",
}
_EVENTS: Final = {
    "series_ticker": "series_ticker",
    "title": "title",
    "sub_title": "sub_title",
    "category": "category",
    "mutually_exclusive": "mutually_exclusive",
    "strike_ts": "strike_date",
    "strike_period": "strike_period",
}

# Floats carry about 16 digits: a multiple of 1/10_000 below 10**8 comes out of them this exactly.
_SLACK: Final = 1e-6


def import_candles(
    lake: Lake,
    files: Sequence[Path],
    progress: Progress = silent,
    *,
    observed_ts: datetime,
    markets: Path | None = None,
    events: Path | None = None,
    period_s: int = HOUR_S,
) -> ImportReceipt:
    """Bring candles (Parquet), and the markets and events they belong to, into the lake.

    A bid or ask of $0 or $1 means that nobody quoted: null. Volume or open interest that is 0 for every
    market of the file was written by a reader of fields that no longer existed: null [data/README.md]. A
    result of yes or no pays $1 or $0. Markets and events count as observed at `observed_ts`, and lie over
    what is known of them as `market_facts` says.

    Raises:
        UnreadableFile: a file is missing, damaged or lacks a column; the lake is as it was.
        BadRequest: there are no candles of that length.
    """
    started_s = time.monotonic()
    candles_resource(period_s)
    given = [each for each in (*files, markets, events) if each is not None]
    receipt = ImportReceipt("candles", files=[str(each) for each in given])
    candles = [_read(path, _CANDLES) for path in files]
    listed = None if markets is None else _read(markets, ("ticker", *_MARKETS.values()))
    asked = None if events is None else _read(events, ("event_ticker", *_EVENTS.values()))
    if events is not None and asked is not None:
        _commit(lake, EVENTS, laid_over(lake, EVENTS, _events(asked, events, observed_ts)), receipt)
    if markets is not None and listed is not None:
        receipt.n_rows += listed.height
        commit_facts(lake, _markets(listed, markets, observed_ts), receipt)
    for done, (path, rows) in enumerate(zip(files, candles, strict=True)):
        progress("import candles", done, len(files))
        judged = _judged(rows, period_s)
        is_good = pl.col("field").is_null()
        refused = judged.filter(~is_good)
        quarantine(lake, CANDLES, _refused(path, refused), receipt)
        receipt.n_rows += refused.height
        _commit(lake, CANDLES, _candles(judged.filter(is_good), path, period_s), receipt)
    progress("import candles", len(files), len(files))
    receipt.wall_s = time.monotonic() - started_s
    return receipt


def _read(path: Path, columns: Sequence[str]) -> pl.DataFrame:
    try:
        rows = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise unreadable(path, error) from error
    if missing := [name for name in columns if name not in rows.columns]:
        raise UnreadableFile(
            f"{path}: column {', '.join(missing)} is missing; it has {', '.join(rows.columns)[:200]}"
        )
    return rows.select(columns)


def _commit(lake: Lake, table: Table, rows: pl.DataFrame, receipt: ImportReceipt) -> None:
    receipt.n_rows += rows.height
    commit = lake.commit(table, rows, location=str(rows.get_column("source").first()))
    receipt.count(table.name, n_new=commit.n_new, n_known=commit.n_known, n_quarantined=commit.n_quarantined)


def _judged(rows: pl.DataFrame, period_s: int) -> pl.DataFrame:
    prices = {name: text for name, text in (_QUOTES | _PRICES).items() if name != "price_mean_cc"}
    checks = [
        ("ticker", pl.col("ticker").fill_null("") == "", "is empty"),
        ("end_ts", ~(pl.col("end_ts") % 60 == 0).fill_null(value=False), "is no full minute in Unix seconds"),
        ("end_ts", ~_ends_a_period(period_s), f"ends no {_NAMES[period_s]} candle; see --period"),
        *(
            (name, _is_inexact(name, DOLLAR_CC, 1), "is no multiple of $0.0001 up to $1")
            for name in prices.values()
        ),
        ("price_mean", ~pl.col("price_mean").fill_null(0).is_between(0, 1), "is not between $0 and $1"),
        *((name, _is_inexact(name, 100, None), "is no count in 1/100 contract") for name in _COUNTS.values()),
        ("volume", pl.col("volume").is_null(), "is missing"),
    ]
    wrong = pl.coalesce(
        pl.when(is_wrong).then(
            pl.struct(field=pl.lit(field), value=pl.col(field).cast(pl.String), reason=pl.lit(reason))
        )
        for field, is_wrong, reason in checks
    )
    return rows.with_row_index("line", 1).with_columns(wrong.alias("wrong")).unnest("wrong")


def _ends_a_period(period_s: int) -> pl.Expr:
    if period_s < _DAY_S:
        return pl.col("end_ts") % period_s == 0
    # Days end at midnight in New York: 04:00 or 05:00 UTC [KALSHI.md §5.6].
    return (pl.col("end_ts") % _DAY_S).is_in([4 * HOUR_S, 5 * HOUR_S])


def _is_inexact(name: str, scale: int, most: int | None) -> pl.Expr:
    scaled = pl.col(name).cast(pl.Float64) * scale
    inside = pl.col(name) >= 0 if most is None else pl.col(name).is_between(0, most)
    is_exact = ((scaled - scaled.round(0)).abs() < _SLACK) & inside
    return pl.col(name).is_not_null() & ~is_exact.fill_null(value=False)


def _candles(rows: pl.DataFrame, path: Path, period_s: int) -> pl.DataFrame:
    quotes = [
        pl.when((pl.col(text) > 0) & (pl.col(text) < 1)).then(_scaled(text, DOLLAR_CC)).alias(name)
        for name, text in _QUOTES.items()
    ]
    return rows.select(
        "ticker",
        pl.lit(period_s, pl.Int32).alias("period_s"),
        (pl.col("end_ts").cast(pl.Int64) * 1_000_000).cast(exact.TIME).alias("end_ts"),
        *(each.cast(pl.Int32) for each in quotes),
        *(_scaled(text, DOLLAR_CC).cast(pl.Int32).alias(name) for name, text in _PRICES.items()),
        *(_scaled(text, 100).alias(name) for name, text in _COUNTS.items()),
        _source(path),
    )


def _markets(rows: pl.DataFrame, path: Path, observed_ts: datetime) -> pl.DataFrame:
    facts = _renamed(rows, {"ticker": "ticker"} | _MARKETS, observed_ts, path)
    result = pl.col("result")
    payout = pl.when(result == "yes").then(DOLLAR_CC).when(result == "no").then(0).cast(pl.Int32)
    counts = [
        pl.when((pl.col(name) != 0).any()).then(_scaled(name, 100)).alias(name)
        for name in ("volume_centi", "open_interest_centi")
    ]
    return facts.with_columns(*counts, payout.alias("settlement_value_cc"))


def _events(rows: pl.DataFrame, path: Path, observed_ts: datetime) -> pl.DataFrame:
    return _renamed(rows, {"ticker": "event_ticker"} | _EVENTS, observed_ts, path)


def _renamed(rows: pl.DataFrame, names: Mapping[str, str], observed_ts: datetime, path: Path) -> pl.DataFrame:
    return rows.select(
        *(_in_utc(rows.schema[old], old).alias(new) for new, old in names.items()),
        pl.lit(observed_ts).cast(exact.TIME).alias("observed_ts"),
        _source(path),
    )


def _in_utc(dtype: pl.DataType, name: str) -> pl.Expr:
    if isinstance(dtype, pl.Datetime):
        at = pl.col(name) if dtype.time_zone else pl.col(name).dt.replace_time_zone("UTC")
        return at.cast(exact.TIME)
    return pl.col(name)


def _scaled(name: str, scale: int) -> pl.Expr:
    return (pl.col(name).cast(pl.Float64) * scale).round(0).cast(pl.Int64)


def _source(path: Path) -> pl.Expr:
    return pl.lit(f"import:{path.name}").alias("source")


def _refused(path: Path, rows: pl.DataFrame) -> pl.DataFrame:
    location = pl.format("{}:{}", pl.lit(path.name), pl.col("line")).alias("location")
    payload = pl.struct(_CANDLES).struct.json_encode().alias("payload")
    return as_refused(rows.with_columns(location, payload))
