"""Many orders in one request, each with an outcome of its own, looked up one by one where it was lost.

Source: KALSHI.md §3, §6 (OpenAPI 3.34.0, read 2026-10-09): a batch pays for every item and must fit into the
write bucket at once.
"""

from collections.abc import Sequence
from dataclasses import replace

from pipelines.client.asking import Query, query, segment
from pipelines.client.errors import NotDone, RequestError, UnknownOutcome
from pipelines.client.trading.aftermath import is_over
from pipelines.client.trading.lookup import Lost
from pipelines.client.trading.new_order import NewOrder
from pipelines.client.trading.outcomes import Outcome, answered, found, not_placed, unknown
from pipelines.client.trading.sending import BATCHED, EXISTS, Sending, change
from pipelines.client.wire import BatchItem, BatchReply, ErrorBody, Order


class Batches(Sending):
    """Orders by the dozen."""

    async def create_batch(self, orders: Sequence[NewOrder]) -> list[Outcome]:
        """Send several orders at once and return what became of each, in their order.

        `POST /portfolio/events/orders/batched`, signed, 10 write tokens an order, all at once: a batch that
        the write bucket can never hold is refused before it is sent. It is sent at most once. Where no answer
        came for an order it is looked up: `how` is then `found`, `refused` with the code `not_placed`, or
        `unknown` as long as the exchange does not show whether it has it.

        Raises:
            RequestError: no orders, two of one name, or more than the budget can ever hold.
            HttpError, SettingsError, Unreachable: nothing was placed.
        """
        names = [order.client_order_id for order in orders]
        if not orders or len(set(names)) != len(names):
            raise RequestError("a batch needs orders, each with a client_order_id of its own")
        sent = [replace(order, subaccount=self._subaccount(order.subaccount)) for order in orders]
        body = {"orders": [order.body() for order in sent]}
        request = change("POST", BATCHED, BatchReply, body, n_items=len(orders))
        sent_ms = self._own_ms()
        try:
            items = _by_name(names, (await self._session.send(request)).orders or [])
        except UnknownOutcome:
            items = {}
        lost = Lost(sent_ms, self._own_ms())
        open_ones = [order for order in orders if _is_open(items.get(order.client_order_id))]
        looked_up = await self._looked_up(open_ones, lost) if open_ones else {}
        return [looked_up[name] if name in looked_up else answered(name, items[name]) for name in names]

    async def cancel_batch(
        self, orders: Sequence[str | Order], *, subaccount: int | None = None
    ) -> list[BatchItem]:
        """Take several resting orders out; each item says how much was taken out, or why not, in their order.

        `DELETE /portfolio/events/orders/batched`, signed, 2 write tokens an order, all at once. It is sent
        once; where no answer came the order itself is looked at: `remaining_count` 0 if it is over (and no
        `reduced_by`, for nobody said it), else an error with the code `not_done` or `unknown`.

        Args:
            orders: each once; as it was read, or its id alone if it is on shard 0: an order says its market,
                and with that its shard, and its subaccount.
            subaccount: whose orders the ids are; None takes KALSHI_SUBACCOUNT, else Kalshi's default (0).

        Raises:
            RequestError: no ids, one twice, or more than the budget can ever hold.
            HttpError, SettingsError, Unreachable: nothing was taken out.
        """
        order_ids = [each.order_id if isinstance(each, Order) else each for each in orders]
        if not orders or isinstance(orders, str) or len(set(order_ids)) != len(order_ids):
            raise RequestError("cancel_batch takes a list of order ids or orders, each once")
        whose = self._subaccount(subaccount)
        body = {"orders": [_addressed(each, whose) for each in orders]}
        request = change("DELETE", BATCHED, BatchReply, body, n_items=len(orders))
        lost = UnknownOutcome("", method="DELETE", path=BATCHED, n_tries=1)
        try:
            told = (await self._session.send(request)).orders or []
        except UnknownOutcome as error:
            lost, told = error, []
        known = {each.order_id: each for each in told if each.order_id}
        return [known.get(each) or await self._ended(each, lost) for each in order_ids]

    async def _looked_up(self, orders: Sequence[NewOrder], lost: Lost) -> dict[str, Outcome]:
        known: dict[str, Outcome] = {}
        for ticker in dict.fromkeys(order.ticker for order in orders):
            wanted = {order.client_order_id: order for order in orders if order.ticker == ticker}
            seen = await self._seek(ticker, list(wanted), lost)
            for name, order in wanted.items():
                its = seen.orders.get(name)
                if its is not None:
                    known[name] = found(its) if order.is_same(its) else not_placed(name)
                else:
                    known[name] = not_placed(name) if seen.is_certain else unknown(name)
        return known

    async def _ended(self, order_id: str, lost: UnknownOutcome) -> BatchItem:
        """Return what an order itself tells of a cancellation without an answer."""
        try:
            order = await self._aftermath(lost, order_id, is_over)
        except NotDone as error:
            return BatchItem(order_id=order_id, error=ErrorBody(code="not_done", message=str(error)))
        except UnknownOutcome as error:
            return BatchItem(order_id=order_id, error=ErrorBody(code="unknown", message=str(error)))
        return BatchItem(
            order_id=order_id,
            client_order_id=order.client_order_id,
            remaining_count=order.remaining_count_fp,
        )


def _addressed(order: str | Order, subaccount: int | None) -> Query:
    """Return how an item of a batch says which order it is about."""
    if isinstance(order, str):
        return query(order_id=segment(order, "order id"), subaccount=subaccount)
    whose = subaccount if order.subaccount_number is None else order.subaccount_number
    return query(order_id=order.order_id, market_ticker=order.ticker, subaccount=whose)


def _is_open(item: BatchItem | None) -> bool:
    """Whether an answer leaves open what became of an order: none, an empty one, or it was there before."""
    if item is None:
        return True
    if item.error is not None:
        return item.error.said[0] == EXISTS
    return not item.order_id or item.fill_count is None or item.remaining_count is None


def _by_name(names: Sequence[str], told: Sequence[BatchItem]) -> dict[str, BatchItem]:
    """Return the items that surely are about an order of ours.

    A failed item may come without its name. Then its place is its name, if every order has an item.
    """
    items = {each.client_order_id: each for each in told if each.client_order_id in names}
    if len(told) == len(names):
        items |= {name: each for name, each in zip(names, told, strict=True) if not each.client_order_id}
    return {name: each for name, each in items.items() if name}
