"""A made-up tape, one day at a time, each day from the seed alone: any number of rows fits in memory.

100,000 markets a year live a week on average, some 2,000 on any one day, and Zipf's law says how busy
each is. The rest follows what three real tapes of macro markets show (24,803, 16,281 and 1,305 trades of
2022 to 2025): 30 % of trades have the time of the one before, 50 % its price, 24 % the other side; half
the sizes are round numbers. One size in eight is fractional and one market in five has ticks of a tenth
of a cent, as on the stream since 2026.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from exchange.units import to_us
from tests.benchmarks.made_up import moments, uuids

SEED: Final = 20261126
FIRST: Final = date(2025, 9, 1)
ROWS_A_DAY: Final = 50_000  # of a tape too short to fill a year
N_MARKETS: Final = 100_000  # in a year
N_ORDERS: Final = 1_000_000
_YEAR: Final = 365
_LIFE_DAYS: Final = 7
_DAY_US: Final = 86_400_000_000
_DOLLAR_TENTHS: Final = 1_000  # tenths of a cent
OFTEN_DAYS: Final = 36  # one day in so many comes in many windows instead of one, the last ones of the tape
N_BATCHES: Final = 48  # windows of such a day
_STRETCH: Final = timedelta(days=1) / N_BATCHES
_AFTER: Final = timedelta(minutes=1)  # from the end of a window until it is asked for
_ROUND: Final = np.array([1, 2, 3, 4, 5, 10, 20, 25, 50, 100, 200, 500])
_ROUND_WEIGHTS: Final = np.array([22, 11, 7, 6, 11, 15, 7, 5, 6, 7, 2, 1]) / 100
_STEPS: Final = np.array([0, -1, 1, -2, 2, -3, 3])
_STEP_WEIGHTS: Final = np.array([29, 20, 20, 9, 9, 6.5, 6.5]) / 100  # of trades that do not repeat


@dataclass(frozen=True, slots=True)
class Year:
    """A tape of about `n_rows` trades; fewer than eighteen million are the first weeks of a year."""

    n_rows: int

    @property
    def n_days(self) -> int:
        """How many days it has, each of them with trades."""
        return min(_YEAR, max(2, self.n_rows // ROWS_A_DAY))

    def is_often(self, number: int) -> bool:
        """Tell whether a day comes in many windows, each with a `fetched_ts` of its own, as ingest stamps."""
        return number >= self.n_days - max(1, self.n_days // OFTEN_DAYS)

    def trades(self, number: int) -> pl.DataFrame:
        """Return day `number` per `tables.TRADES`, in the order in which it happened."""
        rng = np.random.default_rng([SEED, number])
        open_markets = _open_on(number)
        weights = _weights()[: self.n_days]
        n = round(self.n_rows * weights[number] / weights.sum())
        market = np.sort(rng.choice(len(open_markets), n, p=_zipf(len(open_markets))))
        at_us, is_repeat = _times(rng, market)
        taker_no = np.cumsum(rng.random(n) < 0.24) % 2
        start_us = to_us(midnight(number))
        rows = pl.DataFrame(
            {
                "trade_id": pl.Series(pa.array(uuids(rng, n))),
                "ticker": pl.Series(tickers(open_markets)).gather(market),
                "event_ts": moments(start_us + at_us),
                "yes_price_cc": _prices_cc(rng, market, open_markets, is_repeat),
                "count_centi": _sizes(rng, n),
                "taker_side": pl.Series(["yes", "no"]).gather(taker_no),
                "is_block_trade": rng.random(n) < 0.001,
                "source": pl.repeat("rest", n, eager=True),
            }
        ).sort("event_ts")
        window = _STRETCH if self.is_often(number) else timedelta(days=1)
        fetched_ts = pl.col("event_ts").dt.truncate(window) + (window + _AFTER)
        return rows.with_columns(fetched_ts=fetched_ts)

    def orders(self, number: int) -> pl.DataFrame:
        """Return (ticker, at_ts) of day `number`'s share of a million orders, sorted by both."""
        rng = np.random.default_rng([SEED, number, 1])
        open_markets = _open_on(number)
        n = N_ORDERS // self.n_days + (number < N_ORDERS % self.n_days)
        market = rng.choice(len(open_markets), n, p=_zipf(len(open_markets)))
        at_us = to_us(midnight(number)) + rng.integers(0, _DAY_US, n)
        return pl.DataFrame(
            {"ticker": pl.Series(tickers(open_markets)).gather(market), "at_ts": moments(at_us)}
        ).sort("ticker", "at_ts")


