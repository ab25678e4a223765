"""The sandbox's own printing of WebSocket messages: the `msg` of every frame, as JSON text.

NO-side prices stand in NO terms unless the subscription asked for YES prices; a side without bids is left out
of its snapshot. Source: KALSHI.md §10.4 (websocket pages, 2026-10-01; asyncapi.yaml, 2026-08-22).
"""

import json
from functools import cache
from typing import Final

from exchange.books import Level, OrderBook
from exchange.markets import Market
from exchange.trades import Side, Trade
from exchange.units import DOLLAR_CC, from_us, to_us
from sandbox.chance import stream, uuid_text
from sandbox.encoding import DOLLARS, Json, contracts, dollars, moment
from sandbox.lifecycle import LifecycleChange

MS_US: Final = 1_000
SECOND_US: Final = 1_000_000
HALF: Final = 2  # a contract is worth half a dollar in Kalshi's dollar_volume, so it seems
CENTI: Final = 100

dump: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


@cache
def market_id(ticker: str) -> str:
    """Return the exchange's other name of a market."""
    return uuid_text(stream("market", ticker))


def snapshot(book: OrderBook, *, use_yes_price: bool) -> str:
    """Return both sides of a book, each ascending in its own prices."""
    told: Json = {"market_ticker": book.ticker, "market_id": market_id(book.ticker)}
    for side in ("yes", "no"):
        levels = book.levels(side)
        if side == "no" and use_yes_price:
            levels = [Level(DOLLAR_CC - price_cc, count) for price_cc, count in reversed(levels)]
        if levels:
            told[f"{side}_dollars_fp"] = [[dollars(price), contracts(count)] for price, count in levels]
    return dump(told)


def delta(
    ticker: str,
    time_us: int,
    side: Side,
    price_cc: int,
    delta_centi: int,
    *,
    use_yes_price: bool,
    own: tuple[str, int] | None = None,
) -> str:
    """Return one change of a level; `own` is the reader's (client_order_id, subaccount)."""
    price_cc = DOLLAR_CC - price_cc if side == "no" and use_yes_price else price_cc
    sign = "-" if delta_centi < 0 else ""
    mine = "" if own is None else f',"client_order_id":{dump(own[0])},"subaccount":{own[1]}'
    return (
        f'{{"market_ticker":{dump(ticker)},"market_id":"{market_id(ticker)}",'
        f'"price_dollars":"{DOLLARS[price_cc]}","delta_fp":"{sign}{contracts(abs(delta_centi))}",'
        f'"side":"{side}","ts":"{moment(from_us(time_us))}","ts_ms":{time_us // MS_US}{mine}}}'
    )


def trade(told: Trade) -> str:
    """Return a print of the public tape."""
    side, time_us = told.taker_side, to_us(told.created_ts)
    return dump(
        {
            "trade_id": told.trade_id,
            "market_ticker": told.ticker,
            "yes_price_dollars": dollars(told.yes_price_cc),
            "no_price_dollars": dollars(DOLLAR_CC - told.yes_price_cc),
            "count_fp": contracts(told.count_centi),
            "taker_side": side,
            "taker_outcome_side": side,
            "taker_book_side": "bid" if side == "yes" else "ask",
            "is_block_trade": bool(told.is_block_trade),
            "ts": time_us // SECOND_US,
            "ts_ms": time_us // MS_US,
        }
    )


def ticker(market: Market, *, last_centi: int, time_us: int) -> str:
    """Return the top of a book with last price, volume and open interest; sizes of empty sides are zero."""
    return dump(
        {
            "market_ticker": market.ticker,
            "market_id": market_id(market.ticker),
            "price_dollars": dollars(market.last_price_cc or 0),
            "yes_bid_dollars": dollars(market.yes_bid_cc),
            "yes_ask_dollars": dollars(market.yes_ask_cc),
            "yes_bid_size_fp": contracts(max(market.yes_bid_size_centi, 0)),
            "yes_ask_size_fp": contracts(max(market.yes_ask_size_centi, 0)),
            "last_trade_size_fp": contracts(last_centi),
            "volume_fp": contracts(market.volume_centi),
            "open_interest_fp": contracts(market.open_interest_centi),
            "dollar_volume": market.volume_centi // CENTI // HALF,
            "dollar_open_interest": market.open_interest_centi // CENTI // HALF,
            "ts": time_us // SECOND_US,
            "ts_ms": time_us // MS_US,
            "time": moment(from_us(time_us)),
        }
    )


