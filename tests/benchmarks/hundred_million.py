"""The same made-up tape three times: as a lake, as plain Parquet in folders by date, as a DuckDB table.

`make bench` takes two million trades of 40 days; a year of a hundred million has its own section when
somebody ran `python -m tests.benchmarks --rows 100000000`. The tape is that of
tests/benchmarks/year_of_trades.py: 100,000 markets a year, Zipf's law, random UUIDs, one fetched_ts per
window: a day, or half an hour on the last days. Plain Parquet has one file a day in the lake's order, ids
as text, zstd, and else what pyarrow does by itself; the table is loaded from it, ids as UUID, and DuckDB
may use 3 GB. Every step and every question runs in a process of its own, engines in turns, and all must
give the same answer. Times are medians; "first" is the first answer of a process, imports apart, with
the files in the system's cache. "0.5 x plain" says that the lake needs half of the CPU (or bytes) that the
same engine needs on plain Parquet, "x table" compares with the DuckDB table.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.figures import Figure, number
from tests.benchmarks.hundred_million_asks import ASKS, ENGINES
from tests.benchmarks.hundred_million_steps import BATCH_ROWS
from tests.benchmarks.year_of_trades import N_BATCHES, Year

ROWS_VARIABLE: Final = "TAPEHOUSE_BENCH_ROWS"
ROWS: Final = 2_000_000
MANY_ROWS: Final = 20_000_000
PEAK_MB: Final = 4_096
_LIMIT_S: Final = 7_200
_GOALS_MS: Final = {("market_day", "lake_polars"): 5, ("day", "lake_polars"): 20, ("day", "lake_duckdb"): 20}
_PLAIN: Final = {"lake_polars": "hive_polars", "lake_duckdb": "hive_duckdb"}


def rows() -> int:
    """Return how many trades were asked for."""
    return int(os.environ.get(ROWS_VARIABLE, ROWS))


def figures(work: Path) -> Iterator[Figure]:
    """Build all three, ask all of them, and yield what it took."""
    bench = Bench(work / "year", rows())
    bench.work.mkdir()
    yield from _building(bench)
    yield from _asking(bench)
    yield from _committing(bench)


@dataclass(frozen=True, slots=True)
class Bench:
    """Where the tape lies and how large it is."""

    work: Path
    n_rows: int

    def run(self, module: str, *arguments: str) -> dict[str, Any]:
        """Run a step or a question in a process of its own."""
        command = [sys.executable, "-m", f"tests.benchmarks.hundred_million_{module}", *arguments]
        command += [str(self.work), str(self.n_rows)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=_LIMIT_S)
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    @property
    def sized(self) -> str:
        """The tape in words."""
        return f"{self.n_rows / 1e6:,.0f} M trades, {Year(self.n_rows).n_days} days"


def _building(bench: Bench) -> Iterator[Figure]:
    hive, lake = bench.run("steps", "hive"), bench.run("steps", "lake")
    yield _rate("write plain Parquet", hive, bench.sized)
    yield _rate("commit to the lake, a day at a time", lake, bench.sized)
    often = f"{lake['often_rows']:,.0f} rows each, {N_BATCHES} a day"
    yield Figure(what="a small commit", value=lake["often_s"] * 1e3, unit="ms", work=often)
    compact = bench.run("steps", "compact")
    many = f"{compact['n_files_before']:,} files into {compact['n_files_after']:,}{_peak(compact)}"
    yield Figure(what="compact", value=compact["rows_per_s"], unit="rows/s", work=many)
    publish, native = bench.run("steps", "publish"), bench.run("steps", "native")
    yield Figure(
        what="publish the catalog",
        value=publish["publish_s"] * 1e3,
        unit="ms",
        work=f"{publish['n_files']:,} files{_peak(publish)}",
    )
    yield _rate("load the DuckDB table", native, bench.sized)
    versus = (publish["b_with"] / hive["b_with"], publish["b_with"] / native["b_with"])
    yield Figure(
        what="lake", value=publish["b_with"], unit="B/trade", work=f"whole row; {_times(*versus)}", at_most=22
    )
    versus_plain = publish["b_without"] / hive["b_without"]
    yield Figure(
        what="lake",
        value=publish["b_without"],
        unit="B/trade",
        work=f"without trade_id; {versus_plain:.2f} x plain",
        at_most=6,
    )
    yield Figure(what="plain Parquet", value=hive["b_with"], unit="B/trade", work="whole row")
    yield Figure(what="plain Parquet", value=hive["b_without"], unit="B/trade", work="without trade_id")
    yield Figure(what="DuckDB table", value=native["b_with"], unit="B/trade", work="whole row")
    peak = max(each["peak_mb"] for each in (hive, lake, compact, publish, native))
    yield Figure(what="peak memory", value=peak, unit="MB", work="of all steps so far", at_most=PEAK_MB)


def _asking(bench: Bench) -> Iterator[Figure]:
    peak = 0.0
    for ask, sentence in ASKS.items():
        found = _in_turns(bench, ask)
        answers = {json.dumps(each["answer"]) for each in found.values()}
        assert len(answers) == 1, f"{ask}: { ({name: each['answer'] for name, each in found.items()}) }"
        peak = max(peak, *(each["peak_mb"] for each in found.values()))
        for engine, name in ENGINES.items():
            told = found[engine]
            first = f"; first {number(told['cold_s'] * 1e3)} ms" if told["cold_s"] != told["warm_s"] else ""
            versus = f"; {_ratios(found, engine)}" if engine in _PLAIN else ""
            cpu = f"; CPU {number(told['cpu_s'] * 1e3)} ms"
            yield Figure(
                what=f"{sentence}: {name}",
                value=told["warm_s"] * 1e3,
                unit="ms",
                work=f"{_size(told['answer'])}{cpu}{first}{versus}{_peak(told)}",
                at_most=_GOALS_MS.get((ask, engine)),
            )
    yield Figure(what="peak memory", value=peak, unit="MB", work="of all questions", at_most=PEAK_MB)


def _in_turns(bench: Bench, ask: str) -> dict[str, dict[str, Any]]:
    """Ask every engine in turns, three times when it matters; return the medians."""
    n_turns = 3 if bench.n_rows >= MANY_ROWS else 1
    turns = [{each: bench.run("asks", ask, each) for each in ENGINES} for _ in range(n_turns)]
    return {engine: _median([turn[engine] for turn in turns]) for engine in ENGINES}


def _median(told: list[dict[str, Any]]) -> dict[str, Any]:
    times = {name: statistics.median(each[name] for each in told) for name in ("cold_s", "warm_s", "cpu_s")}
    return told[0] | times | {"peak_mb": max(each["peak_mb"] for each in told)}


def _committing(bench: Bench) -> Iterator[Figure]:
    told = bench.run("steps", "commits")
    for name in ("empty", "full"):
        yield Figure(
            what=f"commit of {BATCH_ROWS:,} trades",
            value=told[name] * 1e3,
            unit="ms",
            work=f"to {'an empty lake' if name == 'empty' else f'the lake of {bench.sized}'}{_peak(told)}",
        )


def _rate(what: str, told: dict[str, Any], work: str) -> Figure:
    return Figure(what=what, value=told["rows_per_s"], unit="rows/s", work=f"{work}{_peak(told)}")


def _ratios(found: dict[str, dict[str, Any]], engine: str) -> str:
    """Compare CPU: what else the machine does stretches the wall clock of one more than of the other."""
    ours = found[engine]["cpu_s"]
    return _times(ours / found[_PLAIN[engine]]["cpu_s"], ours / found["native_duckdb"]["cpu_s"])


def _times(plain: float, native: float) -> str:
    return f"{plain:.2f} x plain, {native:.2f} x table"


def _size(answer: list[int | str]) -> str:
    return f"{answer[0]:,} rows" if answer[0] != 1 else "one row"


def _peak(told: dict[str, Any]) -> str:
    return f"; peak {told['peak_mb']:,.0f} MB"
