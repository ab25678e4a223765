"""Two vocabularies: the words a market's status takes, and the words that filter by it.

Source: KALSHI.md §9 (page market_lifecycle, 2026-06-01).
"""

from typing import Final

from exchange.markets import Market

STATUSES_OF: Final[dict[str, frozenset[str]]] = {
    "unopened": frozenset({"initialized"}),
    "open": frozenset({"active"}),
    "paused": frozenset({"inactive"}),
    "closed": frozenset({"closed", "determined", "disputed", "amended"}),
    "settled": frozenset({"finalized"}),
}
FILTER_WORDS: Final = {
    "markets": ("unopened", "open", "paused", "closed", "settled"),
    "events": ("unopened", "open", "closed", "settled"),
}


def is_in_status(market: Market, word: str) -> bool:
    """Tell whether a market matches a filter word."""
    return market.status in STATUSES_OF[word]
