"""Words that commands about order books have in common."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, TypeVar

import typer

from exchange.units import parse_duration
from pipelines.client import Client
from pipelines.ingest.errors import BadRequest
from pipelines.ingest.receipts import ImportReceipt

TickerOption = Annotated[list[str] | None, typer.Option(help="Watch this market; may be repeated.")]
SeriesOption = Annotated[
    list[str] | None, typer.Option(help="Watch what is open of this series; may be repeated.")
]
MostActiveOption = Annotated[int, typer.Option(help="Watch so many markets with most 24-hour volume.")]
ForOption = Annotated[
    str | None, typer.Option("--for", help="Stop after this time, such as 10m; default never.")
]
RelistOption = Annotated[str, typer.Option(help="How often to look for markets that opened or closed.")]
StateOption = Annotated[str, typer.Option(help="How often to say on stderr where it stands.")]

_Result = TypeVar("_Result")


async def until_signalled(client: Client, run: Callable[[asyncio.Event], Awaitable[_Result]]) -> _Result:
    """Run something with a client until it ends; Ctrl-C and SIGTERM set the event that it is given."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, stop.set)
    async with client:
        return await run(stop)


def tell_tables(receipt: ImportReceipt) -> None:
    """Print how many rows each table got."""
    for table, counts in receipt.tables.items():
        typer.echo(f"  {table}: {counts.n_new:,} new, {counts.n_known:,} known")


def seconds(name: str, text: str) -> float:
    """Read a length of time that is more than none.

    Raises:
        BadRequest: it is none at all.
    """
    told_s = parse_duration(text) / timedelta(seconds=1)
    if told_s <= 0:
        raise BadRequest(f"{name} {text}: give more than 0")
    return told_s


def at_least(name: str, value: int, least: int) -> int:
    """Check a number.

    Raises:
        BadRequest: it is less.
    """
    if value < least:
        raise BadRequest(f"{name} {value}: give {least} or more")
    return value
