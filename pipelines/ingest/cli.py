"""`tapehouse sync`: data from the exchange into the lake."""

import asyncio
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any, Final

import typer

from exchange.units import parse_duration, parse_when
from pipelines.client import Client, KalshiError
from pipelines.ingest.drifting import keep_drift
from pipelines.ingest.errors import IngestError
from pipelines.ingest.planning import OLDEST
from pipelines.ingest.publishing import publish
from pipelines.ingest.sync import RESOURCES, sync
from pipelines.ingest.windows import Receipt
from warehouse.lake import Lake
from warehouse.ledger import COMPLETE
from warehouse.progress import terminal_progress

EVERYTHING: Final = "all"

LakeOption = Annotated[
    str | None,
    typer.Option("--lake", envvar="TAPEHOUSE_LAKE", help="Folder or s3:// address; default ./lake."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
EveryOption = Annotated[
    str | None, typer.Option(help="Length of a window, such as 1d; a window is what is retried whole.")
]
RereadOption = Annotated[
    bool, typer.Option(help="Pull trades and candles again where the lake covers them, for late rows.")
]
TrailingOption = Annotated[
    str, typer.Option(help="How late a trade may appear: so much before a hole is read again.")
]
OrderOption = Annotated[str, typer.Option(help="Which missing windows come first: oldest or newest.")]
CombosOption = Annotated[
    bool, typer.Option(help="The whole exchange with its combos, which are left out otherwise.")
]


def sync_app(
    resource: Annotated[
        str, typer.Argument(help=f"What to pull: {', '.join(RESOURCES)} or {EVERYTHING}.", show_default=False)
    ],
    *,
    series: Annotated[str | None, typer.Option(help="Only this series, such as KXHIGHNY.")] = None,
    event: Annotated[str | None, typer.Option(help="Only this event.")] = None,
    ticker: Annotated[str | None, typer.Option(help="Only this market.")] = None,
    start: Annotated[
        str | None, typer.Option(help="First moment: a date (UTC midnight) or a time with a zone.")
    ] = None,
    end: Annotated[str | None, typer.Option(help="The moment after the last; default now.")] = None,
    lake: LakeOption = None,
    page_size: Annotated[int, typer.Option(help="Trades a page, 1 to 1000.")] = 1_000,
    every: EveryOption = None,
    period: Annotated[str, typer.Option(help="Length of candles: 1m, 1h or 1d.")] = "1h",
    reread: RereadOption = False,
    trailing: TrailingOption = "2h",
    order: OrderOption = OLDEST,
    combos: CombosOption = False,
    as_json: JsonOption = False,
) -> None:
    """Pull what the lake lacks: live tier first, then the archive; interrupted, run it again.

    Listings (series, events, markets, fees) are read as they are now. Trades and candles need a scope or
    --start. Before a hole the trades of the --trailing time are read once more. A window that fails is told,
    and the others are pulled all the same; then the exit code is 1.
    KALSHI_BASE_URL or KALSHI_ENV say where to ask; public data needs no key.
    """
    resources = RESOURCES if resource == EVERYTHING else (resource,)
    into = Lake(lake)
    try:
        receipts, told = asyncio.run(
            _synced(
                into,
                resources,
                series=series,
                event=event,
                ticker=ticker,
                start=None if start is None else parse_when(start),
                end=None if end is None else parse_when(end),
                page_size=page_size,
                every=None if every is None else parse_duration(every),
                period_s=parse_duration(period) // timedelta(seconds=1),
                reread=reread,
                trailing=parse_duration(trailing),
                order=order,
                combos=combos,
            )
        )
    except (KalshiError, IngestError):
        publish(into)  # resources before the one that went wrong are in the lake
        raise
    publish(into)
    failed = [each for each in receipts if each.status != COMPLETE]
    if as_json:
        typer.echo(json.dumps(_summed_up(receipts) | {"client": told}))
    else:
        for line in _told(receipts):
            typer.echo(line)
    for each in failed:
        typer.echo(
            f"failed: {each.resource} {each.scope} from {each.start_ts.isoformat()}: {each.reason}", err=True
        )
    if failed:
        raise typer.Exit(1)


async def _synced(
    into: Lake,
    resources: Sequence[str],
    **asked: Any,  # noqa: ANN401 -- handed on to sync
) -> tuple[list[Receipt], dict[str, Any]]:
    """Return what became of every window, and what the client did for it."""
    with terminal_progress() as progress:
        async with Client() as client:
            try:
                await client.adopt_limits()
                receipts = await sync(client, into, resources, progress=progress, **asked)
            finally:
                n_novelties = keep_drift(into, client.drift)
            if n_novelties:
                novelties = "1 novelty" if n_novelties == 1 else f"{n_novelties} novelties"
                typer.echo(f"{novelties} from the exchange: see the table drift", err=True)
            return receipts, client.telemetry.summary()


def _summed_up(receipts: Sequence[Receipt]) -> dict[str, Any]:
    return {
        "n_rows": sum(each.n_rows for each in receipts),
        "n_new": sum(each.n_new for each in receipts),
        "n_requests": sum(each.n_requests for each in receipts),
        "n_failed": sum(each.status != COMPLETE for each in receipts),
        "receipts": [each.as_json() for each in receipts],
    }


def _told(receipts: Sequence[Receipt]) -> list[str]:
    if not receipts:
        return ["nothing to do: the lake covers all of it"]
    lines = []
    for resource, scope in dict.fromkeys((each.resource, each.scope) for each in receipts):
        of = [each for each in receipts if (each.resource, each.scope) == (resource, scope)]
        n_rows, n_new = sum(each.n_rows for each in of), sum(each.n_new for each in of)
        n_requests = sum(each.n_requests for each in of)
        lines.append(
            f"{resource} ({scope}): {n_rows:,} rows, {n_new:,} new, "
            f"in {len(of)} windows and {n_requests:,} requests"
        )
        lines += [f"  {note}" for each in of for note in each.notes]
    return lines
