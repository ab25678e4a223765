"""A configuration replayed every night on the lake as it stands then."""

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path

from prefect import flow, task
from prefect.artifacts import acreate_table_artifact
from prefect.cache_policies import NO_CACHE

from backtest.config import read_config
from backtest.running import Finished, run_config, summary_rows


@flow(name="nightly-backtest")
async def nightly_backtest(config_path: str, lake: str | None = None) -> str:
    """Run a configuration, keep its results in a folder of today's date, and return that folder.

    The artifact `nightly-backtest` holds the summary, one row per combination of parameters.

    Args:
        config_path: a TOML file; a relative path counts from the checkout.
        lake: folder or s3:// address; default the configuration's, else TAPEHOUSE_LAKE.
    """
    finished = await replay(Path(config_path), lake, datetime.now(UTC).date())
    await acreate_table_artifact(
        key="nightly-backtest",
        table=summary_rows(finished.run),
        description="\n".join([f"{finished.out / 'report.html'}\n", *_bullets(finished)]),
    )
    return str(finished.out)


@task(name="replay", cache_policy=NO_CACHE, persist_result=False)
async def replay(config_path: Path, lake: str | None, today: date) -> Finished:
    """Run one configuration into `out/DATE`; not retried, for the same lake gives the same answer.

    Raises:
        BadInput: configuration or data cannot be used.
        BacktestError: the plan cannot be executed.
    """
    config = read_config(config_path)
    # A replay is minutes of arithmetic: in a thread it leaves the loop free to hear of a cancellation.
    out = (config.out / today.isoformat()).resolve()
    return await asyncio.to_thread(run_config, config, lake=lake, out=out)


def _bullets(finished: Finished) -> list[str]:
    return [f"- {sentence}" for sentence in finished.run.assumptions]
