"""The kernels against the slow oracle: small random worlds, every frame compared with ==."""

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backtest as bt
from backtest.kernels.arrays import QUEUES
from backtest.results import Run
from exchange.fees import FeeTerms
from exchange.units import to_us
from tests.backtest.histories import THURSDAYS, an_exclusive_event, hedges, later, with_a_past
from tests.backtest.worlds import (
    SERIES,
    T0,
    MemoryLake,
    a_delta,
    a_gap,
    a_lake,
    a_market,
    a_plan,
    a_quote,
    a_series,
    a_snapshot,
    assert_conserved,
    at,
    settled,
)
from tests.oracles.baskets import baskets_of
from tests.oracles.engine import NEVER, Market, Oracle, Order, book_instants, check, quote_instants
from tests.oracles.queue import woven
from tests.oracles.rules import payouts
from tests.oracles.slippage import trade_instants

TICKERS = ("A", "B", "C")
PRICES = range(2_500, 8_000, 500)
Wish = tuple[float, str, dict[str, Any]]


def market_rows(rng: Random) -> list[dict[str, Any]]:
    """A and B share an event; some settle, also at fractions and in the middle of the action; some never."""
    rows = []
    for ticker in TICKERS[: rng.randint(1, 3)]:
        close = rng.choice([10, 30, 40, 60])
        more: dict[str, Any] = {
            "event_ticker": "E-C" if ticker == "C" else "E-AB",
            "close_ts": at(close),
            "open_ts": at(rng.choice([-5, -5, 3])),
        }
        if rng.random() < 0.6:
            paid = at(close + rng.choice([-5, 0, 0, 3, 20]))
            rows.append(settled(ticker, pays_cc=rng.choice([0, 3_300, 10_000]), settlement_ts=paid, **more))
        else:
            rows.append(a_market(ticker, **more))
    return rows


def quote_rows(rng: Random) -> list[dict[str, Any]]:
    """A touch that moves little, so that sizes run out; now and then a side is empty, unsized or crossed."""
    quotes = []
    for ticker in TICKERS:
        seconds = rng.randint(-3, 5)
        bid, ask = 4_500, 5_500
        for n in range(rng.randint(0, 20)):
            seconds += rng.choice([0, 1, 1, 2, 5])
            bid = rng.choice([bid, bid, rng.choice(PRICES)])
            ask = rng.choice([ask, ask, max(bid + 500, rng.choice(PRICES)), rng.choice(PRICES)])
            sizes = rng.choice([50, 100, 300, None]), rng.choice([50, 300, 1_000, 0, None])
            shown = rng.choice([(bid, ask)] * 6 + [(None, ask), (bid, None)])
            quote = a_quote(seconds, *shown, ticker=ticker, sizes=sizes)
            quotes.append(quote | {"received_ts": quote["event_ts"] + timedelta(milliseconds=n)})
    return quotes


def quote_tables(rng: Random) -> dict[str, list[dict[str, Any]]]:
    """Quotes of up to two recordings of the same markets; now and then one stops, for a market or for all."""
    sessions = ("s", "t")[: rng.randint(1, 2)]
    quotes = [each | {"session": rng.choice(sessions)} for each in quote_rows(rng)]
    stopped = [each for each in sessions if rng.random() < 0.4]
    stops = [
        a_gap(
            rng.randint(-3, 40),
            from_seq=9,
            tickers=rng.choice([TICKERS, TICKERS[:1]]),
            session=session,
            cause=rng.choice(["session_end", "stalled"]),
        )
        for session in stopped
    ]
    return {"quotes": quotes, "book_gaps": stops}


