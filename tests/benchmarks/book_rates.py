"""Made-up recordings of two hundred markets a day, committed, compacted, rebuilt, and asked for single books.

`make bench` takes ten million changes of two days; a hundred million have a section of their own when
somebody ran `python -m tests.benchmarks --rows 100000000 book_rates`. The tape is that of
tests/benchmarks/made_up_books.py; the last day comes in many commits and is compacted. Rates are of CPU
time, so of one core. Single books are asked for in processes of their own: "first" is the first answer of a
process, imports apart, with the files in the system's cache; then the median of nine others. hftbacktest
replays the same markets in an environment of its own (`make foreign`) from arrays in memory, as our kernel
does; its loading and compiling is not counted. Before anything is compared, all must agree on the last best
bid and ask of every market and on their sizes.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import polars as pl

from tests.benchmarks import book_arrays
from tests.benchmarks.book_arrays import Last, hft_events, inputs
from tests.benchmarks.figures import Figure, number, timed
from tests.benchmarks.hundred_million import ROWS_VARIABLE
from tests.benchmarks.lake_bytes import bytes_per_row
from tests.benchmarks.made_up_books import Books, midnight, tickers
from tests.foreign.clients import ROOT
from tests.foreign.engines import HFTBACKTEST
from warehouse import Lake
from warehouse.rebuilding.reading import read_streams
from warehouse.tables import BOOK_DELTAS, BOOK_SNAPSHOTS

ROWS: Final = 10_000_000
N_COMMITS: Final = 24
N_COMPARED: Final = 20
N_TIMES: Final = 3
LIMIT_S: Final = 3_600
KERNEL_GOAL: Final = 100
_DAY: Final = timedelta(days=1)


def rows() -> int:
    """Return how many changes were asked for."""
    return int(os.environ.get(ROWS_VARIABLE, ROWS))


def figures(work: Path) -> Iterator[Figure]:
    """Build the lake, rebuild its last day, ask for single books, and yield what it took."""
    lake, books = Lake(work / "books-by-day"), Books(rows())
    yield from _building(lake, books)
    yield from _rebuilding(lake, books, work)
    yield from _asking(lake, books)


def _building(lake: Lake, books: Books) -> Iterator[Figure]:
    """Commit day by day; the last day in many commits, as a recorder does, and compact it."""
    n_rows, cpu_s = 0, 0.0
    for day in range(books.n_days):
        made = books.day(day)
        lake.commit(BOOK_SNAPSHOTS, made.snapshots)
        if day < books.n_days - 1:
            took = timed(partial(lake.commit, BOOK_DELTAS, made.deltas))
            assert took.result.n_new == made.deltas.height
            n_rows, cpu_s = n_rows + made.deltas.height, cpu_s + took.cpu_s
            continue
        parts = made.deltas.iter_slices(-(-made.deltas.height // N_COMMITS))
        small_s = [timed(partial(lake.commit, BOOK_DELTAS, part)).wall_s for part in parts]
    on = f"{books.n_rows:,} changes, {books.n_days} days"
    yield Figure(what="commit a day at once", value=n_rows / cpu_s, unit="deltas/CPU-s", work=on)
    often = f"{made.deltas.height // N_COMMITS:,} rows each, {N_COMMITS} on the last day"
    yield Figure(what="a small commit", value=statistics.median(small_s) * 1e3, unit="ms", work=often)
    yield Figure(what="lake", value=bytes_per_row(lake, BOOK_DELTAS), unit="B/delta", work=on)
    told = lake.compact([BOOK_DELTAS])[0]
    many = f"{told.n_files_before} files into {told.n_files_after}"
    yield Figure(
        what="lake, compacted", value=bytes_per_row(lake, BOOK_DELTAS), unit="B/delta", work=f"{on}; {many}"
    )


def _rebuilding(lake: Lake, books: Books, work: Path) -> Iterator[Figure]:
    """Rebuild the busiest markets of the last day in three ways, and compare what they end with."""
    day = books.n_days - 1
    start, names = midnight(day), tickers(day)
    whole = timed(lambda: _tops(lake, names, start), n_times=2)
    tops = whole.result
    happened = pl.col("event_ts").is_between(start, start + _DAY, closed="left")
    n_deltas = lake.scan(BOOK_DELTAS).filter(happened).select(pl.len()).collect().item()
    yield Figure(
        what="Lake.books, on change, depth 1",
        value=n_deltas / whole.cpu_s / 1e6,
        unit="M deltas/CPU-s",
        work=f"one day, {n_deltas:,} changes of {len(names)} markets, Parquet to {tops.height:,} rows",
    )
    busiest = names[:N_COMPARED]
    last = _last(tops.filter(pl.col("ticker").is_in(busiest)))
    bounds = (start, start + _DAY)
    given = inputs(read_streams(lake, busiest, *bounds), busiest, bounds)
    on = f"{given.n_changes:,} changes of the {N_COMPARED} busiest markets"
    for depth, every, words in ((1, _DAY, "one row a day"), (1, None, "on change"), (10, None, "on change")):
        took = timed(partial(book_arrays.rows, given, depth, every), n_times=N_TIMES)
        yield Figure(
            what=f"changes to frames, depth {depth}, {words}",
            value=given.n_changes / took.cpu_s / 1e6,
            unit="M changes/CPU-s",
            work=f"{on}; {took.result:,} rows",
            at_least=KERNEL_GOAL if every else None,
        )
    kernel = timed(lambda: book_arrays.tops(given), n_times=20)
    assert book_arrays.last_of(given) == {name: (each.bid_cc, each.ask_cc) for name, each in last.items()}
    ours = kernel.cpu_s / given.n_changes
    yield Figure(
        what="kernel, arrays to best bid and ask",
        value=1 / ours / 1e6,
        unit="M changes/CPU-s",
        work=on,
        at_least=KERNEL_GOAL,
    )
    yield from _hftbacktest(hft_events(given.streams, work / "hftbacktest"), last, ours)


def _tops(lake: Lake, names: list[str], start: Any) -> pl.DataFrame:  # noqa: ANN401 - a moment
    return lake.books(names, start, start + _DAY, depth=1).collect()


def _last(tops: pl.DataFrame) -> dict[str, Last]:
    """Return the last best bid and ask of every market."""
    ends = tops.filter(pl.col("is_known")).group_by("ticker", maintain_order=True).last()
    columns = ("bid_prices_cc", "bid_counts_centi", "ask_prices_cc", "ask_counts_centi")
    firsts = ends.select("ticker", *(pl.col(each).list.get(0, null_on_oob=True) for each in columns))
    return {row[0]: Last(*row[1:]) for row in firsts.iter_rows()}


def _hftbacktest(folder: Path, last: dict[str, Last], ours: float) -> Iterator[Figure]:
    """Replay the same events with hftbacktest, if it is there."""
    if not HFTBACKTEST.is_made:
        return
    command = [str(HFTBACKTEST.python), "-m", "tests.benchmarks.hftbacktest_replay", str(folder)]
    done = subprocess.run(
        [*command, str(N_TIMES)], check=True, cwd=ROOT, stdout=subprocess.PIPE, timeout=LIMIT_S
    )
    told = json.loads(done.stdout)
    for name, words in (("each_event", "after every event"), ("each_hour", "once an hour")):
        found = {ticker: Last(*each) for ticker, each in told[name]["last"].items()}
        assert found == last, f"hftbacktest ends with other books: {found} instead of {last}"
        theirs = told[name]["cpu_s"] / told["n_events"]
        yield Figure(
            what=f"hftbacktest {HFTBACKTEST.version}, touch {words}",
            value=1 / theirs / 1e6,
            unit="M events/CPU-s",
            work=f"the same {told['n_events']:,} events, ROIVector; our kernel takes "
            f"{number(theirs / ours)} times less CPU; last best bid, ask and sizes are equal",
        )


def _asking(lake: Lake, books: Books) -> Iterator[Figure]:
    """Ask for single books of a market in the middle and of the busiest, by both doors."""
    lake.publish()
    for rank, name in ((0, "the busiest market"), (N_COMPARED, f"market {N_COMPARED}")):
        answers = {}
        for door, words in (("python", "Lake.book"), ("sql", "book_at")):
            command = [sys.executable, "-m", "tests.benchmarks.book_asks", door, lake.uri]
            done = subprocess.run(
                [*command, str(books.n_rows), str(rank)],
                check=True,
                stdout=subprocess.PIPE,
                timeout=LIMIT_S,
            )
            told = json.loads(done.stdout)
            answers[door] = told["answer"]
            yield Figure(
                what=f"{words}, {name}",
                value=told["warm_s"] * 1e3,
                unit="ms",
                work=f"of {books.n_rows:,} changes; first {number(told['cold_s'] * 1e3)} ms; "
                f"{told['n_changes']:,.0f} changes since its snapshot; peak {told['peak_mb']:,.0f} MB",
            )
        assert answers["python"] == answers["sql"]
