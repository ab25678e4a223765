"""From a configuration to a folder of results that appears whole or not at all."""

from __future__ import annotations

import hashlib
import inspect
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

import backtest as bt
from backtest.forecasts import read_forecast
from backtest.parameters import parameters_in
from backtest.plan import read_plan
from backtest.report import write_report
from backtest.rungs import RUNGS, TRADES
from backtest.saved import MANIFEST
from exchange.errors import BadInput, TapehouseError
from exchange.units import format_ts
from warehouse import Lake
from warehouse.errors import NoLake

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from backtest.config import RunConfig
    from backtest.results import Run


@dataclass(frozen=True, slots=True)
class Finished:
    """A run and the folder that holds it."""

    run: Run
    out: Path


def run_config(
    config: RunConfig, *, lake: str | None = None, out: Path | None = None, note: str | None = None
) -> Finished:
    """Run a configuration and write report, frames and manifest to its folder.

    Args:
        config: as read from a file.
        lake: where the lake lies, instead of the configuration's.
        out: the folder to write, instead of the configuration's.
        note: why its holdout is opened; without `out` the results then lie beside the others, in a folder of
            their own. The look counts as soon as there is a result, even if the disk is full.

    Raises:
        BadInput: the folder holds something else, the lake is not there, or the configuration has no holdout
            to open; nothing was written.
        BacktestError: the plan cannot be executed.
    """
    if note is not None:
        config = _opened(config, note)
    target = out or config.out
    _refuse_foreign(target)
    run = execute(config, lake=lake)
    with _replacing(target) as folder:
        run.save(folder)
        write_report(run, folder / "report.html")
    return Finished(run, target)


def _opened(config: RunConfig, note: str) -> RunConfig:
    if config.holdout is None:
        example = '{ since = 2026-09-01, log = "holdout.jsonl" }'
        raise BadInput(f"{config.path}: no holdout to open: add holdout = {example}")
    beside = config.out.with_name(f"{config.out.name}-holdout")
    return replace(config, holdout=config.holdout.open(note), out=beside)


def execute(config: RunConfig, *, lake: str | None = None) -> Run:
    """Run a configuration without writing anything; the strategy's assumptions join the run's."""
    plan, pinned = _planned(config, lake)
    run = bt.run(plan, pinned, params=config.params, **_engine_arguments(config))
    manifest = {**run.manifest, "strategy": config.strategy.name, "selection": _told(config.selection)}
    if config.forecast is not None:
        manifest["forecast"] = {"file": config.forecast.name, "sha256": _digest(config.forecast)}
    return replace(run, assumptions=(*run.assumptions, *config.strategy.assumptions), manifest=manifest)


def climb(config: RunConfig, *, lake: str | None = None) -> pl.DataFrame:
    """Return `bt.ladder` of a configuration: its intents on every rung, on `trades` if it says so itself."""
    plan, pinned = _planned(config, lake)
    arguments = _engine_arguments(config)
    given = {name: value for name, value in arguments.items() if name not in ("fills", "queue")}
    rungs = (*RUNGS, TRADES) if config.fills == TRADES else RUNGS
    return bt.ladder(plan, pinned, rungs=rungs, params=config.params, **given)


def shake(config: RunConfig, *, lake: str | None = None) -> pl.DataFrame:
    """Return `bt.sensitivity` of a configuration: what it says is the base of the usual assumptions."""
    plan, pinned = _planned(config, lake)
    return bt.sensitivity(plan, pinned, params=config.params, **_engine_arguments(config))


def audited(config: RunConfig, *, lake: str | None = None, n_cuts: int) -> bt.Audit:
    """Return `bt.audit` of a configuration's strategy, selection and first parameter row."""
    strategy, pinned = config.strategy.plan, _pinned(config, lake)
    return bt.audit(strategy, pinned, params=config.params, n_cuts=n_cuts, **_asked(config))


