"""The fee law against numbers that Kalshi published or charged (sources: KALSHI.md §8.4 and §18)."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.errors import UnknownFeeType
from exchange.fees import (
    COMBO_MAKER,
    FLAT,
    MAKER,
    QUADRATIC,
    Charge,
    FeeTerms,
    Rounding,
    charge_fill,
    is_combo,
    model_micros,
    rate_ppm,
    rounding_at,
)

PLAIN = FeeTerms(QUADRATIC, 1_000_000)
HALF = FeeTerms(QUADRATIC, 500_000)
CENTICENT = rounding_at(datetime(2026, 9, 1, tzinfo=UTC))
CENT = rounding_at(datetime(2026, 3, 15, tzinfo=UTC))


def a_charge(
    price_cc: int, count_centi: int, terms: FeeTerms = PLAIN, rounding: Rounding = CENTICENT, acc: int = 0
) -> Charge:
    return charge_fill(
        terms=terms,
        price_cc=price_cc,
        count_centi=count_centi,
        is_taker=True,
        is_combo=False,
        rounding=rounding,
        accumulated_micros=acc,
    )


@pytest.mark.parametrize(
    ("price_cc", "count_centi", "terms", "fee_micros"),
    [
        (5_000, 10_000, PLAIN, 1_750_000),  # 100 @ .50: .07 x 100 x .25 = 1.75
        (2_000, 10_000, PLAIN, 1_120_000),  # 100 @ .20: .07 x 100 x .16 = 1.12
        (2_500, 10_000, PLAIN, 1_312_500),  # 100 @ .25: 1.3125, no cent ceiling any more
        (100, 100, PLAIN, 700),  # 1 @ .01: .000693, up to the centicent
        (1_300, 2_000, HALF, 79_200),  # KXMLBSPREAD 20 @ .13, charged 0.0792 on 2026-08-14
        (2_700, 100, HALF, 6_900),  # KXMLBGAME 1 @ .27, charged 0.0069
        (1_500, 2_000, PLAIN, 178_500),  # KXATPDOUBLES 20 @ .15, charged 0.1785
        (2_800, 100, PLAIN, 14_200),  # KXWNBAGAME 1 @ .28: .014112, charged 0.0142
    ],
)
def test_published_and_charged_fees_come_out_exactly(
    price_cc: int, count_centi: int, terms: FeeTerms, fee_micros: int
) -> None:
    assert a_charge(price_cc, count_centi, terms).fee_micros == fee_micros


def test_the_balance_change_is_rounded_and_not_the_fee() -> None:
    """227.27 @ 0.001 costs 0.227270, the model fee is 0.015893; 0.243163 up to 0.2432 leaves 0.015930."""
    combo = charge_fill(
        terms=PLAIN, price_cc=10, count_centi=22_727, is_taker=True, is_combo=True, rounding=CENTICENT
    )
    assert combo.fee_micros == 15_930


def test_a_combo_is_priced_to_the_centicent_first() -> None:
    """71.94 @ 0.013, 2026-08-18: 0.064615 up to 0.0647, plus 0.93522, up to 1.0000: charged 0.064780."""
    combo = charge_fill(
        terms=PLAIN, price_cc=130, count_centi=7_194, is_taker=True, is_combo=True, rounding=CENTICENT
    )
    assert combo.fee_micros == 64_780


def test_whole_cents_before_the_end_of_may_2026() -> None:
    """1 @ .50: 0.0175 is charged as two cents."""
    assert a_charge(5_000, 100, rounding=CENT).fee_micros == 20_000


def test_over_rounding_of_an_order_comes_back_a_unit_at_a_time() -> None:
    """3 x 1 @ .055 in whole cents: .07 x .055 x .945 = .003639 each, over-rounded by .001361 three times."""
    accumulated, fees = 0, []
    for _ in range(3):
        charge = a_charge(550, 100, rounding=CENT, acc=accumulated)
        accumulated = charge.accumulated_micros
        fees.append(charge.fee_micros)
    assert fees == [5_000, 5_000, 5_000]
    assert accumulated == 3 * 1_361


def test_the_published_rebate_example_with_its_trade_fee_given() -> None:
    """KALSHI.md §8.4: fees of .0085 on 3 x 1 @ .055 in cents give .0150, .0050, .0150.

    A multiplier that makes the model fee .0085 exactly stands in for the page's trade fee:
    .0085 / (.07 x .055 x .945) = 2.336288...; 2_336_288 ppm gives .008500 rounded up to the micro.
    """
    terms = FeeTerms(QUADRATIC, 2_336_288)
    assert model_micros(terms=terms, price_cc=550, count_centi=100, is_taker=True) == 8_500
    accumulated, fees = 0, []
    for _ in range(3):
        charge = a_charge(550, 100, terms, rounding=CENT, acc=accumulated)
        accumulated = charge.accumulated_micros
        fees.append(charge.fee_micros)
    assert fees == [15_000, 5_000, 15_000]


def test_no_rebate_was_paid_between_the_end_of_may_and_july_2026() -> None:
    """Two fills that over-round by 88 micros each: 176 reaches the unit of 100, and nothing comes back."""
    june = rounding_at(datetime(2026, 6, 25, tzinfo=UTC))
    first = a_charge(2_800, 100, rounding=june)
    second = a_charge(2_800, 100, rounding=june, acc=first.accumulated_micros)
    assert (first.fee_micros, second.fee_micros) == (14_200, 14_200)
    in_august = a_charge(2_800, 100, acc=first.accumulated_micros)
    assert in_august.fee_micros == 14_100


@given(st.integers(1, 9_999), st.integers(1, 10**7))
def test_a_price_and_its_complement_have_the_same_model_fee(price_cc: int, count_centi: int) -> None:
    """BACKTEST.md trap 19."""
    yes = model_micros(terms=PLAIN, price_cc=price_cc, count_centi=count_centi, is_taker=True)
    no = model_micros(terms=PLAIN, price_cc=10_000 - price_cc, count_centi=count_centi, is_taker=True)
    assert yes == no


@given(st.integers(1, 9_999), st.lists(st.integers(1, 10**6), min_size=1, max_size=20))
def test_fee_and_cost_together_move_the_balance_in_whole_units(price_cc: int, counts: list[int]) -> None:
    """And the fee is never negative, nor below the model by more than what the order over-paid."""
    accumulated = paid = model = 0
    for count_centi in counts:
        charge = a_charge(price_cc, count_centi, acc=accumulated)
        accumulated = charge.accumulated_micros
        paid += charge.fee_micros
        model += charge.model_micros
        assert (price_cc * count_centi + charge.fee_micros) % CENTICENT.unit_micros == 0
        assert charge.fee_micros >= 0
    assert paid == model + accumulated
    assert accumulated >= 0


def test_makers_pay_a_quarter_or_a_half_or_nothing_by_fee_type() -> None:
    """Source: KALSHI.md §8.2 (changelog 2026-08-22)."""
    assert [rate_ppm(kind, is_taker=False) for kind in (QUADRATIC, MAKER, COMBO_MAKER)] == [0, 17_500, 35_000]
    assert rate_ppm(MAKER, is_taker=True) == 70_000


@pytest.mark.parametrize("fee_type", [FLAT, "margin_market_maker_program_fees", ""])
def test_a_fee_without_a_published_formula_is_refused(fee_type: str) -> None:
    with pytest.raises(UnknownFeeType, match="no published formula"):
        rate_ppm(fee_type, is_taker=True)


def test_combos_are_known_by_their_prefix() -> None:
    assert is_combo("KXMVECROSSCATEGORY-X")
    assert not is_combo("KXMLBGAME-X")
