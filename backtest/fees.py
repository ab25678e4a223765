"""Which fee terms held for which market when, as arrays for the kernels; unknown stays unknown.

An event's override beats its series. A recorded change (`fee_changes`) holds from its effective time on, an
observed state (`series`, `events`) from the moment we saw it. Before the first of them: if that is an
observation, nothing is recorded to have changed, so it is extended backwards and the run says so; if it is a
change, what held before it is unknown.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Final

import numpy as np
import polars as pl

from backtest.errors import FeesUnknown, PlanError, TooLarge
from backtest.kernels.arrays import I64, NEVER
from exchange.fees import MAKER_RATE_PPM, FeeTerms, rate_ppm
from exchange.units import DOLLAR_CC, from_us, to_us

ALWAYS: Final = -(2**62)
UNKNOWN_NUM: Final = -1
MULTIPLIER_MAX_PPM: Final = 14 * 10**6  # at 14 times the rate a contract at $0.50 costs half its price
_PPM: Final = 10**6
# rate_ppm x multiplier_ppm over this times p x (1 - p) x count in cc and centi is micro-dollars.
_SCALE: Final = 10**12 * DOLLAR_CC
_PART_MAX: Final = 2**42  # what fee_model can divide by; no published rate comes near

Points = list[tuple[int, FeeTerms | None]]  # from_us -> terms; None: unknown


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


@dataclass(frozen=True, slots=True)
class _Seen:
    at_us: int
    fee_type: str | None
    multiplier_ppm: int | None
    is_change: bool


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
    by_series = _seen(series, "fee_type", "fee_multiplier_ppm", changes, "series")
    by_event = _seen(events, "fee_type_override", "fee_multiplier_override_ppm", changes, "event")
    told: set[str] = set()
    known: dict[tuple[str | None, str | None], Points] = {}
    special = {event for event, seen in by_event.items() if any(map(_says_something, seen))}
    offsets, rows = [0], []
    for home, name in markets.select("event_ticker", "series_ticker").iter_rows():
        event = home if home in special else None
        if (name, event) not in known:
            base, over = by_series.get(name, []), by_event[event] if event else []
            points = _points(base, over)
            told.update(_backwards(f"series {name}", base), _backwards(f"event {event}", over))
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


def _seen(
    observed: pl.DataFrame, type_column: str, multiplier_column: str, changes: pl.DataFrame, scope: str
) -> Mapping[str, list[_Seen]]:
    found: dict[str, list[_Seen]] = {}
    states = observed.select("ticker", "observed_ts", type_column, multiplier_column)
    moved = changes.filter(pl.col("scope") == scope)
    facts = moved.select("ticker", "effective_ts", "fee_type", "fee_multiplier_ppm")
    for rows, is_change in ((states, False), (facts, True)):
        for ticker, at_ts, fee_type, multiplier_ppm in rows.iter_rows():
            seen = _Seen(to_us(at_ts), fee_type, multiplier_ppm, is_change)
            found.setdefault(ticker, []).append(seen)
    for each in found.values():
        each.sort(key=lambda seen: (seen.at_us, seen.is_change))
    return found


def _points(series: list[_Seen], event: list[_Seen]) -> Points:
    """Merge the two timelines: at every moment the event's fields, else the series'."""
    moments = sorted({ALWAYS, *(each.at_us for each in series), *(each.at_us for each in event)})
    points: Points = []
    for at_us in moments:
        base, over = _at(series, at_us), _at(event, at_us)
        fee_type = (over.fee_type if over else None) or (base.fee_type if base else None)
        ppm = over.multiplier_ppm if over else None
        if ppm is None and base is not None:
            ppm = base.multiplier_ppm
        terms = None if fee_type is None or ppm is None else FeeTerms(fee_type, ppm)
        if not points or points[-1][1] != terms:
            points.append((at_us, terms))
    return points


def _at(seen: list[_Seen], at_us: int) -> _Seen | None:
    before = [each for each in seen if each.at_us <= at_us]
    if before:
        return before[-1]
    return seen[0] if seen and not seen[0].is_change else None


def _says_something(seen: _Seen) -> bool:
    return seen.fee_type is not None or seen.multiplier_ppm is not None


def _backwards(what: str, seen: list[_Seen]) -> Iterable[str]:
    if seen and not seen[0].is_change and seen[0].fee_type is not None:
        yield f"fees of {what}: as observed on {_day(seen[0].at_us)}, and before it, as no change is recorded"


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
    return f"from {_day(first_us)}" if end_us == NEVER else f"before {_day(end_us)}"


def _day(at_us: int) -> str:
    return f"{from_us(at_us):%Y-%m-%d}"
