"""The exchange about itself: status, hours, tiers of history, and fees in time.

Source: KALSHI.md §5.1, §5.2, §5.7 (OpenAPI 3.34.0, read 2026-10-09).
"""

from decimal import Decimal

import msgspec

from pipelines.client.wire.exact import Whole, ppm


class ShardStatus(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One matching engine."""

    exchange_index: Whole
    exchange_active: bool
    trading_active: bool
    description: str | None = None
    intra_exchange_transfers_active: bool | None = None


class ExchangeStatus(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether the exchange is up; the top level speaks of shard 0. 500, 503 and 504 carry the same body."""

    exchange_active: bool
    trading_active: bool
    intra_exchange_transfers_active: bool | None = None
    exchange_estimated_resume_time: str | None = None
    exchange_index_statuses: list[ShardStatus] | None = None


class Hours(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One session; HH:MM in US Eastern time."""

    open_time: str
    close_time: str


class StandardHours(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Weekly hours in force from `start_time` to `end_time`."""

    start_time: str
    end_time: str
    monday: list[Hours] | None = None
    tuesday: list[Hours] | None = None
    wednesday: list[Hours] | None = None
    thursday: list[Hours] | None = None
    friday: list[Hours] | None = None
    saturday: list[Hours] | None = None
    sunday: list[Hours] | None = None


class MaintenanceWindow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When the exchange will be away."""

    start_datetime: str
    end_datetime: str


class Schedule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hours (US Eastern) and maintenance windows."""

    standard_hours: list[StandardHours] | None
    maintenance_windows: list[MaintenanceWindow] | None = None


class ScheduleReply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /exchange/schedule."""

    schedule: Schedule


class Cutoff(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the live tier begins, RFC 3339 text; each kind moves on its own and the tiers overlap.

    Markets and their candles by settlement time, trades and fills by execution time, orders by last update.
    """

    market_settled_ts: str
    trades_created_ts: str
    orders_updated_ts: str
    market_positions_last_updated_ts: str | None = None


class FeeChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A series' fee from `scheduled_ts` on."""

    id: str
    series_ticker: str
    fee_type: str
    fee_multiplier: Decimal
    scheduled_ts: str

    def __post_init__(self) -> None:
        ppm(self.fee_multiplier)

    @property
    def fee_multiplier_ppm(self) -> int:
        """The multiplier in parts per million, exactly."""
        return ppm(self.fee_multiplier)


class FeeChangesReply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /series/fee_changes."""

    series_fee_change_arr: list[FeeChange] | None


class EventFeeChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event's own fee from `scheduled_ts` on; both overrides null means that the series rules again."""

    id: str
    event_ticker: str
    series_ticker: str
    scheduled_ts: str
    fee_type_override: str | None
    fee_multiplier_override: Decimal | None

    def __post_init__(self) -> None:
        if self.fee_multiplier_override is not None:
            ppm(self.fee_multiplier_override)

    @property
    def fee_multiplier_override_ppm(self) -> int | None:
        """The multiplier in parts per million, None where the override is cleared."""
        return None if self.fee_multiplier_override is None else ppm(self.fee_multiplier_override)


class EventFeeChangesPage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /events/fee_changes."""

    event_fee_changes: list[EventFeeChange] | None
    cursor: str | None = None


class UserDataTimestamp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /exchange/user_data_timestamp: how fresh balance, orders, fills and positions are."""

    as_of_time: str


class NestedError(msgspec.Struct, frozen=True, kw_only=True):
    """An error one level down, as several third parties saw it on order routes (May to September 2026)."""

    code: str = ""
    message: str = ""
    details: str | None = None


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """What an error answer says: `{code, message, details}`, or it is nested; 429 says `{error}` in words."""

    code: str = ""
    message: str = ""
    details: str | None = None
    error: str | NestedError = ""

    @property
    def said(self) -> tuple[str, str]:
        """Kalshi's code and words, wherever they stand."""
        told = self.error if isinstance(self.error, NestedError) else self
        plain = self.error if isinstance(self.error, str) else ""
        return told.code, ": ".join(part for part in (told.message or plain, told.details) if part)
