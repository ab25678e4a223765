"""Frames of one block as typed columns, and what is wrong with the frames that are left out."""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Final

import polars as pl

from exchange.units import DOLLAR_CC
from pipelines.ingest import exact
from pipelines.ingest.ws_wire import (
    DELTA,
    ERROR,
    NONE,
    SNAPSHOT,
    TICKER,
    TRADE,
    UNWATCHED,
    WATCHED,
    Line,
    Message,
)

FRAMES: Final = pl.Schema(
    {
        "line": pl.Int64(),
        "received_us": pl.Int64(),
        "conn": pl.String(),
        "kind": pl.String(),
        "sid": pl.Int64(),
        "seq": pl.Int64(),
        "ticker": pl.String(),
    }
)
"""Every line of a recording; sid and seq are NONE and ticker is "" where a frame has none."""

WRONG: Final = pl.Schema(
    {"line": pl.Int64(), "field": pl.String(), "value": pl.String(), "reason": pl.String()}
)
"""What is wrong with a line."""

LEVELS: Final = pl.List(pl.Array(pl.String(), 2))
"""One side of a book as the exchange writes it: [price, count] texts."""

_PRICE: Final = "is not a price between $0 and $1 with at most 4 decimals"
_COUNT: Final = "is not a count with at most 2 decimals"
_TIME: Final = "is neither a time with a zone nor accompanied by ts_ms"
_AHEAD: Final = "is a day or more after it was received"

_DAY_US: Final = 86_400_000_000
"""No clock is a day off. A time so far ahead is none, and would keep what comes after it from being known."""


def frames(lines: Sequence[Line], numbers: Sequence[int], default_conn: str) -> pl.DataFrame:
    """Lay out what all lines have in common, per FRAMES; a frame's own sid beats that in its message."""
    columns: dict[str, Any] = {
        "line": numbers,
        "received_us": [line.received_us for line in lines],
        "conn": [line.conn or default_conn for line in lines],
        "kind": [line.frame.type or line.recorder_event for line in lines],
        "sid": [line.frame.sid if line.frame.sid != NONE else line.frame.msg.sid for line in lines],
        "seq": [line.frame.seq for line in lines],
        "ticker": [line.frame.msg.market_ticker for line in lines],
    }
    return pl.DataFrame(columns, schema=FRAMES)