def book_rows(rng: Random) -> dict[str, list[dict[str, Any]]]:
    """Sessions that overlap, numbers with holes, levels that shrink, empty and now and then cross."""
    found: dict[str, list[dict[str, Any]]] = {"book_snapshots": [], "book_deltas": [], "book_gaps": []}
    for session in ("s", "t")[: rng.randint(1, 2)]:
        seconds, seq = rng.randint(-4, 6), 0
        holes = dict[str, dict[str, Any]]()
        for ticker in TICKERS:
            seq += 1
            found["book_snapshots"].append(a_random_snapshot(rng, seconds, seq, ticker, session))
        for _ in range(rng.randint(0, 30)):
            seconds, seq = seconds + rng.choice([0, 0, 1, 3]), seq + 1
            ticker, chance = rng.choice(TICKERS), rng.random()
            if chance < 0.05:
                for blinded in sorted({*rng.sample(TICKERS, rng.randint(1, 3))} - set(holes)):
                    holes[blinded] = a_gap(seconds, from_seq=seq, tickers=[blinded], session=session)
                    found["book_gaps"].append(holes[blinded])
            elif chance < 0.15:
                holes.pop(ticker, {})["until_ts"] = at(seconds)
                found["book_snapshots"].append(a_random_snapshot(rng, seconds, seq, ticker, session))
            else:
                side, price = (
                    rng.choice(["yes", "no"]),
                    rng.choice([4_000, 4_000, 4_500, 4_500, 3_500, 5_500]),
                )
                change = rng.choice([-300, -100, 100, 200])
                row = a_delta(seconds, side, price, change, seq=seq, ticker=ticker, session=session)
                found["book_deltas"].append(row)
    return found


def busy_rows(rng: Random) -> dict[str, list[dict[str, Any]]]:
    """Two bids a side where sizes come, are cancelled and trade all the time; now and then a hole."""
    found = (
        book_rows(rng) if rng.random() < 0.3 else {"book_snapshots": [], "book_deltas": [], "book_gaps": []}
    )
    shown = {1: rng.choice([100, 300]), 2: rng.choice([100, 300])}
    for number, ticker in enumerate(TICKERS, 1):
        book = dict(zip((4_000, 4_500), shown.values(), strict=True))
        found["book_snapshots"].append(
            a_snapshot(-2, yes=book, no=book, ticker=ticker, session="u", seq=number)
        )
    seconds, trades = 0, []
    for seq in range(4, rng.randint(10, 60)):
        seconds += rng.choice([0, 0, 1, 2])
        ticker, side, price = rng.choice("AAAB"), rng.choice(["yes", "no"]), rng.choice([4_000, 4_500, 4_500])
        if rng.random() < 0.04:
            found["book_gaps"].append(a_gap(seconds, from_seq=seq, session="u"))
            continue
        change = rng.choice([100, 150, 200, -100, -100, -150])
        row = a_delta(seconds, side, price, change, seq=seq, ticker=ticker, session="u")
        found["book_deltas"].append(row)
        if change < 0 and rng.random() < 0.7:
            yes_cc, taker = (price, "no") if side == "yes" else (10_000 - price, "yes")
            trades.append(a_trade(rng, ticker, row["event_ts"], yes_cc, -change, taker))
    return found | {"trades": trades}


def patient(rng: Random) -> list[Wish]:
    """Orders that mostly wait, at the prices of `busy_rows`, several of them in one queue."""
    made = wishes(rng, 4)
    for _ in range(rng.randint(1, 8)):
        order = {
            "action": "buy",
            "side": rng.choice(["yes", "no"]),
            "count": rng.choice([0.5, 1, 2]),
            "limit": rng.choice([4_000, 4_500, 4_500, 5_000]),
            "tif": "gtc",
            "ttl": rng.choice([None, 5, 15]),
            "post_only": rng.random() < 0.5,
            "replace": rng.random() < 0.2,
        }
        if rng.random() < 0.15:
            order |= {"action": "cancel", "side": rng.choice(["yes", "no", None])}
        made.append((rng.randint(-2, 20), rng.choice("AAAB"), order))
    return made


