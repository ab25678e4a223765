"""`bt.where`: the rows that `filter` gives, whatever values came before."""

import math
import operator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import backtest as bt
from backtest.errors import ParameterError, PlanError
from backtest.narrowing import Narrowed, bounds_of
from backtest.parameters import bound
from tests.backtest.worlds import a_lake, a_market, a_quote

LAKE: Final = a_lake(
    markets=[a_market(), a_market("B")],
    quotes=[
        a_quote(each, 4_800 + 10 * each, 4_900 + 10 * each, ticker=t) for t in "AB" for each in range(20)
    ],
)
NUMBERS: Final = st.none() | st.sampled_from([-math.inf, -1.0, -0.0, 0.0, 0.5, 1.0, math.inf, math.nan])
OPERATORS: Final = st.sampled_from([operator.gt, operator.ge, operator.lt, operator.le, operator.eq])


@given(
    st.lists(st.tuples(NUMBERS, NUMBERS), max_size=12),
    st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=8),
    OPERATORS,
    OPERATORS,
)
def test_rows_are_those_of_filter_whatever_was_asked_before(
    rows: list[Any],
    values: list[Any],
    first: Any,  # noqa: ANN401 -- an operator
    second: Any,  # noqa: ANN401
) -> None:
    """Two columns against two parameters, one of them on the left; nulls and NaN among both."""
    signals = pl.DataFrame(rows, {"a": pl.Float64, "b": pl.Float64}, orient="row").with_row_index()
    conditions = first(pl.col("a"), bt.param("x")), second(2 * bt.param("y"), pl.col("b"))
    asked, filtered = bt.where(signals, *conditions), signals.lazy().filter(*conditions)
    for x, y in values:
        with bound({"x": x, "y": y}):
            assert asked.collect().equals(filtered.collect())


def test_each_value_looks_at_what_a_looser_one_left() -> None:
    """Of 0 to 31: 15 are above 16, half of them or fewer above 24; nothing above 8 is sought among those."""
    rows = Narrowed(pl.DataFrame({"n": range(32)}), bounds_of(pl.col("n") > bt.param("x", pl.Int64)))

    def found(value: int) -> tuple[int, list[int]]:
        with bound({"x": value}):
            return rows.among().height, [left.height for _, left in rows.left]

    assert found(16) == (15, [15])
    assert found(24) == (7, [15, 7])
    assert found(25) == (7, [15, 7])  # all 7: more than half of them are meant
    assert found(29) == (2, [15, 7, 2])
    assert found(16) == (15, [15])
    assert found(8) == (32, [])


def test_signals_are_those_that_were_given_whatever_becomes_of_the_frame() -> None:
    signals = pl.DataFrame({"a": [1, 2]})
    asked = bt.where(signals, pl.col("a") > bt.param("x"))
    signals.extend(pl.DataFrame({"a": [3]}))
    with bound({"x": 1}):
        assert asked.collect().rows() == [(2,)]


def test_nanoseconds_count() -> None:
    """Times 0 to 39 ns: 9 are after 30 ns and 29 after 10 ns, which are one microsecond to Python."""
    times = pl.DataFrame({"at": pl.int_range(40, eager=True).cast(pl.Datetime("ns"))})
    asked = bt.where(times, pl.col("at") > pl.from_epoch(bt.param("x", pl.Int64), "ns"))
    for value, height in ((30, 9), (10, 29), (25, 14)):
        with bound({"x": value}):
            assert asked.collect().height == height


def test_lazy_signals_are_collected_once() -> None:
    collected = list[int]()

    def count(rows: pl.DataFrame) -> pl.DataFrame:
        collected.append(rows.height)
        return rows

    signals = pl.LazyFrame({"edge": [0.1, 0.2, 0.3]}).map_batches(count)
    asked = bt.where(signals, pl.col("edge") > bt.param("min_edge"))
    assert collected == []
    heights = []
    for value in (0.0, 0.1, 0.25):
        with bound({"min_edge": value}):
            heights.append(asked.collect().height)
    assert heights == [3, 2, 1]
    assert collected == [3]


def test_lazy_signals_that_read_a_parameter_are_read_for_each_value() -> None:
    """Twice the numbers 1 to 3 has one number above 5, three times the numbers has two."""
    signals = pl.LazyFrame({"n": [1, 2, 3]}).with_columns(edge=pl.col("n") * bt.param("times", pl.Int64))
    asked = bt.where(signals, pl.col("edge") > bt.param("x", pl.Int64))
    for times, height in ((2, 1), (3, 2)):
        with bound({"times": times, "x": 5}):
            assert asked.collect().height == height