def markets() -> pl.DataFrame:
    """Return the year's markets per `tables.MARKETS`, as far as readers of trades look at them."""
    opened, closed = _lives()
    names = tickers(np.arange(N_MARKETS))
    close_ts = pl.Series([midnight(each) for each in closed.tolist()], dtype=pl.Datetime("us", "UTC"))
    return pl.DataFrame(
        {
            "ticker": names,
            "observed_ts": close_ts,
            "event_ticker": [each.rpartition("-")[0] for each in names],
            "series_ticker": [each.partition("-")[0] for each in names],
            "market_type": pl.repeat("binary", N_MARKETS, eager=True),
            "open_ts": pl.Series(
                [midnight(each) for each in opened.tolist()], dtype=pl.Datetime("us", "UTC")
            ),
            "close_ts": close_ts,
            "status": pl.repeat("closed", N_MARKETS, eager=True),
            "source": pl.repeat("rest", N_MARKETS, eager=True),
        }
    )


def batches(rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield a day in equal stretches of time, as a sync that runs often sees it."""
    for _, each in rows.group_by(pl.col("event_ts").dt.truncate(_STRETCH), maintain_order=True):
        yield each


def midnight(number: int) -> datetime:
    """Return the start of day `number`."""
    return datetime.combine(FIRST, datetime.min.time(), UTC) + timedelta(days=number)


@cache
def busy_market(number: int, rank: int) -> str:
    """Return the ticker of the market that is `rank`th by trades on day `number`."""
    return tickers(_open_on(number))[rank]


def tickers(markets: npt.NDArray[np.int64]) -> list[str]:
    """Return names as long as real ones."""
    return [f"KX{each % 997:03d}MADEUP-25{each % 365:03d}-T{each:06d}" for each in markets.tolist()]


def _open_on(number: int) -> npt.NDArray[np.int64]:
    """Return the markets that trade on a day, in the order of how busy they are."""
    opened, closed = _lives()
    return np.flatnonzero((opened <= number) & (number < closed))


@cache
def _lives() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the first day of every market and the day after its last."""
    rng = np.random.default_rng(SEED)
    opened = rng.integers(-_LIFE_DAYS, _YEAR, N_MARKETS)
    return opened, opened + rng.geometric(1 / _LIFE_DAYS, N_MARKETS)


def _weights() -> npt.NDArray[np.float64]:
    """Return how busy each day of the year is: some have three times the trades of others."""
    found: npt.NDArray[np.float64] = np.random.default_rng(SEED + 1).lognormal(0, 0.3, _YEAR)
    return found


def _zipf(n: int) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = 1 / np.arange(1, n + 1)
    found /= found.sum()
    return found


def _times(
    rng: np.random.Generator, market: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return times within the day, ascending in each market, and which repeat the one before."""
    n = len(market)
    at_us = rng.integers(0, _DAY_US, n)
    at_us = at_us[np.lexsort((at_us, market))]
    is_repeat = rng.random(n) < 0.3
    is_repeat[0] = False
    is_repeat[1:] &= market[1:] == market[:-1]
    return at_us[np.maximum.accumulate(np.where(is_repeat, 0, np.arange(n)))], is_repeat


def _prices_cc(
    rng: np.random.Generator,
    market: npt.NDArray[np.int64],
    open_markets: npt.NDArray[np.int64],
    is_repeat: npt.NDArray[np.bool_],
) -> pl.Series:
    """Walk between 1 and 999 tenths of a cent; trades of one market and moment have one price."""
    is_fine = open_markets[market] % 5 == 0
    steps = rng.choice(_STEPS, len(market), p=_STEP_WEIGHTS) * np.where(is_fine, 1, 10)
    steps[is_repeat] = 0
    begun = (open_markets[market] * 7_919) % 99 * 10
    lowest = np.where(is_fine, 1, 10)
    span = _DOLLAR_TENTHS - 2 * lowest
    walked = lowest + np.abs((np.cumsum(steps) // lowest * lowest + begun) % (2 * span) - span)
    return pl.Series(walked * 10, dtype=pl.Int32)


def _sizes(rng: np.random.Generator, n: int) -> npt.NDArray[np.int64]:
    """Return hundredths of a contract: half of them round, one in eight fractional."""
    odd = np.ceil(rng.pareto(0.9, n) * 12 + 0.01).clip(1, 20_000).astype(np.int64)
    whole = np.where(rng.random(n) < 0.5, rng.choice(_ROUND, n, p=_ROUND_WEIGHTS), odd) * 100
    return np.where(rng.random(n) < 0.125, whole + rng.integers(1, 100, n), whole)
