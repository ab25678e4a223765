"""Every planted defect is found by the checks that should find it, and by no others; a clean lake is clean.

All defects lie in one lake here, told apart by their places; `python -m tests.stories.defects` plants them
one by one.
"""

import shutil
from pathlib import Path

import pytest

from sandbox import World
from tests.stories.defects import ACTIVITY, DAYS, flagged
from tests.warehouse.clean_lakes import a_clean_lake
from tests.warehouse.defects import DEFECTS, Defect
from warehouse import Lake
from warehouse.checks import CHECKS, Report, run_checks
from warehouse.checks.book_checks import BOOK_CHECKS

pytestmark = pytest.mark.slow

# They look at what a small clean lake does not have, or at what changed since an earlier check.
IDLE = {"window_answers", "days", "quarantine", "drift", "quotes", "books"} | {
    each.name for each in BOOK_CHECKS
}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of six days that nobody has checked."""
    folder = tmp_path_factory.mktemp("clean") / "lake"
    a_clean_lake(folder, World(7, days=DAYS, activity=ACTIVITY), days=DAYS)
    return folder


@pytest.fixture(scope="module")
def checked(clean: Path) -> tuple[Path, Report]:
    """The same lake after its first check, and what that found."""
    folder = clean.with_name("checked")
    shutil.copytree(clean, folder)
    return folder, run_checks(Lake(folder))


def planted(folder: Path, copy: Path, defects: list[Defect]) -> dict[str, tuple[str, ...]]:
    shutil.copytree(folder, copy)
    for defect in defects:
        defect.plant(Lake(copy))
    return flagged(Lake(copy))


def assert_found(found: dict[str, tuple[str, ...]], defects: list[Defect]) -> None:
    """Every place that a defect names is flagged, and every flagged place belongs to a defect."""
    expected: dict[str, set[str]] = {}
    for defect in defects:
        for name, places in defect.flags.items():
            expected.setdefault(name, set()).update(places)
    missed = {
        (name, place)
        for name, places in expected.items()
        for place in places
        if not any(each.startswith(place) for each in found.get(name, ()))
    }
    strange = {
        (name, each)
        for name, places in found.items()
        for each in places
        if not each.startswith(tuple(expected.get(name, ())))
    }
    assert (missed, strange) == (set(), set())


def test_a_clean_lake_is_found_clean(checked: tuple[Path, Report]) -> None:
    """All that can look at something say ok; what they explain: one event was called off."""
    _, report = checked
    told = {each.check.name: each.status for each in report.findings}
    assert told == {each.name: "nothing" if each.name in IDLE else "ok" for each in CHECKS}
    explained = {each.check.name: each.n_explained for each in report.findings if each.n_explained}
    assert explained == {"exclusive_events": 1, "days": len(report_days(report))}


def report_days(report: Report) -> range:
    (days,) = (each for each in report.findings if each.check.name == "days")
    return range(days.classes["first_seen"])


def test_every_defect_is_found_and_nothing_else(clean: Path, tmp_path: Path) -> None:
    """More than twenty defects, from a missing page to fees that contradict each other."""
    defects = [each for each in DEFECTS if not each.after_a_check]
    assert len(defects) > 20
    assert_found(planted(clean, tmp_path / "lake", defects), defects)


def test_what_only_an_earlier_check_can_tell_is_found(checked: tuple[Path, Report], tmp_path: Path) -> None:
    """Rows that were changed or removed where no other fact speaks of them."""
    defects = [each for each in DEFECTS if each.after_a_check]
    assert_found(planted(checked[0], tmp_path / "lake", defects), defects)


def test_every_check_has_a_defect_that_it_finds() -> None:
    assert {name for each in DEFECTS for name in each.flags} == {each.name for each in CHECKS}
