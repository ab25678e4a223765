"""A floor to check by hand: two markets of one event, empty books, and a clock that tests push."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final

from exchange.books import OrderBook
from exchange.fees import QUADRATIC, FeeChange
from exchange.markets import Event, Market, Series
from exchange.ticks import STRUCTURES
from exchange.trades import Candle, Side, Trade
from exchange.units import from_us, parse_cc, parse_centi, to_us
from sandbox.access import Caller
from sandbox.accounts import Account, Purse
from sandbox.catalog import Catalog
from sandbox.desk import Desk
from sandbox.errors import UnknownTicker
from sandbox.floor import Listener, Placed
from sandbox.lifecycle import Kind, LifecycleChange
from sandbox.matching import Engine
from sandbox.order_requests import Fields
from sandbox.orders import Order
from sandbox.tape import MemoryTape
from sandbox.trading import Receipt, amend, place

LATE_2026: Final = datetime(2026, 9, 1, 12, tzinfo=UTC)  # balances in units of $0.0001, with rebates
EARLY_2026: Final = datetime(2026, 3, 10, 12, tzinfo=UTC)  # whole cents, with rebates
RAIN: Final = "RAIN-1"
SNOW: Final = "RAIN-2"


class Pit:
    """Source and floor in one; strangers trade through `stranger`, accounts through `place`."""

    def __init__(
        self,
        *,
        at_ts: datetime = LATE_2026,
        fee_type: str = QUADRATIC,
        multiplier_ppm: int = 1_000_000,
        structure: str = "linear_cent",
        changes: Sequence[FeeChange] = (),
        waived_until_ts: datetime | None = None,
    ) -> None:
        self.now_us = to_us(at_ts)
        self.floor = self
        self._fees = (fee_type, multiplier_ppm)
        self._changes = changes
        self._markets = {
            ticker: Market(
                ticker=ticker,
                event_ticker="RAIN",
                status="active",
                price_level_structure=structure,
                price_ranges=STRUCTURES[structure],
                created_ts=at_ts,
                fee_waiver_expiration_ts=waived_until_ts,
            )
            for ticker in (RAIN, SNOW)
        }
        self._engines = {ticker: Engine() for ticker in self._markets}
        self._listeners: list[Listener] = []
        self._alarms: list[tuple[int, int, Callable[[], object]]] = []
        self._numbers = count(1)
        self.market_cutoff_ts = self.trade_cutoff_ts = at_ts - timedelta(days=30)
        self.desk = Desk(Catalog(self))

    @property
    def now_ts(self) -> datetime:
        return from_us(self.now_us)

    def series(self) -> Sequence[Series]:
        fee_type, ppm = self._fees
        return [
            Series(
                ticker="RAIN", title="", category="", frequency="", fee_type=fee_type, fee_multiplier_ppm=ppm
            )
        ]

    def events(self) -> Sequence[Event]:
        return [Event(ticker="RAIN", series_ticker="RAIN", title="Rain")]

    def markets(self) -> Sequence[Market]:
        return list(self._markets.values())

    def fee_changes(self) -> Sequence[FeeChange]:
        return self._changes

    def tape(self, ticker: str | None, *, is_block_trade: bool | None = None) -> MemoryTape:
        raise AssertionError(f"nobody reads the tape here: {ticker}, {is_block_trade}")

    def candles(self, ticker: str, *, period_s: int, start_ts: datetime, end_ts: datetime) -> list[Candle]:
        raise AssertionError(f"nobody reads candles here: {ticker}, {period_s}, {start_ts}, {end_ts}")

    def quote_at(self, ticker: str, at_ts: datetime) -> tuple[int | None, int | None, int | None]:
        raise AssertionError(f"nobody reads quotes here: {ticker}, {at_ts}")

    def market(self, ticker: str) -> Market:
        if ticker not in self._markets:
            raise UnknownTicker(ticker)
        return self._markets[ticker]

    def book(self, ticker: str) -> OrderBook:
        book, engine = OrderBook(ticker), self._engines[ticker]
        book.apply_snapshot(engine.levels("yes"), engine.levels("no"))
        return book

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def call_at(self, time_us: int, action: Callable[[], object]) -> None:
        self._alarms.append((time_us, next(self._numbers), action))

    def submit(
        self, ticker: str, *, side: Side, limit_cc: int, count_centi: int, owner: int, rests: bool
    ) -> Placed:
        engine = self._engines[ticker]
        order_id, fills = engine.submit(
            side=side, limit_cc=limit_cc, count_centi=count_centi, owner=owner, rests=rests
        )
        for fill in fills:
            trade = Trade(
                trade_id=f"trade-{next(self._numbers)}",
                ticker=ticker,
                created_ts=self.now_ts,
                yes_price_cc=fill.yes_price_cc,
                count_centi=fill.count_centi,
                taker_side=fill.taker_side,
                is_block_trade=False,
            )
            for listener in self._listeners:
                listener.traded(trade, fill)
        return Placed(order_id, fills, engine.resting_centi(order_id))

    def cancel(self, ticker: str, order_id: int) -> int:
        return self._engines[ticker].cancel(order_id)

    def decrease(self, ticker: str, order_id: int, *, by_centi: int) -> int:
        return self._engines[ticker].decrease(order_id, by_centi=by_centi)

    def queue_ahead_centi(self, ticker: str, order_id: int) -> int:
        return self._engines[ticker].queue_ahead_centi(order_id)

    def resting(self, ticker: str, order_id: int) -> int:
        return self._engines[ticker].resting_centi(order_id)

    def wait(self, by: timedelta) -> None:
        """Let time pass, and call whoever asked to be called."""
        until_us = self.now_us + by // timedelta(microseconds=1)
        for due_us, number, action in sorted(self._alarms, key=lambda alarm: alarm[:2]):
            if due_us <= until_us:
                self._alarms.remove((due_us, number, action))
                self.now_us = max(due_us, self.now_us)
                action()
        self.now_us = until_us

    def change(self, kind: Kind, ticker: str = RAIN, **changes: Any) -> None:  # noqa: ANN401 - fields
        """Let something happen to a market, and tell it."""
        self._markets[ticker] = replace(self._markets[ticker], **changes)
        change = LifecycleChange(kind=kind, time_us=self.now_us, ticker=ticker, market=self._markets[ticker])
        for listener in self._listeners:
            listener.changed(change)

    def stranger(self, side: str, price: str, contracts: str, *, ticker: str = RAIN) -> Placed:
        """Let somebody without an account bid for an outcome, at a price of that outcome."""
        return self.submit(
            ticker,
            side="yes" if side == "yes" else "no",
            limit_cc=parse_cc(price),
            count_centi=parse_centi(contracts),
            owner=1,
            rests=True,
        )

    def place(
        self, who: str, side: str, price: str, contracts: str, *, ticker: str = RAIN, **more: object
    ) -> Receipt:
        """Place an order the way a body asks for it: bid or ask, at a YES price."""
        body = {
            "ticker": ticker,
            "side": side,
            "price": price,
            "count": contracts,
            "time_in_force": "good_till_canceled",
            "self_trade_prevention_type": "taker_at_cross",
        }
        return place(self.desk, Caller(who, who), Fields(body | more).new_order())

    def amend(self, order: Order, price: str, contracts: str, **more: object) -> Receipt:
        """Amend an order to a YES price and a total count."""
        side = "bid" if order.side == "yes" else "ask"
        body = {"ticker": order.ticker, "side": side, "price": price, "count": contracts}
        caller = Caller(order.account, order.account)
        return amend(self.desk, caller, order.order_id, None, Fields(body | more).amendment())

    def account(self, who: str) -> Account:
        """Return an account."""
        return self.desk.account(who)

    def purse(self, who: str) -> Purse:
        """Return the primary purse of an account."""
        return self.desk.account(who).purse(0)
