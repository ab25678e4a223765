"""Baskets once more: loops over orders, fills and what each contract came to."""

from typing import Any

from tests.oracles.engine import Market, Oracle, Order


def baskets_of(run: Oracle) -> list[dict[str, Any]]:
    """Return one row per basket, by its first order."""
    groups: dict[tuple[int, str], list[Order]] = {}
    for order in run.orders:
        if order.basket is not None:
            groups.setdefault((order.decided_us, order.basket), []).append(order)
    return [
        {
            "decision_us": decided_us,
            "basket": basket,
            "n_legs": len(legs),
            "wanted_centi": legs[0].wanted,
            **_came_to(run, legs),
        }
        for (decided_us, basket), legs in groups.items()
    ]


def _came_to(run: Oracle, legs: list[Order]) -> dict[str, Any]:
    complete = min(leg.filled for leg in legs)
    told = dict.fromkeys(("stranded_centi", "n_stranded", "complete_cost_micros", "stranded_cost_micros"), 0)
    told |= {"complete_centi": complete, "complete_pnl_micros": 0, "stranded_pnl_micros": 0}
    for leg in legs:
        fills = [each for each in run.fills if each["order_id"] == leg.order_id]
        cost = sum(_price(leg, each) * each["count_centi"] + each["fee_micros"] for each in fills)
        of_sets = cost * complete // leg.filled if leg.filled else 0
        pays, left = _pays(run.markets[leg.ticker], leg) if fills else 0, leg.filled - complete
        told["stranded_centi"] += left
        told["n_stranded"] += left > 0
        told["complete_cost_micros"] += of_sets
        told["stranded_cost_micros"] += cost - of_sets
        told["complete_pnl_micros"] += pays * complete - of_sets
        told["stranded_pnl_micros"] += pays * left - (cost - of_sets)
    numbers = {leg.order_id for leg in legs}
    times = [each["fill_us"] for each in run.fills if each["order_id"] in numbers]
    return told | {"first_fill_us": min(times, default=None), "last_fill_us": max(times, default=None)}


def _price(leg: Order, fill: dict[str, Any]) -> int:
    price: int = fill["yes_price_cc"]
    return price if leg.way > 0 else 10_000 - price


def _pays(market: Market, leg: Order) -> int:
    bid, ask = (market.value_cc, market.value_cc) if market.is_settled else market.mark
    return bid if leg.way > 0 else 10_000 - ask
