"""Everything that a person asks for at once: which windows, in which order, and what became of each."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from pipelines.client import Client
from pipelines.ingest.discovery import Listed, discover, family_of
from pipelines.ingest.errors import BadRequest
from pipelines.ingest.listings import sync_events, sync_fees, sync_markets, sync_series
from pipelines.ingest.market_data import PAGE_SIZE, sync_candles, sync_trades
from pipelines.ingest.pulling import Now, listing_window, utc_now
from pipelines.ingest.windows import ALL, Receipt, candles_resource, plan_windows, scope_of, scope_parts
from warehouse.asking import Moment, interval, moment
from warehouse.lake import Lake
from warehouse.progress import Progress, silent

RESOURCES: Final = ("series", "events", "markets", "fees", "trades", "candles")
HOUR_S: Final = 3_600

_LISTINGS: Final = {
    "series": sync_series,
    "events": sync_events,
    "markets": sync_markets,
    "fees": sync_fees,
}
# What the exchange shows lags behind what happened [KALSHI.md §4]; a window must not end where rows may
# still come.
_LAG: Final = timedelta(seconds=10)


async def sync(
    client: Client,
    lake: Lake,
    resources: Sequence[str],
    *,
    series: str | None = None,
    event: str | None = None,
    ticker: str | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    page_size: int = PAGE_SIZE,
    every: timedelta | None = None,
    period_s: int = HOUR_S,
    progress: Progress = silent,
    now: Now = utc_now,
) -> list[Receipt]:
    """Bring resources of one scope into the lake and return a receipt for every window.

    Listings (series, events, markets, fees) are read as they are now. Trades and candles are read for what
    of `[start, end)` the lake does not cover yet: without `start` from the opening of the scope's first
    market, without `end` until now.

    Args:
        client: where to ask.
        lake: where to keep.
        resources: of RESOURCES; they are done in that order, whatever the order given.
        series: only this series; at most one of series, event and ticker.
        event: only this event.
        ticker: only this market.
        start: first moment; text is a date or a time with a zone.
        end: the moment after the last.
        page_size: rows a page, for trades.
        every: length of a window; see `plan_windows`.
        period_s: length of candles: 60, 3600 or 86400.
        progress: told of every window.
        now: our clock.

    Raises:
        BadRequest, ReversedInterval, NaiveTime, UnknownTicker: before anything is written.
        KalshiError: the exchange could not be asked; windows before are complete.
    """
    if strange := sorted(set(resources) - set(RESOURCES)):
        raise BadRequest(
            f"unknown resource {', '.join(strange)}: write one of {', '.join(RESOURCES)}, or all"
        )
    if not 1 <= page_size <= PAGE_SIZE:
        raise BadRequest(f"page_size is {page_size}: a page holds 1 to {PAGE_SIZE} trades")
    scope = scope_of(series=series, event=event, ticker=ticker)
    names = {"trades": "trades", "candles": candles_resource(period_s)}
    start_ts = None if start is None else moment(start)
    end_ts = min(now() - _LAG, moment(end)) if end is not None else now() - _LAG
    if start_ts is not None:
        interval(start_ts, moment(end) if end is not None else end_ts)
    tapes = [each for each in ("trades", "candles") if each in resources]
    if tapes and start_ts is None and scope == ALL:
        raise BadRequest(f"{' and '.join(tapes)} of the whole exchange need --start: they go back to 2021")
    await family_of(client, scope)
    receipts: list[Receipt] = []
    for resource in (each for each in _LISTINGS if each in resources):
        progress(f"sync {resource}", 0, 1)
        window = listing_window(resource, scope, now())
        receipts.append(await _LISTINGS[resource](client, lake, window, now=now))
        progress(f"sync {resource}", 1, 1)
    if not tapes:
        return receipts
    needs_markets = scope != ALL or "candles" in tapes
    markets = await discover(client, scope) if needs_markets else []
    if start_ts is None:
        start_ts = _first_open_ts(markets, scope)
    if start_ts >= end_ts:
        return receipts
    for resource in tapes:
        windows = plan_windows(lake, names[resource], scope, start_ts, end_ts, every=every)
        for done, window in enumerate(windows):
            progress(f"sync {resource}", done, len(windows))
            if resource == "trades":
                receipt = await sync_trades(client, lake, window, page_size, markets=markets, now=now)
            else:
                receipt = await sync_candles(client, lake, window, markets=markets, now=now)
            receipts.append(receipt)
        progress(f"sync {resource}", len(windows), len(windows))
    return receipts


def _first_open_ts(markets: Sequence[Listed], scope: str) -> datetime:
    if not markets:
        kind, name = scope_parts(scope)
        raise BadRequest(f"{kind} {name} has no markets yet; give --start, or sync it later")
    first_ts = min(each.open_ts for each in markets)
    return first_ts.replace(hour=0, minute=0, second=0, microsecond=0)
