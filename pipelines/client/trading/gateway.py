"""Orders out, outcomes back: version 2 of Kalshi's order routes.

Every change is sent once. When its answer is lost, what the exchange has is looked up, a new order by the
name we gave it, and only that counts: done, surely not done (NotDone), or still unknown (UnknownOutcome).
Source: KALSHI.md §3, §6 and §11 (OpenAPI 3.34.0, read 2026-10-09).
"""

from dataclasses import replace
from datetime import datetime
from typing import Final

from exchange.units import format_cc, format_centi
from pipelines.client.asking import query, seconds, segment, single
from pipelines.client.errors import Conflict, KalshiError, NotFound, NotPlaced, RequestError, UnknownOutcome
from pipelines.client.requests import Request
from pipelines.client.trading.aftermath import amended_to, is_over, shrunk_to
from pipelines.client.trading.batches import Batches
from pipelines.client.trading.lookup import Lost, anywhere
from pipelines.client.trading.new_order import NewOrder, checked_name, checked_terms
from pipelines.client.trading.outcomes import Outcome, answered, found
from pipelines.client.trading.sending import ORDERS, change, still_unknown
from pipelines.client.wire import CanceledOrder, CreatedOrder, Nothing, Order

# Conflicts with the market or the book; any other one may be about the name of the order.
_OTHER_CONFLICTS: Final = frozenset(
    {"MARKET_INACTIVE", "POST_ONLY_CROSS", "fill_or_kill_insufficient_resting_volume"}
)
_STILL_RESTS: Final = (
    "the order rests, but not where this was sent to: say its ticker and its subaccount, or try again "
    "if it was placed a moment ago"
)


