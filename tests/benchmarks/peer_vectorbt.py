"""The job in vectorbt: `python -m tests.benchmarks.peer_vectorbt FOLDER OUT`, in an environment of its own.

A market is a price column and the combinations are 100 columns of entries and exits, one call of
Portfolio.from_signals with numba's engine, without stops. The settlement is the last price, at which nobody
trades. Compiled on the first market, which then counts again. Thresholds and fees are part of what is timed,
and so are the orders' records and the profit.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import vectorbt as vbt  # type: ignore[import-not-found]

from tests.benchmarks.peer_job import (
    CASH,
    COUNTS,
    DIPS,
    N_COMBINATIONS,
    Market,
    as_fills,
    fee_dollars,
    read_markets,
    whole_cents,
)

Portfolio = Any  # of a library without types


def portfolio(market: Market) -> Portfolio:
    """Return all combinations of one market."""
    close = np.append(market.cents, market.settled_cents)
    dip = np.append(market.dip, 0)[:, None]
    fees = np.stack([fee_dollars(close, count) for count in range(1, 1 + max(COUNTS))], axis=1)
    return vbt.Portfolio.from_signals(
        close[:, None] / 100,
        dip >= np.array(DIPS),
        dip <= -np.array(DIPS),
        size=np.array([COUNTS], np.float64),
        fixed_fees=fees[:, np.array(COUNTS) - 1],
        init_cash=CASH,
        use_stops=False,
        attach_call_seq=False,
        max_orders=N_COMBINATIONS * len(close) // 10,
        freq="s",
        engine="numba",
    )


def main(folder: str, out: str) -> None:
    """Run, and write fills and profits."""
    markets = read_markets(Path(folder))
    portfolio(markets[0])
    fills, profits, began_s = [], [], time.process_time()
    for market in markets:
        done = portfolio(market)
        fills.append(done.orders.records_arr)
        profits.append(done.total_profit().to_numpy())
    cpu_s = time.process_time() - began_s
    found = [
        (col, place, row, 1 - 2 * side, whole_cents(price), round(size), whole_cents(fees))
        for place, orders in enumerate(fills)
        for _, col, row, size, price, fees, side in orders.tolist()
    ]
    cents = np.array([[whole_cents(float(each)) for each in row] for row in profits], np.int64)
    np.savez(out, fills=as_fills(found), profit_cents=cents)
    sys.stdout.write(json.dumps({"cpu_s": cpu_s}))


if __name__ == "__main__":
    main(*sys.argv[1:])
