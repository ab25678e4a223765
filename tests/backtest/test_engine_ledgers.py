"""Money: hand-worked ledgers of purchases, short sales, flips, fees, locks and payouts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

import backtest as bt
from backtest.errors import PlanError
from backtest.results import Run
from tests.backtest.worlds import (
    a_lake,
    a_market,
    a_quote,
    a_series,
    assert_conserved,
    at,
    replayed,
    settled,
)


def cash_end(run: Run) -> list[int]:
    """Return the purse at the end, one entry per parameter row."""
    return run.summary["cash_end_micros"].to_list()


def test_a_purchase_held_to_a_win_ends_with_the_payout() -> None:
    """100 YES at $0.50: 1000 - 50 - 1.75 + 100 = 1048.25; settlement itself is free (trap 24)."""
    lake = a_lake(markets=[settled(pays_cc=10_000)], quotes=[a_quote(0, 4_900, 5_000)])
    run = replayed(lake, (1, "A", bt.buy_yes(100)))
    assert run.fills.select("price_cc", "cash_micros", "fee_micros").rows() == [
        (5_000, -50_000_000, 1_750_000)
    ]
    assert run.settlements.select("payout_micros", "cost_micros", "pnl_micros").rows() == [
        (100_000_000, 51_750_000, 48_250_000)
    ]
    assert cash_end(run) == [1_048_250_000]
    assert_conserved(run)


def test_selling_yes_that_is_not_held_reserves_its_complement() -> None:
    """Trap 26: a flat sale of 100 YES at $0.40 costs 60; fee .07 x 100 x .4 x .6 = 1.68; NO then wins 100."""
    lake = a_lake(markets=[settled(pays_cc=0)], quotes=[a_quote(0, 4_000, 4_100)])
    run = replayed(lake, (1, "A", bt.sell_yes(100)))
    fill = run.fills.row(0, named=True)
    assert (fill["cash_micros"], fill["fee_micros"]) == (-60_000_000, 1_680_000)
    assert (fill["side"], fill["price_cc"], fill["position_after_centi"]) == ("yes", 4_000, -10_000)
    assert run.equity["locked_micros"].to_list() == [0, 60_000_000, 0]
    assert cash_end(run) == [1_000_000_000 - 61_680_000 + 100_000_000]


def test_a_round_trip_without_a_signal_loses_spread_and_both_fees() -> None:
    """Traps 1, 24: buy 10 at .51, sell 10 at .49: -0.20, fees .07 x 10 x .51 x .49 = .17493 -> .1750 each."""
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_900, 5_100)])
    run = replayed(lake, (1, "A", bt.buy_yes(10)), (5, "A", bt.close()))
    assert run.fills["cash_micros"].to_list() == [-5_100_000, 4_900_000]
    assert run.fills["fee_micros"].to_list() == [175_000, 175_000]
    assert run.orders.select("action", "side", "count_centi").rows() == [
        ("buy", "yes", 1_000),
        ("sell", "yes", 1_000),
    ]
    assert cash_end(run) == [1_000_000_000 - 200_000 - 350_000]
    assert_conserved(run)


def test_buying_yes_against_no_first_closes_then_opens() -> None:
    """10 NO at .60 cost 6.00; buying 15 YES at .40 returns 10 x .60 and costs 5 x .40: +4.00 net."""
    lake = a_lake(
        markets=[settled(pays_cc=10_000)], quotes=[a_quote(0, 4_000, 4_000 + 1), a_quote(3, 3_900, 4_000)]
    )
    run = replayed(lake, (1, "A", bt.buy_no(10)), (5, "A", bt.buy_yes(15)))
    assert run.fills["cash_micros"].to_list() == [-6_000_000, 4_000_000]
    assert run.fills["position_after_centi"].to_list() == [-1_000, 500]
    assert run.equity["locked_micros"].to_list() == [0, 6_000_000, 2_000_000, 0]
    assert run.settlements["payout_micros"].to_list() == [5_000_000]
    assert_conserved(run)


def test_the_mirror_of_a_market_gives_the_same_money() -> None:
    """Traps 11, 19: swap YES and NO in data and strategy, and every amount stays."""
    quotes = [(0, 3_000, 3_200), (3, 3_500, 3_800), (7, 2_000, 2_600)]
    plain = a_lake(markets=[settled(pays_cc=0)], quotes=[a_quote(*each) for each in quotes])
    turned = a_lake(
        markets=[settled(pays_cc=10_000)],
        quotes=[a_quote(t, 10_000 - ask, 10_000 - bid) for t, bid, ask in quotes],
    )
    first = replayed(
        plain, (1, "A", bt.buy_yes(7, limit=3_200)), (4, "A", bt.sell_yes(12)), (8, "A", bt.close())
    )
    second = replayed(
        turned, (1, "A", bt.buy_no(7, limit=3_200)), (4, "A", bt.sell_no(12)), (8, "A", bt.close())
    )
    money = ["price_cc", "count_centi", "cash_micros", "fee_micros"]
    assert first.fills.select(money).equals(second.fills.select(money))
    assert first.equity.equals(second.equity)
    assert first.fills["side"].to_list() == ["yes", "yes", "no"]
    assert second.fills["side"].to_list() == ["no", "no", "yes"]


def test_cash_is_locked_until_the_payout_not_until_the_close() -> None:
    """Trap 25: A closes at 1,000 s and pays at 2,000 s; until then 100 - 99 - .0693 = .9307 are left.

    They buy 1.79 contracts at .50: .895 + .0314 = .9264; 1.80 would need .9315.
    """
    lake = a_lake(
        markets=[settled(pays_cc=10_000), a_market("B", close_ts=at(9_000))],
        quotes=[a_quote(0, 9_800, 9_900), a_quote(0, 4_900, 5_000, ticker="B")],
    )
    run = replayed(
        lake, (1, "A", bt.buy_yes(100)), (1_500, "B", bt.buy_yes(10)), (2_500, "B", bt.buy_yes(10)), cash=100
    )
    assert run.orders.select("status", "filled_centi", "reason").rows() == [
        ("filled", 10_000, None),
        ("partial", 179, "no cash"),
        ("filled", 1_000, None),
    ]


def test_an_order_gets_the_hundredths_that_cash_and_fee_allow() -> None:
    """$1 at .50: 1.93 cost .965 + .0338 (ceil of .033775) = .9988; 1.94 would cost 1.0040."""
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_900, 5_000)])
    run = replayed(lake, (1, "A", bt.buy_yes(100)), cash=1)
    assert run.fills.select("count_centi", "cash_micros", "fee_micros").rows() == [(193, -965_000, 33_800)]
    assert run.orders["reason"].to_list() == ["no cash"]
    assert replayed(lake, (1, "A", bt.buy_yes(100)), cash=0).orders["status"].to_list() == ["rejected"]


@pytest.mark.parametrize(("per_event", "centi"), [("0.01", 2_000), (10, 2_000), (0.5, 10_000)])
def test_one_event_may_cost_no_more_than_its_cap(per_event: float | str, centi: int) -> None:
    """1% of $1,000, or $10, buys 20 contracts at .50 over both markets of the event; fees come on top."""
    markets = [a_market("A", event_ticker="E"), a_market("B", event_ticker="E"), a_market("C")]
    quotes = [a_quote(0, 4_900, 5_000, ticker=ticker) for ticker in "ABC"]
    run = replayed(
        a_lake(markets=markets, quotes=quotes),
        (1, "A", bt.buy_yes(15)),
        (2, "B", bt.buy_yes(85)),
        (3, "C", bt.buy_yes(15)),
        per_event=per_event,
    )
    assert run.fills["count_centi"].to_list() == [1_500, centi - 1_500, 1_500]
    assert run.orders["reason"].to_list()[1] == ("event cap" if centi < 10_000 else None)


@pytest.mark.parametrize("cap", ["per_event", "per_series"])
def test_a_cap_of_nothing_buys_nothing(cap: str) -> None:
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_900, 5_000)])
    run = replayed(lake, (1, "A", bt.buy_yes(1)), **{cap: 0})
    assert run.orders["reason"].to_list() == [cap.replace("per_", "") + " cap"]


def test_a_cap_counts_what_closing_releases() -> None:
    """$5 cap: 10 NO at .50; 20 YES at .50 close them, and 10 more cost the $5 that came free."""
    quotes = [a_quote(0, 5_000, 5_100), a_quote(3, 4_900, 5_000)]
    lake = a_lake(markets=[a_market()], quotes=quotes)
    run = replayed(lake, (1, "A", bt.buy_no(10)), (4, "A", bt.buy_yes(25)), per_event=5)
    assert run.fills["position_after_centi"].to_list() == [-1_000, 1_000]
    assert run.orders["reason"].to_list() == [None, "event cap"]


@pytest.mark.parametrize(
    ("per_event", "cap_micros"),
    [(1 / 3, 333_333_333), (0.1 + 0.2, 300_000_000), ("0.9999999999", 999_999_999), (1, 1_000_000_000)],
)
def test_a_cap_up_to_one_is_any_share_of_cash_rounded_down(per_event: float | str, cap_micros: int) -> None:
    """Of $1,000: a third is $333.333333; what is 0.3 but for the noise of floats is $300."""
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_900, 5_000)])
    run = replayed(lake, (1, "A", bt.buy_yes(1)), per_event=per_event)
    assert run.manifest["config"]["per_event_micros"] == cap_micros


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"per_event": 4 / 3}, "per_event=1.33.* at most 6 decimals; up to 1 is a share of cash"),
        ({"per_series": -0.5}, "per_series=-0.5: dollars, not negative"),
        ({"netting": "false"}, "netting='false' must be True or False"),
        ({"netting": 1}, "netting=1 must be True or False"),
        ({"maintenance": "no"}, "maintenance='no' must be True or False"),
        ({"extra_ticks": True}, "extra_ticks=True: a whole number from 0 up"),
        ({"extra_ticks": 1.0}, "extra_ticks=1.0: a whole number from 0 up"),
    ],
)
def test_an_argument_that_cannot_be_meant_is_refused(arguments: dict[str, Any], said: str) -> None:
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_900, 5_000)])
    with pytest.raises(PlanError, match=said):
        replayed(lake, (1, "A", bt.buy_yes(1)), **arguments)


def test_scalar_markets_pay_their_fraction() -> None:
    """Trap 32: 10 YES at .50 in a market that pays .3333 get 3.333."""
    run = replayed(
        a_lake(markets=[settled(pays_cc=3_333)], quotes=[a_quote(0, 4_900, 5_000)]), (1, "A", bt.buy_yes(10))
    )
    assert run.settlements.select("value_cc", "payout_micros").rows() == [(3_333, 3_333_000)]


def test_a_run_says_which_decided_markets_are_never_paid() -> None:
    """A has a result and no time; B is final and nobody says at what; C is paid: 0.50 a contract."""
    markets = [
        settled("A", pays_cc=10_000, close_ts=None, settlement_ts=None),
        a_market("B", status="finalized"),
        settled("C", pays_cc=5_000),
    ]
    run = replayed(
        a_lake(markets=markets, quotes=[a_quote(0, 4_900, 5_000, ticker=each) for each in "ABC"]),
        *((1, each, bt.buy_yes(1)) for each in "ABC"),
    )
    assert run.settlements.select("ticker", "payout_micros").rows() == [("C", 500_000)]
    assert [each for each in run.assumptions if "never paid" in each] == [
        "1 market is never paid: there is a result, but no recorded close or payout time",
        "1 market is never paid: decided, but at what value is not on record",
    ]


@pytest.mark.parametrize("value_cc", [-1, 10_001])
def test_a_market_that_pays_no_price_is_refused(value_cc: int) -> None:
    lake = a_lake(markets=[settled(pays_cc=value_cc)], quotes=[a_quote(0, 4_900, 5_000)])
    with pytest.raises(PlanError, match=r"A does not pay between \$0 and \$1: leave it out of the plan"):
        replayed(lake, (1, "A", bt.buy_yes(1)))


def test_what_never_settles_stays_open_at_the_bid() -> None:
    """Trap 32: no result, no payout: 10 YES are worth their bid of .42, NO would be worth 1 - ask."""
    quotes = [a_quote(0, 4_900, 5_000), a_quote(50, 4_200, 4_800)]
    lake = a_lake(
        markets=[a_market(status="disputed", result="yes", settlement_value_cc=10_000)], quotes=quotes
    )
    run = replayed(lake, (1, "A", bt.buy_yes(10)))
    assert run.settlements.is_empty()
    names = ("position_centi", "cost_micros", "mark_cc", "other_mark_cc", "marked_micros")
    assert run.positions.select(names).rows() == [(1_000, 5_175_000, 4_200, 5_200, 4_200_000)]
    assert run.summary["marked_end_micros"].to_list() == [1_000_000_000 - 5_175_000 + 4_200_000]
    assert run.equity["marked_micros"].to_list()[-1] == run.summary["marked_end_micros"][0]
    short = replayed(lake, (1, "A", bt.buy_no(10)))
    assert short.positions.select("mark_cc", "other_mark_cc").rows() == [(5_200, 4_200)]


def test_a_result_without_a_time_is_paid_after_an_assumed_delay() -> None:
    """Trap 31: the run says so; one hour after the close unless told otherwise."""
    lake = a_lake(markets=[a_market(result="yes", status="determined")], quotes=[a_quote(0, 4_900, 5_000)])
    for delay, paid in (("1h", at(1_000 + 3_600)), (timedelta(0), at(1_000))):
        run = replayed(lake, (1, "A", bt.buy_yes(10)), payout_delay=delay)
        assert run.settlements.select("settled_ts", "is_assumed_time").rows() == [(paid, True)]
        assert any("no settlement time" in each for each in run.assumptions)


def test_fills_before_june_2026_round_to_whole_cents() -> None:
    """Trap 18: on 2026-03-02 one contract at .95 costs .003325 by the model and a whole cent in fact."""
    day = datetime(2026, 3, 2, tzinfo=UTC)
    hour = timedelta(hours=1)
    quote = a_quote(0, 9_400, 9_500) | {"event_ts": day, "received_ts": day}
    lake = a_lake(
        markets=[a_market(open_ts=day, close_ts=day + hour)],
        quotes=[quote],
        series=[a_series(observed_ts=day)],
    )
    plan = pl.LazyFrame({"ticker": ["A"], "known_ts": [day]}).select(
        "ticker", pl.col("known_ts").dt.cast_time_unit("us"), intent=bt.buy_yes(1)
    )
    run = bt.run(plan, lake, fills="touch", cash=10)
    assert run.fills["fee_micros"].to_list() == [10_000]


def test_the_unit_of_the_balance_changes_with_the_very_instant() -> None:
    """A whole cent a microsecond before 2026-05-28; .003325 rounded to $0.0001, so .0034, from then on."""
    change = datetime(2026, 5, 28, tzinfo=UTC)
    moments = [change - timedelta(microseconds=2), change - timedelta(microseconds=1)]
    quote = a_quote(0, 9_400, 9_500) | {"event_ts": moments[0], "received_ts": moments[0]}
    lake = a_lake(
        markets=[a_market(open_ts=moments[0], close_ts=change + timedelta(hours=1))],
        quotes=[quote],
        series=[a_series(observed_ts=moments[0])],
    )
    known = pl.Series("known_ts", moments, dtype=pl.Datetime("us", "UTC"))
    plan = pl.LazyFrame({"ticker": ["A", "A"], "known_ts": known}).with_columns(intent=bt.buy_yes(1))
    run = bt.run(plan, lake, fills="touch", cash=10, latency="1us")
    assert run.fills["fill_ts"].to_list() == [moments[1], change]
    assert run.fills["fee_micros"].to_list() == [10_000, 3_400]


def test_equity_is_marked_at_the_bid_and_at_every_midnight() -> None:
    """Bought at noon on 1 September, paid on the 3rd: two midnights in between, at the day's last bid."""
    two_days = at(2 * 86_400)
    lake = a_lake(
        markets=[settled(pays_cc=10_000, close_ts=two_days, settlement_ts=two_days)],
        quotes=[a_quote(0, 4_900, 5_000), a_quote(20_000, 5_500, 6_000), a_quote(100_000, 7_000, None)],
    )
    run = replayed(lake, (1, "A", bt.buy_yes(10)))
    cash = 1_000_000_000 - 5_000_000 - 175_000
    assert run.equity.select("ts", "cash_micros", "marked_micros").rows() == [
        (at(1), 1_000_000_000, 1_000_000_000),
        (at(2), cash, cash + 4_900_000),
        (at(43_200), cash, cash + 5_500_000),
        (at(129_600), cash, cash + 7_000_000),
        (two_days, cash + 10_000_000, cash + 10_000_000),
    ]


