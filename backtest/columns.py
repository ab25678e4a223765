"""Columns of frames from the kernels' arrays, of all parameter rows one after the other."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from backtest.kernels.arrays import I64, Records
from backtest.outcomes import Outcome
from backtest.results import SCHEMAS

if TYPE_CHECKING:
    from backtest.replay import Stage

HOME = ("ticker", "event_ticker", "series_ticker")


def finished(rows: pl.DataFrame, name: str, done: Sequence[Outcome]) -> pl.DataFrame:
    """Return the declared columns after the parameters; column `row` numbers the parameter rows."""
    columns = [pl.col(each).cast(dtype) for each, dtype in SCHEMAS[name].items()]
    number = rows["row"]
    given = {key: pl.Series([each.asked.params[key] for each in done]) for key in done[0].asked.params}
    shown = rows.select(*columns)
    return pl.concat([pl.DataFrame(given).select(pl.all().gather(number)), shown], how="horizontal")


def frame(*parts: Records) -> pl.DataFrame:
    """Return records, one part after the other, as columns."""
    names = parts[0].dtype.names or ()
    return pl.DataFrame({name: np.concatenate([each[name] for each in parts]) for name in names})


def of_fills(done: Sequence[Outcome], name: str) -> I64:
    """Return for each fill what a column of orders has for its order."""
    return np.concatenate([each.orders[name][each.fills["order_id"]] for each in done]).astype(np.int64)


def home(stage: "Stage", market: I64, *names: str) -> list[pl.Series]:
    """Return columns of markets by number; null for -1, a market that the lake lacks."""
    number = pl.Series(market, dtype=pl.Int64)
    number = number.set(number < 0, None)
    return [stage.rules.markets[name].gather(number) for name in names]


def numbers(lengths: Sequence[int]) -> I64:
    """Return for each row of a concatenation which part it is of."""
    return np.repeat(np.arange(len(lengths), dtype=np.int64), lengths)


def places(lengths: Sequence[int]) -> I64:
    """Return for each row of a concatenation its place in its part."""
    firsts = np.cumsum([0, *lengths[:-1]], dtype=np.int64)
    return np.arange(sum(lengths), dtype=np.int64) - np.repeat(firsts, lengths)
