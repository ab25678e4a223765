"""Random small worlds, rich from the start: markets, quotes, books, trades, orders and baskets."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

import polars as pl

import backtest as bt
from exchange.fees import COMBO_PREFIX
from tests.backtest.worlds import (
    SERIES,
    MemoryLake,
    a_delta,
    a_gap,
    a_market,
    a_quote,
    a_series,
    a_snapshot,
    at,
    settled,
)

TICKERS = ("A", "B", "C")
PRICES = range(2_500, 8_000, 500)
OTHER_SERIES = "KXOTHER"
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


def intent(order: dict[str, Any], times: pl.Expr | int = 1) -> pl.Expr:
    """Build the order as a user would, of so many times its count."""
    if order["action"] == "close":
        return bt.close(order["limit"])
    if order["action"] == "cancel":
        return bt.cancel(order["side"])
    build = getattr(bt, f"{order['action']}_{order['side']}")
    ttl = f"{order['ttl']}s" if order["ttl"] and order["tif"] == "gtc" else None
    more = {name: order.get(name, False) for name in ("post_only", "replace")}
    made: pl.Expr = build(order["count"] * times, order["limit"], ttl, order["tif"], **more)
    return made


def queue_tables(rng: Random) -> dict[str, list[dict[str, Any]]]:
    """Busy queues, or any books with trades that fit well or not at all."""
    if rng.random() < 0.8:
        return busy_rows(rng)
    books = book_rows(rng)
    return books | {"trades": trade_rows(rng, books)}


def dated_fees(rng: Random, lake: MemoryLake) -> MemoryLake:
    """Change fees in the middle of the action: of the series, events and markets, as seen or announced."""
    if rng.random() < 0.5:
        return lake
    kinds = ("quadratic", "quadratic_with_maker_fees", "quadratic_with_combo_maker_fees")
    seen = [
        a_series(fee_type=rng.choice(kinds), ppm=rng.choice([0, 500_000]), observed_ts=at(rng.randint(0, 30)))
    ]
    events = [
        {
            **row,
            "fee_type_override": rng.choice([None, rng.choice(kinds)]),
            "fee_multiplier_override_ppm": rng.choice([None, 0, 2_000_000]),
        }
        for row in lake.rows["events"]
    ]
    changes = []
    for second in sorted(rng.sample(range(-1, 35), rng.randint(0, 3))):
        scope, ticker = rng.choice([("series", SERIES), ("event", rng.choice(events)["ticker"])])
        is_end = scope == "event" and rng.random() < 0.3
        changes.append(
            {
                "scope": scope,
                "ticker": ticker,
                "effective_ts": at(second),
                "fee_type": None if is_end else rng.choice(kinds),
                "fee_multiplier_ppm": None if is_end else rng.choice([1_000_000, 1_500_000]),
            }
        )
    waived, apart = rng.choice([None, None, at(12)]), rng.choice(["", "E-C"])  # an event of another series
    markets = [
        {**row, "fee_waiver_expiration_ts": waived}
        | ({"series_ticker": OTHER_SERIES} if row["event_ticker"] == apart else {})
        for row in lake.rows["markets"]
    ]
    other = a_series(OTHER_SERIES, rng.choice(kinds), ppm=2_000_000)
    return MemoryLake(
        {
            **lake.rows,
            "series": [*lake.rows["series"], *seen[: rng.randint(0, 1)], other],
            "events": events,
            "fee_changes": changes,
            "markets": markets,
        }
    )


def with_a_combo(rng: Random, lake: MemoryLake, plan: list[Wish]) -> tuple[MemoryLake, list[Wish]]:
    """Make a combo of B now and then: fees of combos come in coarser units."""
    if rng.random() < 0.8:
        return lake, plan
    name = f"{COMBO_PREFIX}-B"

    def renamed(value: Any) -> Any:  # noqa: ANN401 -- of any column
        if isinstance(value, list):
            return [renamed(each) for each in value]
        return name if value == "B" else value

    rows = {
        table: [{key: renamed(value) for key, value in row.items()} for row in rows]
        for table, rows in lake.rows.items()
    }
    return MemoryLake(rows), [(at_s, renamed(ticker), order) for at_s, ticker, order in plan]


TABLES_OF: Final = {
    "mid": quote_tables,
    "touch": quote_tables,
    "book": book_rows,
    "queue": queue_tables,
    "trades": last_rows,
}
