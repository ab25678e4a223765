"""Whether a lake that recorded a flood says what the flood says: no book it did not have, no hole unsaid.

Books are replayed here the obvious way, from rows and declared gaps; one counts as right if the exchange had
just this book a moment before. `Lake.books` must say the same at every instant that is asked for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import polars as pl

from exchange.units import DOLLAR_CC, from_us, to_us
from tests.stories.flood_papers import NEVER_US, Book, Hole, Papers, Walk, applied
from warehouse import Lake
from warehouse.tables import BOOK_DELTAS, BOOK_SNAPSHOTS

GROUP: Final = 25


@dataclass(slots=True)
class Verdict:
    """What came of comparing.

    Attributes:
        n_pairs: (ticker, instant) that were asked for.
        n_known: of them, those where the lake tells a book.
        wrong: of them, those where the exchange had no such book within the allowed time before.
        apart: pairs where `Lake.books` says something else than the replay here.
        late_ms: how long before the instant the exchange last had the told book, of all known pairs, sorted.
        n_holes: holes that the exchange made.
        n_in_holes: instants asked for inside of them.
        silent: of them, those that lie in no declared gap.
    """

    n_pairs: int = 0
    n_known: int = 0
    wrong: list[str] = field(default_factory=list)
    apart: list[str] = field(default_factory=list)
    late_ms: list[float] = field(default_factory=list)
    n_holes: int = 0
    n_in_holes: int = 0
    silent: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not (self.wrong or self.apart or self.silent)


@dataclass(slots=True)
class Events:
    """What a lake has of some markets: rows of streams in order, and gaps by (ticker, session)."""

    streams: dict[tuple[str, str, int], list[tuple[int, int, int, dict[str, Any]]]]
    gaps: dict[tuple[str, str], list[tuple[int, int]]]

    def is_blind(self, ticker: str, session: str, at_us: int) -> bool:
        of = self.gaps.get((ticker, session), ())
        return any(start < at_us < until for start, until in of)


def judged(
    lake: Lake,
    papers: Papers,
    *,
    n_pairs: int,
    seed: int,
    within_us: int,
    without_gaps: pl.Expr | None = None,
) -> Verdict:
    """Compare a lake with the truth at random instants, and everywhere inside the holes.

    Args:
        lake: what was recorded.
        papers: what really happened.
        n_pairs: how many (ticker, instant) are drawn.
        seed: of the draw.
        within_us: how long a frame may take from its change until it is known.
        without_gaps: gaps to overlook, as a recorder would that ignores a hole; `Lake.books` is not asked.
    """
    verdict, tickers = Verdict(n_holes=len(papers.holes)), sorted(papers.first)
    span = _span(lake)
    rng = Random(seed)
    pairs: dict[str, list[int]] = {}
    for _ in range(n_pairs):
        pairs.setdefault(rng.choice(tickers), []).append(rng.randrange(*span))
    holes = _resumed(lake, papers)
    for start in range(0, len(tickers), GROUP):
        group = tickers[start : start + GROUP]
        events = _events(lake, group, without_gaps)
        asked = {ticker: sorted(set(pairs.get(ticker, ()))) for ticker in group}
        shown = None if without_gaps is not None else _shown(lake, asked, span)
        for ticker in group:
            _judge_books(events, papers, ticker, asked[ticker], within_us, verdict, shown)
        _judge_holes(events, holes, frozenset(group), rng, verdict)
    verdict.late_ms.sort()
    return verdict


def _span(lake: Lake) -> tuple[int, int]:
    """Return from the first snapshot to the last change that is known, in microseconds since 1970."""
    first = lake.scan(BOOK_SNAPSHOTS).select(pl.col("captured_ts").min()).collect().item()
    last = lake.scan(BOOK_DELTAS).select(pl.col("received_ts").max()).collect().item()
    return to_us(first), to_us(last)


def _events(lake: Lake, tickers: Sequence[str], without_gaps: pl.Expr | None) -> Events:
    told = lake.book_events(tickers)
    streams: dict[tuple[str, str, int], list[tuple[int, int, int, dict[str, Any]]]] = {}
    for kind, frame in enumerate((told.snapshots, told.deltas)):
        for row in frame.with_columns(pl.col("known_ts").to_physical()).iter_rows(named=True):
            key = row["ticker"], row["session"], row["sid"]
            streams.setdefault(key, []).append((row["seq"], kind, row["known_ts"], row))
    for rows in streams.values():
        rows.sort(key=lambda row: row[:2])
    gaps: dict[tuple[str, str], list[tuple[int, int]]] = {}
    kept = told.gaps if without_gaps is None else told.gaps.filter(~without_gaps)
    for gap in kept.iter_rows(named=True):
        until_us = NEVER_US if gap["until_ts"] is None else to_us(gap["until_ts"])
        gaps.setdefault((gap["ticker"], gap["session"]), []).append((to_us(gap["from_ts"]), until_us))
    return Events(streams, gaps)


def _judge_books(
    events: Events,
    papers: Papers,
    ticker: str,
    instants: Sequence[int],
    within_us: int,
    verdict: Verdict,
    shown: dict[tuple[str, int], Book | None] | None,
) -> None:
    verdict.n_pairs += len(instants)
    asked: list[tuple[int, int, Book]] = []
    known: dict[int, list[Book]] = {}
    for (of, session, _), rows in events.streams.items():
        if of != ticker:
            continue
        for at_us, book in _at(rows, instants):
            if not events.is_blind(ticker, session, at_us):
                known.setdefault(at_us, []).append(book)
                asked.append((papers.oldest_us(ticker, at_us, within_us), at_us, book))
    verdict.n_known += len(known)
    if shown is not None:
        verdict.apart += [
            f"{ticker} at {at_us}"
            for at_us in instants
            if shown[ticker, at_us] not in known.get(at_us, [None])
        ]
    asked.sort(key=lambda each: each[0])
    truth = Walk(papers, ticker)
    for since_us, at_us, book in asked:
        late_us = truth.late_us(book, since_us, at_us)
        if late_us is None:
            verdict.wrong.append(f"{ticker} at {at_us}")
        else:
            verdict.late_ms.append(late_us / 1_000)


def _shown(
    lake: Lake, asked: dict[str, list[int]], span: tuple[int, int]
) -> dict[tuple[str, int], Book | None]:
    """Return what `Lake.books` says at each of these instants; None where it knows no book."""
    at = pl.DataFrame(
        [(ticker, from_us(at_us)) for ticker, instants in asked.items() for at_us in instants],
        schema={"ticker": pl.String, "at": pl.Datetime("us", "UTC")},
        orient="row",
    )
    books = lake.books(sorted(asked), from_us(span[0]), from_us(span[1])).collect()
    told = at.sort("at").join_asof(
        books.sort("ts", maintain_order=True),
        left_on="at",
        right_on="ts",
        by="ticker",
        check_sortedness=False,
    )
    found: dict[tuple[str, int], Book | None] = {}
    for row in told.iter_rows(named=True):
        bids = zip(row["bid_prices_cc"] or (), row["bid_counts_centi"] or (), strict=True)
        asks = zip(row["ask_prices_cc"] or (), row["ask_counts_centi"] or (), strict=True)
        book = {("yes", price_cc): count_centi for price_cc, count_centi in bids}
        book |= {("no", DOLLAR_CC - price_cc): count_centi for price_cc, count_centi in asks}
        found[row["ticker"], to_us(row["at"])] = book if row["is_known"] else None
    return found


def _at(
    rows: Sequence[tuple[int, int, int, dict[str, Any]]], instants: Sequence[int]
) -> Iterator[tuple[int, Book]]:
    """Yield the stream's book at each instant from its first snapshot on."""
    book: Book | None = None
    done = 0
    for at_us in instants:
        while done < len(rows) and rows[done][2] <= at_us:
            _, kind, _, row = rows[done]
            if kind == 0:
                book = {
                    (side, price_cc): count_centi
                    for side in ("yes", "no")
                    for price_cc, count_centi in zip(
                        row[f"{side}_prices_cc"], row[f"{side}_counts_centi"], strict=True
                    )
                }
            elif book is not None:
                applied(book, row["side"], row["price_cc"], row["delta_centi"])
            done += 1
        if book is not None:
            yield at_us, dict(book)


