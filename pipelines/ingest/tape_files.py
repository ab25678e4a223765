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


def check_tape(path: Path, columns: Sequence[str], *, may_be_naive: bool = False) -> list[str]:
    """Read a file to its end, see that it has the columns, and return the names of all it has.

    Raises:
        UnreadableFile: no such file, damaged, empty, lacks one of the columns, or, unless they may be naive,
            has times without a zone.
    """
    try:
        if _is_parquet(path):
            schema = pq.read_schema(path)
            names = [name.strip() for name in schema.names]
            _read_through(path, [name for name in schema.names if name.strip() in columns])
            kinds = dict(zip(names, schema.types, strict=True))
        else:
            kinds = {}
            with _open(path) as stream:
                names = _header(stream.readline())
                while stream.read(_CHUNK_BYTES):
                    pass
    except (OSError, EOFError, zlib.error, ArrowException, csv.Error) as error:
        raise unreadable(path, error) from error
    missing = [name for name in columns if name not in names]
    if missing:
        found = ", ".join(filter(None, names[:12])) or "nothing"
        raise UnreadableFile(
            f"{path}: column {', '.join(missing)} is missing; the first line names {found[:200]}"
        )
    if nested := [name for name in columns if name in kinds and pa.types.is_nested(kinds[name])]:
        raise UnreadableFile(
            f"{path}: {', '.join(nested)} holds lists or structs; write a column for each of them"
        )
    if not may_be_naive and (
        unzoned := [name for name in columns if name in kinds and _is_naive(kinds[name])]
    ):
        raise UnreadableFile(
            f"{path}: the times in {', '.join(unzoned)} have no time zone; "
            "write the file anew with .dt.replace_time_zone('UTC'), if UTC is what they are"
        )
    return names


def tape_chunks(path: Path, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Yield the rows of a file that `check_tape` accepted.

    Yields:
        line (Int64, from 1; the row's number in Parquet), payload (the row as text), n_missing (Int64: how
        many cells too few, negative for too many), is_torn (Boolean: the line is part of a record that a
        quoted line break divides), then `columns`, all text, stripped.
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


def _read_through(path: Path, columns: list[str]) -> None:
    for _ in pq.ParquetFile(path).iter_batches(batch_size=_CHUNK_ROWS, columns=columns):
        pass


def _header(line: bytes) -> list[str]:
    text = line.decode("utf-8", errors="replace").removeprefix(_BOM).rstrip("\r\n")
    if "\r" in text:
        raise csv.Error("its lines end in CR alone: convert them, as with `tr '\\r' '\\n'`")
    return [name.strip().removeprefix(_BOM) for name in next(csv.reader([text]), [])]


def _csv_chunks(path: Path, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    with _open(path) as stream:
        header = _header(stream.readline())
        first_line = 2
        rest = b""
        quotes = _Quotes()
        while block := stream.read(_CHUNK_BYTES):
            head, newline, rest_of_block = block.rpartition(b"\n")
            if newline:
                lines = (rest + head).decode("utf-8", errors="replace").split("\n")
                yield _csv_rows(lines, first_line, header, columns, quotes)
                first_line += len(lines)
                rest = rest_of_block
            else:
                rest += block
        if rest:
            yield _csv_rows([rest.decode("utf-8", errors="replace")], first_line, header, columns, quotes)


class _Quotes:
    """Finds the lines of records that a line break in a quoted cell divides, block after block."""

    def __init__(self) -> None:
        self.is_open = False

    def torn(self, lines: Sequence[str]) -> list[bool]:
        """Tell for each line whether a quoted cell goes on from it, or into it."""
        found = []
        for line in lines:
            was_open = self.is_open
            if was_open or '"' in line:
                self.is_open = _ends_in_quotes(line, is_open=was_open)
            found.append(was_open or self.is_open)
        return found


def _ends_in_quotes(line: str, *, is_open: bool) -> bool:
    # A quote opens a cell only as its first character; inside, two of them stand for one.
    is_first = not is_open
    was_closed = False
    for each in line:
        if each == '"':
            if is_open:
                is_open, was_closed = False, True
            elif is_first or was_closed:
                is_open, was_closed = True, False
        else:
            was_closed = False
        is_first = each == "," and not is_open
    return is_open


def _csv_rows(
    lines: list[str], first_line: int, header: list[str], columns: Sequence[str], quotes: _Quotes
) -> pl.DataFrame:
    rows = pl.DataFrame({"payload": lines}, schema={"payload": pl.String})
    has_quotes = rows.get_column("payload").str.contains('"', literal=True).any()
    rows = rows.with_columns(
        pl.Series("is_torn", quotes.torn(lines))
        if has_quotes or quotes.is_open
        else pl.lit(value=False).alias("is_torn")
    )
    rows = rows.with_row_index("line", first_line).with_columns(
        pl.col("line").cast(pl.Int64), pl.col("payload").str.strip_chars_end("\r")
    )
    rows = rows.filter(pl.col("payload").str.strip_chars() != "")
    if has_quotes:
        # Quotes are rare in tapes; csv knows their rules.
        cells = [_cells(each) for each in rows.get_column("payload")]
        rows = rows.with_columns(pl.Series("cells", cells, dtype=pl.List(pl.String)))
    else:
        rows = rows.with_columns(pl.col("payload").str.split(",").alias("cells"))
    return rows.select(
        "line",
        "payload",
        (len(header) - pl.col("cells").list.len().cast(pl.Int64)).alias("n_missing"),
        "is_torn",
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
            pl.lit(value=False).alias("is_torn"),
            *columns,
        )
        first_line += rows.height


def _as_text(dtype: pl.DataType, name: str) -> pl.Expr:
    if isinstance(dtype, pl.Datetime):
        if dtype.time_zone is None:
            return pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%S%.f")
        return pl.col(name).dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ")
    return pl.col(name).cast(pl.String).str.strip_chars()
