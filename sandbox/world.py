"""A whole exchange made from a number: the same seed gives the same world on every machine."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Final

from exchange.books import OrderBook
from exchange.fees import FeeChange
from exchange.markets import Event, Market, Series
from exchange.trades import Candle, Trade
from exchange.units import DOLLAR_CC, from_us, to_us
from sandbox.candles import bars
from sandbox.chance import stream, uuid_text
from sandbox.errors import BadWorld, UnknownTicker
from sandbox.families import all_series
from sandbox.history import BookListener, History, Script, replay
from sandbox.latent import probabilities_cc, walk
from sandbox.listing import market_at
from sandbox.plans import EventPlan, MarketPlan, Span
from sandbox.tape import MemoryTape, tape_of

DEFAULT_END_TS: Final = datetime(2026, 3, 2, tzinfo=UTC)
MIN_DAYS: Final = 6
DAY_US: Final = 86_400_000_000
Progress = Callable[[str, int, int | None], None]


class World:
    """A `Source` of its own making.

    `seed` decides everything; `days` is how much history there is before `end_ts`, where the clock stands;
    `activity` multiplies how often people trade (1.0: some 50,000 trades in ten days, made in two seconds).
    Trades older than `archive_days` before the end are archived, settled markets a day later.

    Raises:
        BadWorld: fewer than 6 days, or no activity at all.
    """

    def __init__(
        self,
        seed: int = 7,
        *,
        days: int = 10,
        activity: float = 1.0,
        end_ts: datetime = DEFAULT_END_TS,
        archive_days: int = 5,
        progress: Progress | None = None,
    ) -> None:
        if days < MIN_DAYS or activity <= 0 or end_ts.tzinfo is None:
            raise BadWorld(
                f"a world needs at least {MIN_DAYS} days, a positive activity and an end with a time zone; "
                f"got days={days}, activity={activity}, end={end_ts.isoformat()}"
            )
        self._span = Span(seed=seed, days=days, end_ts=end_ts, activity=activity)
        self._archive = timedelta(days=min(archive_days, days - 1))
        plans = all_series(self._span)
        self._series = tuple(plan.series for plan in plans)
        changes = [change for plan in plans for change in plan.fee_changes]
        self._fee_changes = sorted(changes, key=lambda change: (change.effective_ts, change.change_id))
        self._plans = sorted(
            (event for plan in plans for event in plan.events),
            key=lambda event: (event.created_ts, event.event.ticker),
        )
        self._scripts: dict[str, Script] = {}
        self._histories: dict[str, History] = {}
        self._markets: list[Market] = []
        self._bars: dict[tuple[str, int], list[Candle]] = {}
        self._tapes: dict[tuple[str | None, bool | None], MemoryTape] = {}
        for done, event in enumerate(self._plans):
            self._run(event)
            if progress is not None:
                progress("world", done + 1, len(self._plans))
        self._events = tuple(self._as_of_now(plan.event) for plan in self._plans if plan.created_ts <= end_ts)
        self._lay_tapes()

    @property
    def now_ts(self) -> datetime:
        """Where the clock of this world stands."""
        return self._span.end_ts

    @property
    def market_cutoff_ts(self) -> datetime:
        """Markets settled before this are archived; a day later than trades: kinds move on their own."""
        return self.trade_cutoff_ts + timedelta(days=1)

    @property
    def trade_cutoff_ts(self) -> datetime:
        """Trades made before this are archived: a midnight UTC, as observed on Kalshi."""
        cutoff_us = to_us(self._span.end_ts - self._archive)
        return self._span.end_ts - self._archive - timedelta(microseconds=cutoff_us % DAY_US)

    def series(self) -> Sequence[Series]:
        """Return the six series by ticker."""
        return self._series

    def events(self) -> Sequence[Event]:
        """Return the events that have been created, oldest first."""
        return self._events

    def markets(self) -> Sequence[Market]:
        """Return the markets as they are at the end, oldest first."""
        return self._markets

    def histories(self) -> Mapping[str, History]:
        """Return what happened, market by market: prints with open interest, quotes, and the last book."""
        return self._histories

    def tape(self, ticker: str | None, *, is_block_trade: bool | None = None) -> MemoryTape:
        """Return the tape of one market or of the exchange, all trades or only one kind."""
        key = (ticker, is_block_trade)
        if key not in self._tapes:
            whole = self._tapes.get((ticker, None), MemoryTape([], []))
            kept = whole.rows(*whole.span(0, to_us(self.now_ts) + 1))
            self._tapes[key] = tape_of(each for each in kept if each.is_block_trade is is_block_trade)
        return self._tapes[key]

    def candles(
        self, ticker: str, *, period_s: int, start_ts: datetime, end_ts: datetime
    ) -> Sequence[Candle]:
        """Return finished bars whose end lies in `[start_ts, end_ts]`."""
        key = (ticker, period_s)
        if key not in self._bars:
            history = self._histories.get(ticker)
            made = bars(ticker, history, period_s=period_s, until_ts=self.now_ts) if history else []
            self._bars[key] = made
        return [each for each in self._bars[key] if start_ts <= each.end_ts <= end_ts]

    def book(self, ticker: str) -> OrderBook:
        """Return what rests at the end."""
        book = OrderBook(ticker)
        history = self._histories.get(ticker)
        if history is not None:
            book.apply_snapshot(history.yes_levels, history.no_levels)
        return book

    def quote_at(self, ticker: str, at_ts: datetime) -> tuple[int | None, int | None, int | None]:
        """Return best bid, best ask and last price as they stood."""
        history = self._histories.get(ticker)
        if history is None:
            return None, None, None
        bid_cc, ask_cc = history.top_at(to_us(at_ts))
        return bid_cc or None, None if ask_cc == DOLLAR_CC else ask_cc, history.price_at(to_us(at_ts))

    def fee_changes(self) -> Sequence[FeeChange]:
        """Return past and announced fee changes by effective time."""
        return self._fee_changes

    def listen(self, ticker: str, listener: BookListener) -> History:
        """Run one market again, telling `listener` every change of its book (time_us, side, price, delta).

        Raises:
            UnknownTicker: no such market, or it never opened.
        """
        script = self._scripts.get(ticker)
        if script is None:
            raise UnknownTicker(f"{ticker}: this world has no such market; `GET /markets` lists them")
        return replay(script, until_us=to_us(self.now_ts), listener=listener)

    def digest(self) -> str:
        """Return a fingerprint of everything the world says: equal worlds, equal digests."""
        told = hashlib.sha256()
        for part in (self._series, self._events, self._markets, self._fee_changes):
            told.update(repr(part).encode())
        for ticker, history in self._histories.items():
            told.update(repr((ticker, history)).encode())
        told.update(repr(self.tape(None).rows(0, 1_000)).encode())
        return told.hexdigest()

    def _run(self, plan: EventPlan) -> None:
        """Let an event happen: its underlying wanders, its markets trade, its readings decide."""
        if plan.created_ts > self.now_ts:
            return
        path = walk(stream(self._span.seed, plan.event.ticker, "walk"))
        reading = plan.underlying.in_ticks(path[-1])
        for market in plan.markets:
            fair_cc = probabilities_cc(path, plan.underlying, market.outcome)
            history = self._trade(plan, market, tuple(fair_cc))
            self._markets.append(market_at(plan, market, history, reading=reading, now_ts=self.now_ts))

    def _trade(self, plan: EventPlan, market: MarketPlan, fair_cc: tuple[int, ...]) -> History | None:
        if plan.open_ts > self.now_ts:
            return None
        ticker = f"{plan.event.ticker}-{market.suffix}"
        script = Script(
            seed=f"{self._span.seed}/{ticker}",
            structure=plan.structure,
            open_us=to_us(plan.open_ts),
            close_us=to_us(plan.close_ts),
            n_actions=market.n_actions,
            fair_cc=fair_cc,
        )
        self._scripts[ticker] = script
        self._histories[ticker] = replay(script, until_us=to_us(self.now_ts))
        return self._histories[ticker]

    def _as_of_now(self, event: Event) -> Event:
        """Give an event the fee override that is in force, if any."""
        for change in self._fee_changes:
            if change.ticker == event.ticker and change.effective_ts <= self.now_ts:
                event = replace(
                    event,
                    fee_type_override=change.fee_type,
                    fee_multiplier_override_ppm=change.multiplier_ppm,
                )
        return event

    def _lay_tapes(self) -> None:
        """Give every print an id and lay the tapes of each market and of the whole exchange."""
        whole: list[tuple[int, int, Trade]] = []
        for ticker, history in self._histories.items():
            ids = stream(self._span.seed, ticker, "ids")
            trades = [
                Trade(
                    trade_id=uuid_text(ids),
                    ticker=ticker,
                    created_ts=from_us(each.time_us),
                    yes_price_cc=each.yes_price_cc,
                    count_centi=each.count_centi,
                    taker_side=each.taker_side,
                    is_block_trade=each.is_block,
                )
                for each in history.prints
            ]
            times_us = [each.time_us for each in history.prints]
            self._tapes[ticker, None] = MemoryTape(trades, times_us)
            first = len(whole)
            whole += zip(times_us, range(first, first + len(trades)), trades, strict=True)
        whole.sort(key=itemgetter(0, 1))
        self._tapes[None, None] = MemoryTape([row[2] for row in whole], [row[0] for row in whole])
