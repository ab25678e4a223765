"""Why two runs differ: contracts met one by one, and causes that add up to the micro-dollar."""

import math
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings

import backtest as bt
from backtest.errors import PlanError
from backtest.parameters import as_whole
from backtest.report_numbers import MINUS
from backtest.results import Run
from exchange.errors import BadInput
from tests.backtest.a_run import a_run
from tests.backtest.random_worlds import wishes
from tests.backtest.test_laws import EVERY, SEEDS, a_world
from tests.backtest.test_laws import run as run_world
from tests.backtest.worlds import a_lake, a_market, a_quote, a_series, at, replayed, settled

# 50 cents until 5 s, 55 from then on; a YES pays $1. Fees of 10: 0.07 x 10 x .25 = $0.175, and
# 0.07 x 10 x .2475 = $0.17325, charged as $0.1733.
QUOTES: Final = [a_quote(0, 4_900, 5_000), a_quote(5, 5_400, 5_500)]
LAKE: Final = a_lake(markets=[settled(pays_cc=10_000)], quotes=QUOTES)
BUY: Final = (1, "A", bt.buy_yes(10))
MATCHED: Final = ("price", "fee", "payout")


def told(found: bt.Comparison) -> dict[str, int]:
    """Return the causes of a comparison of one market, which must add up."""
    causes: dict[str, int] = dict(found.causes.select("cause", "micros").iter_rows())
    assert sum(causes.values()) == found.summary["difference_micros"][0]
    return causes


def test_a_run_equals_itself() -> None:
    one, again = replayed(LAKE, BUY), replayed(LAKE, BUY)
    found = bt.compare(one, again)
    assert found.is_equal
    assert (found.causes.height, found.manifest.height, found.left_out.height) == (0, 0, 0)
    line = found.summary.row(0, named=True)
    assert (line["run_pnl_micros"], line["other_pnl_micros"]) == (4_825_000, 4_825_000)
    assert (line["matched_centi"], line["later_s"]) == (1_000, 0.0)
    assert repr(found) == (
        "The same P&L, +$4.82; contracts: 10 matched.\n"
        "Orders: 1, the same on both sides.\nThe manifests are the same."
    )


def test_a_slower_run_pays_another_price_and_its_fee() -> None:
    """Arrived at 2 s and at 6 s: 10 contracts cost 5 cents more each, and $0.0017 less of fee."""
    found = bt.compare(replayed(LAKE, BUY), replayed(LAKE, BUY, latency="5s"))
    assert told(found) == {"price": -500_000, "fee": 1_700}
    assert found.summary["later_s"].to_list() == [4.0]
    assert found.manifest["name"].to_list() == ["config.latency_us", "orders"]
    why = f"Why: price {MINUS}$0.5000, fee +$0.0017."
    contracts = "Contracts: 10 matched, on average +4 s in the other; 0 only in the run, 0 only in the other."
    assert repr(found).splitlines() == [
        f"P&L {MINUS}$0.4983: +$4.3267 in the other, +$4.8250 in the run. {why} {contracts}",
        "All of it in A.",
        "Orders: 1, the same on both sides.",
        "The manifests differ in config.latency_us (1000000, then 5000000), orders.",
    ]


def test_where_most_of_it_is_need_not_be_where_all_of_it_is() -> None:
    """Price, half of the fee and the payout of 10 A come to more than the 5 cents that B cost more."""
    quotes = [*QUOTES, *(each | {"ticker": "B"} for each in QUOTES)]
    one, other = (
        a_lake(markets=[settled(pays_cc=pays), a_market("B")], quotes=quotes, series=[a_series(ppm=ppm)])
        for pays, ppm in ((10_000, 1_000_000), (0, 500_000))
    )
    bought = BUY, (1, "B", bt.buy_yes(1))
    told = repr(bt.compare(replayed(one, *bought), replayed(other, *bought, latency="5s"))).splitlines()
    assert told[1] == f"Most: A payout {MINUS}$10.0000; A price {MINUS}$0.5000; A fee +$0.0883."


def test_half_the_fee_is_a_fee_and_nothing_else() -> None:
    half = a_lake(markets=[settled(pays_cc=10_000)], quotes=QUOTES, series=[a_series(ppm=500_000)])
    assert told(bt.compare(replayed(LAKE, BUY), replayed(half, BUY))) == {"fee": 87_500}


