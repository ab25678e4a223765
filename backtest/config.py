"""CONFIG.toml: what to run, on which data, under which assumptions; what is not understood is refused.

    strategy = "favourite_longshot"        # or "mine.py:name", relative to this file: a plan or a policy
    lake = "lake"                          # default: TAPEHOUSE_LAKE, else ./lake
    series = "KXBTC15M"                    # and/or event, ticker
    start = 2026-05-11                     # a date is its UTC midnight, a time needs a zone
    end = 2026-05-14T00:00:00Z             # excluded
    forecast = "mine.parquet"              # ticker, known_ts, prob; for strategies that read one
    fills = "touch"                        # or "book", "queue", or "trades"
    queue = "pessimistic"                  # or "proportional", or "front"; for "queue"
    latency = "250ms"
    feed = "100ms"                         # from what happens to when a policy knows of it
    cash = 5_000                           # dollars
    per_event = 0.05                       # most that one event may cost: a share of cash, or above 1 dollars
    per_series = 0.2                       # the same for one series
    netting = false                        # collateral return on mutually exclusive events
    maintenance = true                     # the exchange's weekly pause
    extra_ticks = 0                        # for touch: pay this many ticks more than was shown
    slippage = { half_spread_cc = 100, impact = "sqrt", coefficient_cc = 4 }   # or [slippage.KXBTC15M] …
    max_age = "10m"                        # for touch and mid: how long a quote counts without a next one
    refill = "10s"                         # after that, what we took of a level is displayed again
    payout_delay = "1h"                    # where the settlement time is not on record
    fees = { type = "quadratic", multiplier = 1 }   # assume these; by default the lake's fee tables
    legs = "together"                      # or "one by one"; how legs of baskets are sent
    holdout = { since = 2026-09-01, log = "holdout.jsonl" }   # leave out events that are not over before
    out = "results/favourites"

    [params]
    beyond = [0.90, 0.95]                  # a list is a sweep over its values

Every key but `strategy` and `fills` may be left out.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from backtest.baskets import LEGS
from backtest.config_values import (
    dollars,
    duration,
    flag,
    is_number,
    moment,
    refuse_unknown,
    text,
    text_or_none,
)
from backtest.errors import PlanError
from backtest.holdouts import Holdout
from backtest.kernels.arrays import QUEUES
from backtest.slippage import Slippage
from backtest.strategies.registry import Strategy, find_strategy, near
from exchange.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta
    from pathlib import Path

FILLS: Final = ("mid", "touch", "trades", "book", "queue")
KEYS: Final = (
    "strategy",
    "lake",
    "series",
    "event",
    "ticker",
    "start",
    "end",
    "forecast",
    "fills",
    "queue",
    "latency",
    "feed",
    "cash",
    "per_event",
    "per_series",
    "netting",
    "maintenance",
    "extra_ticks",
    "slippage",
    "max_age",
    "refill",
    "payout_delay",
    "fees",
    "legs",
    "holdout",
    "out",
    "params",
)
_SELECTION: Final = ("series", "event", "ticker")
_FEE_KEYS: Final = ("type", "multiplier")
_HOLDOUT_KEYS: Final = ("since", "log")
_SLIPPAGE_KEYS: Final = ("half_spread_cc", "impact", "coefficient_cc", "max_age")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeAssumption:
    """Fee terms to use where the lake's tables know none."""

    fee_type: str
    multiplier: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """One configuration, read and checked; None means that the engine's default applies.

    `selection` holds the arguments of the plan (series, event, ticker, start, end) that were given. `params`
    has every declared parameter, lists where they are swept. Paths count from the file's folder.
    """

    path: Path
    strategy: Strategy
    lake: str | None
    selection: dict[str, Any]
    forecast: Path | None
    fills: str
    queue: str | None
    latency: timedelta | None
    feed: timedelta | None
    cash: float | None
    per_event: float | None
    per_series: float | None
    netting: bool | None
    maintenance: bool | None
    extra_ticks: int | None
    slippage: Slippage | dict[str, Slippage] | None
    max_age: timedelta | None
    refill: timedelta | None
    payout_delay: timedelta | None
    fees: FeeAssumption | None
    legs: str | None
    holdout: Holdout | None
    out: Path
    params: dict[str, Any] = field(default_factory=dict)


