"""Printing accounts: orders, fills, positions, settlements, with six decimals where money is counted.

`side` and `action` are deprecated and still sent. Source: KALSHI.md §6 (OpenAPI 3.34.0, read 2026-10-09).
"""

from collections.abc import Iterable, Sequence
from typing import Final

from exchange.trades import Side
from exchange.units import CONTRACT_CENTI, DOLLAR_CC, MICROS_PER_DOLLAR, from_us
from sandbox.access import KeyFacts
from sandbox.accounts import Position
from sandbox.chance import stream, uuid_text
from sandbox.encoding import Json, contracts, dollars, moment
from sandbox.orders import AccountFill, Order, Settlement
from sandbox.trading import Receipt

CENT_MICROS: Final = 10_000
BOOK_SIDE: Final[dict[Side, str]] = {"yes": "bid", "no": "ask"}
MILLISECOND_US: Final = 1_000
SECOND_US: Final = 1_000_000


def money(amount_micros: int) -> str:
    """Print millionths of a dollar: 79200 is "0.079200"."""
    whole, fraction = divmod(abs(amount_micros), MICROS_PER_DOLLAR)
    return f"{'-' if amount_micros < 0 else ''}{whole}.{fraction:06d}"


def signed_contracts(count_centi: int) -> str:
    """Print hundredths of a contract that may be below zero: NO contracts."""
    return f"-{contracts(-count_centi)}" if count_centi < 0 else contracts(count_centi)


def user_id(account: str) -> str:
    """Return the id of an account's owner, the same for ever."""
    return uuid_text(stream("user", account))


def order_json(order: Order) -> Json:
    """Return an order."""
    told: Json = {
        "order_id": order.order_id,
        "user_id": user_id(order.account),
        "client_order_id": order.client_order_id,
        "ticker": order.ticker,
        "type": "limit",
        "status": order.status,
        "fill_count_fp": contracts(order.filled_centi),
        "remaining_count_fp": contracts(order.remaining_centi),
        "initial_count_fp": contracts(order.initial_centi),
        "taker_fill_cost_dollars": money(order.taker_cost_micros),
        "maker_fill_cost_dollars": money(order.maker_cost_micros),
        "taker_fees_dollars": money(order.taker_fees_micros),
        "maker_fees_dollars": money(order.maker_fees_micros),
        "expiration_time": None if order.expires_us is None else moment(from_us(order.expires_us)),
        "created_time": moment(from_us(order.created_us)),
        "last_update_time": moment(from_us(order.updated_us)),
        "self_trade_prevention_type": order.self_trade,
        "order_group_id": "",
        "cancel_order_on_pause": order.cancels_on_pause,
        "subaccount_number": order.subaccount,
        "exchange_index": order.exchange_index,
    }
    return told | _direction(order.side) | _prices(order.yes_price_cc)


def fill_json(fill: AccountFill) -> Json:
    """Return a fill; `trade_id` repeats `fill_id`, `market_ticker` repeats `ticker`, `ts` is in seconds."""
    told: Json = {
        "fill_id": fill.trade_id,
        "trade_id": fill.trade_id,
        "order_id": fill.order_id,
        "ticker": fill.ticker,
        "market_ticker": fill.ticker,
        "count_fp": contracts(fill.count_centi),
        "is_taker": fill.is_taker,
        "fee_cost": money(fill.fee_micros),
        "created_time": moment(from_us(fill.created_us)),
        "ts": fill.created_us // SECOND_US,
        "subaccount_number": fill.subaccount,
        "exchange_index": fill.exchange_index,
    }
    return told | _direction(fill.side) | _prices(fill.yes_price_cc)


def position_json(position: Position) -> Json:
    """Return a position in a market."""
    return {
        "ticker": position.ticker,
        "exchange_index": position.exchange_index,
        "total_traded_dollars": money(position.traded_micros),
        "position_fp": signed_contracts(position.count_centi),
        "market_exposure_dollars": money(position.cost_micros),
        "realized_pnl_dollars": money(position.realized_micros),
        "fees_paid_dollars": money(position.fees_micros),
        "last_updated_ts": moment(from_us(position.updated_us)),
    }


