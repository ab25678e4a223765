"""Strategies that depend on what became of their orders: a function that is asked for quotes.

    @bt.policy(every="1s", params={"half_cc": 200, "skew_cc": 1.0})
    def around_the_middle(at, params, memory):
        fair_cc = (at.bid_cc + at.ask_cc) / 2 - params.skew_cc * at.position_centi / 100
        return bt.Quotes(
            bid_cc=int(fair_cc - params.half_cc), bid_centi=1_000,
            ask_cc=int(fair_cc + params.half_cc), ask_centi=1_000,
        )

    quoting = around_the_middle.on(["KXHIGHNY-26SEP01-B70"])
    run = bt.run(quoting, lake, fills="queue", params={"half_cc": [100, 300]})

The function is compiled together with the clock; `.in_python()` gives the same policy uncompiled, with equal
results, for print and debuggers.
"""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl

from backtest.errors import ParameterError, PlanError
from backtest.latency import as_us
from backtest.plan import RESULT_COLUMNS
from backtest.signals import Signals, read_signals
from exchange.errors import UnitError
from exchange.units import moment_of

_NAME: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_MEMORY_MAX: Final = 10_000
_DEPTH_MAX: Final = 100
_NUMBER_END: Final = 2**63
_WITH_SIGNALS: Final = 4  # arguments


