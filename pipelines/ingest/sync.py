"""Everything that a person asks for at once: which windows, in which order, and what became of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from exchange.errors import BadInput
from exchange.units import format_ts
from pipelines.client import Client, KalshiError
from pipelines.ingest.discovery import Discovered, Listed, discover, family_of
from pipelines.ingest.errors import BadRequest
from pipelines.ingest.listings import sync_events, sync_fees, sync_markets, sync_series
from pipelines.ingest.market_data import PAGE_SIZE, sync_candles, sync_trades
from pipelines.ingest.planning import OLDEST, TRAILING, Planned, check_manner, plan_tape, still_missing
from pipelines.ingest.pulling import Now, failed, listing_window, skew_of, utc_now
from pipelines.ingest.windows import ALL, Receipt, candles_resource, scope_of, scope_parts
from warehouse.asking import Moment, interval, moment
from warehouse.lake import Lake
from warehouse.ledger import Window
from warehouse.progress import Progress, silent
from warehouse.tables import CANDLES, TRADES

RESOURCES: Final = ("series", "events", "markets", "fees", "trades", "candles")
HOUR_S: Final = 3_600

_LISTINGS: Final = {
    "series": sync_series,
    "events": sync_events,
    "markets": sync_markets,
    "fees": sync_fees,
}
_TAPES: Final = {"trades": TRADES, "candles": CANDLES}
# What the exchange shows lags behind what happened [KALSHI.md §4]; a window must not end where rows may
# still come.
_LAG: Final = timedelta(seconds=10)
_DAY: Final = timedelta(days=1)
# A window that is read again may begin before what was asked for, by its own length.
_BEFORE_START: Final = timedelta(days=31)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What was asked for, checked; `start_ts` is None for the opening of the first market."""

    scope: str
    tapes: dict[str, str]  # trades and candles, each with the name of its windows
    start_ts: datetime | None
    end_ts: datetime | None
    page_size: int
    every: timedelta | None
    reread: bool
    trailing: timedelta
    order: str

    @property
    def is_whole(self) -> bool:
        """Whether the whole exchange is meant."""
        return scope_parts(self.scope)[0] == ALL


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
    reread: bool = False,
    trailing: timedelta = TRAILING,
    order: str = OLDEST,
    combos: bool = False,
    progress: Progress = silent,
    now: Now = utc_now,
) -> list[Receipt]:
    """Bring resources of one scope into the lake and return a receipt for every window.

    Listings (series, events, markets, fees) are read as they are now. Trades and candles are read for what
    of `[start, end)` the lake does not cover yet: without `start` from the opening of the scope's first
    market, without `end` until now, by the clock of the exchange. Before a hole the trades of the `trailing`
    time are read again, for those that appeared late. A window that fails stands in the ledger and among the
    receipts with its reason; the others get their turn. Several syncs may work on one lake: before each
    window the ledger is asked whether another has done it meanwhile.

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
        reread: pull covered windows of trades and candles again, for rows that appeared late.
        trailing: how late a trade may appear and still be found; see `pipelines.ingest.planning`.
        order: which missing windows come first, oldest or newest.
        combos: the whole exchange with combos, which are left out otherwise; no other scope.
        progress: told of every window.
        now: our clock; of a made-up exchange its own, for the ledger tells by it what was read too soon.

    Raises:
        BadRequest, ReversedInterval, NaiveTime, UnknownTicker: before anything is written.
    """
    if strange := sorted(set(resources) - set(RESOURCES)):
        raise BadRequest(
            f"unknown resource {', '.join(strange)}: write one of {', '.join(RESOURCES)}, or all"
        )
    if not 1 <= page_size <= PAGE_SIZE:
        raise BadRequest(f"page_size is {page_size}: a page holds 1 to {PAGE_SIZE} trades")
    check_manner(order, trailing)
    names = {"trades": "trades", "candles": candles_resource(period_s)}
    asked = _Asked(
        scope=scope_of(series=series, event=event, ticker=ticker, combos=combos),
        tapes={tape: name for tape, name in names.items() if tape in resources},
        start_ts=None if start is None else moment(start),
        end_ts=None if end is None else moment(end),
        page_size=page_size,
        every=every,
        reread=reread,
        trailing=trailing,
        order=order,
    )
    end_ts = await _checked_end(client, asked, now)
    receipts: list[Receipt] = []
    for resource in (each for each in _LISTINGS if each in resources):
        progress(f"sync {resource}", 0, 1)
        window = listing_window(resource, asked.scope, now())
        receipts.append(await _LISTINGS[resource](client, lake, window, now=now))
        progress(f"sync {resource}", 1, 1)
    found: Discovered | KalshiError | None = None
    for tape in asked.tapes:
        if not isinstance(found, Discovered) and (not asked.is_whole or tape == "candles"):
            found = await _discovered(client, asked)
        planned = _planned(lake, asked, tape, found, end_ts)
        for done, each in enumerate(planned):
            progress(f"sync {tape}", done, len(planned))
            for window in still_missing(lake, each):
                receipt = await _pulled(client, lake, window, asked, found, now)
                receipts.append(receipt)
        progress(f"sync {tape}", len(planned), len(planned))
    return receipts


