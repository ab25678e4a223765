"""Orders: latency, limits, waiting, refusals, and what each of them says about itself."""

from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import backtest as bt
from backtest.errors import MarketsUnknown, ParameterError, PlanError, TooLarge
from exchange.errors import BadInput
from tests.backtest.worlds import (
    T0,
    a_lake,
    a_market,
    a_plan,
    a_quote,
    a_series,
    a_snapshot,
    assert_conserved,
    at,
    replayed,
    settled,
)

STEADY = [a_quote(0, 4_900, 5_000)]
NULL = pl.lit(None, pl.Int64)


def test_an_order_meets_the_market_of_its_arrival_not_of_its_decision() -> None:
    """Trap 8: decided at 1 s on an ask of .50, it arrives at 2 s, exactly with the quote of .55."""
    lake = a_lake(markets=[a_market()], quotes=[*STEADY, a_quote(2, 5_400, 5_500), a_quote(3, 1_000, 1_100)])
    run = replayed(lake, (1, "A", bt.buy_yes(1)), (1, "A", bt.buy_yes(1, limit=5_000)))
    assert run.fills.select("decision_ts", "arrival_ts", "fill_ts", "price_cc").rows() == [
        (at(1), at(2), at(2), 5_500)
    ]
    assert run.orders.select("status", "reason").rows() == [("filled", None), ("unfilled", "beyond limit")]


def test_the_exchange_s_clock_decides_what_an_order_meets() -> None:
    """Trap 16: a quote that happened at 2 s meets the order of 2 s though we received it at 9 s."""
    late = a_quote(2, 5_400, 5_500) | {"received_ts": at(9)}
    run = replayed(a_lake(markets=[a_market()], quotes=[*STEADY, late]), (1, "A", bt.buy_yes(1)))
    assert run.fills["price_cc"].to_list() == [5_500]


def test_a_touch_gives_its_size_once() -> None:
    """Trap 3: 10 shown at .50; two orders share them; the next price is new, and so is its size."""
    shown = [
        a_quote(t, 4_900, ask, sizes=(1_000, 1_000))
        for t, ask in ((0, 5_000), (5, 5_000), (9, 5_100), (12, 5_000))
    ]
    orders = [(t, "A", bt.buy_yes(8)) for t in (1, 3, 6, 10, 13)]
    run = replayed(a_lake(markets=[a_market()], quotes=shown), *orders)
    assert run.orders["filled_centi"].to_list() == [800, 200, 0, 800, 800]
    assert run.orders["reason"].to_list() == [None, "no size left", "no size left", None, None]
    assert set(run.fills["evidence"]) == {"touch"}


def test_what_was_taken_is_back_after_the_time_that_it_takes() -> None:
    """Trap 7: 1 is shown. Taken at 2 s, it is back 3 s later: not at 4.999 s, at 5 s."""
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_900, 5_000, sizes=(100, 100))])
    plan = [(second - 1, "A", bt.buy_yes(1)) for second in (2, 4.999, 5)]
    run = replayed(lake, *plan, refill="3s")
    assert run.orders["filled_centi"].to_list() == [100, 0, 100]
    assert run.orders["reason"].to_list() == [None, "no size left", None]


def test_a_quote_without_a_size_fills_and_says_so() -> None:
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_900, 5_000, sizes=(None, None))])
    run = replayed(lake, (1, "A", bt.buy_yes(1_000)))
    assert run.fills.select("count_centi", "evidence").rows() == [(100_000, "touch:no-size")]
    assert any("without a size" in each for each in run.assumptions)


def test_empty_and_crossed_quotes_fill_nothing() -> None:
    """Traps 10, 12: no ask is not an ask at $1, and a bid above the ask is a fault, not a gift."""
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_900, None), a_quote(5, 5_000, 4_000)])
    run = replayed(lake, (1, "A", bt.buy_yes(1)), (6, "A", bt.buy_yes(1)))
    assert run.orders["reason"].to_list() == ["no size left", "book unknown"]


