"""The exchange's reward for liquidity: a line of its own beside a run, never part of its result."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from backtest import incentives
from backtest.by_setting import SETTING, numbered, refuse_taken, settings_of, with_settings
from backtest.engine import opened
from backtest.incentives import PROGRAM_ROW
from backtest.kernels.arrays import I8, I32, I64, NEVER
from backtest.lifecycle import Grid
from backtest.results import Run
from backtest.saved import run_of
from backtest.venue import rules
from exchange.ticks import LINEAR_CENT, prices_on
from exchange.units import DOLLAR_CC, MICROS_PER_DOLLAR, to_us
from warehouse.rebuilding import changes
from warehouse.rebuilding.ops import DELTA, SPAN, ask_code, bid_code, yes_price_cc
from warehouse.rebuilding.reading import EXCHANGE, read_streams
from warehouse.storage import collected
from warehouse.tables import EVENTS, MARKETS

if TYPE_CHECKING:
    from backtest.engine import LakeReader

F64 = npt.NDArray[np.float64]

PROGRAM: Final = {**incentives.PROGRAM, "target_size_centi": pl.Int64(), "discount_factor_bps": pl.Int64()}
LIMIT: Final = {"max_reward_cc": pl.Int64()}  # null without one
LEAST_MICROS: Final = MICROS_PER_DOLLAR
_BPS: Final = 10_000
_MICROS_PER_CC: Final = 100
_MICROS_PER_CENT: Final = 10_000
_SAME_MICRO: Final = 1e-3  # a float this little below a whole one is meant to be one
_ANY_DELAY: Final = timedelta(hours=1)  # of payouts: after the close, whatever it is
_FIRST, _LAST = datetime(2021, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_SCORED: Final = {
    "known_us": pl.Int64(),
    "counted_us": pl.Int64(),
    "score": pl.Float64(),
    "reward_micros": pl.Int64(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How scores were made from `since` on.

    Attributes:
        since: programs that start from then on follow it.
        reference_part: the reference price is the first level at which this part of the target size is
            reached; None takes the best price.
        is_two_sided: only times at which both sides reach the target size count.
        is_scaled: the reward shrinks to the share of the program's time that counts.
    """

    since: datetime
    reference_part: int | None
    is_two_sided: bool
    is_scaled: bool


RULES: Final = (
    Rule(since=datetime(2025, 9, 15, tzinfo=UTC), reference_part=None, is_two_sided=False, is_scaled=False),
    Rule(since=datetime(2026, 2, 28, tzinfo=UTC), reference_part=None, is_two_sided=True, is_scaled=False),
    Rule(since=datetime(2026, 7, 30, tzinfo=UTC), reference_part=5, is_two_sided=True, is_scaled=True),
)


def liquidity_rewards(run: Run, lake: "LakeReader", programs: pl.DataFrame) -> pl.DataFrame:
    """Return what a run's waiting orders would have been rewarded with, program by program.

    The exchange looks at a book once a second, at a random moment, and on each side walks from the best price
    until the target size is reached. What rests on those levels scores its size, times the discount factor
    for each tick behind the reference price, the first level at which a fifth of the target size is reached.
    Our share of a moment is our part of each side's scores; the reward is divided by shares, times the part
    of the program's time that counts, and paid in whole cents, from $1 on. A moment counts while the market
    is open and both sides reach the target size, with a best price below the highest there is.

    Say that 20 of ours rest at $0.49 beside 5 at $0.50, 40 at $0.49 and 60 at $0.48, the target size is 100
    and the discount factor a half. At $0.49 a fifth of 100 is reached, so 5 + 60 + 60/2 = 95 score, 20 of
    them ours: 20/95 of one of two sides, and of a reward of $190 that is $20.

    Programs before 2026-07-30 had the best price as reference, and paid in full whatever counted; before
    2026-02-28 a side counted alone.
    Source: Kalshi's filings to the CFTC of 2025-09-08, of 2026-02-11 (in force since 2026-02-28) and of
    2026-07-15 as modified on 2026-07-30, and its help page on the program, as participants quote them (read
    2026-11-27); the exchange may change or end it at any time.

    The book is the recorded one with our orders added: whoever would have answered them did not. Times at
    which nobody knows the book, and those after the close, do not count; a pause of trading does, as the book
    stands. What an order lost for want of cash counts as lost from the start. A market whose price grid is
    not on record is taken to have whole cents.

    Args:
        run: what happened; its frames stay as they are.
        lake: where the books of the markets are.
        programs: ticker, start_ts, end_ts (excluded), period_reward_cc, target_size_centi and
            discount_factor_bps, and if you like max_reward_cc, as `bt.reward_programs` makes them; of a
            column incentive_type, "liquidity" alone counts.

    Returns:
        The parameters, then ticker, start_ts, end_ts, known_us (how long the book is known within that time),
        counted_us (how long it counts), score (our share of all scores, 0..1) and reward_micros; a row for
        each program in whose time and market an order of ours waited, by parameters, then as given.

    Raises:
        PlanError: no run or lake; a parameter called like one of these columns; or programs lack a column,
            have it in another kind, or those of markets in which an order waited cannot be meant.
    """
    run = run_of(run)
    refuse_taken(run.param_names, ("start_ts", "end_ts", *_SCORED), "rewards")
    settings = settings_of(run)
    waited = _waited(run, settings)
    known = incentives.program_rows(programs, "liquidity", PROGRAM, LIMIT, among=waited["ticker"].unique())
    known = known.with_row_index(PROGRAM_ROW)
    books = _books(opened(lake), known)
    told = []
    for (setting, ticker), own in waited.partition_by(SETTING, "ticker", as_dict=True).items():
        of_market = known.filter(ticker=ticker)
        if of_market.is_empty():
            continue
        shown = books[str(ticker)].shown_to(own)
        told += [
            {
                SETTING: setting,
                PROGRAM_ROW: program[PROGRAM_ROW],
                **shown.scored(program),
            }
            for program in of_market.iter_rows(named=True)
            if _is_anything_waiting(own, program)
        ]
    numbers = {SETTING: pl.UInt32(), PROGRAM_ROW: pl.UInt32()}
    rows = pl.DataFrame(told, schema={**numbers, **_SCORED}).join(known, on=PROGRAM_ROW).sort(*numbers)
    return with_settings(rows.select("ticker", "start_ts", "end_ts", *_SCORED), rows[SETTING], settings)


