"""What an account hears of itself: its orders, its fills, its positions; nobody else hears it.

Source: KALSHI.md §10.3 and §10.4 (asyncapi.yaml, 2026-08-22); names with `_dollars` and `_fp` as in REST.
"""

from collections.abc import Sequence

from sandbox.accounts import Position
from sandbox.desk import DeskListener
from sandbox.encoding import Json, contracts
from sandbox.orders import AccountFill, Order
from sandbox.portfolio_json import fill_json, money, order_json, signed_contracts, user_id
from sandbox.stream_frames import MS_US, dump
from sandbox.stream_session import Session


class PrivateFeed(DeskListener):
    """Sends what happens to an account to those of `sessions` that are its own and asked for it."""

    def __init__(self, sessions: Sequence[Session]) -> None:
        self._sessions = sessions

    def on_order(self, order: Order) -> None:
        """Send an order as it stands now."""
        self._send("user_orders", "user_order", order.account, order.subaccount, order.ticker, _order(order))

    def on_fill(self, fill: AccountFill) -> None:
        """Send an execution."""
        self._send("fill", "fill", fill.account, fill.subaccount, fill.ticker, _fill(fill))

    def on_position(self, position: Position) -> None:
        """Send a position as it stands now."""
        told = _position(position)
        at = (position.account, position.subaccount, position.ticker)
        self._send("market_positions", "market_position", *at, told)

    def _send(self, channel: str, kind: str, account: str, subaccount: int, ticker: str, told: Json) -> None:
        for session in self._sessions:
            caller, subscription = session.caller, session.subscription(channel)
            if subscription is None or caller.account != account or not subscription.wants(ticker):
                continue
            if caller.subaccount in {None, subaccount}:
                session.send(subscription, kind, dump(told))


def _order(order: Order) -> Json:
    told = order_json(order)
    told["is_yes"] = order.side == "yes"
    told["created_ts_ms"] = order.created_us // MS_US
    told["last_updated_ts_ms"] = order.updated_us // MS_US
    if order.expires_us is not None:
        told["expiration_ts_ms"] = order.expires_us // MS_US
    left_out = {"type", "action", "no_price_dollars", "cancel_order_on_pause"}
    return {name: value for name, value in told.items() if name not in left_out and value is not None}


def _fill(fill: AccountFill) -> Json:
    told = fill_json(fill)
    left_out = {"fill_id", "ticker", "created_time", "no_price_dollars", "subaccount_number"}
    return {name: value for name, value in told.items() if name not in left_out} | {
        "client_order_id": fill.client_order_id,
        "purchased_side": fill.side,
        "post_position_fp": signed_contracts(fill.position_centi),
        "subaccount": fill.subaccount,
        "ts_ms": fill.created_us // MS_US,
    }


def _position(position: Position) -> Json:
    return {
        "user_id": user_id(position.account),
        "market_ticker": position.ticker,
        "position_fp": signed_contracts(position.count_centi),
        "position_cost_dollars": money(position.cost_micros),
        "realized_pnl_dollars": money(position.realized_micros),
        "fees_paid_dollars": money(position.fees_micros),
        "position_fee_cost_dollars": money(position.fees_micros),
        "volume_fp": contracts(position.traded_centi),
        "subaccount": position.subaccount,
    }