class Quotes(NamedTuple):
    """What should wait in a market from now on: at most one order to buy YES and one to sell it.

    Prices are YES prices in centicents, sizes hundredths of a contract. A size of 0 wants no order there, and
    Quotes(0, 0, 0, 0) none at all. None of the four has a default, for compiled code would not know it.
    """

    bid_cc: int
    bid_centi: int
    ask_cc: int
    ask_centi: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A function that is asked for quotes, and how; made by `backtest.policy`."""

    function: Callable[..., Any]
    every_us: int
    params: Mapping[str, int | float]
    memory: int
    post_only: bool
    depth: int = 0
    is_compiled: bool = True

    def on(
        self,
        tickers: Sequence[str] | pl.Series | pl.DataFrame | pl.LazyFrame,
        *,
        start: str | date | datetime | None = None,
        end: str | date | datetime | None = None,
        signals: pl.DataFrame | pl.LazyFrame | None = None,
    ) -> "Quoting":
        """Return the policy applied to markets, for `bt.run`.

        Args:
            tickers: names, or a frame with a column `ticker`, such as `lake.markets(...)`.
            start: quotes nothing before; a date is its UTC midnight, a time needs a zone.
            end: takes all quotes back then.
            signals: numbers of your own for the policy's fourth argument: known_ts (UTC), from when on a row
                counts until the next one; ticker, unless all rows are about all markets; and numeric columns,
                which it reads by name, as floats: NaN before the first row, and for null. Collected here.

        Raises:
            PlanError: no ticker, no times, an end that is not after the start, or signals that are none, that
                it does not take, or that it takes and is not given.
        """
        if (signals is not None) != self.reads_signals:
            name = self.function.__name__
            raise PlanError(
                f"on(…, signals=…): {name} takes no signals: make it {name}(at, params, memory, signals)"
                if signals is not None
                else f"{name} takes signals: give on(…, signals=frame with known_ts, ticker and numbers)"
            )
        if isinstance(tickers, pl.DataFrame | pl.LazyFrame):
            if "ticker" not in tickers.collect_schema():
                raise PlanError("on(frame): the frame has no column ticker")
            tickers = tickers.lazy().select(pl.col("ticker").cast(pl.String).unique()).collect()["ticker"]
        if isinstance(tickers, str):
            raise PlanError(f"on({tickers!r}): give a list of tickers, [{tickers!r}]")
        names = frozenset(str(each) for each in tickers)
        if not names:
            raise PlanError("a policy needs a market: the list of tickers is empty")
        start_ts, end_ts = _moment_or_none("start", start), _moment_or_none("end", end)
        if start_ts is not None and end_ts is not None and start_ts >= end_ts:
            raise PlanError(f"end={end} must come after start={start}")
        own = None if signals is None else read_signals(signals)
        return Quoting(policy=self, tickers=names, start=start_ts, end=end_ts, signals=own)

    @property
    def reads_signals(self) -> bool:
        """Whether its function takes them, as a fourth argument."""
        return _n_arguments(self.function) == _WITH_SIGNALS

    def in_python(self) -> "Policy":
        """Return the same policy uncompiled: equal results, and open to print and debuggers."""
        return replace(self, is_compiled=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoting:
    """A policy on its markets, from `start` (included) to `end` (excluded)."""

    policy: Policy
    tickers: frozenset[str]
    start: datetime | None
    end: datetime | None
    signals: Signals | None = None


def _moment_or_none(name: str, said: str | date | datetime | None) -> datetime | None:
    try:
        return None if said is None else moment_of(said)
    except UnitError as error:
        raise PlanError(f"{name}: {error}") from error


def policy(
    _misplaced: None = None,  # so that Python's own words for @bt.policy alone are that `every` is missing
    /,
    *,
    every: str | timedelta,
    params: Mapping[str, int | float] | None = None,
    memory: int = 0,
    post_only: bool = True,
    depth: int = 0,
) -> Callable[[Callable[..., Any]], Policy]:
    """Make a policy of a function `(at, params, memory) -> bt.Quotes`, or `(at, params, memory, signals)`.

    It is asked about one market at a time, at whole multiples of `every` (counted from 1970), when something
    happened there that it has not been told of: a change of quotes or book, a trade, a fill, the end of an
    order of its own, each heard of a `feed` after it happened (see `bt.run`); or a new row of its signals,
    which counts from its known_ts on (see `Policy.on`). It is not asked while the book is unknown or crossed:
    its quotes are taken back then.

    What it returns is compared with the order it sent last for each side: at the same price that order stays,
    keeps its place in the queue and is not topped up; at another price it is replaced; a size of 0 takes it
    back. Prices where no order may stand move to the next one away from the other side.

    The function is compiled by numba: arithmetic, if, loops, math and numpy on `memory`; integers for prices
    and sizes. `at` has these whole numbers, all as known then:

        ts_us, changed_us             now; when the quotes or the book last changed
        bid_cc, bid_centi             best bid and its size, 0 and 0 without one
        ask_cc, ask_centi             best ask, 10_000 and 0 without one; sizes are -1 where nobody knows them
        trade_us, trade_cc,           last trade (fills="queue" alone has them; 0 before the first):
        trade_centi, trade_way        time, YES price, contracts, +1 where the taker acquired YES, else -1
        position_centi                signed YES
        my_bid_cc, my_bid_centi       the order that waits or is under way, and what is left of it; 0 without
        my_ask_cc, my_ask_centi

    and with `depth`, arrays of so many: bid_prices_cc, bid_counts_centi, ask_prices_cc, ask_counts_centi,
    best first, as `Lake.books` has them; 0 (of asks 10_000) and 0 where there are no more. Quotes show one.

    Args:
        every: the grid of moments at which it may be asked.
        params: names and defaults; `bt.run(params=...)` sweeps them. A default of 2 makes a whole number of
            the parameter, 2.0 a float.
        memory: how many float64 numbers it keeps for each market, 0 at the start.
        post_only: reject orders that would trade on arrival; False lets quotes take.
        depth: how many displayed levels a side it sees, the best one first.

    Raises:
        PlanError: an argument that cannot be meant.
    """
    if _misplaced is not None:
        raise PlanError(f'bt.policy({_misplaced!r}, …): name what it is given, as in @bt.policy(every="1s")')
    every_us = as_us("every", every)
    if every_us <= 0:
        raise PlanError("every must be more than 0: it is the grid of moments at which the policy is asked")
    if not isinstance(params, Mapping | None):
        raise PlanError(f"params={params!r}: give names and defaults, such as {{'edge_cc': 200}}")
    defaults = {name: _of_python(value) for name, value in (params or {}).items()}
    for name, value in defaults.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name) or not _is_number(value):
            raise PlanError(f"params: {name}={value!r} should be a name and a number, below 2^63")
        if name in RESULT_COLUMNS:
            raise PlanError(f"a parameter cannot be called {name}: results have a column of that name")
    if not isinstance(memory, int) or not 0 <= memory <= _MEMORY_MAX:
        raise PlanError(f"memory={memory!r}: a whole number from 0 to {_MEMORY_MAX:,}")

    if not isinstance(depth, int) or not 0 <= depth <= _DEPTH_MAX:
        raise PlanError(f"depth={depth!r}: how many levels a side it sees, a whole number up to {_DEPTH_MAX}")

    def decorate(function: Callable[..., Any]) -> Policy:
        if not _WITH_SIGNALS - 1 <= _n_arguments(function) <= _WITH_SIGNALS:
            raise PlanError(
                f"a policy takes at, params, memory and, if it reads any, signals; {function.__name__} takes "
                f"{_n_arguments(function)} arguments"
            )
        return Policy(
            function=function,
            every_us=every_us,
            params=defaults,
            memory=memory,
            post_only=post_only,
            depth=depth,
        )

    return decorate


def policy_rows(given: list[dict[str, Any]], names: Sequence[str], known: Policy) -> list[dict[str, Any]]:
    """Return parameter rows with every parameter of the policy, in its order and of its types.

    Raises:
        ParameterError: a name that it does not have, or a value that is no number of its type.
    """
    if unknown := sorted(set(names) - set(known.params)):
        has = ", ".join(known.params) or "none"
        raise ParameterError(f"the policy has no parameter {', '.join(unknown)}; it has {has}")
    rows = []
    for row in given:
        full = {**known.params, **row}
        for name, default in known.params.items():
            value = full[name]
            if not _is_number(value):
                raise ParameterError(f"parameter {name}={value!r} should be a number, and below 2^63")
            if isinstance(default, int) and value != value // 1:
                raise ParameterError(
                    f"parameter {name}={value!r}: the policy's default {default} makes it a whole number; "
                    f"write {default}.0 there for a float"
                )
            full[name] = type(default)(value)
        rows.append(full)
    return rows


def _n_arguments(function: Callable[..., Any]) -> int:
    return len(inspect.signature(function).parameters)


def _of_python(value: Any) -> Any:  # noqa: ANN401 -- a user's argument
    return value.item() if isinstance(value, np.generic) else value


def _is_number(value: object) -> bool:
    """Tell whether a record can hold it; NaN and infinity are out too, for no sweep could name them."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _NUMBER_END


def params_record(row: Mapping[str, int | float]) -> "np.ndarray[tuple[int], np.dtype[np.void]]":
    """Return one parameter row as a record that a compiled policy reads by name."""
    kinds = [(name, "i8" if isinstance(value, int) else "f8") for name, value in row.items()]
    record = np.zeros(1, np.dtype(kinds or [("none", "i8")], align=True))
    for name, value in row.items():
        record[name] = value
    return record
