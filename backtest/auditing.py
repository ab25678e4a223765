"""Whether a plan looks ahead: made anew with what was known at a moment, it must want what it wanted.

    print(bt.audit(my_plan, lake, params={"min_edge": 0.02}, series="KXBTC15M"))

It says whether, where first, how far ahead, and what to look for.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import polars as pl

from backtest.engine import opened
from backtest.errors import PlanError
from backtest.parameters import bound
from backtest.plan import Params
from backtest.planning import PlanOf, plan_under, plans
from backtest.policies import Policy, Quoting
from backtest.report_numbers import length, several
from backtest.watched import WatchedLake, check_read, check_takes_lake, is_tape
from exchange.units import format_ts

if TYPE_CHECKING:
    from warehouse import Lake

ONLY_WITH: Final = "only with the future"
ONLY_WITHOUT: Final = "only without it"
CHANGED: Final = "changed"
NOTHING: Final = "nothing"
LOOK_FOR: Final = (
    "Look for shift(-1), backward_fill and centred windows; for mean, rank, max or last over all rows of a "
    'market; for a missing .over("ticker"); for result, settlement, status, volume or close_ts of '
    "lake.markets(), which are as of today: join the states of lake.scan(MARKETS) by observed_ts instead, as "
    "backtest/strategies/ends.py does."
)

_INSTANT: Final = timedelta(microseconds=1)
_ROUNDING: Final = 1e-9  # of a number, or of 1 where it is smaller
_KEYS: Final = ("ticker", "known_ts")
_TIME: Final = pl.Datetime("us", "UTC")
_CUTS: Final = pl.Schema({"cut_ts": _TIME, "n_decisions": pl.Int64(), "n_different": pl.Int64()})
_DIFFERENCES: Final = pl.Schema(
    {
        "cut_ts": _TIME,
        "ticker": pl.String(),
        "known_ts": _TIME,
        "what": pl.String(),
        "wanted": pl.String(),
        "wanted_then": pl.String(),
    }
)


@dataclass(frozen=True, slots=True, repr=False)
class Audit:
    """What became of a plan that was made without the future; printed, it says the most important of it.

    params: the parameter row that was looked at.
    cuts: cut_ts, n_decisions until then on the whole lake, n_different; ascending.
    differences: cut_ts, ticker, known_ts, what ("only with the future", "only without it" or "changed"),
        wanted (on the whole lake, in words), wanted_then (with what was known at cut_ts); by cut, then
        known_ts and ticker. Empty where the plan is clean.
    left_out: when and how the strategy failed before its first decision, where there was nothing to compare;
        "" where it did not.
    """

    params: dict[str, Any]
    cuts: pl.DataFrame
    differences: pl.DataFrame
    left_out: str = ""

    @property
    def is_clean(self) -> bool:
        """Whether it wanted the same at every cut."""
        return self.differences.is_empty()

    def __repr__(self) -> str:
        """Say what was found, where first, and what to look for."""
        if self.cuts.is_empty():
            return "Nothing to check: a policy is shown no more than was known when it is asked."
        n_cuts, n_other = self.cuts.height, self.cuts.filter(pl.col("n_different") > 0).height
        anew = f"made anew with what was known at {several(n_cuts, 'moment')}"
        left_out = f"\nLeft out: {self.left_out}" if self.left_out else ""
        if self.is_clean:
            decisions = several(self.cuts["n_decisions"][-1], "decision")
            return f"No look-ahead found: {anew}, it wanted the same every time ({decisions}).{left_out}"
        counted = dict(self.differences.drop("cut_ts").unique()["what"].value_counts().iter_rows())
        counts = ", ".join(
            f"{several(counted[what], 'decision')} {what}"
            for what in (ONLY_WITH, ONLY_WITHOUT, CHANGED)
            if what in counted
        )
        reach = self.differences.select((pl.col("cut_ts") - pl.col("known_ts")).max()).item()
        far = f"more than {length(reach)} " if reach else ""
        first = self.differences.row(0, named=True)
        known_ts, cut_ts = (format_ts(first[name]) for name in ("known_ts", "cut_ts"))
        return (
            f"The strategy looks ahead: {anew}, it wanted something else at {n_other} of them ({counts}). "
            f"It reads what comes {far}after its decisions.\n"
            f"First: {first['ticker']} at {known_ts}: {first['wanted'] or NOTHING}; with what was known at "
            f"{cut_ts}: {first['wanted_then'] or NOTHING}.{left_out}\n{LOOK_FOR}"
        )


class _Failure(PlanError):
    """A strategy that fails when it knows less."""


def audit(
    strategy: Callable[..., Any] | Policy,
    lake: "Lake",
    *,
    params: Params = None,
    n_cuts: int = 5,
    **selection: Any,  # noqa: ANN401 -- of the strategy
) -> Audit:
    """Make a plan anew with what was known when it decided, and compare what it wants.

    Of all decisions `n_cuts` are taken, evenly from the first to the last. At each of them, and in the
    microsecond before, the strategy is given `lake.known_by(...)`, and what it wants until then must be what
    it wants on the whole lake. Frames of the selection that have a `known_ts`, such as forecasts, are cut as
    well. What it reads elsewhere is not: answers in a file of its own go unnoticed, and so does a look ahead
    that changes nothing at these moments.

    A policy decides inside the clock; of one that reads signals each row of them counts as a decision. Its
    numbers are the same if they differ by less than a billionth, as sums added in another order do.

    Whether what it wants earns more than orders that know nothing is another question: `bt.placebo`.

    Before its first decision a strategy may fail for want of rows: that moment is left out, and the audit
    says so. Later it may not, for on the whole lake it had decided something by then.

    Args:
        strategy: the function that makes the plan, called with a lake and the selection; what it returns may
            be a function of the parameters, as for `bt.run`.
        lake: all that is known today.
        params: as for `bt.run`; of several rows the first is looked at.
        n_cuts: how many decisions.
        selection: what else the strategy takes: series, event, ticker, start, end, forecast and so on.

    Raises:
        PlanError: no function of a lake, no plan, no intents to compare, a frame whose known_ts is no time
            with a zone, a plan that is another one each time, a strategy that fails where it has decided, or
            one that does not read the lake that it is given.
        ParameterError: as `bt.run`.
    """
    nothing = Audit({}, _CUTS.to_frame(), _DIFFERENCES.to_frame())
    if isinstance(strategy, Policy):
        _check_policy(strategy)
        return nothing
    if isinstance(n_cuts, bool) or not isinstance(n_cuts, int) or n_cuts < 1:
        raise PlanError(f"n_cuts={n_cuts!r} must be a whole number from 1 up")
    check_takes_lake(strategy, params, selection)
    pinned = cast("Lake", opened(lake))
    made = strategy(pinned, **selection)
    if isinstance(made, Quoting) and made.signals is None:
        return nothing
    row = {} if isinstance(made, Quoting) else plans(made, params).rows[0]
    wanted = _wanted(made, row, made)
    if wanted.is_empty():
        given = ", ".join(f"{name}={value}" for name, value in row.items())
        raise PlanError(f"the plan wants nothing ({given or 'no parameters'}): there is nothing to compare")
    cuts, differences, left_out, asked = [], [], "", list[str]()
    for cut_ts in _moments(wanted["known_ts"], n_cuts):
        before = wanted.filter(pl.col("known_ts") <= cut_ts)
        try:
            then = _wanted_then(strategy, WatchedLake(pinned, cut_ts, asked), row, selection, made)
        except _Failure as error:
            if not before.is_empty():
                raise
            left_out = f"{error}; it decides nothing until then."
            continue
        found = _differences(before, then)
        cuts.append((cut_ts, before.height, found.height))
        differences.append(found.select(pl.lit(cut_ts, _TIME).alias("cut_ts"), pl.all()))
    check_read(asked, selection)
    told = Audit(row, pl.DataFrame(cuts, schema=_CUTS, orient="row"), pl.concat(differences), left_out)
    again = wanted if told.is_clean else _wanted(strategy(pinned, **selection), row, made)
    if not _differences(wanted, again).is_empty():
        raise PlanError("the strategy makes another plan of the same lake each time: give it a fixed seed")
    return told


def _check_policy(policy: Policy) -> None:
    name = policy.function.__name__
    if policy.reads_signals:
        raise PlanError(
            f"{name} reads signals, and those may look ahead: give the function that makes them of a lake, "
            f"and returns {name}.on([…], signals=…)"
        )


def _moments(known_ts: pl.Series, n_cuts: int) -> Iterator[datetime]:
    """Yield the instants of decisions, from the first to the last, each after the one before it.

    At the decision itself, what only a later row told is missing. Before it, what is bought at the low of a
    day is not: there, an earlier low was the low.
    """
    decided = known_ts.unique().sort()
    places = np.unique(np.linspace(len(decided) - 1, 0, n_cuts).round().astype(np.int64))
    for at_ts in decided.gather(places):
        yield at_ts - _INSTANT
        yield at_ts


def _wanted_then(
    strategy: Callable[..., Any],
    lake: WatchedLake,
    params: dict[str, Any],
    selection: Mapping[str, Any],
    made: PlanOf | Quoting,
) -> pl.DataFrame:
    """Return what the strategy wants until a moment if it is given what was known then."""
    known = {name: _cut(name, given, lake.at_ts) for name, given in selection.items()}
    try:
        rows = _wanted(strategy(lake, **known), params, made)
    except Exception as error:
        said, at_ts = str(error).partition("\n")[0], format_ts(lake.at_ts)
        raise _Failure(
            f"the strategy fails with what was known at {at_ts}: {type(error).__name__}: {said}"
        ) from error
    return rows.filter(pl.col("known_ts") <= lake.at_ts)


def _cut(name: str, given: object, cut_ts: datetime) -> object:
    if not is_tape(given):
        return given
    known = given.collect_schema()["known_ts"]
    if not isinstance(known, pl.Datetime) or known.time_zone is None:
        raise PlanError(f"{name}: known_ts is {known}: it must be a time with a zone, for a moment to cut it")
    return given.filter(pl.col("known_ts").dt.convert_time_zone("UTC") <= cut_ts)


def _wanted(made: PlanOf | Quoting, params: dict[str, Any], today: PlanOf | Quoting) -> pl.DataFrame:
    """Return ticker, known_ts and, in words that differ as intents do, or as signals, `wanted`.

    `today`: what is made of all that is known; of signals, what differs by a rounding is the same.
    """
    if isinstance(made, Quoting):
        assert made.signals is not None
        assert isinstance(today, Quoting)
        assert today.signals is not None
        return _signalled(_rounded_as(today.signals.rows, made.signals.rows))
    with bound(params):
        rows = plan_under(made, params).drop_nulls(["ticker", "known_ts", "intent"]).collect()
    basket = pl.format("in basket {}", "basket") if "basket" in rows.columns else pl.lit(None, pl.String)
    return rows.unnest("intent").select(
        pl.col("ticker").cast(pl.String),
        "known_ts",
        wanted=pl.concat_str(*_words(), basket, separator=" ", ignore_nulls=True),
    )


def _rounded_as(today: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Return signals whose numbers are those of today wherever they differ by a rounding.

    In which order polars adds up a group depends on what it shares among threads: on rows that come later.
    """
    if rows.is_empty() or rows.schema != today.schema:
        return rows
    if rows.equals(today.filter(pl.col("known_ts") <= rows["known_ts"].max())):
        return rows  # as nearly always, and quicker
    keys = [name for name in _KEYS if name in rows.columns]
    place, whole = pl.int_range(pl.len()).over(keys).alias("#"), " today"  # no signal is called so
    both = rows.with_columns(place).join(
        today.with_columns(place), on=[*keys, "#"], how="left", suffix=whole, maintain_order="left"
    )
    numbers = []
    for name in rows.drop(keys).columns:
        then, now = pl.col(name), pl.col(name + whole)
        size = pl.min_horizontal(then.abs(), now.abs()).clip(1)
        numbers.append(pl.when((then - now).abs() <= _ROUNDING * size).then(now).otherwise(then).alias(name))
    return both.select(*keys, *numbers)


