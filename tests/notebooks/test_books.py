"""The notebook of order books makes its own lake, and draws what the lake knows and nothing else."""

import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import altair as alt
import polars as pl
import pytest

from notebooks import book_pictures
from tests.notebooks.test_notebooks import ROOT, run_notebook
from warehouse.errors import BookUnknown

CHART_BYTES_MAX: Final = 100_000


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what books.py defines where there is no lake, offline and without keys."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TAPEHOUSE_LAKE", raising=False)
        patch.chdir(tmp_path_factory.mktemp("books"))
        found = run_notebook("books")
        return found | {"lake": type(found["lake"])(Path("out/books/lake").resolve())}


def test_the_notebook_of_books_has_no_tangles() -> None:
    """`marimo check` finds no cell that redefines, loops or hides anything."""
    command = [sys.executable, "-m", "marimo", "check", "--strict", str(ROOT / "notebooks" / "books.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_stretches_tile_the_market_and_the_lake_agrees_about_each(books: dict[str, Any]) -> None:
    """From opening to close without a seam; a hole and the time before the recorder joined are unknown."""
    stretches = books["stretches"]
    assert stretches["ts"].to_list() == [books["start_ts"], *stretches["until_ts"].to_list()[:-1]]
    assert stretches["until_ts"][-1] == books["end_ts"]
    assert stretches.filter(~pl.col("is_known"))["cause"].to_list() == ["not_recorded", "hole"]
    for row in stretches.iter_rows(named=True):
        middle = row["ts"] + (row["until_ts"] - row["ts"]) / 2
        if row["is_known"]:
            books["lake"].book(books["ticker"], middle)
        else:
            with pytest.raises(BookUnknown):
                books["lake"].book(books["ticker"], middle)
    assert 0.8 < books["known_share"] < 0.99


def test_cells_add_up_to_the_book_and_leave_gaps_empty(books: dict[str, Any]) -> None:
    """At four moments of the grid: as many contracts in cells as rest in the lake's book; in gaps none."""
    cells, step_s = books["cells"], books["step_s"]
    for step in (20, 60, 100, 150):
        second = step * step_s
        shown = cells.filter(pl.col("s") <= second, pl.col("until") > second)
        at_ts = books["start_ts"] + pl.duration(seconds=second)
        book = books["lake"].book(books["ticker"], pl.select(at_ts).item())
        assert round(shown["contracts"].sum() * 100) == book.total_centi()
    for begin_s, end_s in books["gaps"].iter_rows():
        grid = range(int(-(-begin_s // step_s)) * step_s, int(end_s) + 1, step_s)
        inside = [second for second in grid if begin_s <= second < end_s]
        assert inside
        assert cells.filter(pl.col("s") < inside[-1] + step_s, pl.col("until") > inside[0]).is_empty()


def test_all_trades_of_the_order_book_are_drawn(books: dict[str, Any]) -> None:
    """Contracts by side of the taker, block trades apart."""
    tape = (
        books["lake"].trades(ticker=books["ticker"]).filter(~pl.col("is_block_trade").fill_null(value=False))
    )
    told = tape.group_by("taker_side").agg(pl.col("count_centi").sum()).collect()
    shown = books["trades"].group_by("taker").agg(pl.col("contracts").sum())
    assert {f"bought {side.upper()}": count / 100 for side, count in told.iter_rows()} == {
        taker: round(contracts, 2) for taker, contracts in shown.iter_rows()
    }


def test_the_picture_is_small_and_has_all_its_layers(books: dict[str, Any]) -> None:
    """Heat map, grey and hatching of gaps, two lines, triangles: below a hundred kilobytes."""
    chart = books["depth_chart"]
    assert isinstance(chart, alt.LayerChart)
    assert len(chart.to_json(indent=None)) < CHART_BYTES_MAX
    assert len(chart.layer) == 5


def test_hatching_stays_inside_its_gap_and_reaches_both_edges() -> None:
    """A gap of 100 s of 760, so of 100 pixels: strokes from edge to edge at 45 degrees, 8 pixels apart."""
    gaps = pl.DataFrame({"s": [200.0], "until": [300.0]})
    strokes = _hatching(gaps)
    assert strokes["s"].min() == 200
    assert strokes["s2"].max() == 300
    assert strokes["cc"].min() == 0
    assert strokes["cc2"].max() == 4_000
    # 400 pixels are 4,000 cc: at 45 degrees a second of one pixel is ten centicents.
    slope = ((pl.col("cc2") - pl.col("cc")) / (pl.col("s2") - pl.col("s"))).round(6)
    assert strokes.select(slope.unique()).to_series().to_list() == [10.0]
    assert 55 < strokes.height < 70
    assert _hatching(gaps.clear()).is_empty()


def _hatching(gaps: pl.DataFrame) -> pl.DataFrame:
    """Fill gaps of a picture in which a pixel is a second, or ten centicents."""
    hatching: Any = book_pictures.hatching
    found: pl.DataFrame = hatching(
        gaps, span_s=book_pictures.WIDTH, low_cc=0, high_cc=10 * book_pictures.HEIGHT
    )
    return found
