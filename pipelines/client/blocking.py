"""The client for people without an event loop: notebooks, scripts, the interactive prompt.

It runs one `Client` on a private loop in a private thread, so it also works inside a notebook, whose own
loop is busy. Every method of `Client` is here under its name: what is awaited there returns here, and what
is iterated with `async for` there is iterated with `for` here.
"""

import asyncio
import functools
import inspect
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from types import TracebackType
from typing import Any, Final, Self

from pipelines.client.client import Client
from pipelines.client.settings import Settings

_PARTS: Final = frozenset({"trading"})


class BlockingClient:
    """A synchronous face of `Client`; a context manager.

    ```python
    with BlockingClient() as client:
        market = client.market("KXHIGHNY-26JUL19-T80")
        for page in client.trades(market.ticker):
            ...
    ```

    Args:
        settings: where and who; None reads the environment.
        options: the other arguments of `Client`.

    Raises:
        SettingsError: settings or key cannot be used.
    """

    def __init__(self, settings: Settings | None = None, **options: Any) -> None:  # noqa: ANN401  Client's own
        self._client = Client(settings, **options)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tapehouse-client", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Blocking{vars(self).get('_client', 'Client()')!r}"

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(name for name in dir(Client) if not name.startswith("_"))})

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever Client has under that name
        if name.startswith("_"):
            raise AttributeError(name)
        found = getattr(self._client, name)
        if name in _PARTS:
            return _BlockingPart(found, self._blocking)
        return self._blocking(found) if inspect.ismethod(found) else found

    def close(self) -> None:
        """Close the connections and end the thread; calling it twice does no harm."""
        if self._loop.is_closed():
            return
        self._wait(self._client.close())
        self._wait(self._loop.shutdown_asyncgens())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _blocking(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def call(*args: Any, **options: Any) -> Any:  # noqa: ANN401  Client's own arguments
            started = method(*args, **options)
            return self._wait(started) if inspect.iscoroutine(started) else self._each(started)

        return call

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401  whatever is awaited
        if self._loop.is_closed():
            work.close()
            raise RuntimeError("this client is closed; make a new one")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            # An interrupt in the notebook must not leave the request running behind its back.
            future.cancel()
            raise

    def _each(self, pages: AsyncGenerator[list[Any], None]) -> Iterator[list[Any]]:
        try:
            while True:
                page = self._wait(_next(pages))
                if page is None:
                    return
                yield page
        finally:
            if not self._loop.is_closed():
                self._wait(_end(pages))


class _BlockingPart:
    """A part of the client with methods of its own: here they return instead of being awaited."""

    def __init__(self, part: object, blocking: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        self._part = part
        self._blocking = blocking

    def __repr__(self) -> str:
        return f"Blocking{type(self._part).__name__}()"

    def __dir__(self) -> list[str]:
        return [name for name in dir(self._part) if not name.startswith("_")]

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  whatever the part has under that name
        if name.startswith("_"):
            raise AttributeError(name)
        return self._blocking(getattr(self._part, name))


async def _next(pages: AsyncGenerator[list[Any], None]) -> list[Any] | None:
    return await anext(pages, None)


async def _end(pages: AsyncGenerator[list[Any], None]) -> None:
    await pages.aclose()