def _waited(run: Run, settings: pl.DataFrame) -> pl.DataFrame:
    """Return how our orders changed what rests: setting, ticker, ts, ts_us, code of the level, amount.

    Of an order that lost size for want of cash while it waited, what it lost counts as lost from the start.
    """
    key = [SETTING, "order_id"]
    is_bid = (pl.col("action") == "buy") == (pl.col("side") == "yes")
    price, limit = pl.col("price_cc"), pl.col("limit_cc")
    orders = (
        numbered(run.orders, settings)
        .filter(pl.col("dropped_centi").is_not_null(), limit.is_not_null())
        .with_columns(price_cc=pl.when(pl.col("side") == "no").then(DOLLAR_CC - limit).otherwise(limit))
        .with_columns(
            code=pl.when(is_bid).then(bid_code(price)).otherwise(ask_code(DOLLAR_CC - price)),
            left=pl.col("count_centi") - pl.col("dropped_centi"),
        )
    )
    fills = numbered(run.fills, settings).select(*key, ts="fill_ts", amount=-pl.col("count_centi"))
    parts = (
        orders.with_columns(ts="arrival_ts", amount="left"),
        orders.select(*key, "ticker", "code").join(fills, on=key),
        orders.filter(pl.col("ended_ts").is_not_null()).with_columns(
            ts="ended_ts", amount=pl.col("filled_centi") - pl.col("left")
        ),
    )
    rows = pl.concat([part.select(SETTING, "ticker", "ts", "code", "amount") for part in parts])
    return rows.with_columns(ts_us=pl.col("ts").dt.epoch("us")).sort(SETTING, "ticker", "ts_us")


def _is_anything_waiting(own: pl.DataFrame, program: dict[str, Any]) -> bool:
    """Tell whether an order of ours waits at some moment of a program's time."""
    begun = own.filter(pl.col("ts") < program["end_ts"])
    is_left = begun.filter(pl.col("ts") <= program["start_ts"])["amount"].sum() > 0
    return is_left or begun.filter(pl.col("ts") > program["start_ts"]).height > 0


@dataclass(frozen=True, slots=True)
class _Book:
    """The changes of one market's book, and its grids by when each began."""

    ts_us: I64
    op: I8
    code: I32
    amount: I64
    close_us: int
    grids: list[tuple[int, Grid]]

    def shown_to(self, own: pl.DataFrame) -> "_Shown":
        """Return it with our orders in it."""
        added = [own[name].to_numpy() for name in ("ts_us", "code", "amount")]
        is_own = np.repeat(np.array([0, 1], np.int8), [len(self.op), own.height])
        order = np.argsort(np.concatenate([self.ts_us, added[0]]), kind="stable")
        op = np.concatenate([self.op, np.full(own.height, DELTA, np.int8)])[order]
        code = np.concatenate([self.code, added[1].astype(np.int32)])[order]
        level, (_, split, codes) = changes.numbered(np.array([0, len(op)]), op, code)
        times, amounts = (
            np.concatenate(columns)[order] for columns in ((self.ts_us, added[0]), (self.amount, added[2]))
        )
        prices_cc = yes_price_cc(codes, is_ask=codes >= SPAN).astype(np.int64)
        return _Shown(self, (times, op, level, amounts, is_own[order]), int(split[0]), prices_cc)


