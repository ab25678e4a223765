"""From what books or own fills showed to a `Slippage`: half-spreads by price, one coefficient, a table."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from backtest.errors import PlanError
from backtest.report_numbers import plain
from backtest.slippage import SHAPES, Slippage

if TYPE_CHECKING:
    from polars.dataframe.group_by import GroupBy

SEEN: Final = pl.Schema(
    {
        "sample": pl.Int64(),  # which book, or which order of one's own; a book is walked by several orders
        "price_cc": pl.Int64(),  # the middle between bid and ask, YES
        "half_spread_cc": pl.Float64(),
        "contracts": pl.Float64(),
        "depth": pl.Float64(),  # contracts on the side that was walked; what an order of one's own got
        "cost_cc": pl.Float64(),  # on average, more than the touch; null where there was not enough depth
    }
)
FIT: Final = pl.Schema(
    {
        "price_from_cc": pl.Int64(),  # a dime of YES prices, from here on
        "contracts": pl.Float64(),
        "n": pl.Int64(),  # orders that were measured, or walked
        "deep_share": pl.Float64(),  # of these, with enough depth for all
        "half_spread_cc": pl.Float64(),  # the mean
        "cost_cc": pl.Float64(),  # the mean, of those with enough depth
        "model_cc": pl.Float64(),  # what the model says
    }
)
_DIME_CC: Final = 1_000
_N_MIN: Final = 30  # books or own orders in a dime, for a half-spread of its own
# What n contracts pay on average, if the last one pays coefficient x shape: the integral over n.
_AVERAGES: Final[Mapping[str, float]] = {"linear": 1 / 2, "sqrt": 2 / 3}


def fitted(seen: pl.DataFrame, impact: str | None, what: str) -> Slippage:
    """Return the slippage that fits best, by least squares through zero of the mean cost by contracts.

    Args:
        seen: orders, per SEEN.
        impact: "linear", "sqrt", or None: the one that explains more.
        what: where they are from, for messages.

    Raises:
        PlanError: nothing was seen, no book was deep enough for any order, or the impact is none of the two.
    """
    if impact is not None and impact not in SHAPES:
        raise PlanError(f"impact={impact!r}: use {' or '.join(SHAPES)}, or leave it out: the better one")
    if seen.is_empty():
        raise PlanError(f"nothing to measure: {what}")
    deep = seen.drop_nulls("cost_cc").filter(pl.col("contracts") > 0)
    if deep.is_empty():
        least, deepest = seen.select(pl.col("contracts").min(), pl.col("depth").max()).row(0)
        raise PlanError(
            f"no book has {plain(least)} contracts on a side: the deepest has {plain(deepest)}; give sizes "
            "of no more than that"
        )
    tried = {shape: _coefficient(deep, shape) for shape in ([impact] if impact else SHAPES)}
    best = max(tried, key=lambda shape: tried[shape][1])
    coefficient, explained = tried[best]
    # Books so deep that no size left the touch, or nothing but single prices: no impact to speak of.
    has_impact = coefficient > 0
    found = Slippage(
        half_spread_cc=_half_spreads(seen),
        impact=best if has_impact else None,
        coefficient_cc=float(f"{coefficient:.4g}") if has_impact else None,
    )
    return replace(found, fit=_table(seen, found), explained_share=explained if has_impact else None)


def average_cc(slippage: Slippage, contracts: pl.Series) -> pl.Series:
    """Return what so many contracts pay on average more than the touch, in centicents, before any grid."""
    share = _AVERAGES[slippage.impact] if isinstance(slippage.impact, str) else 0.0
    return pl.Series(share * slippage.worsening(contracts.to_numpy()))


def _coefficient(deep: pl.DataFrame, shape: str) -> tuple[float, float]:
    """Return the coefficient and the share of the variance of costs that it explains."""
    cost, contracts = deep["cost_cc"].to_numpy(), deep["contracts"].to_numpy()
    unit = _AVERAGES[shape] * SHAPES[shape](contracts)
    coefficient = float(cost @ unit / max(float(unit @ unit), 1e-9))
    spread = float(((cost - cost.mean()) ** 2).sum()) if len(cost) else 0.0
    missed = float(((cost - coefficient * unit) ** 2).sum())
    return coefficient, 1 - missed / spread if spread > 0 else 0.0


def _half_spreads(seen: pl.DataFrame) -> dict[int, int]:
    """Return the mean half-spread of each dime, rounded up; the mean of all where a dime has few books."""
    samples = seen.unique("sample", keep="first", maintain_order=True)
    means = _by_dime(samples).agg(n=pl.len(), half=pl.col("half_spread_cc").mean())
    own = {dime: half for dime, n, half in means.iter_rows() if n >= _N_MIN}
    overall = float(samples["half_spread_cc"].mean())  # type: ignore[arg-type]  # a column of floats
    found: dict[int, int] = {}
    for dime in range(0, 10 * _DIME_CC, _DIME_CC):
        half = max(1, int(np.ceil(own.get(dime, overall))))
        if not found or found[max(found)] != half:
            found[dime] = half
    return found


def _table(seen: pl.DataFrame, slippage: Slippage) -> pl.DataFrame:
    rows = _by_dime(seen, "contracts").agg(
        n=pl.len().cast(pl.Int64),
        deep_share=pl.col("cost_cc").is_not_null().mean(),
        half_spread_cc=pl.col("half_spread_cc").mean(),
        cost_cc=pl.col("cost_cc").mean(),
    )
    ordered = rows.sort("price_from_cc", "contracts")
    return ordered.with_columns(model_cc=average_cc(slippage, ordered["contracts"])).select(list(FIT))


def _by_dime(seen: pl.DataFrame, *more: str) -> "GroupBy":
    dime = pl.col("price_cc") // _DIME_CC * _DIME_CC
    return seen.with_columns(price_from_cc=dime).group_by("price_from_cc", *more)
