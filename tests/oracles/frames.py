"""What a finished slow run has to tell, frame by frame, as lists of dicts: loops over orders and fills.

Keys are those of the engine's frames; times end in `_us` instead of `_ts`. Baskets and equity are elsewhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import product
from typing import Any

from exchange.fees import rate_ppm
from exchange.units import to_us
from tests.oracles.engine import NEVER, Market, Oracle, Order, is_live, market_at
from tests.oracles.rules import paid_values

Row = dict[str, Any]
HORIZONS_S = (0, 5, 60, 600)
# Reasons for which nobody takes an order in, in the words of docs/fills.md.
REFUSED = frozenset(
    {"unknown market", "zero count", "too large", "not open", "closed", "no limit price", "off-grid limit"}
    | {"book unknown", "nothing held", "event cap", "series cap", "post only"}
)


def home(run: Oracle, ticker: str) -> Row:
    """Return a market's names; only its ticker where nobody knows it."""
    row: Mapping[str, Any] = run.markets[ticker].row if ticker in run.markets else {}
    return {"ticker": ticker, **{name: row.get(name) for name in ("event_ticker", "series_ticker")}}


def orders(run: Oracle) -> list[Row]:
    return [
        {
            "order_id": order.order_id,
            **home(run, order.ticker),
            "decision_us": order.decided_us,
            "arrival_us": None if order.reason == "leg before unfilled" else order.arrival_us,
            "ended_us": order.ended_us,
            "action": order.action,
            "side": order.side,
            "count_centi": order.count,
            "limit_cc": order.limit,
            "tif": order.tif,
            "basket": order.basket,
            "filled_centi": order.filled,
            "dropped_centi": order.dropped if order.is_resting else None,
            "status": status(order),
            "reason": order.reason,
        }
        for order in run.orders
    ]


def status(order: Order) -> str:
    """Say in a word what became of an order."""
    if order.action == "cancel" and order.reason in (None, "nothing waits"):
        return "done"
    if order.filled:
        return "filled" if order.filled == order.count else "partial"
    has_waited = order.is_resting and order.expiry_us > order.arrival_us
    is_late = order.reason in ("no cash", "paused") and has_waited
    return "rejected" if order.reason in {*REFUSED, "no cash", "paused"} and not is_late else "unfilled"


def fills(run: Oracle) -> list[Row]:
    told = []
    for number, fill in enumerate(run.fills):
        order = run.orders[fill["order_id"]]
        told.append(
            {
                "fill_id": number,
                **home(run, order.ticker),
                "decision_us": order.decided_us,
                "arrival_us": order.arrival_us,
                "action": order.action,
                "side": order.side,
                "price_cc": own(fill["yes_price_cc"], order.side),
                **fill,
            }
        )
    return told


def own(price: Any, side: str | None) -> Any:  # noqa: ANN401 -- whole or a half
    """Return a price of YES as one of the side."""
    return 10_000 - price if side == "no" else price


def markouts(run: Oracle) -> list[Row]:
    """Prices of the side; `after`: how far the middle has gone in favour of what was done."""
    told = []
    for fill in fills(run):
        way = 1 if fill["action"] == "buy" else -1
        middles = [middle(run, fill["ticker"], fill["fill_us"] + after * 1_000_000) for after in HORIZONS_S]
        sided: list[Any] = [None if each is None else own(each, fill["side"]) for each in middles]
        now, later = sided[0], sided[1:]
        told.append(
            {
                **{name: fill[name] for name in ("fill_id", *home(run, fill["ticker"]), "fill_us")},
                **{name: fill[name] for name in ("action", "side", "role", "count_centi", "price_cc")},
                "mid_cc": now,
                "spread_cc": None if now is None else way * (fill["price_cc"] - now),
                **{
                    f"after_{after}s_cc": None if None in (now, each) else way * (each - now)
                    for after, each in zip(HORIZONS_S[1:], later, strict=True)
                },
            }
        )
    return told


