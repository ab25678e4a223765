"""Which connection a recorded frame came over: recorders reuse one name for several connections.

A new connection begins where the recorder says so (ws_connected), where a subscription is confirmed anew
and its numbers do not go on, or where a subscription's numbers go back. Sequence numbers mean something
only inside one connection [KALSHI.md §17: reconnect restarts at 1].
"""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import polars as pl

from pipelines.ingest.ws_wire import CONNECTED, NONE, SUBSCRIBED

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _Sign(NamedTuple):
    """A line that may begin a connection, unless one began after line `after`.

    `last_frame` is the last line before it that is a frame, not a recorder's note.
    """

    conn: str
    line: int
    after: int
    last_frame: int


def with_sessions(frames: pl.DataFrame) -> pl.DataFrame:
    """Add the column `session` to frames (per ws_columns.FRAMES, sorted by line).

    A session is called "conn#time of its first line": the same connection gets the same name from whatever
    file, also when a recording is cut into pieces or imported while it still grows.
    """
    starts = _starts(frames)
    return frames.join_asof(starts, on="line", by="conn", check_sortedness=False)


def _starts(frames: pl.DataFrame) -> pl.DataFrame:
    first = frames.group_by("conn", maintain_order=True).agg(pl.col("line").first())
    begun = {conn: [line] for conn, line in first.iter_rows()}
    for sign in sorted(_signs(frames), key=lambda sign: sign.line):
        starts = begun[sign.conn]
        if sign.last_frame < starts[-1]:
            starts[-1] = sign.line  # only notes so far: they were written before the connection stood
        elif starts[-1] <= sign.after:
            starts.append(sign.line)
    lines = pl.DataFrame(
        [(conn, line) for conn, lines in begun.items() for line in lines],
        schema={"conn": pl.String, "line": pl.Int64},
        orient="row",
    )
    named = lines.sort("line").join(frames.select("line", "received_us"), on="line", maintain_order="left")
    names: list[str] = []
    for conn, received_us in named.select("conn", "received_us").iter_rows():
        name = f"{conn}#{_EPOCH + timedelta(microseconds=received_us):%Y%m%dT%H%M%S.%fZ}"
        # Two connections of one recorder within a microsecond: only an invented recording has that.
        names.append(name if name not in names else f"{name}.{names.count(name) + 1}")
    return named.select("line", "conn", pl.Series("session", names, dtype=pl.String))


def _signs(frames: pl.DataFrame) -> list[_Sign]:
    connected = frames.filter(pl.col("kind") == CONNECTED).select("conn", "line", after=pl.col("line") - 1)
    numbered = frames.filter(pl.col("seq") != NONE).select("conn", "sid", "line", "seq")
    before = numbered.with_columns(
        seq_before=pl.col("seq").shift(1).over("conn", "sid"),
        after=pl.col("line").shift(1).over("conn", "sid"),
    )
    restarted = before.filter(
        (pl.col("seq") < pl.col("seq_before")) | ((pl.col("seq") == 1) & (pl.col("seq_before") == 1))
    ).select("conn", "line", "after")
    confirmed = frames.filter(pl.col("kind") == SUBSCRIBED).select("conn", "sid", "line").sort("line")
    resubscribed = (
        confirmed.join_asof(
            numbered.select("conn", "sid", "line", seq_before="seq", after="line"),
            on="line",
            by=["conn", "sid"],
            check_sortedness=False,
        )
        .join_asof(
            numbered.select("conn", "sid", "line", seq_after="seq"),
            on="line",
            by=["conn", "sid"],
            strategy="forward",
            check_sortedness=False,
        )
        .filter(pl.col("seq_after") != pl.col("seq_before") + 1)
        .select("conn", "line", "after")
    )
    rows = pl.concat([connected, restarted, resubscribed]).sort("line")
    told = frames.filter(pl.col("sid") != NONE).select("conn", "line", last_frame="line")
    rows = rows.join_asof(told, on="line", by="conn", allow_exact_matches=False, check_sortedness=False)
    return [_Sign(*row) for row in rows.with_columns(pl.col("last_frame").fill_null(NONE)).iter_rows()]