def test_extra_ticks_make_every_arrival_worse_by_grid_steps() -> None:
    """Trap 13: .99 plus two cents is no price; selling at .02 two cents lower is none either."""
    quotes = [a_quote(0, 4_900, 5_000), a_quote(10, 200, 9_900)]
    run = replayed(
        a_lake(markets=[a_market()], quotes=quotes),
        (1, "A", bt.buy_yes(1)),
        (2, "A", bt.sell_yes(1)),
        (3, "A", bt.buy_yes(1, limit=5_100)),
        (11, "A", bt.buy_yes(1)),
        (12, "A", bt.sell_yes(1)),
        extra_ticks=2,
    )
    assert run.fills["yes_price_cc"].to_list() == [5_200, 4_700]
    assert run.orders["reason"].to_list()[2:] == ["beyond limit"] * 3


def test_an_order_that_waits_is_filled_at_its_own_limit() -> None:
    """It rests at .45 from 2 s; the ask falls to .40 at 5 s with 3 contracts, to .44 at 8 s with the rest."""
    quotes = [*STEADY, a_quote(5, 3_900, 4_000, sizes=(100, 300)), a_quote(8, 4_300, 4_400)]
    run = replayed(
        a_lake(markets=[settled(pays_cc=0)], quotes=quotes), (1, "A", bt.buy_yes(10, limit=4_500, ttl="30s"))
    )
    assert run.fills.select("fill_ts", "price_cc", "count_centi").rows() == [
        (at(5), 4_500, 300),
        (at(8), 4_500, 700),
    ]
    assert run.orders.select("status", "reason", "tif", "ttl_us").rows() == [
        ("filled", None, "gtc", 30_000_000)
    ]
    assert_conserved(run)


@pytest.mark.parametrize(("ttl", "filled"), [("3s", 0), ("4s", 100), (None, 100)])
def test_an_order_waits_until_its_time_is_over(ttl: str | None, filled: int) -> None:
    """Arrived at 2 s with 3 s to live, it misses the ask of exactly 5 s; intervals are half-open."""
    lake = a_lake(markets=[a_market()], quotes=[*STEADY, a_quote(5, 3_900, 4_000)])
    run = replayed(lake, (1, "A", bt.buy_yes(1, limit=4_500, ttl=ttl, tif="gtc")))
    assert run.orders["filled_centi"].to_list() == [filled]
    assert run.orders["reason"].to_list() == [None if filled else "expired"]


def test_nothing_fills_at_or_after_the_close() -> None:
    """Trap 33: what is quoted after the close is no market."""
    lake = a_lake(
        markets=[a_market()], quotes=[*STEADY, a_quote(1_000, 100, 200), a_quote(1_010, 9_900, 9_950)]
    )
    run = replayed(lake, (990, "A", bt.buy_yes(1, limit=4_000, tif="gtc")), (1_005, "A", bt.sell_yes(1)))
    assert run.orders["reason"].to_list() == ["expired", "closed"]
    assert run.fills.is_empty()
    held = replayed(lake, (1, "A", bt.buy_yes(1)))
    assert held.positions["mark_cc"].to_list() == [STEADY[0]["bid_cc"]]


def test_of_two_orders_that_wait_the_better_price_meets_a_quote_first() -> None:
    """An ask of .42 for 1 comes: the bid of .46, sent last, gets it at its own price."""
    lake = a_lake(markets=[a_market()], quotes=[*STEADY, a_quote(5, 4_100, 4_200, sizes=(100, 100))])
    run = replayed(
        lake, *((t, "A", bt.buy_yes(1, limit=limit, tif="gtc")) for t, limit in ((1, 4_300), (2, 4_600)))
    )
    assert run.fills.select("order_id", "yes_price_cc").rows() == [(1, 4_600)]


def test_what_is_held_may_be_as_much_as_a_run_counts_and_still_be_sold() -> None:
    """20 million at $0.0002 can be closed, or sold; what would lead beyond 30 million is too large."""
    fine = a_market(price_level_structure="deci_cent")
    much = (4 * 10**9, 4 * 10**9)
    lake = a_lake(
        markets=[fine], quotes=[a_quote(0, 10, 20, sizes=much), a_quote(10, 9_980, 9_990, sizes=much)]
    )
    bought = (1, "A", bt.buy_yes(20_000_000))
    for out in (bt.close(), bt.sell_yes(20_000_000)):
        run = replayed(lake, bought, (11, "A", out), cash=1_000_000)
        assert run.fills["position_after_centi"].to_list() == [2_000_000_000, 0]
    more = replayed(lake, bought, (2, "A", bt.buy_yes(10_000_001)), cash=1_000_000)
    assert more.orders["reason"].to_list() == [None, "too large"]


