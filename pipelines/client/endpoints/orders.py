"""Our orders as they stand; sending them is the business of `client.trading`. All of it is signed."""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Final

from pipelines.client.asking import joined, one_of, query, segment, single
from pipelines.client.endpoints.group import Group
from pipelines.client.endpoints.portfolio import MAX_ROWS, checked_subaccount, dated
from pipelines.client.wire import (
    Order,
    OrderReply,
    OrdersPage,
    QueuePosition,
    QueuePositionReply,
    QueuePositionsReply,
)

_STATUSES: Final = frozenset({"resting", "canceled", "executed"})
_MAX_EVENTS: Final = 10
_MAX_TICKERS: Final = 100


class OrderEndpoints(Group):
    """Orders, and where they stand in the queue."""

    def orders(
        self,
        *,
        ticker: str | None = None,
        event_tickers: Sequence[str] | None = None,
        status: str | None = None,
        min_ts: datetime | None = None,
        max_ts: datetime | None = None,
        subaccount: int | None = None,
        exchange_index: int | None = None,
        page_size: int = MAX_ROWS,
    ) -> AsyncGenerator[list[Order], None]:
        """Yield pages of orders: all that rest, and what ended since the cutoff (two weeks back).

        `GET /portfolio/orders`, signed, 1 to 1,000 a page, by cursor, newest first as far as seen. Older
        ones: `historical_orders`.

        Args:
            ticker: of one market.
            event_tickers: of these events, at most 10.
            status: resting, canceled or executed.
            min_ts: created after; whole seconds, rounded down; inclusion is not documented.
            max_ts: created before; whole seconds, rounded up; inclusion is not documented.
            subaccount: 0 to 63; None is all of them.
            exchange_index: only this shard.
            page_size: orders a page.

        Raises:
            SettingsError, RequestError, NaiveTime: before anything is sent.
            CursorLoop, TooManyPages, Unauthorized, Unreachable, HttpError, WireError: see `errors`.

        Source: KALSHI.md §5.7, §6 (OpenAPI 3.34.0; changelog 2026-09-24).
        """
        params = query(
            ticker=single("ticker", ticker),
            event_ticker=joined("event_tickers", event_tickers, at_most=_MAX_EVENTS),
            status=one_of("status", status, _STATUSES),
            exchange_index=exchange_index,
        ) | dated(min_ts, max_ts, subaccount, page_size)
        self._needs_key("/portfolio/orders")
        return self._pages("/portfolio/orders", OrdersPage, "orders", params, Order)

    def historical_orders(
        self,
        *,
        ticker: str | None = None,
        min_ts: datetime | None = None,
        max_ts: datetime | None = None,
        subaccount: int | None = None,
        page_size: int = MAX_ROWS,
    ) -> AsyncGenerator[list[Order], None]:
        """Yield pages of orders that ended before the cutoff.

        `GET /historical/orders`, signed, 1 to 1,000 a page, by cursor. Arguments and errors as in `orders`.

        Source: KALSHI.md §5.7 (changelog 2026-09-24).
        """
        params = query(ticker=single("ticker", ticker)) | dated(min_ts, max_ts, subaccount, page_size)
        self._needs_key("/historical/orders")
        return self._pages("/historical/orders", OrdersPage, "orders", params, Order)

    async def order(self, order_id: str) -> Order:
        """Return one order.

        `GET /portfolio/orders/{order_id}`, signed; 2 tokens instead of 10.

        Raises:
            NotFound: unknown, archived, or placed a moment ago.
            SettingsError, RequestError, Unauthorized, Unreachable, HttpError, WireError: see `errors`.

        Source: KALSHI.md §3, §6 (OpenAPI 3.28.0).
        """
        self._needs_key("/portfolio/orders")
        path = f"/portfolio/orders/{segment(order_id, 'order id')}"
        return (await self._session.get(path, OrderReply)).order

    async def queue_position(self, order_id: str) -> str:
        """Return how many contracts are matched before an order is, contract text.

        `GET /portfolio/orders/{order_id}/queue_position`, signed.

        Raises:
            NotFound: no such resting order.
            SettingsError, RequestError, Unauthorized, Unreachable, HttpError, WireError: see `errors`.

        Source: KALSHI.md §6 (OpenAPI 3.28.0).
        """
        self._needs_key("/portfolio/orders")
        path = f"/portfolio/orders/{segment(order_id, 'order id')}/queue_position"
        return (await self._session.get(path, QueuePositionReply)).queue_position_fp

    async def queue_positions(
        self,
        *,
        tickers: Sequence[str] | None = None,
        event_ticker: str | None = None,
        subaccount: int | None = None,
    ) -> list[QueuePosition]:
        """Return how many contracts are matched before each resting order.

        `GET /portfolio/orders/queue_positions`, signed, not paginated, order not documented.

        Args:
            tickers: only of these markets. The documents name no limit; 100 are sent at most.
            event_ticker: only of the markets of one event.
            subaccount: 0 (the primary one, Kalshi's default here, unlike for `orders`) to 63.

        Raises:
            SettingsError, RequestError: before anything is sent.
            Unauthorized, Unreachable, HttpError, WireError: see `errors`.

        Source: KALSHI.md §6; official SDK 3.34.0 (2026-10), where no filter is required.
        """
        params = query(
            market_tickers=joined("tickers", tickers, at_most=_MAX_TICKERS),
            event_ticker=single("event_ticker", event_ticker),
            subaccount=checked_subaccount(subaccount),
        )
        path = "/portfolio/orders/queue_positions"
        self._needs_key(path)
        return (await self._session.get(path, QueuePositionsReply, params=params)).queue_positions or []
