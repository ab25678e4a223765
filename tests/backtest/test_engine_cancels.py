"""Cancellations and replacements: what waits is taken back when the message arrives, not when it is sent."""

import polars as pl
import pytest

import backtest as bt
from backtest.errors import PlanError
from tests.backtest.worlds import MemoryLake, a_lake, a_market, a_quote, assert_conserved, at, replayed

EARLY, LATE = 3, 8  # the ask comes down to 40 cents between them


def a_falling_ask(**market: object) -> MemoryLake:
    """The ask is 60 cents, and from second 6 on 40."""
    quotes = [a_quote(0, 3_000, 6_000), a_quote(6, 3_000, 4_000)]
    return a_lake(markets=[a_market("A", **market)], quotes=quotes)


def a_bid(limit: int = 5_000, *, replace: bool = False) -> pl.Expr:
    return bt.buy_yes(10, limit=limit, ttl="1m", replace=replace)


def test_an_order_cancelled_before_the_price_comes_is_not_filled() -> None:
    """Sent at 3 s, the cancellation arrives at 4 s; the ask is met at 6 s."""
    run = replayed(a_falling_ask(), (0, "A", a_bid()), (EARLY, "A", bt.cancel()))
    assert run.orders.select("action", "status", "reason", "count_centi").rows() == [
        ("buy", "unfilled", "cancelled", 1_000),
        ("cancel", "done", None, 0),
    ]
    assert run.summary.select("n_orders", "n_fills", "locked_max_micros").rows() == [(1, 0, 5_000_000)]
    assert run.equity["cash_micros"].to_list() == [1_000_000_000]
    assert run.summary["n_rejected"].item() == 0


def test_a_cancellation_that_comes_too_late_finds_nothing() -> None:
    """The order was filled at 6 s, the cancellation arrives at 9 s."""
    run = replayed(a_falling_ask(), (0, "A", a_bid()), (LATE, "A", bt.cancel()))
    assert run.orders.select("status", "reason").rows() == [("filled", None), ("done", "nothing waits")]


def test_a_cancellation_is_too_late_at_the_instant_of_the_fill() -> None:
    """Both at second 6: the market comes first, as for every order."""
    run = replayed(a_falling_ask(), (0, "A", a_bid()), (5, "A", bt.cancel()))
    assert run.orders["reason"].to_list() == [None, "nothing waits"]


@pytest.mark.parametrize(
    ("side", "reasons"), [("yes", ["cancelled", "expired"]), ("no", [None, "cancelled"])]
)
def test_one_side_can_be_cancelled_alone(side: str, reasons: list[str | None]) -> None:
    """Selling YES acquires NO."""
    plan = ((0, "A", a_bid()), (0, "A", bt.sell_yes(10, limit=9_000, ttl="1m")))
    run = replayed(a_falling_ask(), *plan, (EARLY, "A", bt.cancel(side)))
    assert run.orders["reason"].to_list()[:2] == reasons


def test_a_replacement_frees_the_cash_that_it_needs_itself() -> None:
    """$6 pay for 10 at 50 cents or 10 at 55, not for both; who waits pays no fee here."""
    run = replayed(a_falling_ask(), (0, "A", a_bid()), (EARLY, "A", a_bid(5_500, replace=True)), cash=6)
    assert run.orders.select("status", "reason").rows() == [("unfilled", "cancelled"), ("filled", None)]
    (fill,) = run.fills.to_dicts()
    assert (fill["price_cc"], fill["count_centi"], fill["fill_ts"]) == (5_500, 1_000, at(6))
    assert_conserved(run)


def test_without_replacement_the_second_order_gets_what_cash_is_left() -> None:
    """$5 of $6 are reserved: one dollar is left, less than 2 contracts at 55 cents."""
    run = replayed(a_falling_ask(), (0, "A", a_bid()), (EARLY, "A", a_bid(5_500)), cash=6)
    assert run.orders["reason"].to_list() == [None, "no cash"]


def test_a_cancellation_reaches_no_other_market() -> None:
    """Both markets have an order; the one in B is still there when B's ask comes."""
    quotes = [a_quote(s, 3_000, ask, ticker=m) for m in "AB" for s, ask in ((0, 6_000), (6, 4_000))]
    lake = a_lake(markets=[a_market("A"), a_market("B")], quotes=quotes)
    run = replayed(lake, (0, "A", a_bid()), (0, "B", a_bid()), (EARLY, "A", bt.cancel()))
    assert run.fills["ticker"].to_list() == ["B"]


def test_cancelling_after_the_close_is_refused() -> None:
    """The market closes at second 5."""
    run = replayed(a_falling_ask(close_ts=at(5)), (0, "A", a_bid()), (LATE, "A", bt.cancel()))
    assert run.orders.select("status", "reason").rows()[1] == ("rejected", "closed")


def test_an_unknown_side_is_refused_at_once() -> None:
    with pytest.raises(PlanError, match="'yes' for what acquires YES"):
        bt.cancel("bid")
