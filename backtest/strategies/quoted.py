"""A policy as a strategy: asked about every market of a selection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from exchange.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from backtest.policies import Policy, Quoting
    from warehouse import Lake


def as_plan(policy: Policy) -> Callable[..., Quoting]:
    """Return the function that puts a policy on a selection; its docstring is the policy's."""

    def plan(
        lake: Lake,
        *,
        series: str | None = None,
        event: str | None = None,
        ticker: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Quoting:
        chosen = {"series_ticker": series, "event_ticker": event, "ticker": ticker}
        rows = [pl.col(column) == value for column, value in chosen.items() if value is not None]
        # Markets that closed before or open after cannot be quoted; reading them would change nothing.
        rows += [] if start is None else [(pl.col("close_ts") > start).fill_null(value=True)]
        rows += [] if end is None else [(pl.col("open_ts") < end).fill_null(value=True)]
        tickers = lake.markets().filter(*rows).select("ticker").collect()["ticker"]
        if tickers.is_empty():
            told = ", ".join(str(each) for each in (series, event, ticker, start, end) if each is not None)
            raise BadInput(f"{lake.uri}: no market to quote ({told or 'at all'}): sync or import it first")
        return policy.on(tickers, start=start, end=end)

    plan.__doc__ = policy.function.__doc__
    return plan
