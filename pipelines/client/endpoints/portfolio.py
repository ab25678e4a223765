"""What our account holds and did: money, positions, fills, settlements. All of it is signed.

The live tier has what is recent (fills by execution time, positions until their event is archived), the
historical tier the rest; read live first, then historical, and drop what came twice. Read models lag behind
the engine: `user_data_timestamp` says how far they are. KALSHI_SUBACCOUNT is for orders that are sent: reads
without `subaccount` follow Kalshi's defaults, which differ.
"""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Final

from pipelines.client.asking import (
    Query,
    in_order,
    joined,
    limit,
    one_of,
    query,
    seconds,
    seconds_up,
    single,
    words,
)
from pipelines.client.endpoints.group import Group
from pipelines.client.errors import RequestError
from pipelines.client.paging import walk
from pipelines.client.wire import (
    Balance,
    Fill,
    FillsPage,
    PositionsPage,
    RestingValue,
    Settlement,
    SettlementsPage,
)

MAX_ROWS: Final = 1_000
MAX_FILL_TICKERS: Final = 100
MAX_SUBACCOUNT: Final = 63

_SETTLEMENT_STATUSES: Final = frozenset({"unsettled", "settled", "all"})
_COUNT_FILTERS: Final = frozenset({"position", "total_traded"})


