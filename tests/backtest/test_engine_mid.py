"""The middle between bid and ask: no place to trade, and said so."""

import backtest as bt
from tests.backtest.worlds import a_lake, a_market, a_quote, assert_conserved, replayed


def test_a_round_trip_at_the_middle_costs_fees_alone() -> None:
    """Trap 1: .49 to .515 is .5025: 10 contracts, bought and sold there, cost two fees."""
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_900, 5_150)])
    run = replayed(lake, (1, "A", bt.buy_yes(10)), (5, "A", bt.close()), fills="mid")
    assert run.fills.select("yes_price_cc", "count_centi", "evidence").rows() == [
        (5_025, 1_000, "mid"),
        (5_025, 1_000, "mid"),
    ]
    assert run.fills["cash_micros"].sum() == 0
    assert any("fantasy" in each for each in run.assumptions)
    assert_conserved(run)


def test_half_a_centicent_is_against_us() -> None:
    """.4901 to .5000 is .49505: bought at .4951, sold at .4950."""
    lake = a_lake(markets=[a_market(price_level_structure=None)], quotes=[a_quote(0, 4_901, 5_000)])
    run = replayed(lake, (1, "A", bt.buy_yes(1)), (5, "A", bt.sell_yes(1)), fills="mid")
    assert run.fills["yes_price_cc"].to_list() == [4_951, 4_950]


def test_a_quote_of_one_side_has_no_middle() -> None:
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_900, None)])
    run = replayed(lake, (1, "A", bt.buy_yes(1)), fills="mid")
    assert run.orders["reason"].to_list() == ["book unknown"]
