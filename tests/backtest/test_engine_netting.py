"""Collateral return on exclusive events: what can be lost at most is what is locked (traps 37, 39)."""

from typing import Any

import polars as pl
import pytest

import backtest as bt
from tests.backtest.worlds import (
    SERIES,
    MemoryLake,
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

EXCLUSIVE = {"mutually_exclusive": True, "collateral_return_type": "MECNET"}


def an_event(
    values: dict[str, int | None],
    asks: dict[str, int],
    event: dict[str, Any] = EXCLUSIVE,
) -> MemoryLake:
    """Return markets of one event that pay these values for YES, at a NO ask each, and no fees."""
    markets = [
        a_market(ticker, event_ticker="E")
        if value is None
        else settled(ticker, pays_cc=value, event_ticker="E", settlement_ts=at(2_000 + 100 * number))
        for number, (ticker, value) in enumerate(values.items())
    ]
    quotes = [a_quote(0, 10_000 - ask, 10_000 - ask + 100, ticker=ticker) for ticker, ask in asks.items()]
    row = {"ticker": "E", "observed_ts": at(-1), "series_ticker": "KXTEST", **event}
    return a_lake(markets=markets, quotes=quotes, events=[row], series=[a_series(ppm=0)])


HEARINGS = {"CLINTON": 6_000, "KERRY": 7_000}


def test_the_exchange_s_own_example_takes_thirty_cents() -> None:
    """NO for .60 and NO for .70 in one exclusive event: one of them pays for certain, so .30 are taken.

    Source: help.kalshi.com, Collateral Returns (read 2026-11-26).
    """
    lake = an_event(dict.fromkeys(HEARINGS), HEARINGS)
    orders = [(1, "CLINTON", bt.buy_no(1)), (2, "KERRY", bt.buy_no(1))]
    run = replayed(lake, *orders, netting=True, cash="0.90")
    assert run.orders["reason"].to_list() == [None, None]
    end = run.equity.row(-1, named=True)
    assert (end["cash_micros"], end["returned_micros"]) == (-400_000, 1_000_000)
    assert (end["locked_micros"], end["cash_micros"] + end["returned_micros"]) == (300_000, 600_000)
    assert any("collateral returns on 1 of 1 events" in each for each in run.assumptions)
    assert_conserved(run)


def test_without_netting_both_are_paid_in_full() -> None:
    """Trap 39: off by default: .60 of .90 leave .30, and .42 NO at .70 are .294."""
    lake = an_event(dict.fromkeys(HEARINGS), HEARINGS)
    run = replayed(lake, (1, "CLINTON", bt.buy_no(1)), (2, "KERRY", bt.buy_no(1)), cash="0.90")
    assert run.orders["filled_centi"].to_list() == [100, 42]
    assert run.equity["returned_micros"].sum() == 0


@pytest.mark.parametrize(
    ("event", "is_netted"),
    [
        (EXCLUSIVE, True),
        ({"mutually_exclusive": True, "collateral_return_type": None}, True),
        ({"mutually_exclusive": True, "collateral_return_type": "DIRECNET"}, False),
        ({"mutually_exclusive": True, "collateral_return_type": ""}, False),
        ({"mutually_exclusive": False, "collateral_return_type": "MECNET"}, False),
        ({"mutually_exclusive": None, "collateral_return_type": "MECNET"}, False),
    ],
)
def test_only_exclusive_events_with_that_scheme_return_collateral(
    event: dict[str, Any], *, is_netted: bool
) -> None:
    """Trap 37: exclusive is a claim of the record, never a guess from the number of markets."""
    lake = an_event(dict.fromkeys(HEARINGS), HEARINGS, event=event)
    run = replayed(lake, (1, "CLINTON", bt.buy_no(1)), (2, "KERRY", bt.buy_no(1)), netting=True)
    assert run.equity["returned_micros"].max() == (1_000_000 if is_netted else 0)


THREE = {"A": 6_000, "B": 7_000, "C": 8_000}


@pytest.mark.parametrize("winner", ["A", "B", "C", None])
def test_all_no_pay_at_least_all_but_one(winner: str | None) -> None:
    """Trap 37: three NO cost 2.10 and pay 2 or 3; a purse of .70 never owes anything, whoever wins."""
    lake = an_event({ticker: 10_000 if ticker == winner else 0 for ticker in THREE}, THREE)
    orders = [(second, ticker, bt.buy_no(1)) for second, ticker in enumerate(THREE, 1)]
    run = replayed(lake, *orders, netting=True, cash="0.70")
    assert run.orders["filled_centi"].to_list() == [100, 100, 100]
    disposable = (run.equity["cash_micros"] + run.equity["returned_micros"]).to_list()
    assert min(disposable) >= 0
    assert run.summary["cash_end_micros"].item() == 600_000 + (0 if winner else 1_000_000)
    assert run.equity["returned_micros"].to_list()[-1] == 0
    assert_conserved(run)


def test_all_yes_of_an_exclusive_event_can_pay_nothing() -> None:
    """Trap 37: exclusive is not exhaustive: three YES at .41, .31 and .21 return nothing and all lose."""
    lake = an_event(dict.fromkeys(THREE, 0), THREE)
    orders = [(second, ticker, bt.buy_yes(1)) for second, ticker in enumerate(THREE, 1)]
    run = replayed(lake, *orders, netting=True)
    assert run.equity["returned_micros"].max() == 0
    assert run.summary["pnl_micros"].item() == -930_000


def test_what_was_returned_can_block_a_sale() -> None:
    """Trap 39: .60 buy both and leave .30; selling one NO brings .69 and takes back $1.

    It needs .31 a contract: .96 of it need .2976, .97 would need .3007.
    """
    lake = an_event(dict.fromkeys(HEARINGS), HEARINGS)
    orders = [(1, "CLINTON", bt.buy_no(1)), (2, "KERRY", bt.buy_no(1)), (3, "KERRY", bt.sell_no(1))]
    run = replayed(lake, *orders, netting=True, cash="0.60")
    assert run.orders.select("filled_centi", "reason").rows()[2] == (96, "no cash")
    assert_conserved(run)


def test_unequal_holdings_return_all_but_the_largest() -> None:
    """5 NO in A and 2 in B: at least 2 pay, if A wins; then 4 in C: at least 6 pay."""
    lake = an_event(dict.fromkeys(THREE), THREE)
    counts = {"A": 5, "B": 2, "C": 4}
    orders = [(second, ticker, bt.buy_no(counts[ticker])) for second, ticker in enumerate(THREE, 1)]
    run = replayed(lake, *orders, netting=True)
    assert run.equity["returned_micros"].to_list()[1:] == [0, 2_000_000, 6_000_000]


def test_what_netting_returns_does_not_depend_on_the_order_of_settings() -> None:
    """C pays YES at 20 s: then NO of A and of B are sure. One setting alone names C, for nothing."""
    markets = [
        settled(
            ticker,
            pays_cc=pays_cc,
            event_ticker="E",
            open_ts=at(-5),
            close_ts=at(end),
            settlement_ts=at(paid),
        )
        for ticker, pays_cc, end, paid in (("A", 0, 400, 900), ("B", 0, 400, 900), ("C", 10_000, 15, 20))
    ]
    event = {"ticker": "E", "series_ticker": SERIES, "mutually_exclusive": True, "observed_ts": at(-100)}
    quotes = [a_quote(0, 5_000, 5_100, ticker=ticker, sizes=(10**6, 10**6)) for ticker in "ABC"]
    lake = a_lake(markets=markets, events=[event | {"collateral_return_type": "MECNET"}], quotes=quotes)
    wanted = [(1, "A", bt.buy_no(20)), (1, "B", bt.buy_no(20)), (30, "A", bt.buy_no(1_000))]
    named = pl.concat([a_plan(*wanted), a_plan((2, "C", bt.buy_yes(1).when(pl.lit(value=False))))])
    plan = named.lazy().filter((pl.col("ticker") != "C") | (bt.param("x") > 0))
    ends = [
        bt.run(plan, lake, fills="touch", latency="1s", cash=25, netting=True, params={"x": values})
        .summary.sort("x")
        .select("x", "pnl_micros")
        .rows()
        for values in ([0, 1], [1, 0])
    ]
    assert ends[0] == ends[1]
    assert ends[0][0][1] == ends[0][1][1] > 400_000_000
