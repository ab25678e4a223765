"""One run of `bt.run` with an assumption moved: an argument, or how many times as much something is."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from backtest.engine import LakeReader, run
from backtest.errors import PlanError
from backtest.kernels.arrays import COUNT_MAX_CENTI
from backtest.latency import FEED, Latency
from backtest.plan import Plan, read_plan
from backtest.planning import PlanOf
from backtest.policies import Quoting
from backtest.results import Run
from backtest.settings import Settings, read_settings
from backtest.slippages import times_as_much
from exchange.fees import FeeTerms
from warehouse.tables import EVENTS, FEE_CHANGES, SERIES, Table

if TYPE_CHECKING:
    from datetime import date

FACTORS: Final = ("fees", "size", "slippage")  # their values say how many times as much
_PPM: Final = 10**6
_TIMES_MAX: Final = 1_000
_UNITS: Final = {
    "d": 86_400_000_000,
    "h": 3_600_000_000,
    "m": 60_000_000,
    "s": 1_000_000,
    "ms": 1_000,
    "us": 1,
}
_MULTIPLIERS: Final = {
    SERIES.name: "fee_multiplier_ppm",
    EVENTS.name: "fee_multiplier_override_ppm",
    FEE_CHANGES.name: "fee_multiplier_ppm",
}


@dataclass(frozen=True, slots=True)
class Moved:
    """Arguments of `bt.run`, and how many times (in millionths) its fees, size and slippage are."""

    arguments: dict[str, Any]
    fees_ppm: int = _PPM
    size_ppm: int = _PPM
    slippage_ppm: int = _PPM

    def at(self, name: str, value: Any) -> "Moved":  # noqa: ANN401 -- a user's argument
        """Return the run with one assumption at another value.

        Raises:
            PlanError: a factor that is none.
        """
        if name in FACTORS:
            times: dict[str, Any] = {f"{name}_ppm": _ppm(name, value)}
            return replace(self, **times)
        return replace(self, arguments={**self.arguments, name: value})

    @property
    def key(self) -> tuple[Settings, int, int]:
        """What decides the result: runs of equal keys are the same.

        Raises:
            PlanError: an argument that cannot be meant.
        """
        given = self._given()
        read = {name: given[name] for name in inspect.signature(read_settings).parameters}
        return read_settings(**read), self.fees_ppm, self.size_ppm

    def run(self, plan: PlanOf | Quoting, lake: LakeReader) -> Run:
        """Run it on a lake; `size` is of plans alone."""
        if self.size_ppm != _PPM:
            assert not isinstance(plan, Quoting)
            plan = _sized(plan, self.size_ppm)
        if self.fees_ppm != _PPM:
            lake = _Dearer(lake, self.fees_ppm)
        return run(plan, lake, **self._given())

    def said(self, name: str) -> str:
        """Return the value of one assumption as text."""
        if name in FACTORS:
            return f"{getattr(self, f'{name}_ppm') / _PPM:g}x"
        value = self.arguments[name]
        return _text(FEED if name == "feed" and value is None else value)

    def _given(self) -> dict[str, Any]:
        given = dict(self.arguments)
        if self.slippage_ppm != _PPM:
            given["slippage"] = times_as_much(given["slippage"], self.slippage_ppm / _PPM)
        if self.fees_ppm != _PPM and isinstance(given["fees"], FeeTerms):
            dearer = -(-given["fees"].multiplier_ppm * self.fees_ppm // _PPM)
            given["fees"] = replace(given["fees"], multiplier_ppm=dearer)
        return given


@dataclass(frozen=True, slots=True)
class _Dearer:
    """A lake whose fee multipliers are so many times (in millionths) what they are, rounded up."""

    lake: LakeReader
    times_ppm: int

    def pinned(self) -> LakeReader:
        return replace(self, lake=self.lake.pinned())

    @property
    def uri(self) -> str:
        return self.lake.uri

    def scan(self, table: Table, *, dates: "tuple[date | None, date | None]" = (None, None)) -> pl.LazyFrame:
        rows = self.lake.scan(table, dates=dates)
        if table.name not in _MULTIPLIERS:
            return rows
        multiplier = pl.col(_MULTIPLIERS[table.name])
        return rows.with_columns((multiplier * self.times_ppm + _PPM - 1) // _PPM)

    def tops(self, tickers: Sequence[str]) -> pl.LazyFrame:
        return self.lake.tops(tickers)

    def versions(self) -> Mapping[str, int]:
        return self.lake.versions()


def _sized(plan: PlanOf, times_ppm: int) -> PlanOf:
    """Return a plan, or a function that makes one, whose counts are so many times (in millionths) as large.

    They are rounded down to the hundredth. Too many contracts stay too many, and the mark of a count that
    cannot be used stays, too.
    """
    if not isinstance(plan, pl.LazyFrame | pl.DataFrame):
        return lambda **row: _larger(plan(**row), times_ppm)
    return _larger(plan, times_ppm)


def _larger(plan: Plan, times_ppm: int) -> pl.LazyFrame:
    intent = pl.col("intent")
    count = intent.struct.field("count_centi")
    more = pl.when(count.is_between(0, COUNT_MAX_CENTI)).then(count * times_ppm // _PPM).otherwise(count)
    return read_plan(plan).with_columns(intent.struct.with_fields(count_centi=more))


def _ppm(name: str, times: Any) -> int:  # noqa: ANN401 -- a user's argument
    try:
        exact = Decimal(str(times)) * _PPM
        ppm = int(exact)
    except (InvalidOperation, ValueError, OverflowError):
        exact, ppm = Decimal(0), -1
    least = 0 if name == "fees" else 1
    if ppm != exact or not least <= ppm <= _TIMES_MAX * _PPM:
        raise PlanError(
            f"vary: {name}={times!r} should say how many times as much: a number up to {_TIMES_MAX:,}, "
            f"at most 6 decimals{'' if name == 'fees' else ', more than 0'}"
        )
    return ppm


def _text(value: Any) -> str:  # noqa: ANN401 -- an argument of bt.run
    if isinstance(value, timedelta):
        length_us = value // timedelta(microseconds=1)
        unit = next((unit for unit, size in _UNITS.items() if length_us and length_us % size == 0), "s")
        return f"{length_us // _UNITS[unit]}{unit}"
    if isinstance(value, Latency):
        ends = dict.fromkeys((value.lengths_us[0], value.lengths_us[-1]))
        return " to ".join(_text(timedelta(microseconds=each)) for each in ends)
    return str(value)
