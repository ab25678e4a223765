"""What is counted and in which units: small prices, contracts, markets without data."""

import polars as pl

import backtest as bt
from tests.backtest.worlds import (
    a_lake,
    a_market,
    a_plan,
    a_quote,
    a_series,
    assert_conserved,
    at,
    replayed,
    settled,
)


def test_a_hundredth_of_a_contract_at_a_tenth_of_a_cent_is_money() -> None:
    """Trap 23: .37 at $0.001 cost $0.000370; the model fee of $0.000026 is rounded to a whole $0.0004."""
    lake = a_lake(
        markets=[settled(pays_cc=10_000, price_level_structure="deci_cent")], quotes=[a_quote(0, None, 10)]
    )
    run = replayed(lake, (1, "A", bt.buy_yes(0.37, limit=10)), (5, "A", bt.buy_yes(0.01)))
    assert run.fills.select("count_centi", "cash_micros", "fee_micros").rows()[0] == (37, -370, 30)
    assert run.fills.select("count_centi", "cash_micros").rows()[1] == (1, -10)
    assert run.settlements["payout_micros"].to_list() == [380_000]
    assert_conserved(run)


def test_counts_are_contracts_and_never_dollars() -> None:
    """Trap 27: 10 contracts each at .20 and .75 pay $10 whoever wins; $4.75 each would pay 23.75 or 6.33."""
    paid = []
    for winner in "AB":
        markets = [settled(each, pays_cc=10_000 * (each == winner), event_ticker="E") for each in "AB"]
        quotes = [a_quote(0, 1_900, 2_000), a_quote(0, 7_400, 7_500, ticker="B")]
        lake = a_lake(markets=markets, quotes=quotes, series=[a_series(ppm=0)])
        run = replayed(lake, (1, "A", bt.buy_yes(10)), (1, "B", bt.buy_yes(10)))
        paid.append(run.summary["pnl_micros"].item())
        dollars = replayed(
            lake,
            (1, "A", bt.buy_yes((4.75 / pl.lit(0.20)).round(2))),
            (1, "B", bt.buy_yes((4.75 / pl.lit(0.75)).round(2))),
        )
        assert dollars.fills["count_centi"].to_list() == [2_375, 633]
    assert paid == [500_000, 500_000]


def test_markets_without_result_volume_or_data_stay_in_the_universe() -> None:
    """Trap 34: one settles, one never does, one has no quotes, one is unknown: all four are counted."""
    lake = a_lake(
        markets=[settled(pays_cc=0), a_market("B", volume_centi=0), a_market("C", close_ts=at(9))],
        quotes=[a_quote(0, 4_900, 5_000), a_quote(0, 4_900, 5_000, ticker="B")],
    )
    run = replayed(lake, *((second, ticker, bt.buy_yes(1)) for second, ticker in enumerate("ABCD", 1)))
    assert run.attrition.rows(named=True) == [
        {
            "n_universe": 4,
            "n_with_data": 2,
            "n_with_intents": 4,
            "n_with_fills": 2,
            "n_settled": 1,
            "n_open": 1,
        }
    ]
    assert run.orders["reason"].to_list() == [None, None, "book unknown", "unknown market"]
    assert run.positions.select("ticker", "mark_cc").rows() == [("B", 4_900)]


def test_markets_may_depend_on_a_parameter() -> None:
    """From the second value on the plan names B and D too: every row is what it is alone, of 3 markets."""
    quotes = [a_quote(0, 4_900, 5_000, ticker=ticker) for ticker in "AB"]
    lake = a_lake(markets=[settled(pays_cc=10_000), a_market("B")], quotes=quotes)
    rows = [(float(second), ticker, bt.buy_yes(second)) for second, ticker in enumerate("ABD", 1)]
    plan = a_plan(*rows).filter(pl.col("intent").struct.field("count_centi") <= bt.param("most"))
    values = [100, 300, 200]
    swept = bt.run(plan, lake, fills="touch", params={"most": values})
    assert [swept.orders.filter(most=value)["ticker"].to_list() for value in values] == [
        ["A"],
        ["A", "B", "D"],
        ["A", "B"],
    ]
    for value in values:
        alone = bt.run(plan, lake, fills="touch", params={"most": value})
        for name in ("summary", "orders", "fills", "settlements", "positions", "equity"):
            assert swept.frames[name].filter(most=value).equals(alone.frames[name]), name
    assert swept.attrition["n_universe"].to_list() == [3, 3, 3]
    assert swept.attrition["n_with_intents"].to_list() == [1, 3, 2]
    assert_conserved(swept)


def test_a_run_says_that_it_has_combos_and_provisional_markets() -> None:
    """Trap 15: whole tapes leave combos out, and a plan that names one takes it in."""
    unusual = [a_market("KXMVESPORTS-1"), a_market("B", is_provisional=True), a_market("C")]
    quotes = [a_quote(0, 4_900, 5_000, ticker=row["ticker"]) for row in unusual]
    plan = [(1, row["ticker"], bt.buy_yes(1)) for row in unusual]
    told = replayed(a_lake(markets=unusual, quotes=quotes), *plan).assumptions
    assert "1 market is a combo: each pays by several others" in told
    assert any(each.startswith("1 market is provisional: the exchange deletes those") for each in told)
    usual = replayed(a_lake(markets=unusual[2:], quotes=quotes), plan[2]).assumptions
    assert not any("combo" in each or "provisional" in each for each in usual)
