"""What a check can explain is no alarm, and what nobody could decide is not called ok."""

from pathlib import Path

import pytest

from tests.warehouse.explained import an_explained_lake
from warehouse.checks import Finding, run_checks

# Of each check that finds something to explain in that lake: how many things of which class.
EXPLAINED = {
    "volume": {"block": 1, "not_covered": 1, "late": 1, "fractional_migration": 1},
    "trade_markets": {"combo": 1, "not_listed": 1},
    "trade_hours": {"stale_terms": 1},
    "trade_grid": {"block": 1, "stale_terms": 1},
    "settlement": {"void_of_old": 1, "not_told": 1},
    "exclusive_events": {"scalar": 1},
    "fresh_markets": {"not_listed": 1},
    "fees": {"just_changed": 1},
    "failed_windows": {"pulled_since": 1},
}


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Finding]:
    report = run_checks(an_explained_lake(tmp_path_factory.mktemp("explained") / "lake"), keep=False)
    return {each.check.name: each for each in report.findings}


def test_nothing_is_flagged(findings: dict[str, Finding]) -> None:
    assert [name for name, each in findings.items() if each.n_flagged] == []


@pytest.mark.parametrize("name", EXPLAINED)
def test_the_classes_are_counted(findings: dict[str, Finding], name: str) -> None:
    """tests/warehouse/explained.py says which market is which."""
    found = {each: n for each, n in findings[name].classes.items() if each != "ok"}
    assert found == EXPLAINED[name]
    assert findings[name].n_explained == sum(EXPLAINED[name].values())


def test_a_check_that_could_decide_nothing_has_nothing_to_check(findings: dict[str, Finding]) -> None:
    """The only fee change came within an hour of when the terms were read: either may be right."""
    assert findings["fees"].status == "nothing"
    assert findings["candle_trades"].n_looked_at == 0
    assert findings["candle_trades"].status == "nothing"
    assert findings["volume"].status == "ok"


def test_an_empty_lake_has_nothing_to_check(tmp_path: Path) -> None:
    """Not one of the checks says ok of tables that do not exist; only the ledger's own row is in order."""
    from tests.warehouse.rows import at
    from warehouse import Lake

    lake = Lake(tmp_path / "lake")
    lake.record_window("series", "all", at(), at(1), n_rows=0, digest="")
    told = {each.check.name: each.status for each in run_checks(lake, keep=False).findings}
    assert {name for name, status in told.items() if status != "nothing"} == {"failed_windows", "declaration"}
