"""Orders over time: amendments, decreases, pauses, closes, expiry, and who hears of it."""

from datetime import timedelta

import pytest

from sandbox.access import Caller
from sandbox.accounts import Position
from sandbox.desk import DeskListener
from sandbox.order_requests import Which
from sandbox.orders import AccountFill, Order
from sandbox.replies import Refused
from sandbox.trading import cancel, cancel_all, decrease
from tests.sandbox.pit import RAIN, SNOW, Pit

HERE = Which(ticker="", subaccount=None, exchange_index=None)
ANN = Caller("ann", "ann")


def two_in_a_queue() -> tuple[Pit, Order, Order]:
    """Return Ann's order of 5 before Bob's of 5 at the same price."""
    pit = Pit(multiplier_ppm=0)
    return (
        pit,
        pit.place("ann", "bid", "0.40", "5").order,
        pit.place("bob", "bid", "0.40", "5").order,
    )


def test_a_smaller_count_keeps_the_place_in_the_queue() -> None:
    """5 become 3: Ann is still before Bob, and holds back 3 x .40."""
    pit, ann, bob = two_in_a_queue()
    receipt = pit.amend(ann, "0.40", "3")
    assert (receipt.order.remaining_centi, receipt.order.initial_centi) == (300, 300)
    assert (pit.desk.queue_ahead_centi(ann), pit.desk.queue_ahead_centi(bob)) == (0, 300)
    assert pit.purse("ann").available_micros == 10_000_000_000 - 1_200_000


@pytest.mark.parametrize(("price", "count"), [("0.40", "6"), ("0.41", "5"), ("0.39", "5"), ("0.41", "3")])
def test_a_larger_count_or_another_price_loses_it(price: str, count: str) -> None:
    """Back at .40 afterwards, Ann stands behind Bob."""
    pit, ann, bob = two_in_a_queue()
    pit.amend(ann, price, count)
    pit.amend(ann, "0.40", "7")
    assert (pit.desk.queue_ahead_centi(bob), pit.desk.queue_ahead_centi(ann)) == (0, 500)


def test_the_count_of_an_amendment_includes_what_was_filled() -> None:
    """2 of 5 filled; amended to 4: 2 more rest. To 2 or less: refused."""
    pit, ann, _ = two_in_a_queue()
    pit.stranger("no", "0.60", "2")
    assert pit.amend(ann, "0.40", "4").order.remaining_centi == 200
    with pytest.raises(Refused, match="more than what was filled") as refused:
        pit.amend(ann, "0.40", "2")
    assert refused.value.code == "invalid_order_size"


def test_an_amended_order_may_trade_at_once() -> None:
    """From .40 to .50 with 3 offered at .45: 3 trade there, 2 rest; the id stays."""
    pit, ann, _ = two_in_a_queue()
    pit.stranger("no", "0.55", "3")
    receipt = pit.amend(ann, "0.50", "5")
    assert [(fill.yes_price_cc, fill.count_centi, fill.is_taker) for fill in receipt.fills] == [
        (4_500, 300, True)
    ]
    assert (receipt.order.order_id, receipt.order.remaining_centi) == (ann.order_id, 200)
    assert pit.book(RAIN).levels("yes") == [(4_000, 500), (5_000, 200)]


def test_an_amendment_must_be_affordable_without_the_old_terms() -> None:
    """$10,000 all held back by one order can be moved to another price, not made one contract more."""
    pit = Pit(multiplier_ppm=0)
    order = pit.place("ann", "bid", "0.50", "20000").order
    with pytest.raises(Refused) as refused:
        pit.amend(order, "0.50", "20001")
    assert refused.value.code == "available_balance_too_low"
    assert (order.remaining_centi, order.status) == (2_000_000, "resting")
    assert pit.amend(order, "0.40", "25000").order.remaining_centi == 2_500_000


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"ticker": SNOW}, "order_ticker_mismatch"),
        ({"side": "ask"}, "order_side_mismatch"),
        ({"client_order_id": "other"}, "order_id_and_client_order_id_mismatch"),
        ({"updated_client_order_id": "taken"}, "order_already_exists"),
        ({"expiration_time": 1}, "expired"),
    ],
)
def test_an_amendment_names_the_order_it_means(more: dict[str, object], code: str) -> None:
    """Another market, side, client id or a past expiry: refused by code, and nothing changes."""
    pit = Pit()
    pit.place("ann", "bid", "0.10", "1", client_order_id="taken")
    order = pit.place("ann", "bid", "0.40", "5", client_order_id="mine").order
    with pytest.raises(Refused) as refused:
        pit.amend(order, "0.40", "3", **more)
    assert refused.value.code == code
    assert (order.remaining_centi, order.client_order_id) == (500, "mine")


