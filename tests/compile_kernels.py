"""Compile the clock before tests share it: `python -m tests.compile_kernels`.

numba keeps what it compiled on disk, but processes that begin together all compile the same. Here the clock
of plans and that of policies are compiled once, beside each other: about a minute on two cores, and nothing
the next time.
"""

import subprocess
import sys
from typing import Any

import backtest as bt
from tests.backtest.worlds import a_lake, a_market, a_quote, a_snapshot, at, replayed


@bt.policy(every="1s")
def _silent(at: Any, params: Any, memory: Any) -> bt.Quotes:  # noqa: ANN401, ARG001 -- records, to numba
    return bt.Quotes(0, 0, 0, 0)


def plan_alone() -> None:
    """Replay an order against a quote, and one in a queue."""
    replayed(a_lake(markets=[a_market()], quotes=[a_quote(0, 4_000, 6_000)]), (1, "A", bt.buy_yes(1)))
    books = a_lake(markets=[a_market()], book_snapshots=[a_snapshot(0, yes={4_000: 100}, no={4_000: 100})])
    replayed(books, (1, "A", bt.buy_yes(1)), fills="queue")


def policy_alone() -> None:
    """Ask a policy about a quote."""
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_000, 6_000)])
    bt.run(_silent.on(["A"], end=at(60)), lake, fills="touch")


def main() -> None:
    """Compile both at once."""
    command = [sys.executable, "-m", "tests.compile_kernels", "policy"]
    with subprocess.Popen(command) as other:
        plan_alone()
    if other.returncode:
        sys.exit(other.returncode)


if __name__ == "__main__":
    policy_alone() if sys.argv[1:] == ["policy"] else main()
