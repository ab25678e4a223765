"""Pages of series, events, markets and fee changes as rows of the lake."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

import polars as pl

from exchange.units import parse_cc
from pipelines.client import wire
from pipelines.ingest import exact
from pipelines.ingest.pages import (
    Rows,
    observed,
    origin,
    readable,
    since_1970,
    texts_of,
    values_of,
    whole_rows,
)

_RANGES: Final = pl.List(pl.Struct({"start_cc": pl.Int32, "end_cc": pl.Int32, "step_cc": pl.Int32}))

_MARKET_TEXTS: Final = (
    "ticker",
    "event_ticker",
    "market_type",
    "title",
    "yes_sub_title",
    "no_sub_title",
    "status",
    "expiration_value",
    "strike_type",
    "price_level_structure",
    "mve_collection_ticker",
    "rules_primary",
    "rules_secondary",
)
_MARKET_TIMES: Final = {
    "created_ts": "created_time",
    "updated_ts": "updated_time",
    "open_ts": "open_time",
    "close_ts": "close_time",
    "expected_expiration_ts": "expected_expiration_time",
    "latest_expiration_ts": "latest_expiration_time",
    "settlement_ts": "settlement_ts",
    "fee_waiver_expiration_ts": "fee_waiver_expiration_time",
}
_MARKET_PRICES: Final = {
    "settlement_value_cc": "settlement_value_dollars",
    "notional_value_cc": "notional_value_dollars",
    "last_price_cc": "last_price_dollars",
}
_MARKET_COUNTS: Final = {"volume_centi": "volume_fp", "open_interest_centi": "open_interest_fp"}
_MARKET_VALUES: Final[dict[str, tuple[str, pl.DataType]]] = {
    "settlement_timer_s": ("settlement_timer_seconds", pl.Int64()),
    "can_close_early": ("can_close_early", pl.Boolean()),
    "floor_strike": ("floor_strike", pl.Float64()),
    "cap_strike": ("cap_strike", pl.Float64()),
    "is_provisional": ("is_provisional", pl.Boolean()),
    "exchange_index": ("exchange_index", pl.Int32()),
}


def series(page: Sequence[wire.Series], *, source: str, fetched_ts: datetime) -> Rows:
    """Return rows of `series`, observed when they were fetched."""
    kept, rejected = readable(page, "fee_multiplier", lambda each: each.fee_multiplier_ppm, source)
    frame = texts_of(
        kept, "ticker", "title", "category", "frequency", "fee_type", "last_updated_ts"
    ).with_columns(
        values_of(kept, "tags", pl.List(pl.String())),
        values_of(kept, "categories", pl.List(pl.String())),
        values_of(kept, "fee_multiplier_ppm", pl.Int64()),
        since_1970("last_updated_ts"),
        *observed(source, fetched_ts),
    )
    return Rows(frame, rejected)


def events(page: Sequence[wire.Event], *, source: str, fetched_ts: datetime) -> Rows:
    """Return rows of `events`, observed when they were fetched."""
    kept, rejected = readable(
        page, "fee_multiplier_override", lambda each: each.fee_multiplier_override_ppm, source
    )
    texts = texts_of(
        kept,
        "event_ticker",
        "series_ticker",
        "title",
        "sub_title",
        "category",
        "collateral_return_type",
        "strike_date",
        "strike_period",
        "fee_type_override",
        "last_updated_ts",
    )
    frame = texts.with_columns(
        values_of(kept, "mutually_exclusive", pl.Boolean()),
        values_of(kept, "fee_multiplier_override_ppm", pl.Int64()),
        since_1970("last_updated_ts"),
        since_1970("strike_date"),
        *observed(source, fetched_ts),
    )
    return Rows(frame.rename({"event_ticker": "ticker", "strike_date": "strike_ts"}), rejected)


def markets(
    page: Sequence[wire.Market], series_of: Mapping[str, str], *, source: str, fetched_ts: datetime
) -> Rows:
    """Return rows of `markets`, observed when they were fetched; `series_of` tells an event's series."""
    kept, rejected = readable(page, "price_ranges", lambda each: _ranges(each.price_ranges), source)
    read = (*_MARKET_TIMES.values(), *_MARKET_PRICES.values(), *_MARKET_COUNTS.values())
    last_price = exact.cc("last_price_dollars")
    frame = (
        texts_of(kept, *_MARKET_TEXTS, "result", *read)
        .select(
            *_MARKET_TEXTS,
            *(since_1970(text).alias(name) for name, text in _MARKET_TIMES.items()),
            *(exact.cc(text).alias(name) for name, text in _MARKET_PRICES.items() if name != "last_price_cc"),
            *(exact.centi(text).alias(name) for name, text in _MARKET_COUNTS.items()),
            # A market that never traded prints a last price of 0.
            pl.when(last_price > 0).then(last_price).alias("last_price_cc"),
            pl.col("result").fill_null(""),
        )
        .with_columns(
            pl.Series("series_ticker", [series_of.get(each.event_ticker) for each in kept], dtype=pl.String),
            _grids([each.price_ranges for each in kept]),
            *(values_of(kept, text, dtype, called=name) for name, (text, dtype) in _MARKET_VALUES.items()),
            *observed(source, fetched_ts),
        )
    )
    needed = {"open_ts": "open_time", "close_ts": "close_time", "notional_value_cc": "notional_value_dollars"}
    rows = whole_rows(kept, frame, needed | _MARKET_COUNTS, source)
    return Rows(rows.frame, rejected + rows.rejected)


