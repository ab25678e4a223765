"""docs/checks.md says what the checks say, and each check is told in whole sentences."""

import pytest

from warehouse.checks import CHECKS, Check
from warehouse.checks.page import TARGET, page

ALL = pytest.mark.parametrize("check", CHECKS, ids=[each.name for each in CHECKS])


def test_the_page_is_current() -> None:
    """Say `python -m warehouse.checks.page` after changing a check."""
    assert TARGET.read_text() == page()


def test_names_are_unique() -> None:
    assert len({each.name for each in CHECKS}) == len(CHECKS)


@ALL
def test_every_check_is_told_in_sentences(check: Check) -> None:
    for sentence in (check.sentence, check.advice, *(each.sentence for each in check.explained)):
        assert sentence[0].isupper(), sentence
        assert sentence.endswith((".", "`.", "?")), sentence


@ALL
def test_the_page_has_every_check_and_its_classes(check: Check) -> None:
    assert f"\n## {check.name}\n\n{check.sentence}" in page()
    for each in check.explained:
        assert f"- `{each.name}`{'°' if each.is_undecided else ''}: {each.sentence}" in page()
