"""Laws that every run obeys, whatever the world: mirror, scale, slippage, cancels, prefix, conservation."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Final

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

import backtest as bt
from backtest.metrics import row_of
from backtest.results import Run
from exchange.units import DOLLAR_CC
from tests.backtest.random_worlds import (
    TABLES_OF,
    TICKERS,
    Wish,
    intent,
    market_rows,
    patient,
    wishes,
)
from tests.backtest.worlds import MemoryLake, a_lake, a_plan, a_series, assert_conserved, at

SEEDS: Final = st.integers(0, 2**40)
SOME: Final = settings(max_examples=8)
EVERY: Final = st.sampled_from(["mid", "touch", "trades", "book", "queue"])
Rows = dict[str, list[dict[str, Any]]]


def a_world(rng: Random, fills: str) -> tuple[Rows, list[Wish]]:
    """Return tables and orders for one way of filling."""
    rows: Rows = {"markets": market_rows(rng)}
    rows |= TABLES_OF["touch" if fills == "mid" else fills](rng)
    return rows, patient(rng) if fills == "queue" else wishes(rng)


def run(rows: Mapping[str, Any], plan: Sequence[Wish], *, ppm: int = 1_000_000, **arguments: Any) -> Run:  # noqa: ANN401 -- of bt.run
    """Run orders with one second of latency and more cash than they can need."""
    lake: MemoryLake = a_lake(**rows, series=[a_series(ppm=ppm)])
    asked = a_plan(*((at_s, ticker, intent(order)) for at_s, ticker, order in plan))
    given_too: dict[str, Any] = {"latency": "1s", "cash": 1_000_000} | arguments
    if arguments["fills"] == "trades":
        given_too["slippage"] = bt.Slippage(max_age="5s")
    done = bt.run(asked, lake, **given_too)
    assert_conserved(done)
    return done


@SOME
@given(SEEDS, EVERY)
def test_yes_and_no_are_each_others_mirror(seed: int, fills: str) -> None:
    """Trap 11: swap YES and NO in data and orders: the same fills at mirrored prices, the same money."""
    rows, plan = a_world(Random(seed), fills)
    one = run(rows, plan, fills=fills)
    other = run(mirrored(rows), [(at_s, ticker, swapped(order)) for at_s, ticker, order in plan], fills=fills)
    unlike = ["side", "yes_price_cc", "position_after_centi"]
    assert one.fills.drop(unlike).equals(other.fills.drop(unlike))
    assert one.equity.equals(other.equity)
    assert one.orders.select("status", "reason").equals(other.orders.select("status", "reason"))
    assert one.summary.equals(other.summary)


@SOME
@given(SEEDS, EVERY, st.sampled_from([2, 7, 100]))
def test_a_world_ten_times_as_large_trades_ten_times_as_much(seed: int, fills: str, times: int) -> None:
    """Without fees, which are rounded: counts, cash and profit grow by the factor, prices and times stay."""
    rows, plan = a_world(Random(seed), fills)
    larger = [(at_s, ticker, order | {"count": order["count"] * times}) for at_s, ticker, order in plan]
    one = run(rows, plan, fills=fills, ppm=0)
    other = run(scaled(rows, times), larger, fills=fills, ppm=0, cash=1_000_000 * times)
    same, grown = ["order_id", "fill_ts", "price_cc", "evidence"], ["count_centi", "cash_micros"]
    assert one.fills.select(*same, pl.col(grown) * times).equals(other.fills.select(*same, *grown))
    assert one.summary["pnl_micros"][0] * times == other.summary["pnl_micros"][0]


@SOME
@given(SEEDS, st.integers(0, 3))
def test_more_slippage_never_helps_an_order(seed: int, ticks: int) -> None:
    """One purchase alone: with another tick it gets no more, and pays more for what it gets."""
    rows, plan = a_world(Random(seed), "touch")
    listed = {row["ticker"] for row in rows["markets"]}
    at_s, ticker, order = next(wish for wish in plan if wish[1] in listed)
    at_once = order | {"action": "buy", "side": order["side"] or "yes", "tif": "ioc", "post_only": False}
    n_before, paid_before, n, paid = (
        int(done.fills[column].sum())
        for done in (
            run(rows, [(at_s, ticker, at_once)], fills="touch", extra_ticks=each)
            for each in (ticks, ticks + 1)
        )
        for column in ("count_centi", "cash_micros")
    )
    assert n <= n_before
    if n:
        assert paid * n_before < paid_before * n


@SOME
@given(SEEDS, st.sampled_from(["pessimistic", "proportional", "front"]))
def test_a_book_in_which_nothing_trades_fills_nobody_who_waits(seed: int, queue: str) -> None:
    """Trap 5: sizes vanish all over the book, and not one resting order is filled."""
    rows, plan = a_world(Random(seed), "queue")
    # One recording, and one snapshot of each market: another may show another book.
    session, n = rows["book_snapshots"][-1]["session"], len(TICKERS)
    rows |= {
        "trades": [],
        "book_deltas": [row for row in rows["book_deltas"] if row["delta_centi"] < 0],
        "book_snapshots": [
            row for row in rows["book_snapshots"] if row["session"] == session and row["seq"] <= n
        ],
    }
    done = run(rows, plan, fills="queue", queue=queue)
    assert done.fills.filter(pl.col("role") == "maker").is_empty()


@SOME
@given(SEEDS, EVERY, st.permutations([0, 1, 3]))
def test_a_row_of_a_sweep_is_what_it_is_alone(seed: int, fills: str, tries: list[int]) -> None:
    """All orders, three quarters of them and one quarter, one after the other in the memory of the first."""
    rows, plan = a_world(Random(seed), fills)
    is_wanted = pl.int_range(pl.len()) % 4 >= bt.param("x", pl.Int64)
    asked = a_plan(*((at_s, ticker, intent(order)) for at_s, ticker, order in plan)).with_columns(
        intent=pl.when(is_wanted).then("intent")
    )

    def swept(values: list[int]) -> Run:
        more: dict[str, Any] = {"slippage": bt.Slippage(max_age="5s")} if fills == "trades" else {}
        return bt.run(asked, a_lake(**rows), fills=fills, latency="1s", params={"x": values}, **more)

    together = swept(tries)
    for value in tries:
        for name, frame in swept([value]).frames.items():
            assert row_of(together.frames[name], {"x": value}).equals(frame), name


@SOME
@given(SEEDS, EVERY, st.integers(1, 40))
def test_what_comes_later_changes_no_fill_before(seed: int, fills: str, cut_s: int) -> None:
    """Cut the data at an instant: all fills before are the same; a trade's change may come a second later."""
    rows, plan = a_world(Random(seed), fills)
    times = {"book_snapshots": "captured_ts"} | dict.fromkeys(("quotes", "trades", "book_deltas"), "event_ts")
    cut = {
        name: [row for row in each if name not in times or row[times[name]] <= at(cut_s)]
        for name, each in rows.items()
    }
    cut["book_gaps"] = [row for row in rows.get("book_gaps", []) if row["from_ts"] < at(cut_s)]
    one, other = (run(each, plan, fills=fills).fills for each in (rows, cut))
    before = pl.col("fill_ts") <= at(cut_s - 1)
    assert one.filter(before).equals(other.filter(before))


