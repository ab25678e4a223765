"""One assumption moved at a time: every row is what `bt.run` says of it, next to the base."""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import backtest as bt
from backtest.errors import PlanError
from backtest.results import SCHEMAS
from tests.backtest.test_policies import BID, FIXED
from tests.backtest.test_slippage import LINEAR, a_trade
from tests.backtest.worlds import MemoryLake, a_lake, a_market, a_plan, a_quote, a_series, at, settled
from warehouse.tables import MARKETS, Table

QUOTES = [
    a_quote(0, 4_500, 5_500, sizes=(300, 1_000)),
    a_quote(3, 4_500, 5_800, sizes=(300, 400)),
]
SUMMARY = list(SCHEMAS["summary"])


def a_world(ppm: int = 1_000_000, **more: Any) -> MemoryLake:  # noqa: ANN401 -- tables
    """YES pays; the ask is .55 for 10 contracts, and from second 3 on .58 for 4."""
    return a_lake(markets=[settled(pays_cc=10_000)], quotes=QUOTES, series=[a_series(ppm=ppm)], **more)


BUY = a_plan((1, "A", bt.buy_yes(3)))


def changes(told: pl.DataFrame) -> list[tuple[Any, ...]]:
    """Return assumption, value, is_base and change of every row."""
    return told.select("assumption", "value", "is_base", "change_micros").rows()


def test_the_usual_assumptions_move_one_at_a_time() -> None:
    """3 YES at .55 that pay 1: 1.35 less a fee of .0519750, charged .0520.

    4 s later they cost .58: .09 more, and a fee of .0512 (.0511560): .0892 less. A tick is a cent: .03 less
    and a fee of .0518 (.0517440); two .06 less and .0515 (.0514710). Without fees .052 more, doubled .0520
    less (.1039500 is charged .1040). 6 contracts: .1040 (.10395), 15 get the 10 there are: .1733 (.17325).
    """
    told = bt.sensitivity(BUY, a_world(), fills="touch", latency="500ms")
    base = 1_350_000 - 52_000
    assert changes(told) == [
        ("latency", "1ms", False, 0),
        ("latency", "500ms", True, 0),
        ("latency", "2s", False, -90_000 + 52_000 - 51_200),
        ("latency", "10s", False, -90_000 + 52_000 - 51_200),
        ("size", "1x", True, 0),
        ("size", "2x", False, 2_700_000 - 104_000 - base),
        ("size", "5x", False, 4_500_000 - 173_300 - base),
        ("extra_ticks", "0", True, 0),
        ("extra_ticks", "1", False, -30_000 + 52_000 - 51_800),
        ("extra_ticks", "2", False, -60_000 + 52_000 - 51_500),
        ("fees", "0x", False, 52_000),
        ("fees", "1x", True, 0),
        ("fees", "2x", False, -52_000),
    ]


class Counting:
    """A lake that counts how often its markets are read: once for each stage."""

    def __init__(self, lake: MemoryLake) -> None:
        self.lake, self.n_read, self.uri = lake, 0, lake.uri

    def pinned(self) -> "Counting":
        return self

    def scan(self, table: Table, *, dates: tuple[date | None, date | None] = (None, None)) -> pl.LazyFrame:
        self.n_read += table is MARKETS
        return self.lake.scan(table, dates=dates)

    def tops(self, tickers: Sequence[str]) -> pl.LazyFrame:
        return self.lake.tops(tickers)

    def versions(self) -> dict[str, int]:
        return self.lake.versions()


def test_runs_that_need_the_same_of_a_lake_read_it_once() -> None:
    """The base, latency and size together; two values of extra ticks and two of fees, each by itself.

    Of a ladder, mid, touch, book, and all places in the queue.
    """
    lake = Counting(a_world())
    assert bt.sensitivity(BUY, lake, fills="touch").height == 13
    assert lake.n_read == 1 + 2 + 2
    lake = Counting(a_world())
    assert bt.ladder(BUY, lake).height == 6
    assert lake.n_read == 4


