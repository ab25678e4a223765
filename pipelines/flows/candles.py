"""Bars of quotes and trades of what the lake does not cover yet."""

from prefect import flow

from pipelines.flows.budget import client_of_flow
from pipelines.flows.windows import pull_all, scopes, span
from pipelines.ingest.planning import plan_tape
from pipelines.ingest.windows import candles_resource
from warehouse import Lake


@flow(name="sync-candles")
async def sync_candles(
    series: list[str] | None = None,
    event: str | None = None,
    ticker: str | None = None,
    start: str | None = None,
    end: str | None = None,
    hours: int = 48,
    period_s: int = 3_600,
    lake: str | None = None,
) -> dict[str, int]:
    """Pull the candles that the lake does not have, holes of earlier runs included.

    Args:
        series: their tickers; at most one of series, event and ticker, none of them means the whole exchange.
        event: only this event.
        ticker: only this market.
        start: first moment, a date or RFC 3339; default `hours` before the end.
        end: the moment after the last; default, and at most, five minutes ago.
        hours: how far back to look for holes.
        period_s: length of a candle: 60, 3600 or 86400.
        lake: folder or s3:// address; default TAPEHOUSE_LAKE.
    """
    opened = Lake(lake)
    start_ts, end_ts = span(start, end, hours)
    windows = [
        each
        for scope in scopes(series, event, ticker)
        for each in plan_tape(opened, candles_resource(period_s), scope, start_ts, end_ts)
    ]
    async with client_of_flow() as client:
        return await pull_all("sync-candles", windows, client, opened)
