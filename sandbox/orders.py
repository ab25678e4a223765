"""Orders of accounts, what they were filled with, and what a settlement paid.

An order is always a bid for an outcome: selling YES at p is buying NO at $1 - p (KALSHI.md §7).
"""

from dataclasses import dataclass
from typing import Final, Literal

from exchange.trades import Side
from exchange.units import DOLLAR_CC

Status = Literal["resting", "canceled", "executed"]
SelfTrade = Literal["taker_at_cross", "maker"]
STATUSES: Final[tuple[Status, ...]] = ("resting", "canceled", "executed")


@dataclass(slots=True, kw_only=True)
class Order:
    """One order of an account through its life; `engine_id` is its number in the book it went to.

    `accumulated_micros` is what its fills were rounded up by and have not been given back (exchange.fees).
    """

    order_id: str
    client_order_id: str
    account: str
    subaccount: int
    ticker: str
    event_ticker: str
    exchange_index: int
    side: Side
    yes_price_cc: int
    initial_centi: int
    remaining_centi: int
    self_trade: SelfTrade
    is_post_only: bool
    cancels_on_pause: bool
    created_us: int
    updated_us: int
    expires_us: int | None = None
    status: Status = "resting"
    engine_id: int = 0
    filled_centi: int = 0
    taker_cost_micros: int = 0
    maker_cost_micros: int = 0
    taker_fees_micros: int = 0
    maker_fees_micros: int = 0
    accumulated_micros: int = 0

    @property
    def price_cc(self) -> int:
        """What a contract of the wanted outcome may cost."""
        return in_outcome(self.side, self.yes_price_cc)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFill:
    """One execution of an order; `trade_id` is that of the public trade, `position_centi` what it led to."""

    trade_id: str
    order_id: str
    client_order_id: str
    account: str
    subaccount: int
    ticker: str
    event_ticker: str
    exchange_index: int
    side: Side
    yes_price_cc: int
    count_centi: int
    is_taker: bool
    fee_micros: int
    created_us: int
    position_centi: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What a market paid for a position: `value_cc` per YES contract, and $1 less that per NO contract."""

    account: str
    subaccount: int
    ticker: str
    event_ticker: str
    exchange_index: int
    result: str
    value_cc: int
    position_centi: int
    cost_micros: int
    fees_micros: int
    payout_micros: int
    settled_us: int


def in_outcome(side: Side, yes_price_cc: int) -> int:
    """Return what a contract of an outcome costs where YES costs `yes_price_cc`; its own inverse."""
    return yes_price_cc if side == "yes" else DOLLAR_CC - yes_price_cc