def test_markets_may_depend_on_a_parameter() -> None:
    """Then the stage is made twice for every run, and none is taken for another."""
    quotes = [a_quote(0, 4_500, 5_500), a_quote(0, 2_500, 3_500, ticker="B")]
    lake = a_lake(markets=[settled("A", pays_cc=10_000), settled("B", pays_cc=0)], quotes=quotes)
    plan = a_plan((1, "A", bt.buy_yes(3)), (1, "B", bt.buy_yes(3)))
    plan = plan.filter(pl.col("ticker") == bt.param("which", pl.String))
    given: dict[str, Any] = {"fills": "touch", "params": {"which": ["A", "B"]}}
    told = bt.sensitivity(plan, lake, vary={"latency": ["9s"], "size": [2]}, **given)
    same(told, "latency", "9s", bt.run(plan, lake, latency="9s", **given))
    same(told, "size", "1x", bt.run(plan, lake, **given))
    assert told.filter(value="2x")["filled_centi"].to_list() == [600, 600]


def same(told: pl.DataFrame, assumption: str, value: str, run: bt.Run) -> None:
    """Check that a row says what a run of its own says, in every column and for every parameter row."""
    rows = told.filter(assumption=assumption, value=value)
    assert rows.select(run.summary.columns).equals(run.summary)
    base = told.filter(assumption=assumption, is_base=True)["pnl_micros"]
    assert (rows["pnl_micros"] - base).equals(rows["change_micros"].rename("pnl_micros"))


def test_every_value_of_every_parameter_row_is_a_run_of_its_own() -> None:
    """Rows of one setting stand together: the base and 2 values of latency, then those of the queue."""
    lake = a_world(trades=[a_trade(9, 4_500, "no", count_centi=400)])
    plan = a_plan((1, "A", bt.buy_yes(bt.param("n"))), (5, "A", bt.close()))
    common: dict[str, Any] = {"fills": "touch", "params": {"n": [9, 2]}}
    vary: dict[str, Any] = {"latency": [timedelta(seconds=2), "7s"], "refill": ["1s"], "cash": [2, "2.5"]}
    told = bt.sensitivity(plan, lake, vary=vary, latency="1s", **common)
    assert told.columns == ["n", "assumption", "value", "change_micros", "is_base", *SUMMARY]
    assert told["n"].to_list() == [9.0] * 8 + [2.0] * 8
    names = ["latency", "latency", "latency", "refill", "refill", "cash", "cash", "cash"]
    assert told["assumption"].to_list() == names * 2
    assert told["value"].to_list() == ["1s", "2s", "7s", "never", "1s", "5000", "2", "2.5"] * 2
    same(told, "latency", "2s", bt.run(plan, lake, latency="2s", **common))
    same(told, "latency", "7s", bt.run(plan, lake, latency="7s", **common))
    same(told, "refill", "1s", bt.run(plan, lake, latency="1s", refill="1s", **common))
    same(told, "cash", "2", bt.run(plan, lake, latency="1s", cash=2, **common))
    for name in vary:
        (base,) = told.filter(pl.col("is_base"), assumption=name)["value"].unique()
        same(told, name, base, bt.run(plan, lake, latency="1s", **common))


def test_the_base_is_found_among_the_values_and_a_value_given_twice_runs_once() -> None:
    vary: dict[str, Any] = {"latency": ["2s", "1000ms", timedelta(seconds=1), "2s"], "fees": [2, 2.0]}
    told = bt.sensitivity(BUY, a_world(), fills="touch", latency="1s", vary=vary)
    assert told.select("assumption", "value", "is_base").rows() == [
        ("latency", "2s", False),
        ("latency", "1000ms", True),
        ("fees", "1x", True),
        ("fees", "2x", False),
    ]


def test_fees_are_moved_wherever_they_come_from() -> None:
    """On record for a series, changed at second 2, an override of one event; or assumed. Rounded up.

    0.333334 times 2.000001 are 0.66666833…, hence 0.666669.
    """

    def world(ppm: int, later: int, special: int) -> MemoryLake:
        change = {"change_id": "1", "scope": "series", "ticker": "KXTEST", "effective_ts": at(2.5)}
        override = {"fee_type_override": "quadratic", "fee_multiplier_override_ppm": special}
        return a_lake(
            markets=[settled("A", pays_cc=10_000), settled("B", pays_cc=0)],
            quotes=[*QUOTES, a_quote(0, 4_500, 5_500, ticker="B")],
            series=[a_series(ppm=ppm)],
            events=[{"ticker": "E-B", "observed_ts": at(-9), **override}],
            fee_changes=[{**change, "fee_type": "quadratic", "fee_multiplier_ppm": later}],
        )

    plan = a_plan((1, "A", bt.buy_yes(3)), (2, "A", bt.buy_yes(3)), (2, "B", bt.buy_no(7)))
    lake = world(1_000_000, 500_000, 2_000_001)
    told = bt.sensitivity(plan, lake, fills="touch", latency="1s", vary={"fees": [0, 0.333_334, 3]})
    tripled, third = world(3_000_000, 1_500_000, 6_000_003), world(333_334, 166_667, 666_669)
    same(told, "fees", "3x", bt.run(plan, tripled, fills="touch", latency="1s"))
    same(told, "fees", "0.333334x", bt.run(plan, third, fills="touch", latency="1s"))
    assert told["fees_micros"].n_unique() == 4
    assert told.filter(value="0x")["fees_micros"].to_list() == [0]

    unknown, half = a_world(), bt.assume_fees("quadratic", "0.5")
    unknown = MemoryLake({**unknown.rows, "series": []})
    told = bt.sensitivity(BUY, unknown, fills="touch", latency="1s", fees=half, vary={"fees": [3]})
    dearer = bt.assume_fees("quadratic", "1.5")
    same(told, "fees", "3x", bt.run(BUY, unknown, fills="touch", latency="1s", fees=dearer))


