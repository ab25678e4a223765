"""Numbers of a user's own that a policy sees, each from the moment from which they were known."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl

from backtest.errors import PlanError
from backtest.kernels.arrays import HEARD, I64, NO_SIGNAL, Records
from backtest.known import known_ts
from backtest.parameters import parameters_in
from backtest.tape import places_in

_NAME: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_KEYS: Final = ("ticker", "known_ts")


@dataclass(frozen=True, slots=True, eq=False)
class Signals:
    """What was known when: ticker, unless it is about all markets, known_ts and a float of every name.

    Rows are in order of ticker, known_ts, and then their own.
    """

    rows: pl.DataFrame

    @property
    def names(self) -> list[str]:
        """What a policy reads them by."""
        return [name for name in self.rows.columns if name not in _KEYS]

    @property
    def dtype(self) -> "np.dtype[Any]":
        """The record that a policy is given."""
        return np.dtype([(name, "f8") for name in self.names])

    def told(self) -> dict[str, Any]:
        """Return what a manifest says of them."""
        digest = hashlib.sha256(self.rows.hash_rows(seed=0).to_numpy().data).hexdigest()
        return {"names": self.names, "n_rows": self.rows.height, "sha256": digest}


class Laid(NamedTuple):
    """Signals as arrays: `values` begins with a row for nothing known yet, so that signal i is values[1 + i].

    Those of market m are `first[m]` to `end[m]`, which markets may share.
    """

    times: Records
    values: Records
    first: I64
    end: I64


def read_signals(given: object) -> Signals:
    """Return a frame as signals; null becomes NaN, nanoseconds are rounded up.

    Raises:
        PlanError: no frame, no known_ts in UTC, a ticker that is no text, no other column or one that has no
            numbers, or a `bt.param` inside.
    """
    if not isinstance(given, pl.DataFrame | pl.LazyFrame):
        raise PlanError(f"signals are a polars frame, not {type(given).__name__}")
    schema = given.collect_schema()
    known = schema.get("known_ts")
    if not isinstance(known, pl.Datetime) or known.time_zone != "UTC":
        raise PlanError(
            f"signals: known_ts is {known}: it must be Datetime in UTC, from when a row was known"
        )
    ticker = schema.get("ticker", pl.String())
    if ticker not in (pl.String, pl.Categorical, pl.Enum, pl.Null):
        raise PlanError(f"signals: ticker is {ticker}: cast it to String, or drop it if rows are about all")
    names = [name for name in schema if name not in _KEYS]
    if not names:
        raise PlanError("signals: the frame has no column besides ticker and known_ts: select some numbers")
    for name in names:
        if not _NAME.fullmatch(name):
            raise PlanError(f"signals: a policy cannot read a column called {name!r}: rename it")
        if not (schema[name].is_numeric() or schema[name] in (pl.Boolean, pl.Null)):
            raise PlanError(f"signals: {name} is {schema[name]}: signals are numbers; cast or drop it")
    if read := sorted(parameters_in(given.lazy())):
        raise PlanError(
            f"signals are read once, for all values of {', '.join(read)}: let the policy have the parameter, "
            "or give it a column for each value"
        )
    keys = [known_ts(pl.col("known_ts"), known)]
    if "ticker" in schema:
        keys.insert(0, pl.col("ticker").cast(pl.String))
    floats = pl.col(names).cast(pl.Float64).fill_null(float("nan"))
    rows = given.lazy().select(*keys, floats).collect()
    keyed = rows.select(each for each in _KEYS if each in schema)
    if keyed.height != keyed.drop_nulls().height:
        raise PlanError(f"signals have rows without {' or '.join(keyed.columns)}: filter those rows out")
    return Signals(rows.sort(keyed.columns, maintain_order=True))


def laid(signals: Signals | None, places: Mapping[str, int]) -> Laid:
    """Lay signals out for markets at these places; those about other markets are left out."""
    n = len(places)
    if signals is None:
        return Laid(np.zeros(0, HEARD), np.zeros(1, NO_SIGNAL), np.zeros(n, np.int64), np.zeros(n, np.int64))
    rows, first, end = signals.rows, np.zeros(n, np.int64), np.full(n, signals.rows.height)
    if "ticker" in rows.columns:
        market = places_in(pl.Series(list(places)), rows["ticker"])
        order = np.argsort(market, kind="stable")[np.count_nonzero(market < 0) :]
        rows, bounds = rows[order], np.searchsorted(market[order], np.arange(n + 1))
        first, end = bounds[:-1].astype(np.int64), bounds[1:].astype(np.int64)
    times, values = np.zeros(rows.height, HEARD), np.full(1 + rows.height, np.nan, signals.dtype)
    times["ts_us"] = rows["known_ts"].to_physical().to_numpy()
    for name in signals.names:
        values[name][1:] = rows[name].to_numpy()
    return Laid(times, values, first, end)
