"""Payloads as msgspec structs: names and text as Kalshi spells them, one struct per thing.

Structs name every documented field and refuse others, so that the quick path notices growth for free;
`pipelines.client.decode` then removes, counts and reports what is new.
"""

from typing import Final

import msgspec

from pipelines.client.wire.house import (
    AccountLimits,
    BucketLimits,
    Cutoff,
    EndpointCost,
    EndpointCosts,
    ErrorBody,
    EventFeeChange,
    EventFeeChangesPage,
    ExchangeStatus,
    FeeChange,
    FeeChangesReply,
    Schedule,
    ScheduleReply,
)
from pipelines.client.wire.listing import (
    Event,
    EventReply,
    EventsPage,
    Market,
    MarketReply,
    MarketsPage,
    PriceRange,
    Series,
    SeriesPage,
    SeriesReply,
)
from pipelines.client.wire.tape import (
    BookOfMarket,
    BookReply,
    BooksReply,
    Candle,
    CandlesBatch,
    CandlesReply,
    Levels,
    MarketCandles,
    OrderBook,
    Price,
    Quote,
    Trade,
    TradesPage,
)

_FEE_TYPES: Final = frozenset(
    {"quadratic", "quadratic_with_maker_fees", "quadratic_with_combo_maker_fees", "flat"}
)

KNOWN_VALUES: Final[dict[type[msgspec.Struct], dict[str, frozenset[str | None]]]] = {
    Series: {"fee_type": _FEE_TYPES},
    Event: {
        "collateral_return_type": frozenset({"", "MECNET", "DIRECNET"}),
        "fee_type_override": _FEE_TYPES | {None},
    },
    Market: {
        "market_type": frozenset({"binary", "scalar"}),
        "status": frozenset(
            {
                "initialized",
                "inactive",
                "active",
                "closed",
                "determined",
                "disputed",
                "amended",
                "finalized",
            }
        ),
        "result": frozenset({"yes", "no", "scalar", "", None}),
        "strike_type": frozenset(
            {
                "greater",
                "greater_or_equal",
                "less",
                "less_or_equal",
                "between",
                "functional",
                "custom",
                "structured",
                None,
            }
        ),
        "settlement_bounds_type": frozenset({"default", "floor", None}),
    },
    Trade: {
        "taker_outcome_side": frozenset({"yes", "no", None}),
        "taker_book_side": frozenset({"bid", "ask", None}),
        "taker_side": frozenset({"yes", "no", None}),
    },
    FeeChange: {"fee_type": _FEE_TYPES},
    EventFeeChange: {"fee_type_override": _FEE_TYPES | {None}},
}
"""Documented values of text fields; others are kept as they are, and counted.

Source: KALSHI.md §5 (OpenAPI 3.34.0, read 2026-10-09); `initialized` … `finalized` are values of the field,
while the filter `status=` speaks of unopened, open, paused, closed and settled.
"""

__all__ = [
    "KNOWN_VALUES",
    "AccountLimits",
    "BookOfMarket",
    "BookReply",
    "BooksReply",
    "BucketLimits",
    "Candle",
    "CandlesBatch",
    "CandlesReply",
    "Cutoff",
    "EndpointCost",
    "EndpointCosts",
    "ErrorBody",
    "Event",
    "EventFeeChange",
    "EventFeeChangesPage",
    "EventReply",
    "EventsPage",
    "ExchangeStatus",
    "FeeChange",
    "FeeChangesReply",
    "Levels",
    "Market",
    "MarketCandles",
    "MarketReply",
    "MarketsPage",
    "OrderBook",
    "Price",
    "PriceRange",
    "Quote",
    "Schedule",
    "ScheduleReply",
    "Series",
    "SeriesPage",
    "SeriesReply",
    "Trade",
    "TradesPage",
]
