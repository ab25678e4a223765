"""An export of another lake into this one: `tapehouse import export`.

Every file is compared with the manifest before the first row goes in. Rows keep the `source` that the other
lake had, so that what the exchange told stays first choice. Windows are no part of an export: this lake does
not claim to have asked.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow.parquet as pq
from pyarrow.lib import ArrowException

from pipelines.ingest.errors import UnreadableFile
from pipelines.ingest.receipts import ImportReceipt
from pipelines.ingest.tape_files import unreadable
from warehouse.exporting import PARQUET
from warehouse.exporting_manifest import MANIFEST, ExportedFile, Manifest, verify_export
from warehouse.exporting_selection import EXPORTED
from warehouse.lake import Lake
from warehouse.progress import Progress, silent

_ROWS_AT_ONCE: Final = 1_000_000


def import_export(lake: Lake, folder: Path, progress: Progress = silent) -> ImportReceipt:
    """Bring a Parquet export into the lake; twice changes nothing.

    Raises:
        ExportDamaged: a file is not what the manifest says; the lake is as it was.
        UnreadableFile: the export is CSV or DuckDB, or names a table that this Tapehouse does not know.
    """
    started_s = time.monotonic()
    manifest = verify_export(folder, progress)
    _check(folder, manifest)
    receipt = ImportReceipt("export", files=[str(folder / each.path) for each in manifest.files])
    for number, each in enumerate(manifest.files):
        progress("import export", number, len(manifest.files))
        for rows in _rows(folder, each):
            receipt.n_rows += rows.height
            commit = lake.commit(EXPORTED[each.table], rows, location=each.path)
            receipt.count(
                each.table,
                n_new=commit.n_new,
                n_known=commit.n_known,
                n_quarantined=commit.n_quarantined,
            )
    progress("import export", len(manifest.files), len(manifest.files))
    receipt.wall_s = time.monotonic() - started_s
    return receipt


def _check(folder: Path, manifest: Manifest) -> None:
    if manifest.kind != PARQUET:
        raise UnreadableFile(
            f"{folder}: a {manifest.kind} export is for reading; export with --format {PARQUET} to import it"
        )
    for each in manifest.files:
        if each.table not in EXPORTED:
            raise UnreadableFile(f"{folder / MANIFEST}: no table {each.table!r} here; upgrade Tapehouse")
        unknown = set(_names(folder / each.path)) - set(EXPORTED[each.table].columns)
        if unknown:
            raise UnreadableFile(
                f"{folder / each.path}: {each.table} has no column {', '.join(sorted(unknown))} here; "
                "upgrade Tapehouse"
            )


def _names(path: Path) -> list[str]:
    try:
        names: list[str] = pq.read_schema(path).names
    except (OSError, ArrowException) as error:
        raise unreadable(path, error) from error
    return names


def _rows(folder: Path, file: ExportedFile) -> Iterator[pl.DataFrame]:
    path = folder / file.path
    try:
        for batch in pq.ParquetFile(path).iter_batches(batch_size=_ROWS_AT_ONCE):
            rows = pl.from_arrow(batch)
            assert isinstance(rows, pl.DataFrame)
            yield rows
    except (OSError, ArrowException) as error:
        raise unreadable(path, error) from error
