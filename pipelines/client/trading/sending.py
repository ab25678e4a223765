"""What every call that sends orders stands on: leave to trade, whose subaccount, and how answers get lost."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from pipelines.client.asking import Query
from pipelines.client.errors import NotDone, RequestError, TradingOff, UnknownOutcome
from pipelines.client.requests import Request
from pipelines.client.trading.aftermath import Judge, look_at
from pipelines.client.trading.lookup import Lost, Patience, Search, search
from pipelines.client.wire import Order

if TYPE_CHECKING:
    from pipelines.client.client import Client
    from pipelines.client.session import Session

T = TypeVar("T", bound=msgspec.Struct)

ORDERS: Final = "/portfolio/events/orders"
BATCHED: Final = f"{ORDERS}/batched"
EXISTS: Final = "order_already_exists"
MAX_SUBACCOUNT: Final = 63


class Sending:
    """Sends changes once each, and finds out what became of them.

    Raises:
        TradingOff: nobody asked for it, or for another exchange than this one, or there is no key.
    """

    def __init__(self, client: "Client", session: "Session", *, patience: Patience | None = None) -> None:
        if refusal := client.settings.trading_refusal():
            raise TradingOff(refusal)
        self._client = client
        self._session = session
        self._patience = patience or Patience()

    def _subaccount(self, subaccount: int | None) -> int | None:
        """Return whose order it is: as said in the call, else KALSHI_SUBACCOUNT, else Kalshi's choice."""
        if subaccount is None:
            return self._client.settings.subaccount
        if not 0 <= subaccount <= MAX_SUBACCOUNT:
            raise RequestError(f"subaccount is {subaccount}: write 0 (the primary one) to {MAX_SUBACCOUNT}")
        return subaccount

    def _own_ms(self) -> int:
        """Return the time of our own clock, without the correction that signatures get."""
        return self._session.clock.now_ms() - self._session.clock.offset_ms

    async def _seek(self, ticker: str, names: list[str], lost: Lost) -> Search:
        """Look for orders of a market by the names we gave them."""
        return await search(self._client, ticker, names, lost=lost, patience=self._patience)

    async def _aftermath(self, error: UnknownOutcome, order_id: str, judge: Judge) -> Order:
        """Return an order that shows a change whose answer was lost.

        Raises:
            NotDone: the change surely was not made.
            UnknownOutcome: the order does not tell.
        """
        seen = await look_at(
            self._client,
            order_id,
            judge,
            gave_up_ms=self._own_ms(),
            patience=self._patience,
        )
        if seen.is_done and seen.order is not None:
            return seen.order
        stands = "it could not be looked at" if seen.order is None else f"it is {_told(seen.order)}"
        what = f"{error.method} {error.path}: no answer came, and order {order_id}"
        if seen.is_done is False:
            raise NotDone(
                f"{what} surely was not changed: {stands}, and the exchange's records reach beyond that "
                "moment; ask again if it is still wanted",
                order_id=order_id,
            ) from error
        raise still_unknown(error, f"order {order_id}", stands) from error


def change(
    method: str,
    path: str,
    shape: type[T],
    body: Mapping[str, Any] | None = None,
    *,
    params: Query | None = None,
    n_items: int = 1,
) -> Request[T]:
    """Return a request that is sent once: not again unless it surely never reached the exchange."""
    return Request(
        method=method,
        path=path,
        shape=shape,
        params=params or {},
        body=None if body is None else msgspec.json.encode(body),
        n_items=n_items,
        is_repeatable=False,
    )


def still_unknown(error: UnknownOutcome, what: str, stands: str) -> UnknownOutcome:
    """Return that nobody knows, even after having looked."""
    return UnknownOutcome(
        f"{error.method} {error.path}: no answer came, and the exchange does not tell what became of {what} "
        f"({stands}); look it up again in a while (client.order, client.orders) before anything is sent",
        method=error.method,
        path=error.path,
        n_tries=error.n_tries,
    )


def _told(order: Order) -> str:
    return (
        f"{order.status} at {order.yes_price_dollars}, {order.fill_count_fp} executed, "
        f"{order.remaining_count_fp} left"
    )
