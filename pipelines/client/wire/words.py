"""Documented values of text fields; others are kept as they are, and counted.

Source: KALSHI.md §2, §3, §5 (OpenAPI 3.34.0, read 2026-10-09) and the official SDK 3.34.0 (2026-10);
`initialized` … `finalized` are values of the field, while the filter `status=` speaks of unopened, open,
paused, closed and settled.
"""

from typing import Final

import msgspec

from pipelines.client.wire.account import AccountLimits, ApiKey, Grant, VolumeGoal
from pipelines.client.wire.house import EventFeeChange, FeeChange
from pipelines.client.wire.listing import Event, Market, SelectedLeg, Series
from pipelines.client.wire.live import StationReading, WeatherCalibrations, WeatherIndex, WeatherPoint
from pipelines.client.wire.metadata import IncentiveProgram
from pipelines.client.wire.portfolio import Fill, Order, Settlement
from pipelines.client.wire.stream_words import STREAM_VALUES
from pipelines.client.wire.tape import Trade

_FEE_TYPES: Final = frozenset(
    {"quadratic", "quadratic_with_maker_fees", "quadratic_with_combo_maker_fees", "flat"}
)
_TIERS: Final = frozenset({"basic", "advanced", "expert", "premier", "paragon", "prime", "prestige"})

KNOWN_VALUES: Final[dict[type[msgspec.Struct], dict[str, frozenset[str | None]]]] = {
    **STREAM_VALUES,
    Fill: {"outcome_side": frozenset({"yes", "no"}), "book_side": frozenset({"bid", "ask"})},
    Order: {
        "status": frozenset({"resting", "canceled", "executed"}),
        "outcome_side": frozenset({"yes", "no"}),
        "book_side": frozenset({"bid", "ask"}),
        "self_trade_prevention_type": frozenset({"taker_at_cross", "maker", "", None}),
    },
    Settlement: {"market_result": frozenset({"yes", "no", "scalar"})},
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
    SelectedLeg: {"side": frozenset({"yes", "no", None})},
    IncentiveProgram: {
        "incentive_type": frozenset({"liquidity", "volume", "margin_maker_volume", "margin_taker_volume"})
    },
    WeatherPoint: {
        "status": frozenset({"normal", "degraded", "incomplete"}),
        "receipt_basis": frozenset({"synoptic_latency", None}),
    },
    StationReading: {
        "code": frozenset({"ok", "missing", "late", "range", "rate_spatial", "extreme", "pending"}),
        "source": frozenset({"hf_asos", "metar", None}),
    },
    WeatherIndex: {"units": frozenset({"fahrenheit"})},
    WeatherCalibrations: {"units": frozenset({"celsius"})},
    AccountLimits: {"usage_tier": _TIERS},
    Grant: {
        "exchange_instance": frozenset({"event_contract", "margined", None}),
        "level": _TIERS | {None},
        "source": frozenset({"volume", "manual", None}),
    },
    VolumeGoal: {"level": _TIERS},
    ApiKey: {
        "scopes": frozenset(
            {
                "read",
                "read::block_trade_accept",
                "read::portfolio_balance",
                "write",
                "write::block_trade_accept",
                "write::fcm_risk",
                "write::trade",
                "write::transfer",
                None,
            }
        )
    },
}
"""Per struct and field: the values that a document lists; of a field that is a list, those of its items."""
