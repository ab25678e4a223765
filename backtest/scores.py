"""A forecast against what came, and against the middle of the market at the same instants."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import polars as pl

from backtest.engine import opened
from backtest.errors import PlanError
from backtest.forecasts import read_forecast
from backtest.intervals import mean_by_day
from backtest.kernels.arrays import PRICE_UNKNOWN
from backtest.latency import as_us
from backtest.lifecycle import payouts
from backtest.recordings import ends
from backtest.report_numbers import MINUS, several
from backtest.results import TIME
from exchange.units import DOLLAR_CC
from warehouse.storage import collected
from warehouse.tables import MARKETS

if TYPE_CHECKING:
    from warehouse import Lake

BINS: Final = 10  # of equal width
WHO: Final = ("forecast", "market")
_TICK: Final = 0.0001  # no price says more: for the logarithm, 0 and 1 are as near to certain as a price gets
_PAYOUT_DELAY: Final = timedelta(
    hours=1
)  # as of `bt.run`; it can only move an event from one day to the next
_SCORES: Final = ("brier", "log_loss")


@dataclass(frozen=True, slots=True, repr=False)
class ForecastScores:
    """What `bt.score_forecast` found out.

    summary: a row for each score (brier, log_loss): forecast, market, skill (market less forecast: above 0
        the forecast is better), low and high (95 % interval of the skill), n_events, n_days, n_markets,
        n_scalar (markets that paid neither $0 nor $1), n_forecasts.
    reliability: by who (forecast or market) and tenth of probability (from_prob, to_prob): mean_prob,
        share_yes, low and high (95 % interval of share_yes), n_events, n_days, n_markets, n_forecasts.
    by_event: event_ticker, series_ticker, day, n_markets, n_forecasts, and each score of each.
    left_out: reason, n_forecasts, n_markets.
    """

    summary: pl.DataFrame
    reliability: pl.DataFrame
    by_event: pl.DataFrame
    left_out: pl.DataFrame

    def __repr__(self) -> str:
        """Say both scores beside the market's, and what could not be scored."""
        lines = [_sentence(row) for row in self.summary.iter_rows(named=True)]
        left_out = [f"Left out: {n_rows:,} ({reason})." for reason, n_rows, _ in self.left_out.iter_rows()]
        return "\n".join([*lines, *left_out, "Frames: summary, reliability, by_event, left_out."])


def score_forecast(
    forecast: str | Path | pl.DataFrame | pl.LazyFrame,
    lake: "Lake",
    *,
    max_age: str | timedelta | None = None,
) -> ForecastScores:
    """Score a forecast by what its markets paid, and beside it the market's own middle at the same instants.

    The middle is that of the latest quote known at a probability's known_ts, whichever recorder told it.
    Both are scored on the same rows: where the market had no middle, or the outcome is not known, neither is,
    and `left_out` says how often.

    Reliability is of these rows, too: where a market has both sides it is still in doubt, so that what a
    forecast calls unlikely comes to pass more often here than in all of its rows.

    Events count alike: a market's score is the mean over its probabilities, an event's over its markets, and
    the forecast's over its events, so that neither twenty strikes nor a hundred questions about one of them
    are trials. Intervals draw whole UTC days, of the last payout of an event (`intervals.mean_by_day`).

    The outcome is what a YES paid, from 0 to 1: for scalar and voided markets something between. The Brier
    score is the mean of (prob - outcome)^2; the log loss of -outcome ln(prob) - (1 - outcome) ln(1 - prob),
    with prob taken to be at least 0.0001 away from 0 and 1. Less is better.

    Args:
        forecast: a Parquet or CSV file, or a frame, with ticker, known_ts (UTC) and prob (of YES).
        lake: where the markets and their quotes, or candles, are.
        max_age: for how long a quote counts that no other one follows; by default until the next one, or
            until its recording ends.

    Raises:
        BadInput: no forecast.
        PlanError: nothing of it can be scored, or the lake is a path.
    """
    limit_us = None if max_age is None else as_us("max_age", max_age)
    if limit_us is not None and limit_us <= 0:
        raise PlanError(f"max_age={max_age!r} must be more than 0, or left out")
    lake = cast("Lake", opened(lake))
    told = read_forecast(forecast).collect()
    if told.is_empty():
        raise PlanError("the forecast has no rows: nothing to score")
    met = _with_middle(_with_outcome(told, lake), lake, limit_us)
    left_out = (
        met.drop_nulls("reason")
        .group_by("reason")
        .agg(n_forecasts=pl.len().cast(pl.Int64), n_markets=pl.col("ticker").n_unique().cast(pl.Int64))
        .sort("n_forecasts", "reason", descending=[True, False])
    )
    rows = met.filter(pl.col("reason").is_null())
    if rows.is_empty():
        why = ", ".join(f"{reason} {n}" for reason, n, _ in left_out.iter_rows())
        raise PlanError(f"none of the forecast's {told.height} rows can be scored: {why}")
    scored = rows.with_columns(
        score.alias(f"{name}_{who}") for who in WHO for name, score in _scored(pl.col(who)).items()
    )
    events = _by_event(scored, *(f"{name}_{who}" for name in _SCORES for who in WHO))
    return ForecastScores(_summary(events, scored), _reliability(rows), events, left_out)


