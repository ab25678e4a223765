"""The same orders where they know nothing: what a plan earns there, its signal did not earn.

    print(bt.placebo(plan, lake, fills="book", params={"min_edge": 0.02}))

It says what the plan came to, what its orders come to later and in other markets, and what follows.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from backtest.elsewhere import decisions
from backtest.engine import LakeReader, opened, run
from backtest.errors import PlanError
from backtest.holdouts import Holdout
from backtest.parameters import bound
from backtest.plan import Params, universe
from backtest.planning import PlanOf, plans
from backtest.policies import Quoting
from backtest.report_numbers import contracts, dollars, several
from backtest.results import SCHEMAS, Run
from backtest.stages import SharedLake
from exchange.units import CONTRACT_CENTI

AS_PLANNED: Final = "as planned"
LATER: Final = "later"
OTHER_MARKETS: Final = "other markets"
_ENOUGH: Final = 19  # of fewer none is rare
_DRAWS: Final = 5  # for each placebo: of a few events there are few, and they come again
_SPARSE: Final = 4  # of placebos that fill less than one in so many of the plan's contracts nothing follows
_OWN: Final = ("kind", "number", "spread_micros", "beyond_micros", "per_contract_micros", "n_no_middle")


@dataclass(frozen=True, slots=True, repr=False)
class Placebo:
    """A plan beside its placebos; printed, it says what they came to and what follows.

    params: the parameter row that was looked at.
    runs: kind ("as planned", "later" or "other markets"), number (0 as planned, else from 1), spread_micros
        (paid beyond the middle), beyond_micros (P&L without spread and fees: how prices moved afterwards),
        per_contract_micros (P&L per filled contract, rounded down; null where nothing filled), n_no_middle
        (fills whose spread nobody knows, and that count as none); then the columns of `Run.summary`. As
        planned first, then by kind and number.
    n_left_out: decisions that no other event could take.
    """

    params: dict[str, Any]
    runs: pl.DataFrame
    n_left_out: int

    def __repr__(self) -> str:
        """Say what each kind came to and, of other markets, what follows."""
        said = [f"As planned: {_came_to(self.runs.head(1))}."]
        for kind, where in ((LATER, LATER), (OTHER_MARKETS, f"in {OTHER_MARKETS} of their series")):
            rows = self.runs.filter(kind=kind)
            pnl = rows["pnl_micros"]
            if rows.height:
                between = f"{_money(pnl.min())} to {_money(pnl.max())}"
                said.append(
                    f"The same orders {where}: {_came_to(rows)}, on average of {several(rows.height, 'run')} "
                    f"({between}). {self._compared(rows)}"
                )
            elif kind == LATER:
                said.append("No order could come later while its event was on the tape.")
        if self.n_left_out:
            has_others = OTHER_MARKETS in self.runs["kind"]
            left_out = several(self.n_left_out, "decision")
            said.append(f"Left out of other markets: {left_out}; {_NO_OTHER if has_others else _NONE_AT_ALL}")
        if n_unknown := int(self.runs["n_no_middle"].sum()):
            fills = several(n_unknown, "fill")
            said.append(f"Nobody knows the spread of {fills} in all these runs: it counts as none.")
        return "\n".join([*said, self._verdict()])

    def _compared(self, rows: pl.DataFrame) -> str:
        filled = _filled(rows)
        them = "them" if filled.height == rows.height else f"the {filled.height} that filled anything"
        n_behind = filled.height - self._n_as_good(filled)
        return f"Both in all and per contract, the plan earned more than {n_behind} of {them}."

    def _n_as_good(self, filled: pl.DataFrame) -> int:
        """Return how many runs came to as much as the plan, in all or per contract.

        In all, the larger stake is ahead of smaller ones by luck alone; per contract, the smaller one is.
        """
        names = ("pnl_micros", "per_contract_micros")
        planned = self.runs.select(names).row(0, named=True)
        return filled.filter(pl.any_horizontal(pl.col(name) >= (planned[name] or 0) for name in names)).height

    def _verdict(self) -> str:
        """Say what follows, where chance alone would say so less than once in twenty times."""
        others = self.runs.filter(kind=OTHER_MARKETS)
        if others.is_empty():
            return "Nothing follows: only other markets show what orders earn that know nothing."
        filled = _filled(others)
        if filled.height < _ENOUGH:
            those = several(filled.height, "run") + " in other markets"
            those += "" if filled.height == others.height else " that filled anything"
            return f"Nothing follows of {those}: it takes {_ENOUGH}."
        pnl_micros, planned_centi = self.runs.select("pnl_micros", "filled_centi").row(0)
        mean_centi = int(others["filled_centi"].sum()) // others.height
        is_sparse = _SPARSE * mean_centi < planned_centi
        n_idle = filled.filter(pl.col("beyond_micros") <= 0).height
        if not is_sparse and _is_rare(n_idle, filled.height):
            return _UNEARNED
        if pnl_micros <= 0:
            return "The plan earns nothing that a signal could have earned."
        if is_sparse:
            return (
                f"Nothing follows: in other markets its orders fill {contracts(mean_centi)} contracts on "
                f"average, and the plan {contracts(planned_centi)}; it takes a quarter. Limits may be out of "
                "reach there."
            )
        return _OF_ITS_SIGNAL if _is_rare(self._n_as_good(filled), filled.height) else _OF_LUCK


def _is_rare(n: int, of: int) -> bool:
    """Tell whether a plan that is like its placebos is so seldom ahead of all but n: once in twenty times."""
    return 20 * (n + 1) <= of + 1


_NO_OTHER: Final = "no other event of the series can take them."
_NONE_AT_ALL: Final = (
    "the plan lists no other event of the series that can take them. Let it list several, such as the whole "
    "series instead of one event."
)
_UNEARNED: Final = (
    "Distrust the run: orders that know nothing earn, too, before what they pay. Look for quotes that are "
    "old or were not to be had (max_age, latency, sizes nobody recorded), and for a tape that went one way."
)
_OF_ITS_SIGNAL: Final = (
    "It earns by what it knows: in all and per contract more than orders that know nothing. Whether it may "
    "know that, bt.audit tells."
)
_OF_LUCK: Final = (
    "It may be luck: of orders that know nothing, too many come to as much, in all or per contract."
)


def placebo(
    plan: PlanOf,
    lake: LakeReader,
    *,
    fills: str,
    n: int = 20,
    seed: int = 0,
    params: Params = None,
    **arguments: Any,  # noqa: ANN401 -- of bt.run
) -> Placebo:
    """Run a plan once as it is, and its orders `n` times later and `n` times in other markets.

    *Later*: all decisions of an event come later by one length of time, drawn so that the first of them
    still comes while the event is on the tape; those after the close are rejected. Never earlier: a side or
    a limit chosen by a price tells what came before it. *Other markets*: all decisions of an event go to
    another one of the same series (of those in the plan, wanted or not), those of each market to one of its
    markets, as long before its close, or before its tape ends where no close is on record.

    Counts, limits and times to live stay as they were; so a limit may be out of reach where it comes to
    stand, and is filled only where the price is no worse. Caps and the purse hold as in the plan. Because
    placebos so fill fewer contracts, a plan is ahead of one only if it earned more both in all and per filled
    contract; of placebos that filled less than a quarter of the plan's contracts nothing follows.

    Args:
        plan: as for `bt.run`; of several parameter rows the first is looked at.
        lake: as for `bt.run`; all runs read it as it is now.
        fills: as for `bt.run`.
        n: how many placebos of each kind; where there are so many that differ.
        seed: of what is drawn; placebo number 3 is the same whatever `n` is.
        params: as for `bt.run`.
        arguments: of `bt.run`.

    Raises:
        PlanError: a policy, which decides inside the clock; a plan that wants nothing; a basket whose legs
            are not all in one event; or what `bt.run` raises.
    """
    _refuse(plan, n, seed, arguments.get("holdout"))
    shared, planned = SharedLake(opened(lake)), plans(plan, params)
    row = planned.rows[0]
    lazy = planned.under(row)
    rows = _wanted(lazy, row)
    # All markets of the plan stay in it, wanted or not: then one stage serves every run.
    listed = pl.DataFrame({"ticker": sorted(universe(lazy, row))})

    def ran(kind: str, number: int, wanted: pl.DataFrame) -> pl.DataFrame:
        both = pl.concat([wanted, listed], how="diagonal")
        return _line(kind, number, run(both, shared, fills=fills, **arguments))

    told = [ran(AS_PLANNED, 0, rows)]
    assert shared.stage is not None
    movable = decisions(rows, shared.stage)
    for number, moved in _drawn(movable.later, movable.rows, seed, n):
        told.append(ran(LATER, number, moved))
    for number, moved in _drawn(movable.in_other_markets, movable.rows, seed, n):
        told.append(ran(OTHER_MARKETS, number, moved))
    n_taken = movable.in_other_markets(np.random.default_rng(seed)).height  # the same, whatever is drawn
    return Placebo(row, pl.concat(told), movable.rows.height - n_taken)


def _wanted(plan: pl.LazyFrame, params: dict[str, Any]) -> pl.DataFrame:
    with bound(params):
        rows = plan.filter(pl.col("intent").is_not_null()).collect()
    if rows.is_empty():
        given = ", ".join(f"{name}={value}" for name, value in params.items())
        raise PlanError(f"the plan wants nothing ({given or 'no parameters'}): there is nothing to move")
    return rows.with_columns(pl.col("ticker").cast(pl.String))


def _drawn(
    moving: Callable[[np.random.Generator], pl.DataFrame], planned: pl.DataFrame, seed: int, n: int
) -> Iterator[tuple[int, pl.DataFrame]]:
    """Yield number and decisions of up to `n` placebos that have any; no two are alike, nor like the plan."""
    seen = {_places(planned)}
    for draw in range(_DRAWS * n):
        moved = moving(np.random.default_rng((seed, draw)))
        if moved.height and (places := _places(moved)) not in seen:
            yield len(seen), moved
            seen.add(places)
        if len(seen) > n:
            return


def _places(rows: pl.DataFrame) -> bytes:
    hashes = rows.select("ticker", "known_ts").hash_rows().to_numpy()
    return hashlib.sha256(hashes.tobytes()).digest()


def _refuse(plan: object, n: int, seed: int, held: object) -> None:
    if isinstance(plan, Quoting):
        raise PlanError(
            "a policy decides inside the clock, so it has no decisions to move; bt.sensitivity moves what it "
            "hears and when it sends (feed, latency)"
        )
    for name, value, least in (("n", n, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise PlanError(f"{name}={value!r} must be a whole number from {least} up")
    if isinstance(held, Holdout) and held.note is not None:
        raise PlanError("a holdout is opened for one run: look at placebos of the rest, without open()")


def _line(kind: str, number: int, done: Run) -> pl.DataFrame:
    """Return the row of one run."""
    doubled = (2 * pl.col("spread_cc")).cast(pl.Int64) * pl.col("count_centi")  # a middle may lie half-way
    spread, is_unknown = done.markouts.select(doubled.sum() // 2, pl.col("spread_cc").is_null().sum()).row(0)
    beyond = pl.col("pnl_micros") + pl.col("fees_micros") + spread
    own = {
        "spread_micros": pl.lit(spread, pl.Int64),
        "beyond_micros": beyond,
        "per_contract_micros": _per_contract_micros(),
        "n_no_middle": pl.lit(is_unknown, pl.Int64),
    }
    marks = {"kind": pl.lit(kind), "number": pl.lit(number, pl.Int64)}
    return done.summary.with_columns(**marks, **own).select(*_OWN, *SCHEMAS["summary"])


def _filled(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(pl.col("filled_centi") > 0)


def _per_contract_micros() -> pl.Expr:
    """Return P&L per filled contract of the rows of a group, rounded down; null where nothing filled."""
    pnl, filled = pl.col("pnl_micros").sum(), pl.col("filled_centi").sum()
    return pl.when(filled > 0).then(pnl * CONTRACT_CENTI // filled)


def _came_to(rows: pl.DataFrame) -> str:
    """Say what runs came to, on average; per contract, over all of them."""
    pnl, beyond, filled = (rows[name].mean() for name in ("pnl_micros", "beyond_micros", "filled_centi"))
    assert isinstance(filled, float)
    n_centi = round(filled)
    bought = f"{contracts(n_centi)} {'contract' if n_centi == CONTRACT_CENTI else 'contracts'}"
    each = rows.select(_per_contract_micros()).item()
    per = "" if each is None else f" ({dollars(each, decimals=4, is_signed=True)} per contract)"
    return f"{_money(pnl)} with {bought}{per}, {_money(beyond)} without spread and fees"


def _money(micros: Any) -> str:  # noqa: ANN401 -- what polars' aggregates may be
    return dollars(micros, is_signed=True)
