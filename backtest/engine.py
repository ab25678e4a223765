"""Run a plan on a lake: collect it per parameter row, replay it through the kernels, hand back frames."""

import hashlib
import itertools
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import polars as pl

from backtest.assumptions import assumed
from backtest.baskets import ONE_BY_ONE, read_legs
from backtest.errors import MarketsUnknown, PlanError, kind_of
from backtest.holdouts import Holdout, Split, split_of
from backtest.latency import Latency
from backtest.parameters import bound
from backtest.plan import Params, Wanted, given_rows, universe, wanted
from backtest.planning import PlanOf, Plans, plans
from backtest.policies import Policy, Quoting, params_record, policy_rows
from backtest.results import Run
from backtest.rooms import Rooms
from backtest.settings import Settings, config_of, read_settings
from backtest.slippage import Slippage
from backtest.stages import stage_for
from exchange.fees import FeeTerms

if TYPE_CHECKING:
    from datetime import date

    from backtest.outcomes import Outcome
    from backtest.replay import Stage
    from warehouse.tables import Table

_AT_ONCE: Final = 400_000  # rows that polars works on: with fewer, what each piece costs to begin counts most
_PACKAGES: Final = ("numba", "numpy", "polars")


class LakeReader(Protocol):
    """What a run needs of a lake."""

    def pinned(self) -> "LakeReader":
        """Return the lake as it is now, for reading several tables that agree."""

    @property
    def uri(self) -> str:
        """Where it lies, for messages."""

    def scan(
        self, table: "Table", *, dates: "tuple[date | None, date | None]" = (None, None)
    ) -> pl.LazyFrame:
        """Read a table lazily; `dates` limits the files that are looked at."""

    def tops(self, tickers: Sequence[str]) -> pl.LazyFrame:
        """Read rows of the table `quotes`, from recordings or else from the closes of candles."""

    def versions(self) -> Mapping[str, int]:
        """Return the version of every table that exists."""


