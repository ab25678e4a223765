"""Where a public archive keeps its files, and their rows with one spelling of every value.

The layout is that of prediction-market-analysis: `data/kalshi/trades/*.parquet` and
`data/kalshi/markets/*.parquet`, in pieces of some 10,000 rows, in no order of time, with repetitions. Prices
are whole cents. Times carry a zone or mean UTC, in which the program that writes them counts. A number may
lie there as integer, float or text, whichever the tool that wrote the file preferred.
Source: its docs/SCHEMAS.md and indexers, read 2026-11-26.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.lib import ArrowException

from pipelines.ingest import exact
from pipelines.ingest.errors import UnreadableFile
from pipelines.ingest.tape_files import unreadable

SOURCE: Final = "archive:prediction-market-analysis"
BATCH_ROWS: Final = 250_000
_FOLDERS: Final = ("data/kalshi", "kalshi", ".")
_NEEDED: Final = {
    "trades": ("trade_id", "ticker", "count", "yes_price", "taker_side", "created_time"),
    "markets": ("ticker", "event_ticker", "status", "result", "_fetched_at"),
}
_NAMED: Final = 3
_LARGEST: Final = 2**40  # contracts or cents; floats are exact to 1/100 far beyond it
_SLACK: Final = 1e-6


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """One Parquet file, and what tells it from another of the same name."""

    path: Path
    n_bytes: int
    changed_ns: int

    @property
    def mark(self) -> str:
        """Name, size and time of change in one line."""
        return f"{self.path.name} {self.n_bytes} {self.changed_ns}"


def archive_files(folder: Path, kind: str) -> list[ArchiveFile]:
    """List the Parquet files of `kind` (trades or markets), by name; none where there is no such folder.

    Hidden files and the `._*` twins that macOS leaves in archives are no data.
    """
    for each in _FOLDERS:
        home = folder / each / kind
        if home.is_dir():
            paths = sorted(path for path in home.glob("*.parquet") if not path.name.startswith("."))
            return [ArchiveFile(path, (found := path.stat()).st_size, found.st_mtime_ns) for path in paths]
    return []


def check_archive(files: Sequence[ArchiveFile], kind: str) -> None:
    """Look at the end of every file, where Parquet says what it holds.

    Raises:
        UnreadableFile: files are damaged or lack a column; names the first ones and says how many there are.
    """
    bad: list[str] = []
    for file in files:
        try:
            names = pq.read_schema(file.path).names
        except (OSError, ArrowException) as error:
            bad.append(str(unreadable(file.path, error)))
            continue
        if missing := [name for name in _NEEDED[kind] if name not in names]:
            bad.append(
                f"{file.path}: column {', '.join(missing)} is missing; it has {', '.join(names)[:200]}"
            )
    if bad:
        more = f"; and {len(bad) - _NAMED} more files" if len(bad) > _NAMED else ""
        raise UnreadableFile("; ".join(bad[:_NAMED]) + more)


def digest_of(files: Sequence[ArchiveFile]) -> str:
    """Return what changes as soon as one of the files does."""
    return hashlib.sha256("\n".join(file.mark for file in files).encode()).hexdigest()


def batches(file: ArchiveFile, columns: Sequence[str], *, first: int = 0) -> Iterator[pl.DataFrame]:
    """Yield the rows of a file from its batch number `first` on, `BATCH_ROWS` at a time.

    Yields:
        line (Int64: the row's number in the file, from 1) and those of `columns` that the file has.

    Raises:
        UnreadableFile: the file is damaged behind its end.
    """
    try:
        opened = pq.ParquetFile(file.path)
        wanted = [name for name in columns if name in opened.schema_arrow.names]
        for number, batch in enumerate(opened.iter_batches(batch_size=BATCH_ROWS, columns=wanted)):
            if number >= first:
                rows = pl.DataFrame(pa.table(batch))
                yield rows.with_row_index("line", number * BATCH_ROWS + 1).cast({"line": pl.Int64})
    except (OSError, ArrowException, pl.exceptions.PolarsError) as error:
        raise unreadable(file.path, error) from error


def text_of(rows: pl.DataFrame, name: str) -> pl.Series:
    """Return a column as stripped text; null where the file has no such column."""
    if name not in rows.columns:
        return pl.Series(name, [None], dtype=pl.String).new_from_index(0, rows.height)
    return rows[name].cast(pl.String).str.strip_chars()


def hundredths_of(rows: pl.DataFrame, name: str) -> pl.Series:
    """Return numbers times 100 (cents as centicents, contracts as hundredths), Int64.

    Null where the value is missing or no exact multiple of 1/100.
    """
    given = rows[name] if name in rows.columns else pl.Series(name, [], dtype=pl.Null)
    if given.dtype.is_integer():
        whole = given.cast(pl.Int64, strict=False)
        return (whole.set(whole.abs() > _LARGEST, None) * 100).alias(name)
    if given.dtype.is_float():
        near = (given * 100).round(0)
        is_exact = ((given * 100 - near).abs() < _SLACK) & (given.abs() <= _LARGEST)
        return near.set(~is_exact.fill_null(value=False), None).cast(pl.Int64).alias(name)
    if given.dtype == pl.String:
        return exact.centi_of(given.to_arrow(compat_level=pl.CompatLevel.oldest())).alias(name)
    return pl.Series(name, [None], dtype=pl.Int64).new_from_index(0, rows.height)


def moment_of(rows: pl.DataFrame, name: str) -> pl.Series:
    """Return times in UTC; null where the value is missing or no time."""
    given = rows[name] if name in rows.columns else pl.Series(name, [], dtype=pl.Null)
    if isinstance(given.dtype, pl.Datetime):
        at = given if given.dtype.time_zone else given.dt.replace_time_zone("UTC")
        return at.cast(exact.TIME)
    if given.dtype == pl.String:
        texts = given.str.strip_chars()
        has_zone = texts.str.contains("(Z|[+-][0-9]{2}:[0-9]{2})$")
        zoned = texts.zip_with(has_zone.fill_null(value=True), texts + "Z")
        return exact.moment_of(zoned.to_arrow(compat_level=pl.CompatLevel.oldest())).alias(name)
    return pl.Series(name, [None], dtype=exact.TIME).new_from_index(0, rows.height)