def test_a_size_is_that_of_a_plan_with_other_counts() -> None:
    """0.25 times 0.03 contracts is none, times 9.99 is 2.49; closing everything stays closing everything."""

    def plan(*counts: str) -> pl.LazyFrame:
        low, high = counts
        rows = a_plan((1, "A", bt.buy_yes(low)), (1, "A", bt.buy_no(high)), (5, "A", bt.close()))
        return pl.concat([rows, a_plan((6, "A", bt.buy_yes(1).when(condition=False)))])

    told = bt.sensitivity(plan("4", "9.99"), a_world(), fills="touch", vary={"size": [0.25, 2]})
    same(told, "size", "0.25x", bt.run(plan("1", "2.49"), a_world(), fills="touch"))
    same(told, "size", "2x", bt.run(plan("8", "19.98"), a_world(), fills="touch"))
    tiny = bt.sensitivity(
        a_plan((1, "A", bt.buy_yes("0.03"))), a_world(), fills="touch", vary={"size": [0.25]}
    )
    assert tiny.select("value", "n_orders", "n_rejected").rows() == [("1x", 1, 0), ("0.25x", 1, 1)]


def test_a_purse_too_small_for_twice_as_much_is_told() -> None:
    """$2 pays for 3 at .55, but of 6 for 3.52: $1.936 and a fee of .0610. Nothing is rejected."""
    told = bt.sensitivity(BUY, a_world(), fills="touch", vary={"size": [1, 2]}, cash=2)
    columns = ("value", "n_no_cash", "n_rejected", "filled_centi")
    assert told.select(columns).rows() == [("1x", 0, 0, 300), ("2x", 1, 0, 352)]


def test_too_many_contracts_stay_too_many_and_unusable_ones_are_refused() -> None:
    count = pl.when(pl.col("ticker") == "A").then(pl.lit(40e6))
    huge = pl.LazyFrame({"ticker": ["A"], "known_ts": [at(1)]}).select(
        "ticker", pl.col("known_ts").cast(pl.Datetime("us", "UTC")), intent=bt.buy_yes(count)
    )
    told = bt.sensitivity(huge, a_world(), fills="touch", vary={"size": [0.1, 1_000]})
    assert told["n_rejected"].to_list() == [1, 1, 1]
    wrong = a_plan((1, "A", bt.buy_yes(pl.lit(-1.0))))
    with pytest.raises(PlanError, match="the count is negative"):
        bt.sensitivity(wrong, a_world(), fills="touch", vary={"size": [2]})


def test_legs_of_baskets_grow_together() -> None:
    """Twice the contracts of both legs are twice the sets."""
    markets = [settled("A", pays_cc=10_000, event_ticker="E"), settled("B", pays_cc=0, event_ticker="E")]
    lake = a_lake(markets=markets, quotes=[a_quote(0, 4_500, 5_500), a_quote(0, 4_500, 5_500, ticker="B")])

    def plan(n: int) -> pl.LazyFrame:
        legs = a_plan((1, "A", bt.buy_yes(n)), (1, "B", bt.buy_no(n)))
        return legs.with_columns(basket=pl.lit("p"))

    vary: dict[str, Any] = {"size": [2], "legs": ["one by one"]}
    told = bt.sensitivity(plan(10), lake, fills="touch", latency="1s", vary=vary)
    same(told, "size", "2x", bt.run(plan(20), lake, fills="touch", latency="1s"))
    same(told, "legs", "one by one", bt.run(plan(10), lake, fills="touch", latency="1s", legs="one by one"))