def test_more_size_is_only_in_the_other() -> None:
    """15 for a fee of $0.2625, of which 10 have $0.175: the 5 others bring 5 x .50 - .0875."""
    found = bt.compare(replayed(LAKE, BUY), replayed(LAKE, (1, "A", bt.buy_yes(15))))
    assert told(found) == {"only in other": 2_412_500}
    assert found.causes["count_centi"].to_list() == [500]
    assert "Orders: 0 the same; another 1 only in the run, 1 only in the other." in repr(found)


@pytest.mark.parametrize(("market", "micros"), [(settled(pays_cc=0), -10_000_000), (a_market(), -4_600_000)])
def test_another_payout_or_a_mark_is_a_payout(market: dict[str, Any], micros: int) -> None:
    """10 paid $1 each, against nothing, or against the last bid of $0.54."""
    other = a_lake(markets=[market], quotes=QUOTES)
    assert told(bt.compare(replayed(LAKE, BUY), replayed(other, BUY))) == {"payout": micros}


def test_a_correction_counts_as_what_it_corrected_to() -> None:
    """Paid $1 and taken back: two rows of settlements, and a YES came to nothing."""
    states = [settled(pays_cc=10_000), settled(pays_cc=0, observed_ts=at(9_000), settlement_ts=None)]
    corrected = replayed(a_lake(markets=states, quotes=QUOTES), BUY)
    assert corrected.settlements["value_cc"].to_list() == [10_000, 0]
    assert told(bt.compare(replayed(LAKE, BUY), corrected)) == {"payout": -10_000_000}


def test_parts_need_not_agree() -> None:
    """3 and 2 against 4 and 1: stretches of 3, 1 and 1, each with its part of either fee."""
    ones = [(seconds, "A", bt.buy_yes(count)) for seconds, count in ((1, 3), (2, 2))]
    others = [(seconds, "A", bt.buy_yes(count)) for seconds, count in ((1, 4), (2, 1))]
    found = bt.compare(replayed(LAKE, *ones), replayed(LAKE, *others))
    shown = found.contracts.select("count_centi", "run_fill_id", "other_fill_id", "later_s").rows()
    assert shown == [(300, 0, 0, 0.0), (100, 1, 0, -1.0), (100, 1, 1, 0.0)]
    # 3 for .0525 and 2 for .035; 4 for .07 and 1 for .0175: a contract pays .0175 everywhere.
    assert found.contracts["run_fee_micros"].to_list() == [52_500, 17_500, 17_500]
    assert found.is_equal


def test_differences_that_cancel_are_differences() -> None:
    """At .50 and then .55, against .55 and then .50: the same P&L, and no contract has its like."""
    lake = a_lake(markets=[settled(pays_cc=0)], quotes=[*QUOTES, a_quote(10, 4_900, 5_000)])
    one, other = (
        replayed(lake, *((at_s, "A", bt.buy_yes(10)) for at_s in each)) for each in ((1, 6), (6, 11))
    )
    found = bt.compare(one, other)
    assert (found.is_equal, told(found)) == (False, {"price": 0, "fee": 0})
    assert "P&L $0.00" in repr(found)
    assert "Why: nothing on balance." in repr(found)


def test_selling_yes_meets_buying_no() -> None:
    """Either way NO is acquired at $0.51, and YES with it makes a dollar."""
    sold, bought = (replayed(LAKE, BUY, (2, "A", each)) for each in (bt.sell_yes(10), bt.buy_no(10)))
    found = bt.compare(sold, bought)
    assert found.is_equal
    assert found.contracts.select("outcome", "run_price_cc").rows() == [("no", 5_100), ("yes", 5_000)]


def test_a_flat_market_counts_contracts_as_the_other_side_does() -> None:
    """Sold again at the bid of .49: those NO are worth what the other's mark says, and cost their fee."""
    lake = a_lake(markets=[a_market()], quotes=QUOTES[:1])
    flat, holds = replayed(lake, BUY, (2, "A", bt.sell_yes(10))), replayed(lake, BUY)
    assert told(bt.compare(flat, holds)) == {"only in run": 175_000}
    assert told(bt.compare(holds, flat)) == {"only in other": -175_000}


def test_where_both_are_flat_only_pairs_count() -> None:
    """Bought at .50 and sold at .49, 10 or 4 of them: the pairs of the other 6 had lost $0.06 and fees."""
    lake = a_lake(markets=[a_market()], quotes=QUOTES[:1])
    ten, four = (replayed(lake, (1, "A", bt.buy_yes(n)), (2, "A", bt.sell_yes(n))) for n in (10, 4))
    found = bt.compare(ten, four)
    assert told(found) == {"only in run": 60_000 + 2 * 105_000}