async def _checked_end(client: Client, asked: _Asked, now: Now) -> datetime:
    """Return the moment after the last: what was asked, and at most what the exchange can show by now.

    Raises:
        BadRequest, ReversedInterval, UnknownTicker: the question is none.
    """
    if asked.start_ts is not None and asked.end_ts is not None:
        interval(asked.start_ts, asked.end_ts)
    if asked.tapes and asked.start_ts is None and asked.is_whole:
        raise BadRequest(
            f"{' and '.join(asked.tapes)} of the whole exchange need --start: they go back to 2021"
        )
    try:
        await family_of(client, asked.scope)
        if client.clock_skew_ms is None and asked.tapes:
            await client.historical_cutoff()  # any answer tells the exchange's time
    except KalshiError as error:
        if isinstance(error, BadInput):
            raise
        # An exchange that cannot be asked is no bad question: every window says so for itself.
    latest_ts = now() + skew_of(client) - _LAG
    if asked.start_ts is not None and asked.start_ts >= latest_ts:
        raise BadRequest(
            f"the start {format_ts(asked.start_ts)} is in the future: the exchange tells what happened until "
            f"{format_ts(latest_ts)}; give an earlier one"
        )
    return latest_ts if asked.end_ts is None else min(latest_ts, asked.end_ts)


async def _discovered(client: Client, asked: _Asked) -> Discovered | KalshiError:
    since_ts = None if asked.start_ts is None else asked.start_ts - _BEFORE_START
    try:
        return await discover(client, asked.scope, since_ts=since_ts)
    except KalshiError as error:
        if isinstance(error, BadInput):
            raise
        return error


def _planned(
    lake: Lake, asked: _Asked, tape: str, found: Discovered | KalshiError | None, end_ts: datetime
) -> list[Planned]:
    start_ts = asked.start_ts
    if start_ts is None and isinstance(found, Discovered):
        start_ts = _first_open_ts(found.markets, asked.scope)
    # Without markets nobody knows where to start: the last day stands for all of it.
    start_ts = start_ts or end_ts - _DAY
    if start_ts >= end_ts:
        return []
    return plan_tape(
        lake,
        asked.tapes[tape],
        asked.scope,
        start_ts,
        end_ts,
        every=asked.every,
        reread=asked.reread,
        # A candle is finished when its time is over; trades that appear later do not make it another row.
        trailing=asked.trailing if tape == "trades" else timedelta(),
        order=asked.order,
    )


async def _pulled(
    client: Client,
    lake: Lake,
    window: Window,
    asked: _Asked,
    found: Discovered | KalshiError | None,
    now: Now,
) -> Receipt:
    is_trades = window.resource == "trades"
    if isinstance(found, KalshiError):
        return failed(lake, window, TRADES if is_trades else CANDLES, found, now=now)
    markets = found if isinstance(found, Discovered) else None
    if is_trades:
        return await sync_trades(client, lake, window, asked.page_size, found=markets, now=now)
    return await sync_candles(client, lake, window, found=markets, now=now)


def _first_open_ts(markets: Sequence[Listed], scope: str) -> datetime:
    if not markets:
        kind, name = scope_parts(scope)
        raise BadRequest(f"{kind} {name} has no markets yet; give --start, or sync it later")
    first_ts = min(each.open_ts for each in markets)
    return first_ts.replace(hour=0, minute=0, second=0, microsecond=0)
