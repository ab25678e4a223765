"""One market maker on twenty made-up books with trades: our engine with everything on, and hftbacktest.

The maker joins best bid and best ask with one order a side (0.01 contract, so that no fill is partial:
hftbacktest's exchange model knows none), replaces what is no longer the best price, and stops buying or
selling at a position of ten orders. It looks at whole multiples of 50 ms at which something is new to it;
feed and orders are under way for 10 ms, so that each order is confirmed before the next look. Both engines
get the same changes and trades as arrays in memory, and let trades alone move an order up its queue. Ours has
exact fees, one purse for all markets, settlement, equity and a log of orders and fills; hftbacktest replays
one market after the other without fees. Loading and compiling is not counted. Fills are compared market by
market. Both take turns, for the machine drifts by a third within a minute, and the least time of each counts.
"""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

import backtest as bt
from backtest.kernels.asking import compiled
from backtest.outcomes import Outcome
from backtest.policies import Quoting, params_record
from backtest.quoting import own_news, quote
from backtest.replay import Stage, prepare
from backtest.settings import Settings, read_settings
from exchange.units import DOLLAR_CC
from tests.benchmarks.book_arrays import hft_events, inputs
from tests.benchmarks.figures import Figure, number, timed
from tests.benchmarks.made_up import markets
from tests.benchmarks.made_up_books import Books, midnight, tickers
from tests.foreign.clients import ROOT
from tests.foreign.engines import HFTBACKTEST
from warehouse import Lake
from warehouse.rebuilding.ops import DELTA
from warehouse.rebuilding.ordering import Streams
from warehouse.rebuilding.reading import EXCHANGE, read_streams
from warehouse.tables import BOOK_DELTAS, BOOK_SNAPSHOTS, MARKETS, TRADES

SEED: Final = 20261126
N_CHANGES: Final = 10_000_000  # of two days, of which the first is used
N_MARKETS: Final = 20
N_TIMES: Final = 7
N_TURNS: Final = 3
TRADED: Final = 0.3  # of what leaves the best level
LIMIT_S: Final = 1_200
TERMS: Final = {"every_us": 50_000, "latency_us": 10_000, "size": 0.01, "most": 0.10}
APART_MAX: Final = 0.02
FASTER_GOAL: Final = 3


@bt.policy(every="50ms", params={"size": 1, "most": 10})
def join_the_touch(at: Any, params: Any, memory: Any) -> bt.Quotes:  # noqa: ANN401, ARG001 -- records, to numba
    """Join best bid and ask, unless too much is held."""
    bid_centi = params.size if at.position_centi < params.most else 0
    ask_centi = params.size if at.position_centi > -params.most else 0
    return bt.Quotes(at.bid_cc, bid_centi, at.ask_cc, ask_centi)


@dataclass(frozen=True, slots=True)
class Scene:
    """A day of books and trades: a lake of it, and the rows that it was made from."""

    lake: Lake
    streams: Streams
    quoting: Quoting
    settings: Settings
    stage: Stage


def figures(work: Path) -> Iterator[Figure]:
    """Make the day, let both make a market, compare their fills, and yield what it took."""
    scene = a_scene(work)
    n_changes, n_markets = len(scene.stage.tape.tops), len(scene.quoting.tickers)
    row = dict(scene.quoting.policy.params)
    ask = compiled(scene.quoting.policy.function, params_record(row).dtype)
    made = _made(scene, row, ask)
    n_fills, n_orders = len(made.fills), len(made.orders["market"])
    on = f"{n_changes:,} changes of {n_markets} markets, {n_orders:,} orders, {n_fills:,} fills"
    folder = _events(scene, work) if HFTBACKTEST.is_made else None
    took, told = [], []
    for _ in range(N_TURNS):
        took.append(timed(lambda: _made(scene, row, ask), n_times=N_TIMES).cpu_s / n_changes)
        told += [] if folder is None else [_asked(folder)]
    ours = min(took)
    yield Figure(what="a market maker, tape in memory", value=1 / ours / 1e6, unit="M changes/CPU-s", work=on)
    whole = timed(lambda: bt.run(scene.quoting, scene.lake, **_arguments()).fills)
    yield Figure(what="... from Parquet to fills", value=whole.wall_s, unit="s", work=on)
    if told:
        yield from _theirs(scene, made, ours, told)


def a_scene(work: Path) -> Scene:
    """Write a day's books, trades and markets into a lake, and read it as a run does."""
    lake, day = Lake(work / "making"), Books(N_CHANGES).day(0)
    names = tickers(0)[:N_MARKETS]
    is_chosen = pl.col("ticker").is_in(names)
    lake.commit(BOOK_SNAPSHOTS, day.snapshots.filter(is_chosen))
    lake.commit(BOOK_DELTAS, day.deltas.filter(is_chosen))
    lake.commit(MARKETS, _markets(names))
    streams = read_streams(lake, names, None, None, clock=EXCHANGE)
    streams = with_trades(streams, names)
    lake.commit(TRADES, _trades(streams.deltas.filter("is_trade")))
    quoting, settings = join_the_touch.on(names), read_settings(**_settings())
    return Scene(lake, streams, quoting, settings, prepare(lake, settings, set(names)))


