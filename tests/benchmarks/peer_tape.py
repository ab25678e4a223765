"""The tape of the comparison with other engines: as markets in arrays, as a lake, and what came of it.

Every trade of the made-up tape stands in the lake as a quote a cent below and above its price, so that `mid`
fills at the price of the trade, as the other engines do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from tests.benchmarks import made_up
from tests.benchmarks.peer_job import I64, WINDOW, Fills, Market
from warehouse import Lake
from warehouse.tables import FEE_CHANGES, MARKETS, QUOTES

FILLS: Final = ("combination", "ticker", "at_us", "side", "cents", "count", "fee_cents")
PROFITS: Final = ("combination", "ticker", "profit_cents")
CENT_CC: Final = 100
_THURSDAY: Final = 4
_APART_US: Final = 2  # least time between two trades of a market: orders arrive after 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """Fills and profits of all combinations, one row per FILLS and PROFITS, in that order of columns."""

    fills: pl.DataFrame
    profits: pl.DataFrame

    def __post_init__(self) -> None:
        assert self.fills.columns == list(FILLS)
        assert self.profits.columns == list(PROFITS)

    def equals(self, other: "Outcome") -> bool:
        """Tell whether every fill and every profit is the same, in whatever order; no profit is like zero."""
        is_moved = pl.col("profit_cents") != 0
        return _sorted(self.fills).equals(_sorted(other.fills)) and _sorted(
            self.profits.filter(is_moved)
        ).equals(_sorted(other.profits.filter(is_moved)))


def _sorted(rows: pl.DataFrame) -> pl.DataFrame:
    whole = rows.with_columns(pl.exclude("ticker").cast(pl.Int64))
    return whole.sort([name for name in ("combination", "ticker", "at_us") if name in rows.columns])


@dataclass(frozen=True, slots=True)
class Tape:
    """Trades (ticker, at_us, cents) by ticker and time, and what each market settled at."""

    trades: pl.DataFrame
    settled: pl.DataFrame

    def of(self, tickers: Sequence[str]) -> "Tape":
        """Return the tape of some markets only."""
        wanted = pl.col("ticker").is_in(list(tickers))
        return Tape(self.trades.filter(wanted), self.settled.filter(wanted))

    def markets(self) -> dict[str, tuple[Market, I64]]:
        """Return each market with the times of its trades."""
        settled = dict(self.settled.iter_rows())
        return {
            ticker: (Market(each, _dips(each), settled[ticker]), rows["at_us"].to_numpy())
            for (ticker,), rows in self.trades.group_by("ticker", maintain_order=True)
            for each in [rows["cents"].to_numpy()]
            if isinstance(ticker, str)
        }


def made_up_tape(n_trades: int) -> Tape:
    """Return about `n_trades` trades of 2,000 markets, from 2 to 98 cents.

    None on Thursdays from 03:00 to 05:00 in New York: nothing trades in the exchange's weekly maintenance,
    which our engine knows and the others do not.
    """
    made = made_up.trades(n_trades)
    spread_us = _APART_US * pl.int_range(pl.len()).over("ticker")
    trades = made.select(
        "ticker",
        at_us=pl.col("event_ts").dt.epoch("us") + spread_us,
        cents=(pl.col("yes_price_cc").cast(pl.Int64) // CENT_CC).clip(2, 98),
    )
    there = pl.col("at_us").cast(pl.Datetime("us", "UTC")).dt.convert_time_zone("America/New_York")
    is_maintenance = (there.dt.weekday() == _THURSDAY) & there.dt.hour().is_between(3, 4)
    trades = trades.filter(is_maintenance.not_())
    settled_cents = pl.col("settlement_value_cc").cast(pl.Int64) // CENT_CC
    return Tape(trades, made_up.markets().select("ticker", settled_cents=settled_cents))


def lake_of(tape: Tape, folder: Path) -> Lake:
    """Commit the tape day by day and return its lake."""
    lake = Lake(folder)
    is_there = pl.col("ticker").is_in(tape.settled["ticker"].to_list())
    lake.commit(MARKETS, made_up.markets().filter(is_there))
    lake.commit(FEE_CHANGES, made_up.fee_changes())
    rows = tape.trades.select(
        "ticker",
        session=pl.lit("made-up"),
        event_ts=pl.col("at_us").cast(pl.Datetime("us", "UTC")),
        received_ts=pl.col("at_us").cast(pl.Datetime("us", "UTC")),
        bid_cc=(pl.col("cents") * CENT_CC - CENT_CC).cast(pl.Int32),
        ask_cc=(pl.col("cents") * CENT_CC + CENT_CC).cast(pl.Int32),
        source=pl.lit("made-up"),
    )
    for _, day in rows.group_by(pl.col("event_ts").dt.date(), maintain_order=True):
        lake.commit(QUOTES, day)
    return lake


def with_dips(quotes: pl.LazyFrame) -> pl.LazyFrame:
    """Add cents and `dip` as in `peer_job.DIPS` to quotes that are sorted by ticker and time."""
    cents = (pl.col("bid_cc") + pl.col("ask_cc")) // (2 * CENT_CC)
    has_window = pl.col("ticker") == pl.col("ticker").shift(WINDOW - 1)
    dip = pl.when(has_window).then(cents.rolling_sum(WINDOW) - WINDOW * cents).otherwise(0)
    return quotes.with_columns(cents=cents.cast(pl.Int8), dip=dip.fill_null(0).cast(pl.Int16))


def outcome_of(tickers: Sequence[str], times: Sequence[I64], fills: Fills, profit_cents: I64) -> Outcome:
    """Name the markets of what another engine found: `profit_cents` by market and combination."""
    names = np.array(tickers)
    starts = np.cumsum([0, *map(len, times)])
    at_us = np.concatenate(times)[starts[fills["market"]] + fills["row"]]
    rows = {name: fills[name] for name in ("combination", "side", "cents", "count", "fee_cents")}
    found = pl.DataFrame({"ticker": pl.Series(names[fills["market"]]), "at_us": at_us, **rows}).select(FILLS)
    n_markets, n_combinations = profit_cents.shape
    profits = pl.DataFrame(
        {
            "combination": np.tile(np.arange(n_combinations), n_markets),
            "ticker": pl.Series(np.repeat(names, n_combinations)),
            "profit_cents": profit_cents.reshape(-1),
        }
    )
    return Outcome(found, profits)


def _dips(cents: I64) -> I64:
    sums = np.cumsum(cents)
    sums[WINDOW:] -= np.cumsum(cents)[:-WINDOW]
    dips = sums - WINDOW * cents
    dips[: WINDOW - 1] = 0
    return dips