def given_placebos(config: RunConfig, *, lake: str | None = None, n: int) -> bt.Placebo:
    """Return `bt.placebo` of a configuration: `n` of each kind, of its first parameter row."""
    plan, pinned = _planned(config, lake)
    return bt.placebo(plan, pinned, n=n, params=config.params, **_engine_arguments(config))  # type: ignore[arg-type]  # it refuses policies


def _planned(config: RunConfig, lake: str | None) -> tuple[pl.LazyFrame | bt.Quoting, Lake]:
    pinned = _pinned(config, lake)
    plan = config.strategy.plan(pinned, **_asked(config))
    _refuse_arguments(config, plan)
    return plan, pinned


def _refuse_arguments(config: RunConfig, plan: object) -> None:
    """Refuse parameters that are arguments of the strategy, which is called once for all of them."""
    arguments = set(inspect.signature(config.strategy.plan).parameters) & set(config.params)
    if not arguments or not isinstance(plan, pl.LazyFrame | pl.DataFrame):
        return
    if unread := sorted(arguments - parameters_in(read_plan(plan))):
        raise BadInput(
            f"{config.path}: [params] {', '.join(unread)}: {config.strategy.name} is called once, for all "
            f"values; instead of taking it as an argument, read it with bt.param({unread[0]!r}), or return a "
            "function that takes it"
        )


def _pinned(config: RunConfig, lake: str | None) -> Lake:
    opened = Lake(lake if lake is not None else config.lake)
    if not opened.exists():
        raise NoLake(f"{opened.uri}: there is no lake; run `tapehouse sync` or `tapehouse import` first")
    return opened.pinned()


def _asked(config: RunConfig) -> dict[str, Any]:
    """Return the arguments of the strategy.

    Raises:
        BadInput: it takes other ones.
    """
    told = {} if config.forecast is None else {"forecast": read_forecast(config.forecast)}
    try:
        inspect.signature(config.strategy.plan).bind("lake", **told, **config.selection)
    except TypeError as error:
        raise BadInput(
            f"{config.path}: {config.strategy.name}: {error}: a strategy is a function of a lake and of what "
            "the configuration selects, (lake, *, series, event, ticker, start, end)"
        ) from error
    return {**told, **config.selection}


def summary_rows(run: Run) -> list[dict[str, Any]]:
    """Return the summary as plain rows, parameters first."""
    return run.summary.to_dicts()


def _engine_arguments(config: RunConfig) -> dict[str, Any]:
    """Only what the configuration says, so that the engine's defaults stay in the engine."""
    said = {
        "fills": config.fills,
        "queue": config.queue,
        "latency": config.latency,
        "feed": config.feed,
        "cash": config.cash,
        "per_event": config.per_event,
        "per_series": config.per_series,
        "netting": config.netting,
        "maintenance": config.maintenance,
        "extra_ticks": config.extra_ticks,
        "slippage": config.slippage,
        "refill": config.refill,
        "max_age": config.max_age,
        "payout_delay": config.payout_delay,
        "fees": config.fees and bt.assume_fees(config.fees.fee_type, config.fees.multiplier),
        "legs": config.legs,
        "holdout": config.holdout,
    }
    return {name: value for name, value in said.items() if value is not None}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _told(selection: dict[str, Any]) -> dict[str, str]:
    return {
        name: format_ts(value) if isinstance(value, datetime) else str(value)
        for name, value in selection.items()
    }


def _refuse_foreign(target: Path) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise BadInput(f"{target} is a file: choose another folder with --out")
    if any(target.iterdir()) and not (target / MANIFEST).is_file():
        raise BadInput(
            f"{target} holds something that is no result of a backtest: choose another folder with --out"
        )


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """Give a folder to write into and, once it is complete, put it in the place of `target`."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    old = target.with_name(f".{target.name}.{os.getpid()}.old")
    try:
        part.mkdir(parents=True)
        yield part
        if target.exists():
            target.rename(old)
        part.rename(target)
    except OSError as error:
        raise TapehouseError(f"{target}: cannot be written: {error.strerror or error}") from error
    finally:
        if old.exists() and not target.exists():
            old.rename(target)
        for leftover in (part, old):
            shutil.rmtree(leftover, ignore_errors=True)
