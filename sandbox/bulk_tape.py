"""Millions of trades as arrays, by rank: when, of which market, at what price, and from when on they show."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from exchange.trades import Trade
from exchange.units import from_us
from sandbox.bulk_plan import (
    HOUR_US,
    MINUTE_US,
    NEVER_US,
    PAUSE_US,
    BulkPlan,
    BulkSize,
    Flags,
    Ranks,
    Times,
)

LOWEST_CC: Final = 100
SPREAD_CC: Final = 9_800  # prices wander between one cent and 99
LATE_SHARE: Final = 0.005
VERY_LATE_SHARE: Final = 0.05  # of those
LATE_US: Final = 100 * MINUTE_US
VERY_LATE_US: Final = 20 * HOUR_US
SAME_TIME, YES, BLOCK, FRACTION = 0.15, 0.5, 0.002, 0.2  # shares of all trades


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkTrades:
    """One row a trade in ascending time, and where each market's trades are.

    A trade shows from `shown_us` on, which is its own time unless it is late. `of_market` holds the ranks of
    all trades market by market, ascending; those of market m are `of_market[first[m]:first[m + 1]]`, and
    `volume_centi` is the running sum of counts in that order.
    """

    time_us: Times
    shown_us: Times
    market: Ranks
    price_cc: npt.NDArray[np.int16]
    count_centi: Ranks
    is_yes: Flags
    is_block: Flags
    ids: npt.NDArray[np.uint8]  # 16 bytes a trade
    of_market: Ranks
    first: Times
    volume_centi: Times
    market_time_us: Times  # time_us in the order of `of_market`

    def __len__(self) -> int:
        return len(self.time_us)

    def n_until(self, market: int, time_us: int) -> int:
        """Return how many trades a market had up to an instant, that instant included."""
        first, end = int(self.first[market]), int(self.first[market + 1])
        return int(np.searchsorted(self.market_time_us[first:end], time_us, side="right"))

    def volume_until(self, market: int, n: int) -> int:
        """Return the hundredths of contracts of a market's first `n` trades."""
        if not n:
            return 0
        first = int(self.first[market])
        before = int(self.volume_centi[first - 1]) if first else 0
        return int(self.volume_centi[first + n - 1]) - before

    def price_of(self, market: int, nth: int) -> int:
        """Return the price in centicents of a market's `nth` trade, counted from 0."""
        return int(self.price_cc[self.of_market[int(self.first[market]) + nth]])


class BulkTape:
    """Trades of some ranks; what is late or still to come is counted but not shown, so ranks never change."""

    def __init__(self, trades: BulkTrades, tickers: Sequence[str], ranks: Ranks | None, now_us: int) -> None:
        self._trades = trades
        self._tickers = tickers
        self._ranks = ranks
        self._times_us = trades.time_us if ranks is None else trades.time_us[ranks]
        self._now_us = now_us

    def span(self, start_us: int, end_us: int) -> tuple[int, int]:
        """Return the ranks `[first, end)` of trades whose time lies in `[start_us, end_us)`."""
        end_us = min(end_us, self._now_us + 1)
        first = int(np.searchsorted(self._times_us, start_us))
        return first, max(first, int(np.searchsorted(self._times_us, end_us)))

    def rows(self, first: int, end: int) -> Sequence[Trade]:
        """Return the trades of ranks `[first, end)` that show by now, oldest first."""
        ranks = (
            np.arange(first, min(end, len(self._times_us))) if self._ranks is None else self._ranks[first:end]
        )
        t = self._trades
        ranks = ranks[t.shown_us[ranks] <= self._now_us]
        columns = (t.time_us, t.market, t.price_cc, t.count_centi, t.is_yes, t.is_block)
        lines = zip(t.ids[ranks], *(column[ranks].tolist() for column in columns), strict=True)
        return [
            Trade(
                trade_id=uuid_of(raw),
                ticker=self._tickers[market],
                created_ts=from_us(time_us),
                yes_price_cc=price_cc,
                count_centi=count_centi,
                taker_side="yes" if is_yes else "no",
                is_block_trade=is_block,
            )
            for raw, time_us, market, price_cc, count_centi, is_yes, is_block in lines
        ]


