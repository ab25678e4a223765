"""Where a stream of books broke: holes in the numbers, unreadable frames, missing starts, and the end.

`seq` is one counter per (session, sid) over all its markets; ok frames and in-stream snapshots consume
numbers. So it is checked over all numbered frames before anything is told apart by type, and a hole blinds
every market of the sid until that market's next snapshot [KALSHI.md §10.5 and §17].
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from pipelines.ingest.ws_wire import BOOK_KINDS, SNAPSHOT
from warehouse.tables import BOOK_GAPS

GAPS: Final = [name for name in BOOK_GAPS.polars_schema if name not in ("source", "fetched_ts")]

# A hole in a subscription of thousands of markets may heal market by market; past this many steps, the
# markets that are left count as healed with the last of them.
_MAX_STEPS: Final = 32

_Gap = dict[str, Any]


@dataclass(slots=True)
class _Market:
    """What one market received over one subscription: its first line, and its snapshots in order."""

    first_line: int
    first_seq: int
    first_us: int
    snapshot_lines: list[int] = field(default_factory=list)
    snapshots: list[tuple[int, int]] = field(default_factory=list)  # (seq, known_us)

    def next_snapshot(self, line: int) -> tuple[int, int] | None:
        """Return (seq, known_us) of the first snapshot at or after a line."""
        at = bisect_left(self.snapshot_lines, line)
        return self.snapshots[at] if at < len(self.snapshots) else None


def find_gaps(numbered: pl.DataFrame) -> pl.DataFrame:
    """Return the gaps of one recording, per GAPS.

    Args:
        numbered: every frame with a seq, sorted by line: session, sid, seq, line, kind, ticker, known_us
        (when
            it was known, microseconds since 1970), is_bad (its content could not be read).
    """
    books = numbered.filter(pl.col("kind").is_in(BOOK_KINDS)).select("session", "sid").unique()
    streams = numbered.join(books, on=["session", "sid"], how="semi", maintain_order="left")
    # A frame is not known before what came before it: the exchange's clock may run ahead of the recorder's.
    streams = streams.with_columns(pl.col("known_us").cum_max().over("session", "sid"))
    gaps = [
        gap
        for (session, sid), stream in streams.group_by("session", "sid", maintain_order=True)
        for gap in _gaps_of(stream, {"session": session, "sid": sid})
    ]
    rows = pl.DataFrame(gaps, schema={name: _raw(name) for name in GAPS}, orient="row")
    times = [pl.col(name).cast(BOOK_GAPS.polars_schema[name]) for name in ("from_ts", "until_ts")]
    return rows.with_columns(times)


def _raw(name: str) -> pl.DataType:
    dtype = BOOK_GAPS.polars_schema[name]
    return pl.Int64() if isinstance(dtype, pl.Datetime) else dtype


def _gaps_of(stream: pl.DataFrame, of: _Gap) -> Iterator[_Gap]:
    good = stream.filter(~pl.col("is_bad"))
    markets = _markets(good)
    yield from _holes(stream, markets, of)
    yield from _bad_frames(stream, markets, of)
    yield from _missing_starts(markets, of)
    last = stream.row(-1, named=True)
    if markets:
        yield of | {
            "from_seq": last["seq"] + 1,
            "to_seq": None,
            "tickers": sorted(markets),
            "from_ts": last["known_us"],
            "until_ts": None,
            "cause": "session_end",
            "is_recovered": False,
        }


def _markets(good: pl.DataFrame) -> dict[str, _Market]:
    books = good.filter(pl.col("kind").is_in(BOOK_KINDS))
    first = books.group_by("ticker", maintain_order=True).agg(pl.col("line", "seq", "known_us").first())
    markets = {ticker: _Market(line, seq, known_us) for ticker, line, seq, known_us in first.iter_rows()}
    snapshots = books.filter(pl.col("kind") == SNAPSHOT).select("ticker", "line", "seq", "known_us")
    for ticker, line, seq, known_us in snapshots.iter_rows():
        markets[ticker].snapshot_lines.append(line)
        markets[ticker].snapshots.append((seq, known_us))
    return markets


def _holes(stream: pl.DataFrame, markets: dict[str, _Market], of: _Gap) -> Iterator[_Gap]:
    jumps = stream.select(
        "line", "seq", seq_before=pl.col("seq").shift(1), from_us=pl.col("known_us").shift(1)
    ).filter(pl.col("seq") > pl.col("seq_before") + 1)
    for line, seq, seq_before, from_us in jumps.iter_rows():
        blind = [ticker for ticker, market in markets.items() if market.first_line < line]
        hole = {"from_seq": seq_before + 1, "to_seq": seq - 1, "from_ts": from_us, "cause": "hole"}
        yield from _healing(blind, markets, line, of | hole)


def _bad_frames(stream: pl.DataFrame, markets: dict[str, _Market], of: _Gap) -> Iterator[_Gap]:
    bad = stream.filter("is_bad").select("line", "seq", "ticker", "known_us")
    for line, seq, ticker, known_us in bad.iter_rows():
        seen = [each for each, market in markets.items() if market.first_line < line]
        blind = [ticker] if ticker else seen
        lost = {"from_seq": seq, "to_seq": seq, "from_ts": known_us, "cause": "bad_frame"}
        yield from _healing(blind, markets, line, of | lost)


def _missing_starts(markets: dict[str, _Market], of: _Gap) -> Iterator[_Gap]:
    for ticker, market in markets.items():
        if market.snapshot_lines and market.snapshot_lines[0] == market.first_line:
            continue
        healed = market.next_snapshot(market.first_line)
        start = {
            "from_seq": market.first_seq,
            "to_seq": None if healed is None else healed[0] - 1,
            "from_ts": market.first_us,
            "cause": "no_snapshot",
        }
        yield from _healing([ticker], markets, market.first_line, of | start)


def _healing(blind: list[str], markets: dict[str, _Market], line: int, gap: _Gap) -> Iterator[_Gap]:
    """Yield the gap until its first market has a snapshot again, then what is left of it, and so on.

    The rows follow each other: each names the markets that are still blind, from the number of the snapshots
    that ended the row before it, and from a microsecond before them: neither end of a gap belongs to it.
    """
    healed: dict[int, list[str]] = {}
    seq_at: dict[int, int] = {}
    forever: list[str] = []
    for ticker in blind:
        market = markets.get(ticker)
        snapshot = market.next_snapshot(line) if market else None
        if snapshot is None:
            forever.append(ticker)
            continue
        healed.setdefault(snapshot[1], []).append(ticker)
        seq_at[snapshot[1]] = max(seq_at.get(snapshot[1], 0), snapshot[0])
    steps = sorted(healed)
    if len(steps) > _MAX_STEPS:
        steps = [*steps[: _MAX_STEPS - 1], steps[-1]]
    left = sorted(blind)
    for until_us in steps:
        yield gap | {"tickers": left, "until_ts": until_us, "is_recovered": True}
        left = sorted(
            [each for at_us, tickers in healed.items() if at_us > until_us for each in tickers] + forever
        )
        gap = gap | {"from_seq": seq_at[until_us], "to_seq": None, "from_ts": until_us - 1}
    if forever or not steps:
        yield gap | {"tickers": left, "until_ts": None, "is_recovered": False}
