"""A function in place of a plan: made anew for each setting, of what no expression can be."""

from collections.abc import Callable
from typing import Any, Final

import polars as pl
import pytest

import backtest as bt
from backtest.errors import ParameterError, PlanError
from tests.backtest.worlds import a_lake, a_market, a_quote

LAKE: Final = a_lake(
    markets=[a_market(), a_market("B")],
    quotes=[
        a_quote(each, 4_800 + 10 * each, 4_900 + 10 * each, ticker=t) for t in "AB" for each in range(20)
    ],
)
QUOTES: Final = LAKE.tops(["A", "B"]).select("ticker", "ask_cc", known_ts="event_ts").collect()


def rising(window: int, rise_cc: int) -> pl.LazyFrame:
    """Buy where the ask has risen so much over so many quotes: ten centicents each."""
    rise = (pl.col("ask_cc") - pl.col("ask_cc").shift(window)).over("ticker")
    return QUOTES.lazy().select("ticker", "known_ts", intent=bt.buy_yes(1).when(rise >= rise_cc))


def run(plan: Any, **arguments: Any) -> bt.Run:  # noqa: ANN401 -- of bt.run
    """Run it on quotes."""
    return bt.run(plan, LAKE, **{"fills": "touch", "latency": "1s", **arguments})


def test_a_function_is_swept_over_what_it_takes() -> None:
    """Over 2 quotes the ask rises 20, over 5 it rises 50: from the sixth quote on, of each market."""
    swept = run(rising, params={"window": [2, 5], "rise_cc": [20, 50]})
    assert swept.summary.select("window", "rise_cc", "n_orders").rows() == [
        (2, 20, 2 * 18),
        (2, 50, 0),
        (5, 20, 2 * 15),
        (5, 50, 2 * 15),
    ]


def test_each_setting_is_what_its_plan_is_alone() -> None:
    swept = run(rising, params={"window": [2, 5], "rise_cc": 20})
    for window in (2, 5):
        alone = run(rising(window, 20))
        for name in ("orders", "fills", "equity"):
            rows = swept.frames[name].filter(window=window).drop("window", "rise_cc")
            assert rows.equals(alone.frames[name]), name


def legs_where(has_baskets: Callable[[int], bool]) -> Callable[[int], pl.LazyFrame]:
    """Return a plan of two orders, whose legs are a basket under some settings."""

    def plan(n: int) -> pl.LazyFrame:
        rows = QUOTES.lazy().filter(pl.col("ask_cc") == 4_900)
        wanted = rows.select("ticker", "known_ts", intent=bt.buy_yes(n))
        return wanted.with_columns(basket=pl.lit("pair")) if has_baskets(n) else wanted

    return plan


def test_all_settings_have_baskets_or_none_has() -> None:
    """Which of them comes first makes no difference."""
    said = "the plan has a column basket with n=1 and none with n=2: let all settings have it"
    for order in ([1, 2], [2, 1], [1, 1.5, 2]):
        with pytest.raises(PlanError, match=said if len(order) == 2 else "with n=1.5 and none with n=2.0"):
            run(legs_where(lambda n: n < 2), params={"n": order})
    assert run(legs_where(lambda _: True), params={"n": [1, 2]}).baskets.height == 2


def test_a_function_is_called_once_for_each_setting() -> None:
    called = list[int]()

    def plan(window: int) -> pl.LazyFrame:
        called.append(window)
        return rising(window, 20)

    run(plan, params={"window": [2, 5, 7]})
    assert called == [2, 5, 7]


def test_its_plan_may_read_parameters_too() -> None:
    """`rise_cc` as an argument and as `bt.param`: both are the setting's."""

    def plan(window: int, rise_cc: int) -> pl.LazyFrame:
        return rising(window, rise_cc).filter(bt.param("rise_cc", pl.Int64) == rise_cc)

    assert run(plan, params={"window": 2, "rise_cc": [10, 20]}).summary["n_orders"].to_list() == [36, 36]


