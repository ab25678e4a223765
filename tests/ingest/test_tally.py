"""Rows on their way into the lake: what is counted, and what is committed when."""

from pathlib import Path

from pipelines.ingest.pages import Rows
from pipelines.ingest.tally import Tally
from tests.warehouse.rows import a_market, at, frame
from warehouse import Lake
from warehouse.tables import MARKETS


def test_pages_that_leave_different_columns_out_are_one_commit(tmp_path: Path) -> None:
    """A listing says nothing of has_vanished; a state that says so may wait beside it."""
    lake = Lake(tmp_path)
    tally = Tally(lake, MARKETS)
    tally.add(Rows(frame(MARKETS, a_market(ticker="A"))))
    tally.add(Rows(frame(MARKETS, a_market(ticker="B", observed_ts=at(5), has_vanished=True))))
    tally.flush()
    stored = lake.scan(MARKETS).sort("ticker").select("ticker", "has_vanished").collect()
    assert stored.rows() == [("A", None), ("B", True)]
