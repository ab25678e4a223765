"""What the strategies that come along earn on recorded data: the numbers of docs/strategies.md.

    python -m tests.stories.strategy_results

Imports the recordings (they are not part of this repository) into a lake of its own, runs every strategy with
the settings that the page names, and prints one line per run.
"""

import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain, pairwise
from pathlib import Path
from statistics import NormalDist
from typing import Any, Final

import polars as pl

import backtest as bt
from backtest.metrics import by_event, interval_by_day
from backtest.results import Run
from backtest.strategies.registry import STRATEGIES
from pipelines.ingest.import_books import import_books
from pipelines.ingest.import_candles import import_candles
from pipelines.ingest.import_ws import import_ws
from tests.realdata import DATA
from warehouse import Lake
from warehouse.tables import EVENTS, MARKETS, QUOTES, TRADES, Table

WEATHER: Final = ("KXHIGHNY", "KXLOWTNYC")
CRYPTO: Final = ("KXBTC15M",)
SPREAD_F: Final = 7.0  # of tomorrow's temperature around today's; a round number, fitted to nothing
QUOTED: Final = {"half_spread_cc": [50, 100, 200], "least_spread_cc": 100}

RUNS: Final[tuple[tuple[str, tuple[str, ...], dict[str, Any], dict[str, Any]], ...]] = (
    ("favourite_longshot", CRYPTO, {}, {"fills": "touch"}),
    ("favourite_longshot", CRYPTO, {}, {"fills": "book"}),
    ("favourite_longshot", WEATHER, {"horizon_minutes": 1_440}, {"fills": "touch"}),
    ("mean_reversion", CRYPTO, {}, {"fills": "touch"}),
    ("mean_reversion", CRYPTO, {}, {"fills": "book"}),
    ("mean_reversion", WEATHER, {"minutes": 60, "hold_minutes": 180, "jump": 0.1}, {"fills": "touch"}),
    ("calibration_edge", WEATHER, {"margin": [0.02, 0.1, 0.2]}, {"fills": "touch"}),
    ("closing_drift", CRYPTO, {"enter_minutes": 10, "exit_minutes": 2, "fade": [0, 1]}, {"fills": "touch"}),
    ("closing_drift", CRYPTO, {"enter_minutes": 10, "exit_minutes": 2, "fade": [0, 1]}, {"fills": "book"}),
    (
        "closing_drift",
        WEATHER,
        {"enter_minutes": 1_200, "exit_minutes": 660, "fade": [0, 1]},
        {"fills": "touch"},
    ),
    ("cross_strike", WEATHER, {"margin": [0.0, 0.01]}, {"fills": "touch"}),
    ("cross_strike", WEATHER, {"margin": [-0.01]}, {"fills": "touch", "legs": "one by one"}),
    ("market_making", CRYPTO, QUOTED, {"fills": "touch"}),
    ("market_making", CRYPTO, QUOTED, {"fills": "book"}),
    ("market_making", CRYPTO, QUOTED, {"fills": "queue", "queue": "pessimistic"}),
    ("market_making", CRYPTO, QUOTED, {"fills": "queue", "queue": "front"}),
)


# The same pairs against every change of the touch: how much of them is left when the orders arrive.
CHASES: Final[tuple[dict[str, Any], ...]] = tuple(
    {"fills": "touch", "latency": latency, "legs": legs}
    for latency in ("1ms", "50ms", "250ms", "1s")
    for legs in ("together", "one by one")
)


def imported(folder: Path) -> Lake:
    """Return a lake of the recordings: 88 days of temperatures in hourly candles, 46 quarters of an hour."""
    lake, observed_ts = Lake(folder / "lake"), datetime(2026, 11, 1, tzinfo=UTC)
    candles = DATA / "candles"
    import_candles(
        lake,
        [candles / "kxhighny_candles_1h.parquet"],
        observed_ts=observed_ts,
        markets=candles / "kxhighny_markets.parquet",
        events=candles / "kxhighny_events_2022-2026.parquet",
    )
    recordings = sorted((DATA / "ws").glob("*.jsonl.gz"))
    import_ws(lake, recordings, observed_ts=observed_ts, markets=DATA / "ws" / "ws_markets.csv")
    lake.commit(TRADES, trades_of_tickers(lake))
    return lake.pinned()


