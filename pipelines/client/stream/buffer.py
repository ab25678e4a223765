"""The items between the connection and its consumer: a bounded line with an end."""

import asyncio
from collections import deque
from collections.abc import Callable

from pipelines.client.stream.items import Item


class Buffer:
    """Items in order, at most `n_max` of them; who puts waits for room, who takes waits for items.

    While a command waits for its reply, twice as many may be held: the reply stands behind them, and the
    consumer may be the one who waits for it.

    Args:
        n_max: how many items are held.
        on_full: called whenever the line becomes full and reading must pause.
    """

    def __init__(self, n_max: int, on_full: Callable[[], None]) -> None:
        self._n_max = n_max
        self._on_full = on_full
        self._items: deque[Item] = deque()
        self._came = asyncio.Event()
        self._room = asyncio.Event()
        self._n_hurried = 0
        self._is_over = False
        self._error: BaseException | None = None

    def __len__(self) -> int:
        return len(self._items)

    @property
    def is_full(self) -> bool:
        """Whether whoever puts must wait."""
        return len(self._items) >= self._n_max * (2 if self._n_hurried else 1)

    def hurry(self) -> None:
        """Make room for what a waiting command needs; `calm` ends it."""
        self._n_hurried += 1
        self._room.set()

    def calm(self) -> None:
        """One waiting command less."""
        self._n_hurried -= 1

    async def put(self, item: Item) -> None:
        """Append an item, as soon as there is room."""
        if self.is_full:
            self._on_full()
            while self.is_full:
                self._room.clear()
                await self._room.wait()
        self._items.append(item)
        self._came.set()

    async def take(self) -> Item:
        """Return the next item.

        Raises:
            StopAsyncIteration: it is over, and everything was taken.
            BaseException: what it ended with, the first time; after that it is just over.
        """
        while not self._items:
            if self._is_over:
                error, self._error = self._error, None
                raise error or StopAsyncIteration
            self._came.clear()
            await self._came.wait()
        item = self._items.popleft()
        if not self.is_full:
            self._room.set()
        return item

    def end(self, error: BaseException | None = None) -> None:
        """Let nothing follow but, after the last item, `error`."""
        if not self._is_over:
            self._is_over, self._error = True, error
        self._came.set()
