"""What an account has and had: balance, positions, orders, fills, settlements; text as Kalshi spells it.

Amounts have up to six decimals. Fields that are deprecated and may go are optional here.
Source: KALSHI.md §6 (OpenAPI 3.34.0, read 2026-10-09), field lists checked against the official SDK 3.34.0
(2026-10) and against redacted answers of a real account (2026-08).
"""

import msgspec

from exchange.units import parse_cc, parse_centi, parse_micros
from pipelines.client.wire.exact import CountText, MoneyText, PriceText, Whole


class IndexedBalance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An amount on one shard, in dollar text."""

    exchange_index: Whole
    balance: MoneyText


class Balance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Money that may be spent: `balance` in whole cents, rounded down, `balance_dollars` exactly.

    `portfolio_value` is in cents, `updated_ts` in Unix seconds; the breakdown is left out for keys that are
    bound to one subaccount.
    """

    balance: Whole
    portfolio_value: Whole
    updated_ts: Whole
    balance_dollars: MoneyText | None = None
    balance_breakdown: list[IndexedBalance] | None = None

    @property
    def balance_micros(self) -> int:
        """The spendable money in millionths of a dollar; of whole cents where that is all there is."""
        return self.balance * 10_000 if self.balance_dollars is None else parse_micros(self.balance_dollars)


class MarketPosition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is held of one market: `position_fp` is negative for NO contracts."""

    ticker: str
    total_traded_dollars: MoneyText
    position_fp: CountText
    market_exposure_dollars: MoneyText
    realized_pnl_dollars: MoneyText
    fees_paid_dollars: MoneyText
    last_updated_ts: str | None = None
    exchange_index: Whole | None = None
    resting_orders_count: Whole | None = None

    @property
    def position_centi(self) -> int:
        """Hundredths of contracts: YES above zero, NO below."""
        return parse_centi(self.position_fp)


class EventPosition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is held of all markets of one event together."""

    event_ticker: str
    total_cost_dollars: MoneyText
    total_cost_shares_fp: CountText
    event_exposure_dollars: MoneyText
    realized_pnl_dollars: MoneyText
    fees_paid_dollars: MoneyText


class PositionsPage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /portfolio/positions and /historical/positions: one page of both views."""

    market_positions: list[MarketPosition] | None
    event_positions: list[EventPosition] | None = None
    cursor: str | None = None


class Fill(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One execution of an order of ours; `trade_id` repeats `fill_id`, `market_ticker` repeats `ticker`.

    `outcome_side` is what the fill positioned us for: buying YES and selling NO are both yes. `fee_cost` is
    dollar text; `ts` is `created_time` in whole Unix seconds.
    """

    fill_id: str
    order_id: str
    ticker: str
    count_fp: CountText
    yes_price_dollars: PriceText
    no_price_dollars: PriceText
    is_taker: bool
    fee_cost: MoneyText
    outcome_side: str
    book_side: str
    created_time: str | None = None
    exchange_index: Whole | None = None
    subaccount_number: Whole | None = None
    trade_id: str | None = None
    market_ticker: str | None = None
    side: str | None = None
    action: str | None = None
    ts: Whole | None = None

    @property
    def fee_micros(self) -> int:
        """The fee in millionths of a dollar."""
        return parse_micros(self.fee_cost)


class FillsPage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /portfolio/fills and /historical/fills."""

    fills: list[Fill] | None
    cursor: str | None = None


class Settlement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a market paid: `revenue` in cents, `value` the payout of a YES contract in cents.

    `fee_cost` is the sum of the fees of the fills that led here; there is no settlement fee.
    """

    ticker: str
    event_ticker: str
    market_result: str
    yes_count_fp: CountText
    yes_total_cost_dollars: MoneyText
    no_count_fp: CountText
    no_total_cost_dollars: MoneyText
    revenue: Whole
    settled_time: str
    fee_cost: MoneyText
    value: Whole | None = None
    exchange_index: Whole | None = None


class SettlementsPage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /portfolio/settlements."""

    settlements: list[Settlement] | None
    cursor: str | None = None


class Order(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One order of ours as it stands; `status` is resting, canceled or executed.

    `outcome_side` is what it is positioned for, `yes_price_dollars` its price seen from YES. A canceled
    order keeps what it filled.
    """

    order_id: str
    ticker: str
    status: str
    yes_price_dollars: PriceText
    no_price_dollars: PriceText
    fill_count_fp: CountText
    remaining_count_fp: CountText
    initial_count_fp: CountText
    outcome_side: str
    book_side: str
    client_order_id: str = ""
    user_id: str | None = None
    type: str | None = None
    side: str | None = None
    action: str | None = None
    taker_fill_cost_dollars: MoneyText | None = None
    maker_fill_cost_dollars: MoneyText | None = None
    taker_fees_dollars: MoneyText | None = None
    maker_fees_dollars: MoneyText | None = None
    expiration_time: str | None = None
    created_time: str | None = None
    last_update_time: str | None = None
    self_trade_prevention_type: str | None = None
    order_group_id: str | None = None
    cancel_order_on_pause: bool | None = None
    subaccount_number: Whole | None = None
    exchange_index: Whole | None = None

    @property
    def yes_price_cc(self) -> int:
        """The price seen from YES, in centicents."""
        return parse_cc(self.yes_price_dollars)

    @property
    def filled_centi(self) -> int:
        """Hundredths of contracts that were executed."""
        return parse_centi(self.fill_count_fp)

    @property
    def remaining_centi(self) -> int:
        """Hundredths of contracts that still rest."""
        return parse_centi(self.remaining_count_fp)


class OrderReply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /portfolio/orders/{order_id}."""

    order: Order


class OrdersPage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /portfolio/orders and /historical/orders."""

    orders: list[Order] | None
    cursor: str | None = None


class QueuePosition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many contracts are matched before an order is, contract text."""

    order_id: str
    market_ticker: str
    queue_position_fp: CountText


class QueuePositionReply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /portfolio/orders/{order_id}/queue_position."""

    queue_position_fp: CountText


class QueuePositionsReply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /portfolio/orders/queue_positions."""

    queue_positions: list[QueuePosition] | None


class RestingValue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all resting orders may cost, in cents."""

    total_resting_order_value: Whole
    resting_order_value_breakdown: list[IndexedBalance] | None = None
