"""What every group of endpoints stands on: a session and bounded paging."""

from collections.abc import AsyncGenerator
from typing import Any, TypeVar

import msgspec

from pipelines.client.asking import Query
from pipelines.client.errors import SettingsError
from pipelines.client.paging import walk
from pipelines.client.session import Session

T = TypeVar("T")


class Group:
    """A group of endpoints over one session."""

    _session: Session
    _max_pages: int

    def _pages(
        self,
        path: str,
        shape: type[msgspec.Struct],
        items: str,
        params: Query,
        of: type[T],  # noqa: ARG002  tells the type checker what the pages hold
    ) -> AsyncGenerator[list[T], None]:
        """Walk the cursors of `path`; `items` is the field of `shape` that holds the rows.

        `shape.cursor` holds the next cursor, whatever the payload calls it.
        """

        async def fetch(cursor: str | None) -> tuple[list[T] | None, str | None]:
            sent = params if cursor is None else {**params, "cursor": cursor}
            page: Any = await self._session.get(path, shape, params=sent)
            return getattr(page, items), page.cursor

        return walk(fetch, path=path, max_pages=self._max_pages)

    def _needs_key(self, path: str) -> None:
        """Check that requests are signed.

        Raises:
            SettingsError: they are not; nothing was sent.
        """
        if self._session.signer is None:
            raise SettingsError(f"{path} needs a key: set KALSHI_KEY_ID and KALSHI_PRIVATE_KEY_PATH")
