"""How rows get into a table: once by key, in one Delta commit, under an optimistic lock.

A writer reads the table at version v, keeps the rows that v does not have, and commits on top of v with the
table's own application transaction. Delta refuses a second commit of that transaction on top of the same v,
so the loser reads again, finds what the winner wrote, and tries with what is left. A kill at any instant
leaves files that no version names.
"""

from typing import Final, Literal

import deltalake
import polars as pl
import pyarrow as pa
import stamina
from deltalake import ColumnProperties, CommitProperties, DeltaTable, Transaction, WriterProperties
from deltalake.exceptions import CommitFailedError, DeltaError

from warehouse.errors import LakeBusy
from warehouse.storage import Place, check_files, collected, files_of, open_table, scan_files, unwritable
from warehouse.tables import Table

DATE: Final = "date"
TRIES: Final = 40
ZSTD_LEVEL: Final = 3
FILES_MAX: Final = 64  # of a table without partitions: every commit reads them all
ROWS_PER_GROUP: Final = 131_072  # one market's rows are read from one group; PERF.md §2a
RETENTION: Final = "interval 400 days"  # pinned backtests must still open

# Numbers that grow and times: differences pack them far better than a dictionary does (PERF.md §2a).
_PACKED: Final = frozenset({"seq", "from_seq", "to_seq"})
_UNIQUE: Final = frozenset({"trade_id", "digest", "payload"})


def append_new(at: Place, table: Table, rows: pl.DataFrame) -> tuple[int | None, int]:
    """Append the rows that the table does not have; return its version and how many were new.

    Raises:
        LakeBusy: other writers won every try.
        LakeUnwritable: the place refuses writing.
        CorruptFile: a file that had to be read is damaged.
    """
    rows = rows.unique(list(table.key), keep="first", maintain_order=True)
    try:
        for attempt in stamina.retry_context(
            CommitFailedError, attempts=TRIES, timeout=120, wait_initial=0.01, wait_max=0.5, wait_jitter=0.2
        ):
            with attempt:
                delta = open_table(at, table)
                fresh = (
                    _new_states(at, table, delta, rows)
                    if table.is_history
                    else _new_keys(at, table, delta, rows)
                )
                if fresh.is_empty():
                    return (None if delta is None else delta.version()), 0
                version = _commit(at, table, delta or _create(at, table), fresh)
                return _tidied(at, table) or version, fresh.height
    except CommitFailedError as error:
        raise LakeBusy(f"{at.of(table)}: {TRIES} tries to commit lost the race; run it again") from error
    raise AssertionError("retry_context returns or raises")


def _new_keys(at: Place, table: Table, delta: DeltaTable | None, rows: pl.DataFrame) -> pl.DataFrame:
    if delta is None:
        return rows
    key = list(table.key)
    files = files_of(at, table, delta)
    if table.partition_by:
        files = files.on(_dates_with_the_key(table, rows))
    check_files(at, files)
    known = collected(scan_files(at, table, files.paths).select(key), at.of(table))
    return rows.join(known, on=key, how="anti", nulls_equal=True, maintain_order="left")


def _dates_with_the_key(table: Table, rows: pl.DataFrame) -> pl.Series:
    """Return the dates where rows of the same keys may lie.

    Their own, and the days around those where the time is no part of the key: a source may state it a moment
    earlier or later, across midnight.
    """
    assert table.partition_by is not None
    dates = rows[table.partition_by].dt.date().unique()
    if table.partition_by in table.key:
        return dates
    return pl.concat([dates.dt.offset_by(each) for each in ("-1d", "0d", "1d")]).unique()


def _new_states(at: Place, table: Table, delta: DeltaTable | None, rows: pl.DataFrame) -> pl.DataFrame:
    """Keep states that differ from the one before them, be it in the lake or among the rows.

    An older state may arrive after a newer one; it is kept when it differs from what was known before its
    own time, also when the next known state is the same: the state is then known from earlier on.
    """
    if delta is None:
        return changed_states(table, table.empty(), rows)
    files = files_of(at, table, delta)
    check_files(at, files)
    tickers = rows.lazy().select("ticker").unique()
    states = scan_files(at, table, files.paths).join(tickers, on="ticker", how="semi")
    known = collected(states, at.of(table))
    return changed_states(table, known, rows)


