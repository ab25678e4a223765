"""A run beside an account's own fills: what both cover, and what the rest is."""

from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final

import polars as pl
import pytest
from hypothesis import given, settings

import backtest as bt
from backtest.errors import PlanError
from backtest.results import Run
from exchange.units import format_cc, format_centi, format_micros, format_ts
from tests.backtest.test_laws import EVERY, SEEDS, a_world, swapped
from tests.backtest.test_laws import run as run_world
from tests.backtest.worlds import MemoryLake, a_lake, a_market, a_quote, at, replayed, settled

HEADER: Final = "created_time,ticker,outcome_side,count_fp,yes_price_dollars,fee_cost,is_taker,order_id"
QUOTES: Final = [a_quote(seconds, 4_900, 5_000, ticker=ticker) for ticker in "AB" for seconds in (0, 60)]
LAKE: Final = a_lake(markets=[settled("A", pays_cc=10_000), settled("B", pays_cc=0)], quotes=QUOTES)
BUY: Final = (1, "A", bt.buy_yes(10))
MINE: Final = (2, "A", "yes", 1_000, 5_000, 175_000)  # what BUY comes to


def a_file(folder: Path, *rows: tuple[float, str, str, int, int, int], name: str = "mine.csv") -> Path:
    """Write fills as the exchange exports them: (seconds, ticker, outcome, count, price of YES, fee)."""
    lines = [
        f"{format_ts(at(seconds))},{ticker},{outcome},{format_centi(count)},{format_cc(price)},"
        f"{format_micros(fee)},true,o{number}"
        for number, (seconds, ticker, outcome, count, price, fee) in enumerate(rows)
    ]
    path = folder / name
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


def own_fills(run: Run) -> list[tuple[float, str, str, int, int, int]]:
    """Return a run's fills as an account's that did the same."""
    return [
        (
            (row["fill_ts"] - at(0)).total_seconds(),
            row["ticker"],
            "yes" if (row["action"] == "buy") == (row["side"] == "yes") else "no",
            *(row[name] for name in ("count_centi", "yes_price_cc", "fee_micros")),
        )
        for row in run.fills.iter_rows(named=True)
    ]


def left_out(found: bt.Comparison) -> list[tuple[Any, ...]]:
    return found.left_out.drop("count_centi").rows()


def causes(found: bt.Comparison) -> dict[str, int]:
    return dict(found.causes.select("cause", "micros").iter_rows())


def test_an_account_that_did_the_same_is_equal_in_any_order_of_its_file(tmp_path: Path) -> None:
    """Bought, sold in another market, sold again, bought back; oldest first in the file, and newest first.

    A: 10 cost 5.00, 7 of them are sold for 3.43, 3 pay 3.00, fees .2975: 1.1325. B: 5 NO cost 2.55, 2 of them
    are sold for 1.00, 3 pay 3.00, fees .1225: 1.3275.
    """
    orders = [
        BUY,
        (3, "B", bt.sell_yes(5)),
        (4, "A", bt.sell_yes(4)),
        (5, "B", bt.buy_yes(2)),
        (6, "A", bt.buy_no(3)),
    ]
    run = replayed(LAKE, *orders)
    for rows in (own_fills(run), own_fills(run)[::-1]):
        found = bt.compare(run, fills=a_file(tmp_path, *rows))
        assert (found.is_equal, found.other, found.left_out.height) == (True, "account", 0)
        assert found.summary["other_pnl_micros"].to_list() == run.summary["pnl_micros"].to_list()
    assert repr(found) == "The same P&L, +$2.46; contracts: 24 matched."


@settings(max_examples=6)
@given(SEEDS, EVERY)
def test_a_runs_own_fills_are_equal_to_it(seed: int, fills: str) -> None:
    """Whatever the world: nothing is left out, nothing differs."""
    rows, plan = a_world(Random(seed), fills)
    run = run_world(rows, plan, fills=fills)
    if run.fills.is_empty():
        return
    with TemporaryDirectory() as folder:
        found = bt.compare(run, fills=a_file(Path(folder), *own_fills(run)))
    assert (found.is_equal, found.left_out.height) == (True, 0)
    assert found.summary["other_pnl_micros"].to_list() == run.summary["pnl_micros"].to_list()


def test_a_price_a_fee_and_a_moment_that_were_others_are_told_apart(tmp_path: Path) -> None:
    """A cent dearer, half a cent of fee less, 3 s later."""
    mine = (5, "A", "yes", 1_000, 5_100, 170_000)
    found = bt.compare(replayed(LAKE, BUY), fills=str(a_file(tmp_path, mine)))
    assert causes(found) == {"price": -100_000, "fee": 5_000}
    assert found.summary["later_s"].to_list() == [3.0]
    assert found.summary["n_other_orders"].to_list() == [None]
    assert found.contracts["other_fill_id"].to_list() == [f"{tmp_path / 'mine.csv'}:2"]
    assert "in the account" in repr(found)


