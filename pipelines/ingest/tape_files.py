"""Tape files as columns of text: CSV, gzipped CSV and Parquet, in chunks, each row with its line and payload.

A file is checked from end to end before its first row is handed out, so that a damaged one leaves nothing
behind.
"""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.lib import ArrowException

from pipelines.ingest.errors import UnreadableFile

GZIP_MAGIC: Final = b"\x1f\x8b"
_PARQUET_MAGIC: Final = b"PAR1"
_BOM: Final = "\ufeff"
_CHUNK_BYTES: Final = 32 * 1024 * 1024
_CHUNK_ROWS: Final = 250_000


def check_tape(path: Path, columns: Sequence[str]) -> list[str]:
    """Read a file to its end, see that it has the columns, and return the names of all it has.

    Raises:
        UnreadableFile: no such file, damaged, empty, lacks one of the columns, or has times without a zone.
    """
    try:
        if _is_parquet(path):
            schema = pq.read_schema(path)
            names = [name.strip() for name in schema.names]
            naive = [name for name, kind in zip(names, schema.types, strict=True) if _is_naive(kind)]
        else:
            naive = []
            with _open(path) as stream:
                names = _header(stream.readline())
                while stream.read(_CHUNK_BYTES):
                    pass
    except (OSError, EOFError, zlib.error, ArrowException) as error:
        raise unreadable(path, error) from error
    missing = [name for name in columns if name not in names]
    if missing:
        found = ", ".join(filter(None, names[:12])) or "nothing"
        raise UnreadableFile(
            f"{path}: column {', '.join(missing)} is missing; the first line names {found[:200]}"
        )
    if unzoned := [name for name in columns if name in naive]:
        raise UnreadableFile(
            f"{path}: the times in {', '.join(unzoned)} have no time zone; "
            "write the file anew with .dt.replace_time_zone('UTC'), if UTC is what they are"
        )
    return names


def tape_chunks(path: Path, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Yield the rows of a file that `check_tape` accepted.

    Yields:
        line (Int64, from 1; the row's number in Parquet), payload (the row as text), n_missing (Int64: how
        many cells too few, negative for too many), then `columns`, all text, stripped.
    """
    return _parquet_chunks(path, columns) if _is_parquet(path) else _csv_chunks(path, columns)


def unreadable(path: Path, error: Exception) -> UnreadableFile:
    """Return the one-line error for a file that cannot be opened or is damaged."""
    if isinstance(error, FileNotFoundError):
        return UnreadableFile(f"{path}: no such file")
    if isinstance(error, IsADirectoryError):
        return UnreadableFile(f"{path}: is a folder; name the files in it")
    said = " ".join(str(error).split()) or type(error).__name__
    return UnreadableFile(
        f"{path}: damaged or not the format its name says ({said}); nothing of it was imported"
    )


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) == _PARQUET_MAGIC or path.suffix == ".parquet"


def _is_naive(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind)) and kind.tz is None


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as stream:
        is_gzip = stream.read(2) == GZIP_MAGIC
    return io.BufferedReader(gzip.open(path)) if is_gzip else path.open("rb")


def _header(line: bytes) -> list[str]:
    text = line.decode("utf-8", errors="replace").removeprefix(_BOM)
    return [name.strip().removeprefix(_BOM) for name in next(csv.reader([text]), [])]


def _csv_chunks(path: Path, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    with _open(path) as stream:
        header = _header(stream.readline())
        first_line = 2
        rest = b""
        while block := stream.read(_CHUNK_BYTES):
            head, newline, rest_of_block = block.rpartition(b"\n")
            if newline:
                lines = (rest + head).decode("utf-8", errors="replace").split("\n")
                yield _csv_rows(lines, first_line, header, columns)
                first_line += len(lines)
                rest = rest_of_block
            else:
                rest += block
        if rest:
            yield _csv_rows([rest.decode("utf-8", errors="replace")], first_line, header, columns)


def _csv_rows(lines: list[str], first_line: int, header: list[str], columns: Sequence[str]) -> pl.DataFrame:
    rows = pl.DataFrame({"payload": lines}, schema={"payload": pl.String})
    rows = rows.with_row_index("line", first_line).with_columns(
        pl.col("line").cast(pl.Int64), pl.col("payload").str.strip_chars_end("\r")
    )
    rows = rows.filter(pl.col("payload").str.strip_chars() != "")
    if rows.get_column("payload").str.contains('"', literal=True).any():
        # Quotes are rare in tapes; csv knows their rules. A field never contains a line break here.
        cells = [_cells(each) for each in rows.get_column("payload")]
        rows = rows.with_columns(pl.Series("cells", cells, dtype=pl.List(pl.String)))
    else:
        rows = rows.with_columns(pl.col("payload").str.split(",").alias("cells"))
    return rows.select(
        "line",
        "payload",
        (len(header) - pl.col("cells").list.len().cast(pl.Int64)).alias("n_missing"),
        *(
            pl.col("cells").list.get(header.index(name), null_on_oob=True).str.strip_chars().alias(name)
            for name in columns
        ),
    )


def _cells(line: str) -> list[str]:
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return [line]


def _parquet_chunks(path: Path, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    file = pq.ParquetFile(path)
    stored = {name.strip(): name for name in file.schema_arrow.names}
    first_line = 1
    for batch in file.iter_batches(batch_size=_CHUNK_ROWS, columns=[stored[name] for name in columns]):
        rows = pl.from_arrow(batch)
        assert isinstance(rows, pl.DataFrame)
        rows = rows.select(_as_text(rows.schema[stored[name]], stored[name]).alias(name) for name in columns)
        payload = pl.concat_str(pl.col(list(columns)).fill_null(""), separator=",")
        yield rows.with_row_index("line", first_line).select(
            pl.col("line").cast(pl.Int64),
            payload.alias("payload"),
            pl.lit(0, pl.Int64).alias("n_missing"),
            *columns,
        )
        first_line += rows.height


def _as_text(dtype: pl.DataType, name: str) -> pl.Expr:
    if isinstance(dtype, pl.Datetime):
        return pl.col(name).dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ")
    return pl.col(name).cast(pl.String).str.strip_chars()