def with_trades(streams: Streams, names: list[str]) -> Streams:
    """Return the streams with `is_trade` for some of what leaves the best level of a side."""
    tape = inputs(streams, names, (midnight(0), midnight(1))).tape
    deltas = pl.concat([streams.deltas.filter(ticker=name).sort("seq") for name in names])
    is_delta = tape.changes["op"] == DELTA
    assert int(is_delta.sum()) == deltas.height
    cc, before = tape.level_cc[tape.changes["level"]], np.roll(tape.tops, 1)
    is_best = (cc == before["bid_cc"]) | (cc == before["ask_cc"])
    is_less = tape.changes["amount"] < 0
    drawn = np.random.default_rng(SEED).random(len(cc)) < TRADED
    chosen = pl.Series((is_best & is_less & drawn)[is_delta])
    return streams._replace(deltas=deltas.with_columns(is_trade=chosen))


def _markets(names: list[str]) -> pl.DataFrame:
    """Return markets of their own events, settled an hour after the day."""
    end = midnight(1)
    like = markets().head(len(names))
    return like.with_columns(
        ticker=pl.Series(names),
        event_ticker=pl.Series(names),
        observed_ts=pl.lit(end + timedelta(hours=2)),
        open_ts=pl.lit(midnight(0) - timedelta(days=1)),
        close_ts=pl.lit(end),
        settlement_ts=pl.lit(end + timedelta(hours=1)),
    )


def _trades(made: pl.DataFrame) -> pl.DataFrame:
    """Return the trades behind those changes, per `tables.TRADES`."""
    is_bid = pl.col("side") == "yes"
    schema = TRADES.polars_schema
    known = {
        "trade_id": pl.format("{}-{}", "ticker", "seq").hash(seed=1).cast(pl.String),
        "ticker": pl.col("ticker"),
        "event_ts": pl.col("event_ts"),
        "yes_price_cc": pl.when(is_bid).then("price_cc").otherwise(DOLLAR_CC - pl.col("price_cc")),
        "count_centi": -pl.col("delta_centi"),
        "taker_side": pl.when(is_bid).then(pl.lit("no")).otherwise(pl.lit("yes")),
        "is_block_trade": pl.lit(value=False),
        "fetched_ts": pl.lit(midnight(1)),
        "source": pl.lit("made-up"),
    }
    return made.select(known[name].cast(schema[name]).alias(name) for name in schema if name in known)


def _settings() -> dict[str, Any]:
    given = _arguments() | {"per_event": None, "extra_ticks": 0, "slippage": None, "refill": "never"}
    given |= {"per_series": None, "netting": False}
    return given | {"payout_delay": "1h", "legs": None}


def _arguments() -> dict[str, Any]:
    """Return what `bt.run` is given."""
    under_way = timedelta(microseconds=TERMS["latency_us"])
    return {
        "fills": "queue",
        "queue": "pessimistic",
        "latency": under_way,
        "feed": under_way,
        "cash": 100_000,
        "fees": bt.assume_fees("quadratic"),
        "maintenance": False,  # hftbacktest knows none
    }


def _made(scene: Scene, row: dict[str, Any], ask: Any) -> Outcome:  # noqa: ANN401 -- numba's
    own = own_news(scene.stage, scene.settings, scene.quoting)
    return quote(scene.stage, scene.settings, scene.quoting, own, row, ask)


def _events(scene: Scene, work: Path) -> Path:
    """Write the same changes and trades in the form that hftbacktest reads."""
    return hft_events(scene.streams, work / "making-hft", feed=timedelta(microseconds=TERMS["latency_us"]))


def _asked(folder: Path) -> dict[str, Any]:
    """Let hftbacktest make the same market, in a process of its own, and return what it tells."""
    command = [str(HFTBACKTEST.python), "-m", "tests.benchmarks.hftbacktest_making", str(folder)]
    done = subprocess.run(
        [*command, json.dumps(TERMS), str(N_TIMES)],
        check=True,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        timeout=LIMIT_S,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _theirs(scene: Scene, made: Outcome, ours: float, turns: list[dict[str, Any]]) -> Iterator[Figure]:
    """Compare fills market by market, and yield what hftbacktest took at its best."""
    told = min(turns, key=lambda each: float(each["cpu_s"]))
    counts = np.bincount(made.orders["market"][made.fills["order_id"]], minlength=N_MARKETS)
    fills = dict(zip(sorted(scene.quoting.tickers), counts.tolist(), strict=True))
    n_theirs = sum(told["fills"].values())
    apart = sum(abs(n - told["fills"][ticker]) for ticker, n in fills.items()) / n_theirs
    assert apart <= APART_MAX, f"fills are {apart:.1%} apart: ours {fills}, theirs {told['fills']}"
    theirs = told["cpu_s"] / len(scene.stage.tape.tops)
    yield Figure(
        what=f"hftbacktest {HFTBACKTEST.version}, the same market maker",
        value=1 / theirs / 1e6,
        unit="M changes/CPU-s",
        work=f"the same changes and trades as {told['n_events']:,} events, {told['orders']:,} orders, "
        f"{n_theirs:,} fills: {apart:.2%} of fills differ, summed over markets; {told['looks']:,} looks",
    )
    yield Figure(
        what="... takes more CPU than ours",
        value=theirs / ours,
        unit="times",
        work=f"ours {number(ours * 1e9)} ns a change with fees, settlement, purse and equity",
        at_least=FASTER_GOAL,
    )
