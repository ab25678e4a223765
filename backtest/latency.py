"""How long orders are under way: one length for all, or lengths that were measured, drawn with a seed.

What is drawn for an order depends on the seed, its market, its time and its place among the orders of that
instant: the same order has the same latency under every parameter row, and on every machine.
"""

import hashlib
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import numpy as np
import polars as pl

from backtest.errors import PlanError, kind_of
from backtest.kernels.arrays import I64
from exchange.errors import UnitError
from exchange.units import parse_duration

FEED: Final = "100ms"  # until a policy knows, where nothing is said
_US: Final = timedelta(microseconds=1)
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Latency:
    """Lengths in microseconds, sorted, each as likely as the others."""

    lengths_us: tuple[int, ...]
    seed: int = 0

    def __str__(self) -> str:
        """Say it for a report."""
        if len(self.lengths_us) == 1:
            return f"{_ms(self.lengths_us[0])} ms"
        low, middle, high = np.quantile(self.lengths_us, (0, 0.5, 1), method="nearest")
        return (
            f"{_ms(low)} to {_ms(high)} ms (half within {_ms(middle)} ms), drawn from "
            f"{len(self.lengths_us):,} measured lengths with seed {self.seed},"
        )

    @property
    def is_one(self) -> bool:
        """Tell whether every order is under way for equally long."""
        return len(self.lengths_us) == 1

    @property
    def told(self) -> int | dict[str, Any]:
        """What a manifest says: the one length in microseconds, or what identifies the measured ones."""
        if len(self.lengths_us) == 1:
            return self.lengths_us[0]
        digest = hashlib.sha256(repr(self.lengths_us).encode()).hexdigest()
        return {"n": len(self.lengths_us), "sha256": digest, "seed": self.seed}

    def longer(self, times: int) -> "Latency":
        """Return the same latencies, each so many times as long."""
        return Latency(tuple(times * each for each in self.lengths_us), self.seed)

    def of(self, intents: pl.DataFrame) -> I64:
        """Return how long each order is under way, in microseconds; `intents` has ticker and known_ts."""
        lengths = np.array(self.lengths_us, np.int64)
        if len(lengths) == 1:
            return np.full(intents.height, lengths[0], np.int64)
        names = intents["ticker"].unique()
        marks = pl.DataFrame({"ticker": names, "mark": [zlib.crc32(each.encode()) for each in names]})
        keys = intents.select(
            "ticker",
            at_us=pl.col("known_ts").dt.epoch("us"),
            place=pl.int_range(pl.len()).over("ticker", "known_ts"),
        ).join(marks, on="ticker", how="left", maintain_order="left")
        mixed = np.full(intents.height, self.seed, np.uint64)
        for name in ("mark", "at_us", "place"):
            mixed = _mixed(mixed ^ keys[name].cast(pl.Int64).to_numpy().astype(np.uint64))
        drawn: I64 = lengths[(mixed % np.uint64(len(lengths))).astype(np.int64)]
        return drawn

    def drawn(self, n: int) -> I64:
        """Return lengths in microseconds to use in turn: the one there is, or n drawn with the seed."""
        lengths = np.array(self.lengths_us, np.int64)
        if len(lengths) == 1:
            return lengths
        mixed = _mixed(_mixed(np.full(n, self.seed, np.uint64)) ^ np.arange(n, dtype=np.uint64))
        return lengths[(mixed % np.uint64(len(lengths))).astype(np.int64)]


def sample_latency(measured: Iterable[timedelta | str | None], *, seed: int = 0) -> Latency:
    """Return latencies to draw from: what was measured, one length for each observation.

    A column of durations will do, as from the recorder's clock and the exchange's; nulls are left out.

    Raises:
        PlanError: nothing was measured, or a length is not more than 0: no order arrives before it is sent.
    """
    if isinstance(measured, str) or not isinstance(measured, Iterable):
        raise PlanError(f"latency: {kind_of(measured)} is no list: give all lengths that were measured")
    lengths = tuple(sorted(as_us("latency", each) for each in measured if each is not None))
    if not lengths:
        raise PlanError("latency: no measured lengths to draw from")
    if lengths[0] <= 0:
        raise PlanError(
            f"latency: {_ms(lengths[0])} ms was measured, but nothing arrives before it is sent: correct for "
            "the offset between the clocks first"
        )
    if not isinstance(seed, int) or seed < 0:
        raise PlanError(f"latency: seed={seed!r} should be a whole number, 0 or more")
    return Latency(lengths, seed)


def read_latency(latency: "str | timedelta | Latency") -> Latency:
    """Return what the argument of `bt.run` says.

    Raises:
        PlanError: no length of time, or not more than 0.
    """
    if isinstance(latency, Latency):
        return latency
    length = as_us("latency", latency)
    if length <= 0:
        raise PlanError("latency must be more than 0: nobody trades on the row that they are reading")
    return Latency((length,))


def read_feed(feed: "str | timedelta | Latency | None") -> Latency:
    """Return what the argument of `bt.run` says; FEED where it says nothing.

    Raises:
        PlanError: no length of time, or a negative one.
    """
    if isinstance(feed, Latency):
        return feed
    length = as_us("feed", FEED if feed is None else feed)
    if length < 0:
        raise PlanError("feed must not be negative: nothing is known before it happens")
    return Latency((length,))


def as_us(name: str, value: Any) -> int:  # noqa: ANN401 -- a user's argument
    """Return a length of time in microseconds.

    Raises:
        PlanError: it is none.
    """
    if not isinstance(value, str | timedelta):
        raise PlanError(f"{name}={value!r}: write a length of time such as '250ms', or give a timedelta")
    try:
        length = parse_duration(value) if isinstance(value, str) else value
    except UnitError as error:
        raise PlanError(f"{name}: {error}") from error
    return length // _US


def _ms(length_us: int) -> str:
    return f"{int(length_us) / 1_000:g}"


def _mixed(values: "np.ndarray[Any, np.dtype[np.uint64]]") -> "np.ndarray[Any, np.dtype[np.uint64]]":
    """Return SplitMix64 of each value (Steele, Lea and Flood, 2014)."""
    z = values + _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
