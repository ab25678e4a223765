"""Our fee model against the fees that an account was charged, fill by fill.

A single-fill order is decided: the model gives its fee to the millionth of a dollar or it is wrong. An order
filled in parts shares one accumulator of roundings, so its fees depend on the order of its fills, and exports
do not tell the order within one timestamp; such an order is exact when some order that the timestamps allow
(oldest or newest first) gives every fee.

Source: KALSHI.md §8 and §18.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from exchange.fees import (
    QUADRATIC,
    ROUNDING,
    STANDARD_MULTIPLIER_PPM,
    FeeTerms,
    charge_fill,
    is_combo,
    rounding_at,
)
from exchange.units import format_micros, format_ts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from backtest.account_fills import AccountFill

    TermsAt = Callable[[str, datetime], tuple[FeeTerms, str] | None]

PPM: Final = 1_000_000
_STEPS_MAX: Final = 100_000  # fills tried per order while looking for an order of fills that fits


@dataclass(frozen=True, slots=True)
class KnownMultiplier:
    """A multiplier other than 1 that somebody saw, from when on we take it to hold, and where it was seen."""

    series_ticker: str
    from_ts: datetime
    multiplier_ppm: int
    source: str


# Source: KALSHI.md §8.2 and §18.
_MLB: Final = "as GET /series said on 2026-08-20 and real fills of 2026-08-10 to 2026-08-14 were charged"
KNOWN_MULTIPLIERS: Final = tuple(
    KnownMultiplier(series, datetime(2026, 8, 10, tzinfo=UTC), 500_000, _MLB)
    for series in ("KXMLBGAME", "KXMLBKS", "KXMLBSPREAD", "KXMLBTOTAL")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """An order whose charged fees the model does not give; the model fee is for its fills as listed."""

    order: str
    ticker: str
    where: str
    n_fills: int
    multiplier_ppm: int
    model_micros: int
    charged_micros: int

    def as_json(self) -> dict[str, object]:
        """Return the row of `--json`: fees in dollar text."""
        return {
            "order": self.order,
            "ticker": self.ticker,
            "where": self.where,
            "n_fills": self.n_fills,
            "multiplier": self.multiplier_ppm / PPM,
            "model_fee": format_micros(self.model_micros),
            "charged_fee": format_micros(self.charged_micros),
            "difference": format_micros(self.model_micros - self.charged_micros),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeAudit:
    """What the comparison found; `assumptions` are sentences for people."""

    n_fills: int
    n_single: int
    n_single_exact: int
    n_multi: int
    n_multi_exact: int
    model_micros: int
    charged_micros: int
    assumptions: tuple[str, ...]
    differing: tuple[Difference, ...]

    @property
    def is_exact(self) -> bool:
        """Tell whether every order filled at once was charged exactly what the model says."""
        return self.n_single == self.n_single_exact

    def as_json(self) -> dict[str, object]:
        """Return the object that `--json` prints."""
        return {
            "fills": self.n_fills,
            "single_fill_orders": self.n_single,
            "exact": self.n_single_exact,
            "multi_fill_orders": self.n_multi,
            "multi_exact": self.n_multi_exact,
            "model_fee": format_micros(self.model_micros),
            "charged_fee": format_micros(self.charged_micros),
            "assumptions": list(self.assumptions),
            "differing": [each.as_json() for each in self.differing],
        }


def audit_fees(
    fills: Sequence[AccountFill],
    *,
    multipliers_ppm: Mapping[str, int] | None = None,
    terms_at: TermsAt | None = None,
    n_repeated: int = 0,
) -> FeeAudit:
    """Price every fill and compare with what was charged.

    Args:
        fills: in the order of the export, oldest or newest first.
        multipliers_ppm: series ticker to multiplier, given by the user; wins over everything else.
        terms_at: (market ticker, time) to terms and where they stand, or None where nothing is recorded.
        n_repeated: fill ids that the reader left out, for the assumptions.

    Raises:
        UnknownFeeType: the lake gives a series a fee type whose formula is not published.
    """
    terms = _Terms(multipliers_ppm or {}, terms_at)
    orders: dict[str, list[AccountFill]] = {}
    for fill in fills:
        orders.setdefault(fill.order, []).append(fill)
    differing: list[Difference] = []
    n_exact = {True: 0, False: 0}
    model = 0
    for order, group in orders.items():
        priced = [(fill, terms.of(fill)) for fill in group]
        charged = sum(fill.fee_micros for fill in group)
        if _fits(priced):
            n_exact[len(group) == 1] += 1
            model += charged
            continue
        as_listed = _charge_in_turn(priced)
        model += as_listed
        differing.append(
            Difference(
                order=order,
                ticker=group[0].ticker,
                where=group[0].where,
                n_fills=len(group),
                multiplier_ppm=priced[0][1].multiplier_ppm,
                model_micros=as_listed,
                charged_micros=charged,
            )
        )
    n_single = sum(len(group) == 1 for group in orders.values())
    return FeeAudit(
        n_fills=len(fills),
        n_single=n_single,
        n_single_exact=n_exact[True],
        n_multi=len(orders) - n_single,
        n_multi_exact=n_exact[False],
        model_micros=model,
        charged_micros=sum(fill.fee_micros for fill in fills),
        assumptions=(*terms.assumptions(), *_general_assumptions(fills, n_repeated)),
        differing=tuple(differing),
    )


class _Terms:
    """Where each fill's terms come from, remembering which series used which source."""

    def __init__(self, given_ppm: Mapping[str, int], terms_at: TermsAt | None) -> None:
        self._given_ppm = given_ppm
        self._terms_at = terms_at
        self._series_by_source: dict[str, set[str]] = {}

    def of(self, fill: AccountFill) -> FeeTerms:
        series = series_of(fill.ticker)
        terms, source = self._found(series, fill)
        multiplier = f"{terms.fee_type}, multiplier {terms.multiplier_ppm / PPM:g}"
        self._series_by_source.setdefault(f"{multiplier}, {source}", set()).add(series)
        return terms

    def _found(self, series: str, fill: AccountFill) -> tuple[FeeTerms, str]:
        if series in self._given_ppm:
            return FeeTerms(QUADRATIC, self._given_ppm[series]), "as given with --multiplier"
        found = self._terms_at(fill.ticker, fill.created_ts) if self._terms_at is not None else None
        if found is not None:
            return found
        known = [k for k in KNOWN_MULTIPLIERS if k.series_ticker == series and k.from_ts <= fill.created_ts]
        if known:
            last = max(known, key=lambda each: each.from_ts)
            return FeeTerms(QUADRATIC, last.multiplier_ppm), f"from {last.from_ts:%Y-%m-%d} on, {last.source}"
        return FeeTerms(QUADRATIC, STANDARD_MULTIPLIER_PPM), "the standard of the schedule of 2026-07-07"

    def assumptions(self) -> list[str]:
        return [f"{_listed(names)}: {source}" for source, names in sorted(self._series_by_source.items())]


