"""Markets as they are now: the live tier whole, the archive only when it can have something unseen.

A complete listing leaves the lake knowing every market that existed when it began. Whatever is archived now
and was not then has settled before the border as it stands now; if the border is still older than the last
complete listing, that listing saw it settled, in one tier or the other. So the archive, which only grows, is
listed once, and again only after the sync was away for longer than the exchange keeps markets live.

What the lake knows as unfinished and no listing showed is asked for by name, in both tiers, until it is
final; what neither tier knows is kept as it was, in a state that says that it vanished. See decision 13.

Source: KALSHI.md §5.4, §5.7 and §9 (OpenAPI 3.34.0; market_lifecycle of 2026-06-01: only finalized is final).
"""

from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from exchange.fees import is_combo
from pipelines.client import Client
from pipelines.client.wire import Event, Market
from pipelines.ingest import listing_columns
from pipelines.ingest.discovery import (
    ARCHIVE,
    LIVE,
    archive_pages,
    family_of,
    live_pages,
    market_named,
    markets_border_ts,
)
from pipelines.ingest.pages import Rows
from pipelines.ingest.planning import last_asked_ts
from pipelines.ingest.pulling import Now
from pipelines.ingest.windows import ALL, has_combos, scope_parts
from warehouse import storage
from warehouse.lake import Lake
from warehouse.ledger import covering
from warehouse.tables import EVENTS, MARKETS

FINAL: Final = "finalized"
# A market that vanished is asked for once more in every listing of a day, then never again.
ASKED_AGAIN: Final = timedelta(days=1)
# How many unlisted markets one run asks for; more wait for the next run.
ASKED_MAX: Final = 20_000

_EVENTS_A_CALL: Final = 200
_MARKETS_A_CALL: Final = 100
# Clocks differ, and a listing shows a settlement a little late.
_MARGIN: Final = timedelta(days=1)


@dataclass(slots=True)
class _Listing:
    """One run: what was seen so far, and which series events belong to."""

    client: Client
    lake: Lake
    now: Now
    series_of: dict[str, str]
    seen: set[str] = field(default_factory=set)

    async def rows(self, page: Sequence[Market], tier: str) -> AsyncGenerator[Rows, None]:
        """Yield the rows of markets that were not seen before; their events go into the lake, too."""
        fresh = [each for each in page if each.ticker not in self.seen]
        self.seen |= {each.ticker for each in fresh}
        if not fresh:
            return
        if events := await self._missing_events(fresh):
            self.series_of |= {each.event_ticker: each.series_ticker for each in events}
            rows = listing_columns.events(events, source=LIVE, fetched_ts=self.now())
            self.lake.commit(EVENTS, rows.frame)
            yield Rows(pl.DataFrame(), rows.rejected)
        yield listing_columns.markets(fresh, self.series_of, source=tier, fetched_ts=self.now())

    async def _missing_events(self, page: Sequence[Market]) -> list[Event]:
        # The events of combos are not listed, and there are as many as combos: their series stay unknown.
        plain = {each.event_ticker for each in page if not is_combo(each.event_ticker)}
        found: list[Event] = []
        for tickers in _chunks(sorted(plain - self.series_of.keys()), _EVENTS_A_CALL):
            async for events in self.client.events(tickers=tickers):
                found.extend(events)
        return found


async def market_states(
    client: Client, lake: Lake, scope: str, now: Now, notes: list[str]
) -> AsyncGenerator[Rows, None]:
    """Yield rows of `markets` for a scope; `notes` are told what was not asked and what vanished.

    Raises:
        UnknownTicker: the exchange does not know the scope.
    """
    # Of two observations the later one comes last, and counts.
    known = lake.scan(EVENTS).sort("ticker", "observed_ts").select("ticker", "series_ticker").collect()
    listing = _Listing(client, lake, now, dict(known.iter_rows()))
    kind, name = scope_parts(scope)
    if kind == "ticker":
        market, tier = await market_named(client, name)
        async for rows in listing.rows([market], tier):
            yield rows
        return
    await family_of(client, scope)
    proven_ts = last_asked_ts(lake, "markets", covering(scope))
    async for page in live_pages(client, scope):
        async for rows in listing.rows(page, LIVE):
            yield rows
    if may_hide(proven_ts, await markets_border_ts(client)):
        async for page in archive_pages(client, scope):
            async for rows in listing.rows(page, ARCHIVE):
                yield rows
    else:
        notes.append("the archive was not listed: all it has was seen before")
    async for rows in _unlisted(listing, scope, notes):
        yield rows


