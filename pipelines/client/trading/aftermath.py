"""After the answer to a change was lost: does the order show that it was made?

What an order shows proves nothing until the exchange says that its records are newer than the moment we
gave up (see `lookup`): before, it may be how the order stood two changes ago. Only an end is an end. Some
orders never tell: one that ended may have been amended before.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pipelines.client.errors import KalshiError
from pipelines.client.trading.lookup import GRACE_MS, Patience, shown_ms
from pipelines.client.wire import Order

if TYPE_CHECKING:
    from pipelines.client.client import Client

_CLOCKS_MS: Final = 1_000  # what our clock may be off before it is corrected

Judge = Callable[[Order], bool | None]
"""Whether an order shows a change; None for one that will never tell."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An order as it was last seen, and whether the change was made; None where nobody knows."""

    order: Order | None
    is_done: bool | None


async def look_at(
    client: "Client", order_id: str, judge: Judge, *, gave_up_ms: int, patience: Patience
) -> Seen:
    """Look at one order until it shows the change, surely does not, or patience ends.

    Args:
        client: whose account.
        order_id: the exchange's name of it.
        judge: tells from the order whether the change was made.
        gave_up_ms: when the answer was given up, Unix milliseconds of our own clock.
        patience: how often to look.

    A look that fails counts as one that saw nothing.
    """
    order: Order | None = None
    for pause_s in patience.pauses_s:
        await patience.sleep(pause_s)
        try:
            since_ms = await shown_ms(client) - gave_up_ms
            order = await client.order(order_id)
        except KalshiError:
            continue
        is_done = judge(order)
        if is_done and (is_over(order) or since_ms >= _CLOCKS_MS):
            return Seen(order, is_done=True)
        if is_done is False and since_ms >= GRACE_MS:
            return Seen(order, is_done=False)
    return Seen(order, is_done=None)


def is_over(order: Order) -> bool:
    """Whether nothing of an order rests any more; it never will again."""
    return order.status != "resting"


def shrunk_to(to_centi: int) -> Judge:
    """Return a judge of a decrease: at most so much rests, executed or taken out."""
    return lambda order: is_over(order) or order.remaining_centi <= to_centi


def amended_to(*, yes_price_cc: int, count_centi: int) -> Judge:
    """Return a judge of an amendment to a limit and a size, executed contracts included."""

    def judge(order: Order) -> bool | None:
        has_terms = (
            order.yes_price_cc == yes_price_cc and order.filled_centi + order.remaining_centi == count_centi
        )
        # What was canceled has nothing that remains, and no field that says what its size was.
        return True if has_terms else None if is_over(order) else False

    return judge
