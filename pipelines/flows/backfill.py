"""The past of a tape, beside the runs that follow the present."""

from datetime import timedelta
from typing import Literal

from prefect import flow

from exchange.units import parse_when
from pipelines.flows.budget import client_of_flow
from pipelines.flows.trades import TRADES
from pipelines.flows.windows import pull_all, scopes, span
from pipelines.ingest.planning import plan_tape
from pipelines.ingest.windows import candles_resource
from warehouse import Lake


@flow(name="backfill")
async def backfill(
    start: str,
    end: str,
    tape: Literal["trades", "candles"] = "trades",
    series: list[str] | None = None,
    event: str | None = None,
    ticker: str | None = None,
    order: Literal["newest", "oldest"] = "newest",
    every_hours: int | None = None,
    period_s: int = 3_600,
    combos: bool = False,  # noqa: FBT001, FBT002 - a parameter of a flow, given by name in JSON
    lake: str | None = None,
) -> dict[str, int]:
    """Pull what the lake lacks of `[start, end)`, window by window; interrupted, it goes on where it stopped.

    The runs on schedule go on beside it: what they pull it passes over, and what it has pulled they do.

    Args:
        start: first moment, a date or RFC 3339.
        end: the moment after the last; at most five minutes ago.
        tape: trades or candles.
        series: their tickers; at most one of series, event and ticker, none of them means the whole exchange.
        event: only this event.
        ticker: only this market.
        order: newest or oldest window first.
        every_hours: length of a window; default a day for the whole exchange, see `plan_windows`.
        period_s: length of a candle: 60, 3600 or 86400.
        combos: the whole exchange with its combos; then there is no other scope.
        lake: folder or s3:// address; default TAPEHOUSE_LAKE.
    """
    opened = Lake(lake)
    start_ts, end_ts = parse_when(start), span(start, end, 0)[1]
    resource = TRADES if tape == TRADES else candles_resource(period_s)
    every = None if every_hours is None else timedelta(hours=every_hours)
    planned = [
        each
        for scope in scopes(series, event, ticker, combos=combos)
        for each in plan_tape(opened, resource, scope, start_ts, end_ts, every=every, order=order)
    ]
    async with client_of_flow() as client:
        return await pull_all("backfill", planned, client, opened)
