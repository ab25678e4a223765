"""Walking cursors with two guards: a cursor never comes twice, and pages do not go on for ever.

Source: KALSHI.md §4 (pagination page, 2026-05-05): a cursor is opaque; missing, null and "" all mean the end.
An empty page with a cursor is not the end.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final, TypeVar

from pipelines.client.errors import CursorLoop, TooManyPages

P = TypeVar("P")

MAX_PAGES: Final = 100_000


async def walk(
    fetch: Callable[[str | None], Awaitable[tuple[P | None, str | None]]], *, path: str, max_pages: int
) -> AsyncGenerator[P, None]:
    """Yield page after page; empty pages are passed over.

    Args:
        fetch: takes a cursor (None at first), returns the page (nothing, if it is empty) and the next cursor.
        path: for error messages.
        max_pages: pages that may be fetched.

    Raises:
        CursorLoop: a cursor came for the second time; what was yielded before is good.
        TooManyPages: there are more than `max_pages`.
    """
    seen: set[str] = set()
    cursor: str | None = None
    for n_pages in range(1, max_pages + 1):
        page, cursor = await fetch(cursor)
        if page:
            yield page
        if not cursor:
            return
        if cursor in seen:
            raise CursorLoop(
                f"GET {path}: page {n_pages} ends with a cursor that came before ({cursor[:40]}); "
                "ask for a smaller window, and report it to Kalshi if it stays",
                path=path,
                n_pages=n_pages,
            )
        seen.add(cursor)
    raise TooManyPages(
        f"GET {path}: more than {max_pages} pages; ask for a smaller window, or raise max_pages",
        path=path,
        n_pages=max_pages,
    )
