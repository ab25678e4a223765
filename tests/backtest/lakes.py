"""Small lakes on disk: real tables, hand-made quotes and markets, times in minutes after T0."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from warehouse import Lake
from warehouse.tables import MARKETS, QUOTES, SERIES, Table

T0 = datetime(2026, 9, 1, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def a_quote(
    minutes: float, bid_cc: int | None, ask_cc: int | None, ticker: str = "KXT-1-A"
) -> dict[str, Any]:
    return {
        "ticker": ticker,
        "session": "s",
        "event_ts": at(minutes),
        "received_ts": at(minutes),
        "bid_cc": bid_cc,
        "ask_cc": ask_cc,
        "bid_size_centi": None if bid_cc is None else 100_000,
        "ask_size_centi": None if ask_cc is None else 100_000,
    }


def a_market(
    ticker: str = "KXT-1-A", *, seen: float = -1_440, close: float = 120, **more: object
) -> dict[str, Any]:
    return {
        "ticker": ticker,
        "observed_ts": at(seen),
        "event_ticker": ticker.rsplit("-", 1)[0],
        "series_ticker": "KXT",
        "open_ts": at(-600),
        "close_ts": at(close),
        "can_close_early": True,
        "price_level_structure": "linear_cent",
        **more,
    }


def committed(lake: Lake, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
    schema = table.polars_schema
    told = [{name: row.get(name) for name in schema} | {"source": row.get("source", "test")} for row in rows]
    lake.commit(table, pl.DataFrame(told, schema=schema))


def a_lake(folder: Path, quotes: Iterable[Mapping[str, Any]], markets: Iterable[Mapping[str, Any]]) -> Lake:
    lake = Lake(folder / "lake")
    committed(lake, QUOTES, quotes)
    committed(lake, MARKETS, markets)
    series = {
        "ticker": "KXT",
        "observed_ts": at(-9_999),
        "fee_type": "quadratic",
        "fee_multiplier_ppm": 1_000_000,
    }
    committed(lake, SERIES, [series])
    return lake
