"""What an order pays where nobody recorded sizes: half the spread, and its own impact by contracts.

    bt.run(plan, lake, fills="trades", slippage=bt.Slippage(impact="sqrt", coefficient_cc=4))

An impact model says how much worse than the touch the n-th contract trades, in centicents: a ladder of
prices, as a book is one. "linear" is coefficient x n, "sqrt" is coefficient x sqrt(n), a function of yours is
anything that does not fall. On average n contracts then pay a half, or two thirds, of what the last one pays.

Where the forms come from (read 2026-11-26):

- linear: A. S. Kyle, Continuous Auctions and Insider Trading, Econometrica 53 (1985), 1315-1335: prices move
  by lambda times the order flow. https://www.tradicted.com/research/kyle-market-1985/
- sqrt: impact is about Y x sigma x sqrt(n / V), with V the daily volume, sigma the daily volatility and Y
  near 1, so that the coefficient is Y x sigma / sqrt(V). Sato and Kanazawa, arXiv 2411.13965 (2024), measure
  an exponent of 0.489 over eight years of Tokyo; Almgren, Thum, Hauptmann and Li, Direct Estimation of Equity
  Market Impact, Risk (July 2005), reject 1/2 for 3/5: `impact=lambda n: 4 * n**0.6`.
  https://www.signaltrace.wiki/markov-model/Concepts/Square-Root-Law-of-Market-Impact

Both were measured on shares, not on event contracts: `bt.calibrate_slippage` measures yours.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from backtest.errors import PlanError
from backtest.kernels.arrays import COUNT_MAX_CENTI, I64, NEVER, TURNS_MIN
from backtest.latency import as_us
from exchange.units import DOLLAR_CC

Impact = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]
SHAPES: Final[Mapping[str, Impact]] = {"linear": lambda contracts: contracts, "sqrt": np.sqrt}
_PROBES: Final = np.concatenate([[0.0], np.geomspace(0.01, COUNT_MAX_CENTI / 100, 500)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Slippage:
    """What is assumed of markets without recorded sizes; also what `bt.calibrate_slippage` returns.

    Args:
        half_spread_cc: half of what lies between bid and ask, in centicents, at least 1; or by YES price,
            such as {0: 50, 1_000: 100, 9_000: 50} (from $0, from $0.10, from $0.90 on); or None: estimated in
            each market from its trades so far. For fills="trades" alone; quotes show their spread.
        impact: "linear", "sqrt", a function from contracts (an array) to centicents, or None: any count at
            the touch.
        coefficient_cc: of "linear" and "sqrt": what the first contract pays more than the touch, centicents.
        max_age: for how long a trade says where the touch is, such as "1h"; by default until the next one.
        fit: the table behind a calibration, per `slippage_fit.FIT`; it changes nothing.
        explained_share: how much of the variance of the measured costs the impact explains; nor does this.

    Raises:
        PlanError: a value that cannot be meant.
    """

    half_spread_cc: int | Mapping[int, int] | None = None
    impact: str | Impact | None = None
    coefficient_cc: float | None = None
    max_age: str | timedelta | None = None
    fit: pl.DataFrame | None = field(default=None, repr=False, compare=False)
    explained_share: float | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        _check_spread(self.half_spread_cc)
        if isinstance(self.impact, str) and self.impact not in SHAPES:
            raise PlanError(f"impact={self.impact!r}: use {' or '.join(SHAPES)}, or a function of contracts")
        if not (self.impact is None or isinstance(self.impact, str) or callable(self.impact)):
            raise PlanError(
                f"impact={self.impact!r}: use {' or '.join(SHAPES)}, with coefficient_cc, or a function of "
                "contracts"
            )
        if not isinstance(self.impact, str) and self.coefficient_cc is not None:
            raise PlanError('coefficient_cc is for impact="linear" or "sqrt"')
        if isinstance(self.impact, str) and not _is_positive(self.coefficient_cc):
            raise PlanError(
                f"coefficient_cc={self.coefficient_cc!r}: give centicents, more than 0; 4 with impact='sqrt' "
                "means that the hundredth contract trades $0.0040 worse than the first"
            )
        if self.impact is not None:
            _check_impact(self.worsening(_PROBES), _PROBES)
        if self.max_age is not None and as_us("max_age", self.max_age) <= 0:
            raise PlanError(f"max_age={self.max_age!r} must be more than 0")

    def __str__(self) -> str:
        """Return the assumption in words and, after a calibration, its table."""
        said = [repr(self), *self.sentences(has_spread=False)]
        if self.explained_share is not None:
            said.append(f"the impact explains {self.explained_share:.0%} of the variance of measured costs")
        if self.fit is not None:
            with pl.Config(tbl_rows=-1, tbl_hide_dataframe_shape=True, float_precision=2):
                said.append(str(by_contracts(self.fit)))
        return "\n".join(said)

    def worsening(self, contracts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return how much worse than the touch the last of so many contracts trades, in centicents."""
        if isinstance(self.impact, str):
            assert self.coefficient_cc is not None
            return self.coefficient_cc * SHAPES[self.impact](contracts)
        return np.zeros_like(contracts) if self.impact is None else np.asarray(self.impact(contracts))

    def reach(self) -> I64:
        """Return, for 0 to 10,000 centicents, how many hundredths of contracts trade no worse than that.

        That is the model turned around, by bisection, exact to a hundredth; without an impact, any number.
        """
        worse = np.arange(DOLLAR_CC + 1, dtype=np.float64)
        if self.impact is None:
            return np.full(len(worse), NEVER)
        low, high = np.zeros(len(worse), np.int64), np.full(len(worse), COUNT_MAX_CENTI + 1)
        while (high - low > 1).any():
            middle = (low + high) // 2
            is_reached = self.worsening(middle / 100) <= worse
            low, high = np.where(is_reached, middle, low), np.where(is_reached, high, middle)
        return low

    def half_spreads(self) -> I64:
        """Return the half-spread at each YES price from $0 to $1; 0 where each market's is estimated."""
        if self.half_spread_cc is None:
            return np.zeros(DOLLAR_CC + 1, np.int64)
        steps = {0: self.half_spread_cc} if isinstance(self.half_spread_cc, int) else self.half_spread_cc
        starts = np.array(sorted(steps))
        values = np.array([steps[start] for start in starts.tolist()], np.int64)
        at: I64 = values[np.searchsorted(starts, np.arange(DOLLAR_CC + 1), side="right") - 1]
        return at

    @property
    def max_age_us(self) -> int | None:
        """For how long a trade says where the touch is."""
        return None if self.max_age is None else as_us("max_age", self.max_age)

    @property
    def told(self) -> dict[str, Any]:
        """For the manifest: everything that decides a fill, a function by the digest of its ladder."""
        spread = self.half_spread_cc
        of_function = callable(self.impact) and hashlib.sha256(self.reach().tobytes()).hexdigest()
        return {
            "half_spread_cc": spread
            if spread is None or isinstance(spread, int)
            else {str(start): spread[start] for start in sorted(spread)},
            "impact": of_function or self.impact,
            "coefficient_cc": self.coefficient_cc,
            "max_age_us": self.max_age_us,
        }

    def sentences(self, *, has_spread: bool) -> list[str]:
        """Return what a reader of the report must know; `has_spread`: quotes showed the spread."""
        spread, said = self.half_spread_cc, list[str]()
        if has_spread and spread is not None:
            said.append("quotes show their spread: the slippage's own is not used")
        if not has_spread:
            said.append(_spread_said(spread))
            said.append(
                "the last trade says where the touch is until the next one, however old it is"
                if self.max_age_us is None
                else f"a trade says where the touch is for {self.max_age_us / 1e6:g} s, or until the next one"
            )
        if self.impact is None:
            said.append("nothing is known of depth: an order gets all it asks for at the touch")
        else:
            ten, thousand = self.worsening(np.array([10.0, 1_000.0])) / DOLLAR_CC
            name = f"{self.impact} impact" if isinstance(self.impact, str) else "impact by a function"
            said.append(
                f"{name}, where no size was recorded: the 10th contract trades ${ten:.4f} worse than the "
                f"touch, the 1,000th ${thousand:.4f}"
            )
        return said