def read_config(path: Path) -> RunConfig:
    """Read and check one configuration file.

    Raises:
        BadInput: the file cannot be read, or a key, value, strategy or parameter is not understood; the
            message names it and what comes near.
    """
    table = _parsed(path)
    refuse_unknown(path, "key", table, KEYS)
    if "fills" not in table:
        raise BadInput(f'{path}: no fills: add fills = "touch" (best quotes), "book" (depth) or "queue"')
    if "strategy" not in table:
        raise BadInput(f'{path}: no strategy: add strategy = "…"; `tapehouse backtest strategies` lists ours')
    strategy = _found_strategy(path, text(path, table, "strategy"))
    lake, fills = text_or_none(path, table, "lake"), text(path, table, "fills")
    if fills not in FILLS:
        raise BadInput(f"{path}: fills = {fills!r} is unknown; {near(fills, FILLS)}")
    return RunConfig(
        path=path,
        strategy=strategy,
        lake=_from_here(path, lake) if lake is not None else None,
        selection=_selection(path, table),
        forecast=_forecast(path, table, strategy),
        fills=fills,
        queue=_queue(path, table, fills),
        latency=duration(path, table, "latency"),
        feed=duration(path, table, "feed"),
        cash=dollars(path, table, "cash"),
        per_event=dollars(path, table, "per_event"),
        per_series=dollars(path, table, "per_series"),
        netting=flag(path, table, "netting"),
        maintenance=flag(path, table, "maintenance"),
        extra_ticks=_ticks(path, table),
        slippage=_slippage(path, table),
        max_age=duration(path, table, "max_age"),
        refill=None if table.get("refill") == "never" else duration(path, table, "refill"),
        payout_delay=duration(path, table, "payout_delay"),
        fees=_fees(path, table),
        legs=_legs(path, table),
        holdout=_holdout(path, table),
        out=path.parent / (text_or_none(path, table, "out") or f"results/{path.stem}"),
        params=_params(path, table, strategy),
    )


def with_params(config: RunConfig, given: Mapping[str, Any], *, where: str) -> RunConfig:
    """Return the configuration with these values of its parameters, numbers or lists, instead of its own.

    Raises:
        BadInput: a name that the strategy does not have, or a value named twice; `where` heads the message.
    """
    _refuse_params(where, "", given, config.strategy)
    return replace(config, params={**config.params, **given})


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8 text (byte {error.start})") from error
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{path}: not TOML: {error}") from error


def _found_strategy(path: Path, name: str) -> Strategy:
    try:
        return find_strategy(name, beside=path.parent)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error


def _selection(path: Path, table: Mapping[str, Any]) -> dict[str, Any]:
    chosen: dict[str, Any] = {key: text(path, table, key) for key in _SELECTION if key in table}
    chosen |= {key: moment(path, key, table[key]) for key in ("start", "end") if key in table}
    if "start" in chosen and "end" in chosen and chosen["start"] >= chosen["end"]:
        raise BadInput(f"{path}: end ({table['end']}) must come after start ({table['start']})")
    return chosen


def _forecast(path: Path, table: Mapping[str, Any], strategy: Strategy) -> Path | None:
    given = text_or_none(path, table, "forecast")
    if given is None and strategy.reads_forecast:
        raise BadInput(f'{path}: {strategy.name} reads a forecast: add forecast = "path/to/file.parquet"')
    if given is not None and not strategy.reads_forecast:
        raise BadInput(f"{path}: {strategy.name} reads no forecast: drop forecast = {given!r}")
    return None if given is None else path.parent / given


def _queue(path: Path, table: Mapping[str, Any], fills: str) -> str | None:
    queue = text_or_none(path, table, "queue")
    if queue is not None and fills != "queue":
        raise BadInput(f'{path}: queue = {queue!r} is for fills = "queue", not {fills!r}')
    if queue is not None and queue not in QUEUES:
        raise BadInput(f"{path}: queue = {queue!r} is unknown; {near(queue, tuple(QUEUES))}")
    return queue


