"""A plan's decisions where they know nothing: later, or in other markets of their series.

Events move as wholes, for their markets resolve together: what was decided at one instant stays together,
baskets too. Counts, limits and times to live stay as they were.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from backtest.errors import PlanError
from backtest.kernels.arrays import I64, NEVER
from exchange.units import format_ts

if TYPE_CHECKING:
    from backtest.replay import Stage

_MOVES: Final = pl.Schema({"ticker": pl.String(), "to_ticker": pl.String(), "by_us": pl.Int64()})
_Move = tuple[str, str, int]  # what was decided about a market: to which it goes, and how much later


@dataclass(frozen=True, slots=True)
class Event:
    """The markets of one event, of those that a plan may trade."""

    ticker: str
    series: str | None
    first_us: int  # its first decision; NEVER without any
    until_us: int  # until when anything of it is on the tape; -1: it never is
    close_us: int  # the last of its markets'; without one on record, `until_us`
    wanted: tuple[str, ...]  # with decisions
    open_to: tuple[str, ...]  # with anything to fill against


@dataclass(frozen=True, slots=True)
class Decisions:
    """What a plan wants in markets that the lake knows, and their events by series and ticker.

    rows: ticker, known_ts, intent and, of plans with baskets, basket; in the plan's order.
    """

    rows: pl.DataFrame
    events: tuple[Event, ...]

    def later(self, rng: np.random.Generator) -> pl.DataFrame:
        """Return the rows, all of an event later by one length of time.

        The first of them still comes while the event is on the tape; others may find the market closed.
        What came too late to begin with stays.
        """
        rooms = [max(1, each.until_us - each.first_us) for each in self.events]
        by_us = [int(rng.integers(1, room)) if room > 1 else 0 for room in rooms]
        return self._moved(
            (ticker, ticker, by)
            for each, by in zip(self.events, by_us, strict=True)
            for ticker in each.wanted
        )

    def in_other_markets(self, rng: np.random.Generator) -> pl.DataFrame:
        """Return the rows, all of an event in another one of its series, as long before that one's close.

        The events of a series stand in a circle, and each goes to the next that has enough markets on the
        tape, which take them in any order. Rows that no other event can take are left out.
        """
        moves = list[_Move]()
        for _, several in groupby(self.events, lambda each: each.series):
            circle = list(several)
            circle = [circle[place] for place in rng.permutation(len(circle))]
            for place, event in enumerate(circle):
                if (to := _next(circle, place)) is not None:
                    taken = [to.open_to[each] for each in rng.permutation(len(to.open_to))]
                    pairs = zip(event.wanted, taken, strict=False)
                    moves += [(ticker, other, to.close_us - event.close_us) for ticker, other in pairs]
        return self._moved(moves)

    def _moved(self, moves: "Iterator[_Move] | Sequence[_Move]") -> pl.DataFrame:
        to = pl.DataFrame(list(moves), schema=_MOVES, orient="row")
        moved = self.rows.join(to, on="ticker", how="inner", maintain_order="left")
        later_ts = pl.col("known_ts") + pl.duration(microseconds="by_us")
        columns = [name for name in self.rows.columns if name not in ("ticker", "known_ts")]
        return moved.select(pl.col("to_ticker").alias("ticker"), later_ts, *columns)


def _next(circle: Sequence[Event], place: int) -> Event | None:
    """Return the next event in a circle that can take the decisions of the one at `place`."""
    event = circle[place]
    if event.series is None or event.close_us < 0 or not event.wanted:
        return None
    others = (circle[(place + step) % len(circle)] for step in range(1, len(circle)))
    return next((each for each in others if len(each.open_to) >= len(event.wanted)), None)


def decisions(rows: pl.DataFrame, stage: "Stage") -> Decisions:
    """Return decisions (ticker, known_ts, intent and perhaps basket) that may be moved on a stage.

    Raises:
        PlanError: a basket whose legs are not all in one event that the stage has.
    """
    known = stage.rules.markets
    close_us = stage.rules.column("close_us")
    first = rows.group_by("ticker").agg(first_us=pl.col("known_ts").dt.epoch("us").min())
    closing = pl.when(pl.col("close_us") < NEVER).then("close_us").max()
    of_event = (
        known.select("ticker", "event_ticker", "series_ticker", "close_us")
        .with_columns(until_us=pl.Series(_until_us(stage, close_us)))
        .join(first, on="ticker", how="left", maintain_order="left")
        .group_by("event_ticker", maintain_order=True)
        .agg(
            pl.col("series_ticker").first(),
            pl.col("first_us").min().fill_null(NEVER),
            pl.col("until_us").max(),
            pl.coalesce(closing, pl.col("until_us").max()).alias("close_us"),
            wanted=pl.col("ticker").filter(pl.col("first_us").is_not_null()),
            open_to=pl.col("ticker").filter(pl.col("until_us") >= 0),
        )
        .sort("series_ticker", "event_ticker")
    )
    homes = known.select("ticker", "event_ticker")
    rows = rows.join(homes, on="ticker", how="left", maintain_order="left")
    if "basket" in rows.columns:
        rows = _basket_by_basket(rows)
    rows = rows.filter(pl.col("event_ticker").is_not_null())
    events = (Event(*each[:5], *map(tuple, each[5:])) for each in of_event.iter_rows())
    return Decisions(rows.drop("event_ticker"), tuple(events))


def _until_us(stage: "Stage", close_us: I64) -> I64:
    """Return until when each market is on the tape, at most to its close; -1: never."""
    tape = stage.tape
    has_rows = np.diff(tape.offsets) > 0
    last = tape.tops[tape.offsets[1:][has_rows] - 1]
    last_us, close_us = last["ts_us"], close_us[has_rows]
    stands_us = np.minimum(np.maximum(close_us - last_us, 0), tape.holds_us)
    until_us = np.full(len(has_rows), -1, np.int64)
    until_us[has_rows] = last_us + np.where((last["is_live"] == 1) & (close_us < NEVER), stands_us, 0)
    return until_us


def _basket_by_basket(rows: pl.DataFrame) -> pl.DataFrame:
    """Return decisions whose baskets keep apart wherever they come to stand."""
    is_leg, key = pl.col("basket").is_not_null(), ("known_ts", "basket")
    torn = rows.filter(is_leg, pl.col("event_ticker").n_unique().over(key) > 1)
    if torn.height:
        known_ts, basket = torn.select(key).row(0)
        raise PlanError(
            f"basket {basket!r} at {format_ts(known_ts)}: its legs are not all in one event, and placebos "
            "move events apart: leave such baskets out"
        )
    return rows.with_columns(basket=pl.format("{} {}", "basket", pl.col("known_ts").dt.epoch("us")))
