"""What hftbacktest makes of recorded books: `python -m tests.benchmarks.hftbacktest_replay FOLDER N_TIMES`.

Runs in the environment of tests/foreign/pins/hftbacktest.txt and needs nothing of ours. Every FOLDER/*.npy is
one market's stream in hftbacktest's own format. All of them are replayed twice: looking at best bid and ask
after every event, and once an hour. Prints the CPU seconds of the quickest of N_TIMES, loading and compiling
apart, and the last best bid and ask of every market with their sizes (by tick: in 2.4.4, best_bid_qty and
best_ask_qty are prices).
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from hftbacktest import (  # type: ignore[import-not-found]
    BacktestAsset,
    ROIVectorMarketDepthBacktest,
)
from numba import njit

Engine = Any  # of a library without types
Touch = tuple[int, float, float, float, float, float]  # looks, their sum; best bid and ask: tick and size
TICK = 0.01
HOUR_NS = 3_600_000_000_000
_FOREVER_NS = 10**18
_MARKET_EVENT = 2  # what waiting returns for one


@njit
def each_event(hbt: Engine) -> Touch:
    """Take one event after the other; return how often the touch was looked at, and the touch."""
    n, total = 0, 0.0
    depth = hbt.depth(0)
    while hbt.wait_next_feed(include_order_resp=False, timeout=_FOREVER_NS) == _MARKET_EVENT:
        total += depth.best_bid + depth.best_ask
        n += 1
    bid, ask = depth.best_bid_tick, depth.best_ask_tick
    return n, total, bid, depth.bid_qty_at_tick(bid), ask, depth.ask_qty_at_tick(ask)


@njit
def each_hour(hbt: Engine) -> Touch:
    """Let the clock run an hour at a time; return as above."""
    n, total = 0, 0.0
    depth = hbt.depth(0)
    while hbt.elapse(HOUR_NS) == 0:
        total += depth.best_bid + depth.best_ask
        n += 1
    bid, ask = depth.best_bid_tick, depth.best_ask_tick
    return n, total, bid, depth.bid_qty_at_tick(bid), ask, depth.ask_qty_at_tick(ask)


def backtest(events: "np.ndarray[Any, Any]") -> Engine:
    """Return an engine over one market, prices from $0 to $1, without fees and with some latency."""
    asset = (
        BacktestAsset()
        .data([events])
        .linear_asset(1.0)
        .constant_order_latency(20_000_000, 20_000_000)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(TICK)
        .lot_size(TICK)
        .roi_lb(0.0)
        .roi_ub(1.0)
    )
    return ROIVectorMarketDepthBacktest([asset])


def main(folder: str, n_times: str) -> None:
    """Replay and tell."""
    markets = {each.stem: np.load(each) for each in sorted(Path(folder).glob("*.npy"))}
    told: dict[str, Any] = {"n_events": sum(len(each) for each in markets.values())}
    for name, look in (("each_event", each_event), ("each_hour", each_hour)):
        took, last = [], {}
        for _ in range(int(n_times) + 1):  # the first one compiles
            cpu_s = 0.0
            for ticker, events in markets.items():
                hbt = backtest(events)
                began_s = time.process_time()
                found: Any = look(hbt)
                cpu_s += time.process_time() - began_s
                hbt.close()
                last[ticker] = [round(float(each) * 100) for each in found[2:]]
            took.append(cpu_s)
        told[name] = {"cpu_s": min(took[1:]), "last": last}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