def test_what_only_one_of_them_bought_came_to_what_the_run_says(tmp_path: Path) -> None:
    """The account bought 4 of the 10, and in B, which paid nothing, as the run did, 2 more than its 3."""
    run = replayed(LAKE, BUY, (1, "B", bt.buy_yes(3)))
    mine = [(2, "A", "yes", 400, 5_000, 70_000), (2, "B", "yes", 500, 5_000, 87_500)]
    found = bt.compare(
        run, fills=[a_file(tmp_path, mine[0], name="1.csv"), a_file(tmp_path, mine[1], name="2.csv")]
    )
    assert dict(found.causes.select("ticker", "micros").iter_rows()) == {
        "A": -(6 * 500_000 - 105_000),
        "B": -(2 * 500_000 + 35_000),
    }


def test_what_the_run_does_not_cover_is_left_out_and_named(tmp_path: Path) -> None:
    """C is not in the run, nothing was recorded of A before 0 s, nor after the end of the data."""
    early, late = (-5, "A", "yes", 100, 4_000, 1), (90_000, "A", "no", 100, 4_000, 1)
    found = bt.compare(
        replayed(LAKE, BUY), fills=a_file(tmp_path, MINE, (3, "C", "no", 100, 1_000, 0), early, late)
    )
    assert found.is_equal
    assert left_out(found) == [
        ("account", "market is not in the run", 1, 1),
        ("account", "the run has no data of that time", 1, 2),
    ]
    assert "Left out of the account: 2 fills of 2 in 1 market: the run has no data of that time." in repr(
        found
    )


def test_a_market_that_was_over_before_the_account_began_is_left_out(tmp_path: Path) -> None:
    """B closed at 10 s; the account's first fill came at 20 s."""
    lake = a_lake(markets=[settled("A", pays_cc=0), settled("B", pays_cc=0, close_ts=at(10))], quotes=QUOTES)
    run = replayed(lake, (19, "A", bt.buy_yes(10)), (1, "B", bt.buy_yes(10)))
    mine = a_file(tmp_path, (20, "A", "yes", 1_000, 5_000, 175_000))
    found = bt.compare(run, fills=mine)
    assert (found.is_equal, left_out(found)) == (
        True,
        [("run", "market was not open while the account traded", 1, 1)],
    )
    assert found.summary["run_pnl_micros"].to_list() == [-5_175_000]


def test_start_and_end_cut_both_sides(tmp_path: Path) -> None:
    run = replayed(LAKE, BUY, (9, "A", bt.buy_yes(1)), (30, "A", bt.buy_yes(1)))
    mine = a_file(tmp_path, MINE, (11, "A", "yes", 100, 5_000, 17_500), (50, "A", "yes", 900, 5_000, 0))
    found = bt.compare(run, fills=mine, start=at(5), end=at(25))
    assert (found.is_equal, found.summary["matched_centi"].to_list()) == (True, [100])
    with pytest.raises(PlanError, match="no fill, or none between start and end"):
        bt.compare(run, fills=mine, start=at(100))


def test_a_market_whose_worth_nobody_knows_is_left_out_unless_a_lake_knows(tmp_path: Path) -> None:
    """The run wanted nothing of B, so that it has no payout of it; the lake says that B paid nothing."""
    run = replayed(LAKE, BUY, (1, "B", bt.buy_yes(1, limit=100)))
    mine = a_file(tmp_path, MINE, (2, "B", "no", 200, 4_900, 35_000))
    found = bt.compare(run, fills=mine)
    assert (found.is_equal, left_out(found)) == (
        True,
        [("account", "no payout on record, and no mark of the run", 1, 1)],
    )
    with_lake = bt.compare(run, fills=mine, lake=LAKE)  # type: ignore[arg-type]  # a lake in memory
    assert causes(with_lake) == {"only in other": 2 * 490_000 - 35_000}
    assert with_lake.left_out.is_empty()


def test_a_lake_knows_what_a_run_held_between_start_and_end(tmp_path: Path) -> None:
    """Of A, flat at last, only the sale counts: 10 NO at .51, and .175 of fee, came to nothing."""
    lake = a_lake(markets=[a_market("A"), settled("B", pays_cc=0)], quotes=QUOTES)
    run = replayed(lake, BUY, (9, "A", bt.sell_yes(10)), (9, "B", bt.buy_yes(1)))
    arguments: dict[str, Any] = {
        "fills": a_file(tmp_path, (10, "B", "yes", 100, 5_000, 17_500)),
        "start": at(5),
    }
    assert left_out(bt.compare(run, **arguments)) == [
        ("run", "no payout on record, and no mark of the run", 1, 1)
    ]
    found = bt.compare(run, lake=LAKE, **arguments)  # type: ignore[arg-type]  # a lake in memory
    assert (causes(found), found.left_out.height) == ({"only in run": 5_100_000 + 175_000}, 0)