def _with_outcome(told: pl.DataFrame, lake: "Lake") -> pl.DataFrame:
    """Add each market's event, series and close, what a YES paid and when; null where it is not known."""
    names = told["ticker"].unique().implode()
    homes = lake.markets().filter(pl.col("ticker").is_in(names))
    states = collected(lake.scan(MARKETS).filter(pl.col("ticker").is_in(names)), MARKETS.name)
    paid = payouts(states.sort("ticker", "observed_ts", maintain_order=True), _PAYOUT_DELAY)
    last = paid.group_by("ticker").agg(
        outcome=pl.col("value_cc").sort_by("number").last() / DOLLAR_CC,
        paid_ts=pl.col("settle_us").sort_by("number").first().cast(TIME),
    )
    known = homes.select("ticker", "event_ticker", "series_ticker", "close_ts").collect()
    return told.join(known, on="ticker", how="left").join(last, on="ticker", how="left")


def _with_middle(told: pl.DataFrame, lake: "Lake", limit_us: int | None) -> pl.DataFrame:
    """Add the middle that was known at each probability, and why a row is left out; null for none."""
    names = told.drop_nulls("outcome")["ticker"].unique().to_list()
    quotes = lake.quotes(ticker=names).select(
        *("ticker", "session", "known_ts", "bid_cc", "bid_size_centi", "ask_cc", "ask_size_centi"),
        event_ts=pl.col("known_ts") - pl.col("quote_age"),
    )
    ended = ends(lake, quotes).with_columns(known_ts="event_ts")
    shown = collected(pl.concat([quotes, ended]), "quotes").sort("ticker", "known_ts", maintain_order=True)
    # Of several recorders, one may tell an older quote after another has told a newer one.
    shown = shown.filter(pl.col("event_ts") == pl.col("event_ts").cum_max().over("ticker"))
    met = told.sort("ticker", "known_ts").join_asof(
        shown, on="known_ts", by="ticker", strategy="backward", check_sortedness=False
    )
    age_us = (pl.col("known_ts") - pl.col("event_ts")).dt.total_microseconds()
    is_old = pl.lit(value=False) if limit_us is None else age_us >= limit_us
    has_bid = (pl.col("bid_cc") > 0) & (pl.col("bid_size_centi").fill_null(1) > 0)
    has_ask = (pl.col("ask_cc") < DOLLAR_CC) & (pl.col("ask_size_centi").fill_null(1) > 0)
    is_over = (pl.col("known_ts") >= pl.col("close_ts")) | (pl.col("known_ts") >= pl.col("paid_ts"))
    reason = (
        pl.when(pl.col("event_ticker").is_null())
        .then(pl.lit("unknown market"))
        .when(pl.col("outcome").is_null())
        .then(pl.lit("undecided"))
        .when(is_over)
        .then(pl.lit("after the close"))
        .when(pl.col("event_ts").is_null() | (pl.col("bid_cc") == PRICE_UNKNOWN) | is_old)
        .then(pl.lit("no quote"))
        .when(~(has_bid & has_ask).fill_null(value=False))
        .then(pl.lit("no bid or no ask"))
        .when(pl.col("bid_cc") >= pl.col("ask_cc"))
        .then(pl.lit("bid not below ask"))
    )
    return met.with_columns(
        forecast="prob", market=(pl.col("bid_cc") + pl.col("ask_cc")) / (2 * DOLLAR_CC), reason=reason
    )


