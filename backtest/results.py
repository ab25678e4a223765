"""What a run leaves behind: tidy frames, what was assumed, and a manifest that lets it be repeated.

Every frame but `coverage` has the parameter columns first; money is in micro-dollars,
counts in hundredths of a contract, prices in centicents. To the micro-dollar, for every parameter row:

    cash_end = cash_start + sum(settlements.payout) + sum(fills.cash) - sum(fills.fee)
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NoReturn

import polars as pl

from exchange.units import format_ts

TIME: Final = pl.Datetime("us", "UTC")
HORIZONS_S: Final = (5, 60, 600)  # after a fill
_MARKET: Final = {"ticker": pl.String(), "event_ticker": pl.String(), "series_ticker": pl.String()}

# Columns after the parameters', in order.
SCHEMAS: Final[dict[str, pl.Schema]] = {
    "summary": pl.Schema(
        {
            # Polars prints the first and the last four of many columns: what is asked first comes first.
            "pnl_micros": pl.Int64(),  # marked_end - cash_start
            "fees_micros": pl.Int64(),
            "n_fills": pl.Int64(),
            "filled_centi": pl.Int64(),
            "n_orders": pl.Int64(),  # cancels not counted
            "n_rejected": pl.Int64(),
            "n_no_cash": pl.Int64(),  # orders that the purse did not pay for, or not for all of
            "n_markets": pl.Int64(),  # markets with at least one fill
            "n_settled": pl.Int64(),  # of these
            "n_open": pl.Int64(),  # positions that nothing closed or settled
            "locked_max_micros": pl.Int64(),  # most that was locked after any instant
            "locked_dollar_days": pl.Float64(),  # dollars x days locked, up to the end of the data
            "payouts_micros": pl.Int64(),
            "cash_start_micros": pl.Int64(),
            "cash_end_micros": pl.Int64(),
            "marked_end_micros": pl.Int64(),  # cash plus open positions at the last known bid
        }
    ),
    "orders": pl.Schema(
        {
            "order_id": pl.Int64(),
            **_MARKET,
            "decision_ts": TIME,
            "arrival_ts": TIME,  # null for a leg that was not sent
            "ended_ts": TIME,  # when it waited no longer; null if it waits on, or never did
            "action": pl.String(),  # buy | sell | cancel; close where nothing was held
            "side": pl.String(),  # yes | no; null where nothing was held, or cancelled on both
            "count_centi": pl.Int64(),
            "limit_cc": pl.Int64(),
            "tif": pl.String(),
            "ttl_us": pl.Int64(),
            "basket": pl.String(),  # null outside of baskets
            "filled_centi": pl.Int64(),
            "dropped_centi": pl.Int64(),  # what was lost for want of cash; null if it never waited
            "status": pl.String(),  # filled | partial | unfilled | rejected; done: a cancel
            "reason": pl.String(),  # why not more; null when filled
        }
    ),
    "fills": pl.Schema(
        {
            "fill_id": pl.Int64(),
            "order_id": pl.Int64(),
            **_MARKET,
            "decision_ts": TIME,
            "arrival_ts": TIME,
            "fill_ts": TIME,
            "action": pl.String(),
            "side": pl.String(),
            "price_cc": pl.Int64(),  # of that side
            "yes_price_cc": pl.Int64(),
            "count_centi": pl.Int64(),
            "cash_micros": pl.Int64(),  # < 0 purchase, > 0 sale, before the fee
            "fee_micros": pl.Int64(),
            "role": pl.String(),  # taker | maker
            "evidence": pl.String(),  # of what it rested on, in the words of docs/fills.md
            "position_after_centi": pl.Int64(),  # signed YES contracts
        }
    ),
    # One row per fill, prices of its side; null where the book was unknown, one-sided or closed.
    "markouts": pl.Schema(
        {
            "fill_id": pl.Int64(),
            **_MARKET,
            "fill_ts": TIME,
            "action": pl.String(),
            "side": pl.String(),
            "role": pl.String(),
            "count_centi": pl.Int64(),
            "price_cc": pl.Int64(),
            "mid_cc": pl.Float64(),  # a middle may lie half-way; after everything of the fill's instant
            "spread_cc": pl.Float64(),  # paid beyond the middle; < 0: earned
            **{f"after_{after}s_cc": pl.Float64() for after in HORIZONS_S},  # middle, > 0 in our favour
        }
    ),
    # One row per series, role and rate; the fee beyond the model's is what the exchange rounded up.
    "fees": pl.Schema(
        {
            "series_ticker": pl.String(),
            "role": pl.String(),  # taker | maker
            "fee_rate": pl.Float64(),  # x price x (1 - price) x contracts, in dollars; 0 where nothing is due
            "n_fills": pl.Int64(),
            "count_centi": pl.Int64(),
            "model_micros": pl.Float64(),  # what the formula gives, not rounded
            "fee_micros": pl.Int64(),  # what was charged
            "first_ts": TIME,  # of a fill
            "last_ts": TIME,
        }
    ),
    "settlements": pl.Schema(
        {
            **_MARKET,
            "close_ts": TIME,  # when trading ended; null where unknown
            "decided_ts": TIME,  # first sighting of the value; null where it was first seen after the payout
            "settled_ts": TIME,
            "position_centi": pl.Int64(),  # signed YES; 0 where it was closed before
            "value_cc": pl.Int64(),  # what one YES contract paid
            "payout_micros": pl.Int64(),  # below 0 where a correction took money back
            "is_correction": pl.Boolean(),  # of an earlier payout: what it moved besides, and no cost
            "is_assumed_time": pl.Boolean(),
            "cost_micros": pl.Int64(),  # all that the market had cost: purchases + fees - sales
            "pnl_micros": pl.Int64(),  # payout - cost
        }
    ),
    "positions": pl.Schema(
        {
            **_MARKET,
            "position_centi": pl.Int64(),
            "cost_micros": pl.Int64(),  # purchases + fees - sales of the market
            "mark_cc": pl.Int64(),  # last known bid of the side held; 0 when there was none
            "other_mark_cc": pl.Int64(),  # that of the other side
            "marked_micros": pl.Int64(),
            "pnl_micros": pl.Int64(),  # marked - cost
        }
    ),
    # One row per known_ts and basket. Contracts are held to their payout, or marked at their side's last bid.
    "baskets": pl.Schema(
        {
            "decision_ts": TIME,
            "basket": pl.String(),
            "n_legs": pl.Int64(),
            "wanted_centi": pl.Int64(),  # of every leg
            "complete_centi": pl.Int64(),  # sets: what the leg that got least has
            "stranded_centi": pl.Int64(),  # what the other legs have beyond it, all together
            "n_stranded": pl.Int64(),  # legs that have any such
            "complete_cost_micros": pl.Int64(),  # paid for outcomes, with fees: each leg's mean price x sets
            "stranded_cost_micros": pl.Int64(),  # the rest of what was paid
            "complete_pnl_micros": pl.Int64(),  # payout or mark - cost
            "stranded_pnl_micros": pl.Int64(),
            "first_fill_ts": TIME,
            "last_fill_ts": TIME,
        }
    ),
    # One row per event with a fill: the moment at which the most could still be lost.
    "exposures": pl.Schema(
        {
            "event_ticker": pl.String(),
            "series_ticker": pl.String(),
            "is_exclusive": pl.Boolean(),  # at most one of its markets resolves YES
            "n_markets": pl.Int64(),  # of them, with a fill
            "deepest_ts": TIME,
            "cost_micros": pl.Int64(),  # purchases + fees - sales - payouts until then
            "worst_micros": pl.Int64(),  # profit of the event if the worst had happened from there on
            "best_micros": pl.Int64(),
        }
    ),
    # First the cash before anything; then each instant that moved cash (a run has about 1,000 of them: of
    # closer ones the last before a wait is kept), each UTC midnight with open positions, and the end.
    "equity": pl.Schema(
        {
            "ts": TIME,
            "cash_micros": pl.Int64(),
            "marked_micros": pl.Int64(),  # cash + positions at the bid
            "locked_micros": pl.Int64(),  # paid for what is held + reserved by orders - returned; at least 0
            "returned_micros": pl.Int64(),  # by netting, at our disposal besides cash, which may be below 0
        }
    ),
    "attrition": pl.Schema(
        {
            "n_universe": pl.Int64(),  # markets in the plan
            "n_with_data": pl.Int64(),  # of these, with anything to fill against
            "n_with_intents": pl.Int64(),
            "n_with_fills": pl.Int64(),
            "n_settled": pl.Int64(),  # of those with fills
            "n_open": pl.Int64(),
        }
    ),
    "coverage": pl.Schema(
        {
            **_MARKET,
            "open_ts": TIME,
            "close_ts": TIME,
            "first_ts": TIME,  # first and last event to fill against
            "last_ts": TIME,
            "n_events": pl.Int64(),
            "n_gaps": pl.Int64(),
            "traded_centi": pl.Int64(),  # by everybody in the market's life; null where unknown
            "known_share": pl.Float64(),  # of open (or first event) to close (or last event), even one ahead
        }
    ),
}


def as_text(value: object) -> str:
    """Return what JSON has no word for as text: parameters that are times, lengths of time or decimals."""
    return format_ts(value) if isinstance(value, datetime) and value.tzinfo is not None else str(value)


class Frames(Mapping[str, pl.DataFrame]):
    """Frames by name, each made when somebody first asks for it: a sweep rarely reads every row's fills."""

    __slots__ = ("_made", "_makers")

    def __init__(self, makers: Mapping[str, Callable[["Frames"], pl.DataFrame]]) -> None:
        """Take one maker per name, in order; a maker may ask for the frames of others."""
        self._makers: dict[str, Callable[[Frames], pl.DataFrame] | None] = dict(makers)
        self._made: dict[str, pl.DataFrame] = {}

    def __getitem__(self, name: str) -> pl.DataFrame:
        """Return a frame, made now if need be; its maker and all that it holds are let go."""
        make = self._makers[name]
        if make is not None:
            self._made[name] = make(self)
            self._makers[name] = None
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        """Go through the names in order."""
        return iter(self._makers)

    def __len__(self) -> int:
        """Count the frames, made or not."""
        return len(self._makers)

    def __reduce__(self) -> tuple[type[dict[str, pl.DataFrame]], tuple[dict[str, pl.DataFrame]]]:
        """Pickle the frames, not what makes them."""
        return dict, (dict(self),)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Run:
    """One backtest: frames as in `SCHEMAS`, sentences for what was assumed, and the manifest.

    A frame is made when it is first asked for, as `run.fills`; until all are, a run keeps its tape.
    `manifest` has `versions` (lake table -> version), `config`, `packages`, `code` (digest of our source) and
    `inputs` (digest of the tape that was read): equal inputs give equal bytes.
    """

    param_names: tuple[str, ...]
    frames: Mapping[str, pl.DataFrame]  # by name, in the order of `SCHEMAS`
    assumptions: tuple[str, ...] = ()
    manifest: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Say what it came to, why orders got less than they asked for, and what was assumed."""
        from backtest.run_words import in_words

        return in_words(self)

    def __getattr__(self, name: str) -> NoReturn:
        """Say what there is instead of what there is not."""
        raise AttributeError(f"a run has no {name}: its frames are {', '.join(SCHEMAS)}")

    @property
    def summary(self) -> pl.DataFrame:
        """One line per parameter row: what it came to."""
        return self.frames["summary"]

    @property
    def orders(self) -> pl.DataFrame:
        """Every order and what became of it."""
        return self.frames["orders"]

    @property
    def fills(self) -> pl.DataFrame:
        """Every fill, in order of time."""
        return self.frames["fills"]

    @property
    def markouts(self) -> pl.DataFrame:
        """What each fill paid to the spread, and where the middle went afterwards."""
        return self.frames["markouts"]

    @property
    def fees(self) -> pl.DataFrame:
        """What was charged at which rate."""
        return self.frames["fees"]

    @property
    def settlements(self) -> pl.DataFrame:
        """Every payout."""
        return self.frames["settlements"]

    @property
    def positions(self) -> pl.DataFrame:
        """What nothing closed or settled."""
        return self.frames["positions"]

    @property
    def baskets(self) -> pl.DataFrame:
        """What became of each basket: complete sets, and what is stranded."""
        return self.frames["baskets"]

    @property
    def exposures(self) -> pl.DataFrame:
        """What each event could still have come to, when the worst of it was deepest."""
        return self.frames["exposures"]

    @property
    def equity(self) -> pl.DataFrame:
        """Cash, worth and what was locked, over time."""
        return self.frames["equity"]

    @property
    def attrition(self) -> pl.DataFrame:
        """How many markets were left at each step."""
        return self.frames["attrition"]

    @property
    def coverage(self) -> pl.DataFrame:
        """What there was to fill against, by market."""
        return self.frames["coverage"]

    def save(self, folder: str | Path) -> Path:
        """Write every frame as Parquet and the manifest as JSON, and return the folder; a file is BadInput.

        Equal runs write equal bytes.
        """
        from backtest.saved import save

        return save(self, folder)

    @staticmethod
    def load(folder: str | Path) -> "Run":
        """Read what `save` wrote; a folder that holds none is BadInput."""
        from backtest.saved import load

        return load(folder)

    def report(self, path: str | Path) -> Path:
        """Write the run as one self-contained HTML page and return its path."""
        from backtest.report import write_report

        return Path(write_report(self, path))
