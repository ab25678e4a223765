"""Messages of the WebSocket about the own account: fills, orders, positions, order groups, and RFQs.

Amounts, prices and counts stay text; `outcome_side` (yes | no) and `book_side` (bid | ask) say the same, and
what they replaced is optional. Times in milliseconds, but `ts`, which is in seconds.
Source: KALSHI.md §10.4 (asyncapi.yaml, 2026-08-22); asyncapi.yaml of Sept 2026 for what it does not list.
"""

import msgspec

from pipelines.client.wire.exact import Whole
from pipelines.client.wire.listing import SelectedLeg


class FillNotice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """`fill`: an own order met another; `post_position_fp` is the position after it."""

    trade_id: str
    order_id: str
    market_ticker: str
    exchange_index: Whole
    is_taker: bool
    yes_price_dollars: str
    count_fp: str
    fee_cost: str
    outcome_side: str
    book_side: str
    post_position_fp: str
    ts_ms: Whole
    client_order_id: str | None = None
    subaccount: Whole | None = None
    side: str | None = None
    action: str | None = None
    purchased_side: str | None = None
    ts: Whole | None = None


class OrderNotice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """`user_order`: an own order as it stands after a change."""

    order_id: str
    user_id: str
    ticker: str
    exchange_index: Whole
    status: str
    outcome_side: str
    book_side: str
    yes_price_dollars: str
    fill_count_fp: str
    remaining_count_fp: str
    initial_count_fp: str
    taker_fill_cost_dollars: str
    maker_fill_cost_dollars: str
    taker_fees_dollars: str
    maker_fees_dollars: str
    client_order_id: str
    created_ts_ms: Whole | None
    last_updated_ts_ms: Whole | None = None
    expiration_ts_ms: Whole | None = None
    last_update_reason: str | None = None
    order_group_id: str | None = None
    self_trade_prevention_type: str | None = None
    subaccount_number: Whole | None = None
    side: str | None = None
    is_yes: bool | None = None
    created_time: str | None = None
    last_update_time: str | None = None
    expiration_time: str | None = None


class PositionNotice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """`market_position`: the own position in one market after a change; YES is positive."""

    user_id: str
    market_ticker: str
    position_fp: str
    position_cost_dollars: str
    realized_pnl_dollars: str
    fees_paid_dollars: str
    position_fee_cost_dollars: str
    volume_fp: str
    subaccount: Whole | None = None


class OrderGroupNotice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """`order_group_updates`: a group was created, triggered, reset, deleted or given another limit."""

    event_type: str
    order_group_id: str
    ts_ms: Whole
    contracts_limit_fp: str | None = None


class RfqCreated(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody asks for quotes; `creator_id` is a pseudonym, or "0" when hidden."""

    id: str
    creator_id: str
    market_ticker: str
    created_ts: str
    event_ticker: str | None = None
    contracts_fp: str | None = None
    target_cost_dollars: str | None = None
    mve_collection_ticker: str | None = None
    mve_selected_legs: list[SelectedLeg] | None = None


class RfqDeleted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A request for quotes was withdrawn."""

    id: str
    creator_id: str
    market_ticker: str
    deleted_ts: str
    event_ticker: str | None = None
    contracts_fp: str | None = None
    target_cost_dollars: str | None = None


class QuoteCreated(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A quote on an own request, or an own quote; `subaccount` is ours, never the other side's."""

    quote_id: str
    rfq_id: str
    quote_creator_id: str
    rfq_creator_id: str
    market_ticker: str
    yes_bid_dollars: str
    no_bid_dollars: str
    created_ts: str
    event_ticker: str | None = None
    yes_contracts_offered_fp: str | None = None
    no_contracts_offered_fp: str | None = None
    rfq_target_cost_dollars: str | None = None
    subaccount: Whole | None = None


class QuoteAccepted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A quote was taken."""

    quote_id: str
    rfq_id: str
    quote_creator_id: str
    rfq_creator_id: str
    market_ticker: str
    yes_bid_dollars: str
    no_bid_dollars: str
    event_ticker: str | None = None
    accepted_side: str | None = None
    contracts_accepted_fp: str | None = None
    yes_contracts_offered_fp: str | None = None
    no_contracts_offered_fp: str | None = None
    rfq_target_cost_dollars: str | None = None
    subaccount: Whole | None = None


class QuoteExecuted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A taken quote became orders; `order_id` and `client_order_id` are ours and lead to the fills."""

    quote_id: str
    rfq_id: str
    quote_creator_id: str
    rfq_creator_id: str
    order_id: str
    client_order_id: str
    market_ticker: str
    executed_ts: str
    subaccount: Whole | None = None
    rfq_batch_id: str | None = None