def _scored(prob: pl.Expr) -> dict[str, pl.Expr]:
    outcome, near = pl.col("outcome"), prob.clip(_TICK, 1 - _TICK)
    return {
        "brier": (prob - outcome) ** 2,
        "log_loss": -outcome * near.log() - (1 - outcome) * (1 - near).log(),
    }


def _by_event(rows: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Return the mean of each column by event: over its markets, and of each over its rows."""
    markets = rows.group_by("event_ticker", "ticker", maintain_order=True).agg(
        pl.first("series_ticker", "paid_ts"), pl.mean(*columns), n_forecasts=pl.len().cast(pl.Int64)
    )
    return (
        markets.group_by("event_ticker", maintain_order=True)
        .agg(
            pl.first("series_ticker"),
            day=pl.col("paid_ts").max().dt.date(),
            n_markets=pl.len().cast(pl.Int64),
            n_forecasts=pl.col("n_forecasts").sum(),
            **{name: pl.col(name).mean() for name in columns},
        )
        .sort("event_ticker")
    )


def _summary(events: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    is_scalar = ~pl.col("outcome").is_in([0.0, 1.0])
    told = []
    for name in _SCORES:
        better = pl.col(f"{name}_market") - pl.col(f"{name}_forecast")
        skill = mean_by_day(events.with_columns(better.alias("skill")), "skill")
        told.append(
            {
                "score": name,
                **{who: events[f"{name}_{who}"].mean() for who in WHO},
                "skill": skill["mean"],
                **{side: skill[side] for side in ("low", "high")},
                **_counts(events, skill["n_days"]),
                "n_scalar": rows.filter(is_scalar)["ticker"].n_unique(),
            }
        )
    return pl.DataFrame(told, schema_overrides={"low": pl.Float64, "high": pl.Float64})


def _reliability(rows: pl.DataFrame) -> pl.DataFrame:
    told = []
    for who in WHO:
        place = (pl.col(who) * BINS).floor().clip(0, BINS - 1).cast(pl.Int64)
        for number, inside in sorted(rows.with_columns(place=place).group_by("place")):
            events = _by_event(inside, who, "outcome")
            came = mean_by_day(events, "outcome")
            told.append(
                {
                    "who": who,
                    "from_prob": number[0] / BINS,
                    "to_prob": (number[0] + 1) / BINS,
                    "mean_prob": events[who].mean(),
                    "share_yes": came["mean"],
                    **{side: came[side] for side in ("low", "high")},
                    **_counts(events, came["n_days"]),
                }
            )
    return pl.DataFrame(told, schema_overrides={"low": pl.Float64, "high": pl.Float64})


def _counts(events: pl.DataFrame, n_days: int) -> dict[str, Any]:
    sums = {name: int(events[name].sum()) for name in ("n_markets", "n_forecasts")}
    return {"n_events": events.height, "n_days": n_days, **sums}


def _sentence(row: dict[str, Any]) -> str:
    name = row["score"].replace("_", " ").capitalize()
    between = "" if row["low"] is None else f" (95 % interval {row['low']:+.4f} to {row['high']:+.4f})"
    of = f"{several(row['n_events'], 'event')} on {several(row['n_days'], 'day')}"
    return (
        f"{name}: {row['forecast']:.4f}, and the market's {row['market']:.4f}, of {of}; less is better: "
        f"skill {row['skill']:+.4f}{between}."
    ).replace("-", MINUS)