def test_the_last_row_of_equity_is_kept_however_close_it_is_to_the_one_before() -> None:
    """Rows are about a second apart; the sale half a second after the purchase moves cash last."""
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_900, 5_100)])
    run = replayed(
        lake, (10, "A", bt.buy_yes(10)), (10.5, "A", bt.close()), (990, "A", bt.buy_yes(1, limit=100))
    )
    assert run.fills.height == 2
    assert run.equity["marked_micros"].to_list()[-1] == cash_end(run)[0]


def test_a_row_of_equity_is_left_out_only_if_the_next_is_as_close() -> None:
    """A row in 100 s, of 100,000 s: worthless at 14 s, 4 s after the purchase, and then nothing for a day.

    Without that row, the account would be told as worth its purchase for all the day.
    """
    markets = [
        settled("A", pays_cc=0, close_ts=at(13), settlement_ts=at(14)),
        settled("B", pays_cc=0, close_ts=at(99_000), settlement_ts=at(100_000)),
    ]
    quotes = [a_quote(0, 4_900, 5_000, ticker="A"), a_quote(0, 4_900, 5_000, ticker="B")]
    run = replayed(
        a_lake(markets=markets, quotes=quotes), (9, "A", bt.buy_yes(10)), (90_000, "B", bt.buy_yes(1))
    )
    assert run.equity["ts"].to_list() == [at(9), at(10), at(14), at(90_001), at(100_000)]
    assert run.equity["marked_micros"].to_list()[1:3] == [999_725_000, 994_825_000]