@pytest.mark.parametrize("edges", [[0, 100, 250], [250, 0, 100], [500, 0]])
def test_a_sweep_comes_to_what_it_does_with_filter(edges: list[int]) -> None:
    quotes = LAKE.tops(["A", "B"]).select("ticker", "event_ts", "ask_cc").collect()
    signals = quotes.rename({"event_ts": "known_ts"}).with_columns(edge=pl.col("ask_cc") - 4_850)
    condition = pl.col("edge") >= bt.param("min_edge", pl.Int32)

    def run(kept: pl.LazyFrame) -> bt.Run:
        plan = kept.select("ticker", "known_ts", intent=bt.buy_yes(1, limit=pl.col("ask_cc")))
        return bt.run(plan, LAKE, fills="touch", params={"min_edge": edges})

    narrowed, filtered = run(bt.where(signals, condition)), run(signals.lazy().filter(condition))
    assert narrowed.summary["n_orders"].to_list() != [0] * len(edges)
    for name, frame in filtered.frames.items():
        assert narrowed.frames[name].equals(frame), name
    assert narrowed.manifest["orders"] == filtered.manifest["orders"]


def test_threads_may_share_a_plan_and_leave_polars_as_it_was() -> None:
    signals = LAKE.tops(["A", "B"]).select("ticker", "ask_cc", known_ts="event_ts").collect()
    kept = bt.where(signals, pl.col("ask_cc") >= bt.param("least", pl.Int32))
    plan = kept.select("ticker", "known_ts", intent=bt.buy_yes(1, limit=pl.col("ask_cc")))

    def run(values: list[int]) -> pl.DataFrame:
        return bt.run(plan, LAKE, fills="touch", params={"least": values}).summary

    tries = [[5_000, 4_900, 5_080], [5_080, 5_000, 4_950, 4_900]] * 4
    before, alone = pl.Config.state(), [run(values) for values in tries]
    with ThreadPoolExecutor(len(tries)) as pool:
        together = list(pool.map(run, tries))
    assert all(one.equals(other) for one, other in zip(together, alone, strict=True))
    assert pl.Config.state() == before


def test_of_blocks_made_before_one_is_chosen_by_its_name() -> None:
    """Of two blocks of 6 rows each: the second threshold looks among the 2 that the first left of its own."""
    signals = pl.DataFrame({"window": ["1m"] * 6 + ["5m"] * 6, "n": [*range(6), *range(6)]})
    chosen = (pl.col("window") == bt.param("window", pl.String)) & (pl.col("n") >= bt.param("x", pl.Int64))
    rows, asked = Narrowed(signals, bounds_of(chosen)), bt.where(signals, chosen)
    for window, x, among in (("1m", 4, 2), ("1m", 5, 2), ("5m", 4, 2), ("1m", 4, 2)):
        with bound({"window": window, "x": x}):
            assert rows.among().height == among
            assert asked.collect().rows() == [(window, n) for n in range(x, 6)]


def test_several_conditions_may_be_one() -> None:
    both = (pl.col("a") > bt.param("x")) & (pl.col("b") <= 2)
    with bound({"x": 1}):
        rows = bt.where(pl.DataFrame({"a": [1, 2, 3], "b": [1, 2, 3]}), both).collect()
    assert rows.rows() == [(2, 2)]


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (pl.col("a") != bt.param("x"), r'\[\(col\("a"\)\) != \(bt\.param\(x\)\)\]'),
        (pl.col("a").shift(1) > bt.param("x"), "shift"),
        (pl.col("a") > pl.col("b"), r'col\("b"\)'),
        ((pl.col("a") > 1) & pl.col("b").is_null(), "is_null"),
        (pl.col("a") > bt.param("x") * pl.len(), r"len\(\)"),
        (True, "True"),
    ],
)
def test_what_is_no_comparison_with_a_parameter_is_refused(condition: Any, said: str) -> None:  # noqa: ANN401 -- what is wrong
    frame = pl.DataFrame({"a": [1], "b": [1]})
    with pytest.raises(PlanError, match=rf"this is something else: .*{said}.*; make it a column before"):
        bt.where(frame, condition)


def test_several_values_for_one_column_are_refused() -> None:
    asked = bt.where(pl.DataFrame({"a": [1, 2]}), pl.col("a") > pl.lit(pl.Series([0, 1])))
    with pytest.raises(
        PlanError, match=r"bt\.where compares a column with one value, not with 2: use filter"
    ):
        asked.collect()


def test_signals_that_are_no_frame_are_refused() -> None:
    with pytest.raises(PlanError, match=r"bt\.where keeps rows of a polars frame, not of list"):
        bt.where([1], pl.col("a") > bt.param("x"))  # type: ignore[arg-type]


def test_rows_without_values_ask_for_them() -> None:
    asked = bt.where(pl.DataFrame({"a": [1]}), pl.col("a") > bt.param("x"))
    with pytest.raises(ParameterError, match=r"bt\.param\('x'\) has no value here: keep the plan lazy"):
        asked.collect()