def test_runs_without_a_fill_are_equal() -> None:
    never = replayed(LAKE, (1, "A", bt.buy_yes(10, limit=100)))
    found = bt.compare(never, never)
    assert (found.is_equal, found.contracts.height, found.summary["later_s"].to_list()) == (True, 0, [None])
    assert told(bt.compare(never, replayed(LAKE, BUY))) == {"only in other": 4_825_000}


SWEEP: Final = {"n": [1, 2]}


def a_sweep(**arguments: Any) -> Run:  # noqa: ANN401 -- of bt.run
    return replayed(LAKE, (1, "A", bt.buy_yes(bt.param("n", pl.Int64))), params=SWEEP, **arguments)


def test_equal_sweeps_meet_row_by_row() -> None:
    """1 and 2 contracts, 5 cents dearer each."""
    found = bt.compare(a_sweep(), a_sweep(latency="5s"))
    assert found.param_names == ("n",)
    assert found.summary.select("n", "by_price_micros").rows() == [(1, -50_000), (2, -100_000)]
    assert found.causes.filter(pl.col("cause") == "price")["n"].to_list() == [1, 2]
    assert repr(found).startswith("n=1: P&L")


def test_a_row_of_a_sweep_meets_another_run() -> None:
    single = replayed(LAKE, (1, "A", bt.buy_yes(2)))
    for value in (2, "2"):
        found = bt.compare(a_sweep(), single, params={"n": value})
        assert (found.is_equal, found.param_names) == (True, ())
    assert found.manifest["name"].to_list() == ["orders", "params.n"]


def test_whole_numbers_meet_floats_that_are_equal_and_truths_do_not() -> None:
    floats = replayed(LAKE, (1, "A", bt.buy_yes(bt.param("n"))), params={"n": [2.0, 1.0]})
    found = bt.compare(a_sweep(), floats)
    assert found.is_equal
    assert found.summary["n"].to_list() == [1, 2]
    wanted = bt.buy_yes(1).when(bt.param("n", bool)), bt.buy_yes(2).when(bt.param("n", int) == 1)
    truths, whole = (
        replayed(LAKE, (1, "A", each), params={"n": values})
        for each, values in zip(wanted, ([False, True], [0, 1]), strict=True)
    )
    with pytest.raises(PlanError, match="2 and 2 parameter rows: choose one"):
        bt.compare(truths, whole)


@pytest.mark.parametrize("values", [[1.0, 2.0], [2.0]])
def test_settings_that_are_equal_are_the_same_in_manifests(values: list[float]) -> None:
    """Whole numbers as ints and as floats want the same orders; .5 and "1" are settings of their own."""
    ints, floats = (
        replayed(LAKE, (1, "A", bt.buy_yes(bt.param("n"))), params={"n": each})
        for each in ([int(value) for value in values], values)
    )
    assert bt.compare(ints, floats).manifest.is_empty()
    assert ints.manifest["orders"] == floats.manifest["orders"]
    assert [as_whole(each) for each in (1.0, 0.5, "1.0", True, math.inf)] == [1, 0.5, "1.0", True, math.inf]
    assert [type(as_whole(each)) for each in (-0.0, True, 2.0**60)] == [int, bool, int]


def test_names_of_parameters_have_no_order() -> None:
    at_most = bt.buy_yes(bt.param("n", pl.Int64), limit=bt.param("most", pl.Int64))
    rows = {"n": [1, 2], "most": [5_000]}
    one, other = (replayed(LAKE, (1, "A", at_most), params={name: rows[name] for name in each})
                  for each in (("n", "most"), ("most", "n")))  # fmt: skip
    assert bt.compare(one, other).is_equal
    with pytest.raises(PlanError, match=r"no parameter row has n=7; there are n=1; n=2$"):
        bt.compare(a_sweep(), one, params={"n": 7, "most": 5_000})


