"""A forecast in a file: what is read, and what is refused with which words."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from backtest.forecasts import read_forecast
from exchange.errors import BadInput

HEAD = "ticker,known_ts,prob\n"


def test_a_text_file_and_a_parquet_file_say_the_same(tmp_path: Path) -> None:
    """Times with an offset become UTC; rows come sorted; other columns are left out."""
    text = tmp_path / "mine.csv"
    text.write_text(
        "note,prob,ticker,known_ts\na,0.25,B,2026-05-11T14:00:00+02:00\nb,1,A,2026-05-11T12:00:00Z\n"
    )
    noon = datetime(2026, 5, 11, 12, tzinfo=UTC)
    forecast = read_forecast(text).collect()
    assert forecast.rows() == [("A", noon, 1.0), ("B", noon, 0.25)]
    forecast.write_parquet(tmp_path / "mine.parquet")
    assert read_forecast(tmp_path / "mine.parquet").collect().equals(forecast)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ticker,prob\nA,0.5\n", "no column known_ts"),
        (
            HEAD + "A,2026-05-11T12:00:00Z,0.5\nB,2026-05-11 12:00:00,0.5\n",
            r"mine\.csv: known_ts of row 2 is '2026-05-11 12:00:00': times need a zone, such as 2026-05",
        ),
        (HEAD + "A,yesterday,0.5\n", "known_ts of row 1 is 'yesterday': times need a zone"),
        (HEAD + "A,2026-05-11T12:00:00Z,high\n", "cannot be read as a forecast"),
        (HEAD + "A,2026-05-11T12:00:00Z,\n", "1 rows without a ticker, known_ts or prob"),
        (HEAD + "A,2026-05-11T12:00:00Z,50\n", "A at 2026-05-11T12:00:00Z: prob is 50.0, not from 0 to 1"),
        (HEAD + "A,2026-05-11T12:00:00Z,nan\n", "prob is nan, not from 0 to 1"),
        (HEAD + 2 * "A,2026-05-11T12:00:00Z,0.1\n", "A has several probabilities"),
    ],
)
def test_what_is_no_forecast_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(text)
    with pytest.raises(BadInput, match=said):
        read_forecast(path)


def test_a_time_without_a_zone_and_a_file_that_is_not_there_are_refused(tmp_path: Path) -> None:
    naive = pl.DataFrame({"ticker": ["A"], "known_ts": [datetime(2026, 5, 11)], "prob": [0.5]})  # noqa: DTZ001 -- refused
    naive.write_parquet(tmp_path / "mine.parquet")
    with pytest.raises(BadInput, match=r"known_ts is .*: it must be a time with a zone"):
        read_forecast(tmp_path / "mine.parquet")
    with pytest.raises(BadInput, match="there is no such file"):
        read_forecast(tmp_path / "none.csv")


def test_what_is_neither_a_file_nor_a_frame_is_refused() -> None:
    nothing: Any = None
    with pytest.raises(BadInput, match=r"^forecast: give a file or a polars frame, not NoneType$"):
        read_forecast(nothing)


def test_a_frame_that_fails_says_so_in_a_line() -> None:
    failing = pl.LazyFrame({"ticker": ["A"]}).with_columns(prob="chance")
    with pytest.raises(BadInput, match=r"^forecast: cannot be read as a forecast: [^\n]*chance[^\n]*$"):
        read_forecast(failing)


def test_a_forecast_of_nothing_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(HEAD)
    assert read_forecast(path).collect().is_empty()
