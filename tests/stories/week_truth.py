"""What the lake should hold after the week and what it holds: the same, row for row, or differences.

The truth is written as Parquet from the source's own arrays, without a line of the code that is under test.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import duckdb
import polars as pl

from exchange.units import DOLLAR_CC, from_us
from sandbox.bulk import BulkSource
from tests.stories.week_history import history_differences
from warehouse import Lake
from warehouse.ledger import COMPLETE
from warehouse.tables import CANDLES, EVENTS, FEE_CHANGES, MARKETS, SERIES, WINDOWS, Table

TIME: Final = pl.Datetime("us", "UTC")
COMBOS: Final = "KXMVE"
HOUR_S: Final = 3_600
# Where the lake says it in other words than the exchange's own names, or keeps what the exchange does not.
_RENAMED: Final = {
    "fee_changes": {"multiplier_ppm": "fee_multiplier_ppm"},
    "trades": {"created_ts": "event_ts"},
}
LIVES: Final = (
    "created_us", "open_us", "first_close_us", "moved_us", "close_us", "determined_us", "disputed_us",
    "amended_us", "settled_us", "pause_us", "vanishes",
)  # fmt: skip


def write_truth(source: BulkSource, folder: Path, sampled_series: str) -> dict[str, int]:
    """Write what the lake should hold by now, one Parquet file a table; return how many rows each has.

    Of candles, which are asked for by series, only those of one series are written: hours.
    """
    folder.mkdir(parents=True, exist_ok=True)
    now_us, plan = source.now_us, source.plan
    events = source.listing.events(now_us)
    series_of = {each.ticker: each.series_ticker for each in events}
    is_gone = (plan.vanishes & (plan.settled_us <= now_us)).tolist()
    markets = [
        asdict(market) | {"series_ticker": series_of[market.event_ticker], "is_gone": is_gone[rank]}
        for rank in range(int((plan.created_us <= now_us).sum()))
        for market in [source.listing.market(rank, now_us)]
    ]
    tables = {
        "trades": _trades(source),
        "series": _frame([asdict(each) for each in source.series()]),
        "events": _frame([asdict(each) for each in events]),
        "markets": _frame(markets),
        "fee_changes": _frame([asdict(each) for each in source.fee_changes()]),
        "candles": _candles(source, sampled_series),
        "lives": pl.DataFrame(
            {"ticker": source.listing.tickers, **{name: getattr(plan, name) for name in LIVES}}
        ),
    }
    for name, rows in tables.items():
        rows.rename(_RENAMED.get(name, {})).write_parquet(folder / f"{name}.parquet")
    return {name: rows.height for name, rows in tables.items()}


def differences(lake: Lake, truth: Path) -> list[str]:
    """Compare every table; return a sentence for each that is not what the exchange says, combos left out."""
    found = _trade_differences(lake, truth)
    for table in (SERIES, EVENTS, MARKETS):
        latest = lake.scan(table).sort("observed_ts").unique("ticker", keep="last").collect()
        found += _row_differences(table, latest, _told(truth, table.name))
    found += _row_differences(FEE_CHANGES, lake.scan(FEE_CHANGES).collect(), _told(truth, "fee_changes"))
    return found + _candle_differences(lake, truth) + history_differences(lake, truth)


def _trades(source: BulkSource) -> pl.DataFrame:
    """Return every trade that shows by now."""
    trades = source.trades
    n_bytes = trades.ids.shape[1]
    raw = trades.ids.tobytes()
    digits = pl.Series([raw[at : at + n_bytes] for at in range(0, len(raw), n_bytes)], dtype=pl.Binary)
    parts = ((0, 8), (8, 4), (12, 4), (16, 4), (20, 12))
    rows = pl.DataFrame(
        {
            "digits": digits.bin.encode("hex"),
            "market": trades.market,
            "created_ts": pl.Series(trades.time_us).cast(TIME),
            "yes_price_cc": pl.Series(trades.price_cc).cast(pl.Int32),
            "count_centi": pl.Series(trades.count_centi).cast(pl.Int64),
            "taker_side": pl.Series(trades.is_yes).replace_strict({True: "yes", False: "no"}),
            "is_block_trade": trades.is_block,
        }
    )
    tickers = pl.DataFrame({"ticker": source.listing.tickers}).with_row_index("market")
    shown = (trades.shown_us <= source.now_us) & (trades.time_us <= source.now_us)
    return (
        rows.filter(pl.Series(shown))
        .with_columns(pl.col("market").cast(pl.UInt32))
        .join(tickers, on="market", how="left")
        .select(
            pl.concat_str([pl.col("digits").str.slice(*part) for part in parts], separator="-").alias(
                "trade_id"
            ),
            "ticker",
            pl.exclude("digits", "market", "ticker"),
        )
    )


def _candles(source: BulkSource, series: str) -> pl.DataFrame:
    """Return the hourly bars of a series; an empty side of the book is null."""
    rows: list[dict[str, object]] = [
        {
            "ticker": each.ticker,
            "end_ts": each.end_ts,
            "volume_centi": each.volume_centi,
            "open_interest_centi": each.open_interest_centi,
            "price_open_cc": each.price.open_cc if each.price else None,
            "price_high_cc": each.price.high_cc if each.price else None,
            "price_low_cc": each.price.low_cc if each.price else None,
            "price_close_cc": each.price.close_cc if each.price else None,
            "yes_bid_close_cc": each.yes_bid.close_cc or None,
            "yes_ask_close_cc": each.yes_ask.close_cc if each.yes_ask.close_cc < DOLLAR_CC else None,
        }
        for ticker in source.listing.tickers
        if ticker.startswith(f"{series}-")
        for each in source.candles(ticker, period_s=HOUR_S, start_ts=from_us(0), end_ts=source.now_ts)
    ]
    return _frame(rows) if rows else CANDLES.empty()


def _candle_differences(lake: Lake, truth: Path) -> list[str]:
    """Compare the bars that lie in windows which the lake calls complete: all of them, and as they are."""
    told = pl.read_parquet(truth / "candles.parquet")
    windows = lake.scan(WINDOWS).filter(resource=f"candles_{HOUR_S}", status=COMPLETE).collect()
    is_covered = pl.any_horizontal(
        pl.lit(value=False),
        *(
            (pl.col("end_ts") >= start_ts) & (pl.col("end_ts") < end_ts)
            for start_ts, end_ts in windows.select("start_ts", "end_ts").iter_rows()
        ),
    )
    kept = lake.scan(CANDLES).collect()
    return _row_differences(CANDLES, kept, told.filter(is_covered).with_columns(period_s=pl.lit(HOUR_S)))


def _frame(rows: Sequence[dict[str, object]]) -> pl.DataFrame:
    return pl.DataFrame(rows, infer_schema_length=None)


def _told(truth: Path, name: str) -> pl.DataFrame:
    rows = pl.read_parquet(truth / f"{name}.parquet")
    # What is listed of series and fees names combos too; their events, markets and trades are not asked for.
    return rows.filter(~pl.col("ticker").str.starts_with(COMBOS)) if name in {"events", "markets"} else rows


def _trade_differences(lake: Lake, truth: Path) -> list[str]:
    """Compare trades as a DuckDB client reads them: neither side has a row that the other lacks."""
    columns = "trade_id, ticker, event_ts, yes_price_cc, count_centi, taker_side, is_block_trade"
    told = f"(select {columns} from '{truth}/trades.parquet' where not starts_with(ticker, '{COMBOS}'))"
    kept = f"(select {columns} from raw.trades)"
    with duckdb.connect(str(lake.path / "warehouse.duckdb"), read_only=True) as connection:
        counted = {
            what: connection.execute(f"select count(*) from ({query})").fetchall()[0][0]
            for what, query in {
                "trades are missing or differ": f"{told} except all {kept}",
                "trades are no trades of the exchange, or twice": f"{kept} except all {told}",
            }.items()
        }
    return [f"{n:,} {what}" for what, n in counted.items() if n]


def _row_differences(table: Table, kept: pl.DataFrame, told: pl.DataFrame) -> list[str]:
    """Compare the columns that both have, row by row and column by column, by ticker (and time, for fees)."""
    key = [each for each in table.key if each != "observed_ts"]
    if "is_gone" in told.columns:
        # What has vanished stays in the lake as it was seen last, if it was ever seen.
        gone = told.filter("is_gone").select("ticker")
        told = told.filter(~pl.col("is_gone"))
        kept = kept.join(gone, on="ticker", how="anti")
    columns = [each for each in table.columns if each in told.columns and each not in key]
    missing = told.join(kept, on=key, how="anti", nulls_equal=True)
    strange = kept.join(told, on=key, how="anti", nulls_equal=True)
    found = [
        f"{rows.height:,} {table.name} {what}, {rows[key[-1]][0]} for one"
        for rows, what in ((missing, "are missing"), (strange, "are none of the exchange's"))
        if rows.height
    ]
    both = told.join(kept.select([*key, *columns]), on=key, suffix="_kept")
    for name in columns:
        is_other = pl.col(name).ne_missing(pl.col(f"{name}_kept").cast(told.schema[name]))
        rows = both.filter(is_other)
        if rows.height:
            one = rows.row(0, named=True)
            found.append(
                f"{rows.height:,} {table.name} differ in {name}: {one['ticker']} has {one[f'{name}_kept']!r} "
                f"instead of {one[name]!r}"
            )
    return found
