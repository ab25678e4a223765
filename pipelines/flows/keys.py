"""Is the API key still young enough? Asked every day, so that its age is noticed before it matters."""

import asyncio
from datetime import UTC, datetime

from prefect import flow, get_run_logger
from prefect.artifacts import acreate_markdown_artifact

from exchange.errors import TapehouseError
from pipelines.client import Settings
from pipelines.client.keys.age import MAX_DAYS, WARN_DAYS, KeyAge, key_age


class KeyTooOld(TapehouseError):
    """The key has lived longer than a key may; the message says how to replace it."""


@flow(name="check-key")
async def check_key() -> str:
    """Leave the ages of the current and the next key as artifact `check-key`, and return the current verdict.

    From 75 days on, or where the age is unknown, the run's log has a warning; from 90 days on the run fails.
    Without a key there is nothing to check: `none`.

    Raises:
        KeyTooOld: the current key is 90 days old.
        SettingsError: the key cannot be read.
    """
    settings, now_ts = Settings(), datetime.now(UTC)
    # Secret stores are asked with blocking calls.
    current = await asyncio.to_thread(key_age, settings, now_ts)
    following = await asyncio.to_thread(key_age, settings, now_ts, is_next=True)
    ages = [age for age in (current, following) if age is not None]
    await acreate_markdown_artifact(
        key="check-key",
        markdown=as_markdown(ages),
        description=f"a key is to be replaced after {WARN_DAYS} days and lives {MAX_DAYS} at most",
    )
    for age in ages:
        if age.verdict != "ok":
            get_run_logger().warning(age.sentence)
    if current is not None and current.verdict == "expired":
        raise KeyTooOld(current.sentence)
    return "none" if current is None else current.verdict


def as_markdown(ages: list[KeyAge]) -> str:
    """Return one line per key."""
    return (
        "\n".join(f"- **{age.verdict}**: {age.sentence}" for age in ages)
        or "No key is set: public data only."
    )
