"""Frame logs: what a recorder writes before anybody makes rows of it, and how they are read again.

A log is a folder of files `000001.jsonl.zst`, `000002.jsonl.zst`, …; a file is a row of batches, a batch a
zstd frame with whole JSON lines (see `ws_recording`), behind a frame that zstd tools skip and that holds, in
little-endian:

    "TAPE", number of lines, bytes of the lines, bytes of the zstd frame, CRC-32 of all that and of the frame

`zstd -dc *.jsonl.zst` prints all lines. A batch counts from the moment it is whole: one that is cut short at
the very end is the tail of a recorder that was killed, anything else that does not fit is damage.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

import pyarrow as pa

from pipelines.ingest.errors import UnreadableFile

SUFFIX: Final = ".jsonl.zst"
LOCK: Final = "writer.lock"
"""Locked as long as a recorder writes the log."""

_LEVEL: Final = 3
_SKIPPED: Final = 0x184D2A54
_HEAD: Final = struct.Struct("<II4sIIII")
_MARK: Final = struct.Struct("<II4s")
_NAME: Final = b"TAPE"
_CHECKED: Final = struct.Struct("<III")
_MARKED: Final = _MARK.pack(_SKIPPED, _HEAD.size - 8, _NAME)
_MAX_BYTES: Final = 1 << 30


class Position(NamedTuple):
    """A place between two batches: the file's number, the offset in it, and how many lines lie before."""

    file: int = 1
    offset: int = 0
    n_lines: int = 0


BEGINNING: Final = Position()


@dataclass(frozen=True, slots=True)
class Batch:
    """Whole lines, each with its line break, and the place after them."""

    text: bytes
    n_lines: int
    end: Position


def packed(text: bytes, n_lines: int) -> bytes:
    """Return lines as a batch."""
    frame: bytes = pa.Codec("zstd", compression_level=_LEVEL).compress(text, asbytes=True)
    sizes = n_lines, len(text), len(frame)
    return _HEAD.pack(_SKIPPED, _HEAD.size - 8, _NAME, *sizes, _crc(sizes, frame)) + frame


def file_of(folder: Path, number: int) -> Path:
    """Return where a file of a log lies."""
    return folder / f"{number:06d}{SUFFIX}"


def is_log(folder: Path) -> bool:
    """Tell whether a folder is a log of a recorder."""
    return folder.is_dir() and ((folder / LOCK).exists() or file_of(folder, 1).exists())


def batches(folder: Path, start: Position = BEGINNING) -> Iterator[Batch]:
    """Yield the batches of a log from a place on; a tail that is not whole is left out.

    A log that is being written may be read; what is whole then is read.

    Raises:
        UnreadableFile: a file is missing or damaged; batches before it were yielded.
    """
    numbers = [int(path.name.removesuffix(SUFFIX)) for path in sorted(folder.glob(f"*{SUFFIX}"))]
    at = start
    for number in range(start.file, max(numbers, default=0) + 1):
        if number != at.file:
            at = Position(number, 0, at.n_lines)
        for batch in _of_file(file_of(folder, number), at, is_last=number == numbers[-1]):
            yield batch
            at = batch.end


def cut(folder: Path) -> int:
    """Cut a tail that is not whole off the last file of a log that nobody writes; return how many bytes.

    Raises:
        UnreadableFile: the last file is damaged, not only cut short.
    """
    path = max(folder.glob(f"*{SUFFIX}"), default=None)
    if path is None:
        return 0
    at = Position(int(path.name.removesuffix(SUFFIX)))
    for batch in _of_file(path, at, is_last=True):
        at = batch.end
    n_cut = path.stat().st_size - at.offset
    if n_cut:
        os.truncate(path, at.offset)
        with path.open("rb") as file:
            os.fsync(file.fileno())
    return n_cut


def _of_file(path: Path, at: Position, *, is_last: bool) -> Iterator[Batch]:
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(at.offset)
            while at.offset < size:
                head = file.read(_HEAD.size)
                text, n_lines, n_packed = _unpacked(head, file.read(_packed_bytes(head, size - at.offset)))
                if text is None:
                    file.seek(at.offset)
                    if not is_last or _MARKED in file.read()[1:]:
                        raise UnreadableFile(
                            f"{path}: damaged at byte {at.offset:,}: the batch there is not what was "
                            "written; restore the file, or move it and the later ones of its folder away"
                        )
                    return
                at = Position(at.file, at.offset + _HEAD.size + n_packed, at.n_lines + n_lines)
                yield Batch(text, n_lines, at)
    except OSError as error:
        raise UnreadableFile(
            f"{path}: cannot be read ({error.strerror}); the log needs all its files"
        ) from error


def _packed_bytes(head: bytes, n_left: int) -> int:
    if len(head) < _HEAD.size or not head.startswith(_MARKED):
        return 0
    n_packed: int = _HEAD.unpack(head)[5]
    return min(n_packed, n_left)


def _unpacked(head: bytes, frame: bytes) -> tuple[bytes | None, int, int]:
    """Return (lines, number of lines, bytes of the frame) of a batch; no lines if it is not whole."""
    if len(head) < _HEAD.size or not head.startswith(_MARKED):
        return None, 0, 0
    *_, n_lines, n_bytes, n_packed, crc = _HEAD.unpack(head)
    if len(frame) != n_packed or n_bytes > _MAX_BYTES or _crc((n_lines, n_bytes, n_packed), frame) != crc:
        return None, 0, 0
    return pa.decompress(frame, n_bytes, codec="zstd", asbytes=True), n_lines, n_packed


def _crc(sizes: tuple[int, int, int], frame: bytes) -> int:
    return crc32(frame, crc32(_CHECKED.pack(*sizes)))
