"""Cash, collateral and positions of accounts, worked out by hand; fees are zero where not said otherwise."""

from datetime import timedelta
from typing import Any

import pytest

from sandbox.orders import Settlement
from sandbox.replies import Refused
from tests.sandbox.pit import RAIN, SNOW, Pit

START = 10_000_000_000


def a_free_pit() -> Pit:
    """Return a pit whose series charges nothing."""
    return Pit(multiplier_ppm=0)


def test_a_resting_order_holds_its_cost_back() -> None:
    """Bid 100 @ .40 holds $40; cancelled, all is there again; the cash itself never moved."""
    pit = a_free_pit()
    order = pit.place("ann", "bid", "0.40", "100").order
    assert pit.purse("ann").available_micros == START - 40_000_000
    assert pit.desk.leave(order) == 10_000
    assert pit.purse("ann").available_micros == pit.purse("ann").cash_micros == START


def test_a_resting_order_holds_its_makers_fee_back_too() -> None:
    """Bid 100 @ .50 where makers pay .4375: $50 + .4375 + one unit of rounding."""
    pit = Pit(fee_type="quadratic_with_maker_fees")
    pit.place("ann", "bid", "0.50", "100", post_only=True)
    assert pit.purse("ann").available_micros == START - 50_000_000 - 437_500 - 100


def test_selling_what_is_not_held_needs_the_other_price() -> None:
    """Ask 100 @ .40 is a bid for NO at .60: $60."""
    pit = a_free_pit()
    pit.place("ann", "ask", "0.40", "100")
    assert pit.purse("ann").available_micros == START - 60_000_000


def test_selling_what_is_held_needs_nothing() -> None:
    """Holding 10 YES: an ask of 10 is free, one of 15 more holds 15 x .55; 10 sold at .45 bring $4.50."""
    pit = a_free_pit()
    pit.stranger("no", "0.60", "10")
    pit.place("ann", "bid", "0.40", "10")
    assert pit.purse("ann").available_micros == START - 4_000_000
    pit.place("ann", "ask", "0.45", "10")
    assert pit.purse("ann").available_micros == START - 4_000_000
    pit.place("ann", "ask", "0.45", "15")
    assert pit.purse("ann").available_micros == START - 4_000_000 - 8_250_000
    pit.stranger("yes", "0.45", "10")
    position = pit.purse("ann").positions[RAIN]
    assert (position.count_centi, position.cost_micros, position.realized_micros) == (0, 0, 500_000)
    assert pit.purse("ann").cash_micros == START + 500_000


def test_yes_and_no_meet_and_turn_into_a_dollar() -> None:
    """4 YES at .30, then 6 NO at .60 (asks at .40): 4 pairs pay $4, 2 NO are left at $1.20."""
    pit = a_free_pit()
    pit.stranger("no", "0.70", "4")
    pit.place("ann", "bid", "0.30", "4")
    pit.stranger("yes", "0.40", "6")
    pit.place("ann", "ask", "0.40", "6")
    position = pit.purse("ann").positions[RAIN]
    assert (position.count_centi, position.cost_micros) == (-200, 1_200_000)
    assert position.realized_micros == 400_000
    assert (position.traded_micros, position.traded_centi) == (1_200_000 + 3_600_000, 1_000)
    assert pit.purse("ann").cash_micros == START - 1_200_000 - 3_600_000 + 4_000_000


def test_cost_leaves_in_proportion_and_to_the_last_micro() -> None:
    """3 contracts cost $1.00 (.33, .33, .34); selling 1, 1, 1 takes .333333, .333333 and .333334 out."""
    pit = a_free_pit()
    for price, no_price in (("0.33", "0.67"), ("0.33", "0.67"), ("0.34", "0.66")):
        pit.stranger("no", no_price, "1")
        pit.place("ann", "bid", price, "1")
    left = []
    for _ in range(3):
        pit.stranger("yes", "0.50", "1")
        pit.place("ann", "ask", "0.50", "1")
        left.append(pit.purse("ann").positions[RAIN].cost_micros)
    assert left == [666_667, 333_334, 0]
    assert pit.purse("ann").positions[RAIN].realized_micros == 500_000


@pytest.mark.parametrize(("count", "is_enough"), [("20000", True), ("20000.01", False)])
def test_an_order_must_be_paid_for(count: str, *, is_enough: bool) -> None:
    """$10,000 buy 20,000 @ .50 and not a hundredth more; a refusal leaves nothing behind."""
    pit = a_free_pit()
    if is_enough:
        pit.place("ann", "bid", "0.50", count)
        assert pit.purse("ann").available_micros == 0
    else:
        with pytest.raises(Refused) as refused:
            pit.place("ann", "bid", "0.50", count)
        assert (refused.value.status, refused.value.code) == (400, "available_balance_too_low")
        assert (pit.account("ann").orders, pit.purse("ann").available_micros) == ([], START)