def middle(run: Oracle, ticker: str, t: int) -> float | None:
    """Return the middle of YES after all that happened by t; None where nobody can know one."""
    market = run.markets[ticker]
    last_us = max([to_us(market.row["observed_ts"]), *market.instants])
    if t >= market.close_us or t > last_us:
        return None
    now = market_at(market, t)
    if not is_live(now) or not now.bids or not now.asks or t - now.shown_us > run.max_age_us:
        return None
    return (max(now.bids) + min(now.asks)) / 2


def fees(run: Oracle) -> list[Row]:
    """One row for each rate; what the formula gives is exact here."""
    groups: dict[tuple[str, str, Fraction], list[Row]] = {}
    for fill in fills(run):
        terms = run.terms(fill["ticker"], fill["fill_us"])
        rate = Fraction(rate_ppm(terms.fee_type, is_taker=fill["role"] == "taker") * terms.multiplier_ppm)
        key = (fill["series_ticker"], fill["role"], rate / 10**12)
        groups.setdefault(key, []).append(fill)
    return [
        {
            "series_ticker": series,
            "role": role,
            "fee_rate": float(rate),
            "n_fills": len(charged),
            "count_centi": sum(each["count_centi"] for each in charged),
            "model_micros": float(rate * sum(map(variance, charged)) / 10_000),
            "fee_micros": sum(each["fee_micros"] for each in charged),
            "first_us": min(each["fill_us"] for each in charged),
            "last_us": max(each["fill_us"] for each in charged),
        }
        for (series, role, rate), charged in sorted(groups.items())
    ]


def variance(fill: Row) -> int:
    """Return count x price x (1 - price), in hundredths and centicents."""
    price: int = fill["yes_price_cc"]
    return int(fill["count_centi"]) * price * (10_000 - price)


def settlements(run: Oracle) -> list[Row]:
    told = []
    for paid in run.settlements:
        market = run.markets[paid["ticker"]]
        number = sum(
            each["ticker"] == paid["ticker"] and each is not paid and each["settled_us"] <= paid["settled_us"]
            for each in run.settlements[: run.settlements.index(paid)]
        )
        t, value = paid_values(market.states)[number]
        told.append(
            {
                **home(run, paid["ticker"]),
                "close_us": market.close_us if market.close_us < NEVER else None,
                "decided_us": value.seen_us if value.seen_us <= t else None,
                **paid,
                "is_assumed_time": value.paid_us != t,
                "pnl_micros": paid["payout_micros"] - paid["cost_micros"],
            }
        )
    return told


def positions(run: Oracle) -> list[Row]:
    told = []
    for ticker, market in sorted(run.markets.items()):
        if market.position:
            bids = (market.mark[0], 10_000 - market.mark[1])
            mark, other_mark = bids if market.position > 0 else bids[::-1]
            worth = abs(market.position) * mark
            told.append(
                {
                    **home(run, ticker),
                    "position_centi": market.position,
                    "cost_micros": market.spent,
                    "mark_cc": mark,
                    "other_mark_cc": other_mark,
                    "marked_micros": worth,
                    "pnl_micros": worth - market.spent,
                }
            )
    return told