@pytest.mark.parametrize(("ask_cc", "no_bid_micros"), [(4_400, 560_000), (9_000, 100_000), (None, 0)])
def test_what_is_still_held_is_worth_the_bid_of_its_side(
    ask_cc: int | None, no_bid_micros: int, tmp_path: Path
) -> None:
    """The run holds 10 NO of .60, worth $1 less the last ask; the account 10 YES of .42, worth .40.

    Nobody asks: nobody bids for NO, and the account's YES are worth no more for that.
    """
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_000, 4_200), a_quote(100, 4_000, ask_cc)])
    found = bt.compare(
        replayed(lake, (1, "A", bt.buy_no(10))), fills=a_file(tmp_path, (2, "A", "yes", 1_000, 4_200, 0))
    )
    run_micros = 10 * (no_bid_micros - 600_000) - 168_000  # .07 x .6 x .4 x 10 of fee
    assert found.summary.select("run_pnl_micros", "other_pnl_micros").row(0) == (run_micros, -200_000)
    assert causes(found) == {"only in run": -run_micros, "only in other": -200_000}


def test_contracts_of_both_are_marked_for_what_each_side_has_left(tmp_path: Path) -> None:
    """Both bought 10 YES at .42; the run then 20 NO at .60, so that 10 NO are left to it, worth .56 each.

    Ten of its NO made pairs with its YES. So a YES of the run is worth .44, and the account's .40: 10 x -.04.
    Only the run lost 20 x .04 with NO, and paid .336 for that.
    """
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_000, 4_200), a_quote(100, 4_000, 4_400)])
    run = replayed(lake, (1, "A", bt.buy_yes(10)), (5, "A", bt.buy_no(20)))
    found = bt.compare(run, fills=a_file(tmp_path, (2, "A", "yes", 1_000, 4_200, 170_600)))
    assert causes(found) == {"payout": -400_000, "only in run": 800_000 + 336_000}
    pnl = found.summary.select("run_pnl_micros", "other_pnl_micros", "difference_micros").row(0)
    assert pnl == (-600_000 - 170_600 - 336_000, -200_000 - 170_600, 736_000)


@settings(max_examples=15)
@given(SEEDS, EVERY)
def test_an_account_earns_what_a_run_would_that_did_the_same(seed: int, fills: str) -> None:
    """Every order of the run for the other side, where the run knows what came of the account's markets."""
    rows, plan = a_world(Random(seed), fills)
    swapped_plan = [(at_s, ticker, swapped(order)) for at_s, ticker, order in plan]
    one, two = (run_world(rows, each, fills=fills) for each in (plan, swapped_plan))
    known = pl.concat([one.settlements["ticker"], one.positions["ticker"]])
    if two.fills.is_empty() or not two.fills["ticker"].is_in(known.implode()).all():
        return
    with TemporaryDirectory() as folder:
        found = bt.compare(one, fills=a_file(Path(folder), *own_fills(two)))
    if "account" not in found.left_out["who"]:
        assert found.summary["other_pnl_micros"].to_list() == two.summary["pnl_micros"].to_list()


def test_what_was_closed_needs_no_worth(tmp_path: Path) -> None:
    """Bought at .50 and sold at .49 in a market that the run did not trade: 2 cents and the fees."""
    lake: MemoryLake = a_lake(markets=[settled("A", pays_cc=10_000), a_market("B")], quotes=QUOTES)
    run = replayed(lake, BUY, (1, "B", bt.buy_yes(1, limit=100)))
    rows = [MINE, (2, "B", "yes", 200, 5_000, 35_000), (3, "B", "no", 200, 4_900, 35_000)]
    assert causes(bt.compare(run, fills=a_file(tmp_path, *rows))) == {"only in other": -20_000 - 70_000}


def test_one_row_of_parameters_is_what_an_account_is_compared_with(tmp_path: Path) -> None:
    mine = a_file(tmp_path, MINE)
    swept = replayed(LAKE, (1, "A", bt.buy_yes(bt.param("n", pl.Int64))), params={"n": [5, 10]})
    with pytest.raises(PlanError, match="2 parameter rows: choose one with params="):
        bt.compare(swept, fills=mine)
    found = bt.compare(swept, fills=mine, params={"n": 10})
    assert (found.is_equal, found.summary["n"].to_list()) == (True, [10])


def test_nothing_in_common_is_refused(tmp_path: Path) -> None:
    run = replayed(LAKE, (1, "A", bt.buy_yes(10, limit=100)))
    with pytest.raises(
        PlanError, match=r"no market and time in common: account: market is not in the run: 1 fill$"
    ):
        bt.compare(run, fills=a_file(tmp_path, (2, "C", "yes", 100, 5_000, 0)))