def run(
    plan: PlanOf | Quoting,
    lake: LakeReader,
    *,
    fills: str,
    queue: str = "pessimistic",
    latency: str | timedelta | Latency = "250ms",
    feed: str | timedelta | Latency | None = None,
    cash: float | Decimal | str = 5_000,
    params: Params = None,
    per_event: float | Decimal | str | None = None,
    per_series: float | Decimal | str | None = None,
    netting: bool = False,
    maintenance: bool = True,
    extra_ticks: int = 0,
    slippage: Slippage | Mapping[str, Slippage] | None = None,
    refill: str | timedelta = "never",
    max_age: str | timedelta | None = None,
    payout_delay: str | timedelta = "1h",
    fees: FeeTerms | None = None,
    legs: str = "together",
    holdout: Holdout | None = None,
) -> Run:
    """Replay a plan and return what it would have come to.

    An order is decided at its row's known_ts, arrives `latency` later, and meets the market as it really was
    at that moment: the last event with an exchange time at or before the arrival, whether the trader knew of
    it or not. Nothing of the future decides anything; real orders meet the real book too.

    Args:
        plan: ticker (text, or categories), known_ts (UTC) and intent (see `backtest.intents`); lazy if it
            reads parameters. A fourth column `basket` (text or whole number, null for none) makes legs of the
            rows that share it and known_ts; `Run.baskets` says how many sets were complete and what was
            stranded. Or a function that returns such a plan and takes the parameters by name: of windows and
            lengths of time, say, which no expression can be. Or a policy on its markets, `backtest.policy`.
        lake: where quotes or books, markets, events, series and fee changes are.
        fills: what orders meet: "mid" (the middle between bid and ask: a fantasy), "touch" (best quotes and
            their sizes), "trades" (a touch made of the last trades and a `slippage`, where nobody recorded
            quotes), "book" (displayed depth, level by level; what we took stays taken until the level shrinks
            below it or empties), or "queue" (as "book", and trades fill orders that wait, once what is ahead
            of them has traded).
        queue: for fills="queue", where waiting orders stand: "pessimistic" (cancels are all from behind),
            "proportional" or "front"; the truth lies between the first and the last, but for what no tape
            tells (docs/fills.md).
        latency: from decision to arrival, more than 0; or drawn from measured ones, `bt.sample_latency`.
        feed: for a policy, from what happens at the exchange to when the policy knows of it, its own fills
            included; 100 ms by default; or drawn from measured ones, `bt.sample_latency`. A plan's rows have
            their known_ts already.
        cash: dollars at the start; one purse for all markets. What an order cannot pay for (fee included) is
            not bought; what it can pay for is, to 0.01 contract. Orders that wait reserve their cost.
        params: values for `bt.param`, or of a function or policy: {name: value, or list, range, array or
            Series of them}, every combination; or a frame of rows. A plan is collected once for each: collect
            before it what no parameter reads, and drop rows by parameters with `bt.where`, or with `filter`,
            which looks at all of them each time; `when` takes longest.
        per_event: most that open positions of one event may have cost: up to 1 a share of `cash`, above 1
            dollars.
        per_series: the same for all events of one series.
        netting: let NO in several markets of a mutually exclusive event return the collateral that cannot be
            lost, as accounts may opt for; off, all of it stays locked until the payout.
        maintenance: nothing trades on Thursdays from 03:00 to 05:00 in New York, as on the real exchange;
            False for tapes of another one.
        extra_ticks: for touch: pay this many grid steps more than was shown.
        slippage: what orders pay where no size was recorded, `bt.Slippage` or what `bt.calibrate_slippage`
            measured, one or a dict of them by series: for trades, and for quotes without sizes.
        refill: after how long what we took of a level counts as displayed again; by default never, as long as
            the level stands.
        max_age: for touch and mid: how long a quote counts that no other one follows; by default until the
            next one, or until its recording ends. On closes of candles, more than their period.
        payout_delay: where the lake knows a result but no settlement time, from the close to the payout, or
            from when the market was last seen undecided, or decided otherwise.
        fees: terms where the lake knows none, as `bt.assume_fees` gives them; known ones stay.
        legs: how legs of baskets are sent: "together", or "one by one" in the plan's order, each at the
            instant the one before arrived and for as many contracts as that one got.
        holdout: events to leave out, `bt.holdout`; or, opened, to look at and no others, once, for one
            parameter row. Baskets with legs on both sides are left out.

    Raises:
        PlanError, ParameterError, MarketsUnknown, FeesUnknown, TooLarge: the run is refused as a whole.
    """
    if isinstance(plan, Policy):
        raise PlanError("a policy is asked about markets: run policy.on([…])")
    planned = None if isinstance(plan, Quoting) else plans(plan, params)
    if planned is not None and feed is not None:
        raise PlanError("feed= is for policies: a plan's rows have their known_ts already, move that instead")
    settings = read_settings(
        fills=fills,
        queue=queue,
        latency=latency,
        feed=feed,
        cash=cash,
        per_event=per_event,
        per_series=per_series,
        netting=netting,
        maintenance=maintenance,
        extra_ticks=extra_ticks,
        slippage=slippage,
        refill=refill,
        payout_delay=payout_delay,
        fees=fees,
        max_age=max_age,
        legs=read_legs(legs, has_baskets=planned is not None and planned.has_baskets),
    )
    lake = opened(lake)
    if isinstance(plan, Quoting):
        rows = policy_rows(*given_rows(params), plan.policy)
        return _quoted(lake, settings, plan, rows, split_of(holdout, lake, len(rows), settings.payout_delay))
    assert planned is not None
    split = split_of(holdout, lake, len(planned.rows), settings.payout_delay)
    return _replayed(lake, settings, planned, split)


def opened(lake: LakeReader) -> LakeReader:
    """Return the lake as it is now.

    Raises:
        PlanError: it is none: a path, say.
    """
    if isinstance(lake, str | Path):
        raise PlanError(f"lake={str(lake)!r} is a path, and a run reads a lake: give it Lake({str(lake)!r})")
    if isinstance(lake, type) or not hasattr(lake, "pinned"):
        raise PlanError(f"lake is {kind_of(lake)}: give a lake, such as Lake('lake')")
    return lake.pinned()


