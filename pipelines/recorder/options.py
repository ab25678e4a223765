"""Words that commands about order books have in common."""

from datetime import timedelta
from typing import Annotated

import typer

from exchange.units import parse_duration
from pipelines.ingest.errors import BadRequest

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
