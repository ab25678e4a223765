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

from exchange.units import to_us
from pipelines.client.errors import KalshiError

if TYPE_CHECKING:
    from pipelines.client.client import Client
    from pipelines.client.wire import Order

_MAX_PAGES: Final = 20
_A_DAY: Final = timedelta(days=1)
_AN_HOUR_MS: Final = 3_600_000
# The `Date` header tells our error to half a second, and the way here adds to it.
_CLOCK_ERROR: Final = timedelta(seconds=5)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# A request that we gave up may still be on its way; whatever is older than its signature is refused.
# How old that may be is not documented; several teams assume 2 to 5 seconds (KALSHI.md §2).
GRACE_MS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to look for an order: pauses in seconds before each look, and how to pause."""

    pauses_s: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(frozen=True, slots=True)
class Lost:
    """A request without an answer: when it went out and was given up, Unix milliseconds of our own clock.

    Not the exchange's: how far ours is off may be learned only from the answers that follow.
    """

    sent_ms: int
    gave_up_ms: int


@dataclass(frozen=True, slots=True)
class Search:
    """What was found, by our names, and whether what is missing is surely not there."""

    orders: dict[str, "Order"]
    is_certain: bool


async def search(
    client: "Client", ticker: str, wanted: Collection[str], *, lost: Lost, patience: Patience
) -> Search:
    """Look for orders by their `client_order_id` until all are found, the absence is proved or patience ends.

    A look that fails counts as one that saw nothing. A name may have belonged to an order that is over (it
    must not match any open one), so orders that are older than the request are not taken for its.

    Args:
        client: whose account.
        ticker: of their market.
        wanted: their names.
        lost: the request that placed them, perhaps.
        patience: how often to look.

    Source: order entry page of the FIX documents (read 2026-11-25) for names.
    """
    missing = set(wanted)
    orders: dict[str, Order] = {}
    for pause_s in patience.pauses_s:
        await patience.sleep(pause_s)
        try:
            reached_ms = await shown_ms(client)
            is_current = reached_ms >= lost.gave_up_ms + GRACE_MS
            # Records that are far from our time are of a world with a time of its own, such as a sandbox.
            is_our_time = abs(reached_ms - lost.gave_up_ms) < _AN_HOUR_MS
            since_ts = _exchange_ts(client, lost.sent_ms) if is_our_time else None
            pages = client.orders(ticker=ticker, min_ts=None if since_ts is None else since_ts - _A_DAY)
            seen, is_whole = await _look(pages, missing, since_ts=since_ts)
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


async def shown_ms(client: "Client") -> int:
    """Return up to when what the exchange shows from now on is complete, Unix milliseconds of our own clock.

    0, which is no proof of anything, where the exchange's time cannot be read or not be compared with ours.

    Raises:
        KalshiError: the exchange could not be asked.
    """
    shown_ts = moment((await client.user_data_timestamp()).as_of_time)
    skew_ms = client.clock_skew_ms
    return 0 if shown_ts is None or skew_ms is None else to_us(shown_ts) // 1_000 - skew_ms


def moment(text: str | None) -> datetime | None:
    """Return a time of the exchange, None where it says none that can be read.

    Not `parse_ts`: nothing is lost here where a time is finer than a microsecond.
    """
    try:
        at_ts = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return None if at_ts.tzinfo is None else at_ts


def _exchange_ts(client: "Client", own_ms: int) -> datetime | None:
    """Return a moment of our clock by the exchange's; None before any answer told how far they are apart."""
    skew_ms = client.clock_skew_ms
    return None if skew_ms is None else _EPOCH + timedelta(milliseconds=own_ms + skew_ms)


async def _look(
    pages: AsyncGenerator[list["Order"], None], wanted: Collection[str], *, since_ts: datetime | None = None
) -> tuple[dict[str, "Order"], bool]:
    """Walk a market's orders until all wanted are seen; returns them, and whether all pages were looked at.

    Of several orders of one name the newest counts, which comes first.
    """
    found: dict[str, Order] = {}
    n_pages = 0
    try:
        async for page in pages:
            for each in page:
                if each.client_order_id in wanted and not _is_older(each, since_ts):
                    found.setdefault(each.client_order_id, each)
            n_pages += 1
            if len(found) == len(wanted) or n_pages == _MAX_PAGES:
                return found, False
    finally:
        await pages.aclose()
    return found, True


def _is_older(order: "Order", since_ts: datetime | None) -> bool:
    """Whether an order surely was there before; one that does not say when it was made may be ours."""
    created_ts = moment(order.created_time)
    return since_ts is not None and created_ts is not None and created_ts < since_ts - _CLOCK_ERROR