def event_positions_json(positions: Iterable[Position]) -> list[Json]:
    """Return the positions of markets summed by event, in the order in which events come up."""
    by_event: dict[str, list[Position]] = {}
    for position in positions:
        by_event.setdefault(position.event_ticker, []).append(position)
    return [
        {
            "event_ticker": event_ticker,
            "total_cost_dollars": money(sum(each.traded_micros for each in found)),
            "total_cost_shares_fp": contracts(sum(each.traded_centi for each in found)),
            "event_exposure_dollars": money(sum(each.cost_micros for each in found)),
            "realized_pnl_dollars": money(sum(each.realized_micros for each in found)),
            "fees_paid_dollars": money(sum(each.fees_micros for each in found)),
        }
        for event_ticker, found in by_event.items()
    ]


def settlement_json(settlement: Settlement) -> Json:
    """Return a settlement; `revenue` and `value` are whole cents, rounded down."""
    yes_centi, no_centi = max(settlement.position_centi, 0), max(-settlement.position_centi, 0)
    return {
        "ticker": settlement.ticker,
        "event_ticker": settlement.event_ticker,
        "exchange_index": settlement.exchange_index,
        "market_result": settlement.result,
        "yes_count_fp": contracts(yes_centi),
        "yes_total_cost_dollars": money(settlement.cost_micros if yes_centi else 0),
        "no_count_fp": contracts(no_centi),
        "no_total_cost_dollars": money(settlement.cost_micros if no_centi else 0),
        "revenue": settlement.payout_micros // CENT_MICROS,
        "settled_time": moment(from_us(settlement.settled_us)),
        "fee_cost": money(settlement.fees_micros),
        "value": settlement.value_cc * CONTRACT_CENTI // DOLLAR_CC,
    }


def created_json(receipt: Receipt) -> Json:
    """Return the answer to a new order."""
    filled_centi = sum(fill.count_centi for fill in receipt.fills)
    return _receipt_json(receipt) | {
        "fill_count": contracts(filled_centi),
        "remaining_count": contracts(receipt.order.remaining_centi),
        **_averages(receipt.fills),
    }


def amended_json(receipt: Receipt) -> Json:
    """Return the answer to an amendment: counts of the whole order, averages of what it met at once."""
    return _receipt_json(receipt) | {
        "fill_count": contracts(receipt.order.filled_centi),
        "remaining_count": contracts(receipt.order.remaining_centi),
        **_averages(receipt.fills),
    }


def decreased_json(receipt: Receipt) -> Json:
    """Return the answer to a decrease."""
    return _receipt_json(receipt) | {"remaining_count": contracts(receipt.order.remaining_centi)}


def canceled_json(receipt: Receipt) -> Json:
    """Return the answer to a cancellation."""
    return _receipt_json(receipt) | {"reduced_by": contracts(receipt.reduced_centi)}


def key_json(key_id: str, facts: KeyFacts) -> Json:
    """Return an API key."""
    told: Json = {"api_key_id": key_id, "name": facts.name or key_id, "scopes": list(facts.scopes)}
    return told if facts.subaccount is None else told | {"subaccount": facts.subaccount}


def _receipt_json(receipt: Receipt) -> Json:
    return {
        "order_id": receipt.order.order_id,
        "client_order_id": receipt.order.client_order_id,
        "ts_ms": receipt.at_us // MILLISECOND_US,
    }


def _averages(fills: Sequence[AccountFill]) -> Json:
    """Return what a contract cost on average in YES terms, and its fee; nothing where nothing was filled."""
    count_centi = sum(fill.count_centi for fill in fills)
    if not count_centi:
        return {}
    cost_micros = sum(fill.yes_price_cc * fill.count_centi for fill in fills)
    fee_micros = sum(fill.fee_micros for fill in fills)
    return {
        "average_fill_price": money(_rounded(cost_micros * CONTRACT_CENTI, count_centi)),
        "average_fee_paid": money(_rounded(fee_micros * CONTRACT_CENTI, count_centi)),
    }


def _rounded(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)


def _direction(side: Side) -> Json:
    return {"side": side, "action": "buy", "outcome_side": side, "book_side": BOOK_SIDE[side]}


def _prices(yes_price_cc: int) -> Json:
    return {
        "yes_price_dollars": dollars(yes_price_cc),
        "no_price_dollars": dollars(DOLLAR_CC - yes_price_cc),
    }