def swapped(order: dict[str, Any]) -> dict[str, Any]:
    return order | {"side": {"yes": "no", "no": "yes"}.get(order["side"])}


def mirrored(rows: Rows) -> Rows:
    """Return the same world told from the side of NO."""
    other = {"yes": "no", "no": "yes"}
    found: Rows = {"book_gaps": rows.get("book_gaps", [])}
    found["markets"] = [
        row
        | {"result": other.get(row["result"], row["result"])}
        | {"settlement_value_cc": _complement(row.get("settlement_value_cc"))}
        for row in rows["markets"]
    ]
    found["quotes"] = [
        row
        | {"bid_cc": _complement(row["ask_cc"]), "ask_cc": _complement(row["bid_cc"])}
        | {"bid_size_centi": row["ask_size_centi"], "ask_size_centi": row["bid_size_centi"]}
        for row in rows.get("quotes", [])
    ]
    found["book_deltas"] = [row | {"side": other[row["side"]]} for row in rows.get("book_deltas", [])]
    found["book_snapshots"] = [
        row
        | {f"{other[side]}_prices_cc": row[f"{side}_prices_cc"] for side in other}
        | {f"{other[side]}_counts_centi": row[f"{side}_counts_centi"] for side in other}
        for row in rows.get("book_snapshots", [])
    ]
    found["trades"] = [
        row | {"yes_price_cc": DOLLAR_CC - row["yes_price_cc"], "taker_side": other[row["taker_side"]]}
        for row in rows.get("trades", [])
    ]
    return found


def _complement(price_cc: int | None) -> int | None:
    return None if price_cc is None else DOLLAR_CC - price_cc


def scaled(rows: Rows, times: int) -> Rows:
    """Return the same world with so many times the contracts."""

    def grown(value: Any) -> Any:  # noqa: ANN401 -- of a row
        return [each * times for each in value] if isinstance(value, list) else value and value * times

    return {
        name: [
            {key: grown(value) if key.endswith("_centi") else value for key, value in row.items()}
            for row in each
        ]
        for name, each in rows.items()
    }
