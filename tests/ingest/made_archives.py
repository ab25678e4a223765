"""A public archive as prediction-market-analysis writes it, made for one test."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

CENTS = pa.int64()
TRADE_TYPES: dict[str, pa.DataType] = {
    "trade_id": pa.string(),
    "ticker": pa.string(),
    "count": CENTS,
    "yes_price": CENTS,
    "no_price": CENTS,
    "taker_side": pa.string(),
    "created_time": pa.timestamp("us", "UTC"),
    "_fetched_at": pa.timestamp("us"),
}
MARKET_TYPES: dict[str, pa.DataType] = {
    **dict.fromkeys(
        ("ticker", "event_ticker", "market_type", "title", "yes_sub_title", "no_sub_title", "status"),
        pa.string(),
    ),
    **dict.fromkeys(("yes_bid", "yes_ask", "no_bid", "no_ask", "last_price"), CENTS),
    **dict.fromkeys(("volume", "volume_24h", "open_interest"), CENTS),
    "result": pa.string(),
    **dict.fromkeys(("created_time", "open_time", "close_time"), pa.timestamp("us", "UTC")),
    "_fetched_at": pa.timestamp("us"),
}


def a_trade(trade_id: str = "t-1", day: int = 1, **changed: object) -> dict[str, Any]:
    """Return a row of the archive: 3 contracts at 14 cents on a day of July 2025."""
    return {
        "trade_id": trade_id,
        "ticker": "KXA-1-Y",
        "count": 3,
        "yes_price": 14,
        "no_price": 86,
        "taker_side": "yes",
        "created_time": datetime.fromisoformat(f"2025-07-{day:02}T14:22:42.193311+00:00"),
        "_fetched_at": datetime.fromisoformat("2025-11-20T01:02:03.000004"),
    } | changed


def a_market(ticker: str = "KXA-1-Y", **changed: object) -> dict[str, Any]:
    """Return a row of the archive: a market that settled yes, fetched in November 2025."""
    return {
        "ticker": ticker,
        "event_ticker": "KXA-1",
        "market_type": "binary",
        "title": "Above?",
        "yes_sub_title": "above",
        "no_sub_title": "not above",
        "status": "finalized",
        "yes_bid": 98,
        "yes_ask": 100,
        "no_bid": 0,
        "no_ask": 2,
        "last_price": 97,
        "volume": 120,
        "volume_24h": 0,
        "open_interest": 40,
        "result": "yes",
        "created_time": datetime.fromisoformat("2025-06-30T10:00:00+00:00"),
        "open_time": datetime.fromisoformat("2025-07-01T00:00:00+00:00"),
        "close_time": datetime.fromisoformat("2025-07-31T00:00:00+00:00"),
        "_fetched_at": datetime.fromisoformat("2025-11-20T01:02:03.000004"),
    } | changed


def write(path: Path, rows: Sequence[dict[str, Any]], types: dict[str, pa.DataType]) -> Path:
    """Write rows with these columns and types; a column that rows have and `types` has not is left out."""
    columns = {name: pa.array([row.get(name) for row in rows], kind) for name, kind in types.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


def an_archive(
    folder: Path,
    trades: Sequence[Sequence[dict[str, Any]]] = (),
    markets: Sequence[Sequence[dict[str, Any]]] = (),
) -> Path:
    """Write an archive, each of the given lists as one piece; return the folder that holds `data`."""
    for kind, pieces, types in (("trades", trades, TRADE_TYPES), ("markets", markets, MARKET_TYPES)):
        for number, rows in enumerate(pieces):
            name = f"{kind}_{number * 10_000}_{(number + 1) * 10_000}.parquet"
            write(folder / "data" / "kalshi" / kind / name, rows, types)
    return folder