def changed_states(table: Table, known: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the `rows` that change what is known at their time, sorted by (ticker, observed_ts)."""
    key = list(table.key)
    fresh = rows.join(known, on=key, how="anti", nulls_equal=True)
    states = pl.concat(
        [known.with_columns(_is_new=pl.lit(value=False)), fresh.with_columns(_is_new=pl.lit(value=True))]
    ).sort(key)
    changed = pl.any_horizontal(pl.col(each).ne_missing(pl.col(each).shift(1)) for each in table.content)
    return states.filter(pl.col("_is_new") & changed).drop("_is_new")


def _create(at: Place, table: Table) -> DeltaTable:
    """Create an empty table; when another process did so first, open that one."""
    try:
        return DeltaTable.create(
            at.of(table),
            schema=deltalake.Schema.from_arrow(_arrow_schema(table)),
            partition_by=[DATE] if table.partition_by else None,
            mode="error",
            name=table.name,
            description=table.sentence,
            configuration={
                "delta.logRetentionDuration": RETENTION,
                "delta.deletedFileRetentionDuration": RETENTION,
                "delta.dataSkippingStatsColumns": ",".join(table.sort),
            },
            storage_options=dict(at.options) or None,
        )
    except (DeltaError, OSError) as error:
        delta = open_table(at, table)
        if delta is None:
            raise unwritable(at, error) from error
        return delta


def _commit(at: Place, table: Table, delta: DeltaTable, rows: pl.DataFrame) -> int:
    turn = (delta.transaction_version(table.name) or 0) + 1
    try:
        deltalake.write_deltalake(
            delta,
            _arrow(table, rows),
            mode="append",
            writer_properties=_writer(table),
            commit_properties=CommitProperties(app_transactions=[Transaction(table.name, turn)]),
        )
    except CommitFailedError:
        raise
    except (DeltaError, OSError) as error:
        raise unwritable(at, error) from error
    return int(delta.version())


def _tidied(at: Place, table: Table) -> int | None:
    """Make one file of a small table's many, as the ledger gets one for every window; None if it has few."""
    delta = None if table.partition_by else open_table(at, table)
    if delta is None or len(delta.file_uris()) < FILES_MAX:
        return None
    try:
        delta.optimize.compact(writer_properties=_writer(table))
    except CommitFailedError:
        return None  # somebody else tidied at the same time; the rows are in either way
    except (DeltaError, OSError) as error:
        raise unwritable(at, error) from error
    return int(delta.version())


def _arrow(table: Table, rows: pl.DataFrame) -> pa.Table:
    """Sort by date, then as declared, and hand over Arrow string columns (other readers trip over views)."""
    if table.partition_by:
        rows = rows.with_columns(pl.col(table.partition_by).dt.date().alias(DATE))
        rows = rows.sort(DATE, *table.sort)
    else:
        rows = rows.sort(*table.sort)
    return rows.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(_arrow_schema(table))


def _arrow_schema(table: Table) -> pa.Schema:
    declared = table.empty().to_arrow(compat_level=pl.CompatLevel.oldest()).schema
    fields = [pa.field(each.name, _small(each.type), nullable=True) for each in declared]
    return pa.schema([*fields, pa.field(DATE, pa.date32())] if table.partition_by else fields)


def _small(dtype: pa.DataType) -> pa.DataType:
    if pa.types.is_large_string(dtype):
        return pa.string()
    if pa.types.is_large_list(dtype):
        return pa.list_(_small(dtype.value_type))
    return dtype


def _writer(table: Table) -> WriterProperties:
    """Choose an encoding for each column; statistics only for what rows are sorted by."""
    special: dict[str, ColumnProperties] = {}
    for column, dtype in table.polars_schema.items():
        statistics: Literal["CHUNK", "NONE"] = "CHUNK" if column in table.sort else "NONE"
        if column in _PACKED or (isinstance(dtype, pl.Datetime) and column != "fetched_ts"):
            special[column] = ColumnProperties(
                dictionary_enabled=False, encoding="DELTA_BINARY_PACKED", statistics_enabled=statistics
            )
        else:
            special[column] = ColumnProperties(
                dictionary_enabled=column not in _UNIQUE, statistics_enabled=statistics
            )
    return WriterProperties(
        compression="ZSTD",
        compression_level=ZSTD_LEVEL,
        max_row_group_size=ROWS_PER_GROUP,
        column_properties=special,
    )
