"""Series, events, markets and fees: what the exchange says of them now."""

from datetime import UTC, datetime
from typing import Final

from prefect import flow

from pipelines.flows.budget import client_of_flow
from pipelines.flows.windows import pull_all, scopes
from pipelines.ingest.planning import Planned
from pipelines.ingest.pulling import listing_window
from warehouse import Lake

# In this order: markets find their series by way of the events.
_LISTINGS: Final = ("series", "events", "markets", "fees")


@flow(name="sync-reference")
async def sync_reference(
    series: list[str] | None = None,
    event: str | None = None,
    ticker: str | None = None,
    combos: bool = False,  # noqa: FBT001, FBT002 - a parameter of a flow, given by name in JSON
    lake: str | None = None,
) -> dict[str, int]:
    """Pull the present state of series, events, markets and fee changes; a changed state is a new row.

    Args:
        series: their tickers; at most one of series, event and ticker, none of them means the whole exchange.
        event: only this event.
        ticker: only this market.
        combos: the whole exchange with its combos; then there is no other scope.
        lake: folder or s3:// address; default TAPEHOUSE_LAKE.
    """
    opened, now_ts = Lake(lake), datetime.now(UTC)
    windows = [
        Planned(listing_window(resource, scope, now_ts), is_again=True)
        for scope in scopes(series, event, ticker, combos=combos)
        for resource in _LISTINGS
    ]
    async with client_of_flow() as client:
        return await pull_all("sync-reference", windows, client, opened)
