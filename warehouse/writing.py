"""How rows get into a table: once by key, in one Delta commit, under an optimistic lock.

A writer reads the table at version v, keeps the rows that v does not have, and commits on top of v with the
table's own application transaction. Delta refuses a second commit of that transaction on top of the same v,
so the loser reads again, finds what the winner wrote, and tries with what is left. A kill at any instant
leaves files that no version names.
"""

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import deltalake
import polars as pl
import stamina
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError

from warehouse.choosing import RANK, ranked
from warehouse.compacting import compact
from warehouse.errors import LakeBusy
from warehouse.layout import DATE, arrow, arrow_schema, delta_writer, stored
from warehouse.place import Place, check_room, unwritable
from warehouse.storage import (
    EVOLVED,
    check_files,
    collected,
    files_of,
    has_packed,
    open_table,
    scan_files,
    scan_stored,
    writable_table,
)
from warehouse.tables import Table

TRIES: Final = 40
FILES_MAX: Final = 64  # of a table without partitions: every commit reads them all
_TOLD: Final = timedelta(milliseconds=1)
RETENTION: Final = "interval 400 days"  # pinned backtests must still open
# Opening a table replays the entries since the last checkpoint: 39 ms for a hundred of them, 7 ms for none.
CHECKPOINT_EVERY: Final = "10"


def append_new(at: Place, table: Table, rows: pl.DataFrame) -> tuple[int | None, int]:
    """Append the rows that the table does not have; return its version and how many were new.

    Raises:
        LakeBusy: other writers won every try.
        LakeUnwritable, DiskFull: the place refuses writing, or has no room.
        CorruptFile: a file that had to be read is damaged.
    """
    key = list(table.key)
    if rows.n_unique(subset=key) < rows.height:  # to ask costs a quarter of doing it
        rows = rows.unique(key, keep="first", maintain_order=True)
    forms: dict[bool, pl.DataFrame] = {}
    try:
        for attempt in stamina.retry_context(
            CommitFailedError, attempts=TRIES, timeout=120, wait_initial=0.01, wait_max=0.5, wait_jitter=0.2
        ):
            with attempt:
                delta = writable_table(at, table)
                is_packed = delta is None or has_packed(delta, table)
                if is_packed not in forms:
                    forms[is_packed] = stored(table, rows, is_packed=is_packed)
                fresh = (
                    _new_states(at, table, delta, forms[is_packed])
                    if table.is_history
                    else _new_keys(at, table, delta, forms[is_packed])
                )
                if fresh.is_empty():
                    return (None if delta is None else delta.version()), 0
                delta = delta or _create(at, table)
                _commit(at, table, delta, fresh)
                return _tidied(at, table, delta), fresh.height
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
    bounds = _bounds_of_keys(table, rows)
    files = files.only(_touching(at, table, delta, files.files, bounds))
    check_files(at, files)
    rank = ranked(table)
    stored_rows = scan_stored(at, table, files)
    if bounds:
        stored_rows = stored_rows.filter(
            pl.col(each.column).is_between(each.least, each.most) for each in bounds
        )
    known = collected(stored_rows.select(*key, *rank), at.of(table))
    on = [*key, RANK] if rank else key
    fresh = rows.with_columns(rank).join(known, on=on, how="anti", nulls_equal=True, maintain_order="left")
    return fresh.drop(RANK, strict=False)


class _Bounds(NamedTuple):
    """Between which values of a column all rows lie, both included."""

    column: str
    least: Any
    most: Any


def _bounds_of_keys(table: Table, rows: pl.DataFrame) -> list[_Bounds]:
    """Return the bounds of numbers and times of the key: rows of the same key lie within them.

    A stream's numbers and times grow, so that most of what a day has so far need not be read.
    """
    schema = table.polars_schema
    names = [
        each
        for each in table.key
        if each in table.measured
        and (schema[each].is_integer() or isinstance(schema[each], pl.Datetime))
        and not rows[each].has_nulls()
    ]
    return [_Bounds(each, rows[each].min(), rows[each].max()) for each in names if rows.height]


def _touching(
    at: Place, table: Table, delta: DeltaTable, files: pl.DataFrame, bounds: list[_Bounds]
) -> pl.DataFrame:
    """Keep the files whose rows may lie within all bounds, by what the log tells of them."""
    adds = pl.DataFrame(delta.get_add_actions(flatten=True))
    keep = pl.lit(value=True)
    for column, least, most in bounds:
        if {f"min.{column}", f"max.{column}"} <= set(adds.columns):
            # The log may tell times in whole milliseconds.
            slack = _TOLD if isinstance(least, datetime) else 0
            is_apart = (pl.col(f"max.{column}") < least - slack) | (pl.col(f"min.{column}") > most + slack)
            keep &= ~is_apart.fill_null(value=False)
    near = adds.filter(keep).select(path=pl.lit(f"{at.of(table)}/") + pl.col("path"))
    return files.join(near, on="path", how="semi", maintain_order="left")


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
    states = scan_files(at, table, files).join(tickers, on="ticker", how="semi")
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
            schema=deltalake.Schema.from_arrow(arrow_schema(table)),
            partition_by=[DATE] if table.partition_by else None,
            mode="error",
            name=table.name,
            description=table.sentence,
            configuration={
                "delta.logRetentionDuration": RETENTION,
                "delta.deletedFileRetentionDuration": RETENTION,
                "delta.dataSkippingStatsColumns": ",".join(table.measured),
                "delta.checkpointInterval": CHECKPOINT_EVERY,
            },
            storage_options=dict(at.options) or None,
        )
    except (DeltaError, OSError) as error:
        delta = open_table(at, table)
        if delta is None:
            raise unwritable(at, error) from error
        return delta


def _commit(at: Place, table: Table, delta: DeltaTable, rows: pl.DataFrame) -> None:
    """Append rows on top of the version that `delta` stands at; it stands at theirs afterwards."""
    turn = (delta.transaction_version(table.name) or 0) + 1
    written = arrow(table, rows, is_packed=has_packed(delta, table))
    check_room(at, written.nbytes)
    try:
        if not table.columns.keys() <= {each.name for each in delta.schema().fields}:
            delta.alter.set_table_properties({EVOLVED: "true"}, raise_if_not_exists=False)
        deltalake.write_deltalake(
            delta,
            written,
            mode="append",
            schema_mode="merge",  # programs of two versions may share a lake
            writer_properties=delta_writer(table),
            commit_properties=CommitProperties(app_transactions=[Transaction(table.name, turn)]),
        )
    except CommitFailedError:
        raise
    except (DeltaError, OSError) as error:
        raise unwritable(at, error) from error


def _tidied(at: Place, table: Table, delta: DeltaTable) -> int:
    """Make one file of a small table's many, as the ledger gets one for every window; return its version."""
    version = int(delta.version())
    if table.partition_by or len(delta.file_uris()) < FILES_MAX:
        return version
    return compact(at, table, at_least=FILES_MAX).version or version
