"""The slow engine on the rows of a lake, and the comparison of all that it and a run of ours say."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

import polars as pl
import pytest

import backtest as bt
from backtest.latency import Latency
from backtest.results import Run
from exchange.units import to_us
from tests.backtest.random_worlds import Wish
from tests.backtest.worlds import MemoryLake, assert_conserved, at
from tests.oracles import frames
from tests.oracles.baskets import baskets_of
from tests.oracles.engine import NEVER, Market, Oracle, Order, book_instants, check, quote_instants
from tests.oracles.queue import woven
from tests.oracles.rules import ended, payouts, terms_of
from tests.oracles.slippage import trade_instants

ONE_SECOND: Final = Latency((1_000_000,))


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What both engines are told besides tape and orders; amounts in dollars, lengths in seconds."""

    fills: str
    cash: int = 1_000
    queue: str | None = None
    per_event: int | None = None
    per_series: int | None = None
    netting: bool = False
    legs: str = "together"
    latency: Latency = ONE_SECOND
    slippage: bt.Slippage | None = None
    extra_ticks: int = 0
    refill_s: int | None = None
    max_age_s: int | None = None
    by: timedelta = timedelta(0)  # how much later than T0 the world is

    @property
    def arguments(self) -> dict[str, Any]:
        """What `bt.run` is told."""
        same = ("fills", "cash", "per_event", "per_series", "netting", "legs", "latency")
        told = {name: getattr(self, name) for name in (*same, "slippage", "extra_ticks")}
        told["refill"] = "never" if self.refill_s is None else f"{self.refill_s}s"
        told["max_age"] = None if self.max_age_s is None else f"{self.max_age_s}s"
        return told | ({} if self.queue is None else {"queue": self.queue})


@dataclass(frozen=True)
class Sent:
    """One order on its way; `row`: its place in the plan."""

    arrival_us: int
    ticker: str
    decided_us: int
    row: int
    wish: dict[str, Any]


def sent(plan: Sequence[Wish], setting: Setting) -> list[Sent]:
    """Return the orders as they arrive; a leg that waits for others is sent as the one before it arrives."""
    decided = [at(at_s) + setting.by for at_s, *_ in plan]
    asked = pl.DataFrame({"ticker": [ticker for _, ticker, _ in plan], "known_ts": decided})
    under_way = setting.latency.of(asked).tolist()
    last_leg: dict[tuple[datetime, str], int] = {}
    found = []
    for row, ((_, ticker, wish), known_ts) in enumerate(zip(plan, decided, strict=True)):
        sent_us, basket = to_us(known_ts), wish.get("basket")
        if setting.legs == "one by one" and basket is not None:
            sent_us = last_leg.get((known_ts, basket), sent_us)
        arrival_us = sent_us + under_way[row]
        if basket is not None:
            last_leg[known_ts, basket] = arrival_us
        found.append(Sent(arrival_us, ticker, to_us(known_ts), row, wish))
    return sorted(found, key=lambda each: (each.arrival_us, each.ticker, each.decided_us, each.row))


def oracle(lake: MemoryLake, plan: Sequence[Wish], setting: Setting, tickers: Iterable[str]) -> Oracle:
    """Run the slow engine on the same rows of some markets."""
    markets = slow_markets(lake, fills=setting.fills, slippage=setting.slippage, tickers=tickers)
    orders: list[Order] = []
    legs: dict[tuple[int, str], Order] = {}
    for number, each in enumerate(sent(plan, setting)):
        order = an_order(number, each, markets[each.ticker].close_us if each.ticker in markets else NEVER)
        orders.append(order)
        check(order, markets)
    rows = [each.row for each in sent(plan, setting)]
    for order in sorted(orders, key=lambda order: rows[order.order_id]):
        if setting.legs == "one by one" and order.basket is not None:
            order.after = legs.get((order.decided_us, order.basket))
            legs[order.decided_us, order.basket] = order
    run = slow_engine(lake, markets, orders, setting)
    run.run()
    return run


def an_order(number: int, each: Sent, close_us: int) -> Order:
    """Return an order as the slow engine wants it."""
    wish = each.wish
    is_close, is_cancel = wish["action"] in ("close", "cancel"), wish["action"] == "cancel"
    ttl = wish["ttl"] * 1_000_000 if wish["ttl"] and wish["tif"] == "gtc" and not is_close else None
    order = Order(
        order_id=number,
        ticker=each.ticker,
        arrival_us=each.arrival_us,
        action=wish["action"],
        side=wish["side"],
        count=0 if is_close else round(wish["count"] * 100),
        limit=None if is_cancel else wish["limit"],
        tif="ioc" if is_close else wish["tif"],
        expiry_us=min(close_us, each.arrival_us + ttl if ttl else NEVER),
        is_post_only=not is_close and wish["post_only"],
        is_replacing=not is_close and wish.get("replace", False),
        decided_us=each.decided_us,
        basket=wish.get("basket"),
    )
    order.wanted = order.waiting = order.count
    return order


