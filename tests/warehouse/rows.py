"""Small rows to put into a lake; every argument that a test cares about is named there."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import polars as pl

from warehouse.tables import Table

NOON: Final = datetime(2026, 5, 13, 12, tzinfo=UTC)


def at(seconds: float = 0, *, days: int = 0) -> datetime:
    """Return noon of 2026-05-13, moved."""
    return NOON + timedelta(days=days, seconds=seconds)


def frame(table: Table, *rows: dict[str, Any]) -> pl.DataFrame:
    """Lay rows out with the declared columns; what a row does not name is null."""
    names = dict.fromkeys(name for row in rows for name in row)
    schema = {name: dtype for name, dtype in table.polars_schema.items() if name in names}
    return pl.DataFrame(list(rows), schema=schema)


def a_trade(trade_id: str = "t1", **changes: object) -> dict[str, Any]:
    """Return one trade: 10 contracts of A at $0.56."""
    return {
        "trade_id": trade_id,
        "ticker": "KXA-1",
        "event_ts": at(),
        "yes_price_cc": 5_600,
        "count_centi": 1_000,
        "taker_side": "yes",
        "is_block_trade": False,
        "source": "test",
    } | changes


def a_market(ticker: str = "KXA-1", **changes: object) -> dict[str, Any]:
    """Return one state of a market that opened yesterday and closes tomorrow."""
    return {
        "ticker": ticker,
        "observed_ts": at(),
        "event_ticker": "KXA",
        "series_ticker": "KX",
        "market_type": "binary",
        "yes_sub_title": "above 5",
        "no_sub_title": "not above 5",
        "created_ts": at(days=-2),
        "updated_ts": at(days=-1),
        "open_ts": at(days=-1),
        "close_ts": at(days=1),
        "status": "active",
        "result": "",
        "settlement_value_cc": None,
        "settlement_ts": None,
        "can_close_early": True,
        "floor_strike": 5.0,
        "notional_value_cc": 10_000,
        "price_ranges": [{"start_cc": 0, "end_cc": 10_000, "step_cc": 100}],
        "last_price_cc": 5_600,
        "volume_centi": 1_000,
        "open_interest_centi": 1_000,
        "source": "test",
    } | changes


def an_event(ticker: str = "KXA", **changes: object) -> dict[str, Any]:
    """Return one state of an event of series KX."""
    return {"ticker": ticker, "observed_ts": at(), "series_ticker": "KX", "source": "test"} | changes


def a_snapshot(seq: int | None = 1, **changes: object) -> dict[str, Any]:
    """Return a book: 20 YES at $0.40, 10 YES at $0.45; 30 NO at $0.50."""
    return {
        "ticker": "KXA-1",
        "session": "s1",
        "captured_ts": at(),
        "sid": None if seq is None else 1,
        "seq": seq,
        "yes_prices_cc": [4_000, 4_500],
        "yes_counts_centi": [2_000, 1_000],
        "no_prices_cc": [5_000],
        "no_counts_centi": [3_000],
        "method": "rest" if seq is None else "ws",
        "source": "test",
    } | changes


def a_delta(seq: int, **changes: object) -> dict[str, Any]:
    """Return one change: 5 more YES at $0.45, `seq` seconds after noon."""
    return {
        "session": "s1",
        "sid": 1,
        "seq": seq,
        "ticker": "KXA-1",
        "side": "yes",
        "price_cc": 4_500,
        "delta_centi": 500,
        "event_ts": at(seq),
        "received_ts": at(seq),
        "source": "test",
    } | changes


def a_gap(from_seq: int, **changes: object) -> dict[str, Any]:
    """Return a hole of session s1 that nothing repaired."""
    return {
        "session": "s1",
        "sid": 1,
        "from_seq": from_seq,
        "to_seq": from_seq,
        "tickers": ["KXA-1"],
        "from_ts": at(from_seq - 1),
        "until_ts": None,
        "cause": "hole",
        "is_recovered": False,
        "source": "test",
    } | changes


def a_quote(seconds: float = 0, **changes: object) -> dict[str, Any]:
    """Return one top of book: 0.45 x 0.50, received when it happened."""
    return {
        "ticker": "KXA-1",
        "session": "s1",
        "event_ts": at(seconds),
        "received_ts": at(seconds),
        "bid_cc": 4_500,
        "bid_size_centi": 1_000,
        "ask_cc": 5_000,
        "ask_size_centi": 3_000,
        "last_price_cc": 4_800,
        "source": "test",
    } | changes


def a_candle(**changes: object) -> dict[str, Any]:
    """Return one hour that ended at noon: bid 0.45, ask 0.50, ten contracts at 0.48."""
    prices = {"yes_bid": 4_500, "yes_ask": 5_000, "price": 4_800}
    each = {
        f"{side}_{name}_cc": cc for side, cc in prices.items() for name in ("open", "high", "low", "close")
    }
    return {
        "ticker": "KXA-1",
        "period_s": 3_600,
        "end_ts": at(),
        **each,
        "volume_centi": 1_000,
        "source": "test",
    } | changes
