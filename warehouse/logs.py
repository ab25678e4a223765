"""What can be wrong with a table's Delta log, by file; and what delta-rs would read without a word.

delta-rs 1.6.6 takes an entry of no bytes, which a disk that lost power may leave, for a commit of nothing.
It also opens tables that readers of plain Parquet, as ours are, misread: with deletion vectors (deleted rows
come back) or with column mapping (columns are empty).
"""

import json
import os
from pathlib import Path
from typing import Final

from deltalake import DeltaTable

from warehouse.errors import CorruptFile, LakeTooNew
from warehouse.place import first_line

LOG: Final = "_delta_log"
_HINT: Final = "_last_checkpoint"
_ENTRY: Final = ".json"
_DIGITS: Final = 20
_READER_MAX: Final = 1
_WRITER_MAX: Final = 2
# Features that change nothing for who reads plain files, or appends to them.
_READ: Final = frozenset({"timestampNtz", "v2Checkpoint", "vacuumProtocolCheck"})
_WRITTEN: Final = _READ | {"appendOnly", "invariants"}
_MAGIC: Final = b"PAR1"


def is_there(folder: Path) -> bool:
    """Tell whether a table was ever made in its folder.

    Raises:
        CorruptFile: there are files but no log that could name them.
    """
    if (folder / LOG).is_dir():
        return True
    if folder.is_dir() and any(folder.iterdir()):
        raise CorruptFile(f"{folder}: its log, the folder {LOG}, is gone; restore it from a copy")
    return False


def check_entries(folder: Path) -> None:
    """Refuse a log with an empty entry after its last checkpoint.

    Raises:
        CorruptFile: names the first such entry.
    """
    log = folder / LOG
    for name in _recent(log):
        if (log / name).stat().st_size == 0:
            raise CorruptFile(f"{log / name}: is empty, so a commit is lost; restore it from a copy")


def check_reader(uri: str, delta: DeltaTable) -> None:
    """Refuse a table that plain Parquet readers would misread.

    Raises:
        LakeTooNew: names the features.
    """
    told = delta.protocol()
    features = sorted(set(told.reader_features or ()) - _READ)
    is_mapped = delta.metadata().configuration.get("delta.columnMapping.mode", "none") != "none"
    if features or is_mapped or (told.min_reader_version > _READER_MAX and told.reader_features is None):
        raise _too_new(uri, "reading", features or [f"version {told.min_reader_version}"])


def check_writer(uri: str, delta: DeltaTable) -> None:
    """Refuse to write a table whose rules for writers we do not know.

    Raises:
        LakeTooNew: names the features.
    """
    told = delta.protocol()
    features = sorted(set(told.writer_features or ()) - _WRITTEN)
    if features or (told.min_writer_version > _WRITER_MAX and told.writer_features is None):
        raise _too_new(uri, "writing", features or [f"version {told.min_writer_version}"])


def misread(uri: str, error: Exception, *, is_local: bool) -> CorruptFile | LakeTooNew:
    """Say which file of a log made delta-rs fail."""
    reason = first_line(error)
    if "Unsupported" in reason:
        return _too_new(uri, "reading", [reason])
    culprit = _culprit(Path(uri, LOG)) if is_local else None
    return CorruptFile(f"{uri}: its log cannot be read ({culprit or reason}); restore it from a copy")


def _too_new(uri: str, doing: str, features: list[str]) -> LakeTooNew:
    return LakeTooNew(
        f"{uri}: {doing} it takes what this Tapehouse does not know ({', '.join(features)}), because a later "
        "one or another program changed the table; upgrade Tapehouse, or restore the table from a copy"
    )


def _culprit(log: Path) -> str | None:
    """Return which file is to blame and why; None when they all look right."""
    for path in _checkpoints(log):
        content = path.read_bytes()
        if content[:4] != _MAGIC or content[-4:] != _MAGIC:
            return f"{path.name} is no checkpoint any more"
    expected: int | None = None
    for name in _recent(log):
        number = int(name[:_DIGITS])
        if expected is not None and number != expected:
            return f"{expected:0{_DIGITS}}{_ENTRY} is gone"
        expected = number + 1
        try:
            for line in (log / name).read_text().splitlines():
                json.loads(line)
        except ValueError as error:
            return f"{name} is no JSON: {error}"
    has_hint = (log / _HINT).is_file() and not _checkpoints(log)
    return f"{_HINT} names a checkpoint that is gone" if has_hint else None


def _checkpoints(log: Path) -> list[Path]:
    return sorted(log.glob("*.checkpoint*.parquet"))


def _recent(log: Path) -> list[str]:
    """Return the names of entries from the last checkpoint on, the oldest first."""
    names = os.listdir(log)  # noqa: PTH208 - 10 times faster, and done at every commit
    since = max((name[:_DIGITS] for name in names if ".checkpoint" in name), default="")
    entries = (each for each in names if each.endswith(_ENTRY) and each[:_DIGITS].isdigit())
    return sorted(each for each in entries if each[:_DIGITS] >= since)
