"""Trades and order books."""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from pipelines.client.asking import (
    Query,
    in_order,
    joined,
    limit,
    query,
    seconds,
    seconds_up,
    segment,
    single,
)
from pipelines.client.endpoints.group import Group
from pipelines.client.errors import RequestError
from pipelines.client.requests import Answer, Request
from pipelines.client.wire import BookReply, BooksReply, Levels, OrderBook, Trade, TradesPage

_MAX_TRADES: Final = 1_000
MAX_BOOKS: Final = 100
"""Books that one call of `order_books` asks for at once."""

BOOKS_PATH: Final = "/markets/orderbooks"
_MAX_DEPTH: Final = 100


class TapeEndpoints(Group):
    """What was traded, and what is offered."""

    def trades(
        self,
        ticker: str | None = None,
        *,
        min_ts: datetime | None = None,
        max_ts: datetime | None = None,
        is_block_trade: bool | None = None,
        page_size: int = _MAX_TRADES,
    ) -> AsyncGenerator[list[Trade], None]:
        """Yield pages of live trades, newest first; those before the cutoff are in `historical_trades`.

        `GET /markets/trades`, public, 1 to 1,000 a page, by cursor. Rows that print while paging do not shift
        pages, but they are missed: fix `max_ts`.

        Args:
            ticker: of one market; None is the whole exchange.
            min_ts: after this; sent in whole seconds, rounded down.
            max_ts: before this; sent in whole seconds, rounded up.
            is_block_trade: only block trades, or none; None is both.
            page_size: trades a page.

        Whether the bounds include their second is undocumented, and many trades share one time: ask one
        second more on both sides, drop what lies outside and what came twice (`trade_id`).

        Raises:
            RequestError, NaiveTime: before anything is sent.
            CursorLoop, TooManyPages, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.5, §12.12 (OpenAPI 3.34.0, 2026-10-09).
        """
        params = _trade_query(ticker, min_ts, max_ts, is_block_trade, page_size)
        return self._pages("/markets/trades", TradesPage, "trades", params, Trade)

    def historical_trades(
        self,
        ticker: str | None = None,
        *,
        min_ts: datetime | None = None,
        max_ts: datetime | None = None,
        is_block_trade: bool | None = None,
        page_size: int = _MAX_TRADES,
    ) -> AsyncGenerator[list[Trade], None]:
        """Yield pages of trades before `trades_created_ts` of the cutoff; otherwise like `trades`.

        `GET /historical/trades`, public, 1 to 1,000 a page, by cursor. The tiers overlap: drop what came
        twice.

        Raises:
            RequestError, NaiveTime: before anything is sent.
            CursorLoop, TooManyPages, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.5, §17 (OpenAPI 3.34.0; since 2026-03-06).
        """
        params = _trade_query(ticker, min_ts, max_ts, is_block_trade, page_size)
        return self._pages("/historical/trades", TradesPage, "trades", params, Trade)

    async def order_book(self, ticker: str, depth: int = 0) -> OrderBook:
        """Return one market's book now, stamped with our clock when it had arrived.

        `GET /markets/{ticker}/orderbook`, public. There is no book of the past (`?ts=` is ignored).

        Args:
            ticker: the market.
            depth: best levels a side, 1 to 100; 0 is all.

        Raises:
            RequestError: before anything is sent.
            NotFound, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.4, §7 (OpenAPI 3.34.0; order book page of 2026-08-04).
        """
        if not 0 <= depth <= _MAX_DEPTH:
            raise RequestError(f"depth is {depth}: this endpoint takes 0 (all) to {_MAX_DEPTH}")
        path = f"/markets/{segment(ticker)}/orderbook"
        answer = await self._session.timed(Request(path=path, shape=BookReply, params=query(depth=depth)))
        return _book(ticker, answer.found.orderbook_fp, answer)

    async def order_books(self, tickers: Sequence[str]) -> list[OrderBook]:
        """Return many markets' books, in the exchange's order, 100 a call; each call has its own stamp.

        `GET /markets/orderbooks?tickers=A&tickers=B`, public since OpenAPI 3.34.0.

        Raises:
            RequestError: before anything is sent.
            Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §1, §5.4 (OpenAPI 3.34.0; since 2026-03-30).
        """
        joined("tickers", tickers, at_most=None)
        books: list[OrderBook] = []
        for start in range(0, len(tickers), MAX_BOOKS):
            chunk = tickers[start : start + MAX_BOOKS]
            answer = await self._session.timed(
                Request(path=BOOKS_PATH, shape=BooksReply, params=query(tickers=list(chunk)))
            )
            books += [_book(one.ticker, one.orderbook_fp, answer) for one in answer.found.orderbooks or []]
        return books


def _trade_query(
    ticker: str | None,
    min_ts: datetime | None,
    max_ts: datetime | None,
    is_block_trade: bool | None,  # noqa: FBT001  tri-state, passed on as it is
    page_size: int,
) -> Query:
    in_order("min_ts", min_ts, "max_ts", max_ts)
    return query(
        ticker=single("ticker", ticker),
        min_ts=seconds("min_ts", min_ts),
        max_ts=seconds_up("max_ts", max_ts),
        is_block_trade=is_block_trade,
        limit=limit(page_size, at_most=_MAX_TRADES),
    )


def _book(ticker: str, levels: Levels, answer: Answer[Any]) -> OrderBook:
    return OrderBook(
        ticker=ticker,
        yes_dollars=_ascending(levels.yes_dollars),
        no_dollars=_ascending(levels.no_dollars),
        captured_ts=answer.answered_ts,
        latency_us=answer.latency_us,
    )


def _ascending(levels: list[tuple[str, str]] | None) -> tuple[tuple[str, str], ...]:
    # The guide says ascending, the endpoint's description best to worst: sorted here, whichever it is.
    return tuple(sorted(levels or [], key=lambda level: Decimal(level[0])))
