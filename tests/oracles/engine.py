"""The engine once more, slow and obvious: dicts, OrderBook, charge_fill and one loop over all moments.

It shares no code with the kernels. Times are microseconds since 1970; rows are dicts as in the lake's tables.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from exchange.books import OrderBook
from exchange.fees import FeeTerms, charge_fill, is_combo, rounding_at
from exchange.ticks import is_on_grid
from exchange.units import from_us, to_us
from tests.oracles.books import LONG_AGO, speaker, told
from tests.oracles.queue import Place
from tests.oracles.rules import grid_at, is_halted, least_payout, pauses
from tests.oracles.slippage import cents, ladder

NEVER: Final = 2**63 - 1
DAY_US: Final = 86_400_000_000
UNSIZED: Final = {"touch": "touch:no-size"}
Key = tuple[str, int]
_CHANGE: Final = ("side", "price_cc", "delta_centi")
Row = Mapping[str, Any]


@dataclass
class Order:
    """One order and how far it has got; counts in hundredths, prices as the plan gave them."""

    order_id: int
    ticker: str
    arrival_us: int
    action: str
    side: str | None
    count: int
    limit: int | None
    tif: str
    expiry_us: int
    filled: int = 0
    waiting: int = 0
    reserved: int = 0
    accumulated: int = 0
    dropped: int = 0  # for want of cash while it waited
    cuts: list[tuple[int, int]] = field(
        default_factory=list
    )  # when, and how much, while a policy counted on it
    is_resting: bool = False
    reason: str | None = None
    was_rejected: bool = False
    is_post_only: bool = False
    is_replacing: bool = False
    is_cut: bool = False  # it ends because trading resumes
    place: Place | None = None
    decided_us: int = 0
    basket: str | None = None
    wanted: int = 0
    after: "Order | None" = None

    @property
    def way(self) -> int:
        return 1 if (self.action == "buy") == (self.side == "yes") else -1

    @property
    def ended_us(self) -> int | None:
        """When it stopped waiting, if it ever waited and the market closes."""
        return self.expiry_us if self.is_resting and self.expiry_us < NEVER else None

    @property
    def yes_limit(self) -> int:
        if self.limit is None:
            return 10_000 if self.way > 0 else 0
        return 10_000 - self.limit if self.side == "no" else self.limit


@dataclass
class Market:
    """What is displayed, what we took of it, and what we hold."""

    states: list[Row]  # as observed, the last one last
    close_us: int
    payouts: list[tuple[int, int]]
    instants: dict[int, list[tuple[Any, ...]]]
    is_known: bool = False
    bids: dict[int, int | None] = field(default_factory=dict)  # YES prices; None: size unknown
    asks: dict[int, int | None] = field(default_factory=dict)
    used: dict[tuple[str, int], int] = field(default_factory=dict)
    taken_us: dict[tuple[str, int], int] = field(default_factory=dict)
    book: OrderBook = field(default_factory=lambda: OrderBook("?"))
    mark: tuple[int, int] = (0, 10_000)
    position: int = 0
    basis: int = 0
    spent: int = 0
    is_traded: bool = False
    is_settled: bool = False
    shown_us: int = 0  # when somebody last said what is displayed
    was_known: bool = False  # before the instant that is being looked at
    is_middle: bool | None = None  # whether what is displayed is a middle; None: it is bids and asks
    paid_for: int = 0  # the position at the first payout
    value_cc: int = 0  # what was paid so far

    def __post_init__(self) -> None:
        self.row = self.states[-1]
        self.pauses = pauses(self.states)

    def is_paused(self, t: int) -> bool:
        return is_halted(t) or any(begin <= t < until for begin, until, _ in self.pauses)


class Asked(Protocol):
    """A policy, as tests/oracles/quoting.py has it."""

    def moments(self) -> set[int]: ...

    def ask_all(self, t: int) -> list[Order]: ...

    def could_send(self) -> list[tuple[str, int]]: ...

    def first_us(self) -> int: ...

    def counts_on(self, order: Order) -> bool: ...


@dataclass
class Oracle:
    """One run: build it from rows, call `run`, read fills, settlements, equity, orders and cash."""

    markets: dict[str, Market]
    orders: list[Order]
    terms: Callable[[str, int], FeeTerms]  # of a market at a time
    cash: int
    cap: int | None = None
    queue: str | None = None
    fills: list[dict[str, Any]] = field(default_factory=list)
    settlements: list[dict[str, Any]] = field(default_factory=list)
    equity: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    basis: str = "touch"
    refill_us: int = NEVER
    max_age_us: int = NEVER
    slips: bool = False  # to whole cents
    extra_ticks: int = 0
    worse: Callable[[float], float] | None = None  # the impact, where no size is shown
    desk: "Asked | None" = None  # a policy
    series_cap: int | None = None
    netted: frozenset[str] = frozenset()  # events that return collateral
    locked_max: int = 0
    poorest: int = 0
    is_owing: bool = False  # a correction took money back, or exclusive markets paid above $1 in sum
    locked_micro_us: int = 0

    def run(self) -> None:
        grid = self.grid()
        last, end = 0, max(grid, default=0)
        moments = {t for o in self.orders for t in (o.arrival_us, o.expiry_us)} | grid
        for each in self.markets.values():
            moments |= {*each.instants, *(t for t, _ in each.payouts)}
            moments |= {until for _, until, _ in each.pauses}
        moments |= self.desk.moments() if self.desk else set()
        moments.discard(NEVER)
        while moments:
            t = min(moments)
            moments.remove(t)
            before = len(self.fills) + len(self.settlements)
            self.locked_micro_us += self.locked() * max(0, min(t, end) - last)
            last = t
            self.at(t)
            if self.desk:
                moments |= {s for o in self.desk.ask_all(t) for s in (o.arrival_us, o.expiry_us)}
            self.locked_max = max(self.locked_max, self.locked())
            self.poorest = min(self.poorest, self.cash + self.returned())
            moved = len(self.fills) + len(self.settlements) > before
            if moved or (t in grid and any(m.is_traded and not m.is_settled for m in self.markets.values())):
                self.record(t)
        if grid:
            first = self.desk.first_us() if self.desk else self.orders[0].arrival_us
            self.equity = spaced(self.equity, max(0, end - first) // 1_000)

    def at(self, t: int) -> None:
        """Do all of one moment: market data, expiries, settlements, waiting orders, arrivals."""
        for market in self.markets.values():
            self.show(market, t)
        ended = [o for o in self.orders if o.is_resting and o.waiting and o.expiry_us == t]
        for order in ended:
            order.waiting = order.reserved = 0
        for ticker in sorted({o.ticker for o in ended if closable(o, self.markets[o.ticker])}):
            self.revise(ticker, t)
        for ticker in sorted(self.markets):
            for number, (paid_us, value_cc) in enumerate(self.markets[ticker].payouts):
                if paid_us == t:
                    self.settle(ticker, t, value_cc, is_correction=number > 0)
        for ticker in sorted(self.markets):
            if t in self.markets[ticker].instants:
                self.wake_all(ticker, t)
        for order in self.orders:
            if order.arrival_us == t and not order.was_rejected:
                self.arrive(order, t)

    def grid(self) -> set[int]:
        sent = (
            self.desk.could_send()
            if self.desk
            else [(o.ticker, o.arrival_us) for o in self.orders if not o.was_rejected]
        )
        if not sent:
            return set()
        ends = [arrival_us for _, arrival_us in sent]
        for each in {ticker for ticker, _ in sent}:
            market = self.markets[each]
            ends += [max(market.instants)] if market.instants else []
            ends += [t for t, _ in market.payouts]
        first = min(arrival_us for _, arrival_us in sent) // DAY_US + 1
        return {day * DAY_US for day in range(first, max(ends) // DAY_US + 1)} | {max(ends)}

    def wake_all(self, ticker: str, t: int) -> None:
        """Let the waiting orders of a market meet the events of one moment, event by event."""
        market = self.markets[ticker]
        events, is_known, left = market.instants[t], market.was_known, 0
        for number, event in enumerate(events):
            is_known = event[0] != "unknown" and (is_known or event[0] == "snapshot")
            left = abs(event[3]) if event[0] in ("traded", "print") else 0
            for order in sorted(self.orders, key=lambda order: (-order.way, -order.way * order.yes_limit)):
                held = market.position
                if order.ticker == ticker and order.is_resting and order.waiting:
                    left -= self.wake(
                        order, t, event, left, is_known=is_known, is_last=number == len(events) - 1
                    )
                if market.position != held:
                    self.revise(ticker, t)

    def show(self, market: Market, t: int) -> None:
        market.was_known = market.is_known
        show_all(market, market, t)

    def arrive(self, order: Order, t: int) -> None:
        """Take in an order that does not come in vain."""
        if order.after is not None:
            order.count = order.waiting = min(order.count, order.after.filled)
            if not order.waiting:
                order.reason = "leg before unfilled"
                return
        if order.action == "cancel":
            order.reason = None if self.cancel(order.ticker, order.side, t) else "nothing waits"
            return
        if order.is_replacing:
            self.cancel(order.ticker, "yes" if order.way > 0 else "no", t)
        market = self.markets[order.ticker]
        if self.desk and order.limit is not None and not is_on_grid(order.limit, grid_at(market.states, t)):
            order.reason, order.was_rejected = "off-grid limit", True
            return
        if market.is_paused(t):
            order.reason, order.was_rejected = "paused", True
            order.count = 0 if order.action == "close" else order.count
            return
        held = market.position
        self.match(order, t)
        if market.position != held:
            self.revise(order.ticker, t)

    def match(self, order: Order, t: int) -> None:
        market = self.markets[order.ticker]
        if order.action == "close":
            order.count = order.waiting = abs(market.position)
            if not order.count:
                order.reason, order.was_rejected = "nothing held", True
                return
            order.action, order.side = "sell", "yes" if market.position > 0 else "no"
        if not is_live(market) or t - market.shown_us > self.max_age_us:
            order.reason = "book unknown"
        elif order.is_post_only:
            if self.crosses(order):
                order.reason, order.waiting, order.was_rejected = "post only", 0, True
        elif order.tif == "fok":
            self.all_or_none(order, t)
        else:
            self.take(order, t)
        if order.tif == "gtc" and order.waiting:
            resumed = [until for _, until, cancels in market.pauses if cancels and until > t]
            order.is_cut = min(resumed, default=NEVER) < order.expiry_us
            order.expiry_us = min([order.expiry_us, *resumed])
            self.rest(order, t)

    def cancel(self, ticker: str, acquires: str | None, t: int) -> int:
        """Cancel what waits in a market, on one side or both; return how many orders that were."""
        waiting = [o for o in self.orders if o.ticker == ticker and o.is_resting and o.waiting]
        ended = [o for o in waiting if acquires in (None, "yes" if o.way > 0 else "no")]
        for order in ended:
            order.waiting = order.reserved = 0
            order.reason, order.expiry_us = "cancelled", t
        return len(ended)

    def wake(
        self, order: Order, t: int, event: tuple[Any, ...], left: int, *, is_known: bool, is_last: bool
    ) -> int:
        """Let one waiting order meet one event; return how much of a trade it got."""
        before, is_served = order.filled, False
        is_open = not self.markets[order.ticker].is_paused(t)
        if not is_open:
            if order.place is not None and not order.place.is_reached_by(event):
                order.place.follow(event, is_known=is_known)
            return 0
        if order.place is not None and order.place.is_reached_by(event):
            is_served = True
            self.serve(order, t, order.place.reach(event, left, is_known=is_known), event)
        elif order.place is not None:
            order.place.follow(event, is_known=is_known)
        got = order.filled - before
        is_crossed = (
            is_last and order.waiting > 0 and is_live(self.markets[order.ticker]) and self.crosses(order)
        )
        if is_crossed:
            self.take(order, t)
        if is_served or is_crossed:
            self.rest(order, t)
        return got

    def crosses(self, order: Order) -> bool:
        market = self.markets[order.ticker]
        touch = min(market.asks, default=10_000) if order.way > 0 else max(market.bids, default=0)
        return order.way * (touch - order.yes_limit) <= 0

    def serve(self, order: Order, t: int, comes: int, event: tuple[Any, ...]) -> None:
        market, price = self.markets[order.ticker], order.yes_limit
        wanted = min(order.waiting, comes)
        if wanted:
            n, why = self.allowed(order, market, price, wanted, t)
            if n:
                assert order.place is not None
                through = event[2] != order.place.price_cc
                self.trade(order, market, price, n, t, evidence="queue:through" if through else "queue")
            order.reason = why if order.waiting else whole(order)

    def rest(self, order: Order, t: int) -> None:
        market = self.markets[order.ticker]
        price = order.yes_limit
        if self.queue and not order.is_resting:
            own = ("yes", price, market.bids) if order.way > 0 else ("no", 10_000 - price, market.asks)
            order.place = Place(self.queue, own[0], own[1])
            if market.is_known:
                order.place.see(own[2].get(price) or 0)
        order.reserved, order.is_resting = 0, True
        if order.waiting:
            order.reason = "paused" if order.is_cut else "expired"
        before = sum(o.waiting for o in self.waiting(order.ticker, order.way) if o.order_id < order.order_id)
        self.hold(order, t, max(0, closable(order, market) - before))

    def waiting(self, ticker: str, way: int) -> list[Order]:
        """Return what waits on one side of a market, in the order in which it came."""
        return [o for o in self.orders if (o.ticker, o.way) == (ticker, way) and o.is_resting and o.waiting]

    def hold(self, order: Order, t: int, cover: int) -> None:
        """Reserve what an order costs beyond closing `cover` contracts, as far as the purse pays for it."""
        market, price = self.markets[order.ticker], order.yes_limit
        n = self.affordable(order, market, price, order.waiting, t, cover)
        if n < order.waiting:
            order.reason = "no cash"
        if n < order.waiting and self.desk and self.desk.counts_on(order):
            order.cuts.append((t, order.waiting - n))
        order.dropped += order.waiting - n
        order.waiting = n
        if n:
            order.reserved = max(0, self.outlay(order, market, price, n, t, cover))
        else:
            order.expiry_us = t

    def revise(self, ticker: str, t: int) -> None:
        """Reserve anew for all that waits in a market, those that came first before the others."""
        orders = sorted(self.waiting(ticker, 1) + self.waiting(ticker, -1), key=lambda o: o.order_id)
        position = self.markets[ticker].position
        cover = {1: max(0, -position), -1: max(0, position)}
        for order in orders:
            order.reserved = 0
        for order in orders:
            self.hold(order, t, cover[order.way])
            cover[order.way] = max(0, cover[order.way] - order.waiting)

    def all_or_none(self, order: Order, t: int) -> None:
        market = self.markets[order.ticker]
        kept = (dict(market.used), market.position, market.basis, market.spent, market.is_traded, self.cash)
        taken_us = dict(market.taken_us)
        n_fills = len(self.fills)
        self.take(order, t)
        if order.waiting:
            del self.fills[n_fills:]
            market.used, market.position, market.basis, market.spent, market.is_traded, self.cash = kept
            market.taken_us = taken_us
            order.filled, order.waiting, order.accumulated = 0, order.count, 0
            if order.reason not in ("no cash", "event cap", "series cap"):
                order.reason = "fill or kill"

    def take(self, order: Order, t: int) -> None:
        market, side = self.markets[order.ticker], "ask" if order.way > 0 else "bid"
        order.reason = "no size left"
        for key, price, left, evidence in self.offers(order, market, side, t):
            if not 0 < price < 10_000 or order.way * (price - order.yes_limit) > 0:
                order.reason = "beyond limit"
                break
            wanted = min(order.waiting, left)
            if wanted <= 0:
                continue
            n, why = self.allowed(order, market, price, wanted, t)
            if n:
                self.trade(order, market, price, n, t, evidence=evidence)
                market.used[key] = market.used.get(key, 0) + n
                market.taken_us[key] = t
            if why:
                order.reason = why
                break
            if not order.waiting:
                break
        if not order.waiting:
            order.reason = whole(order)

    def offers(self, order: Order, market: Market, side: str, t: int) -> Iterator[tuple[Key, int, int, str]]:
        """What an order finds, best first: where, at which price, how much is left, what that rests on."""
        shown = sorted(market.asks.items()) if order.way > 0 else sorted(market.bids.items(), reverse=True)
        for touch, size in shown:
            key = (side, 0 if self.basis == "trades" else touch)
            if t - market.taken_us.get(key, t) >= self.refill_us:
                market.used[key] = 0
            used = market.used.get(key, 0)
            at = cents(touch, order.way) if self.slips and size is None else touch
            at = self.worse_by_ticks(market, at, order.way, t)
            if order.is_resting and order.way * (touch - order.yes_limit) <= 0:
                at = order.yes_limit
            if size is None and self.worse is not None:
                only = at if order.is_resting else None
                for price, left in ladder(touch, order.way, used, self.worse, only):
                    told = "crossed" if order.is_resting else "impact"
                    plain = UNSIZED.get(self.basis, self.basis)
                    is_best = price == at and not order.is_resting
                    yield key, price, left, plain if is_best else f"{self.basis}:{told}"
                yield key, 10_000, 0, ""  # nobody trades there
            elif size is None:
                crossed = order.is_resting and self.slips
                told = f"{self.basis}:crossed" if crossed else UNSIZED.get(self.basis, self.basis)
                yield key, at, order.waiting, told
            else:
                yield key, at, size - used, f"{self.basis}:crossed" if order.is_resting else self.basis

    def worse_by_ticks(self, market: Market, price: int, way: int, t: int) -> int:
        """Return the price so many steps of the grid worse; 0 where the grid ends before."""
        for _ in range(self.extra_ticks):
            beyond = range(price + way, 10_000 if way > 0 else 0, way)
            price = next((each for each in beyond if is_on_grid(each, grid_at(market.states, t))), 0)
        return price

    def allowed(self, order: Order, market: Market, price: int, n: int, t: int) -> tuple[int, str | None]:
        why = None
        for cap, of in ((self.cap, "event"), (self.series_cap, "series")):
            if cap is not None:
                own = market.row[f"{of}_ticker"]
                held = sum(m.basis for m in self.markets.values() if m.row[f"{of}_ticker"] == own)
                released = market.basis if closable(order, market) else 0  # it turns round, or stays below
                most = closable(order, market) + max(0, cap - held + released) // acquired(order, price)
                if most < n:
                    n, why = most, f"{of} cap"
        if market.row["event_ticker"] in self.netted:
            paid = self.affordable_netted(order, market, price, n, t)
        else:
            paid = self.affordable(order, market, price, n, t)
        return paid, "no cash" if paid < n else why

    def affordable(
        self, order: Order, market: Market, price: int, want: int, t: int, cover: int | None = None
    ) -> int:
        """Return what of `want` the purse pays for; `cover`: what it may close, all that is held if None."""
        free = self.free(order)
        if self.outlay(order, market, price, want, t, cover) <= free:
            return want
        closing = min(want, closable(order, market) if cover is None else cover)
        if closing and self.outlay(order, market, price, closing, t, cover) > free:
            return 0
        fits = (n for n in range(want, closing, -1) if self.outlay(order, market, price, n, t, cover) <= free)
        return next(fits, closing)

    def free(self, order: Order) -> int:
        reserved = sum(o.reserved for o in self.orders if o is not order)
        return max(0, self.cash + self.returned() - reserved)

    def affordable_netted(self, order: Order, market: Market, price: int, want: int, t: int) -> int:
        """Return the largest count that the purse pays for, collateral given or taken back included."""
        free, before, held = self.free(order), self.returned(), market.position
        for n in range(want, 0, -1):
            market.position = held + order.way * n
            taken_back = before - self.returned()
            market.position = held
            if self.outlay(order, market, price, n, t) + taken_back <= free:
                return n
        return 0

    def returned(self) -> int:
        """Return what netting has given back: the least that NO in every netted event will still pay."""
        total = 0
        for event in self.netted:
            members = [m for m in self.markets.values() if m.row["event_ticker"] == event]
            open_cc = max(0, 10_000 - sum(m.value_cc for m in members))
            total += least_payout([m.position for m in members], open_cc)
        return total

    def outlay(
        self, order: Order, market: Market, price: int, n: int, t: int, cover: int | None = None
    ) -> int:
        """Cash that n contracts need: opening costs q, closing pays 1 - q, and the fee before rebate."""
        q = acquired(order, price)
        closing = min(n, closable(order, market) if cover is None else cover)
        fresh = charge_fill(
            terms=self.terms(order.ticker, t),
            price_cc=q,
            count_centi=n,
            is_taker=not order.is_resting,
            is_combo=is_combo(order.ticker),
            rounding=rounding_at(from_us(t)),
        )
        gross = fresh.model_micros + fresh.rounding_micros
        return (n - closing) * q - closing * (10_000 - q) + gross

    def trade(self, order: Order, market: Market, price: int, n: int, t: int, *, evidence: str) -> None:
        q = acquired(order, price)
        closing = min(n, closable(order, market))
        charge = charge_fill(
            terms=self.terms(order.ticker, t),
            price_cc=q,
            count_centi=n,
            is_taker=not order.is_resting,
            is_combo=is_combo(order.ticker),
            rounding=rounding_at(from_us(t)),
            accumulated_micros=order.accumulated,
        )
        cash = closing * (10_000 - q) - (n - closing) * q
        if closing:
            held = abs(market.position)
            market.basis -= market.basis // held * closing + market.basis % held * closing // held
        market.basis += (n - closing) * q
        market.position += order.way * n
        market.spent += charge.fee_micros - cash
        market.is_traded = True
        self.cash += cash - charge.fee_micros
        order.accumulated = charge.accumulated_micros
        order.filled += n
        order.waiting -= n
        self.fills.append(
            {
                "order_id": order.order_id,
                "fill_us": t,
                "ticker": order.ticker,
                "yes_price_cc": price,
                "count_centi": n,
                "cash_micros": cash,
                "fee_micros": charge.fee_micros,
                "role": "maker" if order.is_resting else "taker",
                "evidence": evidence,
                "position_after_centi": market.position,
            }
        )

    def settle(self, ticker: str, t: int, value_cc: int, *, is_correction: bool) -> None:
        market = self.markets[ticker]
        was_cc, market.value_cc = market.value_cc, value_cc
        event = market.row["event_ticker"]
        paid_cc = sum(m.value_cc for m in self.markets.values() if m.row["event_ticker"] == event)
        self.is_owing |= is_correction or (event in self.netted and paid_cc > 10_000)
        if not market.is_traded:
            return
        if is_correction:
            payout, cost, position = market.paid_for * (value_cc - was_cc), 0, market.paid_for
        else:
            worth = value_cc if market.position > 0 else 10_000 - value_cc
            payout, cost, position = abs(market.position) * worth, market.spent, market.position
            market.paid_for = market.position
        self.cash += payout
        self.settlements.append(
            {
                "ticker": ticker,
                "settled_us": t,
                "position_centi": position,
                "value_cc": value_cc,
                "payout_micros": payout,
                "cost_micros": cost,
                "is_correction": is_correction,
            }
        )
        market.position = market.basis = 0
        market.is_settled = True

    def record(self, t: int) -> None:
        marked = self.cash
        for market in self.markets.values():
            bid, ask = market.mark
            marked += max(0, market.position) * bid + max(0, -market.position) * (10_000 - ask)
        self.equity.append((t, self.cash, marked, self.locked(), self.returned()))

    def locked(self) -> int:
        paid = sum(m.basis for m in self.markets.values()) + sum(o.reserved for o in self.orders)
        return max(0, paid - self.returned())


def spaced(rows: Sequence[tuple[int, int, int, int, int]], step: int) -> list[tuple[int, int, int, int, int]]:
    """Leave out rows sooner than `step` after the one before that is kept, if the next one is so, too.

    Never midnights, and never the last.
    """
    kept: list[tuple[int, int, int, int, int]] = []
    for row, after in zip(rows, [*rows[1:], (NEVER, 0, 0, 0, 0)], strict=False):
        enough = (kept[-1][0] if kept else 0) + step
        if row[0] >= enough or after[0] >= enough or row[0] % DAY_US == 0:
            kept.append(row)
    return kept


def market_at(market: Market, t: int) -> Market:
    """Return what a market displays after all that happened by t, without anything that we did."""
    now = Market(market.states, market.close_us, [], {})
    for s in sorted(s for s in market.instants if s <= t):
        show_all(now, market, s)
    return now


def show_all(now: Market, market: Market, t: int) -> None:
    """Show on `now` what happened in a market at t."""
    now.shown_us = t if t in market.instants else now.shown_us
    for kind, *rest in market.instants.get(t, ()):
        if kind == "quote":
            show_quote(now, *rest)
        elif kind == "last":
            show_last(now, *rest)
        elif kind == "middle":
            show_middle(now, *rest)
        else:
            show_book(now, kind, *rest)
        if now.is_known:
            now.mark = (max(now.bids, default=0), min(now.asks, default=10_000))


def show_quote(
    market: Market, bid: int | None, bid_size: int | None, ask: int | None, ask_size: int | None
) -> None:
    market.is_known = True
    for side, price, size, levels in (
        ("bid", bid, bid_size, market.bids),
        ("ask", ask, ask_size, market.asks),
    ):
        shown = {} if price is None or not 0 < price < 10_000 or size == 0 else {price: size}
        if shown.keys() != levels.keys():
            market.used = {key: n for key, n in market.used.items() if key[0] != side}
        levels.clear()
        levels.update(shown)


def show_middle(market: Market, bid: int | None, ask: int | None) -> None:
    """Show the middle on both sides, half a centicent worse; of one side alone, or crossed, there is none."""
    market.is_known, market.is_middle = True, bid is not None and ask is not None and bid < ask
    if bid is not None and ask is not None:
        bid, ask = (bid + ask) // 2, (bid + ask + 1) // 2
    market.bids = {} if bid is None else {bid: None}
    market.asks = {} if ask is None else {ask: None}


def show_last(market: Market, bid: int, ask: int, moved: set[str]) -> None:
    """What the last trades say; what we took on a side stays taken until somebody trades there elsewhere."""
    market.is_known = True
    market.bids = {bid: None} if bid > 0 else {}
    market.asks = {ask: None} if ask < 10_000 else {}
    market.used = {key: n for key, n in market.used.items() if key[0] not in moved}


def show_book(market: Market, kind: str, *rest: Any) -> None:  # noqa: ANN401 -- of three kinds of events
    if kind == "unknown":
        market.is_known = False
    if kind in ("unknown", "print"):
        return
    if kind == "snapshot":
        market.is_known = True
        market.book.apply_snapshot(*rest)
    elif market.is_known:
        market.book.apply_delta(*rest)
    market.bids.clear()
    market.bids.update({price: n for price, n in market.book.bids() if 0 < price < 10_000})
    market.asks.clear()
    market.asks.update({price: n for price, n in market.book.asks() if 0 < price < 10_000})
    for (side, price), n in list(market.used.items()):
        shown = (market.bids if side == "bid" else market.asks).get(price, 0) or 0
        market.used[side, price] = min(n, shown)


def is_live(market: Market) -> bool:
    if market.is_middle is not None:
        return market.is_known and market.is_middle
    return market.is_known and max(market.bids, default=0) < min(market.asks, default=10_000)


def whole(order: Order) -> str | None:
    """Return the reason of an order that wants no more; cash may have made one that waits smaller."""
    return None if order.filled == order.count else "no cash"


def acquired(order: Order, price: int) -> int:
    return price if order.way > 0 else 10_000 - price


def closable(order: Order, market: Market) -> int:
    return max(0, -order.way * market.position)


def quote_instants(
    rows: Iterable[Row], close_us: int, stops: Mapping[str, int] | None = None, *, is_middle: bool = False
) -> dict[int, list[tuple[Any, ...]]]:
    """Group a market's quotes by their exchange time; within one, by receipt and session.

    `stops`: when the recording of a session stopped, where it did. `is_middle`: their middles instead.
    """
    found: dict[int, list[tuple[Any, ...]]] = {}
    rows = list(rows)
    for t in ends_of(rows, stops or {}):
        if t < close_us:
            found[t] = [("unknown",)]
    for row in sorted(rows, key=lambda each: (each["event_ts"], each["received_ts"], each["session"])):
        t = to_us(row["event_ts"])
        sizes = row["bid_size_centi"], row["ask_size_centi"]
        told: tuple[Any, ...] = ("quote", row["bid_cc"], sizes[0], row["ask_cc"], sizes[1])
        if is_middle:
            told = (
                "middle",
                *(None if n == 0 else row[side] for side, n in zip(("bid_cc", "ask_cc"), sizes, strict=True)),
            )
        if t < close_us:
            found.setdefault(t, []).append(told)
    return found


def ends_of(rows: Sequence[Row], stops: Mapping[str, int]) -> set[int]:
    """Return the microseconds after which nobody recorded quotes of a market any more."""
    times: dict[str, list[int]] = {}
    for row in rows:
        times.setdefault(row["session"], []).append(to_us(row["event_ts"]))
    over = {each: max(stops[each], *told) + 1 for each, told in times.items() if each in stops}

    def is_told(t: int) -> bool:
        return any(min(told) <= t < over.get(each, NEVER) for each, told in times.items())

    return {t for t in over.values() if not is_told(t)}


def book_instants(
    snapshots: Sequence[Row], deltas: Sequence[Row], gaps: Sequence[Row], close_us: int
) -> dict[int, list[tuple[Any, ...]]]:
    """Group a market's book events by time: whoever speaks for it, by the exchange's clock."""
    found: dict[int, list[tuple[Any, ...]]] = {}
    edges = {gap["from_ts"] + timedelta(microseconds=1) for gap in gaps}
    edges |= {gap["until_ts"] for gap in gaps if gap.get("until_ts") is not None}
    last = None
    for at_ts in sorted(edges | {known_ts for known_ts, *_ in told(snapshots, deltas, event_time)}):
        if to_us(at_ts) >= close_us:
            break
        spoken = speaker(snapshots, deltas, gaps, at_ts, event_time)
        events: list[tuple[Any, ...]] = []
        if spoken is None:
            events = [] if last is None else [("unknown",)]
        else:
            is_fresh = spoken.base_ts == at_ts
            if spoken.key != last:
                book = spoken.book(at_ts if not is_fresh else LONG_AGO)
                events = [("snapshot", book.levels("yes"), book.levels("no"))]
            if spoken.key == last or is_fresh:
                changed = [row for known_ts, row in spoken.changes if known_ts == at_ts]
                events += [("delta", *(row[name] for name in _CHANGE)) for row in changed]
        last = None if spoken is None else spoken.key
        if events:
            found[to_us(at_ts)] = events
    return found


def event_time(delta: Row) -> datetime:
    """Return when the exchange says that a change happened."""
    at_ts: datetime = delta["event_ts"]
    return at_ts


def check(order: Order, markets: Mapping[str, Market]) -> None:
    """Reject what cannot even reach the book, in the engine's order of reasons."""
    market = markets.get(order.ticker)
    if market is None:
        reason: str | None = "unknown market"
    elif order.count == 0 and order.action not in ("close", "cancel"):
        reason = "zero count"
    elif order.arrival_us < to_us(market.row["open_ts"]):
        reason = "not open"
    elif order.arrival_us >= market.close_us:
        reason = "closed"
    elif order.limit is not None and not is_on_grid(order.limit, grid_at(market.states, order.arrival_us)):
        reason = "off-grid limit"
    else:
        return
    order.reason, order.was_rejected = reason, True
