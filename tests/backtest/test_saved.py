"""A run read back from its folder is the run that was saved."""

from pathlib import Path

import pytest

import backtest as bt
from backtest.results import SCHEMAS
from exchange.errors import BadInput
from tests.backtest.a_run import a_run


def test_what_was_saved_is_read_back(tmp_path: Path) -> None:
    run = a_run(4, {"edge": [0.1, 0.2]})
    read = bt.Run.load(run.save(tmp_path / "out"))
    assert (read.param_names, read.assumptions) == (run.param_names, run.assumptions)
    assert read.manifest == run.manifest
    assert list(read.frames) == list(SCHEMAS)
    assert all(read.frames[name].equals(run.frames[name]) for name in SCHEMAS)
    again = read.save(tmp_path / "again")
    for path in (tmp_path / "out").iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes()


def test_a_folder_without_a_result_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no result of a backtest: manifest\.json: No such file"):
        bt.Run.load(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(BadInput, match=r"no result of a backtest: manifest\.json: Expecting"):
        bt.Run.load(tmp_path)
    (tmp_path / "manifest.json").write_text('{"params": []}')
    with pytest.raises(BadInput, match="lacks params or assumptions"):
        bt.Run.load(tmp_path)


def test_a_frame_that_is_missing_damaged_or_older_is_bad_input_when_it_is_asked_for(tmp_path: Path) -> None:
    run = a_run(2)
    run.save(tmp_path)
    (tmp_path / "equity.parquet").unlink()
    (tmp_path / "orders.parquet").write_text("no Parquet")
    run.fills.drop("role").write_parquet(tmp_path / "fills.parquet")
    read = bt.Run.load(tmp_path)
    assert read.summary.equals(run.summary)
    for name, said in (
        ("equity", "cannot be read"),
        ("orders", "cannot be read"),
        ("fills", "no column role"),
    ):
        with pytest.raises(BadInput, match=f"{name}.parquet: {said}"):
            read.frames[name]


def test_a_run_is_saved_to_a_folder_and_its_report_to_a_file(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("x")
    with pytest.raises(BadInput, match=r"run is a file: a run is saved to a folder$"):
        a_run(1).save(tmp_path / "run")
    with pytest.raises(BadInput, match=r"is a folder: give a file in it, such as .*report\.html$"):
        a_run(1).report(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
