"""Which endpoint a path belongs to: tickers and ids replaced, so that counts stay few."""

import re
from typing import Final

# The API has lower-case words; tickers are upper case, ids have digits [KALSHI.md §5, §6, 2026-10-09].
_WORD: Final = re.compile(r"[a-z_]*")


def endpoint_of(path: str) -> str:
    """Return a path with `{id}` for everything that is not a word: `/markets/{id}/orderbook`."""
    parts = path.partition("?")[0].split("/")
    return "/".join(part if _WORD.fullmatch(part) else "{id}" for part in parts)
