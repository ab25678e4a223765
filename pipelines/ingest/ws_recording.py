"""One recording of WebSocket frames, read whole and in the order in which it was received.

Two shapes are read, gzipped or not:
  JSON lines  {"recv_ns": …, "conn": …, "frame": {…}}, and the recorder's own notes
              {"recv_ns": …, "conn": …, "recorder_event": "watch_market", "data": {…}}
  a capture   {"frames": [{"received_ms": …, "frame": {…}}, …]}: one connection, named after its file
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import Final

import msgspec
import polars as pl

from pipelines.ingest import ws_columns
from pipelines.ingest.errors import UnreadableFile
from pipelines.ingest.tape_files import GZIP_MAGIC, unreadable
from pipelines.ingest.ws_wire import BOOK_KINDS, NONE, STORED_KINDS, Capture, Frame, Line, LooseLine

_READ_BYTES: Final = 1 << 20
_BLOCK_BYTES: Final = 16 << 20
_LINES: Final = msgspec.json.Decoder(Line)
_LOOSE_LINES: Final = msgspec.json.Decoder(LooseLine)
_CAPTURES: Final = msgspec.json.Decoder(Capture)

REFUSED_LINES: Final = pl.Schema({**ws_columns.WRONG, "payload": pl.String(), "kind": pl.String()})
"""Lines that cannot be read: what is wrong, the line itself, and the kind of frame it was ("" if unknown)."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One file's frames; `line` (Int64, from 1) ties every table to `frames`, which is per ws_columns.FRAMES.

    The other tables are those of `ws_columns`; `refused` is per REFUSED_LINES.
    """

    frames: pl.DataFrame
    deltas: pl.DataFrame
    snapshots: pl.DataFrame
    quotes: pl.DataFrame
    trades: pl.DataFrame
    errors: pl.DataFrame
    notes: pl.DataFrame
    unwatched: pl.DataFrame
    refused: pl.DataFrame


def read_recording(path: Path) -> Recording:
    """Read one recording whole.

    Lines that are no frames are in `refused`. A gzip stream that was cut short, as by a killed recorder, is
    read up to the cut, unless nothing is left of it. A recorder that heard nothing leaves an empty file: no
    frames.

    Raises:
        UnreadableFile: no such file, damaged, or it has lines and not one of them is a frame or note.
    """
    blocks: list[Recording] = []
    name = path.name.partition(".")[0]
    try:
        if (raw_lines := _capture(path)) is not None:
            blocks.append(_read_block(name, 1, raw_lines, None))
        else:
            for first_line, block in _line_blocks(path):
                blocks.append(read_lines(name, first_line, block))
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(path, error) from error
    if not blocks:
        blocks.append(_read_block(name, 1, [], None))
    elif not any(block.frames.height for block in blocks):
        raise UnreadableFile(
            f"{path}: no line of it is a recorded frame; expected JSON lines with recv_ns, conn and frame"
        )
    tables = (each.name for each in dataclass_fields(Recording))
    return Recording(**{name: pl.concat(getattr(block, name) for block in blocks) for name in tables})


def read_lines(name: str, first_line: int, text: bytes) -> Recording:
    """Read whole lines of a recording, the first of which has the number `first_line`.

    `name` is what a connection without a name is called.
    """
    block = text.removesuffix(b"\n")
    return _read_block(name, first_line, block.split(b"\n"), block)


def _read_block(name: str, first_line: int, raw: Sequence[bytes], block: bytes | None) -> Recording:
    lines, numbers, garbage = _decoded(first_line, raw, block)
    frames = ws_columns.frames(lines, numbers, name)
    frames, lost = _without_lost(frames)
    deltas, bad_deltas = ws_columns.deltas(lines, numbers)
    snapshots, bad_snapshots = ws_columns.snapshots(lines, numbers)
    quotes, bad_quotes = ws_columns.quotes(lines, numbers)
    trades, bad_trades = ws_columns.trades(lines, numbers)
    wrong = pl.concat([garbage, lost, bad_deltas, bad_snapshots, bad_quotes, bad_trades])
    wrong = wrong.unique("line", keep="first", maintain_order=True)
    payloads = [raw[number - first_line].decode(errors="replace") for number in wrong["line"]]
    refused = (
        wrong.with_columns(pl.Series("payload", payloads, dtype=pl.String))
        .join(frames.select("line", "kind"), on="line", how="left", maintain_order="left")
        .select(pl.col(name).fill_null("") if name == "kind" else name for name in REFUSED_LINES)
    )
    return Recording(
        frames=frames,
        deltas=deltas,
        snapshots=snapshots,
        quotes=quotes,
        trades=trades,
        errors=ws_columns.errors(lines, numbers),
        notes=ws_columns.notes(lines, numbers),
        unwatched=ws_columns.unwatched(lines, numbers),
        refused=refused,
    )


def _without_lost(frames: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Divide off, per WRONG, lines that do not say what they are, when they came or where they belong."""
    is_book = pl.col("kind").is_in(BOOK_KINDS)
    missing = pl.coalesce(
        pl.when(pl.col("kind") == "").then(pl.lit("frame")),
        pl.when(pl.col("received_us") == NONE).then(pl.lit("recv_ns")),
        pl.when(is_book & (pl.col("seq") == NONE)).then(pl.lit("seq")),
        pl.when(is_book & (pl.col("sid") == NONE)).then(pl.lit("sid")),
    )
    judged = frames.with_columns(field=missing)
    lost = judged.filter(pl.col("field").is_not_null()).select(
        "line", "field", value=pl.lit(None, pl.String), reason=pl.lit("is missing")
    )
    return judged.filter(pl.col("field").is_null()).drop("field"), lost


