"""Events that a sweep does not see: looked at once, for one setting, and that is logged.

    held = bt.holdout("2026-09-01", log="holdout.jsonl")
    swept = bt.run(plan, lake, fills="touch", params={"min_edge": [0.01, 0.02, 0.04]}, holdout=held)
    last = bt.run(
        plan, lake, fills="touch", params={"min_edge": 0.02}, holdout=held.open("the median of the sweep")
    )

Whole events are held out, for markets of one event resolve together: twenty strikes are not twenty trials.
"""

import fcntl
import json
import os
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from backtest.errors import PlanError, kind_of
from backtest.lifecycle import payouts
from backtest.results import Run, as_text
from exchange.errors import UnitError
from exchange.units import format_ts, moment_of, to_us
from warehouse.storage import collected
from warehouse.tables import MARKETS

if TYPE_CHECKING:
    from backtest.engine import LakeReader

_TOLD: Final = ("opened_ts", "since", "note")  # of what is in a line of the log, what is asked of it
_STATES: Final = (
    *("ticker", "event_ticker", "observed_ts", "status", "result", "settlement_value_cc"),
    *("settlement_ts", "close_ts"),
)


@dataclass(frozen=True, slots=True)
class Holdout:
    """Which events are held out: those that are not over before `since`; and who opened them, in `log`.

    An event is over when the last money of its markets moved, as a run would pay it, or where none is known
    to, when they have closed. `note` says why it was opened; None as long as it is not.
    """

    since: datetime
    log: Path
    note: str | None = None
    is_again: bool = False

    def __post_init__(self) -> None:
        """Refuse a moment without a zone, as `holdout` does."""
        object.__setattr__(self, "since", _moment(self.since))

    def open(self, note: str, *, again: bool = False) -> "Holdout":
        """Return it opened: a run of one parameter row then sees these events and no others.

        `bt.run` writes a line to the log before it returns what it found, and refuses to look a second time
        unless `again`, for what is chosen after a look is not out of sample any more.

        Raises:
            PlanError: a note without words.
        """
        if not isinstance(note, str) or not note.strip():
            raise PlanError("open() needs a note: say which setting was chosen, and why")
        return replace(self, note=note.strip(), is_again=again)


def holdout(since: date | datetime | str, *, log: str | Path) -> Holdout:
    """Hold out the events that are not over before `since`.

    Args:
        since: a date is its UTC midnight, a time needs a zone; as text, too.
        log: a file for the openings of this holdout, and of no other; it need not exist.

    Raises:
        PlanError: no date or time, or no path.
    """
    if not isinstance(log, str | Path):
        raise PlanError(f"holdout: log is {kind_of(log)}: give the path of a file, such as 'holdout.jsonl'")
    return Holdout(_moment(since), Path(log))


def _moment(since: date | datetime | str) -> datetime:
    try:
        return moment_of(since)
    except UnitError as error:
        raise PlanError(f"holdout since: {error}; a date such as '2026-09-01' will do") from error


