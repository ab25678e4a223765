"""Parts of a frame log, one after the other: what was known at the end of one begins the next.

A log is far longer than memory, so it is read in parts, and where it is cut must not show: a session keeps
its name, its numbers go on, a market whose book was known stays known. What is carried from part to part is
put before the next one as frames that stand for all earlier ones, and then the code for whole recordings does
the rest.

In a log every connection has a name of its own, so frames that came again or late are simply left out, and a
session ends where its connection does or where the exchange ends a subscription: what follows begins with
new snapshots.
"""

from dataclasses import dataclass
from typing import Final

import msgspec
import polars as pl

from pipelines.ingest import ws_columns
from pipelines.ingest.frame_logs import BEGINNING, Position
from pipelines.ingest.ws_gaps import GAPS, find_gaps
from pipelines.ingest.ws_recording import Recording
from pipelines.ingest.ws_rows import moment, numbered
from pipelines.ingest.ws_wire import BOOK_KINDS, CONNECTED, NONE, SNAPSHOT
from warehouse.tables import BOOK_GAPS

DISCONNECTED: Final = "ws_disconnected"
STALLED: Final = "ws_stalled"
STARTED: Final = "recorder_started"
ENDED: Final = "recorder_ended"
UNSUBSCRIBED: Final = "unsubscribed"

CARRIED_LINES: Final = 1 << 40
"""Lines that stand for earlier parts are numbered below this, those of a part above."""

HEALING_US: Final = 60_000_000
"""A market that has no snapshot so long after a hole counts as unknown until its session ends."""

_ENDING_ERRORS: Final = {10: "channel_error", 25: "overflow"}  # KALSHI.md §10.6 (asyncapi.yaml, 2026-09-29)


class Stream(msgspec.Struct, frozen=True):
    """One subscription of books: its last number, when that was known, and the markets whose book is."""

    sid: int
    seq: int
    known_us: int
    tickers: list[str]


class Session(msgspec.Struct, frozen=True):
    """A session that goes on."""

    conn: str
    began_us: int
    streams: list[Stream]


class Carried(msgspec.Struct, frozen=True):
    """Everything that reading on needs: how far the log was read, and what goes on there."""

    position: Position = BEGINNING
    sessions: list[Session] = []


@dataclass(frozen=True, slots=True)
class Part:
    """What a part of a log says.

    `frames` are those that count, with their session, and `gaps` are rows of book_gaps; `sessions` go on.
    `is_settled`: no market waits for a snapshot that may still come.
    """

    frames: pl.DataFrame
    n_repeats: int
    gaps: pl.DataFrame
    sessions: list[Session]
    is_settled: bool


def read_part(recording: Recording, carried: Carried, *, is_last: bool) -> Part:
    """Return what the lines after `carried` say; `is_last`: nothing follows, and nobody writes any more.

    The lines of `recording` are numbered from `CARRIED_LINES` on.
    """
    frames = pl.concat([_standing_for(carried), recording.frames])
    terminal = _terminal(recording, frames)
    frames = _with_sessions(frames, terminal)
    before = pl.col("seq").cum_max().shift(1).over("session", "sid")
    is_repeat = (pl.col("seq") != NONE) & (pl.col("seq") <= before) & (pl.col("line") >= CARRIED_LINES)
    counted = frames.filter(~is_repeat.fill_null(value=False))
    streams = numbered(recording, counted)
    ended = _ended(frames, terminal, is_last=is_last)
    left = _left(recording, counted, streams)
    found = find_gaps(streams)
    is_end = pl.col("cause") == "session_end"
    breaks = found.filter(~is_end)
    is_open = pl.col("until_ts").is_null() & ~pl.col("session").is_in(ended["session"].implode())
    unhealed = breaks.filter(is_open)
    heard_us = recording.frames["received_us"].max()
    is_fresh = pl.col("from_ts").to_physical() > pl.lit(heard_us, pl.Int64) - HEALING_US
    gaps = pl.concat([breaks, _ends(found.filter(is_end), ended, left), _leaves(left)])
    unknown = pl.concat([each.select("session", "sid", "tickers") for each in (unhealed, _leaves(left))])
    return Part(
        frames=counted.filter(pl.col("line") >= CARRIED_LINES),
        n_repeats=frames.height - counted.height,
        gaps=gaps,
        sessions=_going_on(frames, streams, ended, unknown),
        is_settled=unhealed.filter(is_fresh).is_empty(),
    )


