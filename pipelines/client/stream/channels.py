"""The channels: what each is asked with, what it sends, and what an update of it is called.

Source: KALSHI.md §10.2, §10.3 (asyncapi.yaml of 2026-08-22 and Sept 2026). KALSHI.md calls the trade channel
possibly numbered and the index feeds unknown: asyncapi.yaml of Sept 2026 numbers both. Nothing here relies on
it; whatever has a number is checked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from pipelines.client import wire

BOOKS: Final = "orderbook_delta"
ALL: Final = "all"
"""The name that stands for every index, or every underlying."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One channel.

    Attributes:
        types: the types of its messages and their structs.
        named_by: the parameter that lists what is wanted; empty for channels that cannot be narrowed.
        needs_names: without names the exchange refuses.
        all_by_default: without names everything comes; else nothing does.
        options: further parameters of `subscribe`.
        add, remove, offer: actions of `update_subscription`.
    """

    types: Mapping[str, type[msgspec.Struct]]
    named_by: str = ""
    needs_names: bool = False
    all_by_default: bool = True
    options: frozenset[str] = field(default_factory=frozenset)
    add: str = "add_markets"
    remove: str = "delete_markets"
    offer: str = ""


def _of_markets(
    types: Mapping[str, type[msgspec.Struct]], *options: str, needs_names: bool = False
) -> Channel:
    return Channel(
        types=types,
        named_by="market_tickers",
        needs_names=needs_names,
        options=frozenset({"skip_ticker_ack", *options}),
    )


def _of_indices(types: Mapping[str, type[msgspec.Struct]]) -> Channel:
    return Channel(
        types=types,
        named_by="index_ids",
        all_by_default=False,
        add="subscribe_indices",
        remove="unsubscribe_indices",
        offer="indexlist",
    )


CHANNELS: Final[dict[str, Channel]] = {
    BOOKS: _of_markets(
        {"orderbook_snapshot": wire.BookSnapshot, "orderbook_delta": wire.BookDelta},
        "use_yes_price",
        needs_names=True,
    ),
    "ticker": _of_markets({"ticker": wire.TickerUpdate}, "send_initial_snapshot"),
    "trade": _of_markets({"trade": wire.TradePrint}),
    "market_lifecycle_v2": Channel(
        types={
            "market_lifecycle_v2": wire.MarketLifecycle,
            "event_lifecycle": wire.EventLifecycle,
            "event_fee_update": wire.EventFeeUpdate,
        }
    ),
    "multivariate_market_lifecycle": Channel(
        types={
            "multivariate_market_lifecycle": wire.MarketLifecycle,
            "event_lifecycle": wire.EventLifecycle,
        }
    ),
    "fill": _of_markets({"fill": wire.FillNotice}),
    "user_orders": _of_markets({"user_order": wire.OrderNotice}),
    "market_positions": _of_markets({"market_position": wire.PositionNotice}),
    "order_group_updates": Channel(types={"order_group_updates": wire.OrderGroupNotice}),
    "communications": Channel(
        types={
            "rfq_created": wire.RfqCreated,
            "rfq_deleted": wire.RfqDeleted,
            "quote_created": wire.QuoteCreated,
            "quote_accepted": wire.QuoteAccepted,
            "quote_executed": wire.QuoteExecuted,
        },
        options=frozenset({"user_filter", "shard_factor", "shard_key"}),
    ),
    "cfbenchmarks_value": _of_indices(
        {"cfbenchmarks_value": wire.IndexValue, "cfbenchmarks_value_indexlist": wire.IndexList}
    ),
    "cfbenchmarks_value_5hz": _of_indices(
        {"cfbenchmarks_value_5hz": wire.IndexTick, "cfbenchmarks_value_5hz_indexlist": wire.IndexList}
    ),
    "pyth_value": Channel(
        types={"pyth_value": wire.PythValue, "pyth_value_underlying_list": wire.UnderlyingList},
        named_by="underlying_tickers",
        all_by_default=False,
        add="subscribe_underlyings",
        remove="unsubscribe_underlyings",
        offer="underlying_list",
    ),
}

STRUCTS: Final[dict[str, type[msgspec.Struct]]] = {
    name: shape for channel in CHANNELS.values() for name, shape in channel.types.items()
}
"""Every type of message and its struct."""

CHANNEL_OF_TYPE: Final[dict[str, str]] = {
    kind: name for name, channel in reversed(CHANNELS.items()) for kind in channel.types
}
"""The channel of a type, where the sid does not say; of two, the first in the table."""
