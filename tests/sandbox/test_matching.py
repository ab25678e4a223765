"""The matching engine, on books small enough to check by hand."""

from exchange.books import OrderBook
from exchange.trades import Side
from sandbox.matching import Engine, Fill


def bid(
    engine: Engine, side: Side, price_cc: int, count_centi: int, *, owner: int = 1, rests: bool = True
) -> list[Fill]:
    _, fills = engine.submit(side=side, limit_cc=price_cc, count_centi=count_centi, owner=owner, rests=rests)
    return fills


def test_yes_and_no_bids_trade_when_they_offer_a_dollar_together() -> None:
    """YES at $0.60 meets NO resting at $0.45: it prints at 1 - 0.45 = $0.55, the price that was there."""
    engine = Engine()
    bid(engine, "no", 4_500, 1_000, owner=7)
    assert bid(engine, "yes", 6_000, 400, owner=8) == [Fill(8, 7, "yes", 5_500, 400, maker_order_id=1)]
    assert engine.levels("no") == [(4_500, 600)]
    assert engine.levels("yes") == []


def test_bids_that_offer_less_than_a_dollar_rest() -> None:
    """YES at $0.54 and NO at $0.45 sum to $0.99: the ask stays at $0.55."""
    engine = Engine()
    bid(engine, "no", 4_500, 1_000)
    assert bid(engine, "yes", 5_400, 300) == []
    assert (engine.best_cc("yes"), engine.ask_cc("yes"), engine.ask_cc("no")) == (5_400, 5_500, 4_600)


def test_better_prices_trade_first_and_earlier_orders_within_a_price() -> None:
    """Selling 5 YES into bids of 2 @ .50 (early), 2 @ .50 (late), 2 @ .51: .51 first, then by arrival."""
    engine = Engine()
    for owner, price_cc in ((1, 5_000), (2, 5_000), (3, 5_100)):
        bid(engine, "yes", price_cc, 200, owner=owner)
    fills = bid(engine, "no", 5_000, 500, owner=9)
    assert [(fill.maker, fill.yes_price_cc, fill.count_centi) for fill in fills] == [
        (3, 5_100, 200),
        (1, 5_000, 200),
        (2, 5_000, 100),
    ]
    assert engine.levels("yes") == [(5_000, 100)]


def test_what_an_immediate_order_cannot_fill_is_dropped() -> None:
    """An order that does not rest leaves nothing behind."""
    engine = Engine()
    bid(engine, "no", 4_000, 100)
    assert len(bid(engine, "yes", 6_000, 500, rests=False)) == 1
    assert engine.levels("yes") == []


def test_cancelling_twice_changes_the_book_once() -> None:
    """A cancelled order is gone; cancelling it again takes nothing out."""
    engine = Engine()
    order_id, _ = engine.submit(side="yes", limit_cc=100, count_centi=5, owner=1, rests=True)
    assert engine.cancel(order_id) == 5
    assert engine.cancel(order_id) == 0
    assert engine.levels("yes") == []


def test_listeners_hear_every_change_of_the_book() -> None:
    """Replaying the deltas gives the engine's own levels."""
    book = OrderBook("X")
    engine = Engine(lambda side, price_cc, delta_centi, _id: book.apply_delta(side, price_cc, delta_centi))
    bid(engine, "yes", 4_000, 700)
    bid(engine, "yes", 4_100, 50)
    order_id, _ = engine.submit(side="no", limit_cc=5_950, count_centi=90, owner=2, rests=True)
    bid(engine, "no", 5_000, 20)
    engine.cancel(order_id)
    assert book.levels("yes") == engine.levels("yes") == [(4_000, 700)]
    assert book.levels("no") == engine.levels("no") == [(5_000, 20)]


def test_a_smaller_order_keeps_its_place_in_the_queue() -> None:
    """A and B bid 4 and 3 contracts at $0.50; A gives up 3 and is still filled before B."""
    engine = Engine()
    first, _ = engine.submit(side="yes", limit_cc=5_000, count_centi=400, owner=1, rests=True)
    second, _ = engine.submit(side="yes", limit_cc=5_000, count_centi=300, owner=2, rests=True)
    assert engine.queue_ahead_centi(first) == 0
    assert engine.queue_ahead_centi(second) == 400
    assert engine.decrease(first, by_centi=300) == 300
    assert engine.queue_ahead_centi(second) == 100
    fills = bid(engine, "no", 5_000, 150, owner=9)
    assert [(fill.maker_order_id, fill.count_centi) for fill in fills] == [(first, 100), (second, 50)]
    assert (engine.resting_centi(first), engine.resting_centi(second)) == (0, 250)


def test_an_order_is_never_made_smaller_than_nothing() -> None:
    """Decreasing 5 by 9 takes 5 out and ends the order; afterwards there is nothing to take."""
    engine = Engine()
    order_id, _ = engine.submit(side="no", limit_cc=100, count_centi=5, owner=1, rests=True)
    assert engine.decrease(order_id, by_centi=9) == 5
    assert not engine.is_resting(order_id)
    assert engine.decrease(order_id, by_centi=1) == engine.queue_ahead_centi(order_id) == 0


def test_listeners_learn_which_resting_order_changed_a_level() -> None:
    """Rest, be hit, be taken back: all three name the order that stood in the book, never the taker."""
    heard: list[tuple[Side, int, int, int]] = []
    engine = Engine(lambda *change: heard.append(change))
    order_id, _ = engine.submit(side="yes", limit_cc=4_000, count_centi=30, owner=1, rests=True)
    bid(engine, "no", 6_000, 10, owner=2)
    engine.cancel(order_id)
    assert heard == [("yes", 4_000, 30, 1), ("yes", 4_000, -10, 1), ("yes", 4_000, -20, 1)]