def test_what_an_order_reserves_changes_with_what_is_held() -> None:
    """Trap 25: 10 offered at .60 are held and reserve nothing; once those are sold, they reserve $4.

    Of $20, $5 bought them and $4.90 came back: $15.90 are left for B at .50.
    """
    lake = a_lake(
        markets=[a_market("A"), a_market("B")],
        quotes=[*STEADY, a_quote(0, 4_900, 5_000, ticker="B")],
        series=[a_series(ppm=0)],
    )
    plan = [
        (1, "A", bt.buy_yes(10)),
        (3, "A", bt.sell_yes(10, limit=6_000, tif="gtc")),
        (5, "A", bt.close()),
        (7, "B", bt.buy_yes(40)),
    ]
    run = replayed(lake, *plan, cash=20)
    assert run.orders["filled_centi"].to_list() == [1_000, 0, 1_000, 3_180]
    assert run.orders["reason"].to_list() == [None, "expired", None, "no cash"]


def test_an_order_that_lost_its_cash_while_it_waited_was_not_rejected() -> None:
    """$5 buy 10 at .50, which cover 10 offered at .60; sold at .30 they bring $3, enough for 7.5 at .40."""
    quotes = [*STEADY, a_quote(4, 3_000, 3_100)]
    lake = a_lake(markets=[a_market()], quotes=quotes, series=[a_series(ppm=0)])
    offer = bt.sell_yes(10, limit=6_000, ttl="9s")
    run = replayed(lake, (1, "A", bt.buy_yes(10)), (2, "A", offer), (5, "A", bt.close()), cash=5)
    assert run.orders.select("status", "reason", "dropped_centi").rows()[1] == ("unfilled", "no cash", 250)
    assert run.summary["n_rejected"].item() == 0


def test_two_offers_do_not_count_on_one_position() -> None:
    """10 are held for $5: the first 10 offered at .60 reserve nothing, others $4 until the first are over."""
    quotes = [*STEADY, a_quote(100, 4_900, 5_000)]
    lake = a_lake(markets=[a_market()], quotes=quotes, series=[a_series(ppm=0)])
    offers = [(second, "A", bt.sell_yes(10, limit=6_000, ttl="5s")) for second in (3, 4)]
    run = replayed(lake, (1, "A", bt.buy_yes(10)), *offers, cash=100)
    assert run.summary["locked_max_micros"].item() == 9_000_000
    assert run.summary["locked_dollar_days"].item() * 86_400 == pytest.approx(5 * 98 + 4 * 4)


def test_waiting_orders_reserve_what_they_would_open() -> None:
    """Trap 26: offered at .60, YES that is not held costs .40; what is held costs nothing."""
    lake = a_lake(markets=[a_market()], quotes=STEADY)
    offer = bt.sell_yes(10, limit=6_000, tif="gtc")
    assert replayed(lake, (3, "A", offer)).summary["locked_max_micros"].item() == 4_000_000
    bought = replayed(lake, (1, "A", bt.buy_yes(10)), (3, "A", offer))
    assert bought.summary["locked_max_micros"].item() == 5_000_000


@pytest.mark.parametrize(("limit", "n_sold"), [(None, 1_000), (4_900, 300), (4_800, 1_000), (5_000, 0)])
@pytest.mark.parametrize("side", ["yes", "no"])
def test_a_close_may_have_a_limit_of_the_side_that_is_held(side: str, limit: int | None, n_sold: int) -> None:
    """Ten are held; three are bid for at .49, the others at .48; NO is the same in the mirror."""
    own, other = {4_900: 300, 4_800: 9_000}, {4_900: 9_000}
    yes, no = (own, other) if side == "yes" else (other, own)
    lake = a_lake(markets=[a_market()], book_snapshots=[a_snapshot(0, yes=yes, no=no)])
    buy = getattr(bt, f"buy_{side}")
    run = replayed(lake, (1, "A", buy(10)), (5, "A", bt.close(limit=limit)), fills="book")
    closed = run.orders.row(1, named=True)
    assert (closed["action"], closed["side"], closed["filled_centi"]) == ("sell", side, n_sold)
    assert (closed["limit_cc"], closed["count_centi"]) == (limit, 1_000)
    assert closed["reason"] == (None if n_sold == 1_000 else "beyond limit")
    assert run.fills["position_after_centi"].to_list()[-1] == (1_000 - n_sold) * (1 if side == "yes" else -1)
    assert_conserved(run)


