"""Orders out, outcomes back: version 2 of Kalshi's order routes.

A new order is sent once. When its answer is lost it is looked up by the name we gave it, and only what the
exchange says counts: found, surely not there (NotPlaced), or still unknown (UnknownOutcome). Taking orders
out may be repeated: twice out is out.
Source: KALSHI.md §3, §6 and §11 (OpenAPI 3.34.0, read 2026-10-09).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from exchange.units import format_cc, format_centi
from pipelines.client.asking import segment
from pipelines.client.errors import Conflict, NotFound, NotPlaced, RequestError, TradingOff, UnknownOutcome
from pipelines.client.requests import Request
from pipelines.client.trading.lookup import Patience, search
from pipelines.client.trading.new_order import BookSide, NewOrder, checked_terms
from pipelines.client.trading.outcomes import Outcome, answered, found
from pipelines.client.wire import (
    BatchItem,
    BatchReply,
    CanceledOrder,
    CreatedOrder,
    ErrorBody,
    Nothing,
    Order,
)

if TYPE_CHECKING:
    from pipelines.client.client import Client
    from pipelines.client.session import Session

_ORDERS: Final = "/portfolio/events/orders"
_BATCHED: Final = f"{_ORDERS}/batched"
_EXISTS: Final = "order_already_exists"


class Trading:
    """Sends orders for one account; it can only be made where trading was asked for.

    Status and queue positions are reads of the client itself: `order`, `orders`, `queue_position`.

    Raises:
        TradingOff: nobody asked, or for another exchange than this one, or there is no key.
    """

    def __init__(self, client: "Client", session: "Session", *, patience: Patience | None = None) -> None:
        if refusal := client.settings.trading_refusal():
            raise TradingOff(refusal)
        self._client = client
        self._session = session
        self._patience = patience or Patience()

    async def create(self, order: NewOrder) -> Outcome:
        """Send one order and return what became of it, looked up if the answer was lost.

        `POST /portfolio/events/orders`, signed, 10 write tokens. It is sent at most once.

        Raises:
            NotPlaced: no answer came, and the exchange surely does not have it.
            UnknownOutcome: no answer came, and the exchange does not show yet whether it has it.
            HttpError: it was refused; `.code` says why (available_balance_too_low, MARKET_INACTIVE, …).
            RequestError, SettingsError, Unauthorized, Forbidden, Unreachable: nothing was placed.
        """
        request = self._request("POST", _ORDERS, CreatedOrder, order.body(), is_repeatable=False)
        try:
            return answered(order.client_order_id, await self._session.send(request))
        except UnknownOutcome as error:
            return await self._resolved(order, error)
        except Conflict as error:
            if error.code != _EXISTS:
                raise
            # Kalshi keeps one order to a name, so this one is ours: sent before, by this program or another.
            return await self._resolved(order, error)

    async def create_batch(self, orders: Sequence[NewOrder]) -> list[Outcome]:
        """Send several orders at once and return what became of each, in their order.

        `POST /portfolio/events/orders/batched`, signed, 10 write tokens an order, all at once: a batch that
        the write bucket can never hold is refused before it is sent.

        Raises:
            UnknownOutcome: no answer came, and the exchange does not show yet what it has of them.
            RequestError: no orders, two of one name, or more than the budget can ever hold.
            HttpError, SettingsError, Unreachable: nothing was placed.
        """
        names = [order.client_order_id for order in orders]
        if not orders or len(set(names)) != len(names):
            raise RequestError("a batch needs orders, each with a client_order_id of its own")
        body = {"orders": [order.body() for order in orders]}
        request = self._request("POST", _BATCHED, BatchReply, body, is_repeatable=False, n_items=len(orders))
        try:
            told = (await self._session.send(request)).orders or []
        except UnknownOutcome as error:
            return await self._resolved_batch(orders, error)
        by_name = {each.client_order_id: each for each in told if each.client_order_id}
        # An item that failed may come without its name: then its place in the answer is its name.
        items = [by_name.get(name) or _at(told, at) for at, name in enumerate(names)]
        return [answered(name, item) for name, item in zip(names, items, strict=True)]

    async def cancel(self, order_id: str) -> CanceledOrder:
        """Take a resting order out; one that is over already is returned with nothing taken out.

        `DELETE /portfolio/events/orders/{order_id}`, signed, 2 write tokens.

        Raises:
            NotFound: the exchange knows no such order.
            HttpError, RequestError, SettingsError, Unreachable: see `errors`.
        """
        path = f"{_ORDERS}/{segment(order_id, 'order id')}"
        try:
            return await self._session.send(self._request("DELETE", path, CanceledOrder))
        except NotFound:
            order = await self._client.order(order_id)
        return CanceledOrder(order_id=order_id, client_order_id=order.client_order_id, reduced_by="0.00")

    async def cancel_batch(self, order_ids: Sequence[str]) -> list[BatchItem]:
        """Take several resting orders out; each item says how much was taken out, or why not.

        `DELETE /portfolio/events/orders/batched`, signed, 2 write tokens an order, all at once.

        Raises:
            RequestError: no ids, or more than the budget can ever hold.
            HttpError, SettingsError, Unreachable: see `errors`.
        """
        if not order_ids or isinstance(order_ids, str):
            raise RequestError("cancel_batch takes a list of order ids")
        body = {"orders": [{"order_id": segment(each, "order id")} for each in order_ids]}
        request = self._request("DELETE", _BATCHED, BatchReply, body, n_items=len(order_ids))
        return (await self._session.send(request)).orders or []

    async def cancel_all(self, *, subaccount: int | None = None) -> None:
        """Take out every resting order, up to 10,000; those placed while it runs may stay.

        `DELETE /portfolio/events/orders`, signed, 2 write tokens; answered without content.

        Raises:
            HttpError, SettingsError, Unreachable: see `errors`.
        """
        params = {} if subaccount is None else {"subaccount": subaccount}
        await self._session.send(self._request("DELETE", _ORDERS, Nothing, params=params))

    async def amend(self, order: Order, *, side: BookSide, yes_price_cc: int, count_centi: int) -> Outcome:
        """Give a resting order another limit or size; only a smaller size keeps its place in the queue.

        `POST /portfolio/events/orders/{order_id}/amend`, signed, 10 write tokens. `count_centi` is the size
        of the whole order, executed contracts included.

        Raises:
            UnknownOutcome: no answer came, and the order does not show the new terms (yet).
            HttpError, RequestError, SettingsError, Unreachable: nothing was changed.
        """
        checked_terms(yes_price_cc, count_centi)
        body = {
            "ticker": order.ticker,
            "side": side,
            "price": format_cc(yes_price_cc),
            "count": format_centi(count_centi),
        }
        path = f"{_ORDERS}/{segment(order.order_id, 'order id')}/amend"
        try:
            reply = await self._session.send(
                self._request("POST", path, CreatedOrder, body, is_repeatable=False)
            )
        except UnknownOutcome:
            now = await self._client.order(order.order_id)
            if now.yes_price_cc != yes_price_cc or now.filled_centi + now.remaining_centi != count_centi:
                raise
            return found(now)
        return answered(order.client_order_id, reply)

    async def decrease(self, order_id: str, *, to_centi: int) -> CanceledOrder:
        """Leave `to_centi` hundredths of contracts of a resting order, in its place; 0 takes it out.

        `POST /portfolio/events/orders/{order_id}/decrease`, signed, 10 write tokens. Only "to" is offered:
        said twice it does no more than said once.

        Raises:
            NotFound: no such resting order.
            HttpError, RequestError, SettingsError, Unreachable: see `errors`.
        """
        if isinstance(to_centi, bool) or not isinstance(to_centi, int) or to_centi < 0:
            raise RequestError(
                f"to_centi is {to_centi!r}: give what shall be left, in hundredths of contracts"
            )
        path = f"{_ORDERS}/{segment(order_id, 'order id')}/decrease"
        return await self._session.send(
            self._request("POST", path, CanceledOrder, {"reduce_to": format_centi(to_centi)})
        )

    async def _resolved(self, order: NewOrder, error: UnknownOutcome | Conflict) -> Outcome:
        """Look an order up that the exchange may have."""
        name = order.client_order_id
        seen = await search(
            self._client,
            order.ticker,
            [name],
            gave_up_ms=self._session.clock.now_ms(),
            patience=self._patience,
        )
        if name in seen.orders:
            return found(seen.orders[name])
        if isinstance(error, Conflict):
            raise error
        if seen.is_certain:
            raise NotPlaced(
                f"order {name} in {order.ticker} was not placed: no answer came ({error.__cause__}), and the "
                "exchange, whose records reach beyond that moment, has none of that name; send a new one",
                client_order_id=name,
            ) from error
        raise _unknown(error, f"order {name} in {order.ticker}") from error

    async def _resolved_batch(self, orders: Sequence[NewOrder], error: UnknownOutcome) -> list[Outcome]:
        gave_up_ms = self._session.clock.now_ms()
        known: dict[str, Outcome] = {}
        for ticker in dict.fromkeys(order.ticker for order in orders):
            names = [order.client_order_id for order in orders if order.ticker == ticker]
            seen = await search(self._client, ticker, names, gave_up_ms=gave_up_ms, patience=self._patience)
            known |= {name: found(order) for name, order in seen.orders.items()}
            missing = [name for name in names if name not in known]
            if missing and not seen.is_certain:
                raise _unknown(error, f"orders {', '.join(missing)} in {ticker}") from error
            known |= {name: _not_placed(name) for name in missing}
        return [known[order.client_order_id] for order in orders]

    def _request(
        self,
        method: str,
        path: str,
        shape: type[Any],
        body: dict[str, Any] | None = None,
        *,
        params: dict[str, Any] | None = None,
        is_repeatable: bool = True,
        n_items: int = 1,
    ) -> Request[Any]:
        return Request(
            method=method,
            path=path,
            shape=shape,
            params=params or {},
            body=None if body is None else msgspec.json.encode(body),
            n_items=n_items,
            is_repeatable=is_repeatable,
        )


def _at(told: Sequence[BatchItem], at: int) -> BatchItem:
    return (
        told[at] if at < len(told) else BatchItem(error=ErrorBody(code="missing", message="no answer for it"))
    )


def _not_placed(name: str) -> Outcome:
    error = ErrorBody(code="not_placed", message="no answer came, and the exchange has no order of that name")
    return Outcome(client_order_id=name, order_id=None, how="refused", error=error)


def _unknown(error: UnknownOutcome, what: str) -> UnknownOutcome:
    return UnknownOutcome(
        f"{what}: no answer came, and the exchange does not show it yet, nor that it could; look at "
        "client.orders(ticker=…) before anything is sent again",
        method=error.method,
        path=error.path,
        n_tries=error.n_tries,
    )
