"""What nobody documented is kept where people look: the table `drift`, run by run."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.client.drift import Drift
from pipelines.ingest.drifting import keep_drift
from sandbox.fault_kinds import fault
from sandbox.faults import Faults
from sandbox.serve import running
from sandbox.world import World
from tests.stories.commands import say
from warehouse.lake import Lake
from warehouse.tables import DRIFT

FIRST_TS = datetime(2026, 11, 1, 9, tzinfo=UTC)


def drift_of(*values: object, at_ts: datetime = FIRST_TS) -> Drift:
    drift = Drift(now=lambda: at_ts)
    for value in values:
        drift.note_field("Market", "mood", value)
    return drift


def test_each_run_leaves_a_row_with_its_first_sighting_and_an_example(tmp_path: Path) -> None:
    """Three sightings on Sunday, one on Monday: two rows, and the same run kept twice is one."""
    lake = Lake(tmp_path / "lake")
    sunday, monday = drift_of("gloomy", "glad", "glad"), drift_of("glad", at_ts=FIRST_TS + timedelta(days=1))
    assert [keep_drift(lake, each) for each in (sunday, sunday, monday)] == [1, 1, 1]
    kept = lake.scan(DRIFT).collect().sort("first_seen_ts")
    assert kept.rows() == [
        ("field", "Market.mood", "", '"gloomy"', FIRST_TS, 3),
        ("field", "Market.mood", "", '"glad"', FIRST_TS + timedelta(days=1), 1),
    ]


def test_a_run_without_novelties_makes_no_table(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    assert keep_drift(lake, Drift()) == 0
    assert lake.files(DRIFT) is None


def test_a_sync_tells_of_novelties_and_of_what_the_client_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every row of the sandbox gains a field: the command says so, the lake keeps it, counts agree.

    Series are listed with the fee changes of series and events, which name those that the listing omits.
    """
    novelty = Faults((fault("new_field", field="mood"),))
    with running(World(7, activity=0.05), tier="prestige", faults=novelty) as server:
        monkeypatch.setenv("KALSHI_BASE_URL", server.base_url)
        lake = str(tmp_path / "lake")
        said = say(capsys, "sync", "series", "--lake", lake, "--json")
        told = json.loads(said.out)["client"]
        assert said.code == 0
        assert "3 novelties from the exchange: see the table drift" in said.err
        assert told["n_requests"] == server.meter.requests
        assert told["tokens"] == {"read": server.meter.tokens_spent}
    kept = Lake(lake).scan(DRIFT).collect()
    assert {*kept["place"]} == {"Series.mood", "FeeChange.mood", "EventFeeChange.mood"}
    assert kept.filter(place="Series.mood")["n_seen"].to_list() == [6]
