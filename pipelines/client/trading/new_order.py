"""An order as a value: integers in, Kalshi's words out, and everything checked that can be checked here.

The book has one price axis: a bid buys YES, an ask sells YES, and buying NO at p is selling YES at $1 - p.
Source: KALSHI.md §4, §6, §7 (OpenAPI 3.34.0, read 2026-10-09; order direction page, 2026-06-01).
"""

import re
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from exchange.units import DOLLAR_CC, format_cc, format_centi, parse_centi
from pipelines.client.asking import seconds, segment
from pipelines.client.errors import RequestError
from pipelines.client.wire import Order

BookSide = Literal["bid", "ask"]
TimeInForce = Literal["good_till_canceled", "immediate_or_cancel", "fill_or_kill"]
SelfTrade = Literal["taker_at_cross", "maker"]

_SIDES: Final = ("bid", "ask")
_TIMES_IN_FORCE: Final = ("good_till_canceled", "immediate_or_cancel", "fill_or_kill")
_SELF_TRADES: Final = ("taker_at_cross", "maker")
_CLIENT_ID: Final = re.compile(r"[A-Za-z0-9_:+=/-]{1,64}")
_MAX_CENTI: Final = 10**15


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """One limit order that has not been sent.

    Attributes:
        ticker: the market.
        side: bid (buys YES, or sells NO) or ask (sells YES, or buys NO).
        yes_price_cc: the limit seen from YES, in centicents, between $0 and $1; the market's grid decides
            which of these it takes.
        count_centi: hundredths of contracts.
        time_in_force: what does not trade at once rests, is dropped, or the whole order is.
        client_order_id: our name of it, by which it is found again; made up if absent.
        expires_ts: when a resting order ends by itself; whole seconds, rounded down.
        post_only: refused rather than traded at once.
        reduce_only: at most what closes the position; needs immediate_or_cancel.
        self_trade: which of two own orders that meet is canceled, the new one or the resting one.
        cancel_on_pause: ends when trading pauses.
        subaccount, order_group_id, exchange_index: as Kalshi has them; None leaves them to it.

    Raises:
        RequestError: an order that no market takes.
    """

    ticker: str
    side: BookSide
    yes_price_cc: int
    count_centi: int
    time_in_force: TimeInForce = "good_till_canceled"
    client_order_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    expires_ts: datetime | None = None
    post_only: bool = False
    reduce_only: bool = False
    self_trade: SelfTrade = "taker_at_cross"
    cancel_on_pause: bool = False
    subaccount: int | None = None
    order_group_id: str | None = None
    exchange_index: int | None = None

    def __post_init__(self) -> None:
        """Refuse what the exchange would."""
        segment(self.ticker)
        for name, value, allowed in (
            ("side", self.side, _SIDES),
            ("time_in_force", self.time_in_force, _TIMES_IN_FORCE),
            ("self_trade", self.self_trade, _SELF_TRADES),
        ):
            if value not in allowed:
                raise RequestError(f"{name} is {value!r}: write one of {', '.join(allowed)}")
        checked_name(self.client_order_id)
        rests = self.time_in_force == "good_till_canceled"
        if self.expires_ts is not None and not rests:
            raise RequestError(f"expires_ts is for orders that rest, and this one is {self.time_in_force}")
        if self.post_only and not rests:
            raise RequestError(f"post_only is for orders that rest, and this one is {self.time_in_force}")
        if self.reduce_only and self.time_in_force != "immediate_or_cancel":
            raise RequestError(f"reduce_only needs immediate_or_cancel, and this one is {self.time_in_force}")
        checked_terms(self.yes_price_cc, self.count_centi)

    def is_same(self, order: Order) -> bool:
        """Whether an order of the exchange can be this one; its size may have been capped since."""
        return (
            order.client_order_id == self.client_order_id
            and (order.ticker, order.book_side) == (self.ticker, self.side)
            and order.yes_price_cc == self.yes_price_cc
            and parse_centi(order.initial_count_fp) <= self.count_centi
        )

    def body(self) -> dict[str, Any]:
        """Return it as Kalshi wants it."""
        told: dict[str, Any] = {
            "ticker": self.ticker,
            "client_order_id": self.client_order_id,
            "side": self.side,
            "count": format_centi(self.count_centi),
            "price": format_cc(self.yes_price_cc),
            "time_in_force": self.time_in_force,
            "self_trade_prevention_type": self.self_trade,
        }
        optional = {
            "expiration_time": seconds("expires_ts", self.expires_ts),
            "post_only": self.post_only or None,
            "reduce_only": self.reduce_only or None,
            "cancel_order_on_pause": self.cancel_on_pause or None,
            "subaccount": self.subaccount,
            "order_group_id": self.order_group_id,
            "exchange_index": self.exchange_index,
        }
        return told | {name: value for name, value in optional.items() if value is not None}


def buy_yes(ticker: str, *, count_centi: int, price_cc: int, **more: Any) -> NewOrder:  # noqa: ANN401  NewOrder's
    """Return an order for YES contracts at `price_cc` or less."""
    return NewOrder(ticker=ticker, side="bid", yes_price_cc=price_cc, count_centi=count_centi, **more)


def sell_yes(ticker: str, *, count_centi: int, price_cc: int, **more: Any) -> NewOrder:  # noqa: ANN401  NewOrder's
    """Return an order that sells YES contracts at `price_cc` or more; what is not held is bought as NO."""
    return NewOrder(ticker=ticker, side="ask", yes_price_cc=price_cc, count_centi=count_centi, **more)


def buy_no(ticker: str, *, count_centi: int, price_cc: int, **more: Any) -> NewOrder:  # noqa: ANN401  NewOrder's
    """Return an order for NO contracts at `price_cc`, a NO price, or less."""
    return sell_yes(ticker, count_centi=count_centi, price_cc=DOLLAR_CC - price_cc, **more)


def sell_no(ticker: str, *, count_centi: int, price_cc: int, **more: Any) -> NewOrder:  # noqa: ANN401  NewOrder's
    """Return an order that sells NO contracts at `price_cc`, a NO price, or more."""
    return buy_yes(ticker, count_centi=count_centi, price_cc=DOLLAR_CC - price_cc, **more)


def checked_name(client_order_id: str) -> None:
    """Check the name that we give to an order.

    Raises:
        RequestError: the exchange would not take it.

    Source: order entry page of the FIX documents (read 2026-11-25).
    """
    if not _CLIENT_ID.fullmatch(client_order_id):
        raise RequestError(
            f"client_order_id is {client_order_id!r}: write 1 to 64 letters, digits or one of _-:+=/"
        )


def checked_terms(yes_price_cc: int, count_centi: int) -> None:
    """Check a limit and a size.

    Raises:
        RequestError: no market takes them.
    """
    for name, value in (("price", yes_price_cc), ("count", count_centi)):
        if not isinstance(value, int) or isinstance(value, bool):
            raise RequestError(f"{name} is {value!r}: give whole centicents and hundredths of contracts")
    if not 0 < yes_price_cc < DOLLAR_CC:
        raise RequestError(
            f"the price {format_cc(yes_price_cc)} is not between $0 and $1: give centicents, 5600 for $0.56"
        )
    if not 0 < count_centi <= _MAX_CENTI:
        raise RequestError(
            f"the count {format_centi(count_centi)} is no number of contracts: give hundredths, 100 for one"
        )
