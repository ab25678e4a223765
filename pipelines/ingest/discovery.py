"""Which markets a scope means: asked of both tiers, live first, combos left out."""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from exchange.fees import is_combo
from exchange.units import parse_ts
from pipelines.client import Client, NotFound, WireError
from pipelines.client.wire import Event, Market, Series
from pipelines.ingest.errors import UnknownTicker
from pipelines.ingest.windows import ALL, scope_parts

LIVE: Final = "rest"
ARCHIVE: Final = "historical"


class Listed(NamedTuple):
    """A market, when it traded, and whether only the archive has it."""

    ticker: str
    open_ts: datetime
    close_ts: datetime
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


async def market_pages(client: Client, scope: str) -> AsyncGenerator[tuple[Sequence[Market], str], None]:
    """Yield (page, tier) of a scope's markets: the live tier, then the archive; a market may come from both.

    The border moves: a market that leaves the live tier between two pages is met again in the archive.

    Raises:
        UnknownTicker: the exchange does not know the scope.
    """
    kind, name = scope_parts(scope)
    if kind == "ticker":
        market, tier = await market_named(client, name)
        yield [market], tier
        return
    await family_of(client, scope)
    if kind == ALL:
        live = client.markets(mve_filter="exclude")
        archive = client.historical_markets(mve_filter="exclude")
    elif kind == "series":
        live = client.markets(series_ticker=name, mve_filter="exclude")
        archive = client.historical_markets(series_ticker=name)
    else:
        live = client.markets(event_ticker=name)
        archive = client.historical_markets(event_ticker=name)
    for pages, tier in ((live, LIVE), (archive, ARCHIVE)):
        async for page in pages:
            # What a filter does not know it ignores, so the answer is checked against the question.
            yield [each for each in page if _is_meant(each, kind, name)], tier


async def discover(client: Client, scope: str) -> Discovered:
    """Return the markets of a scope.

    Raises:
        UnknownTicker: the exchange does not know the scope.
        KalshiError: the exchange could not be asked.
    """
    border_ts = await markets_border_ts(client)
    found: dict[str, Listed] = {}
    async for page, tier in market_pages(client, scope):
        for each in page:
            opens, closes = parse_ts(each.open_time), parse_ts(each.close_time)
            found.setdefault(each.ticker, Listed(each.ticker, opens, closes, tier == ARCHIVE))
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


def _is_meant(market: Market, kind: str, name: str) -> bool:
    return not is_combo(market.ticker) and (kind != "event" or market.event_ticker == name)


def _unknown(client: Client, kind: str, name: str) -> UnknownTicker:
    where = "neither tier of the exchange knows it" if kind == "market" else "the exchange does not know it"
    return UnknownTicker(
        f"unknown {kind} {name!r}: {where} ({client.settings.base_url}); check the spelling, in upper case"
    )
