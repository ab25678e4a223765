"""One round of questions: the books of many markets, a hundred a request where the exchange lets us."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from exchange.errors import TapehouseError
from pipelines.client import (
    Client,
    Forbidden,
    HttpError,
    RateLimited,
    ServerFault,
    Unauthorized,
    WireError,
)
from pipelines.client.endpoints.tape import MAX_BOOKS
from pipelines.client.wire import OrderBook

_LOG: Final = logging.getLogger(__name__)


@dataclass(slots=True)
class Round:
    """What came of one round so far; a market that is in neither has not been heard of yet."""

    books: list[OrderBook] = field(default_factory=list)
    missed: dict[str, TapehouseError | None] = field(default_factory=dict)
    """Why a market's book was not had; None: the answer left it out."""


class Asker:
    """Asks for books by the endpoint of many, or one by one where an exchange does not have it for us.

    An answer that cannot be read, or a refusal, is narrowed down to the market it is about, so that one
    market does not cost a hundred their poll. What the client retried in vain is asked again in the next
    round, not in this one.
    """

    def __init__(self, client: Client) -> None:
        self.has_batch = True
        self._client = client
        self._was_answered = False

    async def ask(self, tickers: Sequence[str], into: Round) -> None:
        """Ask for one book of each; `into` also has what came if this is cancelled."""
        size = MAX_BOOKS if self.has_batch else 1
        parts = [tickers[start : start + size] for start in range(0, len(tickers), size)]
        tasks = [asyncio.create_task(self._ask(part, into)) for part in parts]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, tickers: Sequence[str], into: Round) -> None:
        if len(tickers) == 1:
            await self._ask_one(tickers[0], into)
            return
        if not self.has_batch:
            await self.ask(tickers, into)
            return
        try:
            books = await self._client.order_books(tickers)
        except (RateLimited, ServerFault) as error:
            into.missed |= dict.fromkeys(tickers, error)
        except (HttpError, WireError) as error:
            await self._narrow(tickers, error, into)
        except TapehouseError as error:  # out of reach, or no leave to ask: a budget may be leased
            into.missed |= dict.fromkeys(tickers, error)
        else:
            self._was_answered = True
            told = {book.ticker: book for book in books}
            into.books += [told[ticker] for ticker in tickers if ticker in told]
            into.missed |= dict.fromkeys(ticker for ticker in tickers if ticker not in told)

    async def _narrow(self, tickers: Sequence[str], error: HttpError | WireError, into: Round) -> None:
        if isinstance(error, HttpError) and not self._was_answered:
            if self.has_batch:
                _LOG.warning("books are asked for one by one, not %d a request: %s", MAX_BOOKS, error)
            self.has_batch = False
            await self.ask(tickers, into)
        elif isinstance(error, Unauthorized | Forbidden):
            into.missed |= dict.fromkeys(tickers, error)
        else:
            middle = len(tickers) // 2
            await self._ask(tickers[:middle], into)
            await self._ask(tickers[middle:], into)

    async def _ask_one(self, ticker: str, into: Round) -> None:
        try:
            into.books.append(await self._client.order_book(ticker))
        except TapehouseError as error:
            into.missed[ticker] = error