@dataclass(frozen=True, slots=True)
class _Shown:
    """A book with our orders in it; its levels are best bids to worst asks, asks from `split` on."""

    book: _Book
    rows: tuple[I64, I8, I32, I64, I8]  # ts_us, op, level, amount, is_own
    split: int
    prices_cc: I64

    def scored(self, program: dict[str, Any]) -> dict[str, Any]:
        """Return what a program comes to."""
        from backtest.kernels.scoring import COUNTED_US, EVERYBODYS, KNOWN_US, OURS, score

        rule = next((each for each in reversed(RULES) if each.since <= program["start_ts"]), RULES[0])
        target = program["target_size_centi"]
        least = 0 if rule.reference_part is None else -(-target // rule.reference_part)
        from_us, end_us = to_us(program["start_ts"]), to_us(program["end_ts"])
        told, weights = np.zeros(4), _weights(program["discount_factor_bps"])
        for begin_us, until_us, grid in self._pieces(from_us, min(end_us, self.book.close_us)):
            terms = (target, least, int(rule.is_two_sided))
            score(self.rows, self.split, self._levels(grid), (begin_us, until_us), terms, weights, told)
        # A share of time is no amount of money: it becomes one, in whole cents, in `_paid_micros` alone.
        share = told[OURS] / told[EVERYBODYS] if told[EVERYBODYS] else 0.0
        counted = told[COUNTED_US] / (end_us - from_us) if rule.is_scaled else 1.0
        return {
            "known_us": round(told[KNOWN_US]),
            "counted_us": round(told[COUNTED_US]),
            "score": share,
            "reward_micros": _paid_micros(program, share * counted),
        }

    def _pieces(self, from_us: int, until_us: int) -> Iterator[tuple[int, int, Grid]]:
        """Yield the parts of a window in which one grid holds."""
        begun = [each for each in self.book.grids if each[0] < until_us] or [(from_us, None)]
        for (begin_us, grid), (next_us, _) in pairwise([*begun, (until_us, None)]):
            if max(begin_us, from_us) < next_us:
                yield max(begin_us, from_us), next_us, grid

    def _levels(self, grid: Grid) -> tuple[I64, I8]:
        """Return the tick of each level, and whether it is the highest bid or lowest ask there can be."""
        prices = np.array(prices_on(grid or LINEAR_CENT))
        is_ask = np.arange(len(self.prices_cc)) >= self.split
        is_extreme = np.where(is_ask, self.prices_cc <= prices[0], self.prices_cc >= prices[-1])
        return np.searchsorted(prices, self.prices_cc).astype(np.int64), is_extreme.astype(np.int8)


def _books(lake: "LakeReader", programs: pl.DataFrame) -> dict[str, _Book]:
    """Return the books of the markets that programs reward; they close when the run let them."""
    tickers = sorted(programs["ticker"].unique())
    if not tickers:
        return {}
    markets = collected(lake.scan(MARKETS).filter(pl.col("ticker").is_in(tickers)), MARKETS.name)
    known = rules(markets, EVENTS.empty(), payout_delay=_ANY_DELAY)
    start_ts, end_ts = programs.select(pl.col("start_ts").min(), pl.col("end_ts").max()).row(0)
    bounds = max(start_ts, _FIRST), min(end_ts, _LAST)  # the exchange says 0001 of what it does not know
    laid = changes.changes_of(read_streams(lake, tickers, *bounds, clock=EXCHANGE), tickers)
    books = {}
    for number, ticker in enumerate(tickers):
        rows, place = slice(*laid.offsets[number : number + 2]), known.places.get(ticker, -1)
        began = known.grid_times.filter(market=place).select("from_us", "grid").rows()
        books[ticker] = _Book(
            laid.ts_us[rows],
            laid.op[rows],
            laid.code[rows],
            laid.amount[rows],
            NEVER if place < 0 else known.markets["close_us"][place],
            [(since_us, known.grids[grid]) for since_us, grid in began],
        )
    return books


def _weights(discount_factor_bps: int) -> F64:
    """Return the weight of a level by its distance in ticks."""
    return (discount_factor_bps / _BPS) ** np.arange(DOLLAR_CC + 1, dtype=np.float64)


def _paid_micros(program: dict[str, Any], share: float) -> int:
    most_cc = program["period_reward_cc"]
    earned_micros = math.floor(most_cc * share * _MICROS_PER_CC + _SAME_MICRO)
    limit_cc = program["max_reward_cc"]
    paid_micros = earned_micros if limit_cc is None else min(earned_micros, limit_cc * _MICROS_PER_CC)
    return paid_micros // _MICROS_PER_CENT * _MICROS_PER_CENT if paid_micros >= LEAST_MICROS else 0
