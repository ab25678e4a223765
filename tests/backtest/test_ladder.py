"""The same intents on every rung: each says what it would have been, side by side."""

import polars as pl
import pytest

import backtest as bt
from backtest.errors import PlanError
from tests.backtest.worlds import a_delta, a_lake, a_plan, a_quote, a_snapshot, at, settled

TRADE = {
    "trade_id": "1", "ticker": "A", "event_ts": at(9), "yes_price_cc": 4_500, "count_centi": 400,
    "taker_side": "no", "is_block_trade": False,
}  # fmt: skip
LAKE = a_lake(
    markets=[settled(pays_cc=10_000)],
    quotes=[a_quote(0, 4_500, 5_500, sizes=(300, 200))],
    book_snapshots=[a_snapshot(0, yes={4_500: 300}, no={4_500: 200, 4_000: 200})],
    book_deltas=[a_delta(9, "yes", 4_500, -400, seq=2)],
    trades=[TRADE],
)
BUY = a_plan((1, "A", bt.buy_yes(3)))
WAIT = a_plan((1, "A", bt.buy_yes(2, limit=4_500, tif="gtc")))


def test_every_rung_fills_what_it_can() -> None:
    """3 contracts: at .50, or 2 at .55 and no more, or 2 at .55 and 1 at .60."""
    told = bt.ladder(BUY, LAKE, latency="1s")
    assert told["rung"].to_list() == ["mid", "touch", "book", *(f"queue:{each}" for each in PLACES)]
    assert told["filled_centi"].to_list() == [300, 200, 300, 300, 300, 300]
    assert (told["known_share"] > 0.99).all()
    cost = told["cash_start_micros"] + told["payouts_micros"] - told["cash_end_micros"] - told["fees_micros"]
    assert cost.to_list()[:3] == [1_500_000, 1_100_000, 1_700_000]


PLACES = ("pessimistic", "proportional", "front")


def test_a_place_in_the_queue_decides_what_patience_gets() -> None:
    """3 stand before us when 4 trade: behind them 1 is ours, in front both."""
    told = bt.ladder(WAIT, LAKE, latency="1s", rungs=("touch", "book", "queue:pessimistic", "queue:front"))
    assert told["filled_centi"].to_list() == [0, 0, 100, 200]


def test_rungs_stand_together_for_each_parameter() -> None:
    plan = a_plan((1, "A", bt.buy_yes(1).when(bt.param("n") > 0)))
    told = bt.ladder(plan, LAKE, latency="1s", rungs=("touch", "book"), params={"n": [1, 0]}, extra_ticks=1)
    assert told.select("n", "rung", "n_fills").rows() == [
        (1.0, "touch", 1),
        (1.0, "book", 1),
        (0.0, "touch", 0),
        (0.0, "book", 0),
    ]


def test_an_empty_purse_shows_on_the_rung_where_it_is_empty() -> None:
    """$1.20: at the middle 3 contracts of .5175 with the fee are $1.5525: 2.31, and then not one more.

    At the touch there are 2 for $1.1347 and then none: no purse would pay for more. $100 is enough for all.
    """
    twice = a_plan((1, "A", bt.buy_yes(3)), (2, "A", bt.buy_yes(1)))
    for cash, expected in ((1.2, [(2, 1, 231), (0, 0, 200)]), (100, [(0, 0, 400), (0, 0, 200)])):
        told = bt.ladder(twice, LAKE, latency="1s", rungs=("mid", "touch"), cash=cash)
        assert told.select("n_no_cash", "n_rejected", "filled_centi").rows() == expected


def test_a_rung_without_data_says_so() -> None:
    quoted = a_lake(markets=[settled(pays_cc=0)], quotes=[a_quote(0, 4_500, 5_500)])
    told = bt.ladder(BUY, quoted, latency="1s", rungs=("touch", "book"))
    assert told.select(pl.col("known_share") > 0, "n_fills").rows() == [(True, 1), (False, 0)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"rungs": ("bar",)}, "rung 'bar' is unknown: use mid"),
        ({"rungs": ()}, "needs a rung"),
        ({"fills": "book"}, "has them in rungs"),
    ],
)
def test_a_ladder_that_cannot_be_meant_is_refused(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        bt.ladder(BUY, LAKE, **arguments)  # type: ignore[arg-type]  # that is the test


@pytest.mark.parametrize("name", ["rung", "known_share"])
def test_a_parameter_cannot_have_the_name_of_a_ladders_column(name: str) -> None:
    plan = a_plan((1, "A", bt.buy_yes(bt.param(name))))
    with pytest.raises(PlanError, match=f"cannot be called {name}: ladders have a column of that name"):
        bt.ladder(plan, LAKE, rungs=("touch",), params={name: [1, 2]})
