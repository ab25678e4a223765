"""Few files instead of many, and none for ever: what a lake needs once a night."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prefect import flow, get_run_logger, task
from prefect.artifacts import acreate_table_artifact

from warehouse import Lake
from warehouse.compacting import Compacted
from warehouse.tables import TABLES
from warehouse.vacuuming import KEEP_DAYS, Vacuumed


@flow(name="upkeep")
async def upkeep(lake: str | None = None, keep_days: int = KEEP_DAYS) -> int:
    """Compact the days that are over, publish the catalog, delete what nobody needs; return files saved.

    Reading and writing go on meanwhile. The artifact `upkeep` has a row for every table that changed.

    Args:
        lake: folder or address; default TAPEHOUSE_LAKE.
        keep_days: keep the files that versions of so many days name.

    Raises:
        CorruptFile, LakeUnwritable: what was done before stays done.
    """
    opened = Lake(lake)
    if not opened.exists():
        get_run_logger().info("no lake at %s yet: nothing to do", opened.uri)
        return 0
    compacted = [await compact_table(opened.uri, name) for name in TABLES]
    if opened.place.is_local:
        await asyncio.to_thread(opened.publish)
    vacuumed = await vacuum_tables(opened.uri, keep_days)
    rows = [_row(*each) for each in zip(compacted, vacuumed, strict=True)]
    await acreate_table_artifact(
        key="upkeep",
        table=[each for each in rows if any(value for name, value in each.items() if name != "table")],
        description=f"{Path(opened.uri).name}: what was compacted and deleted",
    )
    return sum(each.n_files_before - each.n_files_after for each in compacted)


@task(retries=1, retry_delay_seconds=60)
async def compact_table(lake: str, name: str) -> Compacted:
    """Compact the days of one table that are over."""
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    (done,) = await asyncio.to_thread(Lake(lake).compact, [TABLES[name]], before=yesterday)
    return done


@task(retries=1, retry_delay_seconds=60)
async def vacuum_tables(lake: str, keep_days: int) -> list[Vacuumed]:
    """Delete files that no kept version names."""
    return await asyncio.to_thread(Lake(lake).vacuum, keep_days=keep_days)


def _row(compacted: Compacted, vacuumed: Vacuumed) -> dict[str, str | int]:
    return {
        "table": compacted.table,
        "days": compacted.n_partitions,
        "files before": compacted.n_files_before,
        "files after": compacted.n_files_after,
        "deleted": vacuumed.n_replaced + vacuumed.n_orphans,
        "bytes freed": vacuumed.n_bytes,
    }