def may_hide(proven_ts: datetime | None, border_ts: datetime) -> bool:
    """Tell whether the archive may have a market that no listing has shown.

    `proven_ts` is when the last complete listing began, None if there was none; `border_ts` is the settlement
    before which markets are archived, read after the live tier.
    """
    return proven_ts is None or border_ts + _MARGIN > proven_ts


async def _unlisted(listing: _Listing, scope: str, notes: list[str]) -> AsyncGenerator[Rows, None]:
    """Yield what became of markets that are not final in the lake and that no listing showed."""
    sought = _unfinished(listing, scope)
    if len(sought) > ASKED_MAX:
        notes.append(f"unlisted markets that wait for the next run: {len(sought) - ASKED_MAX:,}")
    gone: list[str] = []
    n_found = 0
    for tickers in _chunks(sought[:ASKED_MAX], _MARKETS_A_CALL):
        left = tickers
        for ask, tier in ((listing.client.markets, LIVE), (listing.client.historical_markets, ARCHIVE)):
            if left:
                async for page in ask(tickers=left):
                    async for rows in listing.rows([each for each in page if each.ticker in left], tier):
                        yield rows
            left = [each for each in left if each not in listing.seen]
        gone += left
        n_found += len(tickers) - len(left)
    if n_found:
        notes.append(f"markets found by name only: {n_found:,}")
    if gone:
        notes.append(f"markets that neither tier knows any more, kept as they were: {len(gone):,}")
        yield Rows(_vanished(listing.lake, gone, listing.now()))


def _unfinished(listing: _Listing, scope: str) -> list[str]:
    """Return the tickers of a scope whose last state is not final, oldest sighting first.

    Left out are those just listed, those that vanished a while ago, and what others than the exchange told.
    """
    kind, name = scope_parts(scope)
    asked_from_ts = listing.now() - ASKED_AGAIN
    columns = ("ticker", "observed_ts", "event_ticker", "series_ticker", "status", "has_vanished", "source")
    states = listing.lake.scan(MARKETS).select(columns)
    is_forgotten = pl.col("has_vanished").fill_null(value=False) & (pl.col("observed_ts") < asked_from_ts)
    latest = (
        # Of three million states in a quarter of the time that sorting them takes.
        states.join(
            states.group_by("ticker").agg(pl.max("observed_ts")), on=["ticker", "observed_ts"], how="semi"
        )
        .filter(pl.col("status").ne_missing(FINAL), pl.col("source").is_in([LIVE, ARCHIVE]), ~is_forgotten)
        .sort("observed_ts", "ticker")
    )
    found = storage.collected(latest, listing.lake.uri)
    return [
        row["ticker"]
        for row in found.iter_rows(named=True)
        if row["ticker"] not in listing.seen
        and (has_combos(scope) or not is_combo(row["ticker"]))
        and (
            kind == ALL
            or (kind == "event" and row["event_ticker"] == name)
            or (kind == "series" and listing.series_of.get(row["event_ticker"], row["series_ticker"]) == name)
        )
    ]


def _vanished(lake: Lake, tickers: Sequence[str], at_ts: datetime) -> pl.DataFrame:
    """Return the last states of markets once more, as states of now that say that they vanished."""
    states = lake.scan(MARKETS).filter(pl.col("ticker").is_in(tickers)).sort("ticker", "observed_ts")
    latest = storage.collected(states.group_by("ticker", maintain_order=True).last(), lake.uri)
    at = pl.lit(at_ts).cast(MARKETS.polars_schema["observed_ts"])
    return latest.select(MARKETS.polars_schema.names()).with_columns(
        has_vanished=pl.lit(value=True), observed_ts=at, fetched_ts=at, source=pl.lit(LIVE)
    )


def _chunks(tickers: Sequence[str], size: int) -> Iterable[list[str]]:
    return (list(tickers[first : first + size]) for first in range(0, len(tickers), size))