# The steps that the stream tells of; opening and closing on time are silent [KALSHI.md §9].
_EVENT_TYPES: Final = {
    "created": "created",
    "activated": "activated",
    "deactivated": "deactivated",
    "close_date_updated": "close_date_updated",
    "determined": "determined",
    "amended": "determined",
    "settled": "settled",
    "price_level_structure_updated": "price_level_structure_updated",
}


def lifecycle(change: LifecycleChange) -> tuple[str, str] | None:
    """Return (type of frame, msg) of a change, None for one that the stream does not tell."""
    if change.kind == "event_created" and change.event is not None:
        event = change.event
        told: Json = {
            "event_ticker": event.ticker,
            "series_ticker": event.series_ticker,
            "title": event.title,
            "subtitle": event.sub_title,
            "collateral_return_type": event.collateral_return_type,
            "exchange_index": 0,
        }
        if event.strike_ts is not None:
            told["strike_date"] = to_us(event.strike_ts) // SECOND_US
        elif event.strike_period:
            told["strike_period"] = event.strike_period
        return "event_lifecycle", dump(told)
    if change.kind == "fee_changed":
        return _event_fee(change)
    if change.market is None or change.kind not in _EVENT_TYPES:
        return None
    told = {"event_type": _EVENT_TYPES[change.kind], "market_ticker": change.ticker}
    return "market_lifecycle_v2", dump(told | _facts(change, change.market))


def _event_fee(change: LifecycleChange) -> tuple[str, str] | None:
    fee = change.fee
    if fee is None or fee.scope != "event":
        return None  # changes of series are announced by REST only
    multiplier = None if fee.multiplier_ppm is None else fee.multiplier_ppm / 1_000_000
    told = {
        "event_ticker": fee.ticker,
        "fee_type_override": fee.fee_type,
        "fee_multiplier_override": multiplier,
    }
    return "event_fee_update", dump(told)


def _facts(change: LifecycleChange, market: Market) -> Json:
    """Return what a step tells besides its name; all times in seconds."""
    at_s = change.time_us // SECOND_US
    close_s = None if market.close_ts is None else to_us(market.close_ts) // SECOND_US
    grid: Json = {
        "price_level_structure": market.price_level_structure,
        "price_ranges": [
            {"start": dollars(each.start_cc), "end": dollars(each.end_cc), "step": dollars(each.step_cc)}
            for each in market.price_ranges
        ],
    }
    if change.kind == "created":
        return {
            "open_ts": None if market.open_ts is None else to_us(market.open_ts) // SECOND_US,
            "close_ts": close_s,
            "exchange_index": market.exchange_index,
            **grid,
            "additional_metadata": {
                "name": market.yes_sub_title,
                "title": market.title,
                "yes_sub_title": market.yes_sub_title,
                "no_sub_title": market.no_sub_title,
                "rules_primary": market.rules_primary,
                "rules_secondary": market.rules_secondary,
                "can_close_early": bool(market.can_close_early),
                "event_ticker": market.event_ticker,
            },
        }
    if change.kind == "close_date_updated":
        return {"close_ts": close_s}
    if change.kind in {"determined", "amended"}:
        value = market.settlement_value_cc
        return {
            "result": market.result,
            "determination_ts": at_s,
            "settlement_value": None if value is None else dollars(value),
        }
    if change.kind == "settled":
        return {"settled_ts": at_s}
    if change.kind == "price_level_structure_updated":
        return grid
    return {}