def _spread_said(spread: int | Mapping[int, int] | None) -> str:
    if spread is None:
        return (
            "half the spread is half of what buyers in a market paid more than sellers got whenever they "
            f"took turns so far; no touch is known before they did {TURNS_MIN} times"
        )
    if isinstance(spread, int):
        return f"half the spread is ${spread / DOLLAR_CC:.4f}"
    steps = (f"${spread[start] / DOLLAR_CC:.4f} from ${start / DOLLAR_CC:.2f}" for start in sorted(spread))
    return f"half the spread is by YES price: {', '.join(steps)}"


def by_contracts(fit: pl.DataFrame) -> pl.DataFrame:
    """Return the table of a calibration without its prices: what orders of each size paid, and the model."""
    n_deep = pl.col("n") * pl.col("deep_share")
    return (
        fit.group_by("contracts")
        .agg(
            pl.col("n").sum(),
            deep_share=n_deep.sum() / pl.col("n").sum(),
            cost_cc=((pl.col("cost_cc") * n_deep).sum() / n_deep.sum()).fill_nan(None),
            model_cc=pl.col("model_cc").first(),
        )
        .sort("contracts")
    )


def _check_spread(spread: int | Mapping[int, int] | None) -> None:
    if spread is None:
        return
    steps = dict(spread) if isinstance(spread, Mapping) else {0: spread}
    if 0 not in steps:
        raise PlanError(f"half_spread_cc={spread!r}: say from which YES price on, the first from 0")
    for start, value in steps.items():
        if not _is_whole(start) or not _is_whole(value) or not (0 <= start < DOLLAR_CC and value < DOLLAR_CC):
            raise PlanError(f"half_spread_cc={spread!r}: whole centicents from 0 to 9,999 (100 is $0.01)")
        if value < 1:
            raise PlanError(f"half_spread_cc={spread!r}: at least 1; to trade at the middle use fills='mid'")


def _check_impact(worse: npt.NDArray[np.float64], contracts: npt.NDArray[np.float64]) -> None:
    if worse.shape != contracts.shape:
        raise PlanError(f"impact: {len(contracts)} counts gave an array of shape {worse.shape}: one each")
    bad = ~np.isfinite(worse) | (worse < 0) | (np.diff(worse, prepend=0) < 0)
    if bad.any():
        where = int(np.argmax(bad))
        raise PlanError(
            f"impact: {contracts[where]:g} contracts gave {worse[where]:g} centicents: more contracts must "
            "not trade better than fewer, nor better than the touch"
        )


def _is_positive(value: float | None) -> bool:
    return _is_number(value) and 0 < float(value or 0) < float("inf")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
