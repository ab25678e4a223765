"""What a source lists, indexed: which market belongs where, and in which tier it is.

Tiers overlap a little, as they do on the exchange: what was settled or traded within six hours after the
cutoff is in both. Rows keep their ranks while a world lives: new ones are added at the end, and what vanishes
leaves its place behind.
Source: KALSHI.md §5.7, §9 and §17 (page historical_data, 2026-09-30; third-party notes, 2026-09).
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final

from exchange.markets import Event, Market
from exchange.trades import Side, Trade
from sandbox.encoding import Json, QuoteAt, combo_json, legs_json, market_json
from sandbox.floor import Floor, Listener
from sandbox.lifecycle import LifecycleChange
from sandbox.matching import Fill
from sandbox.rows import Merged, Picked, Rows
from sandbox.source import News, Source

if TYPE_CHECKING:
    from sandbox.combos import Combos

OVERLAP: Final = timedelta(hours=6)
DAY: Final = timedelta(days=1)
READ_LAG: Final = timedelta(seconds=2)  # in exchange time: how long a new market's own route answers 404
COMBO_PREFIX: Final = "KXMVE"


@dataclass(frozen=True, slots=True)
class _Told:
    """A payload, and what it was printed from."""

    market: Market
    day_ago: QuoteAt
    payload: Json


class Catalog(Listener):
    """A source and its indexes; rows keep the source's order, oldest first.

    `refresh` before looking: it lets a living source catch up with its clock. Combos that a world makes when
    they are looked at are in `rows` and `market`, not in `market_rows` and `markets`.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.floor: Floor | None = getattr(source, "floor", None)
        self.combos: Combos | None = getattr(source, "combos", None)
        self._is_living: bool = getattr(source, "is_living", False)
        self._news: Callable[[], News | None] | None = getattr(source, "news", None)
        self.series = {each.ticker: each for each in source.series()}
        self.event_rows: list[Event] = list(source.events())
        self.events = {each.ticker: each for each in self.event_rows}
        self._event_ranks = {each.ticker: rank for rank, each in enumerate(self.event_rows)}
        self.market_rows: list[Market] = []
        self.markets: dict[str, Market] = {}
        self._ranks: dict[str, int] = {}
        self._places: list[int] = []
        self._by_event: dict[str, list[int]] = defaultdict(list)
        self._by_series: dict[str, list[int]] = defaultdict(list)
        self._told: dict[tuple[str, bool], _Told] = {}
        self._patterns: dict[tuple[object, ...], Json] = {}
        self._stale: set[str] = set()
        self._fading: list[tuple[int, str]] = []
        self._fades: set[str] = set()
        for market in source.markets():
            self._add(market)
        if self.floor is not None:
            self.floor.listen(self)

    @property
    def now_ts(self) -> datetime:
        """The source's clock."""
        return self.source.now_ts

    def refresh(self) -> None:
        """Let the source catch up with its clock and take over what has changed; cheap when nothing has."""
        if self.floor is None:
            self._follow()
            return
        self.floor.advance()
        while self._fading and self._fading[0][0] <= self.floor.now_us:
            _, ticker = heappop(self._fading)
            self._fades.discard(ticker)
            self._stale.add(ticker)
        for ticker in tuple(self._stale):
            self._take_over(ticker)

    def book_changed(
        self, ticker: str, time_us: int, side: Side, price_cc: int, delta_centi: int, order_id: int
    ) -> None:
        """Remember that a market's top of the book may be another."""
        del time_us, side, price_cc, delta_centi, order_id
        self._stale.add(ticker)

    def traded(self, trade: Trade, fill: Fill) -> None:
        """Remember that a market's volume is another."""
        del fill
        self._stale.add(trade.ticker)

    def changed(self, change: LifecycleChange) -> None:
        """List what is new, forget what has vanished, and remember what is different."""
        market, event = change.market, change.event
        if (market is not None and is_combo(market)) or (event is not None and is_combo(event)):
            return
        if change.kind == "fee_changed":
            self.series = {each.ticker: each for each in self.source.series()}
        if event is not None:
            self._put_event(event)
        elif change.kind == "created" and market is not None:
            self._add(market)
        elif change.kind == "vanished":
            self.markets.pop(change.ticker, None)
        elif market is not None:
            self._stale.add(change.ticker)

    def rows(self, mve_filter: str | None = None) -> Rows[Market]:
        """Return all markets, `only` combos, or all but those (`exclude`) that are made when looked at."""
        if self.combos is None or not self.combos.n or mve_filter == "exclude":
            return self.market_rows
        made = _Made(self, self.combos.created_before(self._now_us() + 1))
        return Merged([], [], made) if mve_filter == "only" else Merged(self.market_rows, self._places, made)

    def market(self, ticker: str) -> Market | None:
        """Return a market of either tier; None for one that is not or no more."""
        if ticker in self._stale:
            self._take_over(ticker)
        number = None if ticker in self.markets else self._combo(ticker)
        if number is None or self.combos is None:
            return self.markets.get(ticker)
        return self.combo(number) if self.combos.ticker(number) == ticker else None

    def event(self, ticker: str) -> Event | None:
        """Return an event, also that of a combo."""
        number = None if ticker in self.events else self._combo(ticker)
        if number is None or self.combos is None:
            return self.events.get(ticker)
        return self.combos.event(number) if self.combos.event_ticker(number) == ticker else None

    def combo(self, number: int) -> Market:
        """Return a combo as it stands."""
        assert self.floor is not None
        return self.floor.combo(number)

    def series_ticker(self, market: Market) -> str:
        """Return the series of a market: through its event, for tickers are not to be parsed."""
        event = self.event(market.event_ticker)
        return event.series_ticker if event else ""

    def of_event(self, ticker: str) -> Sequence[Market]:
        """Return the markets of an event that have not vanished."""
        ranks = self._by_event.get(ticker)
        if ranks is not None:
            rows = (self.market_rows[rank] for rank in ranks)
            return [each for each in rows if each.ticker in self.markets]
        number = self._combo(ticker)
        return [] if number is None else [self.combo(number)]

    def updated_ts(self, event: Event) -> datetime | None:
        """Return when an event changed last; one that does not tell changes with its markets."""
        if event.last_updated_ts is not None:
            return event.last_updated_ts
        told = [each.updated_ts for each in self.of_event(event.ticker)]
        return max((each for each in told if each is not None), default=None)

    def of_series(self, ticker: str) -> Rows[Market]:
        """Return the markets of a series."""
        if self.combos is not None and self.combos.n and ticker == self.combos.series.ticker:
            return self.rows("only")
        return Picked(self.market_rows, self._by_series.get(ticker, []))

    def volume_centi(self, series_ticker: str) -> int:
        """Return the contracts, in hundredths, that ever traded in the markets of a series."""
        if self.combos is not None and self.floor is not None and series_ticker == self.combos.series.ticker:
            tickers = self.floor.traded_combos()
            return sum(self.floor.market(ticker).volume_centi for ticker in tickers)
        return sum(self.market_rows[rank].volume_centi for rank in self._by_series.get(series_ticker, ()))

    def is_live(self, market: Market) -> bool:
        """Tell whether the live routes know a market."""
        settled_ts = _settled_ts(market)
        return (settled_ts is None or settled_ts >= self.source.market_cutoff_ts) and self._is_here(market)

    def is_archived(self, market: Market) -> bool:
        """Tell whether the historical routes know a market."""
        settled_ts = _settled_ts(market)
        return (
            settled_ts is not None
            and settled_ts < self.source.market_cutoff_ts + OVERLAP
            and self._is_here(market)
        )

    def is_readable(self, market: Market) -> bool:
        """Tell whether a market's own route knows it already: it lags a little while the clock runs."""
        is_new = market.created_ts is not None and self.now_ts < market.created_ts + READ_LAG
        return not (self._is_living and is_new)

    def live(self, ticker: str) -> Market | None:
        """Return a market of the live tier."""
        market = self.market(ticker)
        return market if market is not None and self.is_live(market) else None

    def archived(self, ticker: str) -> Market | None:
        """Return a market of the archive."""
        market = self.market(ticker)
        return market if market is not None and self.is_archived(market) else None

    def tell(self, market: Market, *, is_archived: bool = False) -> Json:
        """Return a market's payload, printed once per tier unless it changes."""
        if is_combo(market) and self.combos is not None:
            return self._tell_combo(market, self.combos, is_archived=is_archived)
        key = (market.ticker, is_archived)
        told = self._told.get(key)
        if told is None or self._is_living or told.market is not market:
            day_ago = self.source.quote_at(market.ticker, self.now_ts - DAY)
            if told is None or told.market is not market or told.day_ago != day_ago:
                payload = market_json(self._oddly(market, is_archived), day_ago, is_archived=is_archived)
                told = self._told[key] = _Told(market, day_ago, payload)
        return told.payload

    def tell_alone(self, market: Market) -> Json:
        """Return the payload of one archived market, which may lack what the list tells."""
        told = self.tell(market, is_archived=True)
        plan = getattr(self.source, "oddities", {}).get(market.ticker)
        if plan is not None and plan.hides_expiration_value:
            return {name: value for name, value in told.items() if name != "expiration_value"}
        return told

    def _tell_combo(self, market: Market, combos: "Combos", *, is_archived: bool) -> Json:
        number = self._combo(market.ticker)
        if number is None or self.floor is None or self.floor.stage(market.ticker) is not None:
            told = market_json(market, (None, None, None), is_archived=is_archived)
        else:
            alike = (market.close_ts, market.status, market.result, market.settlement_value_cc, is_archived)
            pattern = self._patterns.get(alike)
            if pattern is None:
                pattern = market_json(market, (None, None, None), is_archived=is_archived)
                self._patterns[alike] = pattern
            told = combo_json(pattern, market)
        legs = [] if number is None else combos.legs(number)
        stands = [self.markets.get(leg.ticker) for leg in legs]
        return told | {"mve_selected_legs": legs_json(legs, stands)}

    def _oddly(self, market: Market, is_archived: bool) -> Market:  # noqa: FBT001 - passed on
        plan = getattr(self.source, "oddities", {}).get(market.ticker)
        if plan is None or not plan.archived_size_centi or not is_archived:
            return market
        size_centi: int = plan.archived_size_centi
        return replace(market, yes_bid_size_centi=size_centi, yes_ask_size_centi=size_centi)

    def _is_here(self, market: Market) -> bool:
        return market.ticker in self.markets or (self.combos is not None and is_combo(market))

    def _combo(self, ticker: str) -> int | None:
        return None if self.combos is None else self.combos.find(ticker, self._now_us())

    def _now_us(self) -> int:
        assert self.floor is not None
        return self.floor.now_us

    def _add(self, market: Market) -> None:
        rank = self._ranks[market.ticker] = len(self.market_rows)
        self.market_rows.append(market)
        if self.combos is not None and self.combos.n:
            assert market.created_ts is not None
            self._places.append(rank + self.combos.created_before_ts(market.created_ts))
        self.markets[market.ticker] = market
        self._by_event[market.event_ticker].append(rank)
        self._by_series[self.series_ticker(market)].append(rank)
        self._watch(market)

    def _follow(self) -> None:
        """Take over the news of a source that has some."""
        news = self._news() if self._news is not None else None
        if news is None:
            return
        if news.series:
            self.series = {each.ticker: each for each in news.series}
        for event in news.events:
            self._put_event(event)
        for market in news.markets:
            rank = self._ranks.get(market.ticker)
            if rank is None:
                self._add(market)
            else:
                self.markets[market.ticker] = self.market_rows[rank] = market
        for ticker in news.vanished:
            self.markets.pop(ticker, None)

    def _take_over(self, ticker: str) -> None:
        """List a market as it is now."""
        assert self.floor is not None
        self._stale.discard(ticker)
        if ticker in self.markets:
            market = self.floor.market(ticker)
            self.markets[ticker] = self.market_rows[self._ranks[ticker]] = market
            self._watch(market)

    def _watch(self, market: Market) -> None:
        """Look again when the oldest trade of the last 24 hours falls out of them."""
        if not self._is_living or not market.volume_24h_centi or market.ticker in self._fades:
            return
        fades_us = getattr(self.source, "fades_us", lambda _ticker: None)(market.ticker)
        if fades_us is not None:
            self._fades.add(market.ticker)
            heappush(self._fading, (fades_us, market.ticker))

    def _put_event(self, event: Event) -> None:
        rank = self._event_ranks.setdefault(event.ticker, len(self.event_rows))
        self.event_rows[rank : rank + 1] = [event]
        self.events[event.ticker] = event


class _Made:
    """The combos that exist, oldest first."""

    def __init__(self, catalog: Catalog, n: int) -> None:
        self._catalog = catalog
        self._n = n

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, rank: int, /) -> Market:
        return self._catalog.combo(rank)

    def first_alike(self, rank: int, /) -> int:
        """Return the rank of the first combo whose close and result are this one's."""
        assert self._catalog.combos is not None
        return self._catalog.combos.first_alike(rank)


def is_combo(listed: Market | Event) -> bool:
    """Tell whether a market or event is a multivariate one."""
    collection = listed.mve_collection_ticker if isinstance(listed, Market) else None
    return collection is not None or listed.ticker.startswith(COMBO_PREFIX)


def _settled_ts(market: Market) -> datetime | None:
    if market.settlement_ts is None and market.status == "finalized":
        return market.close_ts
    return market.settlement_ts
