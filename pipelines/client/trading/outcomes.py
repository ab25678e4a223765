"""What became of one order, however it was learned."""

from dataclasses import dataclass
from typing import Literal

from exchange.units import parse_centi
from pipelines.client.wire import BatchItem, CreatedOrder, ErrorBody, Order


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One order after it was sent.

    Attributes:
        client_order_id: our name of it.
        order_id: the exchange's name, None where it has none.
        filled_centi, remaining_centi: hundredths of contracts executed so far, and resting.
        how: `answered` by the exchange, `found` by looking it up after an answer was lost, `refused`, or
            `unknown` as long as nobody can tell (of an order in a batch; a single one raises UnknownOutcome).
        error: why it was refused.
    """

    client_order_id: str
    order_id: str | None
    filled_centi: int = 0
    remaining_centi: int = 0
    how: Literal["answered", "found", "refused", "unknown"] = "answered"
    error: ErrorBody | None = None

    @property
    def is_placed(self) -> bool | None:
        """Whether the exchange has it, or had; None as long as nobody knows."""
        return None if self.how == "unknown" else self.how != "refused"


def answered(client_order_id: str, reply: CreatedOrder | BatchItem) -> Outcome:
    """Return what an answer tells; of a batch only items that say what became of their order."""
    if isinstance(reply, BatchItem) and reply.error is not None:
        return Outcome(client_order_id=client_order_id, order_id=None, how="refused", error=reply.error)
    assert reply.fill_count is not None  # batches look up what an item leaves open
    assert reply.remaining_count is not None
    return Outcome(
        client_order_id=client_order_id,
        order_id=reply.order_id,
        filled_centi=parse_centi(reply.fill_count),
        remaining_centi=parse_centi(reply.remaining_count),
    )


def found(order: Order) -> Outcome:
    """Return what an order that was looked up tells."""
    return Outcome(
        client_order_id=order.client_order_id,
        order_id=order.order_id,
        filled_centi=order.filled_centi,
        remaining_centi=order.remaining_centi,
        how="found",
    )


def not_placed(client_order_id: str) -> Outcome:
    """Return that an order of a batch surely is not there, though nobody refused it."""
    error = ErrorBody(code="not_placed", message="no answer came, and the exchange has no such order")
    return Outcome(client_order_id=client_order_id, order_id=None, how="refused", error=error)


def unknown(client_order_id: str) -> Outcome:
    """Return that nobody knows about an order of a batch."""
    return Outcome(client_order_id=client_order_id, order_id=None, how="unknown")