def series_fee_changes(page: Sequence[wire.FeeChange], *, source: str, fetched_ts: datetime) -> Rows:
    """Return rows of `fee_changes` with scope series."""
    kept, rejected = readable(page, "fee_multiplier", lambda each: each.fee_multiplier_ppm, source)
    frame = texts_of(kept, "series_ticker", "scheduled_ts", "fee_type", "id").select(
        pl.lit("series").alias("scope"),
        pl.col("series_ticker").alias("ticker"),
        exact.moment("scheduled_ts").alias("effective_ts"),
        "fee_type",
        values_of(kept, "fee_multiplier_ppm", pl.Int64()),
        pl.col("id").alias("change_id"),
        *origin(source, fetched_ts),
    )
    rows = whole_rows(kept, frame, {"effective_ts": "scheduled_ts"}, source)
    return Rows(rows.frame, rejected + rows.rejected)


def event_fee_changes(page: Sequence[wire.EventFeeChange], *, source: str, fetched_ts: datetime) -> Rows:
    """Return rows of `fee_changes` with scope event; both terms null means that the override ends."""
    kept, rejected = readable(
        page, "fee_multiplier_override", lambda each: each.fee_multiplier_override_ppm, source
    )
    frame = texts_of(kept, "event_ticker", "scheduled_ts", "fee_type_override", "id").select(
        pl.lit("event").alias("scope"),
        pl.col("event_ticker").alias("ticker"),
        exact.moment("scheduled_ts").alias("effective_ts"),
        pl.col("fee_type_override").alias("fee_type"),
        values_of(kept, "fee_multiplier_override_ppm", pl.Int64(), called="fee_multiplier_ppm"),
        pl.col("id").alias("change_id"),
        *origin(source, fetched_ts),
    )
    rows = whole_rows(kept, frame, {"effective_ts": "scheduled_ts"}, source)
    return Rows(rows.frame, rejected + rows.rejected)


def _grids(page: Sequence[Sequence[wire.PriceRange] | None]) -> pl.Series:
    """Lay grids out as a column: each different one is built once, for there are a handful."""
    bands = [None if ranges is None else _bands(ranges) for ranges in page]
    ranks = {each: rank for rank, each in enumerate(dict.fromkeys(bands))}
    grids = [None if each is None else _grid(each) for each in ranks]
    return pl.Series("price_ranges", grids, dtype=_RANGES).gather([ranks[each] for each in bands])


def _ranges(ranges: Sequence[wire.PriceRange] | None) -> list[dict[str, int]] | None:
    return None if ranges is None else _grid(_bands(ranges))


def _bands(ranges: Sequence[wire.PriceRange]) -> tuple[tuple[str, str, str], ...]:
    return tuple((each.start, each.end, each.step) for each in ranges)


@lru_cache(maxsize=256)
def _grid(bands: tuple[tuple[str, str, str], ...]) -> list[dict[str, int]]:
    names = ("start_cc", "end_cc", "step_cc")
    return [dict(zip(names, map(parse_cc, band), strict=True)) for band in bands]
