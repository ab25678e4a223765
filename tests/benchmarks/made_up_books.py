"""Made-up order books, one day at a time, each day from the seed alone: any number of changes fits in memory.

Two hundred markets a day are recorded on one connection, Zipf's law says how busy each is. Of every market
twenty cents a side are quoted around a price of its own; near levels change more, one change in four empties
its level, one size in eight is fractional. Books never cross, and no level goes below zero, so that any
replay of them can be held against any other. Three changes in ten share the instant of the one before.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from exchange.units import to_us
from tests.benchmarks.made_up import moments
from warehouse.tables import BOOK_SNAPSHOTS

SEED: Final = 20261126
FIRST: Final = date(2026, 9, 1)
N_MARKETS: Final = 200
DAYS_MAX: Final = 20
ROWS_A_DAY: Final = 5_000_000
N_LEVELS: Final = 20
SID: Final = 1
_DAY_US: Final = 86_400_000_000
_JOIN_US: Final = 1_000_000
_CENT_CC: Final = 100
_ROUND: Final = np.array([1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1_000])


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day per `tables.BOOK_SNAPSHOTS` and `tables.BOOK_DELTAS`, in the order in which it came."""

    snapshots: pl.DataFrame
    deltas: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Books:
    """Books of about `n_rows` changes."""

    n_rows: int

    @property
    def n_days(self) -> int:
        """How many days they take."""
        return min(DAYS_MAX, max(2, self.n_rows // ROWS_A_DAY))

    def day(self, number: int) -> Day:
        """Return day `number`."""
        rng = np.random.default_rng([SEED, number])
        weights = 1 / np.arange(1, N_MARKETS + 1)
        n = self.n_rows // self.n_days
        market = rng.choice(N_MARKETS, n, p=weights / weights.sum())
        is_no = rng.integers(0, 2, n)
        distance = np.minimum(rng.geometric(0.25, n) - 1, N_LEVELS - 1)
        level = (market * 2 + is_no) * N_LEVELS + distance
        first = _sizes(rng, N_MARKETS * 2 * N_LEVELS)
        delta = _deltas(level, first, np.where(rng.random(n) < 0.25, 0, _sizes(rng, n)))
        at_us = np.sort(rng.integers(_JOIN_US, _DAY_US, n))
        repeats = rng.random(n) < 0.3
        repeats[0] = False
        at_us = at_us[np.maximum.accumulate(np.where(repeats, 0, np.arange(n)))]
        late_us = rng.lognormal(9.9, 0.4, n).astype(np.int64)  # some 20 ms
        rows = pl.DataFrame(
            {
                "session": pl.repeat(session(number), n, eager=True),
                "sid": pl.repeat(SID, n, eager=True, dtype=pl.Int64),
                "ticker": pl.Series(tickers(number)).gather(market),
                "side": pl.Series(["yes", "no"]).gather(is_no),
                "price_cc": pl.Series(_prices_cc(market, is_no, distance), dtype=pl.Int32),
                "delta_centi": delta,
                "event_ts": moments(to_us(midnight(number)) + at_us),
                "received_ts": moments(to_us(midnight(number)) + np.maximum.accumulate(at_us + late_us)),
                "source": pl.repeat("made-up", n, eager=True),
            }
        )
        rows = rows.filter(pl.col("delta_centi") != 0).with_row_index("seq", offset=N_MARKETS + 1)
        deltas = rows.with_columns(pl.col("seq").cast(pl.Int64))
        return Day(snapshots=_snapshots(number, first), deltas=deltas)


def tickers(number: int) -> list[str]:
    """Return the markets of a day, busiest first."""
    return [f"KXMADEUP-{midnight(number):%y%b%d}-{each:03d}".upper() for each in range(N_MARKETS)]


def session(number: int) -> str:
    """Return the name of a day's connection."""
    return f"{midnight(number):%Y%m%d}T000000Z-made-up-1"


def midnight(number: int) -> datetime:
    """Return the start of day `number`."""
    return datetime.combine(FIRST, datetime.min.time(), UTC) + timedelta(days=number)


def _snapshots(number: int, first: npt.NDArray[np.int64]) -> pl.DataFrame:
    """Return every market's book as the recorder joins: all levels, prices ascending."""
    sizes = first.reshape(N_MARKETS, 2, N_LEVELS)[:, :, ::-1]
    far_first = np.arange(N_LEVELS)[::-1]
    market = np.arange(N_MARKETS)[:, None]
    columns: dict[str, pl.Series] = {}
    for is_no, side in enumerate(("yes", "no")):
        prices = _prices_cc(market, np.full_like(market, is_no), far_first[None, :])
        columns[f"{side}_prices_cc"] = pl.Series(prices.tolist(), dtype=_dtype(f"{side}_prices_cc"))
        columns[f"{side}_counts_centi"] = pl.Series(
            sizes[:, is_no].tolist(), dtype=_dtype(f"{side}_counts_centi")
        )
    return pl.DataFrame(
        {
            "ticker": tickers(number),
            "session": [session(number)] * N_MARKETS,
            "captured_ts": moments(np.full(N_MARKETS, to_us(midnight(number)))),
            "sid": [SID] * N_MARKETS,
            "seq": range(1, N_MARKETS + 1),
            **columns,
            "method": ["ws"] * N_MARKETS,
            "source": ["made-up"] * N_MARKETS,
        }
    )


def _dtype(column: str) -> pl.DataType:
    return BOOK_SNAPSHOTS.polars_schema[column]


def _prices_cc(
    market: npt.NDArray[np.int64], is_no: npt.NDArray[np.int64], distance: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return prices in the side's own terms: YES bids below a market's own cent, asks at it or above."""
    cents = 25 + market * 7 % 51
    return np.where(is_no == 1, 100 - cents - distance, cents - 1 - distance) * _CENT_CC


def _deltas(
    level: npt.NDArray[np.int64], first: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return by how much each new size differs from the last one of its level."""
    order = np.argsort(level, kind="stable")
    by_level, new = level[order], sizes[order]
    before = np.empty_like(new)
    before[1:] = new[:-1]
    is_first = np.append([True], by_level[1:] != by_level[:-1])
    before[is_first] = first[by_level[is_first]]
    delta = np.empty_like(new)
    delta[order] = new - before
    return delta


def _sizes(rng: np.random.Generator, n: int) -> npt.NDArray[np.int64]:
    """Return hundredths of a contract, all above zero."""
    odd = np.ceil(rng.pareto(0.9, n) * 12 + 0.01).clip(1, 20_000).astype(np.int64)
    whole = np.where(rng.random(n) < 0.5, rng.choice(_ROUND, n), odd) * 100
    return np.where(rng.random(n) < 0.125, whole + rng.integers(1, 100, n), whole)