def _listed(names: set[str], limit: int = 8) -> str:
    shown = ", ".join(sorted(names)[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"


def series_of(ticker: str) -> str:
    """Return the series a market ticker belongs to by Kalshi's naming: all before the first dash."""
    return ticker.split("-", 1)[0]


def _general_assumptions(fills: Iterable[AccountFill], n_repeated: int) -> list[str]:
    used = sorted({rounding_at(fill.created_ts) for fill in fills}, key=ROUNDING.index)
    said = [
        f"from {format_ts(each.effective_ts)[:10]} on balances move in steps of "
        f"${format_micros(each.unit_micros)}, {'with' if each.has_rebate else 'without'} a rebate of "
        "over-rounding within an order"
        for each in used
    ]
    if any(is_combo(fill.ticker) for fill in fills):
        said.append("combos (KXMVE…): the model fee is rounded up to $0.0001 before the balance is aligned")
    if any(not fill.is_taker for fill in fills):
        said.append("maker fills are free unless the fee type says otherwise")
    if n_repeated:
        said.append(f"{n_repeated} repeated fill ids were counted once")
    return said


_Priced = tuple["AccountFill", FeeTerms]


def _charge_in_turn(priced: Iterable[_Priced]) -> int:
    total = accumulated = 0
    for fill, terms in priced:
        fee, accumulated = _charge(fill, terms, accumulated)
        total += fee
    return total


def _charge(fill: AccountFill, terms: FeeTerms, accumulated_micros: int) -> tuple[int, int]:
    charge = charge_fill(
        terms=terms,
        price_cc=fill.price_cc,
        count_centi=fill.count_centi,
        is_taker=fill.is_taker,
        is_combo=is_combo(fill.ticker),
        rounding=rounding_at(fill.created_ts),
        accumulated_micros=accumulated_micros,
    )
    return charge.fee_micros, charge.accumulated_micros


def _fits(priced: list[_Priced]) -> bool:
    """Tell whether some order of the fills, as listed or as timestamps allow, gives every charged fee."""
    if _gives(priced) or _gives(priced[::-1]):
        return True
    by_time = sorted(priced, key=lambda pair: pair[0].created_ts)
    return len(priced) > 1 and (_some_order_gives(by_time) or _some_order_gives(by_time[::-1]))


def _gives(priced: Iterable[_Priced]) -> bool:
    accumulated = 0
    for fill, terms in priced:
        fee, accumulated = _charge(fill, terms, accumulated)
        if fee != fill.fee_micros:
            return False
    return True


def _some_order_gives(priced: list[_Priced]) -> bool:
    """Search the orders in which only fills of one timestamp change places, up to _STEPS_MAX fills."""
    stack: list[tuple[frozenset[int], int]] = [(frozenset(range(len(priced))), 0)]
    seen = set(stack)
    n_steps = 0
    while stack and n_steps < _STEPS_MAX:
        left, accumulated = stack.pop()
        if not left:
            return True
        now_ts = priced[min(left)][0].created_ts
        for index in left:
            fill, terms = priced[index]
            if fill.created_ts != now_ts:
                continue
            n_steps += 1
            fee, after = _charge(fill, terms, accumulated)
            state = (left - {index}, after)
            if fee == fill.fee_micros and state not in seen:
                seen.add(state)
                stack.append(state)
    return False