@pytest.mark.parametrize(("limit", "reason"), [(4_950, "off-grid limit"), (NULL, "no limit price")])
def test_a_close_with_a_limit_that_is_no_price_is_refused(limit: int | pl.Expr, reason: str) -> None:
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_900, 5_000)])
    run = replayed(lake, (1, "A", bt.buy_yes(10)), (5, "A", bt.close(limit=limit)))
    assert run.orders["reason"].to_list() == [None, reason]


def test_a_waiting_order_holds_its_cash_until_it_ends() -> None:
    """Trap 25: $4.50 rest in A from 2 s to 7 s; B has the other 50 cents, and all of it at 9 s."""
    lake = a_lake(
        markets=[a_market("A"), a_market("B")], quotes=[*STEADY, a_quote(0, 4_900, 5_000, ticker="B")]
    )
    run = replayed(
        lake,
        (1, "A", bt.buy_yes(10, limit=4_500, ttl="5s")),
        (3, "B", bt.buy_yes(9)),
        (8, "B", bt.buy_yes(8)),
        cash=5,
    )
    # .96 contracts at .50 cost .48 + .0168 fee; .97 would cost .485 + .0170
    assert run.orders["filled_centi"].to_list() == [0, 96, 800]


def test_fill_or_kill_takes_all_or_nothing() -> None:
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_900, 5_000, sizes=(1_000, 1_000))])
    run = replayed(lake, (1, "A", bt.buy_yes(11, tif="fok")), (2, "A", bt.buy_yes(10, tif="fok")))
    assert run.orders.select("status", "reason").rows() == [("unfilled", "fill or kill"), ("filled", None)]


@pytest.mark.parametrize(
    ("seconds", "ticker", "intent", "reason"),
    [
        (1, "Z", bt.buy_yes(1), "unknown market"),
        (1, "A", bt.buy_yes(pl.lit(0)), "zero count"),
        (-3, "A", bt.buy_yes(1), "not open"),
        (999, "A", bt.buy_yes(1), "closed"),
        (1, "A", bt.buy_yes(1, limit=pl.lit(None, dtype=pl.Int32)), "no limit price"),
        (1, "A", bt.buy_yes(1, limit=5_050), "off-grid limit"),
        (1, "A", bt.buy_yes(1, limit=10_000), "off-grid limit"),
        (1, "A", bt.buy_yes(1, limit=pl.lit(55.5)), "off-grid limit"),
        (1, "A", bt.close(), "nothing held"),
        (1, "B", bt.buy_yes(1), "book unknown"),
        (1, "A", bt.buy_yes(30_000_001), "too large"),
    ],
)
def test_what_the_exchange_would_refuse_is_rejected_with_its_reason(
    seconds: float, ticker: str, intent: pl.Expr, reason: str
) -> None:
    lake = a_lake(markets=[a_market("A"), a_market("B")], quotes=STEADY)
    run = replayed(lake, (1, "A", bt.buy_no(1, limit=100)), (seconds, ticker, intent))
    order = run.orders.filter(pl.col("order_id") == (0 if seconds < 0 else 1)).row(0, named=True)
    assert (order["status"], order["reason"], order["filled_centi"]) == ("rejected", reason, 0)


def test_finer_grids_are_read_from_the_market() -> None:
    """Trap 13: .055 is a price where the edges tick in tenths of a cent, .4550 is not."""
    edges = [
        {"start_cc": 0, "end_cc": 1_000, "step_cc": 10},
        {"start_cc": 1_000, "end_cc": 10_000, "step_cc": 100},
    ]
    lake = a_lake(markets=[a_market(price_ranges=edges)], quotes=[a_quote(0, 500, 550)])
    run = replayed(lake, (1, "A", bt.buy_yes(1, limit=550)), (2, "A", bt.buy_yes(1, limit=4_550)))
    assert run.orders["reason"].to_list() == [None, "off-grid limit"]


