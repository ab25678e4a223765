"""Tapes from a seed: thousands of markets, a few of them busy, as rows of the lake's tables.

Zipf's law says how busy a market is (the largest of 2,000 has one trade in eight); prices wander in whole
cents, sizes are mostly small, ids are random UUIDs, times are microseconds. Real prices repeat more and real
times come in bursts, so that bytes per row are measured on real tapes as well.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from exchange.units import CONTRACT_CENTI, DOLLAR_CC, to_us
from warehouse import tables

SEED: Final = 20261122
START_TS: Final = datetime(2026, 3, 2, tzinfo=UTC)
DAYS: Final = 10
N_MARKETS: Final = 2_000
SERIES: Final = "KXMADEUP"
_DAY_US: Final = 86_400_000_000
_CENT_CC: Final = 100
_HEX: Final = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
_UUID_DIGITS: Final = np.delete(np.arange(36), [8, 13, 18, 23])


def tickers() -> list[str]:
    """Return the names of the markets, busiest first; every market is an event of its own."""
    return [f"{SERIES}-{each:04d}-YES" for each in range(N_MARKETS)]


def trades(n_trades: int) -> pl.DataFrame:
    """Return about `n_trades` rows per `tables.TRADES`, sorted by (ticker, event_ts)."""
    rng = np.random.default_rng(SEED)
    weights = 1 / np.arange(1, N_MARKETS + 1)
    n_by_market = np.maximum(2, (n_trades * weights / weights.sum()).astype(np.int64))
    market = np.repeat(np.arange(N_MARKETS), n_by_market)
    n = len(market)
    lasting_us = rng.integers(1, DAYS + 1, N_MARKETS) * _DAY_US
    opened_us = (rng.random(N_MARKETS) * (DAYS * _DAY_US - lasting_us)).astype(np.int64)
    at_us = to_us(START_TS) + opened_us[market] + (rng.random(n) * lasting_us[market]).astype(np.int64)
    at_us = at_us[np.lexsort((at_us, market))]
    steps = np.where(rng.random(n) < 0.4, rng.choice(np.array([-1, 1]), n), 0)
    cents = 1 + np.abs((np.cumsum(steps) + 20 * market) % 196 - 98)
    contracts = np.ceil(rng.pareto(1.1, n) * 6 + 0.01).clip(1, 20_000).astype(np.int64)
    return pl.DataFrame(
        {
            "trade_id": pl.Series(pa.array(uuids(rng, n))),
            "ticker": pl.Series(np.array(tickers())[np.arange(N_MARKETS)]).gather(market),
            "event_ts": moments(at_us),
            "yes_price_cc": pl.Series(cents * _CENT_CC, dtype=pl.Int32),
            "count_centi": contracts * CONTRACT_CENTI,
            "taker_side": pl.Series(["no", "yes"]).gather(rng.integers(0, 2, n)),
            "source": pl.repeat("made-up", n, eager=True),
        }
    )


def quotes(tape: pl.DataFrame) -> pl.DataFrame:
    """Return a top of book per trade, per `tables.QUOTES`: 40 ms after it, known 20 ms later."""
    price, noise = pl.col("yes_price_cc"), pl.col("event_ts").dt.epoch("us") % 2
    event_ts = pl.col("event_ts") + timedelta(milliseconds=40)
    return tape.select(
        "ticker",
        session=pl.lit("made-up"),
        event_ts=event_ts,
        received_ts=event_ts + timedelta(milliseconds=20),
        bid_cc=pl.when(price > 2 * _CENT_CC).then(price - _CENT_CC * (1 + noise)).cast(pl.Int32),
        bid_size_centi=pl.col("count_centi") * 3,
        ask_cc=pl.when(price < DOLLAR_CC - 2 * _CENT_CC).then(price + _CENT_CC).cast(pl.Int32),
        ask_size_centi=pl.col("count_centi") * 2,
        last_price_cc=price,
        source=pl.lit("made-up"),
    )


def markets() -> pl.DataFrame:
    """Return the markets with their results, per `tables.MARKETS`: all settle when the tape ends."""
    close_ts = START_TS + timedelta(days=DAYS, minutes=1)
    rng = np.random.default_rng(SEED + 1)
    is_yes = rng.random(N_MARKETS) < 0.5
    return pl.DataFrame(
        {
            "ticker": tickers(),
            "observed_ts": [close_ts + timedelta(hours=2)] * N_MARKETS,
            "event_ticker": [each.removesuffix("-YES") for each in tickers()],
            "series_ticker": [SERIES] * N_MARKETS,
            "market_type": ["binary"] * N_MARKETS,
            "open_ts": [START_TS] * N_MARKETS,
            "close_ts": [close_ts] * N_MARKETS,
            "status": ["finalized"] * N_MARKETS,
            "result": ["yes" if won else "no" for won in is_yes],
            "settlement_value_cc": [DOLLAR_CC if won else 0 for won in is_yes],
            "settlement_ts": [close_ts + timedelta(hours=1)] * N_MARKETS,
            "price_level_structure": ["linear_cent"] * N_MARKETS,
            "source": ["made-up"] * N_MARKETS,
        },
        schema_overrides={
            name: dtype
            for name, dtype in tables.MARKETS.polars_schema.items()
            if name in ("observed_ts", "open_ts", "close_ts", "settlement_ts", "settlement_value_cc")
        },
    )


def fee_changes() -> pl.DataFrame:
    """Return the one fee of the series, per `tables.FEE_CHANGES`."""
    return pl.DataFrame(
        {
            "scope": ["series"],
            "ticker": [SERIES],
            "effective_ts": pl.Series([START_TS - timedelta(days=30)], dtype=pl.Datetime("us", "UTC")),
            "fee_type": ["quadratic"],
            "fee_multiplier_ppm": [1_000_000],
            "change_id": ["made-up-1"],
            "source": ["made-up"],
        }
    )


def moments(at_us: npt.NDArray[np.int64]) -> pl.Series:
    return pl.Series(at_us).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def uuids(rng: np.random.Generator, n: int) -> pa.StringArray:
    """Return n random ids of 36 characters, built as one buffer."""
    raw = np.frombuffer(rng.bytes(16 * n), dtype=np.uint8).reshape(n, 16)
    text = np.full((n, 36), ord("-"), dtype=np.uint8)
    digits = np.empty((n, 32), dtype=np.uint8)
    digits[:, 0::2], digits[:, 1::2] = _HEX[raw >> 4], _HEX[raw & 15]
    text[:, _UUID_DIGITS] = digits
    offsets = np.arange(0, 36 * (n + 1), 36, dtype=np.int32)
    return pa.StringArray.from_buffers(n, pa.py_buffer(offsets), pa.py_buffer(text))
