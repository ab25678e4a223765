"""The strategy that other engines are measured with: our plan and polars do what its description says."""

from pathlib import Path

import numpy as np
import polars as pl

from tests.benchmarks.peer_job import fee_cents, fee_dollars
from tests.benchmarks.peer_tape import FILLS, PROFITS, Outcome, Tape, lake_of, made_up_tape
from tests.benchmarks.peer_ways import PARAMS, ours, outcome_of_ours, polars_alone

PICKED = PARAMS.gather_every(33)  # from 2.00 cents and 1 contract to 6.95 cents and 5


def in_words(tape: Tape) -> Outcome:
    """Return what the description at the top of peer_job says, trade by trade."""
    settled = dict(tape.settled.iter_rows())
    fills, profits = [], []
    for number, (dip, count) in enumerate(PICKED.iter_rows()):
        for (ticker,), rows in tape.trades.group_by("ticker", maintain_order=True):
            last: list[int] = []
            held = profit = 0
            for at_us, cents in rows.select("at_us", "cents").iter_rows():
                last = [*last[-19:], cents]
                below = sum(last) - 20 * cents
                wanted = count if below >= dip else 0 if below <= -dip else held
                if len(last) == 20 and wanted != held:
                    side = 1 if wanted else -1
                    fee = -(-7 * count * cents * (100 - cents) // 10_000)
                    fills.append((number, ticker, at_us, side, cents, count, fee))
                    held, profit = wanted, profit - side * cents * count - fee
            profits.append((number, ticker, profit + held * settled[ticker]))
    return Outcome(
        pl.DataFrame(fills, schema=list(FILLS), orient="row"),
        pl.DataFrame(profits, schema=list(PROFITS), orient="row"),
    )


def test_our_plan_and_polars_alone_trade_as_the_description_says(tmp_path: Path) -> None:
    """Four markets of a thousand and more trades: the same fills and profits, to the cent, in three ways."""
    whole = made_up_tape(100_000)
    tape = whole.of(whole.settled["ticker"].to_list()[6:10])
    expected, lake = in_words(tape), lake_of(tape, tmp_path / "lake")
    assert expected.fills.height > 50
    assert set(expected.profits["profit_cents"].sign()) >= {-1, 1}
    assert outcome_of_ours(ours(lake, PICKED)).equals(expected)
    assert polars_alone(lake, PICKED).equals(expected)


def test_an_outcome_that_differs_by_a_cent_is_not_equal() -> None:
    """A fee a cent higher, or one profit a cent lower: what is compared is not thrown away."""
    one = Outcome(
        pl.DataFrame([(0, "A", 5, 1, 40, 2, 4)], schema=list(FILLS), orient="row"),
        pl.DataFrame([(0, "A", -84)], schema=list(PROFITS), orient="row"),
    )
    dearer = Outcome(one.fills.with_columns(pl.col("fee_cents") + 1), one.profits)
    poorer = Outcome(one.fills, one.profits.with_columns(pl.col("profit_cents") - 1))
    assert one.equals(one)
    assert not one.equals(dearer)
    assert not one.equals(poorer)


def test_the_fee_is_seven_percent_of_p_times_one_minus_p_rounded_up_to_a_cent() -> None:
    """100 at $0.50: $1.75; 1 at $0.50: $0.0175, charged as $0.02; 3 at $0.02: $0.0041, charged as $0.01."""
    assert [fee_cents(50, 100), fee_cents(50, 1), fee_cents(2, 3), fee_cents(100, 5)] == [175, 2, 1, 0]
    assert fee_dollars(np.array([50, 2, 0]), 1).tolist() == [0.02, 0.01, 0.0]
