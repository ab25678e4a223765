"""Opaque cursors and pages, newest first.

A cursor holds a rank counted from the oldest row, so rows that arrive later shift nothing, and a fingerprint
of route and filters, so it cannot be used with others.
Source: KALSHI.md §4 (page pagination, 2026-05-05).
"""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Final, TypeVar

from sandbox.queries import Query
from sandbox.replies import Refused, invalid
from sandbox.rows import Merged, Rows

Row = TypeVar("Row")
RANK_BYTES: Final = 8
MARK_BYTES: Final = 10


class Cursor:
    """Where a listing stands, for one route and one set of filters."""

    def __init__(self, route: str, query: Query) -> None:
        self._mark = hashlib.sha256(f"{route}{query.fingerprint()}".encode()).digest()[:MARK_BYTES]
        self._given = query.text("cursor")

    def rank(self, *, end: int) -> int:
        """Return the rank where the next page ends; `end` for a first page.

        Raises:
            Refused: the cursor is not ours, or belongs to other filters.
        """
        if self._given is None:
            return end
        try:
            raw = urlsafe_b64decode(self._given + "=" * (-len(self._given) % 4))
        except ValueError as error:
            raise _bad_cursor() from error
        if len(raw) != MARK_BYTES + RANK_BYTES or raw[:MARK_BYTES] != self._mark:
            raise _bad_cursor()
        return min(int.from_bytes(raw[MARK_BYTES:], "big"), end)

    def text(self, rank: int | None) -> str:
        """Return the cursor of the next page; an empty text when there is none."""
        if rank is None:
            return ""
        raw = self._mark + rank.to_bytes(RANK_BYTES, "big")
        return urlsafe_b64encode(raw).decode().rstrip("=")


def page(
    rows: Rows[Row],
    *,
    end: int,
    limit: int,
    keep: Callable[[Row], bool],
    is_worth: Callable[[Row], bool] | None = None,
) -> tuple[list[Row], int | None]:
    """Return up to `limit` rows below rank `end`, newest first, and the rank to go on from.

    Walking all pages looks at every row once; `is_worth` may rule out groups of rows by one of them.
    """
    found: list[Row] = []
    jump = rows.jumper(is_worth) if is_worth is not None and isinstance(rows, Merged) else None
    rank = end
    while rank > 0:
        rank -= 1
        if jump is not None:
            rank = jump(rank)
            if rank < 0:
                break
        row = rows[rank]
        if not keep(row):
            continue
        if len(found) == limit:
            return found, rank + 1
        found.append(row)
    return found, None


def _bad_cursor() -> Refused:
    return invalid("invalid cursor")