def _signalled(rows: pl.DataFrame) -> pl.DataFrame:
    ticker = pl.col("ticker") if "ticker" in rows.columns else pl.lit("all markets").alias("ticker")
    numbers = [pl.format("{}={}", pl.lit(name), name) for name in rows.columns if name not in _KEYS]
    return rows.select(ticker, "known_ts", wanted=pl.concat_str(numbers, separator=" "))


def _words() -> list[pl.Expr]:
    """Return one intent in words: buy 10 yes at $0.56 gtc for 30 s; from integers, so that they are exact."""
    return [
        pl.col("action").cast(pl.String),
        _decimal(pl.col("count_centi"), 2),
        pl.col("side").cast(pl.String),
        pl.format("at ${}", _decimal(pl.col("limit_cc"), 4)),
        pl.when(pl.col("tif") != "ioc").then(pl.col("tif").cast(pl.String)),
        pl.format("for {} s", _decimal(pl.col("ttl_us"), 6)),
        pl.when("post_only").then(pl.lit("post only")),
        pl.when("replace").then(pl.lit("replacing")),
    ]


def _decimal(whole: pl.Expr, n_decimals: int) -> pl.Expr:
    """Write a number of hundredths or the like; below 0, a count or limit that is none: a question mark."""
    unit = 10**n_decimals
    part = (whole % unit).cast(pl.String).str.zfill(n_decimals).str.strip_chars_end("0")
    written = pl.format("{}.{}", whole // unit, part).str.strip_suffix(".")
    return pl.when(whole < 0).then(pl.lit("?")).otherwise(written)


def _differences(wanted: pl.DataFrame, then: pl.DataFrame) -> pl.DataFrame:
    """Return what stands in one of two frames of ticker, known_ts, wanted and not in the other."""
    if wanted.equals(then):
        return _DIFFERENCES.to_frame().drop("cut_ts")
    copy = pl.int_range(pl.len()).over("ticker", "known_ts", "wanted").alias("copy")
    place = pl.int_range(pl.len()).over("ticker", "known_ts").alias("place")
    both = [each.with_columns(copy) for each in (wanted, then)]
    left, right = (
        mine.join(other, on=["ticker", "known_ts", "wanted", "copy"], how="anti").with_columns(place)
        for mine, other in (both, both[::-1])
    )
    is_with, is_without = pl.col("wanted").is_not_null(), pl.col("wanted_then").is_not_null()
    return (
        left.join(
            right.rename({"wanted": "wanted_then"}),
            on=["ticker", "known_ts", "place"],
            how="full",
            coalesce=True,
        )
        .with_columns(
            what=pl.when(is_with & is_without)
            .then(pl.lit(CHANGED))
            .when(is_with)
            .then(pl.lit(ONLY_WITH))
            .otherwise(pl.lit(ONLY_WITHOUT))
        )
        .select([name for name in _DIFFERENCES if name != "cut_ts"])
        .sort("known_ts", "ticker", "wanted", "wanted_then")
    )