def test_a_policy_is_moved_by_its_feed_and_says_its_own_sizes() -> None:
    """Its bid of .45 is there before the ask comes down to it at second 10, or it is not."""
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_500, 5_500), a_quote(10, 4_000, 4_500)])
    quoting = FIXED.in_python().on(["A"], end=at(10))
    arguments: dict[str, Any] = {"fills": "touch", "params": BID}
    told = bt.sensitivity(quoting, lake, latency="1s", feed="500ms", **arguments)
    assert told.select("assumption", "value", "n_fills").rows() == [
        ("latency", "1ms", 1),
        ("latency", "1s", 1),
        ("latency", "4s", 1),
        ("latency", "20s", 0),
        ("feed", "500ms", 1),
        ("feed", "2s", 1),
        ("feed", "10s", 0),
        ("extra_ticks", "0", 1),
        ("extra_ticks", "1", 1),
        ("extra_ticks", "2", 1),
        ("fees", "0x", 1),
        ("fees", "1x", 1),
        ("fees", "2x", 1),
    ]
    same(told, "feed", "2s", bt.run(quoting, lake, latency="1s", feed="2s", **arguments))
    with pytest.raises(PlanError, match="size is for plans: a policy says its own sizes"):
        bt.sensitivity(quoting, lake, fills="touch", vary={"size": [2]})
    told = bt.sensitivity(quoting, lake, vary={"feed": ["1s"]}, **arguments)
    assert told["value"].to_list() == ["100ms", "1s"]


def test_a_slippage_grows_in_spread_and_impact() -> None:
    """Half a cent and 20 centicents a contract become .0075 and 30, a cent and 40; .0033 is rounded up."""
    lake = a_lake(
        markets=[settled(pays_cc=10_000)], trades=[a_trade(0, 5_000, "yes"), a_trade(1, 4_000, "no")]
    )
    given: dict[str, Any] = {"fills": "trades", "latency": "1s"}
    told = bt.sensitivity(BUY, lake, slippage=LINEAR, **given)
    assert told.filter(assumption="slippage")["value"].to_list() == ["1x", "1.5x", "2x"]
    assert "extra_ticks" not in told["assumption"]
    half = bt.Slippage(half_spread_cc=75, impact="linear", coefficient_cc=30)
    double = bt.Slippage(half_spread_cc=100, impact="linear", coefficient_cc=40)
    same(told, "slippage", "1.5x", bt.run(BUY, lake, slippage=half, **given))
    same(told, "slippage", "2x", bt.run(BUY, lake, slippage=double, **given))
    assert told.filter(assumption="slippage")["change_micros"].n_unique() == 3

    by_price = {"KXTEST": bt.Slippage(half_spread_cc={0: 50, 4_000: 33}, impact=lambda n: 20 * n)}
    tried = bt.sensitivity(BUY, lake, slippage=by_price, vary={"slippage": [0.98]}, **given)
    less = {"KXTEST": bt.Slippage(half_spread_cc={0: 49, 4_000: 33}, impact=lambda n: 19.6 * n)}
    same(tried, "slippage", "0.98x", bt.run(BUY, lake, slippage=less, **given))

    with pytest.raises(PlanError, match="how many times as much, and the run has none: give slippage="):
        bt.sensitivity(BUY, a_world(), fills="touch", vary={"slippage": [2]})
    unsaid = bt.sensitivity(BUY, lake, slippage=bt.Slippage(), **given)
    assert unsaid["assumption"].unique(maintain_order=True).to_list() == ["latency", "size", "fees"]


def test_measured_latencies_all_grow() -> None:
    measured = bt.sample_latency(["500ms", "1s", "3s"], seed=7)
    told = bt.sensitivity(BUY, a_world(), fills="touch", latency=measured)
    latencies = told.filter(assumption="latency")
    assert latencies["value"].to_list() == ["1ms", "500ms to 3s", "2s to 12s", "10s to 1m"]
    longer = bt.sample_latency(["2s", "4s", "12s"], seed=7)
    same(told, "latency", "2s to 12s", bt.run(BUY, a_world(), fills="touch", latency=longer))


def test_a_book_has_no_ticks_to_add_and_a_quick_base_nothing_quicker() -> None:
    told = bt.sensitivity(BUY, a_world(), fills="book", latency="1ms")
    assert told["assumption"].unique(maintain_order=True).to_list() == ["latency", "size", "fees"]
    assert told.filter(assumption="latency")["value"].to_list() == ["1ms", "4ms", "20ms"]