def test_a_function_without_parameters_is_one_setting() -> None:
    assert run(lambda: rising(2, 20)).summary["n_orders"].to_list() == [36]


def test_ladders_sensitivities_and_placebos_take_a_function() -> None:
    params = {"window": 2, "rise_cc": 20}
    arguments: dict[str, Any] = {"latency": "1s", "params": params}
    assert bt.ladder(rising, LAKE, rungs=("mid", "touch"), **arguments)["n_fills"].to_list() == [36, 36]
    moved = bt.sensitivity(rising, LAKE, fills="touch", vary={"size": [2]}, **arguments)
    assert moved["filled_centi"].to_list() == [3_600, 7_200]
    found = bt.placebo(rising, LAKE, fills="touch", n=1, **arguments)
    assert found.params == params


@pytest.mark.parametrize(
    ("plan", "params", "said"),
    [
        (rising, None, r"rising\(window: int, rise_cc: int\) .*: missing a required argument: 'window'\. "),
        (
            rising,
            {"window": 2},
            r"missing a required argument: 'rise_cc'\. .* is given params, by name \(window\)",
        ),
        (rising, {"window": 2, "rise": 3}, r"missing .*call it: bt\.run\(rising\(…\), …\)"),
        (
            lambda window: window,
            {"window": 2},
            "a plan is a polars frame with ticker, known_ts, intent, not int",
        ),
    ],
)
def test_a_function_that_cannot_be_called_says_what_it_lacks(plan: Any, params: Any, said: str) -> None:  # noqa: ANN401
    with pytest.raises(PlanError, match=said):
        run(plan, params=params)


def test_a_plan_whose_parameter_is_misspelt_says_both_names() -> None:
    plan = QUOTES.lazy().select("ticker", "known_ts", intent=bt.buy_yes(bt.param("count")))
    said = "the plan reads parameter count: .*; params has cuont, which it does not read"
    with pytest.raises(ParameterError, match=said):
        run(plan, params={"cuont": 1})


def test_times_without_a_zone_or_in_another_one_say_how_to_mend_that() -> None:
    plan = QUOTES.lazy().select("ticker", "known_ts", intent=bt.buy_yes(1))
    with pytest.raises(PlanError, match=r"\.dt\.replace_time_zone\('UTC'\) makes it that"):
        run(plan.with_columns(pl.col("known_ts").dt.replace_time_zone(None)))
    with pytest.raises(PlanError, match=r"\.dt\.convert_time_zone\('UTC'\) makes it that"):
        run(plan.with_columns(pl.col("known_ts").dt.convert_time_zone("America/New_York")))


def test_a_parameter_that_is_no_number_is_refused() -> None:
    plan = QUOTES.lazy().filter(pl.col("ask_cc") < bt.param("most_cc"))
    with pytest.raises(ParameterError, match="parameter most_cc is NaN, above every number to polars"):
        run(
            plan.select("ticker", "known_ts", intent=bt.buy_yes(1)), params={"most_cc": [5_000, float("nan")]}
        )


def test_orders_that_are_wanted_twice_are_said_to_be_two() -> None:
    """The same rows once more, and mixed: 36 orders repeat another one, and all of them are filled."""
    plan = rising(2, 20).collect()
    twice = run(pl.concat([plan, plan]).sample(fraction=1, shuffle=True, seed=1))
    assert twice.summary["n_orders"].to_list() == [72]
    assert any(said.startswith("36 orders repeat another one word by word") for said in twice.assumptions)
    assert not any("word by word" in said for said in run(plan).assumptions)


def test_what_is_wanted_otherwise_takes_the_place_of_nothing() -> None:
    """Of the first 20 asks, 4,900 to 5,090, the lowest two are bought and the others sold short."""
    is_low = pl.col("ask_cc") < 4_920
    plan = QUOTES.filter(ticker="A").select(
        "ticker", "known_ts", intent=bt.buy_yes(1).when(is_low).otherwise(bt.buy_no(1))
    )
    assert run(plan).orders["side"].to_list() == ["yes"] * 2 + ["no"] * 18
