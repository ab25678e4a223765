"""Rows of a lake for others, or for another lake: `tapehouse warehouse export`.

An export is a folder that stands on its own: data files, `manifest.json` with versions and digests, and a
page for whoever finds it. It appears whole or not at all: everything is written into a hidden folder beside
it, and renamed. All tables are read at one set of versions; the lake may be written meanwhile.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from exchange.units import format_ts
from warehouse.errors import ExportRefused, NoLake
from warehouse.exporting_files import Job, write_csv, write_duckdb, write_parquet
from warehouse.exporting_manifest import LICENCE, MANIFEST, README, ExportedFile, Manifest
from warehouse.exporting_selection import Asked, Selection, tables_named
from warehouse.place import synced
from warehouse.progress import Progress, silent

if TYPE_CHECKING:
    from warehouse.lake import Lake

PARQUET: Final = "parquet"
_WRITERS: Final[Mapping[str, Callable[[Job], list[ExportedFile]]]] = {
    PARQUET: write_parquet,
    "csv": write_csv,
    "duckdb": write_duckdb,
}
KINDS: Final = tuple(_WRITERS)
_UNFINISHED: Final = ".exporting"
_UNITS: Final = {
    PARQUET: "Integers: `_cc` is $0.0001, `_centi` 1/100 contract. Times are UTC, microseconds.\n"
    "`tapehouse import export .` brings it into another lake.",
    "csv": "Prices are dollars, sizes contracts, as exact decimals; times are UTC; lists are JSON.\n"
    "Of series, events and markets it has the latest state; Parquet and DuckDB have every observed one.",
    "duckdb": "Open `tapehouse.duckdb` with DuckDB 1.2 or later. Views are in dollars and contracts,\n"
    "`raw.*` in integers; every table and column has a comment, and the macros of a catalog are there.",
}


def export(
    lake: "Lake",
    target: Path,
    *,
    made_ts: datetime,
    asked: Asked | None = None,
    tables: Sequence[str] | None = None,
    kind: str = PARQUET,
    is_gzip: bool = False,
    progress: Progress = silent,
) -> Manifest:
    """Write the asked rows into a new folder and return its manifest.

    Args:
        lake: where the rows are; a pinned one is exported at its pins.
        target: a folder that is not there yet, or empty.
        made_ts: what the manifest says of when it was made.
        asked: series, event, market, time; default all.
        tables: names; default all that hold market data.
        kind: parquet, csv or duckdb.
        is_gzip: compress CSV files.
        progress: told of every day.

    Raises:
        ExportRefused: the target holds something or cannot be written, or there is nothing to export.
        NoLake, UnknownTable, UnknownTicker, UnknownEvent, UnknownSeries, CorruptFile: nothing was written.
    """
    asked = asked or Asked()
    if kind not in _WRITERS:
        raise ExportRefused(f"format {kind!r}: say {', '.join(KINDS)}")
    if is_gzip and kind != "csv":
        raise ExportRefused(f"--gzip is for csv; {kind} files are compressed in any case")
    chosen = tables_named(tables)
    if not lake.exists():
        raise NoLake(f"{lake.uri}: no lake there; `tapehouse sync` or `tapehouse import` makes one")
    pinned = lake.pinned(lake.versions())
    selection = Selection(pinned, asked, chosen)
    with _appearing(target) as folder:
        job = Job(
            folder=folder,
            selection=selection,
            tables=chosen,
            made_ts=made_ts,
            versions={table.name: pinned.files(table) for table in chosen},
            is_gzip=is_gzip,
            progress=progress,
        )
        files = _WRITERS[kind](job)
        if not files:
            names = ", ".join(table.name for table in chosen)
            raise ExportRefused(f"nothing to export: no rows of {names} in {lake.uri} are what was asked for")
        manifest = Manifest(
            kind=kind,
            tapehouse=version("tapehouse"),
            made_ts=format_ts(made_ts),
            filters=asked.as_json(),
            lake_versions={table.name: pinned.version(table) for table in chosen},
            files=tuple(files),
        )
        (folder / MANIFEST).write_text(json.dumps(manifest.as_json(), indent=1) + "\n")
        (folder / README).write_text(_page(manifest))
    return manifest


@contextmanager
def _appearing(target: Path) -> Iterator[Path]:
    """Hand out a hidden folder beside the target that takes its name in the end; else it goes."""
    target = target.expanduser().absolute()
    _refuse_full(target)
    folder = target.with_name(f".{target.name}.{os.getpid()}{_UNFINISHED}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _clear_abandoned(target)
        folder.mkdir()
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                yield folder
                (folder / "lock").unlink()
                shutil.rmtree(folder / ".spill", ignore_errors=True)
                for path in sorted(folder.rglob("*")):
                    synced(path)
                synced(folder)
                _refuse_full(target)
                folder.replace(target)
                synced(target.parent)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise ExportRefused(f"{target}: cannot be written: {error.strerror or error}") from error


def _refuse_full(target: Path) -> None:
    if target.is_dir() and not any(target.iterdir()):
        return
    if target.exists() or target.is_symlink():
        raise ExportRefused(f"{target}: is there and not an empty folder; name a new one")


def _clear_abandoned(target: Path) -> None:
    """Remove what exports to the same target left behind that were killed; living ones hold their lock."""
    for left in target.parent.glob(f".{target.name}.*{_UNFINISHED}"):
        try:
            with (left / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
        except OSError:
            continue  # it is alive, or somebody else's


def _page(manifest: Manifest) -> str:
    filters = ", ".join(f"{name} {value}" for name, value in manifest.filters.items() if value) or "all"
    counts: dict[str, int] = {}
    for each in manifest.files:
        counts[each.table] = counts.get(each.table, 0) + each.n_rows
    rows = "\n".join(f"* {table}: {n_rows:,} rows" for table, n_rows in counts.items())
    return f"""\
# Market data of the Kalshi exchange

Made by Tapehouse {manifest.tapehouse} on {manifest.made_ts}. Asked for: {filters}.

{rows}

{_UNITS[manifest.kind]}

`{MANIFEST}` names the versions of the lake and the SHA-256 of every file;
`tapehouse warehouse verify-export .` compares them.

{LICENCE}
"""
