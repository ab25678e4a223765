"""Orders that wait in a queue: who is ahead, what a trade leaves for us, and what is no fill."""

from typing import Any

import polars as pl
import pytest

import backtest as bt
from backtest.errors import PlanError
from backtest.results import Run
from tests.backtest.worlds import (
    a_delta,
    a_gap,
    a_lake,
    a_market,
    a_series,
    a_snapshot,
    assert_conserved,
    at,
    replayed,
)

BOOK = a_snapshot(0, yes={4_000: 500, 4_500: 300}, no={4_500: 400})  # bids .40 and .45, ask .55
EVERY = ["pessimistic", "proportional", "front"]


def a_trade(
    seconds: float, yes_price_cc: int, count_centi: int, taker_side: str, *, is_block: bool = False
) -> dict[str, Any]:
    """Return a trade; a taker of NO takes from the YES bids."""
    return {
        "trade_id": f"{seconds:09.3f}-{yes_price_cc}",
        "ticker": "A",
        "event_ts": at(seconds),
        "yes_price_cc": yes_price_cc,
        "count_centi": count_centi,
        "taker_side": taker_side,
        "is_block_trade": is_block,
    }


def waited(
    changes: list[dict[str, Any]],
    trades: list[dict[str, Any]],
    *orders: tuple[float, str, pl.Expr],
    queue: str = "pessimistic",
) -> Run:
    """Replay orders among changes and trades of one book."""
    lake = a_lake(markets=[a_market()], book_snapshots=[BOOK], book_deltas=changes, trades=trades)
    return replayed(lake, *orders, fills="queue", queue=queue)


def fills(run: Run) -> list[tuple[Any, ...]]:
    assert_conserved(run)
    return run.fills.select("fill_ts", "yes_price_cc", "count_centi", "role", "evidence").rows()


def test_a_trade_takes_what_is_ahead_first() -> None:
    """3 stand at .45 when we come with 2; trades of 2, 1.5 and 4 leave us 0, .5 and the other 1.5."""
    changes = [
        a_delta(5, "yes", 4_500, -200, seq=2),
        a_delta(5.5, "yes", 4_500, 500, seq=3),
        a_delta(6, "yes", 4_500, -150, seq=4),
        a_delta(7, "yes", 4_500, -400, seq=5),
    ]
    trades = [a_trade(5, 4_500, 200, "no"), a_trade(6, 4_500, 150, "no"), a_trade(7, 4_500, 400, "no")]
    run = waited(changes, trades, (1, "A", bt.buy_yes(2, limit=4_500, tif="gtc")))
    assert fills(run) == [(at(6), 4_500, 50, "maker", "queue"), (at(7), 4_500, 150, "maker", "queue")]


@pytest.mark.parametrize(("queue", "filled"), [("pessimistic", 0), ("proportional", 50), ("front", 200)])
def test_cancels_are_from_behind_from_both_or_nothing_is_ahead(queue: str, filled: int) -> None:
    """3 ahead, 3 come behind, 3 are cancelled: 3, 1.5 or 0 are ahead; then 2 trade."""
    changes = [
        a_delta(3, "yes", 4_500, 300, seq=2),
        a_delta(4, "yes", 4_500, -300, seq=3),
        a_delta(5, "yes", 4_500, -200, seq=4),
    ]
    order = (1, "A", bt.buy_yes(5, limit=4_500, tif="gtc"))
    run = waited(changes, [a_trade(5, 4_500, 200, "no")], order, queue=queue)
    assert run.orders["filled_centi"].to_list() == [filled]


@pytest.mark.parametrize("queue", EVERY)
def test_a_book_in_which_sizes_only_vanish_fills_nothing(queue: str) -> None:
    """Trap 5: cancels are not fills, even when everything ahead is gone."""
    changes = [a_delta(3, "yes", 4_500, -300, seq=2), a_delta(4, "yes", 4_000, -500, seq=3)]
    run = waited(changes, [], (1, "A", bt.buy_yes(5, limit=4_500, tif="gtc")), queue=queue)
    assert fills(run) == []