def test_without_a_recorded_grid_displayed_prices_are_good_limits() -> None:
    """Trap 13: .5055 was shown, so it is a price; a tick worse is then a whole cent, and the run says so."""
    lake = a_lake(markets=[a_market(price_level_structure=None)], quotes=[a_quote(0, 4_900, 5_055)])
    run = replayed(lake, (1, "A", bt.buy_yes(1, limit=5_055)), (2, "A", bt.buy_yes(1)))
    assert run.fills["price_cc"].to_list() == [5_055, 5_055]
    assert any("no recorded price grid" in each for each in run.assumptions)
    assert replayed(lake, (1, "A", bt.buy_yes(1)), extra_ticks=1).fills["price_cc"].to_list() == [5_100]


def test_parameters_are_rows_with_purses_of_their_own() -> None:
    """A sweep equals its single runs, row for row, and says which row is which."""
    lake = a_lake(markets=[settled(pays_cc=10_000)], quotes=[*STEADY, a_quote(5, 5_900, 6_000)])
    plan = pl.concat(
        [
            a_plan((1, "A", bt.buy_yes(bt.param("size"), limit=5_000))),
            a_plan((6, "A", bt.buy_yes(bt.param("size")))),
        ]
    )
    arguments: dict[str, Any] = {"fills": "touch", "latency": "1s", "cash": 100}
    swept = bt.run(plan, lake, params={"size": [1, 2.5, 500]}, **arguments)
    assert swept.summary.columns[0] == "size"
    assert swept.summary["size"].to_list() == [1.0, 2.5, 500.0]
    for size in (1, 2.5, 500):
        alone = bt.run(plan, lake, params={"size": size}, **arguments)
        for name, frame in alone.frames.items():
            if name != "coverage":
                mine = swept.frames[name].filter(pl.col("size") == size).drop("size")
                assert mine.equals(frame.drop("size")), name
    assert_conserved(swept)


def test_orders_of_one_moment_arrive_by_ticker_then_by_row() -> None:
    """The purse does not depend on how the plan's rows are shuffled."""
    lake = a_lake(
        markets=[a_market("A"), a_market("B")], quotes=[*STEADY, a_quote(0, 4_900, 5_000, ticker="B")]
    )
    orders = [(1, "B", bt.buy_yes(10)), (1, "A", bt.buy_yes(10)), (0.5, "B", bt.buy_no(1))]
    first, second = replayed(lake, *orders, cash=6), replayed(lake, *reversed(orders), cash=6)
    assert first.orders["ticker"].to_list() == ["B", "A", "B"]
    assert first.fills.equals(second.fills)


@pytest.mark.parametrize(
    ("arguments", "error", "word"),
    [
        ({"fills": "bar"}, PlanError, "mid or touch or trades or book or queue"),
        ({"fills": ["touch"]}, PlanError, r"fills=\['touch'\] is unknown"),
        ({"fills": "queue", "queue": ["front"]}, PlanError, r"queue=\['front'\]: use pessimistic"),
        ({"legs": ["together"]}, PlanError, r"legs=\['together'\] is unknown"),
        ({"latency": "0s"}, PlanError, "more than 0"),
        ({"latency": "fast"}, PlanError, "duration"),
        ({"cash": -1}, PlanError, "not negative"),
        ({"cash": "lots"}, PlanError, "dollars"),
        ({"cash": 10**10}, TooLarge, "allowed"),
        ({"fills": "book", "extra_ticks": 1}, PlanError, "touch"),
        ({"payout_delay": "-1h"}, PlanError, "duration"),
        ({"params": {"edge": [1]}}, ParameterError, "never reads"),
    ],
)
def test_arguments_that_cannot_be_meant_are_refused(
    arguments: dict[str, Any], error: type[Exception], word: str
) -> None:
    lake = a_lake(markets=[a_market()], quotes=STEADY)
    with pytest.raises(error, match=word):
        replayed(lake, (1, "A", bt.buy_yes(1)), **arguments)