def _replayed(
    lake: LakeReader,
    settings: Settings,
    planned: Plans,
    split: Split | None,
) -> Run:
    from backtest.compiling import announced
    from backtest.replay import replay  # numba comes in here, and only here

    rows, engine = planned.rows, planned.engine
    # Netting looks at all members of an event, wanted or not: then all rows say what there is.
    named = rows if settings.netting else rows[:1]
    likely = set[str]().union(*(universe(planned.under(row), row) for row in named))
    likely = likely if split is None else split.visible(likely)
    tickers, replayed, later, rooms = set(likely), [], list[Wanted](), Rooms()
    with announced(), ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        staged = pool.submit(stage_for, lake, settings, likely)

        def asked(row: dict[str, Any]) -> Wanted:
            plan, one_by_one = planned.under(row), settings.legs == ONE_BY_ONE
            return wanted(plan, row, settings.latency, one_by_one=one_by_one, split=split, engine=engine)

        def on_stage(each: Wanted) -> "Outcome":
            with rooms.one() as room:
                return replay(staged.result(), settings, each, room)

        # polars' settings are the process's: one run at a time has them, or the last would restore another's.
        with bound({}), pl.Config(streaming_chunk_size=_AT_ONCE):
            for row in rows:
                each = asked(row)
                tickers.update(each.tickers)
                if tickers == likely:
                    replayed.append(pool.submit(on_stage, each))
                else:
                    later.append(each)
        if not tickers:
            raise _nothing(planned, split)
        if later:  # which markets there are depends on a parameter: once more, with all of them
            wait(replayed)
            staged = pool.submit(stage_for, lake, settings, tickers)
            again = (asked(row) for row in rows[: len(replayed)])
            replayed = [pool.submit(on_stage, each) for each in itertools.chain(again, later)]
    done = [each.result() for each in replayed]
    return _finished(lake, settings, staged.result(), done, len(tickers), split)


def _nothing(planned: Plans, split: Split | None) -> Exception:
    """Say why no parameter row has a market."""
    if split is not None and any(universe(planned.under(row), row) for row in planned.rows):
        return split.sees_none()
    n = len(planned.rows)
    under = f" under any of {n} rows of parameters" if n > 1 else ""
    return MarketsUnknown(f"the plan has no rows{under}: nothing to replay")


def _quoted(
    lake: LakeReader,
    settings: Settings,
    quoting: Quoting,
    rows: Sequence[dict[str, Any]],
    split: Split | None,
) -> Run:
    from backtest.compiling import announced
    from backtest.kernels.asking import compiled
    from backtest.quoting import own_news, quote, said, told

    if split is not None:
        quoting = replace(quoting, tickers=frozenset(split.visible(quoting.tickers)))
        if not quoting.tickers:
            raise split.sees_none()
    policy, signals = quoting.policy, quoting.signals
    kinds = params_record(rows[0]).dtype, None if signals is None else signals.dtype
    ask = compiled(policy.function, *kinds, policy.depth) if policy.is_compiled else None
    stage = stage_for(lake, settings, set(quoting.tickers))
    own = own_news(stage, settings, quoting)
    with announced(), ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        done = list(pool.map(lambda row: quote(stage, settings, quoting, own, row, ask), rows))
    stage = replace(stage, assumptions=(*said(quoting, settings, own), *stage.assumptions))
    run = _finished(lake, settings, stage, done, len(quoting.tickers), split)
    run.manifest["config"]["policy"] = told(quoting, settings)
    return run


def _finished(
    lake: LakeReader,
    settings: Settings,
    stage: "Stage",
    done: "list[Outcome]",
    n_universe: int,
    split: Split | None,
) -> Run:
    from backtest.frames import frames_of

    run = Run(
        param_names=tuple(done[0].asked.params),
        frames=frames_of(done, stage, n_universe),
        assumptions=assumed(settings, stage, done),
        manifest=_manifest(lake, settings, done, stage.digest),
    )
    return run if split is None else split.told(run)


def _manifest(lake: LakeReader, settings: Settings, done: "list[Outcome]", inputs: str) -> dict[str, Any]:
    return {
        "versions": dict(sorted(lake.versions().items())),
        "config": {
            **config_of(settings),
            "params": [each.asked.params for each in done],
        },
        "packages": {name: version(name) for name in _PACKAGES},
        "code": code_digest(),
        "inputs": inputs,
        "orders": hashlib.sha256(b"".join(each.digest for each in done)).hexdigest(),
    }


def code_digest() -> str:
    """Return the SHA-256 of everything a result depends on: this folder's and exchange's Python files."""
    here = Path(__file__).parent
    digest = hashlib.sha256()
    for folder in (here, here.parent / "exchange"):
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.relative_to(here.parent).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
