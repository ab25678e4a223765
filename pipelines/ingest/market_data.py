"""Trades and candles of a window of time, from both tiers of the exchange.

The border between the tiers moves while we read: it is read before the markets are listed and again after
the live tier, so that what left the live tier in between is met in the archive. The exchange does not say
whether its bounds, whole seconds, include their second; so a second more is asked on both sides and trimmed
to `[start, end)`, and what came twice is one row by its key [KALSHI.md §12.1, §12.2, §12.12].
"""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from exchange.units import parse_ts
from pipelines.client import Client, NotFound
from pipelines.ingest import columns
from pipelines.ingest.discovery import ARCHIVE, LIVE, Discovered, Listed, discover, markets_border_ts
from pipelines.ingest.listings import sync_events, sync_fees, sync_markets, sync_series
from pipelines.ingest.pages import Rows
from pipelines.ingest.pulling import Now, pull, utc_now
from pipelines.ingest.windows import ALL, Receipt, Window, candles_period_s, scope_parts
from warehouse.lake import Lake
from warehouse.tables import CANDLES, TRADES

__all__ = ["sync_candles", "sync_events", "sync_fees", "sync_markets", "sync_series", "sync_trades"]

PAGE_SIZE: Final = 1_000

_SECOND: Final = timedelta(seconds=1)
# Books empty, and the last trades print, within seconds of the close [KALSHI.md §18].
_AFTER_CLOSE: Final = timedelta(hours=1)
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
    """Bring the trades of a window into `trades`; for a scope narrower than "all", market by market.

    `found` are the markets of the scope, where the caller has discovered them already. Where the exchange
    could not be asked, for markets or for trades, the receipt says so.

    Raises:
        UnknownTicker: the exchange does not know the scope.
    """
    return await pull(client, lake, window, TRADES, _trade_pages(client, window, found, page_size, now))


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
    return await pull(client, lake, window, CANDLES, _candle_pages(client, window, found, period_s, now))


async def _tickers(client: Client, window: Window, found: Discovered | None) -> Sequence[str | None]:
    """Return the markets that may have traded in the window; None alone asks for the whole exchange."""
    if scope_parts(window.scope)[0] == ALL:
        return [None]
    found = found or await discover(client, window.scope)
    return [
        each.ticker
        for each in found.markets
        if each.open_ts < window.end_ts and window.start_ts < each.close_ts + _AFTER_CLOSE
    ]


async def _trade_pages(
    client: Client, window: Window, found: Discovered | None, page_size: int, now: Now
) -> AsyncGenerator[Rows, None]:
    tickers = await _tickers(client, window, found)
    if not tickers:
        return
    min_ts, max_ts = window.start_ts - _SECOND, window.end_ts + _SECOND
    if window.end_ts > await _trades_border_ts(client):
        for ticker in tickers:
            async for page in client.trades(ticker, min_ts=min_ts, max_ts=max_ts, page_size=page_size):
                yield _inside(columns.trades(page, source=LIVE, fetched_ts=now()), "event_ts", window)
    # Which tier has a trade of the border's own moment is not documented: both are asked.
    if window.start_ts <= await _trades_border_ts(client):
        for ticker in tickers:
            pages = client.historical_trades(ticker, min_ts=min_ts, max_ts=max_ts, page_size=page_size)
            async for page in pages:
                yield _inside(columns.trades(page, source=ARCHIVE, fetched_ts=now()), "event_ts", window)


async def _candle_pages(
    client: Client, window: Window, found: Discovered | None, period_s: int, now: Now
) -> AsyncGenerator[Rows, None]:
    found = found or await discover(client, window.scope)
    spans = {each: _span(each, window, period_s) for each in found.markets}
    trading = [each for each, (start_ts, end_ts) in spans.items() if start_ts <= end_ts]
    live = sorted((each for each in trading if not each.is_archived), key=lambda each: each.open_ts)
    for first in range(0, len(live), _MARKETS_A_CALL):
        chunk = live[first : first + _MARKETS_A_CALL]
        start_ts = min(spans[each][0] for each in chunk)
        end_ts = max(spans[each][1] for each in chunk)
        tickers = [each.ticker for each in chunk]
        async for page in client.candles_batch(tickers, start_ts=start_ts, end_ts=end_ts, period_s=period_s):
            rows = columns.candles(page, period_s=period_s, source=LIVE, fetched_ts=now())
            yield _inside(rows, "end_ts", window)
    has_moved = await markets_border_ts(client) != found.border_ts
    for each in trading:
        if not (each.is_archived or has_moved):
            continue
        start_ts, end_ts = spans[each]
        try:
            pages = client.historical_candles(
                each.ticker, start_ts=start_ts, end_ts=end_ts, period_s=period_s
            )
            async for page in pages:
                rows = columns.candles(page, period_s=period_s, source=ARCHIVE, fetched_ts=now())
                yield _inside(rows, "end_ts", window)
        except NotFound:
            if each.is_archived:
                raise


def _span(market: Listed, window: Window, period_s: int) -> tuple[datetime, datetime]:
    """Return bounds to ask for: all candles of the market that end in the window, and a second around them.

    They are out of order where the market can have none.
    """
    last_end_ts = market.close_ts + _AFTER_CLOSE + timedelta(seconds=period_s)
    return max(market.open_ts, window.start_ts) - _SECOND, min(last_end_ts, window.end_ts) + _SECOND


async def _trades_border_ts(client: Client) -> datetime:
    return parse_ts((await client.historical_cutoff()).trades_created_ts)


def _inside(rows: Rows, column: str, window: Window) -> Rows:
    is_inside = (pl.col(column) >= window.start_ts) & (pl.col(column) < window.end_ts)
    return Rows(rows.frame.filter(is_inside), rows.rejected)