def deltas(lines: Sequence[Line], numbers: Sequence[int]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read orderbook_delta frames.

    Returns:
        (line, side, price_cc, delta_centi, event_ts) of the good ones, and the others per WRONG.
    """
    fields = {
        "market_ticker": pl.String(),
        "side": pl.String(),
        "price_dollars": pl.String(),
        "delta_fp": pl.String(),
        "ts": pl.String(),
        "ts_ms": pl.Int64(),
    }
    rows = _messages(lines, numbers, DELTA, fields).with_columns(
        exact.cc("price_dollars").alias("price_cc"),
        exact.centi("delta_fp").alias("delta_centi"),
        _event_ts("ts"),
    )
    return _divide(
        rows,
        (
            _no_ticker(),
            ("side", ~pl.col("side").is_in(["yes", "no"]).fill_null(value=False), "is not yes or no"),
            ("price_dollars", ~_is_level("price_cc"), _PRICE),
            ("delta_fp", pl.col("delta_centi").is_null(), _COUNT),
            ("ts", pl.col("event_ts").is_null(), _TIME),
            ("ts", _is_ahead(), _AHEAD),
        ),
        ("side", "price_cc", "delta_centi", "event_ts"),
    )


def snapshots(lines: Sequence[Line], numbers: Sequence[int]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read orderbook_snapshot frames; a side that the frame leaves out is empty.

    Returns:
        (line, yes_prices_cc, yes_counts_centi, no_prices_cc, no_counts_centi), ascending prices, of the good
        ones, and the others per WRONG.
    """
    fields: dict[str, pl.DataType] = {
        "market_ticker": pl.String(),
        "yes_dollars_fp": LEVELS,
        "no_dollars_fp": LEVELS,
    }
    return books_of(_messages(lines, numbers, SNAPSHOT, fields))


def books_of(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read books laid out as line, market_ticker, yes_dollars_fp, no_dollars_fp; returns as `snapshots`."""
    for side in ("yes", "no"):
        rows = rows.join(_levels(rows, side), on="line", how="left", maintain_order="left")
    wrong = tuple(
        (
            f"{side}_dollars_fp",
            pl.col(f"{side}_wrong").is_not_null(),
            "has a level that is no price and count",
        )
        for side in ("yes", "no")
    )
    lists = [f"{side}_{what}" for side in ("yes", "no") for what in ("prices_cc", "counts_centi")]
    empty = [pl.col(name).fill_null(pl.lit([], rows.schema[name])) for name in lists]
    shown = [pl.col(f"{side}_wrong").alias(f"{side}_dollars_fp") for side in ("yes", "no")]
    return _divide(rows.with_columns(*empty, *shown), (_no_ticker(), *wrong), lists)


def quotes(lines: Sequence[Line], numbers: Sequence[int]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read ticker frames; $0 or $1 on a side means that nobody quotes it [KALSHI.md §5.4].

    Returns:
        (line, event_ts, bid_cc, bid_size_centi, ask_cc, ask_size_centi, last_price_cc, volume_centi,
        open_interest_centi) of the good ones, and the others per WRONG.
    """
    prices = {"bid_cc": "yes_bid_dollars", "ask_cc": "yes_ask_dollars", "last_price_cc": "price_dollars"}
    counts = {
        "bid_size_centi": "yes_bid_size_fp",
        "ask_size_centi": "yes_ask_size_fp",
        "volume_centi": "volume_fp",
        "open_interest_centi": "open_interest_fp",
    }
    texts = ("market_ticker", "time", *prices.values(), *counts.values())
    fields: dict[str, pl.DataType] = {each: pl.String() for each in texts} | {"ts_ms": pl.Int64()}
    rows = _messages(lines, numbers, TICKER, fields).with_columns(
        *(exact.cc(text).alias(name) for name, text in prices.items()),
        *(exact.centi(text).alias(name) for name, text in counts.items()),
        _event_ts("time"),
    )
    in_range = {name: pl.col(name).is_between(0, DOLLAR_CC).fill_null(value=False) for name in prices}
    good, wrong = _divide(
        rows,
        (
            _no_ticker(),
            *((text, pl.col(text).is_not_null() & ~in_range[name], _PRICE) for name, text in prices.items()),
            *(
                (text, pl.col(text).is_not_null() & pl.col(name).is_null(), _COUNT)
                for name, text in counts.items()
            ),
            ("time", pl.col("event_ts").is_null(), _TIME),
            ("time", _is_ahead(), _AHEAD),
        ),
        ("event_ts", *prices, *counts),
    )
    quoted = [pl.when(_is_level(name)).then(pl.col(name)).alias(name) for name in prices]
    sized = [
        pl.when(_is_level(f"{side}_cc")).then(pl.col(f"{side}_size_centi")).alias(f"{side}_size_centi")
        for side in ("bid", "ask")
    ]
    return good.with_columns(*quoted, *sized), wrong


def trades(lines: Sequence[Line], numbers: Sequence[int]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read trade frames; the exchange tells their times in milliseconds here, in microseconds over REST.

    Returns:
        (line, trade_id, event_ts, yes_price_cc, count_centi, taker_side, is_block_trade) of the good ones,
        and the others per WRONG.

    Source: KALSHI.md §10.4 (websocket pages, 2026-10-01); `taker_side` is what older recordings have.
    """
    fields: dict[str, pl.DataType] = {
        **dict.fromkeys(("market_ticker", "trade_id", "yes_price_dollars", "count_fp"), pl.String()),
        **dict.fromkeys(("taker_outcome_side", "taker_side"), pl.String()),
        "ts_ms": pl.Int64(),
        "is_block_trade": pl.Boolean(),
    }
    rows = _messages(lines, numbers, TRADE, fields).with_columns(
        exact.cc("yes_price_dollars").alias("yes_price_cc"),
        exact.centi("count_fp").alias("count_centi"),
        pl.coalesce("taker_outcome_side", "taker_side").alias("taker_side"),
        (pl.col("ts_ms") * 1_000).cast(exact.TIME).alias("event_ts"),
    )
    return _divide(
        rows,
        (
            _no_ticker(),
            ("trade_id", pl.col("trade_id").fill_null("") == "", "is missing"),
            ("yes_price_dollars", ~_is_level("yes_price_cc"), _PRICE),
            ("count_fp", ~(pl.col("count_centi") > 0).fill_null(value=False), _COUNT),
            (
                "taker_side",
                ~pl.col("taker_side").is_in(["yes", "no"]).fill_null(value=False),
                "is not yes or no",
            ),
            ("ts_ms", pl.col("event_ts").is_null(), "is missing"),
            ("ts_ms", _is_ahead(), _AHEAD),
        ),
        ("trade_id", "event_ts", "yes_price_cc", "count_centi", "taker_side", "is_block_trade"),
    )


def errors(lines: Sequence[Line], numbers: Sequence[int]) -> pl.DataFrame:
    """Lay out error frames: line, code."""
    return _messages(lines, numbers, ERROR, {"code": pl.Int64()}).drop("received_us")


def notes(lines: Sequence[Line], numbers: Sequence[int]) -> pl.DataFrame:
    """Lay out watch_market notes: line, then the note's fields as the recorder wrote them."""
    fields = {
        "market_ticker": pl.String(),
        "event_ticker": pl.String(),
        "series_ticker": pl.String(),
        "close_time": pl.String(),
        "status": pl.String(),
        "strike": pl.Float64(),
    }
    chosen = [
        (number, line.data)
        for number, line in zip(numbers, lines, strict=True)
        if line.recorder_event == WATCHED
    ]
    columns: dict[str, Any] = {"line": [number for number, _ in chosen]}
    columns |= {field: [getattr(note, field) for _, note in chosen] for field in fields}
    return pl.DataFrame(columns, schema={"line": pl.Int64(), **fields})


def unwatched(lines: Sequence[Line], numbers: Sequence[int]) -> pl.DataFrame:
    """Lay out unwatch_market notes: line, ticker."""
    chosen = [
        (number, line.data.market_ticker)
        for number, line in zip(numbers, lines, strict=True)
        if line.recorder_event == UNWATCHED
    ]
    return pl.DataFrame(chosen, schema={"line": pl.Int64(), "ticker": pl.String()}, orient="row")


def _messages(
    lines: Sequence[Line], numbers: Sequence[int], kind: str, fields: dict[str, pl.DataType]
) -> pl.DataFrame:
    chosen = [number for number, line in zip(numbers, lines, strict=True) if line.frame.type == kind]
    messages: list[Message] = [line.frame.msg for line in lines if line.frame.type == kind]
    columns: dict[str, Any] = {"line": chosen}
    columns["received_us"] = [line.received_us for line in lines if line.frame.type == kind]
    for field in fields:
        read: Callable[[Message], Any] = attrgetter(field)
        values = list(map(read, messages))
        # `ts` used to be a number of seconds; only its text form is finer than ts_ms.
        columns[field] = [v if isinstance(v, str) else None for v in values] if field == "ts" else values
    return pl.DataFrame(columns, schema={"line": pl.Int64(), "received_us": pl.Int64(), **fields})


def _is_ahead() -> pl.Expr:
    return (pl.col("event_ts").to_physical() - pl.col("received_us") >= _DAY_US).fill_null(value=False)


def _event_ts(text: str) -> pl.Expr:
    ms = (pl.col("ts_ms") * 1_000).cast(exact.TIME)
    return pl.coalesce(exact.moment(text), ms).alias("event_ts")


def _is_level(name: str) -> pl.Expr:
    return ((pl.col(name) > 0) & (pl.col(name) < DOLLAR_CC)).fill_null(value=False)


def _no_ticker() -> tuple[str, pl.Expr, str]:
    return ("market_ticker", pl.col("market_ticker") == "", "is missing")


def _levels(rows: pl.DataFrame, side: str) -> pl.DataFrame:
    given = f"{side}_dollars_fp"
    price, count = f"{side}_prices_cc", f"{side}_counts_centi"
    levels = (
        rows.select("line", level=pl.col(given))
        .explode("level", empty_as_null=False, keep_nulls=False)
        .select("line", price_text=pl.col("level").arr.get(0), count_text=pl.col("level").arr.get(1))
        .with_columns(exact.cc("price_text").alias(price), exact.centi("count_text").alias(count))
    )
    is_good = _is_level(price) & (pl.col(count) >= 0).fill_null(value=False)
    text = pl.format("[{}, {}]", "price_text", "count_text")
    return (
        levels.sort("line", price)
        .group_by("line", maintain_order=True)
        .agg(
            pl.col(price),
            pl.col(count),
            text.filter(~is_good | pl.col(price).is_duplicated()).first().alias(f"{side}_wrong"),
        )
    )


def _divide(
    rows: pl.DataFrame, checks: Sequence[tuple[str, pl.Expr, str]], keep: Sequence[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    verdict = pl.coalesce(
        pl.when(is_wrong).then(
            pl.struct(field=pl.lit(field), value=pl.col(field).cast(pl.String), reason=pl.lit(reason))
        )
        for field, is_wrong, reason in checks
    )
    judged = rows.with_columns(verdict.alias("verdict"))
    is_good = pl.col("verdict").is_null()
    wrong = judged.filter(~is_good).select("line", "verdict").unnest("verdict")
    return judged.filter(is_good).select("line", *keep), wrong.select(
        pl.col(name).cast(dtype) for name, dtype in WRONG.items()
    )
