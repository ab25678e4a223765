"""Run a plan on a lake: collect it per parameter row, replay it through the kernels, hand back frames."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import polars as pl

from backtest.assumptions import BASIS, PLACES, assumed
from backtest.baskets import ONE_BY_ONE, read_legs
from backtest.errors import PlanError, TooLarge
from backtest.kernels.arrays import NEVER
from backtest.latency import Latency, as_us, read_latency
from backtest.plan import Params, Plan, Wanted, parameter_rows, read_plan, universe, wanted
from backtest.results import Run
from backtest.slippage import Slippage
from exchange.fees import FeeTerms
from exchange.units import MICROS_PER_DOLLAR

if TYPE_CHECKING:
    from datetime import date

    from warehouse.tables import Table

_CASH_MAX_MICROS: Final = 10**15
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The arguments of one run, read and checked."""

    fills: str
    queue: str
    latency: Latency
    cash_micros: int
    per_event_micros: int  # -1: no cap
    extra_ticks: int
    slippage: Slippage | None
    refill_us: int  # NEVER: what we took stays taken
    payout_delay: timedelta
    fees: FeeTerms | None
    legs: str | None  # None: the plan has no baskets


def run(
    plan: Plan,
    lake: LakeReader,
    *,
    fills: str,
    queue: str = "pessimistic",
    latency: str | timedelta | Latency = "250ms",
    cash: float | Decimal | str = 5_000,
    params: Params = None,
    per_event: float | Decimal | str | None = None,
    extra_ticks: int = 0,
    slippage: Slippage | None = None,
    refill: str | timedelta = "never",
    payout_delay: str | timedelta = "1h",
    fees: FeeTerms | None = None,
    legs: str = "together",
) -> Run:
    """Replay a plan and return what it would have come to.

    An order is decided at its row's known_ts, arrives `latency` later, and meets the market as it really was
    at that moment: the last event with an exchange time at or before the arrival, whether the trader knew of
    it or not. Nothing of the future decides anything; real orders meet the real book too.

    Args:
        plan: ticker, known_ts (UTC) and intent (see `backtest.intents`); lazy if it reads parameters. A
            fourth column `basket` (text or whole number, null for none) makes legs of the rows that share it
            and known_ts; `Run.baskets` says how many sets were complete and what was stranded.
        lake: where quotes or books, markets, events, series and fee changes are.
        fills: what orders meet: "mid" (the middle between bid and ask: a fantasy), "touch" (best quotes and
            their sizes), "trades" (a touch made of the last trades and a `slippage`, where nobody recorded
            quotes), "book" (displayed depth, level by level; what we took stays taken until the level shrinks
            below it or empties), or "queue" (as "book", and trades fill orders that wait, once what is ahead
            of them has traded).
        queue: for fills="queue", where waiting orders stand: "pessimistic" (cancels are all from behind),
            "proportional" or "front"; the truth lies between the first and the last.
        latency: from decision to arrival, more than 0; or drawn from measured ones, `bt.sample_latency`.
        cash: dollars at the start; one purse for all markets. What an order cannot pay for (fee included) is
            not bought; what it can pay for is, to 0.01 contract. Orders that wait reserve their cost.
        params: values for `bt.param`: {name: value or list}, every combination; or a frame of rows.
        per_event: most that open positions of one event may have cost: up to 1 a share of `cash`, above 1
            dollars.
        extra_ticks: for touch: pay this many grid steps more than was shown.
        slippage: what orders pay where no size was recorded, `bt.Slippage` or what `bt.calibrate_slippage`
            measured: for trades, and for quotes without sizes.
        refill: after how long what we took of a level counts as displayed again; by default never, as long as
            the level stands.
        payout_delay: from close to payout where the lake knows a result but no settlement time.
        fees: terms where the lake knows none, as `bt.assume_fees` gives them; known ones stay.
        legs: how legs of baskets are sent: "together", or "one by one" in the plan's order, each at the
            instant the one before arrived and for as many contracts as that one got.

    Raises:
        PlanError, ParameterError, MarketsUnknown, FeesUnknown, TooLarge: the run is refused as a whole.
    """
    lazy = read_plan(plan)
    sending = read_legs(legs, has_baskets="basket" in lazy.collect_schema())
    settings = _settings(
        fills, queue, latency, cash, per_event, extra_ticks, slippage, refill, payout_delay, fees, sending
    )
    rows = parameter_rows(params, lazy)
    return _replayed(lake.pinned(), settings, lazy, rows)


def _replayed(
    lake: LakeReader, settings: Settings, plan: pl.LazyFrame, rows: Sequence[dict[str, Any]]
) -> Run:
    from backtest.frames import frames_of
    from backtest.replay import prepare, replay  # numba comes in here, and only here

    likely = universe(plan, rows[0])
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        staged = pool.submit(prepare, lake, settings, likely)
        in_turn = settings.legs == ONE_BY_ONE
        asked = [wanted(plan, row, settings.latency, one_by_one=in_turn) for row in rows]
        tickers = likely.union(*(set(each.intents["ticker"].unique()) for each in asked))
        stage = staged.result() if tickers == likely else prepare(lake, settings, tickers)
        done = list(pool.map(lambda each: replay(stage, settings, each), asked))
    return Run(
        param_names=tuple(asked[0].params),
        frames=frames_of(done, stage, len(tickers)),
        assumptions=assumed(settings, stage, done),
        manifest=_manifest(lake, settings, asked, stage.digest),
    )


