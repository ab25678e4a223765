"""The tape: trades of what the lake does not cover yet."""

from prefect import flow

from pipelines.flows.budget import client_of_flow
from pipelines.flows.windows import pull_all, scopes, span
from pipelines.ingest.windows import Window, plan_windows
from warehouse import Lake

TRADES = "trades"


@flow(name="sync-trades")
async def sync_trades(
    series: list[str] | None = None,
    event: str | None = None,
    ticker: str | None = None,
    start: str | None = None,
    end: str | None = None,
    hours: int = 24,
    reread: bool = False,  # noqa: FBT001, FBT002 - a parameter of a flow, given by name in JSON
    lake: str | None = None,
) -> dict[str, int]:
    """Pull the trades that the lake does not have, holes of earlier runs included.

    Args:
        series: their tickers; at most one of series, event and ticker, none of them means the whole exchange.
        event: only this event.
        ticker: only this market.
        start: first moment, a date or RFC 3339; default `hours` before the end.
        end: the moment after the last; default, and at most, five minutes ago.
        hours: how far back to look for holes.
        reread: pull all of it again, for trades that appeared late.
        lake: folder or s3:// address; default TAPEHOUSE_LAKE.
    """
    opened = Lake(lake)
    start_ts, end_ts = span(start, end, hours)
    asked = [Window(TRADES, scope, start_ts, end_ts) for scope in scopes(series, event, ticker)]
    windows = asked if reread else [each for window in asked for each in plan_windows(opened, *window)]
    async with client_of_flow() as client:
        return await pull_all("sync-trades", windows, client, opened)
