"""Reading the bodies of order requests: every field checked by type, range and word before anything happens.

Numbers are read here on their own: prices and counts are short plain decimals, never floats.
Source: KALSHI.md §6 and §11; CreateOrderV2Request and its siblings (OpenAPI 3.34.0, read 2026-10-09).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from exchange.trades import Side
from sandbox.access import MAX_SUBACCOUNT
from sandbox.orders import SelfTrade
from sandbox.replies import invalid, rejected

TimeInForce = Literal["good_till_canceled", "immediate_or_cancel", "fill_or_kill"]
GTC: Final = "good_till_canceled"
TIMES_IN_FORCE: Final[tuple[TimeInForce, ...]] = (GTC, "immediate_or_cancel", "fill_or_kill")
SELF_TRADES: Final[tuple[SelfTrade, ...]] = ("taker_at_cross", "maker")
SIDE_OF: Final[dict[str, Side]] = {"bid": "yes", "ask": "no"}
AUTO_ROUTED: Final = -1
MAX_TEXT: Final = 256
MAX_INT: Final = 1 << 53
LAST_SECOND: Final = 253_402_300_799  # of the year 9999
_DECIMAL: Final = re.compile(r"(\d{1,10})(?:\.(\d{0,6}))?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """What a customer asks for; `expires_s` is a Unix time, `subaccount` None where nothing was said."""

    ticker: str
    client_order_id: str
    side: Side
    yes_price_cc: int
    count_centi: int
    time_in_force: TimeInForce
    self_trade: SelfTrade
    expires_s: int | None = None
    is_post_only: bool = False
    is_reduce_only: bool = False
    cancels_on_pause: bool = False
    subaccount: int | None = None
    exchange_index: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """New terms of an order; `count_centi` includes what was filled, `expires_s` 0 removes the expiry."""

    ticker: str
    side: Side
    yes_price_cc: int
    count_centi: int
    client_order_id: str
    updated_client_order_id: str
    expires_s: int | None
    exchange_index: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """How an order is addressed beside its id: the shard, or the market that leads to it."""

    ticker: str
    subaccount: int | None
    exchange_index: int | None


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one body; every getter names the field that it refuses."""

    given: Mapping[str, Any]

    def text(self, name: str, *, is_required: bool = False) -> str:
        """Return a text, empty when it is absent."""
        found = self.given.get(name)
        if found is None or found == "":
            if is_required:
                raise invalid(f"{name} is required")
            return ""
        if not isinstance(found, str) or len(found) > MAX_TEXT or not _is_unicode(found):
            raise invalid(f"{name} must be a text of at most {MAX_TEXT} characters")
        return found

    def word(self, name: str, allowed: Sequence[str]) -> str:
        """Return a text that must be one of the allowed words."""
        found = self.text(name, is_required=True)
        if found not in allowed:
            raise invalid(f"{name} must be one of {', '.join(allowed)}")
        return found

    def flag(self, name: str) -> bool:
        """Return a boolean, false when it is absent."""
        found = self.given.get(name)
        if found is not None and not isinstance(found, bool):
            raise invalid(f"{name} must be true or false")
        return bool(found)

    def number(self, name: str, *, low: int = 0, high: int = MAX_INT) -> int | None:
        """Return a whole number of a range, None when it is absent."""
        found = self.given.get(name)
        if found is None:
            return None
        if not isinstance(found, int) or isinstance(found, bool) or not low <= found <= high:
            raise invalid(f"{name} must be a whole number between {low} and {high}")
        return found

    def centi(self, name: str) -> int | None:
        """Return a count in hundredths of a contract, None when it is absent."""
        found = self.text(name)
        return _scaled(name, found, decimals=2, code="invalid_order_size") if found else None

    def new_order(self) -> NewOrder:
        """Return the order that a body describes.

        Raises:
            Refused: a field that cannot be, or fields that contradict each other.
        """
        time_in_force = self.word("time_in_force", TIMES_IN_FORCE)
        if self.text("order_group_id"):
            raise invalid("order_group_id: this exchange has no order groups")
        order = NewOrder(
            ticker=self.text("ticker", is_required=True),
            client_order_id=self.text("client_order_id"),
            side=SIDE_OF[self.word("side", tuple(SIDE_OF))],
            yes_price_cc=self._price_cc(),
            count_centi=self._count_centi(),
            time_in_force=time_in_force,  # type: ignore[arg-type]  # one of the words
            self_trade=self.word("self_trade_prevention_type", SELF_TRADES),  # type: ignore[arg-type]  # same
            expires_s=self.number("expiration_time", high=LAST_SECOND),
            is_post_only=self.flag("post_only"),
            is_reduce_only=self.flag("reduce_only"),
            cancels_on_pause=self.flag("cancel_order_on_pause"),
            subaccount=self.number("subaccount", high=MAX_SUBACCOUNT),
            exchange_index=self.number("exchange_index", low=AUTO_ROUTED),
        )
        if order.time_in_force != GTC and (order.expires_s is not None or order.is_post_only):
            raise invalid(f"{time_in_force} cannot be combined with expiration_time or post_only")
        if order.is_reduce_only and order.time_in_force != "immediate_or_cancel":
            raise invalid("reduce_only needs time_in_force immediate_or_cancel")
        return order

    def amendment(self) -> Amendment:
        """Return the new terms that a body describes."""
        return Amendment(
            ticker=self.text("ticker", is_required=True),
            side=SIDE_OF[self.word("side", tuple(SIDE_OF))],
            yes_price_cc=self._price_cc(),
            count_centi=self._count_centi(),
            client_order_id=self.text("client_order_id"),
            updated_client_order_id=self.text("updated_client_order_id"),
            expires_s=self.number("expiration_time", high=LAST_SECOND),
            exchange_index=self.number("exchange_index", low=AUTO_ROUTED),
        )

    def which(self) -> Which:
        """Return how a body, or one item of a batch, addresses an order."""
        return Which(
            ticker=self.text("market_ticker"),
            subaccount=self.number("subaccount", high=MAX_SUBACCOUNT),
            exchange_index=self.number("exchange_index", low=AUTO_ROUTED),
        )

    def _price_cc(self) -> int:
        return _scaled("price", self.text("price", is_required=True), decimals=4, code="invalid_price")

    def _count_centi(self) -> int:
        text = self.text("count", is_required=True)
        count_centi = _scaled("count", text, decimals=2, code="invalid_order_size")
        if not count_centi:
            raise rejected("invalid_order_size", "count must be at least 0.01")
        return count_centi


def _is_unicode(text: str) -> bool:
    """Tell whether a text can be written down: JSON may smuggle in half of a character (a lone surrogate)."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _scaled(name: str, text: str, *, decimals: int, code: str) -> int:
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise rejected(code, f"{name} must be a plain decimal such as 10 or 0.56")
    whole, fraction = match.groups()
    digits = (fraction or "").ljust(decimals, "0")
    if digits[decimals:].strip("0"):
        raise rejected(code, f"{name} has more than {decimals} decimals")
    return int(whole + digits[:decimals])
