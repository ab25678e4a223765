"""Trades, candles and order books."""

from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import msgspec

from pipelines.client.asking import (
    Query,
    candle_windows,
    in_order,
    joined,
    limit,
    period_minutes,
    query,
    seconds,
    seconds_up,
    segment,
)
from pipelines.client.endpoints.group import Group
from pipelines.client.errors import RequestError
from pipelines.client.wire import (
    BookReply,
    BooksReply,
    Candle,
    CandlesBatch,
    CandlesReply,
    Levels,
    OrderBook,
    Trade,
    TradesPage,
)

_MAX_TRADES: Final = 1_000
_MAX_CANDLES: Final = 5_000
_MAX_BATCH_CANDLES: Final = 10_000
_MAX_TICKERS: Final = 100
_MAX_DEPTH: Final = 100


class TapeEndpoints(Group):
    """What was traded, quoted and offered."""

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

    def candles(
        self,
        series_ticker: str,
        ticker: str,
        *,
        start_ts: datetime,
        end_ts: datetime,
        period_s: int,
        include_latest_before_start: bool | None = None,
    ) -> AsyncGenerator[list[Candle], None]:
        """Yield a live market's candles whose end lies in [start_ts, end_ts], both included, by end time.

        `GET /series/{series}/markets/{ticker}/candlesticks`, public; as many calls as needed, since one holds
        about 5,000 candles. Minutes without change have none. 0 and 1 mean an empty side of the book. Daily
        candles end at midnight US Eastern.

        Args:
            series_ticker: the market's series.
            ticker: the market.
            start_ts: first candle end; rounded up to a whole second.
            end_ts: last candle end; rounded down to a whole second.
            period_s: 60, 3600 or 86400.
            include_latest_before_start: begin with one synthetic candle that carries the last close before.

        Raises:
            RequestError, NaiveTime: before anything is sent.
            NotFound: unknown or archived (see `historical_candles`).
            Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.6 (OpenAPI 3.34.0, 2026-10-09).
        """
        path = f"/series/{segment(series_ticker)}/markets/{segment(ticker)}/candlesticks"
        windows = candle_windows(start_ts, end_ts, period_s=period_s, n_candles=_MAX_CANDLES)
        params = query(
            period_interval=period_minutes(period_s), include_latest_before_start=include_latest_before_start
        )
        return self._candle_pages(path, ticker, windows, params)

    def historical_candles(
        self, ticker: str, *, start_ts: datetime, end_ts: datetime, period_s: int
    ) -> AsyncGenerator[list[Candle], None]:
        """Yield an archived market's candles whose end lies in [start_ts, end_ts], both included.

        `GET /historical/markets/{ticker}/candlesticks`, public; it spells its fields otherwise, but they
        arrive here as the same struct. Arguments as in `candles`.

        Raises:
            RequestError, NaiveTime: before anything is sent.
            NotFound: unknown, or not archived yet (see `candles`).
            Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.6 (OpenAPI 3.28.0).
        """
        path = f"/historical/markets/{segment(ticker)}/candlesticks"
        windows = candle_windows(start_ts, end_ts, period_s=period_s, n_candles=_MAX_CANDLES)
        return self._candle_pages(path, ticker, windows, query(period_interval=period_minutes(period_s)))

    def candles_batch(
        self, tickers: Sequence[str], *, start_ts: datetime, end_ts: datetime, period_s: int
    ) -> AsyncGenerator[list[Candle], None]:
        """Yield the candles of many live markets, a page for each market and call; read `ticker` of each.

        `GET /markets/candlesticks`, public, 100 markets and 10,000 candles a call: longer lists and intervals
        take several calls. Bounds, periods and traps as in `candles`.

        Raises:
            RequestError, NaiveTime: before anything is sent.
            Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.6 (OpenAPI 3.28.0; since 2025-11-27).
        """
        plan: list[tuple[str, list[tuple[int, int]]]] = []
        for chunk in _chunks(tickers):
            n_candles = min(_MAX_CANDLES, _MAX_BATCH_CANDLES // len(chunk))
            windows = candle_windows(start_ts, end_ts, period_s=period_s, n_candles=n_candles)
            plan.append((",".join(chunk), windows))
        return self._batch_pages(plan, period_minutes(period_s))

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
        reply = await self._session.get(path, BookReply, params=query(depth=depth))
        return _book(ticker, reply.orderbook_fp)

    async def order_books(self, tickers: Sequence[str]) -> list[OrderBook]:
        """Return many markets' books, in the exchange's order, 100 a call; each call has its own stamp.

        `GET /markets/orderbooks?tickers=A&tickers=B`, public since OpenAPI 3.34.0.

        Raises:
            RequestError: before anything is sent.
            Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §1, §5.4 (OpenAPI 3.34.0; since 2026-03-30).
        """
        books: list[OrderBook] = []
        for chunk in _chunks(tickers):
            reply = await self._session.get(
                "/markets/orderbooks", BooksReply, params=query(tickers=list(chunk))
            )
            books.extend(_book(one.ticker, one.orderbook_fp) for one in reply.orderbooks or [])
        return books

    async def _candle_pages(
        self, path: str, ticker: str, windows: list[tuple[int, int]], params: Query
    ) -> AsyncGenerator[list[Candle], None]:
        for from_s, to_s in windows:
            sent = {**params, "start_ts": from_s, "end_ts": to_s}
            if from_s != windows[0][0]:
                sent.pop("include_latest_before_start", None)
            reply = await self._session.get(path, CandlesReply, params=sent)
            if reply.candlesticks:
                yield _of_market(ticker, reply.candlesticks)

    async def _batch_pages(
        self, plan: list[tuple[str, list[tuple[int, int]]]], minutes: int
    ) -> AsyncGenerator[list[Candle], None]:
        for tickers, windows in plan:
            for from_s, to_s in windows:
                params = query(market_tickers=tickers, start_ts=from_s, end_ts=to_s, period_interval=minutes)
                reply = await self._session.get("/markets/candlesticks", CandlesBatch, params=params)
                for market in reply.markets or []:
                    if market.candlesticks:
                        yield _of_market(market.market_ticker, market.candlesticks)


def _trade_query(
    ticker: str | None,
    min_ts: datetime | None,
    max_ts: datetime | None,
    is_block_trade: bool | None,  # noqa: FBT001  tri-state, passed on as it is
    page_size: int,
) -> Query:
    in_order("min_ts", min_ts, "max_ts", max_ts)
    if ticker is not None:
        segment(ticker)
    return query(
        ticker=ticker,
        min_ts=seconds("min_ts", min_ts),
        max_ts=seconds_up("max_ts", max_ts),
        is_block_trade=is_block_trade,
        limit=limit(page_size, at_most=_MAX_TRADES),
    )


def _chunks(tickers: Sequence[str]) -> list[Sequence[str]]:
    joined("tickers", tickers, at_most=max(len(tickers), 1))
    return [tickers[start : start + _MAX_TICKERS] for start in range(0, len(tickers), _MAX_TICKERS)]


def _of_market(ticker: str, candles: list[Candle]) -> list[Candle]:
    return [msgspec.structs.replace(candle, ticker=ticker) for candle in candles]


def _book(ticker: str, levels: Levels) -> OrderBook:
    return OrderBook(
        ticker=ticker,
        yes_dollars=_ascending(levels.yes_dollars),
        no_dollars=_ascending(levels.no_dollars),
        captured_ts=datetime.now(UTC),
    )


def _ascending(levels: list[tuple[str, str]] | None) -> tuple[tuple[str, str], ...]:
    # The guide says ascending, the endpoint's description best to worst: sorted here, whichever it is.
    return tuple(sorted(levels or [], key=lambda level: Decimal(level[0])))
