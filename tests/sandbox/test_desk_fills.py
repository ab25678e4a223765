"""How orders of accounts are matched and what they are charged, worked out by hand."""

from datetime import timedelta

import pytest

from exchange.fees import COMBO_MAKER, MAKER, FeeChange
from sandbox.replies import Refused
from tests.sandbox.pit import EARLY_2026, LATE_2026, RAIN, Pit


def test_a_taker_pays_the_series_multiplier() -> None:
    """20 @ $0.13 at half: .035 x 20 x .13 x .87 = .07917; 2.60 + .07917 rounds up to 2.6792: fee $0.0792."""
    pit = Pit(multiplier_ppm=500_000)
    pit.stranger("no", "0.87", "20")
    receipt = pit.place("ann", "bid", "0.15", "20")
    assert [fill.fee_micros for fill in receipt.fills] == [79_200]
    assert pit.purse("ann").cash_micros == 10_000_000_000 - 2_600_000 - 79_200
    assert receipt.order.taker_fees_micros == 79_200
    assert receipt.order.taker_cost_micros == 2_600_000
    assert receipt.order.status == "executed"


def test_selling_is_charged_like_buying_the_other_outcome() -> None:
    """Ask 1 @ $0.27 at half: .035 x .27 x .73 = .00689850; .73 + .0068985 rounds up to .7369: $0.0069."""
    pit = Pit(multiplier_ppm=500_000)
    pit.stranger("yes", "0.27", "1")
    receipt = pit.place("ann", "ask", "0.27", "1")
    assert [(fill.side, fill.yes_price_cc, fill.fee_micros) for fill in receipt.fills] == [
        ("no", 2_700, 6_900)
    ]
    assert pit.purse("ann").cash_micros == 10_000_000_000 - 730_000 - 6_900


def test_rounding_is_given_back_within_one_order() -> None:
    """Whole cents: 3 x 0.03 @ $0.3301 cost .010097, then .000097 twice (page fee_rounding, example 3)."""
    pit = Pit(at_ts=EARLY_2026, structure="center_centi_edge_centi_cent")
    for _ in range(3):
        pit.stranger("no", "0.6699", "0.03")
    receipt = pit.place("ann", "bid", "0.3301", "0.09")
    assert [fill.fee_micros for fill in receipt.fills] == [10_097, 97, 97]
    assert pit.purse("ann").cash_micros == 10_000_000_000 - 20_000 - 10_000 - 10_000


def test_rounding_is_not_given_back_across_orders() -> None:
    """The same three fills as three orders cost .010097 each."""
    pit = Pit(at_ts=EARLY_2026, structure="center_centi_edge_centi_cent")
    for _ in range(3):
        pit.stranger("no", "0.6699", "0.03")
        assert [f.fee_micros for f in pit.place("ann", "bid", "0.3301", "0.03").fills] == [10_097]


@pytest.mark.parametrize(
    ("fee_type", "maker_micros"), [("quadratic", 0), (MAKER, 437_500), (COMBO_MAKER, 875_000)]
)
def test_a_maker_pays_by_the_kind_of_fee(fee_type: str, maker_micros: int) -> None:
    """100 @ $0.50 rested: nothing; .0175 x 100 x .25 = $0.4375; .035 x 100 x .25 = $0.8750. Taker: $1.75."""
    pit = Pit(fee_type=fee_type)
    resting = pit.place("ann", "bid", "0.50", "100").order
    taken = pit.place("bob", "ask", "0.50", "100")
    assert (resting.maker_fees_micros, resting.taker_fees_micros) == (maker_micros, 0)
    assert taken.order.taker_fees_micros == 1_750_000
    assert resting.maker_cost_micros == taken.order.taker_cost_micros == 50_000_000
    ours, theirs = pit.account("ann").fills[0], pit.account("bob").fills[0]
    assert (ours.is_taker, theirs.is_taker) == (False, True)
    assert ours.trade_id == theirs.trade_id
    assert (ours.position_centi, theirs.position_centi) == (10_000, -10_000)


