"""Fee terms of single markets at single moments, read from a lake's fee tables, for auditing an account."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from exchange.fees import FeeTerms
from warehouse import Lake
from warehouse.errors import NoLake
from warehouse.tables import EVENTS, FEE_CHANGES, MARKETS, SERIES

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from warehouse.tables import Table


class _State(NamedTuple):
    """What was recorded of one series or event; `is_change` says since when it held, not when we saw it."""

    at_ts: datetime
    is_change: bool
    fee_type: str | None
    multiplier_ppm: int | None


def terms_in(uri: str) -> Callable[[str, datetime], tuple[FeeTerms, str] | None]:
    """Return a function from (market ticker, moment) to its terms and where they stand; None if unrecorded.

    An event's override beats its series, field by field. The last record at or before the moment holds;
    before the first record, that one holds if it is an observation rather than a change, and the answer says
    so.

    Raises:
        NoLake: nothing was ever committed at `uri`.
    """
    lake = Lake(uri)
    if not lake.exists():
        raise NoLake(f"{lake.uri}: there is no lake; leave --lake out, or run `tapehouse sync fees` first")
    by_series = _states(lake, SERIES, "series", "fee_type", "fee_multiplier_ppm")
    by_event = _states(lake, EVENTS, "event", "fee_type_override", "fee_multiplier_override_ppm")
    homes = dict(lake.scan(MARKETS).select("ticker", "event_ticker").unique().collect().iter_rows())

    def terms_at(ticker: str, at_ts: datetime) -> tuple[FeeTerms, str] | None:
        base, said = _state_at(by_series.get(ticker.split("-", 1)[0], []), at_ts)
        event = homes.get(ticker, ticker.rsplit("-", 1)[0])
        over, said_over = _state_at(by_event.get(event, []), at_ts)
        fee_type = (over and over.fee_type) or (base and base.fee_type)
        ppm = (
            over.multiplier_ppm if over and over.multiplier_ppm is not None else base and base.multiplier_ppm
        )
        if fee_type is None or ppm is None:
            return None
        used_over = over is not None and (over.fee_type is not None or over.multiplier_ppm is not None)
        return FeeTerms(fee_type, ppm), f"from the lake's fee tables{said_over if used_over else said}"

    return terms_at


def _states(
    lake: Lake, table: Table, scope: str, type_column: str, multiplier_column: str
) -> dict[str, list[_State]]:
    observed = lake.scan(table).select("ticker", "observed_ts", type_column, multiplier_column).collect()
    changes = (
        lake.scan(FEE_CHANGES)
        .filter(pl.col("scope") == scope)
        .select("ticker", "effective_ts", "fee_type", "fee_multiplier_ppm")
        .collect()
    )
    found: dict[str, list[_State]] = {}
    for frame, is_change in ((observed, False), (changes, True)):
        for ticker, at_ts, fee_type, ppm in frame.iter_rows():
            found.setdefault(ticker, []).append(_State(at_ts, is_change, fee_type, ppm))
    return {ticker: sorted(states, key=lambda each: each[:2]) for ticker, states in found.items()}


def _state_at(states: list[_State], at_ts: datetime) -> tuple[_State | None, str]:
    before = [each for each in states if each.at_ts <= at_ts]
    if before:
        return before[-1], ""
    if states and not states[0].is_change:
        return states[0], f" as first observed on {states[0].at_ts:%Y-%m-%d}, after the fill"
    return None, ""
