"""Candles of markets, of many markets and of whole events, live and archived."""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Final

import msgspec

from pipelines.client.asking import (
    Query,
    candle_bounds,
    candle_windows,
    joined,
    period_minutes,
    query,
    segment,
)
from pipelines.client.endpoints.group import Group
from pipelines.client.errors import CursorLoop, TooManyPages
from pipelines.client.wire import Candle, CandlesBatch, CandlesReply, EventCandles

_MAX_CANDLES: Final = 5_000
_MAX_BATCH_CANDLES: Final = 10_000
_MAX_TICKERS: Final = 100


class CandleEndpoints(Group):
    """Prices, quotes and volume by the minute, the hour and the day."""

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
        self,
        tickers: Sequence[str],
        *,
        start_ts: datetime,
        end_ts: datetime,
        period_s: int,
        include_latest_before_start: bool | None = None,
    ) -> AsyncGenerator[list[Candle], None]:
        """Yield the candles of many live markets, a page for each market and call; read `ticker` of each.

        `GET /markets/candlesticks`, public, 100 markets and 10,000 candles a call: longer lists and intervals
        take several calls, each market's windows in order of time. Arguments, bounds (both included) and
        traps as in `candles`.

        Raises:
            RequestError, NaiveTime: before anything is sent.
            Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.6 (OpenAPI 3.28.0; since 2025-11-27).
        """
        plan: list[tuple[str, list[tuple[int, int]]]] = []
        for chunk in _chunks(tickers):
            # The synthetic candle before the start counts too.
            n_candles = min(_MAX_CANDLES, _MAX_BATCH_CANDLES // len(chunk)) - bool(
                include_latest_before_start
            )
            windows = candle_windows(start_ts, end_ts, period_s=period_s, n_candles=n_candles)
            plan.append((",".join(chunk), windows))
        params = query(
            period_interval=period_minutes(period_s), include_latest_before_start=include_latest_before_start
        )
        return self._batch_pages(plan, params)

    def event_candles(
        self, series_ticker: str, event_ticker: str, *, start_ts: datetime, end_ts: datetime, period_s: int
    ) -> AsyncGenerator[list[Candle], None]:
        """Yield the candles of all live markets of an event, a page for each market and call.

        `GET /series/{series}/events/{event}/candlesticks`, public; read `ticker` of each candle. One answer
        holds about 5,000 candles and says where it was cut (`adjusted_end_ts`); the next call begins at that
        second, and what came twice is dropped. Arguments, bounds (both included) and traps as in `candles`.

        Raises:
            RequestError, NaiveTime: before anything is sent.
            NotFound: no such event.
            CursorLoop: an answer was cut where it began; what was yielded before is good.
            TooManyPages, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §5.6 (OpenAPI 3.28.0; changelog 2025-09-15). Whether `adjusted_end_ts` is the last
        second that was served or the first that was not is not documented, hence the overlap.
        """
        path = f"/series/{segment(series_ticker)}/events/{segment(event_ticker)}/candlesticks"
        bounds = candle_bounds(start_ts, end_ts)
        return self._event_pages(path, bounds, query(period_interval=period_minutes(period_s)))

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
        self, plan: list[tuple[str, list[tuple[int, int]]]], params: Query
    ) -> AsyncGenerator[list[Candle], None]:
        for tickers, windows in plan:
            for from_s, to_s in windows:
                sent = {**params, "market_tickers": tickers, "start_ts": from_s, "end_ts": to_s}
                if from_s != windows[0][0]:
                    sent.pop("include_latest_before_start", None)
                reply = await self._session.get("/markets/candlesticks", CandlesBatch, params=sent)
                for market in reply.markets or []:
                    if market.candlesticks:
                        yield _of_market(market.market_ticker, market.candlesticks)

    async def _event_pages(
        self, path: str, bounds: tuple[int, int], params: Query
    ) -> AsyncGenerator[list[Candle], None]:
        from_s, to_s = bounds
        last_s: dict[str, int] = {}
        for n_pages in range(1, self._max_pages + 1):
            if from_s > to_s:
                return
            sent = {**params, "start_ts": from_s, "end_ts": to_s}
            reply = await self._session.get(path, EventCandles, params=sent)
            markets = zip(reply.market_tickers or [], reply.market_candlesticks or [], strict=True)
            for ticker, candles in markets:
                fresh = [one for one in candles or [] if one.end_period_ts > last_s.get(ticker, from_s - 1)]
                if fresh:
                    last_s[ticker] = max(one.end_period_ts for one in fresh)
                    yield _of_market(ticker, fresh)
            if not 0 < reply.adjusted_end_ts < to_s:
                return
            if reply.adjusted_end_ts <= from_s:
                raise CursorLoop(
                    f"GET {path}: adjusted_end_ts {reply.adjusted_end_ts} is not after start_ts {from_s}; "
                    "ask market by market (candles)",
                    path=path,
                    n_pages=n_pages,
                )
            from_s = reply.adjusted_end_ts
        raise TooManyPages(
            f"GET {path}: more than {self._max_pages} pages; ask for a smaller window, or raise max_pages",
            path=path,
            n_pages=self._max_pages,
        )


def _of_market(ticker: str, candles: list[Candle]) -> list[Candle]:
    return [msgspec.structs.replace(candle, ticker=ticker) for candle in candles]


def _chunks(tickers: Sequence[str]) -> list[Sequence[str]]:
    joined("tickers", tickers, at_most=None)
    return [tickers[start : start + _MAX_TICKERS] for start in range(0, len(tickers), _MAX_TICKERS)]