@pytest.mark.parametrize("queue", EVERY)
def test_a_trade_at_a_worse_price_went_through_us(queue: str) -> None:
    """Somebody sold 1 at .40 while we bid .45: we stood before that, for 1 contract and no more."""
    order = (1, "A", bt.buy_yes(5, limit=4_500, tif="gtc"))
    changes = [a_delta(5, "yes", 4_000, -100, seq=2)]
    run = waited(changes, [a_trade(5, 4_000, 100, "no")], order, queue=queue)
    assert fills(run) == [(at(5), 4_500, 100, "maker", "queue:through")]


@pytest.mark.parametrize("queue", EVERY)
def test_trades_that_take_from_the_other_side_or_before_us_are_not_ours(queue: str) -> None:
    """Trap 6: who bought YES took asks; and a trade at .45 leaves a bid at .40 where it is."""
    changes = [a_delta(5, "no", 4_500, -100, seq=2), a_delta(6, "yes", 4_500, -100, seq=3)]
    trades = [a_trade(5, 5_500, 100, "yes"), a_trade(6, 4_500, 100, "no")]
    run = waited(changes, trades, (1, "A", bt.buy_yes(5, limit=4_000, tif="gtc")), queue=queue)
    assert fills(run) == []


def test_two_orders_of_ours_share_a_trade_in_the_order_in_which_they_came() -> None:
    """Trap 6: 2 trade; the first order takes 1.5, the second what is left."""
    orders = [(t, "A", bt.buy_yes(n, limit=4_500, tif="gtc")) for t, n in ((1, 1.5), (2, 3))]
    changes = [a_delta(5, "yes", 4_500, -200, seq=2)]
    run = waited(changes, [a_trade(5, 4_500, 200, "no")], *orders, queue="front")
    assert run.orders["filled_centi"].to_list() == [150, 50]


@pytest.mark.parametrize("n", [4, 40_000_000, 4_000_000_000])
def test_a_place_among_any_number_of_contracts_moves_in_proportion(n: int) -> None:
    """All are ahead, as many come behind, half of both go: half are ahead; these trade, then 1 of ours."""
    book = a_snapshot(0, yes={4_500: 100 * n}, no={4_500: 400})
    changes = [(3, 100 * n), (5, -100 * n), (10, -50 * n), (12, -100)]
    deltas = [a_delta(t, "yes", 4_500, change, seq=seq) for seq, (t, change) in enumerate(changes, 2)]
    lake = a_lake(
        markets=[a_market()],
        book_snapshots=[book],
        book_deltas=deltas,
        trades=[a_trade(10, 4_500, 50 * n, "no"), a_trade(12, 4_500, 100, "no")],
    )
    run = replayed(lake, (1, "A", bt.buy_yes(1, limit=4_500, tif="gtc")), fills="queue", queue="proportional")
    assert fills(run) == [(at(12), 4_500, 100, "maker", "queue")]


@pytest.mark.parametrize("queue", EVERY)
def test_of_two_orders_of_ours_the_better_price_trades_first(queue: str) -> None:
    """Trap 6: 1 is sold at .40; .46 came after .43 and stands before it. On the other side .53 before .54."""
    bids = [(1, "A", bt.buy_yes(1, limit=4_300, tif="gtc")), (2, "A", bt.buy_yes(1, limit=4_600, tif="gtc"))]
    changes = [a_delta(5, "yes", 4_000, -100, seq=2)]
    run = waited(changes, [a_trade(5, 4_000, 100, "no")], *bids, queue=queue)
    assert fills(run) == [(at(5), 4_600, 100, "maker", "queue:through")]
    asks = [(1, "A", bt.buy_no(1, limit=4_600, tif="gtc")), (2, "A", bt.buy_no(1, limit=4_700, tif="gtc"))]
    changes = [a_delta(5, "no", 4_500, -100, seq=2)]
    run = waited(changes, [a_trade(5, 5_500, 100, "yes")], *asks, queue=queue)
    assert fills(run) == [(at(5), 5_300, 100, "maker", "queue:through")]


def test_a_block_trade_advances_nobody() -> None:
    """Trap 14: it was negotiated off the book."""
    trades = [a_trade(5, 4_500, 1_000, "no", is_block=True)]
    run = waited([], trades, (1, "A", bt.buy_yes(1, limit=4_500, tif="gtc")), queue="front")
    assert fills(run) == []


