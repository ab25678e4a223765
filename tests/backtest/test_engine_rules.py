"""The exchange's rules in the clock: corrected payouts, grids by date, caps of a series."""

from typing import Any

import pytest

import backtest as bt
from tests.backtest.worlds import (
    MemoryLake,
    a_lake,
    a_market,
    a_quote,
    a_series,
    assert_conserved,
    at,
    replayed,
    settled,
)

QUOTE = a_quote(0, 4_900, 5_000)


def a_corrected_market(first_cc: int, last_cc: int) -> MemoryLake:
    """Return a market that paid at 1,500 s, and otherwise at 8,000 s."""
    states = [
        settled(pays_cc=first_cc, observed_ts=at(2_000), settlement_ts=at(1_500)),
        settled(pays_cc=last_cc, observed_ts=at(9_000), settlement_ts=at(8_000)),
    ]
    return a_lake(markets=states, quotes=[QUOTE])


PAID = ("settled_ts", "position_centi", "value_cc", "payout_micros", "cost_micros", "is_correction")


def test_a_correction_takes_back_what_was_paid_too_much() -> None:
    """Trap 32: 10 YES at .50 cost 5.1750; paid $10, then corrected to a void at .50: $5 back."""
    run = replayed(a_corrected_market(10_000, 5_000), (1, "A", bt.buy_yes(10)))
    assert run.settlements.select(PAID).rows() == [
        (at(1_500), 1_000, 10_000, 10_000_000, 5_175_000, False),
        (at(8_000), 1_000, 5_000, -5_000_000, 0, True),
    ]
    assert run.settlements["pnl_micros"].sum() == run.summary["pnl_micros"].item() == -175_000
    assert run.equity["cash_micros"].to_list()[-2:] == [1_004_825_000, 999_825_000]
    assert run.summary.select("n_settled", "n_open").rows() == [(1, 0)]
    assert any("1 payout was corrected: the difference" in each for each in run.assumptions)
    assert_conserved(run)


def test_a_correction_pays_the_side_that_had_lost() -> None:
    """Trap 32: 10 NO at .51 lost at YES = $1; at YES = $0 they are worth $10."""
    run = replayed(a_corrected_market(10_000, 0), (1, "A", bt.buy_no(10)))
    assert run.settlements.select("position_centi", "payout_micros").rows() == [
        (-1_000, 0),
        (-1_000, 10_000_000),
    ]
    assert_conserved(run)


def test_a_position_that_was_sold_before_has_nothing_to_correct() -> None:
    """Trap 32: both movements are told, and both are nothing."""
    run = replayed(a_corrected_market(10_000, 0), (1, "A", bt.buy_yes(10)), (5, "A", bt.close()))
    assert run.settlements.select("position_centi", "payout_micros").rows() == [(0, 0), (0, 0)]


def test_a_purse_in_debt_can_sell_and_not_buy() -> None:
    """Trap 32: $5.18 buy 10 YES, which pay $10; B takes $9.82 of them; the correction then takes $10.

    What is left is below zero, and selling half of B brings some back.
    """
    states = [
        settled(pays_cc=10_000, observed_ts=at(2_000), settlement_ts=at(1_500)),
        settled(pays_cc=0, observed_ts=at(9_000), settlement_ts=at(8_000)),
        a_market("B", close_ts=at(20_000)),
    ]
    quotes = [QUOTE, a_quote(0, 4_900, 5_000, ticker="B")]
    run = replayed(
        a_lake(markets=states, quotes=quotes),
        (1, "A", bt.buy_yes(10)),
        (2_000, "B", bt.buy_yes(18.9)),
        (9_000, "B", bt.buy_yes(1)),
        (9_001, "B", bt.sell_yes(10)),
        cash="5.18",
    )
    assert run.orders["reason"].to_list() == [None, None, "no cash", None]
    assert min(run.equity["cash_micros"].to_list()) < 0
    assert_conserved(run)


def test_an_amended_result_is_paid_once_and_late() -> None:
    """Trap 31: closed at 1,000 s, determined YES at 1,200, disputed, amended to NO, paid at 8,000 s."""
    told: list[dict[str, Any]] = [
        {"observed_ts": at(1_200), "status": "determined", "result": "yes"},
        {"observed_ts": at(1_300), "status": "disputed", "result": "yes"},
        {"observed_ts": at(4_000), "status": "amended", "result": "no"},
    ]
    states = [a_market(**each) for each in told]
    last = settled(pays_cc=0, observed_ts=at(9_000), settlement_ts=at(8_000))
    run = replayed(a_lake(markets=[*states, last], quotes=[QUOTE]), (1, "A", bt.buy_no(10)))
    paid = run.settlements.row(0, named=True)
    assert (paid["close_ts"], paid["decided_ts"], paid["settled_ts"]) == (at(1_000), at(4_000), at(8_000))
    assert (run.settlements.height, paid["payout_micros"]) == (1, 10_000_000)
    assert run.equity["locked_micros"].to_list() == [0, 5_100_000, 0]