def _decoded(
    first_line: int, raw: Sequence[bytes], block: bytes | None
) -> tuple[Sequence[Line], Sequence[int], pl.DataFrame]:
    nothing = pl.DataFrame(schema=ws_columns.WRONG)
    if block is not None:
        try:
            lines = _LINES.decode_lines(block)
        except msgspec.MsgspecError:
            lines = []
        if len(lines) == len(raw):
            return lines, range(first_line, first_line + len(lines)), nothing
    good: list[Line] = []
    numbers: list[int] = []
    wrong: list[tuple[int, str | None, str | None, str]] = []
    for number, text in enumerate(raw, first_line):
        if not text.strip():
            continue
        line, reason = _decode_one(text)
        if line is not None:
            good.append(line)
            numbers.append(number)
        if reason:
            wrong.append((number, None, None, reason))
    return good, numbers, pl.DataFrame(wrong, schema=ws_columns.WRONG, orient="row") if wrong else nothing


def _decode_one(text: bytes) -> tuple[Line | None, str]:
    """Return the line, or what of it still counts, and why it is refused ("" if it is not)."""
    try:
        return _LINES.decode(text), ""
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        reason = f"is no recorded frame: {error}"
    try:
        loose = _LOOSE_LINES.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None, reason
    # The number of a frame that cannot be read still counts; a kind that no table holds may look as it likes.
    known = Line(
        recv_ns=loose.recv_ns,
        received_ms=loose.received_ms,
        conn=loose.conn,
        frame=Frame(type=loose.frame.type, sid=loose.frame.sid, seq=loose.frame.seq),
    )
    return known, reason if loose.frame.type in STORED_KINDS else ""


def _capture(path: Path) -> list[bytes] | None:
    """Return the frames of a capture; None if the file is JSON lines."""
    head, _, more = next(_inflated(path), b"").lstrip().partition(b"\n")
    is_document = head.strip() == b"{" or (not more.strip() and b'"frames"' in head)
    if not is_document:
        return None
    try:
        return [bytes(each) for each in _CAPTURES.decode(b"".join(_inflated(path))).frames]
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnreadableFile(
            f"{path}: neither JSON lines nor a capture with frames ({error}); nothing of it was imported"
        ) from error


def _line_blocks(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (number of the first line, whole lines without the last line break)."""
    first_line, rest = 1, b""
    for piece in _inflated(path):
        rest += piece
        if len(rest) >= _BLOCK_BYTES:
            block, newline, rest_of_line = rest.rpartition(b"\n")
            if newline:
                yield first_line, block
                first_line += block.count(b"\n") + 1
                rest = rest_of_line
    if rest.strip():
        yield first_line, rest.removesuffix(b"\n")


def _inflated(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        is_gzip = stream.read(2) == GZIP_MAGIC
        stream.seek(0)
        inflater = zlib.decompressobj(wbits=31)
        n_bytes = n_streams = 0
        while piece := stream.read(_READ_BYTES):
            if not is_gzip:
                yield piece
                continue
            while piece:
                text = inflater.decompress(piece)
                n_bytes += len(text)
                yield text
                piece = inflater.unused_data
                if inflater.eof:
                    n_streams += 1
                    inflater = zlib.decompressobj(wbits=31)
        if is_gzip:
            rest = inflater.flush()
            if not (n_streams or n_bytes or rest):
                raise EOFError("the gzip stream is cut short before its first byte")
            yield rest
        elif path.suffix == ".gz" and not stream.tell():
            raise EOFError("an empty file is no gzip stream")
