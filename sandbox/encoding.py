"""The sandbox's own printing: every JSON shape of the API, written without looking at the client.

Prices are strings of dollars with four decimals, counts strings with two, times RFC 3339 with the trailing
zeros of the fraction trimmed. Source: KALSHI.md §4 and §5 (OpenAPI 3.34.0, read 2026-10-09).
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from exchange.books import OrderBook
from exchange.fees import FeeChange
from exchange.markets import Event, Market, Series
from exchange.trades import Trade
from exchange.units import CONTRACT_CENTI, DOLLAR_CC
from sandbox.combos import Leg

Json = dict[str, Any]
UNSET_TIME: Final = "0001-01-01T00:00:00Z"  # what Kalshi prints for a time that was never set
PPM: Final = 1_000_000
DOLLARS: Final = tuple(f"{cc // DOLLAR_CC}.{cc % DOLLAR_CC:04d}" for cc in range(DOLLAR_CC + 1))
_quote: Final = json.JSONEncoder(ensure_ascii=False).encode
QuoteAt = tuple[int | None, int | None, int | None]


def dollars(price_cc: int) -> str:
    """Print centicents: 5600 is "0.5600"."""
    return f"{price_cc // DOLLAR_CC}.{price_cc % DOLLAR_CC:04d}"


def contracts(count_centi: int) -> str:
    """Print hundredths of a contract: 1050 is "10.50"."""
    if count_centi < 0:
        return f"-{contracts(-count_centi)}"
    return f"{count_centi // CONTRACT_CENTI}.{count_centi % CONTRACT_CENTI:02d}"


def moment(at_ts: datetime) -> str:
    """Print a UTC time; `.96221Z` rather than `.962210Z`."""
    text = at_ts.isoformat()
    assert text.endswith("+00:00"), f"{text}: the sandbox prints UTC only"
    text = text[:-6]
    return f"{text.rstrip('0') if at_ts.microsecond else text}Z"


def moment_or_unset(at_ts: datetime | None) -> str:
    """Print a time that every payload must have."""
    return UNSET_TIME if at_ts is None else moment(at_ts)


def moment_or_null(at_ts: datetime | None) -> str | None:
    """Print a time that may be null."""
    return None if at_ts is None else moment(at_ts)


def multiplier(ppm: int | None) -> float | int | None:
    """Return a fee multiplier as the JSON number Kalshi sends: 1, 0.5."""
    if ppm is None:
        return None
    return ppm // PPM if ppm % PPM == 0 else ppm / PPM


def series_json(series: Series, *, volume_centi: int | None) -> Json:
    """Return a series; its volume only when asked for."""
    told: Json = {
        "ticker": series.ticker,
        "title": series.title,
        "category": series.category,
        "categories": list(series.categories),
        "frequency": series.frequency,
        "tags": list(series.tags) or None,
        "settlement_sources": [{"name": "The sandbox", "url": "https://example.com/sandbox"}],
        "contract_url": "",
        "contract_terms_url": "",
        "fee_type": series.fee_type,
        "fee_multiplier": multiplier(series.fee_multiplier_ppm),
        "additional_prohibitions": None,
        "last_updated_ts": moment_or_unset(series.last_updated_ts),
        "exchange_index": 0,
    }
    if volume_centi is not None:
        told["volume_fp"] = contracts(volume_centi)
    return told


def event_json(event: Event, *, markets: list[Json] | None) -> Json:
    """Return an event, with its live markets nested when asked for."""
    told: Json = {
        "event_ticker": event.ticker,
        "series_ticker": event.series_ticker,
        "title": event.title,
        "sub_title": event.sub_title,
        "category": event.category,
        "collateral_return_type": event.collateral_return_type,
        "mutually_exclusive": bool(event.mutually_exclusive),
        "settlement_sources": None,
        "last_updated_ts": moment_or_unset(event.last_updated_ts),
        "fee_type_override": event.fee_type_override,
        "fee_multiplier_override": multiplier(event.fee_multiplier_override_ppm),
        "exchange_index": 0,
    }
    if event.strike_ts is not None:
        told["strike_date"] = moment(event.strike_ts)
    else:
        told["strike_period"] = event.strike_period or ""
    if markets is not None:
        told["markets"] = markets
    return told


def market_json(market: Market, day_ago: QuoteAt, *, is_archived: bool) -> Json:
    """Return a market; the archive prints zero on both sides of the book."""
    bid_cc, ask_cc = market.yes_bid_cc, market.yes_ask_cc
    previous_bid_cc, previous_ask_cc, previous_price_cc = day_ago
    told: Json = {
        "ticker": market.ticker,
        "event_ticker": market.event_ticker,
        "market_type": market.market_type,
        "title": market.title,
        "subtitle": market.yes_sub_title,
        "yes_sub_title": market.yes_sub_title,
        "no_sub_title": market.no_sub_title,
        "yes_bid_dollars": dollars(0 if is_archived else bid_cc),
        "yes_ask_dollars": dollars(0 if is_archived else ask_cc),
        "no_bid_dollars": dollars(0 if is_archived else DOLLAR_CC - ask_cc),
        "no_ask_dollars": dollars(0 if is_archived else DOLLAR_CC - bid_cc),
        "yes_bid_size_fp": contracts(market.yes_bid_size_centi),
        "yes_ask_size_fp": contracts(market.yes_ask_size_centi),
        "last_price_dollars": dollars(market.last_price_cc or 0),
        "previous_yes_bid_dollars": dollars(previous_bid_cc or 0),
        "previous_yes_ask_dollars": dollars(previous_ask_cc or 0),
        "previous_price_dollars": dollars(previous_price_cc or 0),
        "volume_fp": contracts(market.volume_centi),
        "volume_24h_fp": contracts(market.volume_24h_centi),
        "open_interest_fp": contracts(market.open_interest_centi),
    }
    return told | _times(market) | _terms(market)


def _times(market: Market) -> Json:
    told: Json = {
        "created_time": moment_or_unset(market.created_ts),
        "updated_time": moment_or_unset(market.updated_ts),
        "open_time": moment_or_unset(market.open_ts),
        "close_time": moment_or_unset(market.close_ts),
        "latest_expiration_time": moment_or_unset(market.latest_expiration_ts),
        "expiration_time": moment_or_unset(market.latest_expiration_ts),
        "expected_expiration_time": moment_or_null(market.expected_expiration_ts),
        "settlement_timer_seconds": market.settlement_timer_s or 0,
        "fee_waiver_expiration_time": moment_or_null(market.fee_waiver_expiration_ts),
        "can_close_early": bool(market.can_close_early),
    }
    if market.settlement_ts is not None:
        told["settlement_ts"] = moment(market.settlement_ts)
    return told


def _terms(market: Market) -> Json:
    told: Json = {
        "status": market.status,
        "result": market.result,
        "expiration_value": market.expiration_value,
        "notional_value_dollars": dollars(market.notional_value_cc),
        "price_level_structure": market.price_level_structure,
        "price_ranges": [
            {"start": dollars(each.start_cc), "end": dollars(each.end_cc), "step": dollars(each.step_cc)}
            for each in market.price_ranges
        ],
        "settlement_bounds_type": "default",
        "rules_primary": market.rules_primary,
        "rules_secondary": market.rules_secondary,
        "is_provisional": bool(market.is_provisional),
        "exchange_index": market.exchange_index,
    }
    optional = {
        "settlement_value_dollars": None
        if market.settlement_value_cc is None
        else dollars(market.settlement_value_cc),
        "strike_type": market.strike_type,
        "floor_strike": market.floor_strike,
        "cap_strike": market.cap_strike,
        "mve_collection_ticker": market.mve_collection_ticker,
    }
    return told | {name: value for name, value in optional.items() if value is not None}


def combo_json(pattern: Json, market: Market) -> Json:
    """Return a combo that nobody has traded after the payload of another with the same close and result."""
    label = market.yes_sub_title
    created = moment_or_unset(market.created_ts)
    return pattern | {
        "ticker": market.ticker,
        "event_ticker": market.event_ticker,
        "title": market.title,
        "subtitle": label,
        "yes_sub_title": label,
        "no_sub_title": label,
        "created_time": created,
        "open_time": created,
        "updated_time": created if market.updated_ts == market.created_ts else pattern["updated_time"],
    }


def legs_json(legs: Sequence[Leg], markets: Sequence[Market | None]) -> list[Json]:
    """Return what a combo is made of; a leg's market, if it is decided, tells what its YES pays."""
    return [
        {
            "event_ticker": leg.plan.event.ticker,
            "market_ticker": leg.ticker,
            "side": leg.side,
            "yes_settlement_value_dollars": None
            if market is None or market.settlement_value_cc is None
            else dollars(market.settlement_value_cc),
        }
        for leg, market in zip(legs, markets, strict=True)
    ]


