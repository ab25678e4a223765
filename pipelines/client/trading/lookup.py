"""After an answer was lost: is the order there?

Read models lag behind the engine, so not to find an order proves nothing by itself. It is proof once the
exchange says that what it shows is newer than the moment we gave up; until then the answer is: unknown.
Source: KALSHI.md §4 (OpenAPI 3.28.0: `as_of_time` of GET /exchange/user_data_timestamp).
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from pipelines.client.errors import KalshiError

if TYPE_CHECKING:
    from pipelines.client.client import Client
    from pipelines.client.wire import Order

_MAX_PAGES: Final = 20
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# A request that we gave up may still be on its way; whatever is older than its signature is refused.
# How old that may be is not documented; several teams assume 2 to 5 seconds (KALSHI.md §2).
_GRACE: Final = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to look for an order: pauses in seconds before each look, and how to pause."""

    pauses_s: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
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

    A look that fails counts as one that saw nothing.

    Args:
        client: whose account.
        ticker: of their market.
        wanted: their names.
        gave_up_ms: the exchange's clock when the answer was given up, Unix milliseconds.
        patience: how often to look.
    """
    missing = set(wanted)
    orders: dict[str, Order] = {}
    for pause_s in patience.pauses_s:
        await patience.sleep(pause_s)
        try:
            is_current = await shows_all_since(client, gave_up_ms)
            seen, is_whole = await _look(client.orders(ticker=ticker), missing)
        except KalshiError:
            continue
        orders |= seen
        missing -= orders.keys()
        if not missing or (is_whole and is_current):
            return Search(orders, is_certain=True)
    return Search(orders, is_certain=False)


async def anywhere(client: "Client", ticker: str, name: str) -> "Order | None":
    """Return the order of a name that the exchange says it has: of either tier, None if neither shows it.

    Raises:
        KalshiError: the exchange could not be asked.
    """
    for pages in (client.orders(ticker=ticker), client.historical_orders(ticker=ticker)):
        seen, _ = await _look(pages, {name})
        if seen:
            return seen[name]
    return None


async def shows_all_since(client: "Client", gave_up_ms: int) -> bool:
    """Whether what the exchange shows from now on holds everything that can have come of a lost request.

    Raises:
        KalshiError: the exchange could not be asked.
    """
    text = (await client.user_data_timestamp()).as_of_time
    try:
        # Not `parse_ts`: nothing is lost where this time is finer than a microsecond.
        shown_ts = datetime.fromisoformat(text)
    except ValueError:
        return False
    return shown_ts.tzinfo is not None and shown_ts >= _EPOCH + timedelta(milliseconds=gave_up_ms) + _GRACE


async def _look(
    pages: AsyncGenerator[list["Order"], None], wanted: Collection[str]
) -> tuple[dict[str, "Order"], bool]:
    """Walk a market's orders until all wanted are seen; returns them, and whether all pages were looked at.

    There is no time filter: clocks differ, and order ids do not tell when they were made.
    """
    found: dict[str, Order] = {}
    n_pages = 0
    try:
        async for page in pages:
            found |= {each.client_order_id: each for each in page if each.client_order_id in wanted}
            n_pages += 1
            if len(found) == len(wanted) or n_pages == _MAX_PAGES:
                return found, False
    finally:
        await pages.aclose()
    return found, True
