"""Rewards for quoting and for trading, and the collections from which combos are made.

Source: KALSHI.md §5.8 (OpenAPI 3.28.0, August 2026; changelog 2026-10-08); fields as in official SDK 3.34.0.
"""

from datetime import datetime
from typing import Final

from exchange.markets import Market
from exchange.ticks import STRUCTURES
from sandbox.catalog import Catalog, is_combo
from sandbox.encoding import Json, contracts, dollars, moment, moment_or_unset
from sandbox.milestones import thing_id

PROGRAM_TYPES: Final = ("liquidity", "volume")
REWARD_CC: Final = 500_000  # fifty dollars
COLLECTION: Final = "KXMVESIMCROSS-R"
COLLECTION_SERIES: Final = "KXMVESIMCROSS"
LEGS_MIN, LEGS_MAX = 2, 6
GRID: Final = "center_deci_edge_centi_cent"


def programs(catalog: Catalog) -> list[Json]:
    """Return a program for each market of economics, quoting and trading by turns, oldest first."""
    wanted = [each for each in catalog.market_rows if _category(catalog, each) == "Economics"]
    return [_program(market, PROGRAM_TYPES[number % 2]) for number, market in enumerate(wanted)]


def _category(catalog: Catalog, market: Market) -> str:
    event = catalog.events.get(market.event_ticker)
    return "" if event is None else event.category


def _program(market: Market, kind: str) -> Json:
    told: Json = {
        "id": thing_id("program", market.ticker),
        "market_id": thing_id("market", market.ticker),
        "market_ticker": market.ticker,
        "incentive_type": kind,
        "incentive_description": f"Simulated {kind} reward",
        "start_date": moment_or_unset(market.open_ts),
        "end_date": moment_or_unset(market.close_ts),
        "period_reward": REWARD_CC,
        "paid_out": market.status == "finalized",
    }
    if kind == "liquidity":
        told |= {"discount_factor_bps": 5_000, "target_size_fp": contracts(100_00)}
    return told


def program_status(program: Json, now_ts: datetime) -> str:
    """Return the filter word that a program matches besides `all`."""
    if program["paid_out"]:
        return "paid_out"
    if now_ts < datetime.fromisoformat(program["start_date"]):
        return "upcoming"
    return "active" if now_ts < datetime.fromisoformat(program["end_date"]) else "closed"


def combo_collections(catalog: Catalog) -> list[Json]:
    """Return the collections of the combos that are listed; without any, one that could have some."""
    by_ticker: dict[str, Market] = {}
    for market in catalog.market_rows:
        if market.mve_collection_ticker is not None:
            by_ticker.setdefault(market.mve_collection_ticker, market)
    legs = [
        event.ticker
        for event in catalog.event_rows
        if not is_combo(event) and any(each.status == "active" for each in catalog.of_event(event.ticker))
    ]
    if not by_ticker:
        return [_collection(catalog, COLLECTION, COLLECTION_SERIES, GRID, legs)]
    return [
        _collection(catalog, ticker, catalog.series_ticker(first), first.price_level_structure, legs)
        for ticker, first in by_ticker.items()
    ]


def _collection(catalog: Catalog, ticker: str, series_ticker: str, grid: str, legs: list[str]) -> Json:
    source = catalog.source
    opens = [each.open_ts for each in catalog.market_rows if each.open_ts is not None]
    return {
        "collection_ticker": ticker,
        "series_ticker": series_ticker,
        "exchange_index": 0,
        "title": "Any markets together",
        "description": "Pays if every chosen market does.",
        "open_date": moment(min(opens, default=source.trade_cutoff_ts)),
        "close_date": "2099-12-31T00:00:00Z",
        "associated_events": [
            {"ticker": each, "is_yes_only": False, "size_min": 0, "size_max": 1, "active_quoters": []}
            for each in legs
        ],
        "associated_event_tickers": legs,
        "is_ordered": False,
        "is_single_market_per_event": True,
        "is_all_yes": False,
        "size_min": LEGS_MIN,
        "size_max": LEGS_MAX,
        "functional_description": "The product of its legs.",
        "price_level_structure": grid,
        "price_ranges": [
            {"start": dollars(each.start_cc), "end": dollars(each.end_cc), "step": dollars(each.step_cc)}
            for each in STRUCTURES[grid]
        ],
    }
