"""Orders where only trades, or quotes without sizes, were recorded: half the spread, and impact."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backtest as bt
from backtest.errors import PlanError
from tests.backtest.worlds import (
    a_lake,
    a_market,
    a_plan,
    a_quote,
    a_series,
    a_snapshot,
    at,
    replayed,
    settled,
)

CENT = bt.Slippage(half_spread_cc=50)
LINEAR = bt.Slippage(half_spread_cc=50, impact="linear", coefficient_cc=20)


def a_trade(seconds: float, yes_price_cc: int, taker_side: str, **more: object) -> dict[str, Any]:
    """Return a trade of one contract in market A."""
    return {
        "trade_id": f"{seconds}{yes_price_cc}{taker_side}",
        "ticker": "A",
        "event_ts": at(seconds),
        "yes_price_cc": yes_price_cc,
        "count_centi": 100,
        "taker_side": taker_side,
        "is_block_trade": False,
        **more,
    }


def bought(trades: list[dict[str, Any]], *rows: Any, **arguments: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 -- of bt.run
    """Return price, count and evidence of every fill at the last trades."""
    lake = a_lake(markets=[a_market()], trades=trades)
    given_too: dict[str, Any] = {"fills": "trades", "slippage": CENT} | arguments
    return replayed(lake, *rows, **given_too).fills.select("yes_price_cc", "count_centi", "evidence").rows()


def test_who_buys_after_a_purchase_pays_what_it_paid() -> None:
    """A buyer paid .50: the ask is .50, and the bid a whole spread of .01 below, at .49."""
    trades = [a_trade(0, 5_000, "yes")]
    assert bought(trades, (0, "A", bt.buy_yes(2)), (1, "A", bt.sell_yes(2))) == [
        (5_000, 200, "trades"),
        (4_900, 200, "trades"),
    ]


def test_who_buys_after_a_sale_pays_the_spread() -> None:
    """Trap 1: a seller got .48, so the ask is .49; the last price itself is nobody's offer."""
    assert bought([a_trade(0, 4_800, "no")], (0, "A", bt.buy_yes(1)))[0][0] == 4_900


def test_of_several_trades_at_once_the_worst_counts_on_each_side() -> None:
    """Buyers paid .50 and .52, a seller got .47, at once: ask .52, bid .47, more than a spread apart."""
    trades = [a_trade(0, 5_000, "yes"), a_trade(0, 5_200, "yes"), a_trade(0, 4_700, "no")]
    prices = bought(trades, (0, "A", bt.buy_yes(1)), (0, "A", bt.buy_no(1)))
    assert [price for price, *_ in prices] == [5_200, 4_700]


def test_prices_off_the_grid_are_moved_against_the_order_and_none_is_outside() -> None:
    """Trap 13: half-spread .0030, a sale at .48: ask .4860, paid .49. A sale at .99: nobody asks below $1."""
    narrow = bt.Slippage(half_spread_cc=30)
    assert bought([a_trade(0, 4_800, "no")], (0, "A", bt.buy_yes(1)), slippage=narrow)[0][0] == 4_900
    assert bought([a_trade(0, 9_900, "no")], (0, "A", bt.buy_yes(1))) == []
    assert bought([a_trade(0, 9_900, "no")], (0, "A", bt.sell_yes(1)))[0][0] == 9_900
    assert bought([a_trade(0, 100, "yes")], (0, "A", bt.sell_yes(1))) == []


def test_half_the_spread_is_the_mean_of_what_takers_showed_before() -> None:
    """Turns of .01, .02, .03, .01 and .03 are .02 on average: unknown after four, then .01 to either side."""
    takers = ["yes", "no"] * 3
    prices = [5_000, 4_900, 5_100, 4_800, 4_900, 4_600]
    trades = [a_trade(n, p, side) for n, (p, side) in enumerate(zip(prices, takers, strict=True))]
    lake, estimated = a_lake(markets=[a_market()], trades=trades), bt.Slippage()
    run = replayed(lake, (3, "A", bt.buy_yes(1)), (4, "A", bt.buy_yes(1)), fills="trades", slippage=estimated)
    assert run.orders["reason"].to_list() == ["book unknown", None]
    assert run.fills["yes_price_cc"].to_list() == [4_800]  # the sale at .46, and twice .01