@pytest.mark.parametrize(("queue", "filled"), [("pessimistic", 0), ("proportional", 0), ("front", 100)])
def test_a_trade_that_no_change_shows_fills_only_who_is_first(queue: str, filled: int) -> None:
    """Its change may have come long before: then what is displayed is what is ahead already."""
    order = (1, "A", bt.buy_yes(1, limit=4_500, tif="gtc"))
    run = waited([], [a_trade(5, 4_500, 900, "no")], order, queue=queue)
    assert run.orders["filled_centi"].to_list() == [filled]


def test_a_hole_advances_nobody_and_the_next_snapshot_shows_who_is_left() -> None:
    """3 ahead, a hole at 4 s, a snapshot at 8 s shows 1: at most 1 is ahead; a trade of 1.5 leaves .5."""
    again = a_snapshot(8, yes={4_500: 100}, no={4_500: 400}, seq=9)
    changes = [a_delta(9, "yes", 4_500, 200, seq=10), a_delta(10, "yes", 4_500, -150, seq=11)]
    lake = a_lake(
        markets=[a_market()],
        book_snapshots=[BOOK, again],
        book_deltas=changes,
        book_gaps=[a_gap(4, from_seq=5, until=8)],
        trades=[a_trade(10, 4_500, 150, "no")],
    )
    run = replayed(lake, (1, "A", bt.buy_yes(2, limit=4_500, tif="gtc")), fills="queue")
    assert fills(run) == [(at(10), 4_500, 50, "maker", "queue")]


def test_the_maker_pays_the_makers_fee() -> None:
    """Trap 21: 4 taken at .55 cost .07 x 4 x .55 x .45 = .0693; 1 made .0044 for .004332."""
    lake = a_lake(
        markets=[a_market()],
        series=[a_series(fee_type="quadratic_with_maker_fees")],
        book_snapshots=[BOOK],
        book_deltas=[a_delta(6, "no", 4_500, -400, seq=2)],
        trades=[a_trade(9, 4_500, 100, "no")],
    )
    run = replayed(lake, (1, "A", bt.buy_yes(5, limit=5_500, tif="gtc")), fills="queue")
    assert run.fills.select("role", "count_centi", "fee_micros", "evidence").rows() == [
        ("taker", 400, 69_300, "book"),
        ("maker", 100, 4_400, "queue:through"),
    ]


def test_post_only_never_takes() -> None:
    """At .55 it would trade and is rejected; at .54 it waits."""
    orders = [(1, "A", bt.buy_yes(1, limit=cc, ttl="9s", post_only=True)) for cc in (5_500, 5_400)]
    run = waited([], [], *orders)
    assert run.orders.select("status", "reason").rows() == [
        ("rejected", "post only"),
        ("unfilled", "expired"),
    ]


def test_an_order_that_cannot_wait_cannot_be_post_only() -> None:
    with pytest.raises(PlanError, match="post_only"):
        bt.buy_yes(1, limit=5_000, tif="fok", post_only=True)


@pytest.mark.parametrize(
    "arguments", [{"fills": "book", "queue": "front"}, {"fills": "queue", "queue": "last"}]
)
def test_a_place_in_the_queue_is_refused_where_there_is_none(arguments: dict[str, str]) -> None:
    lake = a_lake(markets=[a_market()], book_snapshots=[BOOK])
    with pytest.raises(PlanError, match="pessimistic or proportional or front"):
        replayed(lake, (1, "A", bt.buy_yes(1)), **arguments)


NO_TRADES = "no trade is on record of 1 market with orders that wait: "


@pytest.mark.parametrize("queue", EVERY)
def test_a_run_says_that_a_book_came_without_trades(queue: str) -> None:
    """As recordings of the order book alone do: then all three places in the queue give the same."""
    order = (1, "A", bt.buy_yes(2, limit=4_500, ttl="60s"))
    said = waited([], [], order, queue=queue).assumptions
    assert any(each.startswith(NO_TRADES) for each in said)
    for silent in (
        waited([], [a_trade(5, 4_500, 150, "no")], order, queue=queue),
        waited([], [], (1, "A", bt.buy_yes(2, limit=4_500)), queue=queue),
    ):
        assert not any(each.startswith(NO_TRADES) for each in silent.assumptions)