def _standing_for(carried: Carried) -> pl.DataFrame:
    rows: list[tuple[int, str, str, int, int, str]] = []
    for session in carried.sessions:
        rows.append((session.began_us, session.conn, CONNECTED, NONE, NONE, ""))
        for each in session.streams:
            known = [(SNAPSHOT, ticker) for ticker in each.tickers] or [("ok", "")]
            rows += [(each.known_us, session.conn, kind, each.sid, each.seq, t) for kind, t in known]
    names = [name for name in ws_columns.FRAMES if name != "line"]
    schema = {name: ws_columns.FRAMES[name] for name in names}
    frame = pl.DataFrame(rows, schema=schema, orient="row").with_row_index("line", 1)
    return frame.select(pl.col(name).cast(dtype) for name, dtype in ws_columns.FRAMES.items())


def _terminal(recording: Recording, frames: pl.DataFrame) -> pl.DataFrame:
    """Return (line, cause) of the frames with which the exchange ended a subscription of books."""
    is_book = pl.col("kind").is_in(BOOK_KINDS) | (pl.col("line") < CARRIED_LINES)
    books = frames.filter(is_book & (pl.col("sid") != NONE)).select("conn", "sid").unique()
    of_books = recording.frames.join(books, on=["conn", "sid"], how="semi", maintain_order="left")
    failed = recording.errors.filter(pl.col("code").is_in(list(_ENDING_ERRORS)))
    failed = failed.join(of_books, on="line", how="semi")
    causes = pl.col("code").replace_strict(_ENDING_ERRORS, default=None, return_dtype=pl.String)
    gone = of_books.filter(pl.col("kind") == UNSUBSCRIBED)
    return pl.concat(
        [failed.select("line", cause=causes), gone.select("line", cause=pl.lit("unsubscribed"))]
    ).sort("line")


def _with_sessions(frames: pl.DataFrame, terminal: pl.DataFrame) -> pl.DataFrame:
    """Add `session`, named as in `ws_sessions`: the connection, and when its first line was received."""
    is_end = pl.col("line").is_in(terminal["line"].implode()).cast(pl.Int32)
    of = ["conn", "n_ended"]
    return (
        frames.with_columns(n_ended=is_end.cum_sum().over("conn") - is_end)
        .with_columns(began_us=pl.col("received_us").first().over(of))
        .with_columns(
            session=pl.format("{}#{}", "conn", moment("began_us").dt.strftime("%Y%m%dT%H%M%S%.6fZ"))
        )
        .drop("n_ended")
    )


def _ended(frames: pl.DataFrame, terminal: pl.DataFrame, *, is_last: bool) -> pl.DataFrame:
    """Return (session, cause) of the sessions that end in this part, each once."""
    kind = pl.col("kind")
    noted = frames.filter(kind.is_in([DISCONNECTED, STALLED])).select(
        "line",
        "conn",
        cause=pl.when(kind == STALLED).then(pl.lit("stalled")).otherwise(pl.lit("session_end")),
    )
    by_line = frames.select("line", "session").join(terminal, on="line", how="inner")
    by_conn = frames.select("session", "conn").unique().join(noted, on="conn", how="inner")
    every = [each.select("line", "session", "cause") for each in (by_line, by_conn)]
    is_over = not frames.filter(kind == ENDED).is_empty()
    if is_last or is_over:
        cause = pl.lit("session_end" if is_over else "killed")
        every.append(frames.select(pl.col("line").max(), pl.col("session").unique().implode(), cause=cause)
                     .explode("session"))  # fmt: skip
    return pl.concat(every).sort("line").unique("session", keep="first").select("session", "cause")


