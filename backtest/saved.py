"""A run in a folder: written, and read back from what `Run.save` or `tapehouse backtest run` wrote."""

import json
from functools import partial
from pathlib import Path
from typing import Any, Final

import polars as pl

from backtest.errors import PlanError, kind_of
from backtest.results import SCHEMAS, Frames, Run, as_text
from exchange.errors import BadInput

MANIFEST: Final = "manifest.json"  # what marks a folder as one of ours, which may be replaced
_OURS: Final = ("params", "assumptions")


def run_of(given: object) -> Run:
    """Return a run as it was given.

    Raises:
        PlanError: it is none; of a path, the message says how to read it.
    """
    if isinstance(given, str | Path):
        raise PlanError(f"{str(given)!r} is a path, no run: read it with bt.Run.load({str(given)!r})")
    if not isinstance(given, Run):
        raise PlanError(
            f"{kind_of(given)} is no run: give what bt.run returned, or bt.Run.load of its folder"
        )
    return given


def save(run: Run, folder: str | Path) -> Path:
    """Write every frame of a run as Parquet and its manifest as JSON; return the folder.

    Raises:
        BadInput: it is a file.
    """
    target = Path(folder)
    if target.is_file():
        raise BadInput(f"{target} is a file: a run is saved to a folder")
    target.mkdir(parents=True, exist_ok=True)
    for name, frame in run.frames.items():
        frame.write_parquet(target / f"{name}.parquet", compression="zstd", statistics=True)
    told = {**run.manifest, "assumptions": list(run.assumptions), "params": list(run.param_names)}
    text = json.dumps(told, indent=2, sort_keys=True, default=as_text)
    (target / MANIFEST).write_text(text + "\n")
    return target


def load(folder: str | Path) -> Run:
    """Return the run of a folder; each frame is read when it is first asked for.

    In its manifest, times, lengths of time and decimals are text.

    Raises:
        BadInput: no folder, or one that holds no result, now or, where a file is missing or damaged, when its
            frame is asked for.
    """
    if not isinstance(folder, str | Path):
        raise BadInput(f"{kind_of(folder)} is no folder of a result: give its path")
    source = Path(folder)
    if not source.exists():
        raise BadInput(f"{source}: there is no such folder; `tapehouse backtest run` writes results")
    if source.is_file():
        inside = f"give its folder, {source.parent}" if source.name == MANIFEST else "give the folder of one"
        raise BadInput(f"{source} is a file, and a result of a backtest is a folder: {inside}")
    told = _manifest(source)
    names, said = told.pop("params"), told.pop("assumptions")
    frames = Frames({name: partial(_read, source, name) for name in SCHEMAS})
    return Run(param_names=tuple(names), frames=frames, assumptions=tuple(said), manifest=told)


def _manifest(source: Path) -> dict[str, Any]:
    try:
        told = json.loads((source / MANIFEST).read_text())
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise BadInput(
            f"{source}: no result of a backtest: {MANIFEST}: {why}; `tapehouse backtest run` writes results"
        ) from error
    if not isinstance(told, dict) or not all(isinstance(told.get(key), list) for key in _OURS):
        raise BadInput(f"{source}: {MANIFEST} is none of a backtest: it lacks {' or '.join(_OURS)}")
    return told


def _read(source: Path, name: str, _: Frames) -> pl.DataFrame:
    path = source / f"{name}.parquet"
    try:
        frame = pl.read_parquet(path, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        why = getattr(error, "strerror", None) or error
        raise BadInput(f"{path}: cannot be read: {why}; run the backtest again") from error
    if missing := [column for column in SCHEMAS[name] if column not in frame.columns]:
        raise BadInput(
            f"{path}: no column {', '.join(missing)}: another version wrote it; run the backtest again"
        )
    return frame