def last_rows(rng: Random) -> dict[str, list[dict[str, Any]]]:
    """Trades alone, around the middle or near an end, takers in turn or not, often several at once."""
    trades = []
    for ticker in TICKERS:
        seconds, price = rng.randint(-3, 5), rng.choice([5_000, 5_000, 300, 9_600])
        for _ in range(rng.randint(0, 30)):
            seconds += rng.choice([0, 1, 1, 2])
            price = min(9_900, max(100, price + rng.choice([-100, 0, 0, 50, 100])))
            taker = rng.choice(["yes", "no"])
            paid = min(9_900, price + rng.choice([0, 100])) if taker == "yes" else price
            trades.append(a_trade(rng, ticker, at(seconds), paid, rng.choice([50, 100, 300]), taker))
    return {"trades": trades}


def a_slippage(rng: Random) -> bt.Slippage:
    """Half-spreads given, given by price, or estimated; no impact, or one of every shape."""
    impacts: list[dict[str, Any]] = [
        {},
        {"impact": "linear", "coefficient_cc": rng.choice([0.7, 40])},
        {"impact": "sqrt", "coefficient_cc": 35},
        {"impact": lambda contracts: 25 * (contracts // 2)},
    ]
    return bt.Slippage(
        half_spread_cc=rng.choice([None, 40, 100, {0: 30, 5_000: 170}]),
        max_age=rng.choice([None, None, "2s", "9s"]),
        **rng.choice(impacts),
    )


def trade_rows(rng: Random, books: Mapping[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Trades that changes show, some a moment off, some beyond it, and trades that no change shows."""
    trades = []
    for row in books["book_deltas"]:
        if row["delta_centi"] < 0 and rng.random() < 0.6:
            price = row["price_cc"] if row["side"] == "yes" else 10_000 - row["price_cc"]
            off = timedelta(seconds=rng.choice([0, 0, 0, 0, -1, 1, 3]))
            taker = "no" if row["side"] == "yes" else "yes"
            trades.append(
                a_trade(rng, row["ticker"], row["event_ts"] + off, price, -row["delta_centi"], taker)
            )
    for _ in range(rng.randint(0, 8)):
        price, taker = rng.choice([3_500, 4_000, 4_500, 5_500, 6_000]), rng.choice(["yes", "no"])
        trades.append(
            a_trade(
                rng, rng.choice(TICKERS), at(rng.randint(-3, 45)), price, rng.choice([50, 100, 300]), taker
            )
        )
    return trades


def a_trade(
    rng: Random, ticker: str, event_ts: datetime, yes_price_cc: int, count_centi: int, taker_side: str
) -> dict[str, Any]:
    """Return one trade; now and then it is a block, which nobody in the book took part in."""
    return {
        "trade_id": f"{rng.getrandbits(64):016x}",
        "ticker": ticker,
        "event_ts": event_ts,
        "yes_price_cc": yes_price_cc,
        "count_centi": count_centi,
        "taker_side": taker_side,
        "is_block_trade": rng.random() < 0.05,
    }


def a_random_snapshot(rng: Random, seconds: int, seq: int, ticker: str, session: str) -> dict[str, Any]:
    """YES bids and NO bids of 45 cents and less: the best ask is 55 cents or more."""
    sides = [
        {
            price: rng.choice([50, 100, 300])
            for price in rng.sample([4_500, 4_000, 3_500, 3_000], rng.randint(0, 4))
        }
        for _ in range(2)
    ]
    return a_snapshot(seconds, yes=sides[0], no=sides[1], ticker=ticker, session=session, seq=seq)


def wishes(rng: Random, n_max: int = 16) -> list[Wish]:
    """Orders of every kind at whole seconds, so that they meet events, closes and payouts exactly."""
    made: list[Wish] = []
    for n in range(rng.randint(1, n_max)):
        action = rng.choice(["buy", "buy", "buy", "sell", "sell", "close"])
        limit = rng.choice([None, *PRICES, 4_500, 5_500, 6_000, 4_950])
        tif = rng.choice(["ioc", "ioc", "fok", "gtc", "gtc"])
        order: dict[str, Any] = {
            "action": action,
            "side": None if action == "close" else rng.choice(["yes", "no"]),
            "count": rng.choice([0.5, 1, 4, 7.25, 10]),
            "limit": limit,
            "tif": tif if limit is not None or tif == "fok" else "ioc",
            "ttl": rng.choice([None, 1, 5, 15]),
        }
        order["post_only"] = order["tif"] == "gtc" and rng.random() < 0.3
        ticker = rng.choice([*TICKERS, "A", "A"]) if n else "A"
        made.append((rng.randint(-2, 40), ticker, order))
    return made


def with_baskets(rng: Random, plan: list[Wish]) -> list[Wish]:
    """Add up to four baskets of two or three legs: orders of any kind for one count, often at any price."""
    plan = list(plan)
    may_wait = rng.random() < 0.5
    for number in range(rng.choice([0, 2, 3, 4])):
        at_s, count = rng.randint(2, 30), rng.choice([0.5, 0.5, 1, 7.25])
        for ticker in TICKERS[: rng.choice([2, 2, 3])]:
            _, _, order = rng.choice(wishes(rng))
            leg: dict[str, Any] = {"action": rng.choice(["buy", "buy", "sell"]), "count": count}
            leg |= {"side": order["side"] or "yes", "basket": f"b{number}"}
            if rng.random() < 0.8:
                leg |= {"limit": None, "tif": "ioc", "post_only": False}
            elif not may_wait and order["tif"] == "gtc":
                leg |= {"tif": "ioc", "post_only": False}
            plan.insert(rng.randint(0, len(plan)), (at_s, ticker, order | leg))
    return plan


def intent(order: dict[str, Any]) -> pl.Expr:
    """Build the order as a user would."""
    if order["action"] == "close":
        return bt.close()
    if order["action"] == "cancel":
        return bt.cancel(order["side"])
    build = getattr(bt, f"{order['action']}_{order['side']}")
    ttl = f"{order['ttl']}s" if order["ttl"] and order["tif"] == "gtc" else None
    more = {name: order.get(name, False) for name in ("post_only", "replace")}
    made: pl.Expr = build(order["count"], order["limit"], ttl, order["tif"], **more)
    return made


def arrivals(plan: list[Wish], *, legs: str) -> list[tuple[float, str, float, int, dict[str, Any]]]:
    """Return (second of arrival, ticker, second of the decision, row, order) by arrival, one second apart."""
    n_legs: dict[tuple[float, str | None], int] = {}
    found = []
    for row, (at_s, ticker, order) in enumerate(plan):
        is_leg = legs == "one by one" and order.get("basket") is not None
        key = (at_s, order.get("basket"))
        n_before = n_legs[key] = n_legs.get(key, -1) + 1
        found.append((at_s + 1 + (n_before if is_leg else 0), ticker, at_s, row, order))
    return sorted(found, key=lambda each: each[:4])


def oracle(
    lake: MemoryLake,
    plan: list[Wish],
    terms: FeeTerms,
    *,
    fills: str,
    queue: str | None,
    cash: int,
    caps: tuple[int | None, int | None],
    netting: bool,
    by: timedelta,
    legs: str,
    slippage: bt.Slippage | None = None,
    refill_s: int | None = None,
    max_age_s: int | None = None,
) -> Oracle:
    """Run the slow engine on the same rows, one second of latency; `caps` are of an event and of a series."""
    wanted = {ticker for _, ticker, _ in plan}
    markets = slow_markets(lake, fills=fills, slippage=slippage, tickers=wanted)
    orders: list[Order] = []
    last_leg: dict[tuple[float, str], Order] = {}
    for number, (arrival_s, ticker, at_s, _, wish) in enumerate(arrivals(plan, legs=legs)):
        is_close = wish["action"] in ("close", "cancel")
        arrival = to_us(T0 + by) + int(arrival_s) * 1_000_000
        close_us = markets[ticker].close_us if ticker in markets else NEVER
        ttl = wish["ttl"] * 1_000_000 if wish["ttl"] and wish["tif"] == "gtc" and not is_close else None
        order = Order(
            order_id=number,
            ticker=ticker,
            arrival_us=arrival,
            action=wish["action"],
            side=wish["side"],
            count=0 if is_close else round(wish["count"] * 100),
            limit=None if is_close else wish["limit"],
            tif="ioc" if is_close else wish["tif"],
            expiry_us=min(close_us, arrival + ttl if ttl else NEVER),
            is_post_only=not is_close and wish["post_only"],
            is_replacing=not is_close and wish.get("replace", False),
            decided_us=to_us(at(at_s) + by),
            basket=wish.get("basket"),
        )
        order.wanted = order.waiting = order.count
        if order.basket is not None and legs == "one by one":
            order.after = last_leg.get((at_s, order.basket))
            last_leg[at_s, order.basket] = order
        check(order, markets)
        orders.append(order)
    run = Oracle(
        markets,
        orders,
        terms,
        cash,
        caps[0],
        queue,
        series_cap=caps[1],
        netted=netted_events(lake, on=netting),
        basis="book" if fills == "queue" else fills,
        refill_us=NEVER if refill_s is None else refill_s * 1_000_000,
        max_age_us=NEVER if max_age_s is None else max_age_s * 1_000_000,
        slips=slippage is not None,
        worse=worse_of(slippage),
    )
    run.run()
    return run


def slow_markets(
    lake: MemoryLake,
    *,
    fills: str,
    slippage: bt.Slippage | None = None,
    tickers: Iterable[str] | None = None,
) -> dict[str, Market]:
    """Return the slow engine's markets, with everything that happens in them; by default, all there are."""
    markets = {}
    known = {row["ticker"] for row in lake.rows["markets"]}
    for name in known if tickers is None else known.intersection(tickers):
        states = [row for row in lake.rows["markets"] if row["ticker"] == name]
        paid = payouts(states)
        close_us = min([to_us(states[-1]["close_ts"]), *(t for t, _ in paid)])

        def of(table: str, ticker: str = name) -> list[Any]:
            return [
                each
                for each in lake.rows.get(table, ())
                if ticker in (each.get("ticker"), *each.get("tickers", ()))
            ]

        if fills == "trades":
            assert slippage is not None
            events = trade_instants(of("trades"), close_us, half_of(slippage), slippage.max_age_us)
        elif fills == "touch":
            stops = {gap["session"]: to_us(gap["from_ts"]) for gap in of("book_gaps")}
            events = quote_instants(of("quotes"), close_us, stops)
        else:
            events = book_instants(of("book_snapshots"), of("book_deltas"), of("book_gaps"), close_us)
        if fills == "queue":
            events = woven(events, of("trades"), close_us)
        markets[name] = Market(states, close_us, paid, events)
    return markets


def netted_events(lake: MemoryLake, *, on: bool) -> frozenset[str]:
    """Return the events that return collateral: exclusive ones, and no other scheme on record."""
    return frozenset(
        row["ticker"]
        for row in lake.rows["events"]
        if on and row["mutually_exclusive"] and row["collateral_return_type"] in ("MECNET", None)
    )


def half_of(slippage: bt.Slippage) -> Callable[[int], int] | None:
    """Return half of the spread by price, by looking through the steps."""
    steps = slippage.half_spread_cc
    if steps is None or isinstance(steps, int):
        return None if steps is None else lambda _: steps
    return lambda price: [half for start, half in sorted(steps.items()) if start <= price][-1]


def worse_of(slippage: bt.Slippage | None) -> Callable[[float], float] | None:
    """Return the impact as a function of one count."""
    if slippage is None or slippage.impact is None:
        return None
    if callable(shape := slippage.impact):
        plain: Any = shape  # it takes numbers as well as arrays
        return lambda contracts: float(plain(contracts))
    times, power = slippage.coefficient_cc or 0.0, math.sqrt if shape == "sqrt" else float
    return lambda contracts: times * power(contracts)


def assert_same(run: Run, slow: Oracle) -> None:
    """Compare everything both engines say."""
    filled = run.fills.with_columns(fill_us=pl.col("fill_ts").dt.epoch("us"))
    columns = ["order_id", "fill_us", "ticker", "yes_price_cc", "count_centi", "cash_micros", "fee_micros"]
    assert filled.select(*columns, "role", "evidence", "position_after_centi").to_dicts() == slow.fills
    paid = run.settlements.with_columns(settled_us=pl.col("settled_ts").dt.epoch("us"))
    columns = ["ticker", "settled_us", "position_centi", "value_cc", "payout_micros", "cost_micros"]
    assert paid.select(*columns, "is_correction").to_dicts() == slow.settlements
    ended = run.orders.with_columns(ended_us=pl.col("ended_ts").dt.epoch("us"))
    ordered = ended.select("action", "side", "count_centi", "filled_centi", "reason", "ended_us").rows()
    assert ordered == [(o.action, o.side, o.count, o.filled, o.reason, o.ended_us) for o in slow.orders]
    dropped = [o.dropped if o.is_resting else None for o in slow.orders]
    assert run.orders["dropped_centi"].to_list() == dropped
    amounts = [f"{name}_micros" for name in ("cash", "marked", "locked", "returned")]
    marked = run.equity.select(pl.col("ts").dt.epoch("us"), *amounts)
    assert marked.rows()[1:] == slow.equity
    held = {m: each.position for m, each in slow.markets.items() if each.position}
    assert dict(run.positions.select("ticker", "position_centi").iter_rows()) == held
    assert run.summary["cash_end_micros"].to_list() == [slow.cash]
    assert run.summary["locked_max_micros"].to_list() == [slow.locked_max]
    assert run.summary["locked_dollar_days"].to_list() == [slow.locked_micro_us / (10**12 * 86_400)]
    moments = pl.col("decision_ts", "first_fill_ts", "last_fill_ts")
    grouped = run.baskets.with_columns(moments.dt.epoch("us")).rename(lambda name: name.replace("_ts", "_us"))
    assert grouped.to_dicts() == [{name: row[name] for name in grouped.columns} for row in baskets_of(slow)]
    assert slow.poorest >= 0 or slow.is_owing
    assert_conserved(run)


SLOW = settings(max_examples=25)
SEEDS = st.integers(0, 2**40)  # worlds from seeds: rich from the start, and one number replays them


def compare(
    lake: MemoryLake,
    plan: list[Wish],
    rng: Random,
    *,
    fills: str,
    queue: str | None = None,
    exclusive: bool = False,
) -> tuple[Run, Oracle]:
    """Run both engines with a past of the markets, and a purse and caps that sometimes bind."""
    (terms,) = (FeeTerms(each["fee_type"], each["fee_multiplier_ppm"]) for each in lake.rows["series"])
    slippage = a_slippage(rng) if fills == "trades" or (fills == "touch" and rng.random() < 0.5) else None
    by = timedelta(0)
    if exclusive:
        lake = MemoryLake({**lake.rows, "events": [an_exclusive_event("E")]})
    else:
        plan = [*plan, *hedges(rng)] if rng.random() < 0.4 else plan
        by = rng.choice([by] * 6 + [*THURSDAYS])
        lake = later(with_a_past(rng, lake, has_one_grid=slippage is not None).rows, by)
    cash, cap = rng.choice([3, 12, 1_000]), rng.choice([None, None, 2, 8])
    series_cap = rng.choice([None, None, 6])
    legs = [order for _, _, order in plan if "basket" in order]
    asked = a_plan(*((at_s, ticker, intent(order)) for at_s, ticker, order in plan))
    if legs:
        asked = asked.with_columns(basket=pl.Series([order.get("basket") for _, _, order in plan]))
    asked = asked.with_columns(pl.col("known_ts") + by)
    ways = ["together", "one by one"] if legs and all(leg["tif"] != "gtc" for leg in legs) else ["together"]
    sent = rng.choice(ways)
    placed: dict[str, Any] = {"legs": sent} | ({} if queue is None else {"queue": queue})
    refill_s = rng.choice([None, None, 3, 10])
    placed["refill"] = "never" if refill_s is None else f"{refill_s}s"
    max_age_s = rng.choice([None, None, 1, 4]) if fills == "touch" else None
    placed["max_age"] = None if max_age_s is None else f"{max_age_s}s"
    placed["slippage"] = {SERIES: slippage} if slippage and rng.random() < 0.3 else slippage
    netting = exclusive or rng.random() < 0.5
    placed |= {"per_event": cap, "per_series": series_cap, "netting": netting}
    run = bt.run(asked, lake, fills=fills, latency="1s", cash=cash, **placed)
    cap_micros, series_micros = (None if each is None else each * 1_000_000 for each in (cap, series_cap))
    slow = oracle(
        lake,
        plan,
        terms,
        fills=fills,
        queue=queue,
        cash=cash * 1_000_000,
        caps=(cap_micros, series_micros),
        netting=netting,
        by=by,
        legs=sent,
        slippage=slippage,
        refill_s=refill_s,
        max_age_s=max_age_s,
    )
    assert_same(run, slow)
    return run, slow


@SLOW
@given(SEEDS)
def test_touch_fills_equal_the_oracle(seed: int) -> None:
    """Traps 3, 8, 10, 25, 26: sizes, latency, empty sides, one purse, reservations, all at once."""
    rng = Random(seed)
    lake = a_lake(markets=market_rows(rng), series=[a_series()], **quote_tables(rng))
    compare(lake, with_baskets(rng, wishes(rng)), rng, fills="touch")


@settings(SLOW, max_examples=20)
@given(SEEDS)
def test_fills_at_the_last_trades_equal_the_oracle(seed: int) -> None:
    """Traps 1, 7, 13: never at the last trade alone, own size costs, prices on the grid and inside (0, 1)."""
    rng = Random(seed)
    lake = a_lake(markets=market_rows(rng), series=[a_series()], **last_rows(rng))
    compare(lake, with_baskets(rng, wishes(rng)), rng, fills="trades")


@SLOW
@given(SEEDS)
def test_book_fills_equal_the_oracle(seed: int) -> None:
    """Traps 3, 7, 17: depth is finite, what we took stays taken, a hole blinds until the next snapshot."""
    rng = Random(seed)
    lake = a_lake(markets=market_rows(rng), series=[a_series()], **book_rows(rng))
    compare(lake, with_baskets(rng, wishes(rng)), rng, fills="book")


@SLOW
@given(SEEDS, st.sampled_from(list(QUEUES)))
def test_queue_fills_equal_the_oracle(seed: int, queue: str) -> None:
    """Traps 4, 5, 6, 21: only trades fill, each once, at the posted price, after what is ahead."""
    rng = Random(seed)
    terms = a_series(fee_type=rng.choice(["quadratic", "quadratic_with_maker_fees"]))
    tables = queue_tables(rng)
    lake = a_lake(markets=market_rows(rng), series=[terms], **tables)
    compare(lake, with_baskets(rng, patient(rng)), rng, fills="queue", queue=queue)


@SLOW
@given(SEEDS, st.booleans())
def test_netting_equals_the_oracle(seed: int, can_owe: bool) -> None:  # noqa: FBT001 -- drawn
    """Traps 37, 39: NO in three exclusive markets, which settle one after the other, now and then void."""
    rng = Random(seed)
    values = rng.choice([(0, 0, 0), (10_000, 0, 0), (0, 10_000, 0), (3_300, 3_300, 3_300)])
    values = (5_000, 5_000, 5_000) if can_owe and rng.random() < 0.3 else values
    markets = [
        settled(
            ticker,
            pays_cc=value,
            event_ticker="E",
            open_ts=at(-5),
            close_ts=at(40),
            settlement_ts=at(rng.randint(20, 60)),
        )
        for ticker, value in zip(TICKERS, values, strict=True)
    ]
    plan = [wish for _ in range(2) for wish in hedges(rng)]
    plan = [*plan, *wishes(rng, 4)] if can_owe else plan
    series = [a_series(ppm=rng.choice([0, 1_000_000]))]
    lake = a_lake(markets=markets, series=series, **quote_tables(rng))
    _, slow = compare(lake, plan, rng, fills="touch", exclusive=True)
    assert can_owe or not slow.is_owing


def queue_tables(rng: Random) -> dict[str, list[dict[str, Any]]]:
    """Busy queues, or any books with trades that fit well or not at all."""
    if rng.random() < 0.8:
        return busy_rows(rng)
    books = book_rows(rng)
    return books | {"trades": trade_rows(rng, books)}


@pytest.mark.long
def test_the_random_worlds_reach_every_kind_of_outcome() -> None:
    """A comparison proves only what it exercises: partial, late, multi-level fills and all reasons occur."""
    reasons: set[str | None] = set()
    evidence: set[str] = set()
    n_late = n_several = n_settled = n_flipped = n_sets = n_stranded = 0
    for seed in range(160):
        rng = Random(seed)
        fills = ("touch", "book", "queue", "trades")[seed % 4]
        markets, tables, plan, queue = market_rows(rng), TABLES_OF[fills](rng), wishes(rng), None
        if fills == "queue":
            plan, queue = patient(rng), rng.choice(list(QUEUES))
        plan = with_baskets(rng, plan)
        run, _ = compare(a_lake(markets=markets, **tables), plan, rng, fills=fills, queue=queue)
        reasons |= set(run.orders["reason"])
        evidence |= set(run.fills["evidence"])
        n_late += run.fills.filter(pl.col("fill_ts") > pl.col("arrival_ts")).height
        n_several += run.fills.filter(pl.col("order_id").is_duplicated()).height
        n_settled += run.settlements.height
        n_sets += run.baskets.filter(pl.col("complete_centi") > 0).height
        n_stranded += run.baskets.filter(pl.col("n_stranded") > 0).height
        n_flipped += run.fills.filter(pl.col("cash_micros") > 0).height
    assert reasons >= {None, "closed", "not open", "off-grid limit", "unknown market", "nothing held"}
    assert reasons >= {"book unknown", "no cash", "event cap", "beyond limit", "no size left"}
    assert reasons >= {"fill or kill", "expired", "post only", "cancelled", "nothing waits"}
    assert reasons >= {"paused", "series cap", "leg before unfilled"}
    assert evidence == {
        "touch",
        "touch:no-size",
        "touch:crossed",
        "touch:impact",
        "trades",
        "trades:impact",
        "trades:crossed",
        "book",
        "book:crossed",
        "queue",
        "queue:through",
    }
    assert min(n_late, n_several, n_settled, n_flipped, n_sets, n_stranded) >= 5


@pytest.mark.long
@pytest.mark.parametrize("part", range(8))
def test_two_thousand_worlds_equal_the_oracle(part: int) -> None:
    """Every kind of fill, every place in the queue, seeds that no other test uses."""
    for seed in range(10_000 + 250 * part, 10_250 + 250 * part):
        rng = Random(seed)
        fills, markets = ("touch", "book", "queue", "queue", "trades")[seed % 5], market_rows(rng)
        terms = a_series(fee_type=rng.choice(["quadratic", "quadratic_with_maker_fees"]))
        tables = TABLES_OF[fills](rng)
        plan = with_baskets(rng, patient(rng) if fills == "queue" else wishes(rng))
        queue = rng.choice(list(QUEUES)) if fills == "queue" else None
        compare(a_lake(markets=markets, series=[terms], **tables), plan, rng, fills=fills, queue=queue)


TABLES_OF: Final = {"touch": quote_tables, "book": book_rows, "queue": queue_tables, "trades": last_rows}
