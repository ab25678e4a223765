"""What every sync flow does with its windows: a task each, all tried, then the catalog, then one page.

The client retries requests; a task retries its window; nothing retries a flow. A window that stays broken
stands in the ledger with its reason and is a hole, which the next run finds by itself.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from prefect import task
from prefect.artifacts import acreate_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task

from exchange.errors import BadInput, TapehouseError
from exchange.units import parse_when
from pipelines.client import Client
from pipelines.flows import summary
from pipelines.ingest import market_data
from pipelines.ingest.drifting import keep_drift
from pipelines.ingest.planning import Planned, still_missing
from pipelines.ingest.publishing import publish
from pipelines.ingest.windows import Receipt, scope_of
from warehouse import Lake
from warehouse.ledger import COMPLETE, FAILED, Window

PULLS: Final[dict[str, Callable[[Client, Lake, Window], Awaitable[Receipt]]]] = {
    "series": market_data.sync_series,
    "events": market_data.sync_events,
    "markets": market_data.sync_markets,
    "fees": market_data.sync_fees,
    "trades": market_data.sync_trades,
    "candles": market_data.sync_candles,
}

# The exchange's read models lag behind its engine [KALSHI.md §4]: the last minutes are the next run's.
_SAFETY: Final = timedelta(minutes=5)


class WindowFailed(TapehouseError):
    """A window that the ledger calls failed; `receipt` tells why, and what came nevertheless."""

    def __init__(self, receipt: Receipt) -> None:
        """Say what the ledger says."""
        self.receipt = receipt
        super().__init__(receipt.reason)


class WindowsFailed(TapehouseError):
    """Some windows could not be pulled, although all were tried."""


def scopes(
    series: Sequence[str] | None, event: str | None, ticker: str | None, *, combos: bool = False
) -> list[str]:
    """Return the scopes that a flow's parameters mean: every series, or the event, or the market, or all.

    Raises:
        BadRequest: more than one kind was given, or combos of something narrower than the exchange.
    """
    named: Sequence[str | None] = series or [None]
    return [scope_of(series=each, event=event, ticker=ticker, combos=combos) for each in named]


def span(start: str | None, end: str | None, hours: int) -> tuple[datetime, datetime]:
    """Return `[start, end)`; `end` is at most five minutes ago, `start` by default `hours` before it."""
    latest_ts = (datetime.now(UTC) - _SAFETY).replace(second=0, microsecond=0)
    end_ts = latest_ts if end is None else min(parse_when(end), latest_ts)
    return (end_ts - timedelta(hours=hours) if start is None else parse_when(start)), end_ts


def _may_pass(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Tell whether trying again can help: never where the request itself is wrong."""
    return not isinstance(state.data, BadInput)


@task(
    name="pull-window",
    task_run_name="{window.resource} {window.scope} {window.start_ts:%Y-%m-%dT%H:%M}",
    retries=2,
    retry_delay_seconds=[30, 120],
    retry_jitter_factor=0.5,
    retry_condition_fn=_may_pass,
    cache_policy=NO_CACHE,  # the ledger is the only progress there is
    persist_result=False,
)
async def pull(window: Window, client: Client, lake: Lake) -> Receipt:
    """Pull one window into the lake.

    Raises:
        WindowFailed: it could not be pulled, or some of its payloads could not be read.
        BadInput: it names nothing, or asks what the exchange does not answer.
        WarehouseError: it could not be stored.
    """
    resource = window.resource.partition("_")[0]
    receipt = await PULLS[resource](client, lake, window)
    if receipt.status != COMPLETE:
        raise WindowFailed(receipt)
    return receipt


async def pull_all(key: str, planned: Sequence[Planned], client: Client, lake: Lake) -> dict[str, int]:
    """Pull every window, publish the catalog and leave an artifact under `key`; return the run in numbers.

    What another run has pulled since it was planned is passed over.

    Raises:
        WindowsFailed: some stayed broken; the others are in the lake and in the catalog.
    """
    receipts = [
        await _receipt_of(window, client, lake) for each in planned for window in still_missing(lake, each)
    ]
    keep_drift(lake, client.drift)
    publish(lake)
    holes = summary.holes(lake, receipts)
    await acreate_markdown_artifact(
        key=key, markdown=summary.as_markdown(receipts, holes), description=f"lake {lake.uri}"
    )
    failed = [each for each in receipts if each.status == FAILED]
    if failed:
        raise WindowsFailed(
            f"{len(failed)} of {len(receipts)} windows failed, the first: {summary.named(failed[0])}: "
            f"{failed[0].reason}; the next run pulls them again"
        )
    return summary.totals(receipts)


async def _receipt_of(window: Window, client: Client, lake: Lake) -> Receipt:
    """Return what became of a window, whatever became of it, so that the others get their turn."""
    state = await pull(  # type: ignore[misc]  # declared as State, but an async task has to be awaited
        window, client, lake, return_state=True
    )
    result: Receipt | BaseException = await state.aresult(raise_on_failure=False)
    if isinstance(result, WindowFailed):
        return result.receipt
    if isinstance(result, BaseException):
        reason = str(result) or type(result).__name__
        return Receipt(*window, n_rows=0, n_new=0, n_requests=0, digest="", status=FAILED, reason=reason)
    return result
