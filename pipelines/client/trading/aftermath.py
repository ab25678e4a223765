"""After the answer to a change was lost: does the order show that it was made?

What an order shows proves nothing until the exchange says that its records are newer than the moment we
gave up (see `lookup`): before, it may be how the order stood two changes ago. Only an end is an end. Some
orders never tell: one that ended may have been amended before.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from exchange.units import to_us
from pipelines.client.errors import KalshiError
from pipelines.client.trading.lookup import GRACE_MS, Patience, moment, shown_ms
from pipelines.client.wire import Order

if TYPE_CHECKING:
    from pipelines.client.client import Client

_SECOND_US: Final = 1_000_000
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


def amended_to(
    *, yes_price_cc: int, count_centi: int, expires_s: int | None = None, name: str | None = None
) -> Judge:
    """Return a judge of an amendment.

    Args:
        yes_price_cc: the new limit seen from YES.
        count_centi: the new size, executed contracts included.
        expires_s: the new end in Unix seconds, 0 for none, None where it stays.
        name: the new client_order_id, None where it stays.
    """

    def judge(order: Order) -> bool | None:
        has_terms = (
            order.yes_price_cc == yes_price_cc
            and order.filled_centi + order.remaining_centi == count_centi
            and expires_s in {None, _ends_s(order)}
            and name in {None, order.client_order_id}
        )
        # What was canceled has nothing that remains, and no field that says what its size was.
        return True if has_terms else None if is_over(order) else False

    return judge


def _ends_s(order: Order) -> int:
    """Return when an order ends by itself, Unix seconds; 0 for never, as Kalshi asks for it."""
    ends_ts = moment(order.expiration_time)
    return 0 if ends_ts is None else to_us(ends_ts) // _SECOND_US
