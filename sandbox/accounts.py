"""The ledger: cash, positions and what resting orders hold back, in millionths of a dollar.

Pure bookkeeping: nothing here knows of a book, a clock or the network. Money enters and leaves in four ways
only: paying for contracts, a dollar for every YES and NO that meet, a payout, a fee.
Source: KALSHI.md §6 and §7 (OpenAPI 3.34.0, read 2026-10-09).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from exchange.markets import Market
from exchange.trades import Side, Trade
from exchange.units import DOLLAR_CC, MICROS_PER_DOLLAR
from sandbox.orders import AccountFill, Order, Settlement

START_MICROS: Final = 10_000 * MICROS_PER_DOLLAR
FeeOf = Callable[[Order, int], int]  # what filling so many centi of an order while it rests may be charged


@dataclass(slots=True, kw_only=True)
class Position:
    """What a subaccount has in one market: YES contracts, or NO contracts as a negative number.

    `cost_micros` is what the contracts still held were bought for; `traded_micros` and `traded_centi` count
    everything that was ever bought, and never shrink.
    """

    account: str
    subaccount: int
    ticker: str
    event_ticker: str
    exchange_index: int
    count_centi: int = 0
    cost_micros: int = 0
    traded_micros: int = 0
    traded_centi: int = 0
    realized_micros: int = 0
    fees_micros: int = 0
    updated_us: int = 0
    is_settled: bool = False

    def held_centi(self, side: Side) -> int:
        """Return the contracts held of one outcome."""
        return max(self.count_centi if side == "yes" else -self.count_centi, 0)

    def buy(self, side: Side, *, price_cc: int, count_centi: int, fee_micros: int, at_us: int) -> int:
        """Buy an outcome and return the change of cash: contracts that meet their opposite turn into dollars.

        Closing costs leave in proportion, rounded down, and entirely with the last contract.
        """
        opposite = self.held_centi("no" if side == "yes" else "yes")
        closed = min(count_centi, opposite)
        if closed:
            cost = self.cost_micros * closed // opposite
            self.cost_micros -= cost
            self.realized_micros += closed * (DOLLAR_CC - price_cc) - cost
        self.cost_micros += (count_centi - closed) * price_cc
        self.count_centi += count_centi if side == "yes" else -count_centi
        self.traded_micros += count_centi * price_cc
        self.traded_centi += count_centi
        self.fees_micros += fee_micros
        self.updated_us = at_us
        return closed * DOLLAR_CC - count_centi * price_cc - fee_micros

    def settle(self, value_cc: int, *, at_us: int) -> int:
        """Turn the position into cash at `value_cc` a YES contract, and return how much that is."""
        payout = self.held_centi("yes") * value_cc + self.held_centi("no") * (DOLLAR_CC - value_cc)
        self.realized_micros += payout - self.cost_micros
        self.count_centi = self.cost_micros = 0
        self.updated_us, self.is_settled = at_us, True
        return payout


@dataclass(slots=True)
class Purse:
    """Cash, positions and resting orders of one subaccount."""

    cash_micros: int = START_MICROS
    positions: dict[str, Position] = field(default_factory=dict)
    resting: dict[str, dict[str, Order]] = field(default_factory=dict)  # by ticker, then order id
    held_back: dict[str, int] = field(default_factory=dict)  # by ticker

    @property
    def available_micros(self) -> int:
        """What may be spent: cash less what resting orders hold back."""
        return self.cash_micros - sum(self.held_back.values())

    def position(self, ticker: str) -> int:
        """Return the signed position in a market, in hundredths of a contract."""
        found = self.positions.get(ticker)
        return found.count_centi if found else 0

    def rest(self, order: Order) -> None:
        """Let an order rest; it comes after those that rest already."""
        self.resting.setdefault(order.ticker, {})[order.order_id] = order

    def unrest(self, order: Order) -> None:
        """Forget a resting order; one that does not rest is no error."""
        self.resting.get(order.ticker, {}).pop(order.order_id, None)

    def held(self, ticker: str, orders: Iterable[Order], fee_of: FeeOf) -> int:
        """Return what orders of a market would hold back if they rested: cost and fee beyond closing."""
        needs = uncovered(orders, self.position(ticker))
        return sum(left * order.price_cc + fee_of(order, left) for order, left in needs)

    def hold(self, ticker: str, fee_of: FeeOf) -> None:
        """Hold back anew what the resting orders of one market may cost."""
        self.held_back[ticker] = self.held(ticker, self.resting.get(ticker, {}).values(), fee_of)
        if not self.held_back[ticker]:
            del self.held_back[ticker]


def uncovered(orders: Iterable[Order], position_centi: int) -> list[tuple[Order, int]]:
    """Return what each order would buy beyond closing the position, in hundredths of a contract.

    The contracts held of the other outcome cover orders in the order given: closing needs no cash.
    """
    cover = {"yes": max(-position_centi, 0), "no": max(position_centi, 0)}
    needs = []
    for order in orders:
        covered = min(order.remaining_centi, cover[order.side])
        cover[order.side] -= covered
        needs.append((order, order.remaining_centi - covered))
    return needs


@dataclass(slots=True)
class Account:
    """Everything of one customer; lists are in order of time, so that pages of them never shift."""

    name: str
    purses: dict[int, Purse] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    by_order_id: dict[str, Order] = field(default_factory=dict)
    by_client_order_id: dict[str, Order] = field(default_factory=dict)
    fills: list[AccountFill] = field(default_factory=list)
    positions: list[Position] = field(default_factory=list)
    settlements: list[Settlement] = field(default_factory=list)

    def purse(self, subaccount: int) -> Purse:
        """Return the purse of a subaccount; one that was never used starts with ten thousand dollars."""
        return self.purses.setdefault(subaccount, Purse())

    def add(self, order: Order) -> None:
        """Write an order down for ever."""
        self.orders.append(order)
        self.by_order_id[order.order_id] = order
        self.by_client_order_id[order.client_order_id] = order

    def open_position(self, order: Order) -> Position:
        """Return the position that an order adds to, made with its first fill."""
        purse = self.purse(order.subaccount)
        position = purse.positions.get(order.ticker)
        if position is None:
            position = purse.positions[order.ticker] = Position(
                account=self.name,
                subaccount=order.subaccount,
                ticker=order.ticker,
                event_ticker=order.event_ticker,
                exchange_index=order.exchange_index,
            )
            self.positions.append(position)
        return position


def fill_of(
    order: Order, trade: Trade, position: Position, *, fee_micros: int, is_taker: bool
) -> AccountFill:
    """Return one side of a trade as its account sees it."""
    return AccountFill(
        trade_id=trade.trade_id,
        order_id=order.order_id,
        client_order_id=order.client_order_id,
        account=order.account,
        subaccount=order.subaccount,
        ticker=order.ticker,
        event_ticker=order.event_ticker,
        exchange_index=order.exchange_index,
        side=order.side,
        yes_price_cc=trade.yes_price_cc,
        count_centi=trade.count_centi,
        is_taker=is_taker,
        fee_micros=fee_micros,
        created_us=position.updated_us,
        position_centi=position.count_centi,
    )


def settlement_of(held: Position, market: Market, payout_micros: int, *, at_us: int) -> Settlement:
    """Return what the settlement of a market paid for a position, which is given as it was before."""
    assert market.settlement_value_cc is not None, market
    return Settlement(
        account=held.account,
        subaccount=held.subaccount,
        ticker=held.ticker,
        event_ticker=held.event_ticker,
        exchange_index=held.exchange_index,
        result=market.result,
        value_cc=market.settlement_value_cc,
        position_centi=held.count_centi,
        cost_micros=held.cost_micros,
        fees_micros=held.fees_micros,
        payout_micros=payout_micros,
        settled_us=at_us,
    )
