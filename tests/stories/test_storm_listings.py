"""A storm over every resource: what the exchange lists, what changes and what traded, as on a calm day."""

from pathlib import Path
from typing import Final

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipelines.ingest.sync import RESOURCES
from sandbox import Faults, fault, running
from tests.stories.storm import END_TS, PROVENANCE, Pulled, a_storm, a_world, pulled, rows
from warehouse import Lake
from warehouse.tables import CANDLES, EVENTS, FEE_CHANGES, MARKETS, SERIES, TRADES, Table

pytestmark = pytest.mark.slow

TABLES: Final = (SERIES, EVENTS, MARKETS, FEE_CHANGES, TRADES, CANDLES)
DAYS: Final = 6
SERIES_PULLED: Final = ("KXSIMCPI", "KXSIMFED", "KXSIMGAME")
NOVELTY: Final = "sandbox_novelty"


def pulled_by_series(base_url: str, lake: Lake, *, syncs: int = 1) -> list[Pulled]:
    """Sync all resources of one series after the other: many more requests than of all at once."""
    return [
        pulled(base_url, lake, RESOURCES, syncs=syncs, series=name, end=END_TS, page_size=50)
        for name in SERIES_PULLED
    ]


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake(tmp_path_factory.mktemp("calm") / "lake")
    with running(a_world(DAYS, 0.2), tier="prestige") as server:
        assert not [each for done in pulled_by_series(server.base_url, lake) for each in done.failed]
    return lake


@pytest.mark.long
def test_all_resources_under_a_storm_are_those_of_a_calm_day(calm: Lake, tmp_path: Path) -> None:
    """A word that nobody documented is kept as it came, so new words have a test of their own."""
    lake = Lake(tmp_path / "lake")
    storm = a_storm(without=["new_enum"])
    with running(a_world(DAYS, 0.2), tier="prestige", faults=storm) as server:
        dones = pulled_by_series(server.base_url, lake, syncs=8)
        injected = server.faults.injected
    assert min(rows(calm, table).height for table in TABLES) > 0
    for table in TABLES:
        assert_frame_equal(rows(lake, table), rows(calm, table))
    failed = [str(each.reason) for done in dones for each in done.failed]
    assert len(failed) <= injected["repeat_cursor"]
    assert all("a cursor that came before" in reason for reason in failed)
    assert not any(done.breaker for done in dones)
    kinds = {line.kind for line in storm.lines if line.place != "frame"} - {"late_trades"}
    assert {kind for kind in kinds if not injected[kind]} == set()


@pytest.mark.long
def test_a_new_word_is_kept_and_the_next_sync_takes_it_back(calm: Lake, tmp_path: Path) -> None:
    """One label of each page is a word that nobody documented; then the exchange says what it always did."""
    lake, listings = Lake(tmp_path / "lake"), ["series", "events", "markets"]
    script = Faults((fault("new_enum", limit=5),), seed=7)
    with running(a_world(DAYS, 0.2), tier="prestige", faults=script) as server:
        strange = pulled(server.base_url, lake, listings, series="KXSIMGAME")
        assert not strange.failed
        assert server.faults.injected["new_enum"] == 5
        told = [latest(lake, table) for table in (SERIES, EVENTS, MARKETS)]
        assert 0 < sum(map(n_words, told)) <= 5
        assert strange.novelties
        assert not pulled(server.base_url, lake, listings, series="KXSIMGAME").novelties
    for table in (SERIES, EVENTS, MARKETS):
        expected = latest(calm, table)
        name = "ticker" if table is SERIES else "series_ticker"
        assert_frame_equal(latest(lake, table), expected.filter(pl.col(name) == "KXSIMGAME"))


def n_words(states: pl.DataFrame) -> int:
    """Count the undocumented word."""
    words = states.select(pl.selectors.string()).unpivot()["value"]
    return words.to_list().count(NOVELTY)


def latest(lake: Lake, table: Table) -> pl.DataFrame:
    """Return the last state of each series, event or market."""
    states = lake.scan(table).sort("observed_ts").group_by("ticker").last().sort("ticker").collect()
    return states.select(name for name in table.columns if name not in PROVENANCE)