def _legs(path: Path, table: Mapping[str, Any]) -> str | None:
    legs = text_or_none(path, table, "legs")
    if legs is not None and legs not in LEGS:
        raise BadInput(f"{path}: legs = {legs!r} is unknown; {near(legs, LEGS)}")
    return legs


def _ticks(path: Path, table: Mapping[str, Any]) -> int | None:
    ticks = table.get("extra_ticks")
    if ticks is not None and (not isinstance(ticks, int) or isinstance(ticks, bool) or ticks < 0):
        raise BadInput(f"{path}: extra_ticks = {ticks!r} should be a whole number, 0 or more")
    return ticks


def _slippage(path: Path, table: Mapping[str, Any]) -> Slippage | dict[str, Slippage] | None:
    given = table.get("slippage")
    if given is None:
        return None
    if not isinstance(given, dict):
        raise BadInput(f"{path}: slippage = {given!r} should be a table, such as {{ half_spread_cc = 100 }}")
    is_by_series = given and all(isinstance(each, dict) for each in given.values())
    if is_by_series and not set(given) & set(_SLIPPAGE_KEYS):
        return {series: _one_slippage(path, f"slippage.{series}", each) for series, each in given.items()}
    return _one_slippage(path, "slippage", given)


def _one_slippage(path: Path, where: str, given: Mapping[str, Any]) -> Slippage:
    refuse_unknown(path, f"key of {where}", given, _SLIPPAGE_KEYS)
    spread = given.get("half_spread_cc")
    try:
        steps = {int(start): half for start, half in spread.items()} if isinstance(spread, dict) else spread
        return Slippage(**{**given, "half_spread_cc": steps})
    except (PlanError, ValueError) as error:
        raise BadInput(f"{path}: {where}: {error}") from error


def _fees(path: Path, table: Mapping[str, Any]) -> FeeAssumption | None:
    if "fees" not in table:
        return None
    fees = table["fees"]
    if not isinstance(fees, dict) or "type" not in fees:
        raise BadInput(
            f'{path}: fees = {fees!r} should be a table, such as {{ type = "quadratic", multiplier = 1 }}'
        )
    refuse_unknown(path, "key of fees", fees, _FEE_KEYS)
    multiplier = fees.get("multiplier", 1)
    if not is_number(multiplier) or not 0 <= multiplier < float("inf"):
        raise BadInput(f"{path}: fees.multiplier = {multiplier!r} should be a number, 0 or more")
    return FeeAssumption(fee_type=text(path, fees, "type"), multiplier=multiplier)


def _holdout(path: Path, table: Mapping[str, Any]) -> Holdout | None:
    given = table.get("holdout")
    if given is None:
        return None
    if not isinstance(given, dict) or "since" not in given or "log" not in given:
        raise BadInput(
            f"{path}: holdout = {given!r} should be a table with both of them, such as "
            '{ since = 2026-09-01, log = "holdout.jsonl" }'
        )
    refuse_unknown(path, "key of holdout", given, _HOLDOUT_KEYS)
    since = moment(path, "holdout.since", given["since"])
    return Holdout(since, path.parent / text(path, given, "log"))


def _params(path: Path, table: Mapping[str, Any], strategy: Strategy) -> dict[str, Any]:
    given = table.get("params", {})
    if not isinstance(given, dict):
        raise BadInput(f"{path}: params should be a table: [params] and one line per parameter")
    _refuse_params(path, "params.", given, strategy)
    return {**(strategy.params or {}), **given}


def _refuse_params(where: Path | str, prefix: str, given: Mapping[str, Any], strategy: Strategy) -> None:
    if strategy.params is not None:
        refuse_unknown(where, f"parameter of {strategy.name}", given, tuple(strategy.params))
    for name, value in given.items():
        values = value if isinstance(value, list) else [value]
        if not values or not all(is_number(each) for each in values):
            raise BadInput(f"{where}: {prefix}{name} = {value!r} should be a number or a list of numbers")
        if len(set(values)) != len(values):
            raise BadInput(f"{where}: {prefix}{name} names a value twice: {value!r}")


def _from_here(path: Path, lake: str) -> str:
    return lake if "://" in lake else str(path.parent / lake)
