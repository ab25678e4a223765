"""What differs between the manifests of two runs."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

from backtest.comparing_sides import ROW
from backtest.parameters import as_whole
from backtest.results import Run, as_text

MANIFEST: Final = pl.Schema({"name": pl.String(), "run": pl.String(), "other": pl.String()})


def differing(run: Run, other: Run, rows: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return name, run and other (JSON, or null) of all that differs.

    Of the parameter rows only those that are compared (`rows`, one frame for each) count.
    """
    one, two = (
        _flat(json.loads(json.dumps(_chosen(each.manifest, its), default=as_text)))
        for each, its in zip((run, other), rows, strict=True)
    )
    names = sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))
    return pl.DataFrame([(name, one.get(name), two.get(name)) for name in names], MANIFEST, orient="row")


def _chosen(told: Mapping[str, Any], rows: pl.DataFrame) -> dict[str, Any]:
    config = {name: value for name, value in told.get("config", {}).items() if name != "params"}
    row = rows.row(0, named=True) if rows.height == 1 else {}  # several are the same on both sides
    return {**told, "config": config, "params": {name: as_whole(row[name]) for name in row if name != ROW}}


def _flat(told: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return nested facts as one level of "outer.inner" names and JSON."""
    flat: dict[str, str] = {}
    for key, value in told.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = json.dumps(value)
    return flat
