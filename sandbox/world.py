"""A whole exchange made from a number: the same seed gives the same world on every machine."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import Final

from exchange.books import OrderBook
from exchange.fees import FeeChange
from exchange.markets import Event, Market, Series
from exchange.trades import Candle
from exchange.units import DOLLAR_CC, to_us
from sandbox.candles import bars
from sandbox.chance import stream
from sandbox.clock import Clock, Frozen
from sandbox.combos import Combos
from sandbox.errors import BadWorld, UnknownTicker
from sandbox.families import all_series
from sandbox.floor import Floor
from sandbox.history import History
from sandbox.latent import walk
from sandbox.oddities import odd_series
from sandbox.plans import MarketPlan, SeriesPlan, Span
from sandbox.run import BookListener, replay
from sandbox.stage import Stage
from sandbox.tape import MemoryTape, Tapes

DEFAULT_END_TS: Final = datetime(2026, 3, 2, tzinfo=UTC)
MIN_DAYS: Final = 6
DAY_US: Final = 86_400_000_000
Progress = Callable[[str, int, int | None], None]


class World:
    """A `Source` of its own making.

    `seed` decides everything; `days` is how much history there is before `end_ts`, where the world ends;
    `activity` multiplies how often people trade (1.0: some 50,000 trades in ten days, made in two seconds).
    Without a `clock` the world stands at its end. With one it has lived up to where the clock stands and
    lives on whenever `floor.advance()` is called, until the end. Trades older than `archive_days` are
    archived, settled markets a day later. `oddities` adds the series of `sandbox.oddities`. `combos` markets
    of markets are listed besides, by `combos` and not by `markets()`: they are made when they are looked at.

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
        clock: Clock | None = None,
        oddities: bool = False,
        combos: int = 0,
        progress: Progress | None = None,
    ) -> None:
        if days < MIN_DAYS or activity <= 0 or end_ts.tzinfo is None:
            raise BadWorld(
                f"a world needs at least {MIN_DAYS} days, a positive activity and an end with a time zone; "
                f"got days={days}, activity={activity}, end={end_ts.isoformat()}"
            )
        self._span = Span(seed=seed, days=days, end_ts=end_ts, activity=activity)
        self._archive = timedelta(days=min(archive_days, days - 1))
        self._cutoff_moved = timedelta(0)
        plain = all_series(self._span)
        self._plan([*plain, *(odd_series(self._span) if oddities else [])])
        self._paths: dict[str, Sequence[float]] = {}
        self._bars: dict[tuple[str, int], _Bars] = {}
        self._listed: tuple[tuple[int, int], list[Market]] | None = None
        clock = clock or Frozen(to_us(end_ts))
        now_us = min(clock.now_us(), to_us(end_ts))
        self._stages = self._live_until(now_us, progress)
        self._tapes = Tapes()
        self._lay_tapes()
        self.is_living = not isinstance(clock, Frozen)
        legs = [event for plan in plain for event in plan.events]
        self.combos = Combos(self._span, combos, legs, self._reading)
        self.floor = Floor(
            self._stages,
            tapes=self._tapes,
            fee_changes=self._fee_changes,
            event_at=self.event_at,
            combos=self.combos,
            clock=clock,
            now_us=now_us,
            end_us=to_us(end_ts),
        )

    @property
    def now_ts(self) -> datetime:
        """Up to where this world has lived: its clock, as last seen by `floor.advance()`."""
        return self.floor.now_ts

    @property
    def market_cutoff_ts(self) -> datetime:
        """Markets settled before this are archived; a day later than trades: kinds move on their own."""
        return self.trade_cutoff_ts + timedelta(days=1)

    @property
    def trade_cutoff_ts(self) -> datetime:
        """Trades made before this are archived: a midnight UTC, as observed on Kalshi."""
        cutoff_ts = self.now_ts - self._archive
        return cutoff_ts - timedelta(microseconds=to_us(cutoff_ts) % DAY_US) + self._cutoff_moved

    def move_cutoff(self, by: timedelta) -> None:
        """Move both cutoffs once, as the exchange does between two pages."""
        self._cutoff_moved += by

    @cached_property
    def oddities(self) -> Mapping[str, MarketPlan]:
        """The plans of markets of which the archive tells something wrong."""
        plans = {stage.ticker: stage.market_plan for stage in self._stages}
        return {
            ticker: plan
            for ticker, plan in plans.items()
            if plan.archived_size_centi or plan.hides_expiration_value
        }

    def series(self) -> Sequence[Series]:
        """Return the series by ticker, each with the fees in force."""
        listed = [*self._series, self.combos.series] if self.combos.n else self._series
        return [self._series_at(each, self.now_ts) for each in listed]

    def events(self) -> Sequence[Event]:
        """Return the events that have been created, oldest first."""
        now_ts = self.now_ts
        return [self._as_of(plan.event, now_ts) for plan in self._plans if plan.created_ts <= now_ts]

    def event_at(self, ticker: str, now_ts: datetime) -> Event | None:
        """Return one event as it is listed at an instant; None when it is unknown or not created."""
        plan = self._by_event.get(ticker)
        return self._as_of(plan.event, now_ts) if plan and plan.created_ts <= now_ts else None

    def markets(self) -> Sequence[Market]:
        """Return the markets as they are now, oldest first."""
        key = (self.floor.version, self.floor.now_us)
        if self._listed is None or self._listed[0] != key:
            now_ts = self.now_ts
            self._listed = (key, [stage.market(now_ts) for stage in self._stages if stage.is_listed])
        return self._listed[1]

    def histories(self) -> Mapping[str, History]:
        """Return what happened, market by market: prints with open interest, quotes, and the last book."""
        return {stage.ticker: stage.run.history() for stage in self._stages if stage.run is not None}

    def tape(self, ticker: str | None, *, is_block_trade: bool | None = None) -> MemoryTape:
        """Return the tape of one market or of the exchange, all trades or only one kind."""
        return self._tapes.of(ticker, is_block_trade=is_block_trade)

    def candles(
        self, ticker: str, *, period_s: int, start_ts: datetime, end_ts: datetime
    ) -> Sequence[Candle]:
        """Return finished bars whose end lies in `[start_ts, end_ts]`."""
        past = self._past(ticker)
        if past is None:
            return []
        now_ts = self.now_ts
        mark = (len(past.prints), len(past.quotes), now_ts)
        made = self._bars.get((ticker, period_s))
        if made is None or made.mark != mark:
            made = _Bars(mark, bars(ticker, past, period_s=period_s, until_ts=now_ts))
            self._bars[ticker, period_s] = made
        return [each for each in made.candles if start_ts <= each.end_ts <= end_ts]

    def book(self, ticker: str) -> OrderBook:
        """Return what rests now."""
        stage = self.floor.stage(ticker)
        return OrderBook(ticker) if stage is None else stage.book()

    def quote_at(self, ticker: str, at_ts: datetime) -> tuple[int | None, int | None, int | None]:
        """Return best bid, best ask and last price as they stood."""
        past = self._past(ticker)
        if past is None:
            return None, None, None
        bid_cc, ask_cc = past.top_at(to_us(at_ts))
        return bid_cc or None, None if ask_cc == DOLLAR_CC else ask_cc, past.price_at(to_us(at_ts))

    def fades_us(self, ticker: str) -> int | None:
        """Return when a market's volume of 24 hours will shrink if nobody trades; None when there is none."""
        past = self._past(ticker)
        first_us = past.first_since(self.floor.now_us - DAY_US) if past else None
        return None if first_us is None else first_us + DAY_US + 1

    def fee_changes(self) -> Sequence[FeeChange]:
        """Return past and announced fee changes by effective time."""
        return self._fee_changes

    def listen(self, ticker: str, listener: BookListener) -> History:
        """Run one market again, telling `listener` every change of its book (time_us, side, price, delta).

        Orders of others are not repeated: this is the market as the agents alone made it.

        Raises:
            UnknownTicker: no such market, or it never opened.
        """
        stage = self.floor.stage(ticker)
        if stage is None or stage.run is None:
            raise UnknownTicker(f"{ticker}: this world has no such market; `GET /markets` lists them")
        return replay(stage.script, until_us=self.floor.now_us, listener=listener)

    def digest(self) -> str:
        """Return a fingerprint of everything the world says: equal worlds, equal digests."""
        told = hashlib.sha256()
        parts = (tuple(self.series()), tuple(self.events()), self.markets(), self._fee_changes)
        for part in parts:
            told.update(repr(part).encode())
        for ticker, history in self.histories().items():
            told.update(repr((ticker, history)).encode())
        told.update(repr(self.tape(None).rows(0, 1_000)).encode())
        return told.hexdigest()

    def _plan(self, plans: Sequence[SeriesPlan]) -> None:
        """Take over what will happen, in the order in which it will be listed."""
        changes = [change for plan in plans for change in plan.fee_changes]
        self._series: tuple[Series, ...] = tuple(plan.series for plan in plans)
        self._fee_changes: list[FeeChange] = sorted(
            changes, key=lambda change: (change.effective_ts, change.change_id)
        )
        self._plans = sorted(
            (event for plan in plans for event in plan.events),
            key=lambda event: (event.created_ts, event.event.ticker),
        )
        self._by_event = {plan.event.ticker: plan for plan in self._plans}

    def _live_until(self, now_us: int, progress: Progress | None) -> list[Stage]:
        """Set every market on the stage and let it live by itself up to where the clock stands."""
        stages = []
        for done, plan in enumerate(self._plans):
            for market in plan.markets:
                stage = Stage(self._span.seed, plan, market, partial(self._path, plan.event.ticker))
                stage.catch_up(now_us)
                stages.append(stage)
            if progress is not None:
                progress("world", done + 1, len(self._plans))
        return stages

    def _path(self, event_ticker: str) -> Sequence[float]:
        """Return where an event's underlying wanders; drawn once."""
        path = self._paths.get(event_ticker)
        if path is None:
            path = self._paths[event_ticker] = walk(stream(self._span.seed, event_ticker, "walk"))
        return path

    def _reading(self, event_ticker: str) -> int:
        return self._by_event[event_ticker].underlying.in_ticks(self._path(event_ticker)[-1])

    def _past(self, ticker: str) -> History | None:
        stage = self.floor.stage(ticker)
        return None if stage is None or stage.run is None else stage.run.past

    def _series_at(self, series: Series, now_ts: datetime) -> Series:
        """Give a series the fees that are in force."""
        for change in self._fee_changes:
            if (change.scope, change.ticker) == ("series", series.ticker) and change.effective_ts <= now_ts:
                assert change.fee_type is not None
                assert change.multiplier_ppm is not None
                series = replace(series, fee_type=change.fee_type, fee_multiplier_ppm=change.multiplier_ppm)
        return series

    def _as_of(self, event: Event, now_ts: datetime) -> Event:
        """Give an event the fee override that is in force, if any."""
        for change in self._fee_changes:
            if change.ticker == event.ticker and change.effective_ts <= now_ts:
                event = replace(
                    event,
                    fee_type_override=change.fee_type,
                    fee_multiplier_override_ppm=change.multiplier_ppm,
                )
        return event

    def _lay_tapes(self) -> None:
        """Give every print an id and lay the tapes of each market and of the whole exchange."""
        self._tapes.lay(
            (
                stage.ticker,
                [stage.trade(each) for each in stage.run.past.prints],
                [each.time_us for each in stage.run.past.prints],
            )
            for stage in self._stages
            if stage.run is not None
        )


@dataclass(frozen=True, slots=True)
class _Bars:
    """Bars made when a market had so many prints and quotes and the clock stood there."""

    mark: tuple[int, int, datetime]
    candles: list[Candle]
