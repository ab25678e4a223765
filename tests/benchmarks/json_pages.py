"""Pages of trades as the sandbox sends them, decoded strictly and laid out as columns of the lake."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
import polars as pl

from exchange.units import parse_cc, parse_centi, parse_ts
from pipelines.client.decode import decode
from pipelines.client.drift import Drift
from pipelines.client.wire import TradesPage
from pipelines.ingest import columns
from sandbox import World, running
from tests.benchmarks.figures import Figure, timed
from warehouse.tables import TRADES

PAGE_SIZE: Final = 1_000
FETCHED_TS: Final = datetime(2026, 11, 1, tzinfo=UTC)


def figures(work: Path) -> Iterator[Figure]:  # noqa: ARG001 - every area takes the folder
    """Yield trades per CPU second from bytes to typed columns, and the ratio to a loop over rows."""
    pages = _pages()
    n_trades = sum(len(_decoded(page).trades or []) for page in pages)
    on = f"{n_trades:,} trades in pages of {PAGE_SIZE:,}, {len(pages[0]) / 1e3:.0f} KB each"
    decoded = timed(lambda: [_decoded(page) for page in pages], n_times=3)
    typed = timed(lambda: [_typed(page) for page in pages], n_times=3)
    slow = timed(lambda: pl.DataFrame([_row(each) for page in pages for each in json.loads(page)["trades"]]))
    mine = pl.concat(typed.result).select(slow.result.columns)
    assert mine.equals(slow.result.cast({name: TRADES.polars_schema[name] for name in slow.result.columns}))
    yield Figure(what="bytes to structs", value=n_trades / decoded.cpu_s, unit="trades/CPU-s", work=on)
    yield Figure(
        what="bytes to rows of the lake",
        value=n_trades / typed.cpu_s,
        unit="trades/CPU-s",
        work=on,
        at_least=1_200_000,
    )
    yield Figure(
        what="... against a loop over rows, CPU",
        value=slow.cpu_s / typed.cpu_s,
        unit="times",
        work="json, exchange.units and dicts; all rows equal",
        at_least=4,
    )


def _pages() -> list[bytes]:
    """Read the sandbox's live tape page by page, as bytes."""
    pages, cursor = [], ""
    with running(World(7), tier="prestige") as sandbox, httpx.Client(base_url=sandbox.base_url) as http:
        while True:
            asked = {"limit": PAGE_SIZE} | ({"cursor": cursor} if cursor else {})
            pages.append(http.get("/markets/trades", params=asked).raise_for_status().content)
            cursor = json.loads(pages[-1])["cursor"]
            if not cursor:
                return pages


def _decoded(page: bytes) -> TradesPage:
    return decode(page, TradesPage, path="/markets/trades", drift=Drift())


def _typed(page: bytes) -> pl.DataFrame:
    rows = columns.trades(_decoded(page).trades or [], source="rest", fetched_ts=FETCHED_TS)
    assert not rows.rejected
    return rows.frame


def _row(told: dict[str, Any]) -> dict[str, Any]:
    return {
        "trade_id": told["trade_id"],
        "ticker": told["ticker"],
        "event_ts": parse_ts(told["created_time"]),
        "yes_price_cc": parse_cc(told["yes_price_dollars"]),
        "count_centi": parse_centi(told["count_fp"]),
        "taker_side": told["taker_side"],
        "is_block_trade": told["is_block_trade"],
    }
