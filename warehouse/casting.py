"""Bring a frame to a table's declared columns and dtypes exactly, or refuse it."""

import polars as pl

from warehouse.errors import NaiveTime, RowsRefused
from warehouse.quarantine import LOCATION
from warehouse.tables import Table


def conform(table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with declared columns, order and dtypes; missing nullable columns become null.

    Whole numbers may change width, times may change unit and zone, categories become text. A number that
    does not fit becomes null, so that the table's rules refuse its row. `_location` is let through.

    Raises:
        RowsRefused: a column is unknown or missing, or a dtype would need guessing (text or float for int).
        NaiveTime: a time column has no zone.
    """
    wanted = table.polars_schema
    unknown = [each for each in rows.columns if each not in wanted and each != LOCATION]
    if unknown:
        raise RowsRefused(f"{table.name} has no column {', '.join(unknown)}; it has {', '.join(wanted)}")
    missing = [
        each for each, column in table.columns.items() if each not in rows.columns and not column.nullable
    ]
    if missing:
        raise RowsRefused(f"{table.name} needs the column {', '.join(missing)}")
    casts = [
        _cast(table, each, rows.schema[each], dtype)
        if each in rows.columns
        else pl.lit(None, dtype=dtype).alias(each)
        for each, dtype in wanted.items()
    ]
    place = [pl.col(LOCATION).cast(pl.String)] if LOCATION in rows.columns else []
    return rows.select(*casts, *place) if rows.columns else table.empty()


def _cast(table: Table, column: str, given: pl.DataType, wanted: pl.DataType) -> pl.Expr:
    if given == wanted:
        return pl.col(column)
    if isinstance(given, pl.Datetime) and given.time_zone is None:
        raise NaiveTime(
            f"{table.name}.{column}: times without a zone; give them .dt.replace_time_zone('UTC')"
        )
    if not _is_safe(given, wanted):
        raise RowsRefused(f"{table.name}.{column}: {given} given, {wanted} needed; parse it exactly first")
    return pl.col(column).cast(wanted, strict=False)


def _is_safe(given: pl.DataType, wanted: pl.DataType) -> bool:
    if given in (pl.Null, wanted):
        return True
    if isinstance(given, pl.List) and isinstance(wanted, pl.List):
        return _is_safe(_inner(given), _inner(wanted))
    if isinstance(given, pl.Struct) and isinstance(wanted, pl.Struct):
        return all(
            a.name == b.name and _is_safe(_dtype(a), _dtype(b))
            for a, b in zip(given.fields, wanted.fields, strict=False)
        ) and len(given.fields) == len(wanted.fields)
    if wanted == pl.Float64:
        return given.is_numeric()
    return (
        (given.is_integer() and wanted.is_integer())
        or (isinstance(given, pl.Datetime) and isinstance(wanted, pl.Datetime))
        or (isinstance(given, (pl.Categorical, pl.Enum)) and wanted == pl.String)
    )


def _inner(of: pl.List) -> pl.DataType:
    return of.inner if isinstance(of.inner, pl.DataType) else of.inner()


def _dtype(of: pl.Field) -> pl.DataType:
    return of.dtype if isinstance(of.dtype, pl.DataType) else of.dtype()
