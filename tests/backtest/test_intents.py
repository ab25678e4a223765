"""Intents and parameters as expressions."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

import backtest as bt
from backtest.errors import ParameterError, PlanError
from backtest.intents import INTENT
from backtest.parameters import bound, parameters_in
from tests.backtest.worlds import a_lake, a_market, a_quote, at


def one(intent: pl.Expr, **columns: Any) -> dict[str, Any] | None:  # noqa: ANN401 -- any values
    """Evaluate an intent on one row."""
    row = pl.LazyFrame({"p": [0.5], **{name: [value] for name, value in columns.items()}})
    found: dict[str, Any] | None = row.select(intent=intent).collect()["intent"][0]
    return found


def test_an_intent_is_a_struct_of_what_is_wanted() -> None:
    """10.5 contracts are 1,050 hundredths; 30 s are 30,000,000 us; an order that waits is gtc."""
    assert one(bt.buy_yes(10.5, limit=5_600, ttl="30s")) == {
        "action": "buy",
        "side": "yes",
        "count_centi": 1_050,
        "limit_cc": 5_600,
        "ttl_us": 30_000_000,
        "tif": "gtc",
        "post_only": False,
        "replace": False,
    }
    assert one(bt.sell_no("0.25")) == {
        "action": "sell",
        "side": "no",
        "count_centi": 25,
        "limit_cc": None,
        "ttl_us": None,
        "tif": "ioc",
        "post_only": False,
        "replace": False,
    }


def test_an_intent_is_an_expression_that_can_be_conditional() -> None:
    """False and null both mean that nothing is wanted."""
    wish = bt.buy_no(1).when(pl.col("edge") > 0.1)
    assert isinstance(wish, pl.Expr)
    assert one(wish, edge=0.2) is not None
    assert one(wish, edge=0.0) is None
    assert one(wish, edge=None) is None
    assert one(bt.close().when(pl.col("edge") > 0).when(pl.col("p") > 1), edge=1) is None


@pytest.mark.parametrize("tif", ["ioc", "fok", "gtc"])
def test_all_intents_have_one_type(tif: str) -> None:
    rows = pl.LazyFrame({"p": [1]})
    for intent in (
        bt.buy_yes(1, limit=100, tif=tif),
        bt.close(),
        bt.close(limit=100),
        bt.close(limit=pl.col("p")),
        bt.sell_yes(pl.col("p")).when(condition=False),
    ):
        assert rows.select(intent=intent).collect_schema()["intent"] == INTENT


def test_counts_of_expressions_are_exact_hundredths() -> None:
    """0.29 x 100 is 28.999999999999996 in floats and 29 hundredths here; 0.295 is marked unusable (-1)."""
    for count, centi in ((0.29, 29), (1.1, 110), (4_035.57, 403_557), (0.295, -1), (-1.0, -1), (None, 0)):
        wish = one(bt.buy_yes(pl.col("n")), n=count)
        assert wish is not None
        assert wish["count_centi"] == centi, count
    wish = one(bt.buy_yes(pl.col("n")), n=float("nan"))
    assert wish is not None
    assert wish["count_centi"] == -1


def test_a_limit_without_a_price_is_never_a_market_order() -> None:
    """Trap 10: an empty ask is null; buying at "the ask" then must not buy at any price."""
    for limit, told in ((None, -1), (55.5, -2), (5_500, 5_500)):
        wish = one(bt.buy_yes(1, limit=pl.col("ask_cc")), ask_cc=limit)
        assert wish is not None
        assert wish["limit_cc"] == told


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"count": 0}, "positive"),
        ({"count": "1.005"}, "hundredths"),
        ({"count": -1}, "positive"),
        ({"count": 1, "limit": 0.56}, "centicents"),
        ({"count": 1, "limit": True}, "centicents"),
        ({"count": 1, "limit": np.array([5_600])}, "centicents"),
        ({"count": 1, "ttl": "30s"}, "limit"),
        ({"count": 1, "tif": "gtc"}, "limit"),
        ({"count": 1, "limit": 100, "ttl": "soon"}, "duration"),
        ({"count": 1, "limit": 100, "ttl": timedelta(0)}, "positive"),
        ({"count": 1, "limit": 100, "ttl": 30}, "ttl is 30: write a length of time such as '30s'"),
        (
            {"count": 1, "limit": 100, "ttl": bt.param("ttl", pl.Duration)},
            "an expression: .* same for all rows",
        ),
        ({"count": 1, "limit": 100, "ttl": "1s", "tif": "fok"}, "does not wait"),
        ({"count": 1, "tif": "day"}, "unknown"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: dict[str, Any], word: str) -> None:
    with pytest.raises(PlanError, match=word):
        bt.buy_yes(**arguments)


def test_integers_of_numpy_are_counts_and_limits_too() -> None:
    assert one(bt.buy_yes(np.int64(10), limit=np.int32(4_200))) == one(bt.buy_yes(10, limit=4_200))  # type: ignore[arg-type]  # the point


@pytest.mark.parametrize("seconds", [2, 10])
def test_a_parameter_chooses_among_windows_and_times_to_live(seconds: int) -> None:
    """Neither is an expression; middles of 10, 20 and 40 within two seconds and within ten."""
    known_ts = [datetime(2026, 9, 1, 0, 0, second, tzinfo=UTC) for second in (0, 4, 5)]
    rows = pl.LazyFrame({"known_ts": known_ts, "mid": [10, 20, 40]})
    is_it = {s: bt.param("seconds") == s for s in (2, 10)}
    fair = pl.coalesce(
        pl.when(chosen).then(pl.col("mid").rolling_mean_by("known_ts", f"{s}s"))
        for s, chosen in is_it.items()
    )
    waiting = pl.coalesce(bt.buy_yes(1, limit=100, ttl=f"{s}s").when(chosen) for s, chosen in is_it.items())
    with bound({"seconds": seconds}):
        found = rows.select(fair=fair, ttl_us=waiting.struct.field("ttl_us")).collect()
    assert found["fair"].to_list() == pytest.approx({2: [10, 20, 30], 10: [10, 15, 70 / 3]}[seconds])
    assert found["ttl_us"].to_list() == [seconds * 1_000_000] * 3


@pytest.mark.parametrize(
    ("intent", "said"),
    [
        (bt.buy_yes(1).when(pl.col("ask_cc")), r"invalid series dtype: expected `Boolean`, got `i64`[^\n]*$"),
        (bt.buy_yes(1, limit=pl.col("ticker")), r"[^\n]*compare string with numeric[^\n]*$"),
    ],
)
def test_what_polars_finds_wrong_when_it_makes_a_plan_is_said_in_a_line(intent: pl.Expr, said: str) -> None:
    """Its schema was right; previously a traceback with the whole expression."""
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_900, 5_000)])
    rows = pl.LazyFrame({"ticker": ["A"], "known_ts": [at(1)], "ask_cc": [5_000]})
    with pytest.raises(PlanError, match=f"^the plan cannot be made: {said}"):
        bt.run(rows.with_columns(intent=intent), lake, fills="touch")


def test_a_parameter_is_read_at_every_collect_and_never_cached() -> None:
    """One plan, two bindings, two answers; also inside windows and under a filter."""
    rows = pl.LazyFrame({"t": ["x", "x", "y"], "v": [1.0, 2.0, 3.0]})
    plan = rows.filter(pl.col("v") > bt.param("low")).select(
        "t", scaled=(pl.col("v") * bt.param("k")).cum_sum().over("t"), k=bt.param("k")
    )
    for k in (10.0, 100.0, 10.0):
        with bound({"low": 0, "k": k}):
            assert plan.collect().rows() == [("x", k, k), ("x", 3 * k, k), ("y", 3 * k, k)]
    with bound({"low": 2.5, "k": 1}):
        assert plan.collect().height == 1
    with bound({"low": 9, "k": 1}):
        assert plan.collect().height == 0


def test_a_parameter_means_what_the_literal_in_its_place_means() -> None:
    """In windows, groups, shifts, empty frames and both of polars' engines."""
    v, by = pl.col("v"), ["x", "x", "y", "y", "z"]
    rows = pl.LazyFrame({"t": by, "v": [1.0, None, 3.0, 4.0, 5.0]})

    def plans(p: pl.Expr) -> list[pl.LazyFrame]:
        return [
            rows.select("t", a=(v * p).cum_sum().over("t"), b=(v > p).shift(), c=p),
            rows.select(a=v.filter(v > p).sum().over("t"), b=(v - p).rolling_mean(2)),
            rows.group_by("t", maintain_order=True).agg(a=(v > p).sum(), b=v.filter(v > p).first(), c=p),
            rows.filter(v > p).with_columns(c=p).filter(pl.col("c") > 2),
            rows.head(0).select("t", c=p, d=v * p),
            rows.select(a=v.clip(upper_bound=p), b=pl.struct(v, c=p), c=pl.max_horizontal(v, p)),
        ]

    with bound({"k": 2.5}):
        for ours, plain in zip(plans(bt.param("k")), plans(pl.lit(2.5)), strict=True):
            for engine in ("in-memory", "streaming"):
                assert ours.collect(engine=engine).equals(plain.collect(engine=engine)), ours.explain()


def test_a_parameter_keeps_its_meaning_over_many_chunks() -> None:
    """A million rows are evaluated in pieces, by several threads."""
    rows = pl.LazyFrame({"v": range(1_000_000)})
    with bound({"x": 999_990}):
        kept = rows.filter(pl.col("v") >= bt.param("x")).with_columns(x=bt.param("x")).collect()
    assert kept["v"].to_list() == list(range(999_990, 1_000_000))
    assert kept["x"].unique().to_list() == [999_990.0]


def test_a_plan_tells_which_parameters_it_reads() -> None:
    rows = pl.LazyFrame({"v": [1.0]})
    nested = rows.select(
        bt.buy_yes(bt.param("size"), limit=5_000).when(pl.col("v").shift() > bt.param("low"))
    )
    assert parameters_in(nested.join(rows, how="cross")) == {"size", "low"}
    assert parameters_in(rows) == set()


def test_a_parameter_outside_a_run_says_what_to_do() -> None:
    with pytest.raises(ParameterError, match=r"give it to bt\.run"):
        pl.DataFrame({"v": [1.0]}).select(pl.col("v") > bt.param("edge"))
    with pytest.raises(PlanError, match="identifier"):
        bt.param("min edge")