def _lines(lake: Lake, papers: Papers) -> dict[tuple[int, int], list[str]]:
    """Return which sessions in the lake a (line, sid) is: those with the same snapshots at the same time."""
    sent = pl.DataFrame(
        [
            (told["line"], told["sid"], told["seq"], told["ticker"], told["at_us"])
            for told in papers.sent
            if told["what"] == "snapshot"
        ],
        schema={"line": pl.Int64, "sid": pl.Int64, "seq": pl.Int64, "ticker": pl.String, "at_us": pl.Int64},
        orient="row",
    )
    had = (
        lake.scan(BOOK_SNAPSHOTS)
        .select("session", "sid", "seq", "ticker", had_us=pl.col("captured_ts").dt.epoch("us"))
        .collect()
    )
    pairs = (
        sent.join(had, on=["sid", "seq", "ticker"])
        .filter((pl.col("had_us") - pl.col("at_us")).is_between(-1_000, 60_000_000))
        .sort(pl.col("had_us") - pl.col("at_us"))
        .unique(["line", "sid", "seq", "ticker"], keep="first", maintain_order=True)
        .group_by("session", "line", "sid")
        .len()
        .sort("len", descending=True)
        .unique("session", keep="first", maintain_order=True)
    )
    lines: dict[tuple[int, int], list[str]] = {}
    for session, line, sid in pairs.select("session", "line", "sid").iter_rows():
        lines.setdefault((line, sid), []).append(session)
    return lines