def test_of_close_rows_of_equity_the_last_before_a_wait_is_kept() -> None:
    """Rows are about a second apart: of purchases at 10.0, 10.1, ... 10.9 s the first and the last."""
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_900, 5_100)])
    buys = [(9 + tenth / 10, "A", bt.buy_yes(1)) for tenth in range(10)]
    run = replayed(lake, *buys, (990, "A", bt.buy_yes(1, limit=100)))
    assert run.fills.height == 10
    assert run.equity["ts"].to_list() == [at(9), at(10), at(10.9), at(991)]


def test_midnights_are_kept_however_close_they_are_to_the_row_before() -> None:
    """Paid after 1,000 days, so that rows are a day apart; bought an hour before midnight."""
    years = at(1_000 * 86_400)
    lake = a_lake(
        markets=[settled(pays_cc=10_000, close_ts=years, settlement_ts=years)],
        quotes=[a_quote(0, 4_900, 5_000), a_quote(41_000, 8_900, 9_000)],
    )
    run = replayed(lake, (39_600, "A", bt.buy_yes(10)))
    midnight = run.equity.filter(pl.col("ts") == at(43_200))
    assert midnight["marked_micros"].to_list() == [994_825_000 + 10 * 890_000]
    assert run.equity.height == 1 + 1 + 1_000 + 1  # before anything, the purchase, midnights, the payout