def test_a_holdout_is_left_out_and_never_opened(tmp_path: Path) -> None:
    held = bt.holdout("2026-09-02", log=tmp_path / "log.jsonl")
    told = bt.sensitivity(BUY, a_world(), fills="touch", vary={"fees": [2]}, holdout=held)
    assert told["n_fills"].to_list() == [1, 1]
    with pytest.raises(PlanError, match=r"choose the assumptions, and give it to bt\.run"):
        bt.sensitivity(BUY, a_world(), fills="touch", holdout=held.open("all of them"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"vary": {"speed": [1]}}, "'speed' cannot be moved: use latency, feed, extra_ticks, fees, size"),
        ({"vary": {"fills": ["mid"]}}, r"bt\.ladder runs a plan with every way to fill"),
        ({"vary": {}}, r"vary=\{\}: give values by assumption"),
        ({"vary": ["latency"]}, "give values by assumption"),
        ({"vary": {"latency": []}}, r"latency=\[\]: give a list of what to try"),
        ({"vary": {"latency": "1s"}}, "latency='1s': give a list of what to try"),
        ({"vary": {"latency": ["soon"]}}, "latency: 'soon' is not a duration"),
        ({"vary": {"latency": ["0s"]}}, "latency must be more than 0"),
        ({"vary": {"feed": ["1s"]}}, "a plan that hears later sends later, so move latency"),
        ({"vary": {"fees": [-1]}}, r"fees=-1 should say how many times as much: a number up to 1,000"),
        ({"vary": {"size": [0]}}, "at most 6 decimals, more than 0"),
        ({"vary": {"size": ["twice"]}}, "size='twice' should say how many times as much"),
        ({"vary": {"size": [1e-7]}}, "at most 6 decimals"),
        ({"vary": {"size": [float("nan")]}}, "size=nan should say"),
        ({"vary": {"fees": [15]}}, "above 14 is no fee"),
        ({"latency": ["1s", "2s"]}, r"the base has one value; try others with vary=\{'latency': \[…\]\}"),
        ({"latency": "soon"}, "latency: 'soon' is not a duration"),
        ({"extra_ticks": "1"}, "extra_ticks='1': a whole number"),
    ],
)
def test_what_cannot_be_moved_is_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises((PlanError, bt.BacktestError), match=said):
        bt.sensitivity(BUY, a_world(), fills="touch", **arguments)


def test_paths_and_taken_names_are_refused() -> None:
    with pytest.raises(PlanError, match=r"give it Lake\('lake'\)"):
        bt.sensitivity(BUY, "lake", fills="touch")  # type: ignore[arg-type]  # the mistake
    plan = a_plan((1, "A", bt.buy_yes(bt.param("value"))))
    with pytest.raises(PlanError, match="cannot be called value: sensitivities have a column of that name"):
        bt.sensitivity(plan, a_world(), fills="touch", params={"value": [1]})


def test_a_default_of_a_policy_has_no_taken_name_either() -> None:
    policy = bt.policy(every="1s", params={"value": 1})(lambda _at, _params, _memory: bt.Quotes(0, 0, 0, 0))
    with pytest.raises(PlanError, match="cannot be called value: sensitivities have a column of that name"):
        bt.sensitivity(policy.on(["A"]), a_world(), fills="touch")
    policy = bt.policy(every="1s", params={"rung": 1})(lambda _at, _params, _memory: bt.Quotes(0, 0, 0, 0))
    with pytest.raises(PlanError, match="cannot be called rung: ladders have a column of that name"):
        bt.ladder(policy.on(["A"]), a_world())


@pytest.mark.parametrize("name", ["row", "at", "rank"])
def test_parameters_of_any_other_name_keep_their_values(name: str, tmp_path: Path) -> None:
    """What numbers rows inside takes no name away: three settings, in their order."""
    plan, params = a_plan((1, "A", bt.buy_yes(bt.param(name)))), {name: [3.0, 1.0, 2.0]}
    rows = bt.sensitivity(plan, a_world(), fills="touch", params=params, vary={"cash": [5_000]})
    rungs = bt.ladder(plan, a_world(), rungs=("touch",), params=params)
    assert rows[name].to_list() == rungs[name].to_list() == params[name]
    report = bt.run(plan, a_world(), fills="touch", params=params).report(tmp_path / "report.html")
    assert report.stat().st_size > 0
