"""The tape: trades of what the lake does not cover yet."""

from datetime import timedelta

from prefect import flow

from pipelines.flows.budget import client_of_flow
from pipelines.flows.windows import pull_all, scopes, span
from pipelines.ingest.planning import plan_tape
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
    trailing_hours: int = 2,
    reread: bool = False,  # noqa: FBT001, FBT002 - a parameter of a flow, given by name in JSON
    combos: bool = False,  # noqa: FBT001, FBT002 - likewise
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
        trailing_hours: how late a trade may appear: so much before each hole is read once more.
        reread: pull all of it again, for trades that appeared later still.
        combos: the whole exchange with its combos; then there is no other scope.
        lake: folder or s3:// address; default TAPEHOUSE_LAKE.
    """
    opened = Lake(lake)
    start_ts, end_ts = span(start, end, hours)
    trailing = timedelta(hours=trailing_hours)
    planned = [
        each
        for scope in scopes(series, event, ticker, combos=combos)
        for each in plan_tape(opened, TRADES, scope, start_ts, end_ts, reread=reread, trailing=trailing)
    ]
    async with client_of_flow() as client:
        return await pull_all("sync-trades", planned, client, opened)
