"""After an answer was lost: is the order there?

Read models lag behind the engine, so not to find an order proves nothing by itself. It is proof once the
exchange says that what it shows is newer than the moment we gave up; until then the answer is: unknown.
Source: KALSHI.md §4 (OpenAPI 3.28.0: `as_of_time` of GET /exchange/user_data_timestamp).
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from exchange.units import parse_ts
from pipelines.client.errors import KalshiError

if TYPE_CHECKING:
    from pipelines.client.client import Client
    from pipelines.client.wire import Order

_MAX_PAGES: Final = 20
_GRACE: Final = timedelta(seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to look for an order: pauses in seconds before each look, and how to pause."""

    pauses_s: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(frozen=True, slots=True)
class Search:
    """What was found, by our names, and whether what is missing is surely not there."""

    orders: dict[str, "Order"]
    is_certain: bool


async def search(
    client: "Client", ticker: str, wanted: Collection[str], *, gave_up_ms: int, patience: Patience
) -> Search:
    """Look for orders by their `client_order_id` until all are found, the absence is proved or patience ends.

    Args:
        client: whose account.
        ticker: of their market.
        wanted: their names.
        gave_up_ms: the exchange's clock when the answer was given up, Unix milliseconds.
        patience: how often to look.

    Raises:
        KalshiError: the exchange could not be asked at all.
    """
    missing = set(wanted)
    orders: dict[str, Order] = {}
    certain_ts = datetime.fromtimestamp(gave_up_ms / 1_000, UTC) + _GRACE
    trouble: KalshiError | None = None
    is_asked = False
    for pause_s in patience.pauses_s:
        await patience.sleep(pause_s)
        try:
            shown_ts = parse_ts((await client.user_data_timestamp()).as_of_time)
            seen, is_whole = await _look(client, ticker, missing)
        except KalshiError as error:
            trouble = error
            continue
        is_asked = True
        orders |= seen
        missing -= orders.keys()
        if not missing or (is_whole and shown_ts >= certain_ts):
            return Search(orders, is_certain=True)
    if trouble is not None and not is_asked:
        raise trouble
    return Search(orders, is_certain=False)


async def _look(client: "Client", ticker: str, wanted: Collection[str]) -> tuple[dict[str, "Order"], bool]:
    """Walk the market's orders until all wanted are seen; returns them, and whether all pages were looked at.

    There is no time filter: clocks differ, and order ids do not tell when they were made.
    """
    found: dict[str, Order] = {}
    n_pages = 0
    pages = client.orders(ticker=ticker)
    try:
        async for page in pages:
            found |= {each.client_order_id: each for each in page if each.client_order_id in wanted}
            n_pages += 1
            if len(found) == len(wanted) or n_pages == _MAX_PAGES:
                return found, False
    finally:
        await pages.aclose()
    return found, True