def test_an_amended_client_order_id_belongs_to_the_order() -> None:
    """Renamed, both names are taken: the old one was used and stays so."""
    pit = Pit()
    order = pit.place("ann", "bid", "0.40", "5", client_order_id="old").order
    assert pit.amend(order, "0.40", "5", updated_client_order_id="new").order.client_order_id == "new"
    for name in ("old", "new"):
        with pytest.raises(Refused, match="client_order_id exists"):
            pit.place("ann", "bid", "0.40", "5", client_order_id=name)
    assert pit.place("bob", "bid", "0.40", "5", client_order_id="old").order.status == "resting"


def test_an_amended_post_only_order_still_never_takes() -> None:
    """Moved onto the ask: refused, and it rests where it was."""
    pit = Pit()
    order = pit.place("ann", "bid", "0.40", "5", post_only=True).order
    pit.stranger("no", "0.55", "3")
    with pytest.raises(Refused, match="post only cross"):
        pit.amend(order, "0.45", "5")
    assert pit.book(RAIN).levels("yes") == [(4_000, 500)]


def test_a_decrease_takes_some_or_leaves_some() -> None:
    """5 less 2 is 3, to 1 is 1, less 9 is gone; nothing to take is refused."""
    pit, ann, bob = two_in_a_queue()
    assert (
        decrease(pit.desk, ANN, ann.order_id, HERE, by_centi=200, to_centi=None).order.remaining_centi == 300
    )
    assert decrease(pit.desk, ANN, ann.order_id, HERE, by_centi=None, to_centi=100).reduced_centi == 200
    assert pit.desk.queue_ahead_centi(bob) == 100
    for by_centi, to_centi in ((0, None), (None, 100), (None, 500)):
        with pytest.raises(Refused, match="must become smaller"):
            decrease(pit.desk, ANN, ann.order_id, HERE, by_centi=by_centi, to_centi=to_centi)
    for by_centi, to_centi in ((None, None), (1, 1)):
        with pytest.raises(Refused, match="exactly one of"):
            decrease(pit.desk, ANN, ann.order_id, HERE, by_centi=by_centi, to_centi=to_centi)
    assert decrease(pit.desk, ANN, ann.order_id, HERE, by_centi=900, to_centi=None).order.status == "canceled"


def test_an_order_is_cancelled_once_and_by_its_owner() -> None:
    """Bob cannot; Ann can, once; elsewhere (subaccount, shard) it is not found."""
    pit, ann, _ = two_in_a_queue()
    elsewhere = Which(ticker="", subaccount=1, exchange_index=None)
    other_shard = Which(ticker="", subaccount=None, exchange_index=1)
    for caller, which in ((Caller("bob", "bob"), HERE), (ANN, elsewhere), (ANN, other_shard)):
        with pytest.raises(Refused) as refused:
            cancel(pit.desk, caller, ann.order_id, which)
        assert refused.value.status == 404
    with pytest.raises(Refused, match="market_ticker is required"):
        cancel(pit.desk, ANN, ann.order_id, Which(ticker="", subaccount=None, exchange_index=-1))
    routed = Which(ticker=RAIN, subaccount=None, exchange_index=-1)
    assert cancel(pit.desk, ANN, ann.order_id, routed).reduced_centi == 500
    with pytest.raises(Refused, match="not found"):
        cancel(pit.desk, ANN, ann.order_id, HERE)


def test_cancel_all_ends_what_rests_and_nothing_else() -> None:
    """One subaccount first, then everything; Bob keeps his."""
    pit, _, bob = two_in_a_queue()
    pit.place("ann", "ask", "0.90", "1", ticker=SNOW, subaccount=2)
    pit.place("ann", "ask", "0.91", "1", ticker=SNOW, subaccount=2)
    assert cancel_all(pit.desk, ANN, 2) == 2
    assert cancel_all(pit.desk, ANN, None) == 1
    assert cancel_all(pit.desk, ANN, None) == 0
    assert bob.status == "resting"
    assert pit.account("ann").purse(2).available_micros == pit.purse("ann").available_micros == 10_000_000_000


def test_a_key_bound_to_a_subaccount_stays_there() -> None:
    """Said nothing, it acts on its own; another one is a 403."""
    pit, ann, _ = two_in_a_queue()
    bound = Caller("k", "ann", 2)
    with pytest.raises(Refused) as refused:
        cancel_all(pit.desk, bound, 0)
    assert refused.value.status == 403
    with pytest.raises(Refused, match="not found"):
        cancel(pit.desk, bound, ann.order_id, HERE)
    assert cancel_all(pit.desk, bound, None) == 0


