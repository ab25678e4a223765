"""One step of building the year three times, in a process of its own; see tests.benchmarks.hundred_million.

`python -m tests.benchmarks.hundred_million_steps STEP WORK ROWS` prints a JSON object of figures.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from tests.benchmarks.figures import timed
from tests.benchmarks.hundred_million_asks import MEMORY_LIMIT, day_of
from tests.benchmarks.hundred_million_places import Places, peak_mb
from tests.benchmarks.lake_bytes import bytes_per_row
from tests.benchmarks.year_of_trades import batches, markets
from warehouse.lake import Lake
from warehouse.tables import MARKETS, TRADES

BATCH_ROWS: Final = 50_000
_TURNS: Final = 9


def hive(places: Places) -> dict[str, Any]:
    """Write a file a day, sorted as the lake sorts: ids as text, zstd, else as pyarrow does by itself."""
    n_rows, write_s = 0, 0.0
    for number in range(places.year.n_days):
        rows = places.year.trades(number).sort(TRADES.sort)
        folder = places.hive / f"date={day_of(number)}"
        folder.mkdir(parents=True)
        table = _plain(rows)
        took = timed(partial(pq.write_table, table, folder / "part-0.parquet", compression="zstd"))
        n_rows, write_s = n_rows + rows.height, write_s + took.wall_s
    pl.concat([places.year.orders(each) for each in range(places.year.n_days)]).write_parquet(places.orders)
    files = list(places.hive.rglob("*.parquet"))
    n_bytes = sum(each.stat().st_size for each in files)
    without = n_bytes - sum(_id_bytes(each) for each in files)
    return {"rows_per_s": n_rows / write_s, "b_with": n_bytes / n_rows, "b_without": without / n_rows}


def lake(places: Places) -> dict[str, Any]:
    """Commit day by day; the last days half hour by half hour, as a sync that runs often does."""
    into, n_days = Lake(places.lake), places.year.n_days
    into.commit(MARKETS, markets())
    days_s, days_rows, often_s, often_rows = 0.0, 0, [], 0
    for number in range(n_days):
        rows = _fetched(places, number)
        if not places.year.is_often(number):
            days_s, days_rows = days_s + _commit_s(into, rows), days_rows + rows.height
            continue
        for batch in batches(rows):
            often_s.append(_commit_s(into, batch))
            often_rows += batch.height
    return {
        "rows_per_s": days_rows / days_s,
        "often_s": statistics.median(often_s),
        "often_rows": often_rows / len(often_s),
        "n_files": _n_files(into),
    }


def compact(places: Places) -> dict[str, Any]:
    """Make one file a day of the many of the last days."""
    into = Lake(places.lake)
    took = timed(lambda: into.compact([TRADES])[0])
    told = took.result
    return {
        "rows_per_s": told.n_rows / took.wall_s,
        "n_files_before": told.n_files_before,
        "n_files_after": told.n_files_after,
    }


def native(places: Places) -> dict[str, Any]:
    """Load the plain Parquet into a DuckDB table, ids as UUID, in the order of the files."""
    con = duckdb.connect(str(places.native))
    con.execute(f"set memory_limit = '{MEMORY_LIMIT}'; set temp_directory = '{places.work}/spill'")
    con.execute("set timezone = 'UTC'")
    load = (
        "create table trades as select * replace (trade_id::uuid as trade_id) "
        f"from read_parquet('{places.hive}/*/*.parquet', hive_partitioning = true)"
    )
    took = timed(lambda: con.execute(load).fetchall()[0][0])
    con.execute("checkpoint")
    con.close()
    return {
        "rows_per_s": took.result / took.wall_s,
        "b_with": places.native.stat().st_size / took.result,
    }


def commits(places: Places) -> dict[str, Any]:
    """Commit the same batches of 50,000 to an empty lake and to the full one, in turns."""
    year = places.year
    rows = pl.concat([year.trades(each) for each in range(min(year.n_days, 15))]).head(_TURNS * BATCH_ROWS)
    # Days after the tape's end, one for each batch: known to neither lake.
    full = Lake(places.lake)
    took: dict[str, list[float]] = {"empty": [], "full": []}
    for turn in range(_TURNS):
        batch = rows.slice(turn * BATCH_ROWS, BATCH_ROWS)
        after = day_of(year.n_days + 3 * turn) - pl.col("event_ts").dt.date()
        batch = batch.with_columns(event_ts=pl.col("event_ts") + after)
        for name, into in (("empty", Lake(places.work / f"empty-{turn}")), ("full", full)):
            took[name].append(_commit_s(into, batch))
    return {name: statistics.median(found) for name, found in took.items()}


def publish(places: Places) -> dict[str, Any]:
    """Publish the catalog of the full lake, and weigh the lake."""
    into = Lake(places.lake)
    took = timed(into.publish)
    return {
        "publish_s": took.wall_s,
        "n_files": _n_files(into),
        "b_with": bytes_per_row(into, TRADES),
        "b_without": bytes_per_row(into, TRADES, leave_out="trade_id"),
    }


def _commit_s(into: Lake, rows: pl.DataFrame) -> float:
    took = timed(lambda: into.commit(TRADES, rows))
    assert took.result.n_new == rows.height
    return took.wall_s


def _fetched(places: Places, number: int) -> pl.DataFrame:
    """Return a day in the order in which it happened: the lake has to sort."""
    rows = pl.read_parquet(places.hive / f"date={day_of(number)}" / "part-0.parquet", hive_partitioning=False)
    return rows.sort("event_ts")


def _plain(rows: pl.DataFrame) -> pa.Table:
    return rows.to_arrow(compat_level=pl.CompatLevel.oldest())


def _id_bytes(path: Path) -> int:
    found = pq.read_metadata(path)
    groups = [found.row_group(each) for each in range(found.num_row_groups)]
    chunks = [group.column(j) for group in groups for j in range(found.num_columns)]
    return sum(each.total_compressed_size for each in chunks if each.path_in_schema == "trade_id")


def _n_files(into: Lake) -> int:
    found = into.files(TRADES)
    assert found is not None
    return found.files.height


STEPS: Final[dict[str, Callable[[Places], dict[str, Any]]]] = {
    each.__name__: each for each in (hive, lake, compact, publish, native, commits)
}


def main(step: str, work: str, n_rows: str) -> None:
    """Do one step and tell."""
    began_s = time.monotonic()
    told = STEPS[step](Places(Path(work), int(n_rows)))
    sys.stdout.write(json.dumps(told | {"peak_mb": peak_mb(), "took_s": time.monotonic() - began_s}))


if __name__ == "__main__":
    main(*sys.argv[1:])
