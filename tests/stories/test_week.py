"""A short week: two hourly syncs beside a backfill of two days, killed seven times, read all the while."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import polars as pl
import pytest

from tests.stories.storm import ROOT
from tests.stories.week import Script, play
from tests.stories.week_truth import differences
from warehouse import Lake

pytestmark = pytest.mark.long

TAMPERED: Final[dict[str, Callable[[pl.DataFrame], pl.DataFrame]]] = {
    "trades": lambda rows: pl.concat([rows, rows.head(1).with_columns(trade_id=pl.lit("another"))]),
    "markets": lambda rows: rows.with_columns(result=pl.lit("scalar")),
    "lives": lambda rows: rows.with_columns(pl.exclude("ticker", "vanishes") + 3_600_000_000),
}


def test_no_module_computes_anything_when_it_is_imported() -> None:
    """It would start threads in every command, and in the process that others are forked from."""
    done = subprocess.run(
        [sys.executable, "-c", "import tests.stories.week_nursery"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_week_of_kills_ends_with_what_the_exchange_says(tmp_path: Path) -> None:
    """Every trade, market, event, series and fee once and as it is, whoever was killed in the middle of what.

    No reader ever met an error, a version with other rows than it says, a tape that shrank, a trade twice, or
    a complete window without its trades. `python -m tests.stories.week` plays the whole week.
    """
    script = Script(
        markets=200, combos=40, trades=6_000, hours=2, past_days=2, live_days=2, kills=7, upkeep_every=2,
        reader_pause_s=1.0,
    )  # fmt: skip
    outcome = play(script, tmp_path)
    assert (outcome.unexpected, outcome.differences) == ([], [])
    assert [each["wrong"] for each in outcome.readers] == [[], []]
    assert all(each["n_reads"] > 20 for each in outcome.readers)
    assert outcome.kills["kills"] >= 7
    assert outcome.truth["trades"] == 6_000
    _differences_would_have_been_told(tmp_path)


def _differences_would_have_been_told(folder: Path) -> None:
    """A tape with a trade more, a market with another result, and lives an hour later are not the lake's."""
    truth = folder / "truth"
    for name, change in TAMPERED.items():
        rows = pl.read_parquet(truth / f"{name}.parquet")
        change(rows).write_parquet(truth / f"{name}.parquet")
    told = " ".join(differences(Lake(folder / "lake"), truth))
    for expected in (
        "1 trades are missing or differ",
        "markets differ in result",
        "states of markets were never so",
        "markets are not as the listing of",
    ):
        assert expected in told