class PortfolioEndpoints(Group):
    """Money, positions, fills and settlements of our account."""

    async def balance(self, *, subaccount: int | None = None, exchange_index: int | None = None) -> Balance:
        """Return what may be spent and what the portfolio is worth.

        `GET /portfolio/balance`, signed. Cents are rounded down; `balance_micros` is exact. Over all shards
        unless `exchange_index` names one.

        Args:
            subaccount: 0 (the primary one, Kalshi's default) to 63.
            exchange_index: only this shard.

        Raises:
            SettingsError: no key is set; nothing was sent.
            RequestError, Unauthorized, Forbidden, Unreachable, HttpError, WireError: see `errors`.

        Source: KALSHI.md §6 (OpenAPI 3.28.0, changelog 2026-05-28, 2026-08-20).
        """
        params = query(subaccount=checked_subaccount(subaccount), exchange_index=exchange_index)
        self._needs_key("/portfolio/balance")
        return await self._session.get("/portfolio/balance", Balance, params=params)

    def positions(
        self,
        *,
        ticker: str | None = None,
        event_ticker: str | None = None,
        settlement_status: str | None = None,
        count_filter: Sequence[str] | None = None,
        subaccount: int | None = None,
        exchange_index: int | None = None,
        page_size: int = MAX_ROWS,
    ) -> AsyncGenerator[PositionsPage, None]:
        """Yield pages of positions, by market and, for the same markets, summed by event.

        `GET /portfolio/positions`, signed, 1 to 1,000 markets a page, by cursor; a cursor is bound to
        `settlement_status`. `position_fp` is negative for NO. For a full history read this with "all", then
        `historical_positions`, and keep one row per subaccount and ticker.

        Args:
            ticker: of one market.
            event_ticker: of one event.
            settlement_status: unsettled (Kalshi's default), settled or all.
            count_filter: only where these are not zero: position, total_traded.
            subaccount: 0 (the primary one, Kalshi's default here, unlike for fills) to 63.
            exchange_index: only this shard.
            page_size: markets a page.

        Raises:
            SettingsError, RequestError: before anything is sent.
            CursorLoop, TooManyPages, Unauthorized, Unreachable, HttpError, WireError: see `errors`.

        Source: KALSHI.md §6 (OpenAPI 3.34.0; changelog 2026-10-01).
        """
        params = query(
            ticker=single("ticker", ticker),
            event_ticker=single("event_ticker", event_ticker),
            settlement_status=one_of("settlement_status", settlement_status, _SETTLEMENT_STATUSES),
            count_filter=_counted(count_filter),
            subaccount=checked_subaccount(subaccount),
            exchange_index=exchange_index,
            limit=limit(page_size, at_most=MAX_ROWS),
        )
        return self._positions("/portfolio/positions", params)

    def historical_positions(
        self,
        *,
        ticker: str | None = None,
        event_ticker: str | None = None,
        subaccount: int | None = None,
        page_size: int = MAX_ROWS,
    ) -> AsyncGenerator[PositionsPage, None]:
        """Yield pages of positions whose whole event is archived.

        `GET /historical/positions`, signed, 1 to 1,000 markets a page, by cursor. Arguments and errors as in
        `positions`.

        Source: KALSHI.md §5.7 (OpenAPI 3.28.0; changelog 2026-07-23, 2026-09-03).
        """
        params = query(
            ticker=single("ticker", ticker),
            event_ticker=single("event_ticker", event_ticker),
            subaccount=checked_subaccount(subaccount),
            limit=limit(page_size, at_most=MAX_ROWS),
        )
        return self._positions("/historical/positions", params)

    def fills(
        self,
        *,
        tickers: Sequence[str] | None = None,
        order_id: str | None = None,
        min_ts: datetime | None = None,
        max_ts: datetime | None = None,
        subaccount: int | None = None,
        exchange_index: int | None = None,
        page_size: int = MAX_ROWS,
    ) -> AsyncGenerator[list[Fill], None]:
        """Yield pages of executions since the cutoff, newest first as far as seen.

        `GET /portfolio/fills`, signed, 1 to 1,000 a page, by cursor. Older ones: `historical_fills`.

        Args:
            tickers: of these markets, at most 100 (since 2026-10-08).
            order_id: of one order.
            min_ts: executed after; whole seconds, rounded down. Whether the second is included is not
                documented: ask from a second earlier and drop what came twice.
            max_ts: executed before; whole seconds, rounded up; the same is not documented.
            subaccount: 0 to 63; None is all of them (Kalshi's default here, unlike for positions).
            exchange_index: only this shard.
            page_size: fills a page.

        Raises:
            SettingsError, RequestError, NaiveTime: before anything is sent.
            CursorLoop, TooManyPages, Unauthorized, Unreachable, HttpError, WireError: see `errors`.

        Source: KALSHI.md §6 (OpenAPI 3.28.0; changelog 2026-03-30, 2026-10-08).
        """
        params = query(
            ticker=joined("tickers", tickers, at_most=MAX_FILL_TICKERS),
            order_id=words("order_id", order_id),
            exchange_index=exchange_index,
        ) | dated(min_ts, max_ts, subaccount, page_size)
        self._needs_key("/portfolio/fills")
        return self._pages("/portfolio/fills", FillsPage, "fills", params, Fill)

    def historical_fills(
        self,
        *,
        ticker: str | None = None,
        min_ts: datetime | None = None,
        max_ts: datetime | None = None,
        subaccount: int | None = None,
        page_size: int = MAX_ROWS,
    ) -> AsyncGenerator[list[Fill], None]:
        """Yield pages of executions before the cutoff.

        `GET /historical/fills`, signed, 1 to 1,000 a page, by cursor. One ticker only; arguments and errors
        else as in `fills`.

        Source: KALSHI.md §5.7 (changelog 2026-09-17, 2026-09-24).
        """
        params = query(ticker=single("ticker", ticker)) | dated(min_ts, max_ts, subaccount, page_size)
        self._needs_key("/historical/fills")
        return self._pages("/historical/fills", FillsPage, "fills", params, Fill)

    def settlements(
        self,
        *,
        ticker: str | None = None,
        event_ticker: str | None = None,
        min_ts: datetime | None = None,
        max_ts: datetime | None = None,
        subaccount: int | None = None,
        page_size: int = MAX_ROWS,
    ) -> AsyncGenerator[list[Settlement], None]:
        """Yield pages of payouts of positions that were held to the end; there is no archive of them.

        `GET /portfolio/settlements`, signed, 1 to 1,000 a page, by cursor. `revenue` and `value` are whole
        cents, `fee_cost` is the sum of the fees of the fills.

        Args:
            ticker: of one market.
            event_ticker: of one event.
            min_ts: settled after; whole seconds, rounded down; inclusion is not documented.
            max_ts: settled before; whole seconds, rounded up; inclusion is not documented.
            subaccount: 0 to 63; None is all of them.
            page_size: settlements a page.

        Raises:
            SettingsError, RequestError, NaiveTime: before anything is sent.
            CursorLoop, TooManyPages, Unauthorized, Unreachable, HttpError, WireError: see `errors`.

        Source: KALSHI.md §6 (OpenAPI 3.28.0, historical data page of 2026-09-30).
        """
        params = query(
            ticker=single("ticker", ticker), event_ticker=single("event_ticker", event_ticker)
        ) | dated(min_ts, max_ts, subaccount, page_size)
        self._needs_key("/portfolio/settlements")
        return self._pages("/portfolio/settlements", SettlementsPage, "settlements", params, Settlement)

    async def total_resting_order_value(self) -> RestingValue:
        """Return what all resting orders together may cost, in cents.

        `GET /portfolio/summary/total_resting_order_value`, signed.

        Raises:
            SettingsError: no key is set; nothing was sent.
            Unauthorized, Unreachable, HttpError, WireError: see `errors`.

        Source: KALSHI.md §6 (OpenAPI 3.28.0).
        """
        path = "/portfolio/summary/total_resting_order_value"
        self._needs_key(path)
        return await self._session.get(path, RestingValue)

    def _positions(self, path: str, params: Query) -> AsyncGenerator[PositionsPage, None]:
        self._needs_key(path)

        async def fetch(cursor: str | None) -> tuple[PositionsPage | None, str | None]:
            sent = params if cursor is None else {**params, "cursor": cursor}
            page = await self._session.get(path, PositionsPage, params=sent)
            return page if page.market_positions or page.event_positions else None, page.cursor

        return walk(fetch, path=path, max_pages=self._max_pages)


def dated(min_ts: datetime | None, max_ts: datetime | None, subaccount: int | None, page_size: int) -> Query:
    """Return the parameters that most listings of an account share.

    Raises:
        RequestError, NaiveTime: they cannot be asked.
    """
    in_order("min_ts", min_ts, "max_ts", max_ts)
    return query(
        min_ts=seconds("min_ts", min_ts),
        max_ts=seconds_up("max_ts", max_ts),
        subaccount=checked_subaccount(subaccount),
        limit=limit(page_size, at_most=MAX_ROWS),
    )


def checked_subaccount(number: int | None) -> int | None:
    """Return the number of a subaccount.

    Raises:
        RequestError: there can be none of that number.
    """
    if number is not None and not 0 <= number <= MAX_SUBACCOUNT:
        raise RequestError(f"subaccount is {number}: write 0 (the primary one) to {MAX_SUBACCOUNT}")
    return number


def _counted(names: Sequence[str] | None) -> str | None:
    if names is None:
        return None
    if isinstance(names, str) or not names or set(names) - _COUNT_FILTERS:
        raise RequestError(f"count_filter is {names!r}: give a list of {', '.join(sorted(_COUNT_FILTERS))}")
    return ",".join(names)
