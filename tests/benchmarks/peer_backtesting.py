"""The job in backtesting.py: `python -m tests.benchmarks.peer_backtesting FOLDER OUT`.

A trade is a bar whose four prices are equal, orders are filled at the bar's close (trade_on_close), the fee
is given as a function, and the settlement is the last bar. Backtest.run is called once for every market and
combination, in a bare loop: `optimize` does the same and a table of results besides. A strategy's
indicators are arrays that it looks up by the number of the bar, which is quicker than `self.I`.
"""

import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
from backtesting import Backtest, Strategy  # type: ignore[import-not-found]

from tests.benchmarks.peer_job import (
    CASH,
    Market,
    as_fills,
    combinations,
    fee_cents,
    read_markets,
    whole_cents,
)

Stats = Any  # of a library without types


class Dip(Strategy):  # type: ignore[misc]
    """Buy a dip, sell a peak."""

    dip = 0
    count = 0

    def init(self) -> None:
        """Find every bar at which something may be done."""
        by = np.asarray(self.data.Dip)
        self.is_low, self.is_high = by >= self.dip, by <= -self.dip

    def next(self) -> None:
        """Look at one bar."""
        bar = len(self.data) - 1
        if self.is_low[bar]:
            if not self.position:
                self.buy(size=self.count)
        elif self.is_high[bar] and self.position:
            self.position.close()


def fee(size: float, price: float) -> float:
    """Return the fee of one fill in dollars."""
    return fee_cents(round(price * 100), abs(round(size))) / 100


def runs(market: Market) -> list[Stats]:
    """Run every combination on one market."""
    close = np.append(market.cents, market.settled_cents) / 100
    bars = pd.DataFrame({"Open": close, "High": close, "Low": close, "Close": close})
    bars["Dip"] = np.append(market.dip, 0)
    bars.index = pd.date_range("2026-03-02", periods=len(bars), freq="s")
    backtest = Backtest(bars, Dip, cash=CASH, commission=fee, trade_on_close=True)
    return [backtest.run(dip=dip, count=count) for _, dip, count in combinations()]


def fills_of(place: int, combination: int, stats: Stats) -> list[tuple[int, ...]]:
    """Return the entries and exits of one run; what is settled has no exit."""
    strategy = stats["_strategy"]
    found: list[tuple[int, ...]] = []
    for trade in (*strategy.closed_trades, *strategy.trades):
        ends = ((trade.entry_bar, trade.entry_price, 1), (trade.exit_bar, trade.exit_price, -1))
        for bar, price, side in ends:
            if bar is not None:
                cents = whole_cents(price)
                found.append((combination, place, bar, side, cents, trade.size, fee_cents(cents, trade.size)))
    return found


def main(folder: str, out: str) -> None:
    """Run, and write fills and profits."""
    markets = read_markets(Path(folder))
    warnings.simplefilter("ignore")  # that trades are open at the end, for every run
    began_s = time.process_time()
    done = [runs(market) for market in markets]
    cpu_s = time.process_time() - began_s
    found, profits = [], np.zeros((len(markets), len(done[0])), np.int64)
    for place, each in enumerate(done):
        for combination, stats in enumerate(each):
            found += fills_of(place, combination, stats)
            profits[place, combination] = whole_cents(stats["Equity Final [$]"] - CASH)
    np.savez(out, fills=as_fills(found), profit_cents=profits)
    sys.stdout.write(json.dumps({"cpu_s": cpu_s}))


if __name__ == "__main__":
    main(*sys.argv[1:])