def test_fees_follow_the_schedule_in_force() -> None:
    """Halved for the series an hour later, free for the event in two: 1 @ $0.50 costs .0175, .0088, 0."""
    hour = timedelta(hours=1)
    changes = (
        _change("s", "series", 1, "quadratic", 500_000),
        _change("e", "event", 2, "quadratic", 0),
        _change("back", "event", 3, None, None),
    )
    pit = Pit(changes=changes)
    fees = []
    for _ in range(4):
        pit.stranger("no", "0.50", "1")
        fees += [fill.fee_micros for fill in pit.place("ann", "bid", "0.50", "1").fills]
        pit.wait(hour)
    assert fees == [17_500, 8_800, 0, 8_800]


def test_a_fee_waiver_ends_when_it_says() -> None:
    """Free until the instant, charged from it on."""
    pit = Pit(waived_until_ts=LATE_2026 + timedelta(hours=1))
    for wait_us, fee_micros in ((0, 0), (3_600_000_000 - 1, 0), (1, 17_500)):
        pit.wait(timedelta(microseconds=wait_us))
        pit.stranger("no", "0.50", "1")
        assert [f.fee_micros for f in pit.place("ann", "bid", "0.50", "1").fills] == [fee_micros]


def test_the_earlier_of_two_accounts_is_filled_first() -> None:
    """Ann bids 2, Bob 3 at the same price; 4 come: Ann has 2, Bob 2 and 1 still resting."""
    pit = Pit()
    ann = pit.place("ann", "bid", "0.40", "2").order
    bob = pit.place("bob", "bid", "0.40", "3").order
    assert (pit.desk.queue_ahead_centi(ann), pit.desk.queue_ahead_centi(bob)) == (0, 200)
    pit.stranger("no", "0.60", "4")
    assert (ann.status, ann.filled_centi, ann.remaining_centi) == ("executed", 200, 0)
    assert (bob.status, bob.filled_centi, bob.remaining_centi) == ("resting", 200, 100)


def test_a_queue_position_counts_better_prices_too() -> None:
    """Behind 5 at a better price and 7 earlier at one's own: 12 contracts are matched before."""
    pit = Pit()
    pit.stranger("yes", "0.41", "5")
    pit.stranger("yes", "0.40", "7")
    assert pit.desk.queue_ahead_centi(pit.place("ann", "bid", "0.40", "1").order) == 1_200


def test_an_order_is_filled_in_parts_and_the_rest_rests() -> None:
    """Bid 10 @ .50 into 3 @ .48 and 4 @ .49: 7 trade at the makers' prices, 3 rest at .50."""
    pit = Pit()
    pit.stranger("no", "0.52", "3")
    pit.stranger("no", "0.51", "4")
    receipt = pit.place("ann", "bid", "0.50", "10")
    assert [(fill.yes_price_cc, fill.count_centi) for fill in receipt.fills] == [(4_800, 300), (4_900, 400)]
    assert (receipt.order.status, receipt.order.remaining_centi) == ("resting", 300)
    assert pit.book(RAIN).levels("yes") == [(5_000, 300)]


def test_immediate_or_cancel_leaves_nothing() -> None:
    """3 of 10 trade, 7 are cancelled."""
    pit = Pit()
    pit.stranger("no", "0.52", "3")
    order = pit.place("ann", "bid", "0.50", "10", time_in_force="immediate_or_cancel").order
    assert (order.status, order.filled_centi, order.remaining_centi) == ("canceled", 300, 0)
    assert pit.book(RAIN).levels("yes") == []