def test_a_number_may_be_a_parameters_text() -> None:
    """As --param takes it: 7 for the name "7"."""
    only = bt.buy_yes(10).when(bt.param("who", pl.String) == "7")
    swept = replayed(LAKE, (1, "A", only), params={"who": ["7", "8"]})
    assert bt.compare(swept, replayed(LAKE, BUY), params={"who": 7}).is_equal


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, r"2 and 1 parameter rows: choose one with params= \(--param\), such as n=1$"),
        ({"params": {"m": 1}}, "no parameter is called m; the results have n$"),
        ({"params": {"n": 7}}, "no parameter row has n=7; there are n=1; n=2$"),
        ({"start": "2026-09-01"}, "lake, start and end are for comparing with own fills"),
        ({"fills": "mine.csv"}, "one of them"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: Mapping[str, Any], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        bt.compare(a_sweep(), replayed(LAKE, BUY), **arguments)


def test_a_parameter_cannot_have_the_name_of_a_comparisons_column() -> None:
    swept = replayed(LAKE, (1, "A", bt.buy_yes(bt.param("micros", pl.Int64))), params={"micros": [1, 2]})
    with pytest.raises(PlanError, match="cannot be called micros: comparisons have a column"):
        bt.compare(swept, swept)


def test_no_result_is_refused() -> None:
    with pytest.raises(PlanError, match="a list is no run"):
        bt.compare(replayed(LAKE, BUY), QUOTES)  # type: ignore[arg-type]  # that is the test


def test_folders_stand_for_the_runs_in_them(tmp_path: Path) -> None:
    run = a_run(3, {"edge": [0.1, 0.2]})
    folder = run.save(tmp_path / "out")
    for one, other in ((folder, run), (run, str(folder))):
        found = bt.compare(one, other)
        assert (found.is_equal, found.manifest.height, found.summary["edge"].to_list()) == (
            True,
            0,
            [0.1, 0.2],
        )


def test_a_result_that_does_not_add_up_is_refused() -> None:
    whole = a_run(3)
    wrong = a_run(3, summary=whole.summary.with_columns(pnl_micros=pl.lit(1, pl.Int64)))
    assert bt.compare(whole, whole).is_equal
    with pytest.raises(BadInput, match=r"but the summary says \$0\.000001"):
        bt.compare(whole, wrong)


@settings(max_examples=8)
@given(SEEDS, EVERY)
def test_causes_add_up_and_change_sign_with_the_sides(seed: int, fills: str) -> None:
    """Two plans in one world, one of them dearer and with other payouts: any pair at all."""
    rng = Random(seed)
    rows, plan = a_world(rng, fills)
    moved = rows | {"markets": [row | _other_payout(row) for row in rows["markets"]]}
    one = run_world(rows, plan, fills=fills)
    other = run_world(moved, plan[: len(plan) // 2] + wishes(rng, 6), fills=fills, ppm=1_500_000)
    there, back = bt.compare(one, other), bt.compare(other, one)
    line, reverse = (each.summary.row(0, named=True) for each in (there, back))
    assert line["difference_micros"] == other.summary["pnl_micros"][0] - one.summary["pnl_micros"][0]
    for found in (there, back):
        assert found.causes["micros"].sum() == found.summary["difference_micros"][0]
    assert all(line[f"by_{each}_micros"] == -reverse[f"by_{each}_micros"] for each in MATCHED)
    assert line["by_only_run_micros"] == -reverse["by_only_other_micros"]
    assert line["by_only_other_micros"] == -reverse["by_only_run_micros"]
    assert line["by_price_micros"] == dearer(one.fills, other.fills)


def _other_payout(row: Mapping[str, Any]) -> dict[str, Any]:
    value_cc = row.get("settlement_value_cc")
    return {} if value_cc is None else {"settlement_value_cc": 10_000 - value_cc, "result": "scalar"}


def dearer(one: pl.DataFrame, other: pl.DataFrame) -> int:
    """Price every hundredth of a contract by itself, as far as both sides have it."""
    total = 0
    for key in {*_acquired(one), *_acquired(other)}:
        first, second = (_acquired(each).get(key, np.zeros(0, np.int64)) for each in (one, other))
        n = min(len(first), len(second))
        total += int(first[:n].sum() - second[:n].sum())
    return total


def _acquired(fills: pl.DataFrame) -> dict[tuple[str, bool], "np.ndarray[Any, np.dtype[np.int64]]"]:
    parts: dict[tuple[str, bool], list[tuple[Any, int, int]]] = {}
    for row in fills.iter_rows(named=True):
        is_yes = (row["action"] == "buy") == (row["side"] == "yes")
        price = row["yes_price_cc"] if is_yes else 10_000 - row["yes_price_cc"]
        parts.setdefault((row["ticker"], is_yes), []).append((row["fill_ts"], price, row["count_centi"]))
    return {
        key: np.concatenate([np.full(count, price, np.int64) for _, price, count in sorted(each)])
        for key, each in parts.items()
    }
