"""A policy as a strategy: asked about every market of a selection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypedDict, Unpack

import polars as pl

from exchange.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from backtest.policies import Policy, Quoting
    from warehouse import Lake


class Selection(TypedDict, total=False):
    """Which markets, and from when to when."""

    series: str
    event: str
    ticker: str
    start: datetime
    end: datetime


_COLUMNS: Final[dict[str, Literal["series", "event", "ticker"]]] = {
    "series_ticker": "series",
    "event_ticker": "event",
    "ticker": "ticker",
}


def as_plan(policy: Policy) -> Callable[..., Quoting]:
    """Return the function that puts a policy on a selection; its docstring is the policy's.

    If the policy takes signals, they are the forecast of the configuration: `signals.prob`.
    """

    def plan(lake: Lake, **selection: Unpack[Selection]) -> Quoting:
        return _put(policy, lake, selection)

    def informed(lake: Lake, *, forecast: pl.LazyFrame, **selection: Unpack[Selection]) -> Quoting:
        return _put(policy, lake, selection, forecast)

    chosen = informed if policy.reads_signals else plan
    chosen.__doc__ = policy.function.__doc__
    return chosen


def _put(policy: Policy, lake: Lake, selection: Selection, signals: pl.LazyFrame | None = None) -> Quoting:
    rows: list[pl.Expr] = [
        pl.col(column) == selection[name] for column, name in _COLUMNS.items() if name in selection
    ]
    start, end = selection.get("start"), selection.get("end")
    # Markets that closed before or open after cannot be quoted; reading them would change nothing.
    rows += [] if start is None else [(pl.col("close_ts") > start).fill_null(value=True)]
    rows += [] if end is None else [(pl.col("open_ts") < end).fill_null(value=True)]
    tickers = lake.markets().filter(*rows).select("ticker").collect()["ticker"]
    if tickers.is_empty():
        told = ", ".join(str(each) for each in selection.values())
        raise BadInput(f"{lake.uri}: no market to quote ({told or 'at all'}): sync or import it first")
    return policy.on(tickers, start=start, end=end, signals=signals)
