"""A market maker in hftbacktest: `python -m tests.benchmarks.hftbacktest_making FOLDER TERMS N_TIMES`.

Runs in the environment of tests/foreign/pins/hftbacktest.txt and needs nothing of ours. Every FOLDER/*.npy is
one market's stream in hftbacktest's own format, TERMS what tests/benchmarks/market_making.py asks for, as
JSON. The maker joins best bid and best ask with one order a side, replaces an order whose price is no longer
the best, and stops on the side where it holds too much. It looks whenever something is new to it, at whole
steps. Prints the CPU seconds of the quickest of N_TIMES, loading and compiling apart, and fills by market.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from hftbacktest import (  # type: ignore[import-not-found]
    EXPIRED,
    FILLED,
    GTX,
    LIMIT,
    BacktestAsset,
    ROIVectorMarketDepthBacktest,
)
from numba import njit

Engine = Any  # of a library without types
TICK = 0.01
_FOREVER_NS = 10**18
_END_OF_DATA = 1
_WAIT = False  # for the answer to an order


@njit
def make_market(hbt: Engine, step_ns: int, size: float, most: float) -> tuple[int, int]:
    """Quote to the end of the data; return how many orders were sent and how often it looked."""
    bid_id = ask_id = 0
    sent = looks = 0
    while hbt.wait_next_feed(include_order_resp=True, timeout=_FOREVER_NS) != _END_OF_DATA:
        late_ns = hbt.current_timestamp % step_ns
        if late_ns and hbt.elapse(step_ns - late_ns):
            break
        looks += 1
        depth, orders, position = hbt.depth(0), hbt.orders(0), hbt.position(0)
        if bid_id and orders.get(bid_id).status in (FILLED, EXPIRED):
            bid_id = 0
        if ask_id and orders.get(ask_id).status in (FILLED, EXPIRED):
            ask_id = 0
        bid_tick = depth.best_bid_tick if position < most - 1e-9 else 0
        ask_tick = depth.best_ask_tick if position > 1e-9 - most else 0
        if bid_id and orders.get(bid_id).price_tick != bid_tick:
            hbt.cancel(0, bid_id, _WAIT)
            bid_id = 0
        if ask_id and orders.get(ask_id).price_tick != ask_tick:
            hbt.cancel(0, ask_id, _WAIT)
            ask_id = 0
        if bid_id == 0 and 0 < bid_tick < 100:
            sent += 1
            bid_id = sent
            hbt.submit_buy_order(0, bid_id, bid_tick * TICK, size, GTX, LIMIT, _WAIT)
        if ask_id == 0 and 0 < ask_tick < 100:
            sent += 1
            ask_id = sent
            hbt.submit_sell_order(0, ask_id, ask_tick * TICK, size, GTX, LIMIT, _WAIT)
        hbt.clear_inactive_orders(0)
    return sent, looks


def backtest(events: "np.ndarray[Any, Any]", latency_ns: int) -> Engine:
    """Return an engine over one market, prices from $0 to $1, without fees."""
    asset = (
        BacktestAsset()
        .data([events])
        .linear_asset(1.0)
        .constant_order_latency(latency_ns, latency_ns)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(TICK)
        .lot_size(TICK)
        .roi_lb(0.0)
        .roi_ub(1.0)
    )
    return ROIVectorMarketDepthBacktest([asset])


def main(folder: str, terms: str, n_times: str) -> None:
    """Replay and tell."""
    given = json.loads(terms)
    markets = {each.stem: np.load(each) for each in sorted(Path(folder).glob("*.npy"))}
    took, fills, n_orders, n_looks = [], dict[str, int](), 0, 0
    for _ in range(int(n_times) + 1):  # the first one compiles
        cpu_s, n_orders, n_looks = 0.0, 0, 0
        for ticker, events in markets.items():
            hbt = backtest(events, given["latency_us"] * 1_000)
            began_s = time.process_time()
            made: Any = make_market
            sent, looks = made(hbt, given["every_us"] * 1_000, given["size"], given["most"])
            cpu_s += time.process_time() - began_s
            fills[ticker] = hbt.state_values(0).num_trades
            n_orders, n_looks = n_orders + sent, n_looks + looks
            hbt.close()
        took.append(cpu_s)
    n_events = sum(len(each) for each in markets.values())
    told = {
        "cpu_s": min(took[1:]),
        "fills": fills,
        "orders": n_orders,
        "looks": n_looks,
        "n_events": n_events,
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