def test_fill_or_kill_takes_all_or_nothing() -> None:
    """5 are there within the limit: 5.01 are refused and leave no trace, 5 are filled."""
    pit = Pit()
    pit.stranger("no", "0.52", "3")
    pit.stranger("no", "0.50", "2")
    pit.stranger("no", "0.49", "9")
    with pytest.raises(Refused) as refused:
        pit.place("ann", "bid", "0.50", "5.01", time_in_force="fill_or_kill")
    assert (refused.value.status, refused.value.code) == (409, "fill_or_kill_insufficient_resting_volume")
    assert pit.account("ann").orders == []
    order = pit.place("ann", "bid", "0.50", "5", time_in_force="fill_or_kill").order
    assert (order.status, order.filled_centi) == ("executed", 500)


def test_post_only_never_takes() -> None:
    """At the ask: refused. A cent below: it rests."""
    pit = Pit()
    pit.stranger("no", "0.50", "1")
    with pytest.raises(Refused, match="post only cross") as refused:
        pit.place("ann", "bid", "0.50", "1", post_only=True)
    assert refused.value.code == "POST_ONLY_CROSS"
    assert pit.place("ann", "bid", "0.49", "1", post_only=True).order.status == "resting"


def test_a_taker_ends_where_it_would_meet_its_own_order() -> None:
    """Own ask of 4 behind a stranger's 3 at .50: a bid of 10 takes the 3 and is cancelled there."""
    pit = Pit()
    pit.stranger("no", "0.50", "3")
    own = pit.place("ann", "ask", "0.50", "4").order
    bid = pit.place("ann", "bid", "0.55", "10").order
    assert (bid.status, bid.filled_centi, bid.remaining_centi) == ("canceled", 300, 0)
    assert (own.status, own.remaining_centi) == ("resting", 400)


def test_a_taker_that_is_filled_before_its_own_order_goes_through() -> None:
    """Own ask behind a stranger's 3: a bid of 3 never meets it."""
    pit = Pit()
    pit.stranger("no", "0.50", "3")
    pit.place("ann", "ask", "0.50", "4")
    assert pit.place("ann", "bid", "0.55", "3").order.status == "executed"


def test_a_resting_order_makes_way_for_its_owner() -> None:
    """With `maker` the own ask is cancelled, and the bid takes what stands behind it, then rests."""
    pit = Pit()
    own = pit.place("ann", "ask", "0.50", "4").order
    pit.stranger("no", "0.50", "3")
    bid = pit.place("ann", "bid", "0.55", "10", self_trade_prevention_type="maker").order
    assert (own.status, own.remaining_centi) == ("canceled", 0)
    assert (bid.status, bid.filled_centi, bid.remaining_centi) == ("resting", 300, 700)


@pytest.mark.parametrize("self_trade", ["maker", "taker_at_cross"])
def test_fill_or_kill_does_not_count_on_its_own_orders(self_trade: str) -> None:
    """3 of a stranger's and 4 of one's own: 4 are refused and one's own order stays; 3 are filled."""
    pit = Pit()
    pit.stranger("no", "0.50", "3")
    own = pit.place("ann", "ask", "0.50", "4").order
    more = {"time_in_force": "fill_or_kill", "self_trade_prevention_type": self_trade}
    with pytest.raises(Refused, match="insufficient"):
        pit.place("ann", "bid", "0.50", "4", **more)
    assert own.status == "resting"
    assert pit.place("ann", "bid", "0.50", "3", **more).order.status == "executed"
    assert own.status == "resting"


def test_accounts_trade_with_each_other_but_not_with_themselves() -> None:
    """Subaccounts of one account count as one; Bob is somebody else."""
    pit = Pit()
    pit.place("ann", "ask", "0.50", "1", subaccount=5)
    assert pit.place("ann", "bid", "0.50", "1").order.status == "canceled"
    assert pit.place("bob", "bid", "0.50", "1").order.status == "executed"


def _change(name: str, scope: str, hours: int, fee_type: str | None, ppm: int | None) -> FeeChange:
    return FeeChange(
        change_id=name,
        scope="event" if scope == "event" else "series",
        ticker="RAIN",
        effective_ts=LATE_2026 + timedelta(hours=hours),
        fee_type=fee_type,
        multiplier_ppm=ppm,
    )