def _settings(
    fills: str,
    queue: str,
    latency: str | timedelta | Latency,
    cash: float | Decimal | str,
    per_event: float | Decimal | str | None,
    extra_ticks: int,
    slippage: Slippage | None,
    refill: str | timedelta,
    payout_delay: str | timedelta,
    fees: FeeTerms | None,
    legs: str | None,
) -> Settings:
    if fills not in BASIS:
        raise PlanError(f"fills={fills!r} is unknown: use {' or '.join(BASIS)}")
    if queue not in PLACES or (queue != "pessimistic" and fills != "queue"):
        raise PlanError(f"queue={queue!r}: use {' or '.join(PLACES)}, and only with fills='queue'")
    if not isinstance(extra_ticks, int) or extra_ticks < 0 or (extra_ticks and fills != "touch"):
        raise PlanError(f"extra_ticks={extra_ticks}: a whole number from 0 up, and only with fills='touch'")
    _check_slippage(fills, slippage, extra_ticks)
    if fees is not None and not isinstance(fees, FeeTerms):
        raise PlanError(f"fees={fees!r}: give bt.assume_fees('quadratic', multiplier=1), or nothing")
    delay = timedelta(microseconds=as_us("payout_delay", payout_delay))
    if delay < timedelta(0):
        raise PlanError("payout_delay must not be negative: nobody is paid before the close")
    cash_micros = _micros("cash", cash)
    return Settings(
        fills=fills,
        queue=queue,
        latency=read_latency(latency),
        cash_micros=cash_micros,
        per_event_micros=-1 if per_event is None else _cap(per_event, cash_micros),
        extra_ticks=extra_ticks,
        slippage=slippage,
        refill_us=_refill_us(refill),
        payout_delay=delay,
        fees=fees,
        legs=legs,
    )


def _check_slippage(fills: str, slippage: Slippage | None, extra_ticks: int) -> None:
    if slippage is not None and not isinstance(slippage, Slippage):
        raise PlanError(
            f"slippage={slippage!r}: give bt.Slippage(...), or what bt.calibrate_slippage returns"
        )
    if slippage is None and fills == "trades":
        raise PlanError(
            "fills='trades' needs slippage=: bt.calibrate_slippage measures one; bt.Slippage() takes half of "
            "the spread from the trades themselves and gives any count at the touch"
        )
    if slippage is not None and (fills not in ("touch", "trades") or extra_ticks):
        raise PlanError("slippage= is for fills='trades' or 'touch', and not together with extra_ticks")


def _refill_us(refill: str | timedelta) -> int:
    if refill == "never":
        return NEVER
    length = as_us("refill", refill)
    if length <= 0:
        raise PlanError(f"refill={refill!r} must be more than 0, or 'never'")
    return length


def _micros(name: str, dollars: float | Decimal | str) -> int:
    try:
        micros = Decimal(str(dollars)) * MICROS_PER_DOLLAR
        whole = int(micros)
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise PlanError(f"{name}={dollars!r} is not an amount of dollars") from error
    if whole != micros or whole < 0:
        raise PlanError(f"{name}={dollars!r}: dollars, not negative, at most 6 decimals")
    if whole > _CASH_MAX_MICROS:
        raise TooLarge(
            f"{name}={dollars!r} is more than the {_CASH_MAX_MICROS // MICROS_PER_DOLLAR:,} allowed"
        )
    return whole


def _cap(per_event: float | Decimal | str, cash_micros: int) -> int:
    given = _micros("per_event", per_event)
    return given * cash_micros // MICROS_PER_DOLLAR if given <= MICROS_PER_DOLLAR else given


def _manifest(lake: LakeReader, settings: Settings, asked: list[Wanted], inputs: str) -> dict[str, Any]:
    fees = settings.fees
    return {
        "versions": dict(sorted(lake.versions().items())),
        "config": {
            "fills": settings.fills,
            "queue": settings.queue if settings.fills == "queue" else None,
            "latency_us": settings.latency.told,
            "cash_micros": settings.cash_micros,
            "per_event_micros": settings.per_event_micros if settings.per_event_micros >= 0 else None,
            "extra_ticks": settings.extra_ticks,
            "slippage": None if settings.slippage is None else settings.slippage.told,
            "refill_us": None if settings.refill_us == NEVER else settings.refill_us,
            "payout_delay_us": settings.payout_delay // timedelta(microseconds=1),
            "fees": None if fees is None else [fees.fee_type, fees.multiplier_ppm],
            "legs": settings.legs,
            "params": [each.params for each in asked],
        },
        "packages": {name: version(name) for name in _PACKAGES},
        "code": code_digest(),
        "inputs": inputs,
        "orders": _orders_digest(asked),
    }


def _orders_digest(asked: list[Wanted]) -> str:
    """Return the SHA-256 of everything that was wanted, whatever code or notebook wanted it."""
    digest = hashlib.sha256()
    for each in asked:
        digest.update(repr(each.params).encode())
        digest.update(each.intents.hash_rows(seed=0).to_numpy().tobytes())
    return digest.hexdigest()


def code_digest() -> str:
    """Return the SHA-256 of everything a result depends on: this folder's and exchange's Python files."""
    here = Path(__file__).parent
    digest = hashlib.sha256()
    for folder in (here, here.parent / "exchange"):
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.relative_to(here.parent).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
