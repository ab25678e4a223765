"""A lake that has everything a small exchange has, complete, under the exchange's own clock.

Listings and trades are pulled over a socket. Candles are written down from the world itself, in one window a
length: pulled market by market they would cost a minute.
"""

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final

import polars as pl

from exchange.trades import Candle, Ohlc
from exchange.units import DOLLAR_CC
from pipelines.client import Client, Settings
from pipelines.ingest.market_data import sync_events, sync_fees, sync_markets, sync_series, sync_trades
from pipelines.ingest.pulling import listing_window
from pipelines.ingest.windows import ALL, PERIODS_S, candles_resource, plan_windows
from sandbox import World, running
from warehouse import Lake
from warehouse.digests import row_digests, summed_up
from warehouse.tables import CANDLES

# A page is small, so that a window has several.
PAGE_SIZE: Final = 200
_LISTINGS: Final = {
    "series": sync_series,
    "events": sync_events,
    "markets": sync_markets,
    "fees": sync_fees,
}


def a_clean_lake(folder: Path, world: World, *, days: int) -> Lake:
    """Keep a world that is `days` days old whole: listings, trades by the day, candles of all lengths."""
    end_ts = world.now_ts
    start_ts = end_ts - timedelta(days=days + 1)
    now = _ticking(end_ts)
    lake = Lake(folder, now=now)
    with running(world, tier="prestige") as served:
        asyncio.run(_pulled(served.base_url, lake, start_ts, end_ts, now))
    for period_s in PERIODS_S:
        rows = pl.DataFrame(
            list(_bars(world, period_s, start_ts, end_ts)), schema=CANDLES.polars_schema, orient="row"
        )
        lake.commit(CANDLES, rows)
        n_rows, digest = summed_up(row_digests(CANDLES, rows))
        lake.record_window(candles_resource(period_s), ALL, start_ts, end_ts, n_rows=n_rows, digest=digest)
    return lake


def _ticking(start_ts: datetime) -> Callable[[], datetime]:
    """Return a clock that moves by a millisecond whenever somebody looks at it."""
    ticks = count()
    return lambda: start_ts + timedelta(milliseconds=next(ticks))


async def _pulled(
    base_url: str, lake: Lake, start_ts: datetime, end_ts: datetime, now: Callable[[], datetime]
) -> None:
    async with Client(Settings(base_url=base_url, tier="prestige")) as client:
        await _listed(client, lake, now)
        for window in plan_windows(lake, "trades", ALL, start_ts, end_ts):
            receipt = await sync_trades(client, lake, window, PAGE_SIZE, now=now)
            assert receipt.status == "complete", receipt


async def _listed(client: Client, lake: Lake, now: Callable[[], datetime]) -> None:
    """Ask for all listings as two nights do: in the second nothing is new but when it was asked."""
    for days in (0, 1):

        def later(days: int = days) -> datetime:
            return now() + timedelta(days=days)

        for resource, listing in _LISTINGS.items():
            window = listing_window(resource, ALL, later())
            receipt = await listing(client, lake, window, now=later)
            assert receipt.status == "complete", receipt


def _bars(world: World, period_s: int, start_ts: datetime, end_ts: datetime) -> Iterator[dict[str, Any]]:
    for market in world.markets():
        for bar in world.candles(market.ticker, period_s=period_s, start_ts=start_ts, end_ts=end_ts):
            if bar.end_ts < end_ts:
                yield _row(bar) | {"source": "rest", "fetched_ts": end_ts + timedelta(hours=1)}


def _row(bar: Candle) -> dict[str, Any]:
    sides = {"yes_bid": bar.yes_bid, "yes_ask": bar.yes_ask, "price": bar.price}
    return {
        "ticker": bar.ticker,
        "period_s": bar.period_s,
        "end_ts": bar.end_ts,
        **{name: price for side, prices in sides.items() for name, price in _prices(side, prices)},
        "price_mean_cc": bar.price_mean_cc,
        "price_previous_cc": bar.price_previous_cc,
        "volume_centi": bar.volume_centi,
        "open_interest_centi": bar.open_interest_centi,
    }


def _prices(side: str, prices: Ohlc | None) -> Iterator[tuple[str, int | None]]:
    for name in ("open", "high", "low", "close"):
        price_cc = None if prices is None else getattr(prices, f"{name}_cc")
        is_empty = side != "price" and price_cc in (0, DOLLAR_CC)
        yield f"{side}_{name}_cc", None if is_empty else price_cc
