"""What turning a page of wire structs into rows has in common, whatever the table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, TypeVar

import msgspec
import polars as pl
import pyarrow as pa

from exchange.errors import UnitError
from pipelines.ingest import exact
from warehouse.quarantine import Rejected

S = TypeVar("S", bound=msgspec.Struct)

_EPOCH: Final = pl.lit(0, pl.Int64).cast(exact.TIME)


@dataclass(frozen=True, slots=True)
class Rows:
    """What one page gave: rows of one table, and what could not become one."""

    frame: pl.DataFrame
    rejected: list[Rejected] = field(default_factory=list)


def texts_of(page: Sequence[msgspec.Struct], *names: str) -> pl.DataFrame:
    """Lay text fields out as columns of the same names."""
    columns = {name: [*map(attrgetter(name), page)] for name in names}
    return pl.DataFrame(columns, schema=dict.fromkeys(names, pl.String()))


def values_of(
    page: Sequence[msgspec.Struct], name: str, dtype: pl.DataType, *, called: str = ""
) -> pl.Series:
    """Lay a field out as a column."""
    return pl.Series(called or name, [*map(attrgetter(name), page)], dtype=dtype)


def arrow_of(page: Sequence[msgspec.Struct], name: str) -> pa.LargeStringArray:
    """Lay a text field out in Arrow's memory, for the readers of `exact`."""
    return pa.array([*map(attrgetter(name), page)], pa.large_string())


def repeated(name: str, value: str | datetime | pa.Scalar, n_rows: int) -> pl.Series:
    """Lay one value out as a column; a time must be in UTC."""
    return pl.Series(name, pa.repeat(value, n_rows))


def origin(source: str, fetched_ts: datetime) -> tuple[pl.Expr, ...]:
    """Return the columns that say where rows came from."""
    return pl.lit(source).alias("source"), pl.lit(fetched_ts).cast(exact.TIME).alias("fetched_ts")


def observed(source: str, fetched_ts: datetime) -> tuple[pl.Expr, ...]:
    """Return the columns that say where states came from and when they were seen: when they were fetched."""
    return (*origin(source, fetched_ts), pl.lit(fetched_ts).cast(exact.TIME).alias("observed_ts"))


def since_1970(name: str) -> pl.Expr:
    """Read a time; Kalshi prints 0001-01-01T00:00:00Z for never [KALSHI.md §18], which is null here."""
    at = exact.moment(name)
    return pl.when(at >= _EPOCH).then(at).alias(name)


def whole_rows(
    page: Sequence[msgspec.Struct],
    frame: pl.DataFrame,
    needed: Mapping[str, str],
    source: str,
    *,
    unread: Mapping[str, pl.Series] | None = None,
) -> Rows:
    """Keep rows that could be read; reject the others with all that their struct held.

    Args:
        page: one struct for each row of `frame`.
        frame: rows of a table.
        needed: columns that must not be null, each with the field it was read from.
        source: where the page came from.
        unread: further fields, each with a mask of the rows whose text could not be read.
    """
    told = {name: frame.get_column(column) for column, name in needed.items()}
    faults = {name: column.is_null() for name, column in told.items() if column.null_count()}
    faults |= {name: mask for name, mask in (unread or {}).items() if mask.any()}
    rejected: dict[int, Rejected] = {}
    for name, is_faulty in faults.items():
        for at in is_faulty.arg_true():
            rejected.setdefault(at, rejection(page[at], name, "cannot be read exactly", source))
    if not rejected:
        return Rows(frame)
    is_whole = ~pl.int_range(pl.len()).is_in(list(rejected))
    return Rows(frame.filter(is_whole), [rejected[at] for at in sorted(rejected)])


def readable(
    page: Sequence[S], name: str, read: Callable[[S], object], source: str
) -> tuple[list[S], list[Rejected]]:
    """Divide a page into structs that `read` can read and the others, for fields that are read one by one."""
    kept: list[S] = []
    rejected: list[Rejected] = []
    for each in page:
        try:
            read(each)
        except UnitError as error:
            rejected.append(rejection(each, name, str(error), source))
        else:
            kept.append(each)
    return kept, rejected


def rejection(struct: msgspec.Struct, name: str, reason: str, source: str) -> Rejected:
    """Return a struct as a quarantined payload, with the field at fault."""
    value: Any = getattr(struct, name, None)
    return Rejected(
        location=source,
        field=name,
        value=None if value is None else str(value),
        reason=reason,
        payload=msgspec.json.encode(struct).decode(),
    )
