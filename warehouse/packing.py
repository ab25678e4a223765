"""Ids that are UUIDs, kept as their 16 bytes: text would be most of a trade's row on disk.

The stored form of a text is binary and loses nothing: a UUID as Kalshi prints it (lower case, with dashes)
becomes its 16 bytes; any other text keeps its UTF-8 bytes, after a zero byte where it would otherwise look
like a UUID (16 bytes long) or like such a mark (starting with a zero byte).
"""

from typing import Final
from uuid import UUID

import numpy as np
import polars as pl
import pyarrow as pa

UUID_BYTES: Final = 16
_OFFSET_BYTES: Final = 8
_TEXT_BYTES: Final = 36
_DASHES: Final = (8, 13, 18, 23)
_DASH: Final = ord("-")
_MARK: Final = b"\x00"
_CHUNK: Final = 8_192  # rows whose digits stay in the cache
_UUID: Final = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

# Four hexadecimal digits of every 16-bit number, as one word in memory.
_DIGITS: Final = np.array([int.from_bytes(f"{each:04x}".encode(), "little") for each in range(65_536)], "<u4")
# A UUID's text as words of four digits and the dashes between them.
_WORDS: Final = (0, 4, 9, 14, 19, 24, 28, 32)
_TEXT: Final = np.dtype(
    {
        "names": [*(f"w{i}" for i in range(8)), *(f"dash{i}" for i in range(4))],
        "formats": ["<u4"] * 8 + ["u1"] * 4,
        "offsets": [*_WORDS, *_DASHES],
        "itemsize": _TEXT_BYTES,
    }
)


def packed(texts: pl.Series) -> pl.Series:
    """Return the stored form (Binary) of texts; nulls stay null."""
    is_uuid = texts.str.contains(_UUID).fill_null(value=False)
    if is_uuid.all():
        return texts.str.replace_all("-", "", literal=True).str.decode("hex")
    uuids = pl.when(is_uuid).then(texts).str.replace_all("-", "", literal=True).str.decode("hex")
    others = [None if each is None else _marked(each.encode()) for each in texts.filter(~is_uuid)]
    rows = pl.select(is_uuid=is_uuid, stored=uuids)
    kept = pl.Series(others, dtype=pl.Binary)
    at = pl.when(~pl.col("is_uuid")).then((~pl.col("is_uuid")).cum_sum() - 1)
    other = pl.lit(kept).gather(at) if others else pl.lit(None, pl.Binary)
    stored = rows.select(pl.when("is_uuid").then("stored").otherwise(other).alias(texts.name))
    return stored.to_series()


def unpacked(stored: pl.Series) -> pl.Series:
    """Return the texts of a stored form; the inverse of `packed`."""
    # In Arrow's memory: polars' own functions start an engine each time, and there may be few rows.
    column = stored.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    if len(column) and not column.null_count:
        ends = np.frombuffer(column.buffers()[1], "<i8", len(column) + 1, _OFFSET_BYTES * column.offset)
        if (np.diff(ends) == UUID_BYTES).all():
            return pl.Series(stored.name, _uuid_texts(column, int(ends[0])), dtype=pl.String)
    return pl.Series(stored.name, [_text(each) for each in stored], dtype=pl.String)


def unpacking(column: str) -> pl.Expr:
    """Return `unpacked` as an expression that filters and projections pass through."""
    return pl.col(column).map_batches(unpacked, return_dtype=pl.String, is_elementwise=True)


def sql_text(column: str) -> str:
    """Return SQL that makes DuckDB read the stored form as text."""
    marked = f"starts_with(hex({column}), '00')"
    return (
        f"case when octet_length({column}) = {UUID_BYTES} then cast(cast(hex({column}) as uuid) as varchar) "
        f"when {marked} then decode({column}[2:]) else decode({column}) end"
    )


def _marked(text: bytes) -> bytes:
    return _MARK + text if len(text) == UUID_BYTES or text.startswith(_MARK) else text


def _text(stored: bytes | None) -> str | None:
    if stored is None:
        return None
    if len(stored) == UUID_BYTES:
        return str(UUID(bytes=stored))
    return stored.removeprefix(_MARK).decode()


def _uuid_texts(column: pa.LargeBinaryArray, start: int) -> pa.LargeStringArray:
    """Print 16-byte ids from byte `start` on: about 80 ns each, where polars' own functions take 250."""
    numbers = np.frombuffer(column.buffers()[2], ">u2", len(column) * 8, start).reshape(-1, 8)
    texts = np.empty(len(column), _TEXT)
    for first in range(0, len(column), _CHUNK):
        digits = _DIGITS[numbers[first : first + _CHUNK].astype(np.uint16)]
        part = texts[first : first + _CHUNK]
        for word in range(8):
            part[f"w{word}"] = digits[:, word]
        for dash in range(4):
            part[f"dash{dash}"] = _DASH
    ends = np.arange(0, _TEXT_BYTES * (len(column) + 1), _TEXT_BYTES, dtype=np.int64)
    return pa.LargeStringArray.from_buffers(len(column), pa.py_buffer(ends), pa.py_buffer(texts))