def test_plans_that_cannot_be_executed_are_refused() -> None:
    """Naive or missing times, other columns, counts between hundredths, parameters without values."""
    lake = a_lake(markets=[a_market()], quotes=STEADY)
    good = a_plan((1, "A", bt.buy_yes(1)))
    naive = pl.LazyFrame({"ticker": ["A"], "known_ts": [datetime(2026, 9, 1)]})  # noqa: DTZ001 -- the point
    cases = [
        (good.drop("known_ts"), "no column known_ts"),
        (naive.with_columns(intent=bt.buy_yes(1)), "UTC"),
        (
            good.with_columns(known_ts=pl.lit(None, dtype=pl.Datetime("us", "UTC"))),
            "without a ticker or known_ts",
        ),
        (good.with_columns(intent=pl.lit(1)), r"bt\.buy_yes"),
        (a_plan((1, "A", bt.buy_yes(pl.lit(1.005)))), r"round\(2\)"),
    ]
    for plan, word in cases:
        with pytest.raises(PlanError, match=word):
            bt.run(plan, lake, fills="touch")
    with pytest.raises(ParameterError, match="reads parameter edge"):
        bt.run(a_plan((1, "A", bt.buy_yes(1).when(bt.param("edge") > 0))), lake, fills="touch")
    with pytest.raises(MarketsUnknown, match="none of the plan's 1 markets"):
        bt.run(a_plan((1, "Z", bt.buy_yes(1))), lake, fills="touch")
    with pytest.raises(MarketsUnknown, match="the plan has no rows: nothing to replay"):
        bt.run(good.filter(pl.lit(value=False)), lake, fills="touch")


@pytest.mark.parametrize("lake", ["lake/", Path("lake/")])
def test_a_path_is_no_lake(lake: Any) -> None:  # noqa: ANN401 -- what is wrong
    with pytest.raises(PlanError, match=r"lake='lake/?' is a path, .*: give it Lake\('lake/?'\)"):
        bt.run(a_plan((1, "A", bt.buy_yes(1))), lake, fills="touch")


def test_a_sweep_runs_if_any_of_its_settings_wants_something() -> None:
    """At least 1 keeps both rows, 2 keeps one, 3 none: in any order, but not alone."""
    lake = a_lake(markets=[a_market(each) for each in "AB"], quotes=[a_quote(0, 4_900, 5_000)])
    asked = a_plan((1, "A", bt.buy_yes(1)), (2, "B", bt.buy_yes(2)))
    sized = asked.filter(pl.col("intent").struct["count_centi"] >= bt.param("least") * 100)
    for least in ([1, 2, 3], [3, 2, 1], [2, 3, 1]):
        run = bt.run(sized, lake, fills="touch", params={"least": least})
        assert run.summary["n_orders"].to_list() == [3 - each for each in least]
    said = "the plan has no rows under any of 2 rows of parameters: nothing to replay"
    with pytest.raises(MarketsUnknown, match=said):
        bt.run(sized, lake, fills="touch", params={"least": [3, 4]})


def test_a_plan_that_wants_nothing_gives_empty_frames_and_its_cash_back() -> None:
    lake = a_lake(markets=[a_market()], quotes=STEADY)
    run = replayed(lake, (1, "A", bt.buy_yes(1).when(condition=False)), cash="12.5")
    assert run.summary["cash_end_micros"].to_list() == [12_500_000]
    assert all(
        run.frames[name].is_empty() for name in ("orders", "fills", "settlements", "positions", "equity")
    )
    assert run.attrition.row(0) == (1, 1, 0, 0, 0, 0)
    assert run.coverage["first_ts"][0] == T0


@pytest.mark.parametrize(
    "asked",
    [
        {"latency": 250},
        {"payout_delay": 3_600},
        {"extra_ticks": 1.5},
        {"fees": "quadratic"},
        {"params": 3},
        {"params": {"side": [1]}},
    ],
)
def test_arguments_of_another_kind_are_refused_by_name(asked: dict[str, Any]) -> None:
    """One line that says which argument, and what it should have been."""
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_900, 5_000)])
    with pytest.raises(BadInput, match=next(iter(asked)) if "params" not in asked else "param"):
        replayed(lake, (1, "A", bt.buy_yes(1)), **asked)


def test_the_manifest_tells_two_plans_apart() -> None:
    """Same lake, same settings, another count: other orders, the same tape."""
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_900, 5_000)])
    one, two = (replayed(lake, (1, "A", bt.buy_yes(n))).manifest for n in (10, 20))
    assert one["inputs"] == two["inputs"]
    assert one["orders"] != two["orders"]