def test_a_value_on_a_market_that_nobody_decided_pays_nothing() -> None:
    """A source may write 0 for "not decided yet": status active without a result stays open."""
    lake = a_lake(
        markets=[a_market(settlement_value_cc=0, settlement_ts=at(2_000))], quotes=[a_quote(0, 4_900, 5_000)]
    )
    run = replayed(lake, (1, "A", bt.buy_yes(10)))
    assert run.settlements.is_empty()
    assert run.positions.height == 1


def test_capital_days_count_every_second_that_money_is_tied_up() -> None:
    """$5.10 held for half a second, then $4 reserved for 100 s, and no maker fee, over 86,400 s a day."""
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_900, 5_100), a_quote(900, 4_900, 5_100)])
    run = replayed(
        lake,
        (10, "A", bt.buy_yes(10)),
        (10.5, "A", bt.close()),
        (100, "A", bt.buy_yes(10, limit=4_000, ttl="100s")),
        fees=None,
    )
    held, waited = run.summary.select("locked_dollar_days", "locked_max_micros").row(0)
    assert held == (5_100_000 * 500_000 + 4_000_000 * 100_000_000) / (10**12 * 86_400)
    assert waited == 5_100_000


def test_the_last_row_of_equity_tells_what_its_own_instant_left_locked() -> None:
    """B settles 2 ms after A, too soon for a row of its own but for the last; C's order still waits then."""
    late = {"settlement_ts": at(2_000.002)}
    lake = a_lake(
        markets=[settled("A", pays_cc=0), settled("B", pays_cc=0, **late), a_market("C", close_ts=at(3_000))],
        quotes=[a_quote(0, 4_000, 6_000, ticker=ticker) for ticker in "ABC"],
    )
    waiting = (2, "C", bt.buy_yes(1, limit=1_000, tif="gtc"))
    run = replayed(lake, (1, "A", bt.buy_yes(1)), (1, "B", bt.buy_yes(1)), waiting)
    assert run.equity.select("ts", "locked_micros").rows()[-1] == (at(2_000.002), 100_000)