def _ends(found: pl.DataFrame, ended: pl.DataFrame, left: pl.DataFrame) -> pl.DataFrame:
    told = found.drop("cause").join(ended, on="session", how="inner", maintain_order="left")
    gone = left.group_by("session", "sid").agg(gone="ticker")
    told = told.join(gone, on=["session", "sid"], how="left", maintain_order="left")
    still = pl.col("tickers").list.set_difference(pl.col("gone").fill_null([]))
    return told.with_columns(tickers=still.list.sort()).select(found.columns)


def _left(recording: Recording, frames: pl.DataFrame, streams: pl.DataFrame) -> pl.DataFrame:
    """Return (session, sid, ticker, seq, known_us) of the markets that are no longer subscribed."""
    marks = recording.unwatched.join(frames.select("line", "session"), on="line", how="inner")
    streams = streams.with_columns(pl.col("known_us").cum_max().over("session", "sid"))
    books = streams.filter(pl.col("kind").is_in(BOOK_KINDS)).select("session", "sid").unique()
    last = (
        marks.select("line", "session", left="ticker")
        .join(streams.drop("ticker"), on="session", how="inner")
        .join(books, on=["session", "sid"], how="semi")
        .filter(pl.col("line_right") <= pl.col("line"))
        .group_by("session", "sid", ticker=pl.col("left"))
        .agg(pl.col("seq", "known_us").sort_by("line_right").last())
    )
    seen = streams.filter(pl.col("kind").is_in(BOOK_KINDS)).select("session", "sid", "ticker").unique()
    return last.join(seen, on=["session", "sid", "ticker"], how="semi").sort(
        "session", "sid", "seq", "ticker"
    )


def _leaves(left: pl.DataFrame) -> pl.DataFrame:
    rows = left.group_by("session", "sid", "seq", maintain_order=True).agg(
        tickers=pl.col("ticker"), known_us=pl.col("known_us").max()
    )
    schema = {name: BOOK_GAPS.polars_schema[name] for name in GAPS}
    told = rows.with_columns(
        from_seq=pl.col("seq") + 1,
        to_seq=pl.lit(None),
        from_ts=moment("known_us"),
        until_ts=pl.lit(None),
        cause=pl.lit("unsubscribed"),
        is_recovered=pl.lit(value=False),
    )
    return told.select(pl.col(name).cast(dtype) for name, dtype in schema.items())


def _going_on(
    frames: pl.DataFrame, streams: pl.DataFrame, ended: pl.DataFrame, unknown: pl.DataFrame
) -> list[Session]:
    """Return the sessions that are not over, as the next part needs them."""
    is_live = ~pl.col("session").is_in(ended["session"].implode())
    books = streams.filter(pl.col("kind").is_in(BOOK_KINDS) & is_live & ~pl.col("is_bad"))
    blind = unknown.explode("tickers").rename({"tickers": "ticker"})
    known = books.select("session", "sid", "ticker").unique(maintain_order=True)
    known = known.join(blind, on=["session", "sid", "ticker"], how="anti", maintain_order="left")
    of = ["session", "sid"]
    last = (
        streams.join(books.select(of).unique(), on=of, how="semi")
        .group_by(of, maintain_order=True)
        .agg(pl.col("seq").max(), pl.col("known_us").max())
        .join(known.group_by(of).agg(tickers="ticker"), on=of, how="left", maintain_order="left")
        .with_columns(pl.col("tickers").fill_null([]))
    )
    by_session: dict[str, list[Stream]] = {}
    for session, sid, seq, known_us, tickers in last.iter_rows():
        by_session.setdefault(session, []).append(Stream(sid, seq, known_us, sorted(tickers)))
    is_frame = frames.filter(pl.col("kind").is_in([DISCONNECTED, STALLED]).not_() & (pl.col("conn") != ""))
    live = (
        is_frame.filter(is_live)
        .group_by("conn", maintain_order=True)
        .agg(pl.col("session", "began_us").last())
    )
    return [
        Session(conn, began_us, by_session.get(session, [])) for conn, session, began_us in live.iter_rows()
    ]
