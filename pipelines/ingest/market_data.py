"""Trades and candles of a window of time, from both tiers of the exchange.

The border between the tiers moves while we read: it is read before the markets are listed and again after
the live tier, so that what left the live tier in between is met in the archive. The exchange does not say
whether its bounds, whole seconds, include their second, nor which tier has the border's own; so a second more
is asked on both sides of windows and border and trimmed to `[start, end)`, and what came twice is one row by
its key [KALSHI.md §12.1, §12.2, §12.12].

All rows that one window reads from one tier have one `fetched_ts`, the moment when that reading began: a time
for every page would cost 0.66 bytes a trade on disk, a tenth of all that is not the id.
"""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from exchange.fees import is_combo
from exchange.units import parse_ts
from pipelines.client import Client, NotFound
from pipelines.client.wire import Trade
from pipelines.ingest import columns
from pipelines.ingest.discovery import (
    AFTER_CLOSE,
    ARCHIVE,
    LIVE,
    Discovered,
    Listed,
    discover,
    markets_border_ts,
)
from pipelines.ingest.listings import sync_events, sync_fees, sync_markets, sync_series
from pipelines.ingest.pages import Rows
from pipelines.ingest.pulling import Now, pull, utc_now
from pipelines.ingest.windows import ALL, Receipt, candles_period_s, has_combos, scope_parts
from warehouse.lake import Lake
from warehouse.ledger import Window
from warehouse.tables import CANDLES, TRADES

__all__ = ["sync_candles", "sync_events", "sync_fees", "sync_markets", "sync_series", "sync_trades"]

PAGE_SIZE: Final = 1_000

_SECOND: Final = timedelta(seconds=1)
_MARKETS_A_CALL: Final = 100


async def sync_trades(
    client: Client,
    lake: Lake,
    window: Window,
    page_size: int = PAGE_SIZE,
    *,
    found: Discovered | None = None,
    now: Now = utc_now,
) -> Receipt:
    """Bring the trades of a window into `trades`; of a scope narrower than the exchange, market by market.

    The exchange's tape has the trades of combos too: those are dropped, unless the scope means them.
    `found` are the markets of the scope, where the caller has discovered them already. Where the exchange
    could not be asked, for markets or for trades, the receipt says so.

    Raises:
        UnknownTicker: the exchange does not know the scope.
    """
    pages = _trade_pages(client, window, found, page_size, now)
    return await pull(client, lake, window, TRADES, pages, now=now)


async def sync_candles(
    client: Client,
    lake: Lake,
    window: Window,
    *,
    found: Discovered | None = None,
    now: Now = utc_now,
) -> Receipt:
    """Bring the candles that end in a window into `candles`; the resource names their length.

    `found` and errors as in `sync_trades`.
    """
    period_s = candles_period_s(window.resource)
    pages = _candle_pages(client, window, found, period_s, now)
    return await pull(client, lake, window, CANDLES, pages, now=now)


async def _tickers(client: Client, window: Window, found: Discovered | None) -> Sequence[str | None]:
    """Return the markets that may have traded in the window; None alone asks for the whole exchange."""
    if scope_parts(window.scope)[0] == ALL:
        return [None]
    found = found or await discover(client, window.scope, since_ts=window.start_ts)
    return [
        each.ticker
        for each in found.markets
        if each.open_ts < window.end_ts and window.start_ts < each.close_ts + AFTER_CLOSE
    ]


async def _trade_pages(
    client: Client, window: Window, found: Discovered | None, page_size: int, now: Now
) -> AsyncGenerator[Rows, None]:
    tickers = await _tickers(client, window, found)
    if not tickers:
        return
    min_ts, max_ts = window.start_ts - _SECOND, window.end_ts + _SECOND
    if max_ts > await _trades_border_ts(client):
        began_ts = now()
        for ticker in tickers:
            async for page in client.trades(ticker, min_ts=min_ts, max_ts=max_ts, page_size=page_size):
                rows = columns.trades(_meant(page, window), source=LIVE, fetched_ts=began_ts)
                yield _inside(rows, window)
    if min_ts <= await _trades_border_ts(client):
        began_ts = now()
        for ticker in tickers:
            pages = client.historical_trades(ticker, min_ts=min_ts, max_ts=max_ts, page_size=page_size)
            async for page in pages:
                rows = columns.trades(_meant(page, window), source=ARCHIVE, fetched_ts=began_ts)
                yield _inside(rows, window)


async def _candle_pages(
    client: Client, window: Window, found: Discovered | None, period_s: int, now: Now
) -> AsyncGenerator[Rows, None]:
    found = found or await discover(client, window.scope, since_ts=window.start_ts)
    spans = {each: _span(each, window, period_s) for each in found.markets}
    trading = [each for each, (start_ts, end_ts) in spans.items() if start_ts <= end_ts]
    live = sorted((each for each in trading if not each.is_archived), key=lambda each: each.open_ts)
    began_ts = now()
    for first in range(0, len(live), _MARKETS_A_CALL):
        chunk = live[first : first + _MARKETS_A_CALL]
        start_ts = min(spans[each][0] for each in chunk)
        end_ts = max(spans[each][1] for each in chunk)
        tickers = [each.ticker for each in chunk]
        async for page in client.candles_batch(tickers, start_ts=start_ts, end_ts=end_ts, period_s=period_s):
            rows = columns.candles(page, period_s=period_s, source=LIVE, fetched_ts=began_ts)
            yield _inside(rows, window)
    border_ts = await markets_border_ts(client)
    began_ts = now()
    for each in trading:
        if not (each.is_archived or _may_have_left(each, found.border_ts, border_ts)):
            continue
        start_ts, end_ts = spans[each]
        try:
            pages = client.historical_candles(
                each.ticker, start_ts=start_ts, end_ts=end_ts, period_s=period_s
            )
            async for page in pages:
                rows = columns.candles(page, period_s=period_s, source=ARCHIVE, fetched_ts=began_ts)
                yield _inside(rows, window)
        except NotFound:
            if each.is_archived:
                raise


def _span(market: Listed, window: Window, period_s: int) -> tuple[datetime, datetime]:
    """Return bounds to ask for: all candles of the market that end in the window, and a second around them.

    They are out of order where the market can have none.
    """
    last_end_ts = market.close_ts + AFTER_CLOSE + timedelta(seconds=period_s)
    return max(market.open_ts, window.start_ts) - _SECOND, min(last_end_ts, window.end_ts) + _SECOND


def _may_have_left(market: Listed, before_ts: datetime, border_ts: datetime) -> bool:
    """Tell whether a market that was live may be archived, as the border moved since it was listed."""
    is_behind = market.settled_ts is None or market.settled_ts < border_ts + _SECOND
    return border_ts != before_ts and is_behind


async def _trades_border_ts(client: Client) -> datetime:
    return parse_ts((await client.historical_cutoff()).trades_created_ts)


def _meant(page: list[Trade], window: Window) -> list[Trade]:
    return page if has_combos(window.scope) else [each for each in page if not is_combo(each.ticker)]


def _inside(rows: Rows, window: Window) -> Rows:
    at = pl.col("event_ts" if window.resource == "trades" else "end_ts")
    return Rows(rows.frame.filter((at >= window.start_ts) & (at < window.end_ts)), rows.rejected)
