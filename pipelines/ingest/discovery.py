"""Which markets a scope means: asked of both tiers, live first, combos left out unless they are meant."""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from exchange.fees import is_combo
from exchange.units import parse_ts
from pipelines.client import Client, NotFound, WireError
from pipelines.client.wire import Event, Market, Series
from pipelines.ingest.errors import UnknownTicker
from pipelines.ingest.windows import ALL, has_combos, scope_parts

LIVE: Final = "rest"
ARCHIVE: Final = "historical"

# Books empty, and the last trades print, within seconds of the close [KALSHI.md §18].
AFTER_CLOSE: Final = timedelta(hours=1)
# Of a market that settled before some moment the last bar, a daily one, ends at most so much later.
_AFTER_SETTLING: Final = AFTER_CLOSE + timedelta(days=1)


class Listed(NamedTuple):
    """A market, when it traded, when it was paid (None before), and whether only the archive has it."""

    ticker: str
    open_ts: datetime
    close_ts: datetime
    settled_ts: datetime | None
    is_archived: bool


class Discovered(NamedTuple):
    """The markets of a scope, sorted by ticker, and the border between the tiers as it stood before them.

    Where the border stands elsewhere later, a market that was live here may be archived by then.
    """

    markets: list[Listed]
    border_ts: datetime


class Family(NamedTuple):
    """What a scope belongs to; empty where it is wider than that."""

    series_ticker: str
    event_ticker: str


async def family_of(client: Client, scope: str) -> Family:
    """Return the series and event of a scope.

    Raises:
        UnknownTicker: the exchange does not know it.
        KalshiError: the exchange could not be asked.
    """
    kind, name = scope_parts(scope)
    if kind == ALL:
        return Family("", "")
    if kind == "series":
        if not await _has_series(client, name):
            raise _unknown(client, "series", name)
        return Family(name, "")
    if kind == "ticker":
        name = (await market_named(client, name))[0].event_ticker
    return Family((await event_named(client, name)).series_ticker, name)


async def series_named(client: Client, name: str) -> Series | None:
    """Return one series; None where the exchange does not list it, which happens [KALSHI.md §17]."""
    try:
        return await client.series(name)
    except NotFound:
        return None


async def event_named(client: Client, name: str) -> Event:
    """Return one event, or say that there is none.

    Raises:
        UnknownTicker: there is none.
    """
    try:
        return await client.event(name)
    except NotFound as error:
        raise _unknown(client, "event", name) from error


async def market_named(client: Client, name: str) -> tuple[Market, str]:
    """Return one market and the tier that has it, or say that there is none.

    Raises:
        UnknownTicker: neither tier has it.
    """
    try:
        return await client.market(name), LIVE
    except NotFound:
        try:
            return await client.historical_market(name), ARCHIVE
        except NotFound as error:
            raise _unknown(client, "market", name) from error


Pages = AsyncGenerator[Sequence[Market], None]


async def live_pages(client: Client, scope: str) -> Pages:
    """Yield pages of what the live tier has of a series, an event or the exchange.

    What a filter does not know it ignores [KALSHI.md §12.11], so the answer is checked against the question.
    """
    kind, name = scope_parts(scope)
    mve_filter = None if has_combos(scope) else "exclude"
    if kind == ALL:
        pages = client.markets(mve_filter=mve_filter)
    elif kind == "series":
        pages = client.markets(series_ticker=name, mve_filter=mve_filter)
    else:
        pages = client.markets(event_ticker=name)
    async for page in pages:
        yield [each for each in page if _is_meant(each, scope)]


async def archive_pages(client: Client, scope: str) -> Pages:
    """Yield pages of what the archive has; it may still have what the live tier has, too."""
    kind, name = scope_parts(scope)
    if kind == ALL:
        pages = client.historical_markets(mve_filter=None if has_combos(scope) else "exclude")
    elif kind == "series":
        pages = client.historical_markets(series_ticker=name)
    else:
        pages = client.historical_markets(event_ticker=name)
    async for page in pages:
        yield [each for each in page if _is_meant(each, scope)]


async def discover(client: Client, scope: str, *, since_ts: datetime | None = None) -> Discovered:
    """Return the markets of a scope that may have traded at `since_ts` or later (None: all of them).

    The live tier is listed first. The border moves: a market that leaves between two pages settled before the
    border as it stands after them, so the archive is listed unless all that is older is out of question.

    Raises:
        UnknownTicker: the exchange does not know the scope.
        KalshiError: the exchange could not be asked.
    """
    border_ts = await markets_border_ts(client)
    kind, name = scope_parts(scope)
    if kind == "ticker":
        market, tier = await market_named(client, name)
        return Discovered([_listed(market, tier)], border_ts)
    await family_of(client, scope)
    found: dict[str, Listed] = {}
    async for page in live_pages(client, scope):
        found |= {each.ticker: _listed(each, LIVE) for each in page}
    if since_ts is None or since_ts <= await markets_border_ts(client) + _AFTER_SETTLING:
        async for page in archive_pages(client, scope):
            for each in page:
                found.setdefault(each.ticker, _listed(each, ARCHIVE))
    return Discovered([found[ticker] for ticker in sorted(found)], border_ts)


async def markets_border_ts(client: Client) -> datetime:
    """Return the settlement before which markets and their candles are in the archive."""
    return parse_ts((await client.historical_cutoff()).market_settled_ts)


async def _has_series(client: Client, name: str) -> bool:
    try:
        if await series_named(client, name) is not None:
            return True
    except WireError:
        return True  # the exchange knows it; whoever needs its terms will find that they cannot be read
    async for page in client.events(series_ticker=name):
        if any(each.series_ticker == name for each in page):
            return True
    return False


def _listed(market: Market, tier: str) -> Listed:
    settled_ts = parse_ts(market.settlement_ts) if market.settlement_ts else None
    opens, closes = parse_ts(market.open_time), parse_ts(market.close_time)
    return Listed(market.ticker, opens, closes, settled_ts, tier == ARCHIVE)


def _is_meant(market: Market, scope: str) -> bool:
    kind, name = scope_parts(scope)
    return (has_combos(scope) or not is_combo(market.ticker)) and (
        kind != "event" or market.event_ticker == name
    )


def _unknown(client: Client, kind: str, name: str) -> UnknownTicker:
    where = "neither tier of the exchange knows it" if kind == "market" else "the exchange does not know it"
    return UnknownTicker(
        f"unknown {kind} {name!r}: {where} ({client.settings.base_url}); check the spelling, in upper case"
    )