@dataclass(frozen=True, slots=True)
class _Resumed:
    """A hole, and from when on frames that came after it were there."""

    hole: Hole
    session: str
    from_us: int


def _resumed(lake: Lake, papers: Papers) -> list[_Resumed]:
    """Return the holes after which something came."""
    lines = _lines(lake, papers)
    rows = pl.concat(
        lake.scan(table).select("session", "sid", "seq", known_ts=table.known_ts.expr)
        for table in (BOOK_DELTAS, BOOK_SNAPSHOTS)
    )
    known = (
        rows.sort("session", "sid", "seq")
        .with_columns(pl.col("known_ts").cum_max().over("session", "sid").dt.epoch("us"))
        .collect()
    )
    streams = known.partition_by("session", "sid", as_dict=True, include_key=False)
    found: list[_Resumed] = []
    for hole in papers.holes:
        for session in lines.get((hole.line, hole.sid), ()):
            stream = streams[session, hole.sid]
            at = stream["seq"].search_sorted(hole.seq, side="right")
            if at < stream.height:
                found.append(_Resumed(hole, session, stream["known_ts"][at]))
    return found


def _judge_holes(
    events: Events, holes: Sequence[_Resumed], group: frozenset[str], rng: Random, verdict: Verdict
) -> None:
    """From the first frame that came after a hole until a market's next snapshot, its book is in doubt."""
    for told in holes:
        hole = told.hole
        for ticker in sorted(hole.tickers & group):
            rows = events.streams.get((ticker, told.session, hole.sid), [])
            if not rows or rows[0][0] > hole.seq:
                continue  # it began afterwards
            after = [(known_us, kind) for seq, kind, known_us, _ in rows if seq > hole.seq]
            until_us = next((known_us for known_us, kind in after if kind == 0), rows[-1][2] + 1)
            if until_us <= told.from_us + 1:
                continue
            drawn = (rng.randrange(told.from_us + 1, until_us) for _ in range(5))
            instants = {told.from_us + 1, until_us - 1, *drawn}
            verdict.n_in_holes += len(instants)
            verdict.silent += [
                f"{ticker} in {told.session} at {at_us}: hole at {hole.seq}"
                for at_us in sorted(instants)
                if not events.is_blind(ticker, told.session, at_us)
            ]