def trade_text(trade: Trade) -> str:
    """Return a line of the tape as JSON text, for there are many; an unknown `is_block_trade` is left out."""
    side, price_cc = trade.taker_side, trade.yes_price_cc
    is_block = trade.is_block_trade
    block = "" if is_block is None else f',"is_block_trade":{"true" if is_block else "false"}'
    return (
        f'{{"trade_id":{_quote(trade.trade_id)},"ticker":{_quote(trade.ticker)},'
        f'"count_fp":"{contracts(trade.count_centi)}",'
        f'"yes_price_dollars":"{DOLLARS[price_cc]}","no_price_dollars":"{DOLLARS[DOLLAR_CC - price_cc]}",'
        f'"taker_outcome_side":"{side}","taker_book_side":"{"bid" if side == "yes" else "ask"}",'
        f'"taker_side":"{side}","created_time":"{moment(trade.created_ts)}"{block}}}'
    )


def book_json(book: OrderBook, *, depth: int) -> Json:
    """Return both sides, ascending in price; `depth` keeps the best levels, 0 keeps all."""
    sides = {
        f"{side}_dollars": [[dollars(price), contracts(count)] for price, count in book.levels(side)[-depth:]]
        for side in ("yes", "no")
    }  # levels[-0:] is the whole list
    return {"orderbook_fp": sides}


def series_fee_change_json(change: FeeChange) -> Json:
    """Return a fee change of a series."""
    return {
        "id": change.change_id,
        "series_ticker": change.ticker,
        "fee_type": change.fee_type,
        "fee_multiplier": multiplier(change.multiplier_ppm),
        "scheduled_ts": moment(change.effective_ts),
    }


def event_fee_change_json(change: FeeChange, series_ticker: str) -> Json:
    """Return a fee change of an event; both overrides null clear it."""
    return {
        "id": change.change_id,
        "event_ticker": change.ticker,
        "series_ticker": series_ticker,
        "fee_type_override": change.fee_type,
        "fee_multiplier_override": multiplier(change.multiplier_ppm),
        "scheduled_ts": moment(change.effective_ts),
    }