def test_the_takers_fee_must_be_paid_for_too() -> None:
    """20,000 @ .50 cost $10,000 + $350: refused. 19,323 cost 9661.50 + 338.1525: accepted."""
    pit = Pit()
    with pytest.raises(Refused, match="does not cover cost and fees"):
        pit.place("ann", "bid", "0.50", "20000")
    pit.place("ann", "bid", "0.50", "19323")
    assert pit.purse("ann").available_micros == START - 9_661_500_000  # at rest it pays no fee


def test_every_subaccount_has_money_of_its_own() -> None:
    """What subaccount 3 spends is not missing in the primary one."""
    pit = a_free_pit()
    pit.place("ann", "bid", "0.50", "20000", subaccount=3)
    assert pit.account("ann").purse(3).available_micros == 0
    assert pit.purse("ann").available_micros == START


def test_reduce_only_is_capped_by_the_position() -> None:
    """Holding 4 YES: an ask of 9 becomes one of 4; without a position, or the wrong way, it is refused."""
    pit = a_free_pit()
    pit.stranger("no", "0.60", "4")
    pit.place("ann", "bid", "0.40", "4")
    pit.stranger("yes", "0.30", "9")
    only: dict[str, Any] = {"reduce_only": True, "time_in_force": "immediate_or_cancel"}
    for side in ("bid", "ask"):
        with pytest.raises(Refused, match="no position"):
            pit.place("bob", side, "0.30", "1", **only)
    with pytest.raises(Refused, match="no position"):
        pit.place("ann", "bid", "0.30", "1", **only)
    order = pit.place("ann", "ask", "0.30", "9", **only).order
    assert (order.initial_centi, order.filled_centi, order.status) == (400, 400, "executed")
    assert pit.purse("ann").position(RAIN) == 0


@pytest.mark.parametrize(
    ("result", "value_cc", "ann_micros", "bob_micros"),
    [("yes", 10_000, 10_000_000, 0), ("no", 0, 0, 10_000_000), ("scalar", 2_400, 2_400_000, 7_600_000)],
)
def test_a_settlement_pays_what_the_market_is_worth(
    result: str, value_cc: int, ann_micros: int, bob_micros: int
) -> None:
    """10 YES at .40 against 10 NO at .60: $10 is paid in all, split by the value of a YES contract."""
    pit = Pit()
    pit.place("ann", "bid", "0.40", "10")
    pit.place("bob", "ask", "0.40", "10")
    pit.wait(timedelta(hours=1))
    pit.change("closed", status="closed")
    pit.change("determined", status="determined", result=result, settlement_value_cc=value_cc)
    assert pit.purse("ann").cash_micros == START - 4_000_000
    pit.change("settled", status="finalized", result=result, settlement_value_cc=value_cc)
    fee = 168_000  # .07 x 10 x .4 x .6
    assert pit.purse("ann").cash_micros == START - 4_000_000 + ann_micros
    assert pit.purse("bob").cash_micros == START - 6_000_000 - fee + bob_micros
    position = pit.purse("bob").positions[RAIN]
    assert (position.count_centi, position.cost_micros, position.is_settled) == (0, 0, True)
    assert position.realized_micros == bob_micros - 6_000_000
    assert pit.account("bob").settlements == [
        Settlement(
            account="bob",
            subaccount=0,
            ticker=RAIN,
            event_ticker="RAIN",
            exchange_index=0,
            result=result,
            value_cc=value_cc,
            position_centi=-1_000,
            cost_micros=6_000_000,
            fees_micros=fee,
            payout_micros=bob_micros,
            settled_us=pit.now_us,
        )
    ]


def test_an_amended_result_is_what_counts() -> None:
    """Determined yes, disputed, amended to no: paid once, as no."""
    pit = a_free_pit()
    pit.place("ann", "bid", "0.40", "10")
    pit.place("bob", "ask", "0.40", "10")
    pit.change("closed", status="closed")
    pit.change("determined", status="determined", result="yes", settlement_value_cc=10_000)
    pit.change("disputed", status="disputed")
    pit.change("amended", status="amended", result="no", settlement_value_cc=0)
    pit.change("settled", status="finalized")
    assert (pit.purse("ann").cash_micros, pit.purse("bob").cash_micros) == (
        START - 4_000_000,
        START + 4_000_000,
    )


def test_a_closed_position_is_settled_without_a_settlement() -> None:
    """Bought and sold before: the position is settled, and nothing is paid or told."""
    pit = a_free_pit()
    pit.stranger("no", "0.60", "1")
    pit.place("ann", "bid", "0.40", "1")
    pit.stranger("yes", "0.40", "1")
    pit.place("ann", "ask", "0.40", "1")
    pit.change("settled", status="finalized", result="yes", settlement_value_cc=10_000)
    assert pit.account("ann").settlements == []
    assert pit.purse("ann").positions[RAIN].is_settled
    assert pit.purse("ann").cash_micros == START


def test_markets_are_held_apart() -> None:
    """YES of one market never covers an ask in another."""
    pit = a_free_pit()
    pit.stranger("no", "0.60", "1")
    pit.place("ann", "bid", "0.40", "1")
    pit.place("ann", "ask", "0.40", "1", ticker=SNOW)
    assert pit.purse("ann").available_micros == START - 400_000 - 600_000