def test_nothing_after_an_order_changes_what_it_paid() -> None:
    """Trap 29's kind: trades that come later, however wild, leave earlier fills alone."""
    trades = [a_trade(n, 5_000 + 100 * (n % 2 == 0), "yes" if n % 2 == 0 else "no") for n in range(12)]
    later = [a_trade(20 + n, 9_000 - 8_000 * (n % 2), "yes" if n % 2 == 0 else "no") for n in range(9)]
    order = (10, "A", bt.buy_yes(1))
    estimated = {"slippage": bt.Slippage()}
    assert bought(trades, order, **estimated) == bought([*trades, *later], order, **estimated) != []


def test_block_trades_say_nothing_of_the_touch() -> None:
    """Trap 14: a block at .90 is negotiated elsewhere."""
    trades = [a_trade(0, 5_000, "yes"), a_trade(0, 9_000, "yes", is_block_trade=True)]
    assert bought(trades, (0, "A", bt.buy_yes(1)))[0][0] == 5_000


def test_impact_makes_a_ladder_of_prices() -> None:
    """.0020 a contract: 2.5 are nearest to .50, the next 5 to .51, the rest of 10 to .52."""
    trades = [a_trade(0, 5_000, "yes")]
    assert bought(trades, (0, "A", bt.buy_yes(10)), slippage=LINEAR) == [
        (5_000, 250, "trades"),
        (5_100, 500, "trades:impact"),
        (5_200, 250, "trades:impact"),
    ]
    assert bought(trades, (0, "A", bt.buy_yes(10, limit=5_100)), slippage=LINEAR)[-1] == (
        5_100,
        500,
        "trades:impact",
    )
    assert bought(trades, (0, "A", bt.buy_yes(10, limit=5_100, tif="fok")), slippage=LINEAR) == []


def test_an_order_may_walk_every_price_that_there_is() -> None:
    """.0100 a contract, from .01: half a contract there, one at each price up to .98, one at .99 as well."""
    steep = bt.Slippage(half_spread_cc=50, impact="linear", coefficient_cc=100)
    fills = bought([a_trade(0, 100, "yes")], (0, "A", bt.buy_yes(500)), slippage=steep)
    assert [price for price, *_ in fills] == list(range(100, 10_000, 100))
    assert [count for _, count, _ in fills] == [50, *[100] * 98]


def test_a_square_root_and_a_function_make_ladders_too() -> None:
    """.0050 a root: one contract is at .0050 exactly, the middle of a cent; the 9th at .0150, of the next."""
    trades, order = [a_trade(0, 5_000, "yes")], (0, "A", bt.buy_yes(12))
    root = bt.Slippage(half_spread_cc=50, impact="sqrt", coefficient_cc=50)
    assert [row[:2] for row in bought(trades, order, slippage=root)] == [
        (5_000, 100),
        (5_100, 800),
        (5_200, 300),
    ]
    same = bt.Slippage(half_spread_cc=50, impact=lambda contracts: 50 * contracts**0.5)
    assert bought(trades, order, slippage=same) == bought(trades, order, slippage=root)


def test_what_we_took_stays_taken_until_somebody_pays_another_price() -> None:
    """Trap 7: after 2.5 at .50, a second order starts at .51; a purchase at .51 shows a new ask."""
    trades = [a_trade(0, 5_000, "yes"), a_trade(2, 5_000, "yes"), a_trade(4, 5_100, "yes")]
    orders = [(at_s, "A", bt.buy_yes(2.5)) for at_s in (0, 2, 4)]
    assert [row[0] for row in bought(trades, *orders, slippage=LINEAR)] == [5_000, 5_100, 5_100]


