"""`tapehouse books show`: one book, as a ladder."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from exchange.books import Level
from exchange.units import format_cc, format_centi
from warehouse.errors import BookUnknown, NoLake
from warehouse.ladder import Ladder, Unknown, ladder
from warehouse.ladder_screen import print_ladder
from warehouse.lake import Lake
from warehouse.options import JsonOption, LakeOption
from warehouse.showing import plain


def show(
    ticker: Annotated[str, typer.Argument(help="The market.")],
    *,
    at: Annotated[
        str | None,
        typer.Option("--at", help="A date, or a time with a zone; default the last moment it is known."),
    ] = None,
    depth: Annotated[int, typer.Option(help="How many levels a side.", min=1)] = 10,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw the order book of a market as it was known at a moment: asks above, bids below, in YES prices.

    Exits with 2 where nobody can know it, and says why, since when, until when, and what to ask instead.
    """
    opened = Lake(lake)
    if not opened.exists():
        raise NoLake(f"{opened.uri}: no lake there; `tapehouse books record` or `tapehouse import` makes one")
    found = ladder(opened.pinned(), ticker, at)
    if as_json:
        typer.echo(json.dumps(_as_json(found, depth), default=plain))
    if isinstance(found, Unknown):
        raise BookUnknown(str(found))
    if not as_json:
        print_ladder(found, depth=depth)


def _as_json(found: Ladder | Unknown, depth: int) -> dict[str, Any]:
    if isinstance(found, Unknown):
        return {"is_known": False} | asdict(found)
    names = ("ticker", "title", "at_ts", "session", "method", "anomaly")
    rests_on = ("snapshot_ts", "snapshot_seq", "n_changes", "last_event_ts")
    return (
        {"is_known": True}
        | {name: getattr(found, name) for name in names}
        | {"bids": _levels(found.bids[:depth]), "asks": _levels(found.asks[:depth])}
        | {"n_bid_levels": len(found.bids), "n_ask_levels": len(found.asks)}
        | {name: getattr(found, name) for name in rests_on}
    )


def _levels(levels: Sequence[Level]) -> list[dict[str, str]]:
    return [
        {"yes_price": format_cc(each.price_cc), "contracts": format_centi(each.count_centi)}
        for each in levels
    ]