@dataclass(frozen=True, slots=True)
class Split:
    """A holdout on one lake: `held` are the tickers that are held out, `openings` what its log has."""

    holdout: Holdout
    held: frozenset[str]
    n_events: int
    openings: list[dict[str, Any]]

    @property
    def is_open(self) -> bool:
        """Tell whether what is held out is what a run sees."""
        return self.holdout.note is not None

    def visible(self, tickers: Collection[str]) -> set[str]:
        """Return the tickers that a run sees."""
        return {each for each in tickers if (each in self.held) == self.is_open}

    def sees_none(self) -> PlanError:
        """Return what to raise where a run sees no ticker of its plan."""
        which, since = "every" if self.is_open else "no", format_ts(self.holdout.since)
        return PlanError(f"holdout: {which} market of the plan is over before {since}: move `since`")

    def seen(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of a plan that a run sees; of baskets, those with all legs on one side."""
        is_hidden = pl.col("ticker").is_in(self.held) != self.is_open
        if "basket" in rows.columns:
            of_basket = is_hidden.any().over("known_ts", "basket") & pl.col("basket").is_not_null()
            is_hidden |= of_basket
        return rows.filter(~is_hidden)

    def told(self, run: Run) -> Run:
        """Return a run that says what was held out or looked at; a look is logged first."""
        since, number = format_ts(self.holdout.since), len(self.openings)
        counted = f"{self.n_events} events ({len(self.held)} markets)"
        what = f"the lake's {counted} that are not over before {since}"
        said = f"held out: {what}; openings so far, by {self.holdout.log.name}: {number}"
        if self.is_open:
            said = f"on a holdout and nothing else: {what}; {self.holdout.note}"
            said += f"; opening number {number + 1} of it: no test any more" if number else ""
            self._log(run)
        facts = {"since": since, "is_open": self.is_open, "n_events": self.n_events, "n_openings": number}
        manifest = {**run.manifest, "config": {**run.manifest["config"], "holdout": facts}}
        return replace(run, assumptions=(said, *run.assumptions), manifest=manifest)

    def _log(self, run: Run) -> None:
        line = {
            "opened_ts": format_ts(datetime.now(UTC)),
            "since": format_ts(self.holdout.since),
            "note": self.holdout.note,
            "params": run.manifest["config"]["params"][0],
            "n_events": self.n_events,
            "n_markets": len(self.held),
            "orders": run.manifest["orders"],
        }
        log = self.holdout.log
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("a", encoding="utf-8") as stream:
                fcntl.flock(stream, fcntl.LOCK_EX)  # until it is closed
                self._check_alone()
                stream.write(json.dumps(line, ensure_ascii=False, default=as_text) + "\n")
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise PlanError(
                f"{log}: the opening of the holdout cannot be logged ({error.strerror or error}), so its "
                "result is not shown: give a log that can be written"
            ) from error

    def _check_alone(self) -> None:
        """Refuse a result that somebody else got while this one was worked out."""
        since_then = _openings(self.holdout)[len(self.openings) :]
        if since_then and not self.holdout.is_again:
            raise _opened_already(self.holdout, since_then[-1])


def _opened_already(held: Holdout, last: dict[str, Any]) -> PlanError:
    return PlanError(
        f"{held.log}: this holdout was opened on {last['opened_ts']} ({last['note']}), and what is chosen "
        "after a look is not out of sample: hold out later events with a log of their own; in Python "
        "open(…, again=True) looks again, and that is logged as well"
    )


def split_of(held: Holdout | None, lake: "LakeReader", n_rows: int, payout_delay: timedelta) -> Split | None:
    """Return a holdout on a lake, for a run of so many parameter rows; None without one.

    Raises:
        PlanError: it is to be opened for several parameter rows or once more, or its log is that of another
            one or cannot be read.
    """
    if held is None:
        return None
    if not isinstance(held, Holdout):
        raise PlanError(f"holdout={held!r}: give bt.holdout('2026-09-01', log='holdout.jsonl')")
    openings = _openings(held)
    if held.note is not None and n_rows > 1:
        raise PlanError(
            f"a holdout is opened for one parameter row, and params has {n_rows}: choose one on the rest, "
            "without open()"
        )
    if held.note is not None and openings and not held.is_again:
        raise _opened_already(held, openings[-1])
    # How it came, not what was known of it: a split is no strategy.
    states = collected(lake.scan(MARKETS).select(_STATES), MARKETS.name)
    states = states.sort("ticker", "observed_ts", maintain_order=True)
    paid = payouts(states, payout_delay).group_by("ticker").agg(pl.col("settle_us").max())
    newest = states.unique("ticker", keep="last").join(paid, on="ticker", how="left")
    over_us = pl.coalesce("settle_us", pl.col("close_ts").dt.epoch("us"))
    is_held = (over_us.is_null() | (over_us >= to_us(held.since))).any().over("event_ticker")
    found = newest.filter(is_held)
    return Split(held, frozenset(found["ticker"]), found["event_ticker"].n_unique(), openings)


def _openings(held: Holdout) -> list[dict[str, Any]]:
    if not held.log.exists():
        return []
    try:
        lines = held.log.read_text(encoding="utf-8").splitlines()
        found = [json.loads(line) for line in lines if line.strip()]
    except (OSError, ValueError) as error:
        raise PlanError(f"{held.log}: the log of the holdout cannot be read: {error}") from error
    for number, each in enumerate(found, 1):
        if not isinstance(each, dict) or any(name not in each for name in _TOLD):
            raise PlanError(f"{held.log}: line {number} is no opening of a holdout: give another log")
        if each["since"] != format_ts(held.since):
            raise PlanError(
                f"{held.log}: this is the log of the holdout since {each['since']}: give another log"
            )
    return found