def test_what_we_took_is_there_again_after_the_refill() -> None:
    """Trap 7: 10 s after the last contract was taken the level counts as displayed; 9 s after it does not."""
    book = a_lake(markets=[a_market()], book_snapshots=[a_snapshot(0, no={4_500: 300})])
    for refill, expected in (("10s", [300, 0, 300]), ("never", [300, 0, 0])):
        orders = [(at_s, "A", bt.buy_yes(3)) for at_s in (1, 10, 11)]
        run = replayed(book, *orders, fills="book", refill=refill)
        assert run.orders["filled_centi"].to_list() == expected


def test_quotes_without_sizes_take_the_impact_and_others_their_size() -> None:
    """Without a size 10 contracts walk a ladder from .55 on; with 4 on display they are 4 contracts."""
    unsized = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_500, 5_500, sizes=(None, None))])
    sized = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_500, 5_500, sizes=(400, 400))])
    order = (1, "A", bt.buy_yes(10))
    walked = replayed(unsized, order, slippage=LINEAR)
    assert walked.fills.select("yes_price_cc", "count_centi", "evidence").rows() == [
        (5_500, 250, "touch:no-size"),
        (5_600, 500, "touch:impact"),
        (5_700, 250, "touch:impact"),
    ]
    assert not [said for said in walked.assumptions if "half the spread" in said or "all they asked" in said]
    assert "quotes show their spread: the slippage's own is not used" in walked.assumptions
    assert replayed(sized, order, slippage=LINEAR).fills["count_centi"].to_list() == [400]


def test_a_trade_too_old_says_nothing() -> None:
    """Trap 9: a trade counts for 10 s: an order after 9 s fills, one after 10 s finds the book unknown."""
    aged = bt.Slippage(half_spread_cc=50, max_age="10s")
    lake = a_lake(markets=[a_market()], trades=[a_trade(0, 5_000, "yes"), a_trade(15, 5_000, "yes")])
    orders = [(at_s, "A", bt.buy_yes(1)) for at_s in (8, 9, 13, 14)]
    run = replayed(lake, *orders, fills="trades", slippage=aged)
    assert run.orders["reason"].to_list() == [None, "book unknown", "book unknown", None]
    assert run.coverage["known_share"].to_list() == [20 / 1_000]
    assert run.positions["mark_cc"].to_list() == [4_900]  # the last known bid, though it is too old
    assert "a trade says where the touch is for 10 s, or until the next one" in run.assumptions


def test_series_have_slippages_of_their_own() -> None:
    """After sales at .48, half-spreads of .0050 and .0150 ask .49 in one series, and .51 in the other."""
    markets = [a_market("A", series_ticker="KXA"), a_market("B", series_ticker="KXB")]
    trades = [a_trade(0, 4_800, "no"), a_trade(0, 4_800, "no", ticker="B", trade_id="b")]
    lake = a_lake(markets=markets, trades=trades, series=[a_series("KXA"), a_series("KXB")])
    orders = [(1, ticker, bt.buy_yes(3)) for ticker in "BA"]
    wide = bt.Slippage(half_spread_cc=150, impact="linear", coefficient_cc=50)
    run = replayed(lake, *orders, fills="trades", slippage={"KXB": wide, "KXA": CENT})
    assert run.fills.select("ticker", "yes_price_cc", "count_centi").rows() == [
        ("A", 4_900, 300),
        ("B", 5_100, 100),
        ("B", 5_200, 200),
    ]
    assert "KXB: half the spread is $0.0150" in run.assumptions
    assert run.manifest["config"]["slippage"]["KXA"]["half_spread_cc"] == 50
    with pytest.raises(PlanError, match="none for series KXB of the plan's markets"):
        replayed(lake, *orders, fills="trades", slippage={"KXA": CENT})


