"""Books in the forms that kernels replay: ours, and hftbacktest's."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl

from backtest.kernels.tops import book_tops
from backtest.tape import Tape, book_tape
from exchange.units import DOLLAR_CC
from warehouse.rebuilding.changes import Changes, changes_of
from warehouse.rebuilding.ordering import Streams
from warehouse.rebuilding.showing import shown

_DEPTH, _TRADE, _SNAPSHOT = 1, 2, 4
_AT_BOTH: Final = (1 << 31) | (1 << 30)  # by the exchange's clock and by ours
_BUY, _SELL = 1 << 29, 1 << 28
_EVENT: Final = np.dtype(
    [
        ("ev", "u8"),
        ("exch_ts", "i8"),
        ("local_ts", "i8"),
        ("px", "f8"),
        ("qty", "f8"),
        ("order_id", "u8"),
        ("ival", "i8"),
        ("fval", "f8"),
    ],
    align=True,
)


class Last(NamedTuple):
    """The last best bid and ask of a market."""

    bid_cc: int
    bid_centi: int
    ask_cc: int
    ask_centi: int


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is replayed: rows as they were read, laid out as changes, and as a tape of the engine."""

    tickers: Sequence[str]
    bounds: tuple[datetime, datetime]
    streams: Streams
    changes: Changes
    tape: Tape

    @property
    def n_changes(self) -> int:
        """How many rows a kernel walks."""
        return len(self.tape.tops)


def inputs(streams: Streams, tickers: Sequence[str], bounds: tuple[datetime, datetime]) -> Inputs:
    """Lay rows out as our kernels take them."""
    markets = pl.DataFrame({"ticker": tickers, "close_us": [np.iinfo(np.int64).max] * len(tickers)})
    return Inputs(
        tickers, bounds, streams, changes_of(streams, tickers, *bounds), book_tape(streams, markets)
    )


def tops(given: Inputs) -> None:
    """Run the kernel of the engine: best bid and ask after every change."""
    tape = given.tape
    book_tops(tape.tops, tape.changes, tape.offsets, tape.level_offsets, tape.level_split, tape.level_cc)


def rows(given: Inputs, depth: int, every: timedelta | None = None) -> int:
    """Make frames of the changes, as `Lake.books` does; return how many rows they have."""
    frames = shown(given.changes, given.streams, given.tickers, given.bounds, every, depth)
    return sum(each.height for each in frames)


def last_of(given: Inputs) -> dict[str, tuple[int, int]]:
    """Return the last best bid and ask of every market, according to the engine's kernel."""
    ends = given.tape.tops[given.tape.offsets[1:] - 1]
    return {
        ticker: (int(end["bid_cc"]), int(end["ask_cc"]))
        for ticker, end in zip(given.tickers, ends, strict=True)
    }


def hft_events(streams: Streams, folder: Path, *, feed: timedelta | None = None) -> Path:
    """Write one .npy a market in hftbacktest's format: it takes what rests at a level, not the change.

    Where deltas have `is_trade`, a trade comes before the change that it made. `feed`: how long after it
    happened everything is known; by default as recorded.
    """
    folder.mkdir(exist_ok=True)
    levels = [
        streams.snapshots.select(
            "ticker",
            "seq",
            exch_ts="known_ts",
            known_ts="known_ts",
            side=pl.lit(side),
            price_cc=f"{side}_prices_cc",
            delta_centi=f"{side}_counts_centi",
            kind=pl.lit(_SNAPSHOT),
        ).explode("price_cc", "delta_centi")
        for side in ("yes", "no")
    ]
    deltas = streams.deltas.select(
        *("ticker", "seq"),
        *(pl.col("event_ts").alias("exch_ts"), "known_ts", "side", "price_cc", "delta_centi"),
        kind=pl.lit(_DEPTH),
    )
    is_bid = pl.col("side") == "yes"
    parts = [*levels, deltas]
    if "is_trade" in streams.deltas.columns:
        parts.insert(0, deltas.filter(streams.deltas["is_trade"]).with_columns(kind=pl.lit(_TRADE)))
    is_trade = pl.col("kind") == _TRADE
    rows = (
        pl.concat(parts)
        .sort("ticker", "seq", maintain_order=True)
        .with_columns(
            rests=pl.when(is_trade)
            .then(-pl.col("delta_centi"))
            .otherwise(
                pl.when(~is_trade)
                .then("delta_centi")
                .otherwise(0)
                .cum_sum()
                .over("ticker", "side", "price_cc")
            ),
            cc=pl.when(is_bid).then(pl.col("price_cc")).otherwise(DOLLAR_CC - pl.col("price_cc")),
            # Of a trade, the side of who took.
            flag=pl.col("kind")
            + pl.when(is_bid != is_trade).then(_AT_BOTH + _BUY).otherwise(_AT_BOTH + _SELL),
        )
    )
    if feed is not None:
        rows = rows.with_columns(known_ts=pl.col("exch_ts") + feed)
    for (ticker,), market in rows.group_by("ticker", maintain_order=True):
        np.save(folder / f"{ticker}.npy", _events(market))
    return folder


def _events(market: pl.DataFrame) -> "np.ndarray[Any, Any]":
    events = np.zeros(market.height, _EVENT)
    events["ev"] = market["flag"].to_numpy()
    events["exch_ts"] = market["exch_ts"].dt.epoch("ns").to_numpy()
    events["local_ts"] = market["known_ts"].dt.epoch("ns").to_numpy()
    events["px"] = market["cc"].to_numpy() / DOLLAR_CC
    events["qty"] = market["rests"].to_numpy() / 100
    return events