def test_the_result_of_a_market_decides_nothing_before_its_payout() -> None:
    """Trap 29: with another result the same orders fill at the same prices, and cash is equal until then."""
    runs = [
        replayed(
            a_lake(markets=[settled(pays_cc=value)], quotes=[QUOTE]),
            (1, "A", bt.buy_yes(10)),
            (5, "A", bt.sell_yes(4)),
        )
        for value in (0, 10_000)
    ]
    assert runs[0].fills.equals(runs[1].fills)
    assert runs[0].equity[:-1].equals(runs[1].equity[:-1])
    assert not runs[0].equity.equals(runs[1].equity)


def on_a_changing_grid(*orders: tuple[float, str, Any], **arguments: Any) -> bt.Run:  # noqa: ANN401 -- of bt.run
    """Replay on a market that was seen on cents, and from 10 s on on tenths of a cent."""
    states = [a_market(observed_ts=at(-1)), a_market(observed_ts=at(10), price_level_structure="deci_cent")]
    return replayed(a_lake(markets=states, quotes=[QUOTE]), *orders, **arguments)


def test_the_grid_of_the_moment_decides_which_limits_are_prices() -> None:
    """Trap 13: $0.505 is refused at 9.9 s and taken at 10 s, from when on the finer grid was seen."""
    run = on_a_changing_grid(*((second - 1, "A", bt.buy_yes(1, limit=5_050)) for second in (9.9, 10)))
    assert run.orders["reason"].to_list() == ["off-grid limit", None]
    assert any("1 market changed its price grid" in each for each in run.assumptions)


def test_extra_ticks_are_those_of_the_moment() -> None:
    """Trap 13: one tick above .50 is .51 on cents and .501 on tenths of a cent, from 10 s on."""
    run = on_a_changing_grid(*((second - 1, "A", bt.buy_yes(1)) for second in (2, 9.999, 10)), extra_ticks=1)
    assert run.fills["price_cc"].to_list() == [5_100, 5_100, 5_010]


@pytest.mark.parametrize(("per_series", "centi"), [("0.01", 2_000), (10, 2_000), (0.5, 10_000)])
def test_one_series_may_cost_no_more_than_its_cap(per_series: float | str, centi: int) -> None:
    """1% of $1,000, or $10, buys 20 contracts at .50 over all events of the series; fees come on top."""
    markets = [a_market("A"), a_market("B"), a_market("C", series_ticker="KXOTHER")]
    quotes = [a_quote(0, 4_900, 5_000, ticker=ticker) for ticker in "ABC"]
    run = replayed(
        a_lake(markets=markets, quotes=quotes, series=[a_series(), a_series("KXOTHER")]),
        (1, "A", bt.buy_yes(15)),
        (2, "B", bt.buy_yes(85)),
        (3, "C", bt.buy_yes(15)),
        per_series=per_series,
    )
    assert run.fills["count_centi"].to_list() == [1_500, centi - 1_500, 1_500]
    assert run.orders["reason"].to_list()[1] == ("series cap" if centi < 10_000 else None)


def test_the_tighter_of_two_caps_is_the_reason() -> None:
    """$4 an event, $6 a series: A gets 8 contracts, B the 4 that are left, C none; what closes is free."""
    markets = [a_market(ticker) for ticker in "ABC"]
    quotes = [a_quote(0, 4_900, 5_000, ticker=ticker) for ticker in "ABC"]
    run = replayed(
        a_lake(markets=markets, quotes=quotes),
        *((second, ticker, bt.buy_yes(10)) for second, ticker in enumerate("ABC", 1)),
        (9, "A", bt.sell_yes(8)),
        per_event=4,
        per_series=6,
    )
    assert run.orders["filled_centi"].to_list() == [800, 400, 0, 800]
    assert run.orders["reason"].to_list() == ["event cap", "series cap", "series cap", None]
    assert run.orders["status"].to_list() == ["partial", "partial", "rejected", "filled"]
    assert run.summary["n_rejected"].to_list() == [1]


def test_markets_without_a_series_share_no_cap() -> None:
    """Nobody knows that they belong together: each has $6 of its own."""
    markets = [a_market(ticker, series_ticker=None) for ticker in "AB"]
    quotes = [a_quote(0, 4_900, 5_000, ticker=ticker) for ticker in "AB"]
    run = replayed(
        a_lake(markets=markets, quotes=quotes),
        *((1, ticker, bt.buy_yes(20)) for ticker in "AB"),
        per_series=6,
        fees=bt.assume_fees("quadratic"),
    )
    assert run.orders["filled_centi"].to_list() == [1_200, 1_200]
