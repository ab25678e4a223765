"""The fee law: what the exchange charges for one fill, to the millionth of a dollar.

    model = multiplier x rate x contracts x price x (1 - price), rounded up to a quantum
    gross = what brings the change of the balance up to the account's unit (fee + cost is a multiple of it)
    fee   = gross - rebate, the rebate paid from what the order's earlier fills were rounded up by

Source: KALSHI.md §8 (fee schedule of 2026-07-07, fee_rounding page of 2026-06-01) and §18: with these dates
and quanta the law gives the charged fee of all 96 single-fill orders of three real accounts (2026-06-25 to
2026-09-28) exactly, and of all 20 multi-fill orders in an order of fills that shared timestamps allow.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from exchange.errors import UnknownFeeType
from exchange.units import DOLLAR_CC, aware

QUADRATIC: Final = "quadratic"
MAKER: Final = "quadratic_with_maker_fees"
COMBO_MAKER: Final = "quadratic_with_combo_maker_fees"
FLAT: Final = "flat"

TAKER_RATE_PPM: Final = 70_000
MAKER_RATE_PPM: Final[dict[str, int]] = {QUADRATIC: 0, MAKER: 17_500, COMBO_MAKER: 35_000}
STANDARD_MULTIPLIER_PPM: Final = 1_000_000

# Combos are priced to the centicent before the balance is aligned: one of eight real combo fills (71.94 at
# $0.013, 2026-08-18, charged $0.064780) shows it, and the other seven agree.
COMBO_PREFIX: Final = "KXMVE"
QUANTUM_MICROS: Final = 1
COMBO_QUANTUM_MICROS: Final = 100

# rate_ppm x multiplier_ppm x centi x cc x cc has this many units to one micro-dollar.
_UNITS_PER_MICRO: Final = 10**12 * DOLLAR_CC


@dataclass(frozen=True, slots=True)
class FeeTerms:
    """What a series or an event pays at some time: a formula and its multiplier in parts per million."""

    fee_type: str
    multiplier_ppm: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeChange:
    """From `effective_ts` on a series or an event has these terms; both None clears an event's override."""

    change_id: str
    scope: Literal["series", "event"]
    ticker: str
    effective_ts: datetime
    fee_type: str | None
    multiplier_ppm: int | None


@dataclass(frozen=True, slots=True)
class Rounding:
    """From `effective_ts` on balances move in whole units, and over-rounding comes back or does not."""

    effective_ts: datetime
    unit_micros: int
    has_rebate: bool


ROUNDING: Final = (
    # Whole cents, with the accumulator documented in 2026-03 [GS:fee_rounding; data of 2026-03 and -04].
    Rounding(datetime(1970, 1, 1, tzinfo=UTC), 10_000, has_rebate=True),
    # Direct members' balances to $0.0001 [CL 2026-05-28]; multi-fill orders of 2026-06/07 got no rebate.
    Rounding(datetime(2026, 5, 28, tzinfo=UTC), 100, has_rebate=False),
    # Multi-fill orders seen from 2026-08 on got rebates again; the schedule of 2026-07-07 lies between.
    Rounding(datetime(2026, 7, 7, tzinfo=UTC), 100, has_rebate=True),
)


@dataclass(frozen=True, slots=True)
class Charge:
    """The fee of one fill and how it came about; `accumulated_micros` goes into the order's next fill."""

    fee_micros: int
    model_micros: int
    rounding_micros: int
    rebate_micros: int
    accumulated_micros: int


def rounding_at(at_ts: datetime) -> Rounding:
    """Return the rounding in force at a moment.

    Raises:
        UnitError: `at_ts` is naive.
    """
    at_ts = aware(at_ts)
    return max((each for each in ROUNDING if each.effective_ts <= at_ts), key=lambda each: each.effective_ts)


def rate_ppm(fee_type: str, *, is_taker: bool) -> int:
    """Return the rate before the multiplier, in parts per million.

    Raises:
        UnknownFeeType: no formula is published for `fee_type` (`flat` included).
    """
    if fee_type not in MAKER_RATE_PPM:
        known = ", ".join(MAKER_RATE_PPM)
        raise UnknownFeeType(f"fee type {fee_type!r} has no published formula; known are {known}")
    return TAKER_RATE_PPM if is_taker else MAKER_RATE_PPM[fee_type]


def is_combo(ticker: str) -> bool:
    """Tell whether a market is a combo (multivariate event), by Kalshi's reserved prefix."""
    return ticker.startswith(COMBO_PREFIX)


def model_micros(
    *, terms: FeeTerms, price_cc: int, count_centi: int, is_taker: bool, quantum_micros: int = QUANTUM_MICROS
) -> int:
    """Return the model fee, rounded up to the quantum; the same for a price and its complement.

    Raises:
        UnknownFeeType: no formula is published for the fee type.
    """
    assert 0 <= price_cc <= DOLLAR_CC, price_cc
    assert count_centi >= 0, count_centi
    rate = rate_ppm(terms.fee_type, is_taker=is_taker) * terms.multiplier_ppm
    raw = rate * count_centi * price_cc * (DOLLAR_CC - price_cc)
    return _ceil_to(raw, _UNITS_PER_MICRO * quantum_micros) // _UNITS_PER_MICRO


def charge_fill(
    *,
    terms: FeeTerms,
    price_cc: int,
    count_centi: int,
    is_taker: bool,
    is_combo: bool,
    rounding: Rounding,
    accumulated_micros: int = 0,
) -> Charge:
    """Return what one fill is charged; `price_cc` is the price of the outcome acquired.

    Selling YES at p is charged like buying NO at 1 - p (KALSHI.md §18). A fill whose formula gives nothing is
    free, whatever its price.

    Raises:
        UnknownFeeType: no formula is published for the fee type.
    """
    quantum_micros = COMBO_QUANTUM_MICROS if is_combo else QUANTUM_MICROS
    model = model_micros(
        terms=terms,
        price_cc=price_cc,
        count_centi=count_centi,
        is_taker=is_taker,
        quantum_micros=quantum_micros,
    )
    if model == 0:
        return Charge(0, 0, 0, 0, accumulated_micros)
    value = price_cc * count_centi
    gross = _ceil_to(value + model, rounding.unit_micros) - value
    accumulated = accumulated_micros + gross - model
    rebate = 0
    if rounding.has_rebate:
        rebate = min(_floor_to(accumulated, rounding.unit_micros), _floor_to(gross, rounding.unit_micros))
    return Charge(gross - rebate, model, gross - model, rebate, accumulated - rebate)


def _ceil_to(value: int, step: int) -> int:
    return -(-value // step) * step


def _floor_to(value: int, step: int) -> int:
    return value // step * step