def test_a_slippage_moves_no_price_that_was_recorded_with_its_size() -> None:
    """The grid is unknown, so that ticks are cents: .5550 is paid with a size, .56 where one is assumed."""
    market = a_market(price_level_structure=None)
    for size, paid in ((400, 5_550), (None, 5_600)):
        lake = a_lake(markets=[market], quotes=[a_quote(0, 4_500, 5_550, sizes=(size, size))])
        run = replayed(lake, (1, "A", bt.buy_yes(1)), slippage=LINEAR)
        assert run.fills["yes_price_cc"].to_list() == [paid]


def test_an_order_that_waits_fills_at_its_limit_when_the_touch_comes() -> None:
    """It waits at .49; a seller gets .48, so that the ask is .49: filled there, as the maker."""
    trades = [a_trade(0, 5_000, "yes"), a_trade(5, 4_800, "no")]
    lake = a_lake(markets=[a_market()], trades=trades)
    run = replayed(lake, (0, "A", bt.buy_yes(1, limit=4_900, ttl="60s")), fills="trades", slippage=CENT)
    assert run.fills.select("yes_price_cc", "role", "evidence").rows() == [(4_900, "maker", "trades:crossed")]


@settings(max_examples=8)
@given(
    st.sampled_from(["linear", "sqrt"]),
    st.integers(1, 300),
    st.integers(1, 300),
    st.integers(1, 300),
    st.integers(1, 4_000),
    st.sampled_from([None, 5_100, 5_400]),
    st.booleans(),
)
def test_more_slippage_never_helps(
    shape: str,
    half: int,
    coefficient: int,
    more: int,
    count_centi: int,
    limit: int | None,
    is_sale: bool,  # noqa: FBT001
) -> None:
    """A wider spread or a larger coefficient: no order gets more, and none gets as much for less."""
    trades = [a_trade(0, 5_000, "no" if is_sale else "yes"), a_trade(1, 5_000, "yes" if is_sale else "no")]
    count, lake = count_centi / 100, a_lake(markets=[a_market()], trades=trades)
    order = bt.buy_yes(count, limit) if not is_sale else bt.buy_no(count, limit)

    def of(half: int, coefficient: int) -> list[int]:
        """Return what each hundredth of a contract cost, in order."""
        slippage = bt.Slippage(half_spread_cc=half, impact=shape, coefficient_cc=coefficient)
        fills = replayed(lake, (1, "A", order), fills="trades", slippage=slippage).fills
        return [price for price, n in fills.select("price_cc", "count_centi").iter_rows() for _ in range(n)]

    least = of(half, coefficient)
    for worse in (of(half + more, coefficient), of(half, coefficient + more)):
        assert len(worse) <= len(least)
        assert all(paid >= before for paid, before in zip(worse, least, strict=False))


def test_the_ladder_has_a_rung_of_trades_when_asked() -> None:
    """2 contracts cost .50 each at the last trade, .55 at the touch; extra ticks are the touch's alone."""
    quotes, trades = [a_quote(0, 4_500, 5_500)], [a_trade(0, 5_000, "yes")]
    lake = a_lake(markets=[a_market()], quotes=quotes, trades=trades)
    plan = a_plan((0, "A", bt.buy_yes(2)))
    told = bt.ladder(plan, lake, rungs=("touch", "trades"), latency="1s", slippage=CENT)
    paid = told["cash_start_micros"] - told["cash_end_micros"] - told["fees_micros"]
    assert dict(zip(told["rung"], paid, strict=True)) == {"touch": 1_100_000, "trades": 1_000_000}
    with pytest.raises(PlanError, match="needs slippage="):
        bt.ladder(plan, lake, rungs=("trades",), latency="1s")


