"""What a notebook waits for: from nothing to the first printed result, in a process of its own.

The lake has 200,000 quotes of 2,000 markets; the plan reads them all and looks at the ask. Kernels were
compiled for this machine before, as they are once. Imports begin with the process; the best of three
processes counts. A policy is compiled anew in every process.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numba  # noqa: F401 -- part of the imports that are timed
import polars as pl

import backtest as bt
from tests.benchmarks import made_up
from tests.benchmarks.figures import Figure, timed
from warehouse import Lake
from warehouse.tables import FEE_CHANGES, MARKETS, QUOTES

N_QUOTES: Final = 200_000
N_TIMES: Final = 3
LIMIT_S: Final = 300
KINDS: Final = {"plan": "a plan, touch fills", "policy": "a compiled policy on 20 markets, touch fills"}


def figures(work: Path) -> Iterator[Figure]:
    """Yield the seconds of imports, of the first result beyond them, and of the same once more."""
    lake = Lake(work / "first")
    lake.commit(MARKETS, made_up.markets())
    lake.commit(FEE_CHANGES, made_up.fee_changes())
    lake.commit(QUOTES, made_up.quotes(made_up.trades(N_QUOTES)))
    for kind, words in KINDS.items():
        asked(lake, kind)  # compiles what this machine has not seen yet
        took = min((asked(lake, kind) for _ in range(N_TIMES)), key=lambda each: each["first_s"])
        work_of = f"{words}; {N_QUOTES:,} quotes, {took['n_fills']:,} fills"
        if kind == "plan":
            yield Figure(
                what="imports", value=took["imports_s"], unit="s", work="Python, polars, numba, ours"
            )
        yield Figure(
            what="first result, beyond imports",
            value=took["first_s"],
            unit="s",
            work=work_of,
            at_most=1 if kind == "plan" else None,
        )
        yield Figure(what="... once more", value=took["again_s"], unit="s", work=work_of)


def asked(lake: Lake, kind: str) -> dict[str, Any]:
    """Ask a new process."""
    began_s = str(time.monotonic())
    command = [sys.executable, "-m", "tests.benchmarks.first_results", lake.uri, kind, began_s]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=LIMIT_S)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def main(uri: str, kind: str, began_s: str) -> None:
    """Run, print, and say how long that took, and all since the process began, at `began_s`."""
    imports_s = time.monotonic() - float(began_s)
    lake = Lake(uri)

    def run() -> bt.Run:
        if kind == "plan":
            ask = pl.col("ask_cc")
            quotes = lake.quotes(series=made_up.SERIES)
            intent = bt.buy_yes(10, limit=ask).when(ask < 2_000)
            return bt.run(
                quotes.select("ticker", "known_ts", intent=intent), lake, fills="touch", cash=10_000
            )
        maker = bt.policy(every="1m")(lambda at, _, __: bt.Quotes(at.bid_cc, 100, at.ask_cc, 100))
        return bt.run(maker.on(made_up.tickers()[:20]), lake, fills="touch", latency="250ms", cash=10_000)

    first, again = (timed(lambda: repr(run())).wall_s for _ in range(2))
    told = {"imports_s": imports_s, "first_s": first, "again_s": again, "n_fills": run().fills.height}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
