"""The trading desk: takes orders of accounts to the floor, and books what comes back.

An order acts at the instant up to which the floor has moved; whatever happens to it later (fills, pauses,
closes, expiry, settlement) is heard from the floor, in the floor's order. Who may do what is decided in
`trading`; here everything that is asked for is done.
Source: KALSHI.md §6 to §9 (OpenAPI 3.34.0, read 2026-10-09; page market_lifecycle, 2026-06-01).
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from exchange.markets import Market
from exchange.trades import Side, Trade
from exchange.units import to_us
from sandbox.accounts import Account, FeeOf, Position, fill_of, settlement_of, uncovered
from sandbox.catalog import Catalog
from sandbox.chance import stream, uuid_text
from sandbox.charges import Charges
from sandbox.crossing import MAKER, ahead_centi, first_of_own
from sandbox.errors import UnknownTicker
from sandbox.floor import FIRST_STRANGER, Floor, Listener
from sandbox.lifecycle import LifecycleChange
from sandbox.matching import Fill
from sandbox.orders import AccountFill, Order, in_outcome


class DeskListener:
    """Somebody who is told what happens to accounts; by default nothing is done. Values are copies."""

    def on_order(self, order: Order) -> None:
        """Hear that an order was placed, filled, changed or ended."""

    def on_fill(self, fill: AccountFill) -> None:
        """Hear of an execution."""

    def on_position(self, position: Position) -> None:
        """Hear that a position changed."""


class Desk(Listener):
    """Accounts and their orders, on the floor of a source that has one."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.floor: Floor | None = getattr(catalog.source, "floor", None)
        self._accounts: dict[str, Account] = {}
        self._owners: dict[tuple[str, int], int] = {}
        self._resting: dict[str, dict[int, Order]] = {}
        self._entering: Order | None = None
        self._charges = Charges(catalog, self.market)
        self._ids = stream("desk", "ids")
        self._listeners: tuple[DeskListener, ...] = ()
        if self.floor is not None:
            self.floor.listen(self)

    @property
    def now_us(self) -> int:
        """The exchange's time, up to which everything has happened."""
        return to_us(self._catalog.now_ts) if self.floor is None else self.floor.now_us

    def market(self, ticker: str) -> Market:
        """Return a market as it stands now.

        Raises:
            UnknownTicker: no such market.
        """
        if self.floor is not None:
            return self.floor.market(ticker)
        market = self._catalog.market(ticker)
        if market is None:
            raise UnknownTicker(f"{ticker}: no such market; `GET /markets` lists them")
        return market

    def listen(self, listener: DeskListener) -> None:
        """Tell somebody from now on."""
        self._listeners = (*self._listeners, listener)

    def unlisten(self, listener: DeskListener) -> None:
        """Stop telling somebody; no error if nobody did."""
        self._listeners = tuple(each for each in self._listeners if each is not listener)

    def account(self, name: str) -> Account:
        """Return an account, opened the first time it is asked for."""
        return self._accounts.setdefault(name, Account(name))

    def new_id(self) -> str:
        """Return an id that nothing else has."""
        return uuid_text(self._ids)

    def resting(self, ticker: str) -> list[Order]:
        """Return the orders of all accounts that rest in a market, in order of arrival."""
        return list(self._resting.get(ticker, {}).values())

    def order_behind(self, ticker: str, engine_id: int, *, is_new: bool) -> Order | None:
        """Return an account's order that changed a level, None for a stranger's; a new one is entering."""
        known = self._resting.get(ticker, {}).get(engine_id)
        entering = self._entering
        if known is None and is_new and entering is not None and entering.ticker == ticker:
            return entering
        return known

    def best_bid_cc(self, ticker: str, side: Side) -> int:
        """Return what somebody would pay for an outcome now, 0 where nobody would."""
        levels = self._catalog.source.book(ticker).levels(side)
        return levels[-1].price_cc if levels else 0

    def queue_ahead_centi(self, order: Order) -> int:
        """Return the contracts that are matched before a resting order is."""
        return ahead_centi(self._on_floor(), order)

    def enter(self, order: Order, *, rests: bool) -> list[AccountFill]:
        """Send what remains of an order to the floor; what neither trades nor rests is over."""
        account = self.account(order.account)
        n_before = len(account.fills)
        self._match(order, rests=rests)
        if not order.engine_id:
            order.status = "canceled" if order.remaining_centi else "executed"
            order.remaining_centi = 0
        order.updated_us = self.now_us
        self._hold(order)
        self._tell_order(order)
        if order.engine_id and order.expires_us is not None:
            self.expire_at(order, order.expires_us)
        return account.fills[n_before:]

    def leave(self, order: Order) -> int:
        """Take a resting order out of the book for good, and return what it still had."""
        taken = self._withdraw(order)
        order.status, order.remaining_centi, order.updated_us = "canceled", 0, self.now_us
        self._tell_order(order)
        return taken

    def shrink(self, order: Order, *, by_centi: int) -> None:
        """Make a resting order smaller where it stands, not empty; it keeps its place in the queue."""
        taken = self._on_floor().decrease(order.ticker, order.engine_id, by_centi=by_centi)
        assert taken == by_centi < order.remaining_centi, (taken, by_centi, order)
        order.remaining_centi -= taken
        order.updated_us = self.now_us
        self._hold(order)
        self._tell_order(order)

    def enter_again(self, order: Order, *, yes_price_cc: int, remaining_centi: int) -> list[AccountFill]:
        """Take a resting order out and send it back with other terms, at the end of the queue."""
        self._withdraw(order)
        order.yes_price_cc, order.remaining_centi = yes_price_cc, remaining_centi
        return self.enter(order, rests=True)

    def expire_at(self, order: Order, expires_us: int) -> None:
        """End an order at an instant, unless by then it is over or was given another one."""
        self._on_floor().call_at(expires_us, partial(self._expire, order, expires_us))

    def need_micros(self, order: Order, *, instead_of: Order | None = None) -> int:
        """Return what an order may cost at most, beyond the contracts it closes.

        `instead_of` is the resting order whose terms these would be.
        """
        purse = self.account(order.account).purse(order.subaccount)
        others = [each for each in purse.resting.get(order.ticker, {}).values() if each is not instead_of]
        left = uncovered([*others, order], purse.position(order.ticker))[-1][1]
        fee_of = self._charges.bounds(order.ticker, at_us=self.now_us, is_taker=not order.is_post_only)
        return left * order.price_cc + fee_of(order, left)

    def spendable_micros(self, order: Order, *, instead_of: Order | None = None) -> int:
        """Return what the order's subaccount may spend on it."""
        purse = self.account(order.account).purse(order.subaccount)
        if instead_of is None:
            return purse.available_micros
        others = [each for each in purse.resting.get(order.ticker, {}).values() if each is not instead_of]
        held = purse.held(order.ticker, others, self.fee_at_rest(order.ticker))
        return purse.available_micros + purse.held_back.get(order.ticker, 0) - held

    def _match(self, order: Order, *, rests: bool) -> None:
        """Send an order to the floor so that it never meets its own account."""
        floor = self._on_floor()
        while (own := first_of_own(self.resting(order.ticker), order)) is not None:
            ahead = ahead_centi(floor, own)
            if ahead >= order.remaining_centi:
                break
            if order.self_trade == MAKER:
                self.leave(own)
                continue
            if ahead:
                self._submit(order, count_centi=ahead, rests=False)
            return
        self._submit(order, count_centi=order.remaining_centi, rests=rests)

    def _submit(self, order: Order, *, count_centi: int, rests: bool) -> None:
        owner = self._owners.setdefault((order.account, order.subaccount), FIRST_STRANGER + len(self._owners))
        self._entering = order
        try:
            placed = self._on_floor().submit(
                order.ticker,
                side=order.side,
                limit_cc=order.price_cc,
                count_centi=count_centi,
                owner=owner,
                rests=rests,
            )
        finally:
            self._entering = None
        if placed.rested_centi:
            order.engine_id = placed.order_id
            self._resting.setdefault(order.ticker, {})[placed.order_id] = order
            self.account(order.account).purse(order.subaccount).rest(order)

    def _withdraw(self, order: Order) -> int:
        taken = self._on_floor().cancel(order.ticker, order.engine_id)
        self._unrest(order)
        self._hold(order)
        return taken

    def _unrest(self, order: Order) -> None:
        self._resting[order.ticker].pop(order.engine_id)
        order.engine_id = 0
        self.account(order.account).purse(order.subaccount).unrest(order)

    def _expire(self, order: Order, expires_us: int) -> None:
        if order.engine_id and order.expires_us == expires_us:
            self.leave(order)

    def traded(self, trade: Trade, fill: Fill) -> None:
        """Book a print for each side that is an account's; a print between strangers is none of ours."""
        maker = self._resting.get(trade.ticker, {}).get(fill.maker_order_id)
        if self._entering is not None:
            self._book(self._entering, trade, is_taker=True)
        if maker is not None:
            self._book(maker, trade, is_taker=False)
            self._tell_order(maker)

    def changed(self, change: LifecycleChange) -> None:
        """Cancel what a pause, its end, or a close cancels, and pay out what is settled."""
        if change.kind in {"activated", "closed"}:
            self._leave_all(self.resting(change.ticker))
        elif change.kind == "deactivated":
            self._leave_all(each for each in self.resting(change.ticker) if each.cancels_on_pause)
        elif change.kind == "settled" and change.market is not None:
            self._settle(change.market)

    def _leave_all(self, orders: Iterable[Order]) -> None:
        for order in orders:
            self.leave(order)

    def _book(self, order: Order, trade: Trade, *, is_taker: bool) -> None:
        account = self.account(order.account)
        position = account.open_position(order)
        fee_micros = self._charges.of_trade(order, trade, is_taker=is_taker)
        price_cc = in_outcome(order.side, trade.yes_price_cc)
        account.purse(order.subaccount).cash_micros += position.buy(
            order.side,
            price_cc=price_cc,
            count_centi=trade.count_centi,
            fee_micros=fee_micros,
            at_us=to_us(trade.created_ts),
        )
        order.filled_centi += trade.count_centi
        order.remaining_centi -= trade.count_centi
        order.updated_us = position.updated_us
        if is_taker:
            order.taker_cost_micros += price_cc * trade.count_centi
            order.taker_fees_micros += fee_micros
        else:
            order.maker_cost_micros += price_cc * trade.count_centi
            order.maker_fees_micros += fee_micros
            if not order.remaining_centi:
                order.status = "executed"
                self._unrest(order)
        self._hold(order)
        account.fills.append(fill_of(order, trade, position, fee_micros=fee_micros, is_taker=is_taker))
        for listener in self._listeners:
            listener.on_fill(account.fills[-1])
            listener.on_position(replace(position))

    def _settle(self, market: Market) -> None:
        assert market.settlement_value_cc is not None, market
        for account in self._accounts.values():
            for purse in account.purses.values():
                position = purse.positions.get(market.ticker)
                if position is None or position.is_settled:
                    continue
                before = replace(position)
                payout = position.settle(market.settlement_value_cc, at_us=self.now_us)
                purse.cash_micros += payout
                if before.count_centi:
                    account.settlements.append(settlement_of(before, market, payout, at_us=self.now_us))
                for listener in self._listeners:
                    listener.on_position(replace(position))

    def fee_at_rest(self, ticker: str) -> FeeOf:
        """Return what is held back for the fees of resting orders of a market, beside their cost."""
        return self._charges.bounds(ticker, at_us=self.now_us, is_taker=False)

    def _hold(self, order: Order) -> None:
        purse = self.account(order.account).purse(order.subaccount)
        purse.hold(order.ticker, self.fee_at_rest(order.ticker))

    def _tell_order(self, order: Order) -> None:
        for listener in self._listeners:
            listener.on_order(replace(order))

    def _on_floor(self) -> Floor:
        assert self.floor is not None, "nothing trades without a floor; `trading` refuses before"
        return self.floor