class Trading(Batches):
    """Sends orders for one account; it can only be made where trading was asked for.

    Status and queue positions are reads of the client itself: `order`, `orders`, `queue_position`.

    Raises:
        TradingOff: nobody asked, or for another exchange than this one, or there is no key.
    """

    async def create(self, order: NewOrder) -> Outcome:
        """Send one order and return what became of it, looked up if the answer was lost.

        `POST /portfolio/events/orders`, signed, 10 write tokens. It is sent at most once. An order that is
        there already by this name and with these terms is returned as found. Whoever is interrupted while it
        is under way (a cancelled task, a killed program) does not know what became of it: ask `find` before
        anything is sent again.

        Raises:
            NotPlaced: no answer came, and the exchange surely does not have it.
            UnknownOutcome: no answer came, and the exchange does not show yet whether it has it.
            Conflict: the market or the book stands against it, or the name belongs to another order.
            HttpError: it was refused; `.code` says why (available_balance_too_low, …).
            RequestError, SettingsError, Unauthorized, Forbidden, Unreachable: nothing was placed.
        """
        sent = replace(order, subaccount=self._subaccount(order.subaccount))
        sent_ms = self._own_ms()
        try:
            reply = await self._session.send(change("POST", ORDERS, CreatedOrder, sent.body()))
        except UnknownOutcome as error:
            return await self._found(order, error, Lost(sent_ms, self._own_ms()))
        except Conflict as error:
            if error.code in _OTHER_CONFLICTS:
                raise
            return await self._replayed(order, error)
        return answered(order.client_order_id, reply)

    async def find(self, order: NewOrder) -> Outcome | None:
        """Return what became of an order that may have been sent; None if none of its name is shown.

        `GET /portfolio/orders` and `/historical/orders` of its market, signed, 10 read tokens a page. None
        does not prove that there is none: records lag (`client.user_data_timestamp`). To send the same order
        again is no way to find out: a name must not match any open order, so Kalshi may take it a second time
        once the first is over.

        Raises:
            CursorLoop, TooManyPages, Unauthorized, Unreachable, HttpError, WireError: see `errors`.

        Source: order entry page of the FIX documents (read 2026-11-25).
        """
        its = await anywhere(self._client, order.ticker, order.client_order_id)
        return found(its) if its is not None and order.is_same(its) else None

    async def cancel(
        self, order_id: str, *, ticker: str | None = None, subaccount: int | None = None
    ) -> CanceledOrder:
        """Take a resting order out; one that is over already is returned with `reduced_by` 0.

        `DELETE /portfolio/events/orders/{order_id}`, signed, 2 write tokens. If its answer is lost and the
        order is over, `reduced_by` is None: nobody said how much this took out.

        Args:
            order_id: the exchange's name of it.
            ticker: of its market; needed for markets beyond shard 0.
            subaccount: whose it is; None takes KALSHI_SUBACCOUNT, else Kalshi's default (0).

        Raises:
            NotFound: the exchange knows no such order, or it rests in another subaccount or shard.
            NotDone: no answer came, and the order surely still rests.
            UnknownOutcome: no answer came, and the order does not show yet what became of it.
            HttpError, RequestError, SettingsError, Unreachable: nothing was taken out.
        """
        path = _path(order_id)
        params = query(market_ticker=single("ticker", ticker), subaccount=self._subaccount(subaccount))
        try:
            return await self._session.send(change("DELETE", path, CanceledOrder, params=params))
        except UnknownOutcome as error:
            return _left(await self._aftermath(error, order_id, is_over))
        except NotFound as error:
            order = await self._client.order(order_id)
            if not is_over(order):
                raise NotFound(
                    status=error.status,
                    path=path,
                    method="DELETE",
                    code=error.code,
                    detail=error.detail,
                    advice=_STILL_RESTS,
                ) from error
            return _left(order, reduced_by=format_centi(0))

    async def cancel_all(self, *, subaccount: int | None = None) -> None:
        """Take out every resting order of every shard, up to 10,000; send nothing for a minute afterwards.

        Orders that are placed within the minute after it may be taken out, too.
        `DELETE /portfolio/events/orders`, signed, 2 write tokens; answered without content. This alone is
        sent again when its answer is lost: nothing shall rest, and twice out is out.

        Args:
            subaccount: whose orders; None takes KALSHI_SUBACCOUNT, else all of them (Kalshi's default here).

        Raises:
            HttpError, RequestError, SettingsError, Unreachable: some may still rest.

        Source: official SDK 3.34.0 (2026-10).
        """
        params = query(subaccount=self._subaccount(subaccount))
        await self._session.send(Request(method="DELETE", path=ORDERS, shape=Nothing, params=params))

    async def amend(
        self,
        order: Order,
        *,
        yes_price_cc: int,
        count_centi: int,
        expires_ts: datetime | None = None,
        never_expires: bool = False,
        updated_client_order_id: str | None = None,
    ) -> Outcome:
        """Give a resting order another limit or size; only a smaller size keeps its place in the queue.

        `POST /portfolio/events/orders/{order_id}/amend`, signed, 10 write tokens.

        Args:
            order: the order as it was last read.
            yes_price_cc: the new limit seen from YES, in centicents.
            count_centi: the new size of the whole order, executed contracts included.
            expires_ts: a new end; whole seconds, rounded down. By default the old one stays.
            never_expires: takes the end away.
            updated_client_order_id: a new name for it.

        Raises:
            NotDone: no answer came, and the order surely does not have the new terms.
            UnknownOutcome: no answer came, and the order does not show whether it was amended.
            HttpError, RequestError, SettingsError, Unreachable: nothing was changed.

        Source: KALSHI.md §6; official SDK 3.34.0 (2026-10) for the end, which SDK 3.30.0 does not have yet.
        """
        checked_terms(yes_price_cc, count_centi)
        if updated_client_order_id is not None:
            checked_name(updated_client_order_id)
        if never_expires and expires_ts is not None:
            raise RequestError("never_expires and expires_ts contradict each other: give one of them")
        expires_s = 0 if never_expires else seconds("expires_ts", expires_ts)
        body = query(
            ticker=order.ticker,
            side=order.book_side,
            price=format_cc(yes_price_cc),
            count=format_centi(count_centi),
            updated_client_order_id=updated_client_order_id,
            expiration_time=expires_s,
        )
        params = query(subaccount=order.subaccount_number)
        path = f"{_path(order.order_id)}/amend"
        name = updated_client_order_id or order.client_order_id
        try:
            reply = await self._session.send(change("POST", path, CreatedOrder, body, params=params))
        except UnknownOutcome as error:
            judge = amended_to(
                yes_price_cc=yes_price_cc,
                count_centi=count_centi,
                expires_s=expires_s,
                name=updated_client_order_id,
            )
            return found(await self._aftermath(error, order.order_id, judge))
        return answered(name, reply)

    async def decrease(
        self, order_id: str, *, to_centi: int, ticker: str | None = None, subaccount: int | None = None
    ) -> CanceledOrder:
        """Leave `to_centi` hundredths of contracts of a resting order, in its place; 0 takes it out.

        `POST /portfolio/events/orders/{order_id}/decrease`, signed, 10 write tokens. Kalshi's `reduce_by` is
        not offered: after a lost answer nobody could tell whether it was done.

        Args:
            order_id: the exchange's name of it.
            to_centi: how much may rest from now on.
            ticker: of its market; needed for markets beyond shard 0.
            subaccount: whose it is; None takes KALSHI_SUBACCOUNT, else Kalshi's default (0).

        Raises:
            NotFound: no such resting order.
            NotDone: no answer came, and more than that surely still rests.
            UnknownOutcome: no answer came, and the order does not show yet what became of it.
            HttpError, RequestError, SettingsError, Unreachable: nothing was changed.
        """
        if isinstance(to_centi, bool) or not isinstance(to_centi, int) or to_centi < 0:
            raise RequestError(
                f"to_centi is {to_centi!r}: give what shall be left, in hundredths of contracts"
            )
        body = query(reduce_to=format_centi(to_centi), market_ticker=single("ticker", ticker))
        params = query(subaccount=self._subaccount(subaccount))
        path = f"{_path(order_id)}/decrease"
        try:
            return await self._session.send(change("POST", path, CanceledOrder, body, params=params))
        except UnknownOutcome as error:
            return _left(await self._aftermath(error, order_id, shrunk_to(to_centi)))

    async def _found(self, order: NewOrder, error: UnknownOutcome, lost: Lost) -> Outcome:
        """Look an order up whose answer was lost."""
        name = order.client_order_id
        seen = await self._seek(order.ticker, [name], lost)
        its = seen.orders.get(name)
        if its is not None and order.is_same(its):
            return found(its)
        if its is None and not seen.is_certain:
            stands = "it is not to be seen, but may still appear"
            raise still_unknown(error, f"order {name} in {order.ticker}", stands) from error
        why = "has none of that name" if its is None else "has another order of that name"
        raise NotPlaced(
            f"order {name} in {order.ticker} was not placed: no answer came ({error.__cause__}), and the "
            f"exchange, whose records reach beyond that moment, {why}; send a new one",
            client_order_id=name,
        ) from error

    async def _replayed(self, order: NewOrder, error: Conflict) -> Outcome:
        """Return the order that has this name already, if it is this one."""
        try:
            its = await self.find(order)
        except KalshiError as trouble:
            raise error from trouble
        if its is None:
            raise error
        return its


def _path(order_id: str) -> str:
    return f"{ORDERS}/{segment(order_id, 'order id')}"


def _left(order: Order, *, reduced_by: str | None = None) -> CanceledOrder:
    """Return what an order shows of itself after a change."""
    return CanceledOrder(
        order_id=order.order_id,
        client_order_id=order.client_order_id,
        reduced_by=reduced_by,
        remaining_count=order.remaining_count_fp,
    )