def slow_engine(
    lake: MemoryLake, markets: dict[str, Market], orders: list[Order], setting: Setting
) -> Oracle:
    """Return the slow engine before anything happened."""

    def in_micros(dollars: int | None) -> int | None:
        return None if dollars is None else dollars * 1_000_000

    def in_us(seconds: int | None) -> int:
        return NEVER if seconds is None else seconds * 1_000_000

    terms = {ticker: cache(terms_of(lake.rows, market.row)) for ticker, market in markets.items()}
    return Oracle(
        markets,
        orders,
        lambda ticker, t: terms[ticker](t),
        setting.cash * 1_000_000,
        in_micros(setting.per_event),
        setting.queue,
        series_cap=in_micros(setting.per_series),
        netted=netted_events(lake, on=setting.netting),
        basis="book" if setting.fills == "queue" else setting.fills,
        refill_us=in_us(setting.refill_s),
        max_age_us=in_us(setting.max_age_s),
        slips=setting.slippage is not None,
        worse=worse_of(setting.slippage),
        extra_ticks=setting.extra_ticks,
    )


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
        close_us = min([to_us(states[-1]["close_ts"]), ended(states), *(t for t, _ in paid)])

        def of(table: str, ticker: str = name) -> list[Any]:
            return [
                each
                for each in lake.rows.get(table, ())
                if ticker in (each.get("ticker"), *each.get("tickers", ()))
            ]

        if fills == "trades":
            assert slippage is not None
            events = trade_instants(of("trades"), close_us, half_of(slippage), slippage.max_age_us)
        elif fills in ("touch", "mid"):
            stops = {gap["session"]: to_us(gap["from_ts"]) for gap in of("book_gaps")}
            events = quote_instants(of("quotes"), close_us, stops, is_middle=fills == "mid")
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
        for row in lake.rows.get("events", ())
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


def assert_same(run: Run, slow: Oracle, lake: MemoryLake, asked: Iterable[str]) -> None:
    """Compare everything both engines say; `asked`: the tickers of the plan."""
    exclusive = {row["ticker"] for row in lake.rows.get("events", ()) if row["mutually_exclusive"]}
    told = {
        "orders": frames.orders(slow),
        "fills": frames.fills(slow),
        "markouts": frames.markouts(slow),
        "fees": frames.fees(slow),
        "settlements": frames.settlements(slow),
        "positions": frames.positions(slow),
        "baskets": baskets_of(slow),
        "exposures": frames.exposures(slow, exclusive),
        "attrition": [frames.attrition(slow, asked)],
        "coverage": frames.coverage(slow),
    }
    model = [row.pop("model_micros") for row in told["fees"]]  # exact there, a sum of floats here
    assert run.fees["model_micros"].to_list() == pytest.approx(model, rel=1e-12)
    for name, rows in told.items():
        assert in_us(run.frames[name], rows) == [dict(sorted(row.items())) for row in rows], name
    amounts = [f"{name}_micros" for name in ("cash", "marked", "locked", "returned")]
    marked = run.equity.select(pl.col("ts").dt.epoch("us"), *amounts)
    assert marked.rows()[1:] == slow.equity
    assert run.summary["cash_end_micros"].to_list() == [slow.cash]
    assert run.summary["locked_max_micros"].to_list() == [slow.locked_max]
    assert run.summary["locked_dollar_days"].to_list() == [slow.locked_micro_us / (10**12 * 86_400)]
    assert slow.poorest >= 0 or slow.is_owing
    assert_conserved(run)


def in_us(frame: pl.DataFrame, like: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of a frame with the keys of others, times as microseconds."""
    times = {name: name.removesuffix("ts") + "us" for name in frame.columns if name.endswith("_ts")}
    shown = frame.with_columns(pl.col(list(times)).dt.epoch("us")).rename(times)
    return shown.select(sorted(like[0]) if like else shown.columns).to_dicts()


def part_of(run: Run, row: Mapping[str, int]) -> Run:
    """Return what one parameter row came to, as a run of its own."""
    its = [pl.col(name) == value for name, value in row.items()]
    frames = {
        name: frame.filter(its).drop(*row) if set(row) <= set(frame.columns) else frame
        for name, frame in run.frames.items()
    }
    return Run(param_names=(), frames=frames)
