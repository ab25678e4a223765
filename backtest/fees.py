"""Which fee terms held for which market when, as arrays for the kernels; unknown stays unknown."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Final

import numpy as np
import polars as pl

from backtest.errors import FeesUnknown, PlanError, TooLarge
from backtest.fee_records import Points, day, read_records
from backtest.kernels.arrays import I64, NEVER
from exchange.fees import MAKER_RATE_PPM, FeeTerms, rate_ppm
from exchange.units import DOLLAR_CC

UNKNOWN_NUM: Final = -1
MULTIPLIER_MAX_PPM: Final = 14 * 10**6  # at 14 times the rate a contract at $0.50 costs half its price
_PPM: Final = 10**6
# rate_ppm x multiplier_ppm over this times p x (1 - p) x count in cc and centi is micro-dollars.
_SCALE: Final = 10**12 * DOLLAR_CC
_PART_MAX: Final = 2**42  # what fee_model can divide by; no published rate comes near


@dataclass(frozen=True, slots=True)
class FeeTable:
    """Terms by market (`offsets`) and time; `num` is UNKNOWN_NUM where nobody knows."""

    offsets: I64
    from_us: I64
    num: I64
    den: I64
    maker_num: I64
    maker_den: I64
    assumptions: tuple[str, ...]


def assume_fees(fee_type: str, multiplier: float | Decimal | str = 1) -> FeeTerms:
    """Return fee terms to use wherever the lake knows none; every run that uses them says so.

    Raises:
        UnknownFeeType: no formula is published for `fee_type`.
        PlanError: a multiplier that is negative or finer than a millionth.
    """
    rate_ppm(fee_type, is_taker=True)
    try:
        ppm = Decimal(str(multiplier)) * _PPM
        whole = int(ppm)
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise PlanError(f"fee multiplier {multiplier!r} is not a number such as 1 or 0.5") from error
    if ppm != whole or not 0 <= whole <= MULTIPLIER_MAX_PPM:
        raise PlanError(
            f"fee multiplier {multiplier!r} must be between 0 and {MULTIPLIER_MAX_PPM // _PPM} "
            "and have at most 6 decimals"
        )
    return FeeTerms(fee_type, whole)


def fee_table(
    markets: pl.DataFrame,
    series: pl.DataFrame,
    events: pl.DataFrame,
    changes: pl.DataFrame,
    *,
    fallback: FeeTerms | None,
) -> FeeTable:
    """Return the terms of every market of `markets` (event_ticker, series_ticker), in its order."""
    records = read_records(series, events, changes)
    told: set[str] = set()
    known: dict[tuple[str | None, str | None], Points] = {}
    offsets, rows = [0], []
    for home, own in markets.select("event_ticker", "series_ticker").iter_rows():
        name, event = records.series_of(own, home), home if home in records.events else None
        if name != own:
            told.add(f"fees of {name}: also for markets without a series on record, whose tickers begin so")
        if (name, event) not in known:
            points = records.points(name, event)
            told.update(records.taken_as_given(name, event))
            known[name, event] = [(at_us, terms if _is_known(terms) else fallback) for at_us, terms in points]
            if fallback is not None and not all(_is_known(terms) for _, terms in points):
                told.add(_assumed(name, fallback))
        for at_us, terms in known[name, event]:
            rows.append((at_us, *_ratio(terms, is_taker=True), *_ratio(terms, is_taker=False)))
        offsets.append(len(rows))
    table = np.ascontiguousarray(np.array(rows, np.int64).reshape(-1, 5).T)
    from_us, num, den, maker_num, maker_den = table
    return FeeTable(np.array(offsets, np.int64), from_us, num, den, maker_num, maker_den, tuple(sorted(told)))


def refuse_unknown(table: FeeTable, markets: pl.DataFrame, market: I64, first_us: I64, last_us: I64) -> None:
    """Refuse orders on markets whose terms are unknown at some time in `[first_us, last_us]`.

    Raises:
        FeesUnknown: names the series and what to do.
    """
    missing: dict[str, tuple[int, int]] = {}
    if not (table.num == UNKNOWN_NUM).any():
        return
    for m in np.unique(market):
        points = range(int(table.offsets[m]), int(table.offsets[m + 1]))
        ends = [*(int(table.from_us[i]) for i in points), NEVER]
        for i, (start_us, end_us) in zip(points, pairwise(ends), strict=True):
            hit = (market == m) & (first_us < end_us) & (last_us >= start_us)
            if table.num[i] == UNKNOWN_NUM and hit.any():
                name = markets["series_ticker"][int(m)] or f"the series of {markets['event_ticker'][int(m)]}"
                missing[name] = (int(first_us[hit].min()), end_us)
    if missing:
        told = ", ".join(f"{name} {_when(*span)}" for name, span in sorted(missing.items()))
        raise FeesUnknown(
            tuple(sorted(missing)),
            f"fee schedule unknown, or of a type without a published formula, for {told}: run "
            "`tapehouse sync fees` (and series) for them, "
            'or pass fees=bt.assume_fees("quadratic", multiplier=1)',
        )


def _assumed(series: str | None, terms: FeeTerms) -> str:
    times = Decimal(terms.multiplier_ppm) / _PPM
    return f"fees of {series or 'markets without a series'}: assumed {terms.fee_type} x {times} where unknown"


def _is_known(terms: FeeTerms | None) -> bool:
    """Tell whether a fee can be computed: terms are on record, and their formula is published."""
    return terms is not None and terms.fee_type in MAKER_RATE_PPM


@lru_cache
def _ratio(terms: FeeTerms | None, *, is_taker: bool) -> tuple[int, int]:
    if terms is None or not _is_known(terms):
        return UNKNOWN_NUM, 1
    if terms.multiplier_ppm > MULTIPLIER_MAX_PPM:
        raise TooLarge(
            f"fee multiplier {terms.multiplier_ppm} ppm: above {MULTIPLIER_MAX_PPM // _PPM} is no fee"
        )
    rate = rate_ppm(terms.fee_type, is_taker=is_taker)
    ratio = Fraction(rate * terms.multiplier_ppm, _SCALE)
    assert max(ratio.numerator, ratio.denominator) < _PART_MAX, ratio
    return ratio.numerator, ratio.denominator


def _when(first_us: int, end_us: int) -> str:
    return f"from {day(first_us)}" if end_us == NEVER else f"before {day(end_us)}"
