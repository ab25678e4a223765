"""Does the lake agree with itself? Asked every night, after everything else has been pulled."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from prefect import flow, get_run_logger, task
from prefect.artifacts import acreate_table_artifact
from prefect.cache_policies import NO_CACHE

from warehouse import Lake
from warehouse.checks import Report, run_checks
from warehouse.checks.telling import as_lines, as_table, summary
from warehouse.errors import ChecksFailed


@flow(name="check-lake")
async def check_lake(lake: str | None = None, only: list[str] | None = None) -> str:
    """Run all checks of the lake, keep what they find, and leave it as artifact `check-lake`.

    What is flagged stands in the run's log as well, with what to do; docs/checks.md says what each check is.

    Args:
        lake: folder; default TAPEHOUSE_LAKE.
        only: names of checks; default all.

    Raises:
        ChecksFailed: a check flagged what nobody can explain. A warning fails nothing.
    """
    report = await run(lake, only or ())
    said = summary(report)
    await acreate_table_artifact(
        key="check-lake", table=as_table(report), description=f"{Path(report.lake).name}: {said}"
    )
    if lines := list(as_lines(report)):
        get_run_logger().warning("\n".join(lines))
    if report.failed:
        names = ", ".join(each.check.name for each in report.failed)
        raise ChecksFailed(f"{report.lake}: {names} failed; the log and the artifact say where")
    return said


@task(name="run-checks", cache_policy=NO_CACHE, persist_result=False)
async def run(lake: str | None, only: Sequence[str]) -> Report:
    """Run the checks in a thread, which leaves the loop free to hear of a cancellation; not retried."""
    return await asyncio.to_thread(run_checks, Lake(lake), only)