def test_a_pause_ends_only_what_asked_for_it_and_its_end_ends_the_rest() -> None:
    """KALSHI.md §7: cancel_order_on_pause at the pause, everything when trading comes back."""
    pit = Pit()
    careful = pit.place("ann", "bid", "0.40", "1", cancel_order_on_pause=True).order
    patient = pit.place("ann", "bid", "0.40", "1").order
    other = pit.place("ann", "bid", "0.40", "1", ticker=SNOW, cancel_order_on_pause=True).order
    pit.change("deactivated", status="inactive")
    assert [each.status for each in (careful, patient, other)] == ["canceled", "resting", "resting"]
    with pytest.raises(Refused) as refused:
        pit.place("ann", "bid", "0.40", "1")
    assert (refused.value.status, refused.value.code) == (409, "MARKET_INACTIVE")
    with pytest.raises(Refused, match="not trading"):
        pit.amend(patient, "0.41", "1")
    pit.change("activated", status="active")
    assert [each.status for each in (patient, other)] == ["canceled", "resting"]


def test_a_pause_lets_orders_be_cancelled() -> None:
    """Nothing can be placed, but everything can be taken back."""
    pit = Pit()
    order = pit.place("ann", "bid", "0.40", "2").order
    pit.change("deactivated", status="inactive")
    assert decrease(pit.desk, ANN, order.order_id, HERE, by_centi=100, to_centi=None).reduced_centi == 100
    assert cancel(pit.desk, ANN, order.order_id, HERE).reduced_centi == 100


def test_a_close_ends_all_orders_and_even_cancels_are_refused() -> None:
    """Cancelled by the exchange; asking for it afterwards is MARKET_INACTIVE, not 404."""
    pit = Pit()
    order = pit.place("ann", "bid", "0.40", "2").order
    pit.change("closed", status="closed")
    assert (order.status, pit.purse("ann").available_micros) == ("canceled", 10_000_000_000)
    with pytest.raises(Refused) as refused:
        cancel(pit.desk, ANN, order.order_id, HERE)
    assert refused.value.code == "MARKET_INACTIVE"


def test_an_order_expires_at_its_second_and_not_before() -> None:
    """A microsecond before it rests; at the second it is gone, also when the clock jumps past it."""
    pit = Pit()
    expires_s = pit.now_us // 1_000_000 + 60
    order = pit.place("ann", "bid", "0.40", "2", expiration_time=expires_s).order
    pit.wait(timedelta(seconds=60) - timedelta(microseconds=1))
    assert order.status == "resting"
    pit.wait(timedelta(hours=1))
    assert (order.status, order.updated_us) == ("canceled", expires_s * 1_000_000)


def test_an_expiry_can_be_moved_and_removed() -> None:
    """To a later second, then away: at neither of the old ones does anything happen."""
    pit = Pit()
    now_s = pit.now_us // 1_000_000
    moved = pit.place("ann", "bid", "0.40", "2", expiration_time=now_s + 60).order
    freed = pit.place("ann", "bid", "0.40", "2", expiration_time=now_s + 60).order
    kept = pit.place("ann", "bid", "0.40", "2", expiration_time=now_s + 60).order
    pit.amend(moved, "0.40", "2", expiration_time=now_s + 120)
    pit.amend(freed, "0.40", "2", expiration_time=0)
    pit.amend(kept, "0.39", "3")
    pit.wait(timedelta(seconds=60))
    assert [each.status for each in (moved, freed, kept)] == ["resting", "resting", "canceled"]
    pit.wait(timedelta(seconds=60))
    assert [each.status for each in (moved, freed)] == ["canceled", "resting"]


class Diary(DeskListener):
    """Writes down what it hears."""

    def __init__(self) -> None:
        self.lines: list[tuple[object, ...]] = []

    def on_order(self, order: Order) -> None:
        """Note an order."""
        self.lines.append(("order", order.account, order.status, order.filled_centi, order.remaining_centi))

    def on_fill(self, fill: AccountFill) -> None:
        """Note a fill."""
        self.lines.append(("fill", fill.account, fill.count_centi, fill.position_centi))

    def on_position(self, position: Position) -> None:
        """Note a position."""
        self.lines.append(("position", position.account, position.count_centi))


def test_whoever_listens_hears_of_orders_fills_and_positions_in_order() -> None:
    """Bob takes 2 of Ann's 5, then she cancels: both sides hear their fill, position and order."""
    pit, diary = Pit(), Diary()
    pit.desk.listen(diary)
    order = pit.place("ann", "bid", "0.40", "5").order
    pit.place("bob", "ask", "0.40", "2")
    pit.desk.leave(order)
    pit.desk.unlisten(diary)
    pit.place("ann", "bid", "0.40", "5")
    assert diary.lines == [
        ("order", "ann", "resting", 0, 500),
        ("fill", "bob", 200, -200),
        ("position", "bob", -200),
        ("fill", "ann", 200, 200),
        ("position", "ann", 200),
        ("order", "ann", "resting", 200, 300),
        ("order", "bob", "executed", 200, 0),
        ("order", "ann", "canceled", 200, 0),
    ]