def exposures(run: Oracle, exclusive: Iterable[str]) -> list[Row]:
    """Look at every event after each moment that moved it: the worst of all outcomes there still are."""
    paid = [(each["settled_us"], each) for each in run.settlements]
    moves = sorted(paid + [(each["fill_us"], each) for each in run.fills], key=lambda move: move[0])
    told = []
    for event in sorted({run.markets[move["ticker"]].row["event_ticker"] for _, move in moves}):
        mine = [(t, move) for t, move in moves if run.markets[move["ticker"]].row["event_ticker"] == event]
        members = [market for market in run.markets.values() if market.row["event_ticker"] == event]
        moments = {t for t, _ in mine}
        if event in exclusive:  # what one member pays, traded or not, is no longer there for the others
            moments |= {t for member in members for t, _ in member.payouts if t >= min(moments)}
        looks = [
            look(mine, t, left_cc=left_at(members, t) if event in exclusive else None)
            for t in sorted(moments)
        ]
        deepest = min(looks, key=lambda each: (each["worst_micros"], each["deepest_us"]))
        (series,) = {run.markets[move["ticker"]].row["series_ticker"] for _, move in mine}
        told.append(
            {
                "event_ticker": event,
                "series_ticker": series,
                "is_exclusive": event in exclusive,
                "n_markets": len({move["ticker"] for _, move in mine}),
                **deepest,
            }
        )
    return told


def left_at(members: Iterable[Market], t: int) -> int:
    """Return what members of an exclusive event can still pay after t: what the others have not paid."""
    values = [[value for paid_us, value in member.payouts if paid_us <= t][-1:] for member in members]
    return max(0, 10_000 - sum(map(sum, values)))


def look(moves: Sequence[tuple[int, Row]], t: int, *, left_cc: int | None) -> Row:
    """Return what an event could come to after t; `left_cc`: what one more may pay, None for each of them."""
    cost, held = 0, dict[str, int]()
    for at_us, move in moves:
        if at_us > t:
            continue
        if "payout_micros" in move:
            cost -= move["payout_micros"]
            held[move["ticker"]] = 0
        else:
            cost += move["fee_micros"] - move["cash_micros"]
            held[move["ticker"]] = move["position_after_centi"]
    if left_cc is not None:
        outcomes = [
            [left_cc if i == winner else 0 for i in range(len(held))] for winner in range(-1, len(held))
        ]
    else:
        outcomes = [list(each) for each in product((0, 10_000), repeat=len(held))]
    pays = [
        sum(
            n * value if n > 0 else -n * (10_000 - value)
            for n, value in zip(held.values(), each, strict=True)
        )
        for each in outcomes
    ]
    worst, best = min(pays) - cost, max(pays) - cost
    return {"deepest_us": t, "cost_micros": cost, "worst_micros": worst, "best_micros": best}


def attrition(run: Oracle, asked: Iterable[str]) -> Row:
    filled = {each["ticker"] for each in run.fills}
    return {
        "n_universe": len(set(asked)),
        "n_with_data": sum(bool(market.instants) for market in run.markets.values()),
        "n_with_intents": len({order.ticker for order in run.orders}),
        "n_with_fills": len(filled),
        "n_settled": len({each["ticker"] for each in run.settlements}),
        "n_open": sum(market.position != 0 for market in run.markets.values()),
    }


def coverage(run: Oracle) -> list[Row]:
    return [
        {
            **home(run, ticker),
            "open_us": to_us(market.row["open_ts"]),
            "close_us": market.close_us,
            "first_us": min(market.instants, default=None),
            "last_us": max(market.instants, default=None),
            "n_gaps": 0 if run.basis == "trades" else n_gaps(market),
            "traded_centi": market.row.get("volume_centi"),
            "known_share": known_share(run, market),
        }
        for ticker, market in sorted(run.markets.items())
    ]


def n_gaps(market: Market) -> int:
    return sum(each[0] == "unknown" for events in market.instants.values() for each in events)


def known_share(run: Oracle, market: Market) -> float:
    """Return the part of a market's hours in which there was anything to fill against."""
    open_us, times = to_us(market.row["open_ts"]), sorted(market.instants)
    seen_us = max([to_us(market.row["observed_ts"]), *times])
    known = 0
    for t, after in zip(times, [*times[1:], min(market.close_us, seen_us)], strict=False):
        if is_live(market_at(market, t)):
            known += max(0, min(after, t + run.max_age_us) - max(t, open_us))
    length = market.close_us - open_us
    return known / length if length > 0 else 0.0