def test_the_report_says_what_the_slippage_was() -> None:
    """Assumptions in words, the manifest in numbers, a function by what it does."""
    lake = a_lake(markets=[settled(pays_cc=10_000)], trades=[a_trade(0, 5_000, "yes")])
    order = (0, "A", bt.buy_yes(1))
    told = [
        replayed(lake, order, fills="trades", slippage=each, refill="30s")
        for each in (LINEAR, bt.Slippage(half_spread_cc={0: 50, 9_000: 20}, impact=lambda n: 20 * n))
    ]
    assert "half the spread is $0.0050" in told[0].assumptions
    assert "half the spread is by YES price: $0.0050 from $0.00, $0.0020 from $0.90" in told[1].assumptions
    assert "what we took of a level counts as displayed again after 30 s" in told[0].assumptions
    configs = [run.manifest["config"] for run in told]
    expected = {"half_spread_cc": 50, "impact": "linear", "coefficient_cc": 20, "max_age_us": None}
    assert configs[0]["slippage"] == expected
    assert configs[0]["refill_us"] == 30_000_000
    assert len(configs[1]["slippage"]["impact"]) == 64
    assert told[0].fills.drop("fill_id").equals(told[1].fills.drop("fill_id"))


def test_a_run_says_where_it_was_too_large_for_the_market() -> None:
    """Trap 7: 3 contracts of the 50 ever traded are 6 %; 2 are 4 %."""
    market = a_market(volume_centi=5_000)
    for count, n_said in ((3, 1), (2, 0)):
        lake = a_lake(markets=[market], trades=[a_trade(0, 5_000, "yes")])
        run = replayed(lake, (0, "A", bt.buy_yes(count)), fills="trades", slippage=CENT)
        assert sum("in 1 market we traded more than 5%" in said for said in run.assumptions) == n_said
        assert run.coverage["traded_centi"].to_list() == [5_000]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"half_spread_cc": 0}, "fills='mid'"),
        ({"half_spread_cc": 0.5}, "whole centicents"),
        ({"half_spread_cc": True}, "whole centicents"),
        ({"half_spread_cc": {1_000: 50}}, "the first from 0"),
        ({"half_spread_cc": {}}, "the first from 0"),
        ({"impact": "cubic"}, "use linear or sqrt"),
        ({"impact": "sqrt"}, "more than 0"),
        ({"impact": "sqrt", "coefficient_cc": float("nan")}, "more than 0"),
        ({"coefficient_cc": 4}, 'for impact="linear" or "sqrt"'),
        ({"impact": 4}, "impact=4: use linear or sqrt, with coefficient_cc, or a function of contracts"),
        ({"impact": lambda contracts: -contracts}, "not trade better"),
        ({"impact": lambda contracts: 100 - contracts.clip(0, 100)}, "not trade better"),
        ({"impact": lambda _: 5.0}, "one each"),
        ({"max_age": "0s"}, "more than 0"),
        ({"max_age": 60}, "length of time"),
    ],
)
def test_what_cannot_be_meant_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(PlanError, match=words):
        bt.Slippage(**values)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"fills": "trades"}, "needs slippage="),
        ({"fills": "book", "slippage": CENT}, "for fills='trades' or 'touch'"),
        ({"fills": "touch", "slippage": CENT, "extra_ticks": 1}, "not together with extra_ticks"),
        ({"fills": "touch", "slippage": 50}, "give bt.Slippage"),
        ({"fills": "touch", "slippage": {}}, "give bt.Slippage"),
        ({"fills": "touch", "slippage": {"KXTEST": 50}}, "give bt.Slippage"),
        ({"fills": "touch", "refill": "0s"}, "more than 0, or 'never'"),
    ],
)
def test_a_run_refuses_slippage_that_it_cannot_apply(arguments: dict[str, Any], words: str) -> None:
    lake = a_lake(markets=[a_market()])
    with pytest.raises(PlanError, match=words):
        replayed(lake, (1, "A", bt.buy_yes(1)), **arguments)


def test_markets_without_trades_have_no_touch() -> None:
    lake = a_lake(markets=[a_market()])
    run = replayed(lake, (1, "A", bt.buy_yes(1)), fills="trades", slippage=LINEAR)
    assert run.orders["reason"].to_list() == ["book unknown"]
    assert run.coverage.select("n_events", "known_share").rows() == [(0, 0.0)]
    assert run.fills.filter(pl.col("count_centi") > 0).is_empty()