def trades_of_tickers(lake: Lake) -> pl.DataFrame:
    """Make trades of what the volume grew by between two tickers, a second apart: lumps, at the last price.

    A price above the middle of the ticker before was paid by a taker of YES.
    """
    stream = ("ticker", "session")
    middle_cc = (pl.col("bid_cc") + pl.col("ask_cc")) / 2
    lumps = (
        lake.scan(QUOTES)
        .filter(pl.col("volume_centi").is_not_null())
        .collect()
        .sort("ticker", "event_ts", "received_ts")
        .with_columns(
            count_centi=pl.col("volume_centi").diff().over(stream), was_cc=middle_cc.shift(1).over(stream)
        )
        .filter(pl.col("count_centi") > 0)
        .unique(["ticker", "volume_centi"], keep="first", maintain_order=True)
        .with_columns(
            trade_id=pl.format("{}-{}", "ticker", "volume_centi"),
            yes_price_cc="last_price_cc",
            taker_side=pl.when(pl.col("last_price_cc") >= pl.col("was_cc"))
            .then(pl.lit("yes"))
            .otherwise(pl.lit("no")),
            is_block_trade=pl.lit(value=False),
        )
    )
    return lumps.select(
        (pl.col(name) if name in lumps.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in TRADES.polars_schema.items()
    )


def touches(folder: Path) -> Lake:
    """Return a lake of three days of KXHIGHNY with every change of the touch, without sizes.

    Nobody recorded their results: who is bid at 99 cents in the end is taken to have paid.
    """
    lake = Lake(folder / "touches")
    import_books(lake, sorted((DATA / "l2_csv").glob("top_of_book_KXHIGHNY-*.csv.gz")), zone="UTC")
    last = (
        lake.quotes()
        .group_by("ticker")
        .agg(pl.col("bid_cc").last(), pl.col("known_ts").last())
        .with_columns(event_ticker=pl.col("ticker").str.replace(r"-[^-]+$", ""))
        .with_columns(close_ts=pl.col("known_ts").max().over("event_ticker") + pl.duration(hours=1))
        .collect()
    )
    told = {"source": pl.lit("by hand"), "series_ticker": pl.lit("KXHIGHNY")}
    paid = pl.when(pl.col("bid_cc") >= 9_900).then(pl.lit("yes")).otherwise(pl.lit("no"))
    rows = last.with_columns(observed_ts="close_ts", result=paid, status=pl.lit("finalized"), **told)
    _commit(lake, MARKETS, rows)
    events = rows.group_by(ticker="event_ticker").agg(
        pl.col("observed_ts", "source", "series_ticker").first()
    )
    _commit(lake, EVENTS, events.with_columns(mutually_exclusive=pl.lit(value=True)))
    return lake.pinned()


def _commit(lake: Lake, table: Table, rows: pl.DataFrame) -> None:
    """Commit rows; columns that they do not have are null."""
    lake.commit(
        table,
        rows.select(
            (pl.col(name) if name in rows.columns else pl.lit(None)).cast(dtype).alias(name)
            for name, dtype in table.polars_schema.items()
        ),
    )


def chases(lake: Lake) -> Iterator[dict[str, Any]]:
    """Run `cross_strike` on every change of the touch and yield what each way to send its legs came to."""
    strategy = STRATEGIES["cross_strike"]
    for arguments in CHASES:
        params = {**(strategy.params or {}), "margin": 0.0}
        run = bt.run(strategy.plan(lake), lake, params=params, fees=bt.assume_fees("quadratic"), **arguments)
        yield from ({"strategy": strategy.name, **arguments, **row} for row in _told(run, ("margin",)))


def persistence(lake: Lake) -> pl.LazyFrame:
    """Forecast that tomorrow is about as warm as today: a forecast that anybody can make, and no more.

    Today's temperature is the bracket that paid, known when its event was expected to be decided.
    """
    markets = lake.markets().filter(pl.col("series_ticker").is_in(WEATHER)).collect()
    rows = []
    for (_,), of_series in markets.sort("close_ts", "ticker").group_by("series_ticker", maintain_order=True):
        days = [day for _, day in of_series.group_by("close_ts", maintain_order=True)]
        for today, tomorrow in pairwise(days):
            for paid in today.filter(pl.col("result") == "yes").iter_rows(named=True):
                around = NormalDist(_middle_f(paid), SPREAD_F)
                rows += [
                    (each["ticker"], paid["expected_expiration_ts"], _prob(each, around))
                    for each in tomorrow.iter_rows(named=True)
                ]
    schema = {"ticker": pl.String(), "known_ts": pl.Datetime("us", "UTC"), "prob": pl.Float64()}
    return pl.LazyFrame(rows, schema=schema, orient="row")


def results(lake: Lake) -> Iterator[dict[str, Any]]:
    """Run every line of `RUNS` and yield what came of each parameter row."""
    forecast = persistence(lake)
    for name, series, changes, arguments in RUNS:
        strategy = STRATEGIES[name]
        told = {"forecast": forecast} if strategy.reads_forecast else {}
        for each in series:
            run = bt.run(
                strategy.plan(lake, series=each, **told),
                lake,
                params={**(strategy.params or {}), **changes},
                fees=bt.assume_fees("quadratic"),
                **arguments,
            )
            yield from (
                {"strategy": name, "series": each, **arguments, **row} for row in _told(run, tuple(changes))
            )


def scores(lake: Lake) -> Iterator[dict[str, Any]]:
    """Score the forecast that anybody can make, and the market beside it."""
    forecast = persistence(lake)
    for series in WEATHER:
        scored = bt.score_forecast(forecast.filter(pl.col("ticker").str.starts_with(f"{series}-")), lake)
        for row in scored.summary.iter_rows(named=True):
            yield {
                "series": series,
                "score": row["score"].replace("_", " "),
                "events": row["n_events"],
                "markets": row["n_markets"],
                "left out": int(scored.left_out["n_markets"].sum()),
                **{who: f"{row[who]:.3f}" for who in ("forecast", "market")},
                "skill": f"{row['skill']:.3f}",
                "interval": f"{row['low']:.3f} to {row['high']:.3f}",
            }


def _told(run: Run, swept: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    for row in run.summary.iter_rows(named=True):
        mine = [pl.col(name) == row[name] for name in run.param_names]
        fills, paid, held, baskets = (
            frame.filter(*mine) for frame in (run.fills, run.settlements, run.positions, run.baskets)
        )
        events = by_event(fills, paid, held)
        interval = interval_by_day(events)
        yield {
            **{name: row[name] for name in swept},
            "events": interval["n_events"],
            "days": interval["n_days"],
            "fills": fills.height,
            "fees": f"${row['fees_micros'] / 1e6:.2f}",
            "net": f"${row['pnl_micros'] / 1e6:.2f}",
            "per event": " to ".join(_dollars(interval[f"{side}_micros"]) for side in ("low", "high")),
            **(_of_baskets(baskets) if baskets.height else {}),
        }


def _of_baskets(baskets: pl.DataFrame) -> dict[str, Any]:
    total = baskets.select(pl.col(pl.Int64).sum()).row(0, named=True)
    return {
        "baskets": baskets.height,
        "sets": total["complete_centi"] / 100,
        "of sets": f"${total['complete_pnl_micros'] / 1e6:.2f}",
        "stranded": total["stranded_centi"] / 100,
        "of stranded": f"${total['stranded_pnl_micros'] / 1e6:.2f}",
    }


def _dollars(micros: float | None) -> str:
    return "none" if micros is None else f"${micros / 1e6:.2f}"


def _middle_f(market: dict[str, Any]) -> float:
    floor, cap = market["floor_strike"], market["cap_strike"]
    if floor is None:
        return float(cap - 2)
    return float(floor + 2 if cap is None else (floor + cap) / 2)


def _prob(market: dict[str, Any], around: NormalDist) -> float:
    """The chance of a whole number of degrees: above floor, below cap, or from floor to cap."""
    floor, cap, kind = market["floor_strike"], market["cap_strike"], market["strike_type"]
    if kind == "greater":
        return 1 - around.cdf(floor + 0.5)
    if kind == "less":
        return around.cdf(cap - 0.5)
    return around.cdf(cap + 0.5) - around.cdf(floor - 0.5)


def main() -> None:
    """Import, run and print."""
    with tempfile.TemporaryDirectory() as folder:
        recorded = imported(Path(folder))
        rows = chain(results(recorded), scores(recorded), chases(touches(Path(folder))))
        for row in rows:
            sys.stdout.write(", ".join(f"{name} {value}" for name, value in row.items()) + "\n")


if __name__ == "__main__":
    main()
