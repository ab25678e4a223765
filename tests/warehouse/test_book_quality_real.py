"""Books of real recordings against what the exchange's own ticker channel said of them."""

from pathlib import Path

import pytest

from tests.realdata import DATA, needs_real_data
from tests.stories.book_agreement import LEAST, by_recording, share
from warehouse import Lake
from warehouse.checks import run_checks

pytestmark = [needs_real_data, pytest.mark.slow]

WS = DATA / "ws"
# In the first and the last, hardly a change was recorded; in the second, messages came up to 22 s late.
SOME = {
    "forward_native_shadow_20260513T1220Z.jsonl.gz": 0,
    "forward_native_shadow_20260513T1333Z.jsonl.gz": 921,
    "shadow_forward_20260511T053112Z-47457a12.jsonl.gz": 29,
    "forward_native_shadow_20260513T1656Z.jsonl.gz": 0,
}


def test_where_a_book_is_known_the_exchange_says_the_same(tmp_path: Path) -> None:
    """Of recordings that lack changes no book is known, so none is wrong; and no check calls them so."""
    lake = Lake(tmp_path)
    rows = by_recording(lake, [WS / name for name in SOME])
    assert {row["recording"]: row["known"] for row in rows.iter_rows(named=True)} == SOME
    assert share(rows) >= LEAST
    names = ("book_ends", "book_quotes", "book_states", "book_clocks")
    found = {each.check.name: each.status for each in run_checks(lake, names, keep=False).findings}
    assert found == dict.fromkeys(names, "ok")


@pytest.mark.long
def test_all_recordings_agree_with_the_exchange(tmp_path: Path) -> None:
    """33 recordings, 18,779 messages; more than three in four fall where the book is known."""
    rows = by_recording(Lake(tmp_path), sorted(WS.glob("*.jsonl.gz")))
    assert rows["messages"].sum() == 18_779
    assert rows["known"].sum() > 14_000
    assert share(rows) >= 0.998
