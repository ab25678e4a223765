"""A policy once more, slow and obvious: at every moment of its grid, look at all that it may know by then."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from exchange.ticks import is_on_grid
from exchange.units import to_us
from tests.oracles.engine import NEVER, Market, Oracle, Order, is_live, market_at
from tests.oracles.rules import grid_at


@dataclass
class Desk:
    """One policy on an oracle's markets; times in microseconds."""

    oracle: Oracle
    function: Callable[..., Any]
    params: SimpleNamespace
    memory: dict[str, list[float]]
    every_us: int
    feeds_us: list[int]  # one, or drawn ones, used by microsecond
    latency_us: int
    is_post_only: bool
    from_us: int = 0
    until_us: int = NEVER
    working: dict[tuple[str, int], Order] = field(default_factory=dict)  # by market and direction
    sent_us: dict[str, int] = field(default_factory=dict)
    ended_us: dict[int, int] = field(default_factory=dict)  # by order
    asked_us: dict[str, int] = field(default_factory=dict)  # by market
    depth: int = 0
    signals: list[dict[str, Any]] | None = None  # of one market, or of all where they name none; in any order

    def moments(self) -> set[int]:
        """The grid, from the first row to the last close."""
        rows = [t for market in self.oracle.markets.values() for t in market.instants]
        if not rows:
            return set()
        closes = max(market.close_us for market in self.oracle.markets.values())
        return set(range(min(rows) // self.every_us * self.every_us, closes, self.every_us))

    def counts_on(self, order: Order) -> bool:
        return self.working.get((order.ticker, order.way)) is order

    def could_send(self) -> list[tuple[str, int]]:
        found = []
        for ticker, market in self.oracle.markets.items():
            if market.instants:
                first, last = max(min(market.instants), self.from_us), market.close_us - 1
                found += [(ticker, first)] if first <= min(last, self.until_us) else []
        return found

    def first_us(self) -> int:
        return min((first for _, first in self.could_send()), default=0)

    def ask_all(self, t: int) -> list[Order]:
        """Ask about every market that is due, and return what was sent."""
        self.note_ends(t)
        n = len(self.oracle.orders)
        if t % self.every_us == 0:
            for ticker in sorted(self.oracle.markets):
                if self.is_due(ticker, t):
                    self.ask(ticker, t)
        return self.oracle.orders[n:]

    def note_ends(self, t: int) -> None:
        for order in self.oracle.orders:
            arrived = order.arrival_us <= t
            if arrived and order.order_id not in self.ended_us and not (order.is_resting and order.waiting):
                self.ended_us[order.order_id] = t

    def heard_rows(self, ticker: str) -> dict[int, int]:
        """When it hears of each instant of a market: later by what that drew, never before an earlier one."""
        number, heard, last = sorted(self.oracle.markets).index(ticker), {}, 0
        for t in sorted(self.oracle.markets[ticker].instants):
            last = max(last, t + self.feeds_us[(t + number) % len(self.feeds_us)])
            heard[t] = last
        return heard

    def heard_own(self) -> dict[int, int]:
        """The same of every instant at which an order of its own traded or ended, in all markets.

        That one was replaced, or taken back, the other's message says; of a market that closes there is none.
        """
        orders, heard, last = self.oracle.orders, {}, 0
        closes = {o: self.oracle.markets[orders[o].ticker].close_us for o in self.ended_us}
        ends = {
            t
            for o, t in self.ended_us.items()
            if orders[o].reason != "cancelled" and not orders[o].arrival_us < t == closes[o]
        }
        cuts = {t for order in orders for t, _ in order.cuts}
        for t in sorted(ends | cuts | {fill["fill_us"] for fill in self.oracle.fills}):
            last = max(last, t + self.feeds_us[t % len(self.feeds_us)])
            heard[t] = last
        return heard

    def news(self, ticker: str) -> set[int]:
        """When it hears of something: rows, fills, ends that it did not ask for.

        And when the last row is too old to say what is shown.
        """
        of_us = {order.order_id for order in self.oracle.orders if order.ticker == ticker}
        ends = {
            t
            for o, t in self.ended_us.items()
            if o in of_us and self.oracle.orders[o].action != "cancel"
            if self.oracle.orders[o].reason != "cancelled"
        }
        fills = {fill["fill_us"] for fill in self.oracle.fills if fill["ticker"] == ticker}
        fills |= {t for o in of_us for t, _ in self.oracle.orders[o].cuts}
        own, age_us = self.heard_own(), self.oracle.max_age_us
        rows = sorted(self.heard_rows(ticker).values())
        aged = {
            t + age_us + 1 for t, after in zip(rows, [*rows[1:], NEVER], strict=True) if after > t + age_us
        }
        return {*rows} | {own[t] for t in ends | fills if t in own} | (aged if age_us < NEVER else set())

    def is_due(self, ticker: str, t: int) -> bool:
        market = self.oracle.markets[ticker]
        if not market.instants or t >= market.close_us or t < self.from_us:
            return False
        if ticker in self.asked_us and any(
            self.asked_us[ticker] < to_us(row["known_ts"]) <= t for row in self.about(ticker)
        ):
            return True
        asked = self.asked_us.get(ticker, -1)
        is_over = self.until_us < NEVER and t == -(-self.until_us // self.every_us) * self.every_us
        return is_over or any(asked < s <= t for s in self.news(ticker))

    def about(self, ticker: str) -> list[dict[str, Any]]:
        return [row for row in self.signals or [] if row.get("ticker", ticker) == ticker]

    def signal(self, ticker: str, t: int) -> SimpleNamespace:
        """Return the last row known by t, NaN for what is unknown or null."""
        found = {"fair_cc": None, "tilt": None}
        for row in sorted(self.about(ticker), key=lambda row: to_us(row["known_ts"])):
            if to_us(row["known_ts"]) <= t:
                found = {name: row[name] for name in found}
        return SimpleNamespace(
            **{name: math.nan if value is None else float(value) for name, value in found.items()}
        )

    def ask(self, ticker: str, t: int) -> None:
        self.asked_us[ticker], own, rows = t, self.heard_own(), self.heard_rows(ticker)
        for way in (1, -1):
            order = self.working.get((ticker, way))
            if order and own.get(self.ended_us.get(order.order_id, NEVER), NEVER) <= t:
                del self.working[ticker, way]
        until_us = max((s for s, heard in rows.items() if heard <= t), default=-1)
        known, changed_us, trade = self.known(ticker, until_us)
        wanted = SimpleNamespace(bid_cc=0, bid_centi=0, ask_cc=0, ask_centi=0)
        is_fresh = until_us >= 0 and t - rows[until_us] <= self.oracle.max_age_us
        if t < self.until_us and is_live(known) and is_fresh:
            at = SimpleNamespace(
                ts_us=t,
                changed_us=changed_us,
                **trade,
                **self.shown(known),
                **self.levels(known),
                **self.own(ticker, t),
            )
            signals = [] if self.signals is None else [self.signal(ticker, t)]
            wanted = self.function(at, self.params, self.memory[ticker], *signals)
        self.want(ticker, t, 1, wanted.bid_cc, wanted.bid_centi)
        self.want(ticker, t, -1, wanted.ask_cc, wanted.ask_centi)

    def known(self, ticker: str, known_us: int) -> tuple[Market, int, dict[str, int]]:
        """Return the market as it was then, when it last changed, and the last trade."""
        market = self.oracle.markets[ticker]
        known, trade = (
            market_at(market, known_us),
            dict.fromkeys(("trade_us", "trade_cc", "trade_centi", "trade_way"), 0),
        )
        for t in sorted(s for s in market.instants if s <= known_us):
            for kind, *rest in market.instants[t]:
                if kind in ("traded", "print"):
                    side, price_cc, amount = rest
                    is_bid = side == "yes"
                    trade = {
                        "trade_us": t,
                        "trade_cc": price_cc if is_bid else 10_000 - price_cc,
                        "trade_centi": abs(amount),
                        "trade_way": -1 if is_bid else 1,
                    }
        return known, known.shown_us, trade

    def shown(self, known: Market) -> dict[str, int]:
        bid, ask = max(known.bids, default=0), min(known.asks, default=10_000)
        bid_centi, ask_centi = known.bids.get(bid, 0), known.asks.get(ask, 0)
        return {
            "bid_cc": bid,
            "bid_centi": -1 if bid_centi is None else bid_centi,
            "ask_cc": ask,
            "ask_centi": -1 if ask_centi is None else ask_centi,
        }

    def levels(self, known: Market) -> dict[str, list[int]]:
        """Return the best levels of each side, filled up with levels that show nothing."""
        sides = {
            "bid": (sorted(known.bids.items(), reverse=True), 0),
            "ask": (sorted(known.asks.items()), 10_000),
        }
        found: dict[str, list[int]] = {}
        for side, (levels, none_cc) in sides.items():
            told = [(price, -1 if size is None else size) for price, size in levels if size != 0]
            told = [*told, *[(none_cc, 0)] * self.depth][: self.depth]
            found[f"{side}_prices_cc"], found[f"{side}_counts_centi"] = (
                (list(each) for each in zip(*told, strict=True)) if told else ([], [])
            )
        return found

    def own(self, ticker: str, t: int) -> dict[str, int]:
        heard = self.heard_own()
        fills = [fill for fill in self.oracle.fills if heard[fill["fill_us"]] <= t]
        positions = [fill["position_after_centi"] for fill in fills if fill["ticker"] == ticker]
        told = {"position_centi": positions[-1] if positions else 0}
        for name, way in (("bid", 1), ("ask", -1)):
            order = self.working.get((ticker, way))
            got = sum(fill["count_centi"] for fill in fills if order and fill["order_id"] == order.order_id)
            told[f"my_{name}_cc"] = order.yes_limit if order else 0
            lost = lost_by(order, t, heard) if order else 0
            told[f"my_{name}_centi"] = order.count - got - lost if order else 0
        return told

    def want(self, ticker: str, t: int, way: int, price_cc: int, count: int) -> None:
        order = self.working.get((ticker, way))
        is_wanted = count > 0 and 0 < price_cc < 10_000
        price_cc = self.stands(ticker, t, way, price_cc) if is_wanted else 0
        is_wanted = price_cc > 0
        if order and (not is_wanted or order.yes_limit != price_cc):
            del self.working[ticker, way]
            self.send(ticker, t, way, price_cc, count if is_wanted else 0, is_replacing=True)
        elif is_wanted and not order:
            self.send(ticker, t, way, price_cc, count, is_replacing=False)

    def stands(self, ticker: str, t: int, way: int, price_cc: int) -> int:
        """Return the next price of the grid that is no better for the other side; 0 where there is none."""
        prices = range(price_cc, 0, -1) if way > 0 else range(price_cc, 10_000)
        grid = grid_at(self.oracle.markets[ticker].states, t)
        return next((each for each in prices if is_on_grid(each, grid)), 0)

    def send(self, ticker: str, t: int, way: int, price_cc: int, count: int, *, is_replacing: bool) -> None:
        market = self.oracle.markets[ticker]
        arrival = max(self.sent_us.get(ticker, 0), t + self.latency_us)
        self.sent_us[ticker] = arrival
        order = Order(
            order_id=len(self.oracle.orders),
            ticker=ticker,
            arrival_us=arrival,
            action=("buy" if way > 0 else "sell") if count else "cancel",
            side="yes" if count or way > 0 else "no",
            count=count,
            limit=price_cc if count else None,
            tif="gtc",
            expiry_us=market.close_us,
            is_post_only=self.is_post_only and count > 0,
            is_replacing=is_replacing and count > 0,
            decided_us=t,
        )
        order.wanted = order.waiting = count
        if arrival >= market.close_us:
            order.reason, order.was_rejected = "closed", True
        elif arrival < to_us(market.row["open_ts"]):
            order.reason, order.was_rejected = "not open", True
        self.oracle.orders.append(order)
        if count:
            self.working[ticker, way] = order


def lost_by(order: Order, t: int, heard: dict[int, int]) -> int:
    """Return what is known by t that an order lost for want of cash.

    What it loses before the last loss was heard of is heard of together with the next.
    """
    told, pending, heard_us = 0, 0, 0
    for at_us, count in order.cuts:
        if heard_us <= at_us:
            told, pending = told + pending, 0
        pending, heard_us = pending + count, heard[at_us]
    return told + (pending if heard_us <= t else 0)
