"""Documented values of text fields in the WebSocket's messages; others are kept as they are, and counted.

Source: asyncapi.yaml of Sept 2026. `price_level_structure` is an open set of labels and not listed.
"""

from typing import Final

import msgspec

from pipelines.client.wire.stream import BookDelta, TradePrint
from pipelines.client.wire.stream_events import EventFeeUpdate, EventLifecycle, MarketLifecycle
from pipelines.client.wire.stream_private import FillNotice, OrderGroupNotice, OrderNotice, QuoteAccepted

_SIDES: Final = frozenset({"yes", "no"})
_BOOK_SIDES: Final = frozenset({"bid", "ask"})
_NONE: Final = frozenset({None})

STREAM_VALUES: Final[dict[type[msgspec.Struct], dict[str, frozenset[str | None]]]] = {
    BookDelta: {"side": _SIDES},
    TradePrint: {
        "taker_outcome_side": _SIDES | _NONE,
        "taker_book_side": _BOOK_SIDES | _NONE,
        "taker_side": _SIDES | _NONE,
    },
    MarketLifecycle: {
        "event_type": frozenset(
            {
                "created",
                "activated",
                "deactivated",
                "close_date_updated",
                "determined",
                "settled",
                "price_level_structure_updated",
                "metadata_updated",
            }
        ),
        "result": frozenset({"yes", "no", "scalar", "", None}),
    },
    EventLifecycle: {"collateral_return_type": frozenset({"", "MECNET", "DIRECNET"})},
    EventFeeUpdate: {
        "fee_type_override": frozenset(
            {
                "quadratic",
                "quadratic_with_maker_fees",
                "quadratic_with_combo_maker_fees",
                "flat",
                "margin_market_maker_program_fees",
                None,
            }
        )
    },
    FillNotice: {"outcome_side": _SIDES, "book_side": _BOOK_SIDES},
    OrderNotice: {
        "status": frozenset({"resting", "canceled", "executed", "unknown"}),
        "outcome_side": _SIDES,
        "book_side": _BOOK_SIDES,
        "last_update_reason": frozenset(
            {
                "Decrease",
                "Amend",
                "MarginCancel",
                "SelfTradeCancel",
                "ExpiryCancel",
                "CloseCancel",
                "HaltCancel",
                "Trade",
                "PostOnlyCrossCancel",
                "ReduceOnlyCancel",
                None,
            }
        ),
        "self_trade_prevention_type": frozenset({"taker_at_cross", "maker", None}),
    },
    OrderGroupNotice: {
        "event_type": frozenset({"created", "triggered", "reset", "deleted", "limit_updated"})
    },
    QuoteAccepted: {"accepted_side": _SIDES | _NONE},
}
"""Per struct and field: the values that a document lists."""
