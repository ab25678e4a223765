"""Answers to changes of orders (version 2): text as Kalshi spells it, exact integers as properties.

Source: KALSHI.md §6 (OpenAPI 3.34.0, read 2026-10-09), field lists checked against the official SDK 3.34.0.
"""

import msgspec

from exchange.units import parse_centi
from pipelines.client.wire.exact import CountText, Whole
from pipelines.client.wire.house import ErrorBody


class CreatedOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /portfolio/events/orders and …/amend: what became of it at once; `ts_ms` is the engine's time.

    For an amendment the counts are documented as optional. Missing is not zero: an answer without them says
    too little, and the order itself is looked at.
    """

    order_id: str
    fill_count: CountText
    remaining_count: CountText
    client_order_id: str | None = None
    average_fill_price: str | None = None
    average_fee_paid: str | None = None
    ts_ms: Whole | None = None

    @property
    def filled_centi(self) -> int:
        """Hundredths of contracts executed at once."""
        return parse_centi(self.fill_count)

    @property
    def remaining_centi(self) -> int:
        """Hundredths of contracts that rest."""
        return parse_centi(self.remaining_count)


class CanceledOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """DELETE …/{order_id} (`reduced_by`) and POST …/decrease (`remaining_count`), contract text."""

    order_id: str
    client_order_id: str | None = None
    reduced_by: CountText | None = None
    remaining_count: CountText | None = None
    ts_ms: Whole | None = None

    @property
    def reduced_centi(self) -> int | None:
        """Hundredths of contracts that were taken out, None where nobody said."""
        return None if self.reduced_by is None else parse_centi(self.reduced_by)

    @property
    def remaining_centi(self) -> int | None:
        """Hundredths of contracts that still rest, None where nobody said."""
        return None if self.remaining_count is None else parse_centi(self.remaining_count)


class BatchItem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One order of a batch: what became of it, or why nothing did."""

    order_id: str | None = None
    client_order_id: str | None = None
    fill_count: CountText | None = None
    remaining_count: CountText | None = None
    reduced_by: CountText | None = None
    average_fill_price: str | None = None
    average_fee_paid: str | None = None
    ts_ms: Whole | None = None
    error: ErrorBody | None = None


class BatchReply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST and DELETE /portfolio/events/orders/batched, in the order of the request."""

    orders: list[BatchItem] | None


class Nothing(msgspec.Struct, frozen=True, kw_only=True):
    """An answer without content."""
