"""`tapehouse warehouse verify`: are the files what they were when they were written?"""

import json
from dataclasses import asdict
from typing import Annotated, Final

import typer

from warehouse.damage import verify as verified
from warehouse.errors import CorruptFile, NoLake
from warehouse.lake import Lake
from warehouse.options import JsonOption, LakeOption
from warehouse.progress import terminal_progress
from warehouse.upkeep_cli import named

_MB: Final = 1e6


def verify(
    *,
    table: Annotated[
        list[str] | None, typer.Option("--table", help="Only this table; may be given again. Default: all.")
    ] = None,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read every file whole, page checksums included, and name those that changed since they were written.

    Rows that no compaction has touched yet have no checksums: damage that still decodes goes unnoticed there.
    """
    opened, tables = Lake(lake), named(table)
    if not opened.exists():
        raise NoLake(f"{opened.uri}: no lake there; `tapehouse sync` or `tapehouse import` makes one")
    with terminal_progress() as progress:
        found = verified(opened, tables, progress=progress)
    if as_json:
        typer.echo(json.dumps(asdict(found)))
    else:
        for each in found.damages:
            typer.echo(f"{each.path}: {each.what}")
        typer.echo(f"{found.n_files:,} files, {found.n_bytes / _MB:,.1f} MB read")
    if found.damages:
        raise CorruptFile(
            f"{opened.uri}: {len(found.damages)} of {found.n_files} files are damaged; "
            "restore them from a copy"
        )