def uuid_of(raw: npt.NDArray[np.uint8]) -> str:
    """Print sixteen bytes as an identifier."""
    digits = raw.tobytes().hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def draw_trades(size: BulkSize, plan: BulkPlan) -> BulkTrades:
    """Draw all trades between the plan's start and end: exactly `n_trades`, most of them in a few markets."""
    rng = np.random.default_rng((size.seed, 2))
    opens_us, until_us = _trading(plan)
    pause_us = np.where((opens_us <= plan.pause_us) & (plan.pause_us < until_us), plan.pause_us, NEVER_US)
    span_us = until_us - opens_us - np.where(pause_us < NEVER_US, PAUSE_US, 0)
    weight = np.where(span_us > MINUTE_US, plan.weight, 0.0)
    n_of = rng.multinomial(size.n_trades, weight / weight.sum()) if weight.sum() > 0 else weight.astype(int)
    market = np.repeat(np.arange(plan.n_markets, dtype=np.int32), n_of)
    n = len(market)
    time_us = opens_us[market] + (rng.random(n) * span_us[market]).astype(np.int64)
    time_us += np.where(time_us >= pause_us[market], PAUSE_US, 0)
    # One order that meets many prints them all at one time.
    shares = np.flatnonzero((rng.random(n) < SAME_TIME)[1:] & (market[1:] == market[:-1])) + 1
    time_us[shares] = time_us[shares - 1]
    order = np.lexsort((time_us, market))
    time_us = time_us[order]
    price_cc = _prices_cc(rng, market, n_of)
    by_time = np.argsort(time_us, kind="stable")
    of_market = np.empty(n, np.int32)
    of_market[by_time] = np.arange(n, dtype=np.int32)
    count_centi = _counts_centi(rng, n)
    volume_centi = np.cumsum(count_centi[of_market], dtype=np.int64)
    return BulkTrades(
        time_us=time_us[by_time],
        shown_us=time_us[by_time] + _lateness_us(rng, n),
        market=market[by_time],
        price_cc=price_cc[by_time],
        count_centi=count_centi,
        is_yes=rng.random(n) < YES,
        is_block=rng.random(n) < BLOCK,
        ids=_uuids(rng, n),
        of_market=of_market,
        first=np.concatenate([[0], np.cumsum(n_of)]).astype(np.int64),
        volume_centi=volume_centi,
        market_time_us=time_us,
    )


def _trading(plan: BulkPlan) -> tuple[Times, Times]:
    """Return from when until when each market trades within the plan; a pause at either end cuts it off."""
    opens_us = np.maximum(plan.open_us, plan.start_us)
    until_us = np.minimum(plan.close_us, plan.end_us)
    paused_until_us = np.where(plan.pause_us < NEVER_US, plan.pause_us + PAUSE_US, NEVER_US)
    is_paused_at_first = (plan.pause_us < opens_us) & (opens_us < paused_until_us)
    is_paused_at_last = (plan.pause_us < until_us) & (until_us <= paused_until_us)
    return (
        np.where(is_paused_at_first, paused_until_us, opens_us),
        np.where(is_paused_at_last, plan.pause_us, until_us),
    )


def _prices_cc(rng: np.random.Generator, market: Ranks, n_of: Times) -> npt.NDArray[np.int16]:
    """Let each market's price wander in whole cents from a place of its own, thrown back at the edges."""
    steps_cc = 100 * rng.integers(-2, 3, len(market))
    walked_cc = np.cumsum(steps_cc)
    ends = np.cumsum(n_of)
    before_cc = np.concatenate([[0], walked_cc])[ends - n_of]
    starts_cc = 100 * rng.integers(0, SPREAD_CC // 100, len(n_of))
    free_cc = (walked_cc - before_cc[market] + starts_cc[market]) % (2 * SPREAD_CC)
    prices_cc: npt.NDArray[np.int16] = (LOWEST_CC + np.abs(free_cc - SPREAD_CC)).astype(np.int16)
    return prices_cc


def _counts_centi(rng: np.random.Generator, n: int) -> Ranks:
    """Draw sizes: mostly a few whole contracts, one in five a fraction."""
    whole = 100 * np.ceil(rng.lognormal(2.0, 1.3, n)).astype(np.int32)
    return np.where(rng.random(n) < FRACTION, rng.integers(1, 5_000, n), whole).astype(np.int32)


def _lateness_us(rng: np.random.Generator, n: int) -> Times:
    late_us = np.minimum(rng.exponential(20 * MINUTE_US, n).astype(np.int64), LATE_US)
    late_us = np.where(rng.random(n) < VERY_LATE_SHARE, rng.integers(LATE_US, VERY_LATE_US, n), late_us)
    return np.where(rng.random(n) < LATE_SHARE, late_us, 0)


def _uuids(rng: np.random.Generator, n: int) -> npt.NDArray[np.uint8]:
    ids = np.frombuffer(rng.bytes(16 * n), np.uint8).reshape(n, 16).copy()
    ids[:, 6] = ids[:, 6] & 0x0F | 0x40  # version 4
    ids[:, 8] = ids[:, 8] & 0x3F | 0x80
    return ids
