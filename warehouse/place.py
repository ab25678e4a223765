"""Where a lake lies, a folder or an s3:// address, and which format it has.

LAKE/tapehouse.json            {"format": 1}
LAKE/<table>/_delta_log/…      one Delta table for each declared table
LAKE/<table>/date=…/….parquet  its files
LAKE/warehouse.duckdb          the published catalog
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from warehouse.errors import CorruptFile, DiskFull, LakeTooNew, LakeUnwritable, NeedsFolder
from warehouse.tables import TABLES, Table

FORMAT: Final = 1
FORMAT_FILE: Final = "tapehouse.json"
CATALOG_FILE: Final = "warehouse.duckdb"
DEFAULT_LAKE: Final = "./lake"

# delta-rs 1.6.6 panics on these or looks elsewhere; DuckDB 2.0.0 reads options after a question mark.
_UNFIT: Final = re.compile(r"[\[\]|?\\^\x00-\x1f]")
_FULL: Final = ("No space left on device", "Disk quota exceeded", "File too large")
_COLOUR: Final = re.compile(r"\x1b\[\d*m")
_RESERVE: Final = 65_536  # bytes: an entry of the log, and what a file needs beside its rows


@dataclass(frozen=True, slots=True)
class Place:
    """A lake's address and what is needed to reach it."""

    uri: str
    options: Mapping[str, str]

    @property
    def is_local(self) -> bool:
        """Whether the lake is a folder of this machine."""
        return "://" not in self.uri

    @property
    def path(self) -> Path:
        """The folder.

        Raises:
            NeedsFolder: the lake lies in a bucket.
        """
        if not self.is_local:
            raise NeedsFolder(f"{self.uri} is a bucket; the DuckDB catalog needs a lake in a folder")
        return Path(self.uri)

    def of(self, table: Table) -> str:
        """Return the address of one table."""
        return f"{self.uri}/{table.name}"


def place(uri: str | Path | None, environment: Mapping[str, str] = os.environ) -> Place:
    """Resolve a lake's address: the argument, else TAPEHOUSE_LAKE, else ./lake; folders become absolute.

    Raises:
        LakeUnwritable: the folder's name has a character that Delta's paths cannot hold.
    """
    given = str(uri) if uri is not None else environment.get("TAPEHOUSE_LAKE") or DEFAULT_LAKE
    if given.startswith("file://"):
        given = given.removeprefix("file://")
    if "://" in given:
        options = {key.lower(): value for key, value in environment.items() if key.startswith("AWS_")}
        return Place(given.rstrip("/"), options)
    folder = str(Path(given).expanduser().absolute())
    if _UNFIT.search(folder):
        raise LakeUnwritable(
            f"{folder!r}: a lake's folder cannot have one of [ ] | ? \\ ^ in its name; choose another"
        )
    return Place(folder, {})


def check_format(at: Place) -> int | None:
    """Read the lake's format; None when nothing was written there yet.

    Raises:
        LakeTooNew: a later Tapehouse wrote it.
        CorruptFile: tapehouse.json is not what we write.
    """
    where = f"{at.uri}/{FORMAT_FILE}"
    text = _read_text(at, FORMAT_FILE)
    if text is None:
        _check_unmade(at)
        return None
    try:
        found = int(json.loads(text)["format"])
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptFile(f'{where}: expected {{"format": {FORMAT}}}; restore it from a copy') from error
    if found > FORMAT:
        raise LakeTooNew(
            f"{where}: the lake has format {found}, this Tapehouse reads up to {FORMAT}; upgrade Tapehouse"
        )
    return found


def _check_unmade(at: Place) -> None:
    if at.is_local and any(Path(at.of(each), "_delta_log").is_dir() for each in TABLES.values()):
        raise CorruptFile(
            f"{at.uri}/{FORMAT_FILE}: is gone though tables are there; restore it from a copy, or write "
            f'{{"format": {FORMAT}}}'
        )


def write_format(at: Place) -> None:
    """Make the lake's folder and say which format it has.

    Raises:
        LakeUnwritable: the place refuses writing.
    """
    text = json.dumps({"format": FORMAT}) + "\n"
    try:
        if at.is_local:
            at.path.mkdir(parents=True, exist_ok=True)
            fresh = at.path / f".{FORMAT_FILE}.{os.getpid()}"
            fresh.write_text(text)
            fresh.replace(at.path / FORMAT_FILE)
        else:
            files, root = filesystem(at)
            with files.open_output_stream(f"{root}/{FORMAT_FILE}") as stream:
                stream.write(text.encode())
    except OSError as error:
        raise unwritable(at, error) from error


def check_room(at: Place, n_bytes: int) -> None:
    """Refuse what cannot be written before it is begun; `n_bytes` is at least what it will take.

    delta-rs 1.6.6 panics on stderr when a file cannot be written to its end.

    Raises:
        DiskFull: so much room is not left.
        LakeUnwritable: the folder, or the disk that it lies on, is read-only.
    """
    if not at.is_local:
        return
    if not os.access(at.path, os.W_OK):
        raise unwritable(at, OSError("the folder is read-only"))
    disk = os.statvfs(at.path)
    free = disk.f_bavail * disk.f_frsize
    if free < n_bytes + _RESERVE:
        needed = (n_bytes + _RESERVE) / 1e6
        raise _full(at, f"up to {needed:,.1f} MB are needed, {free / 1e6:,.1f} MB are left")


def unwritable(at: Place, error: Exception) -> LakeUnwritable | DiskFull:
    """Say in one line why a lake cannot be written and what to do."""
    reason = " ".join(_COLOUR.sub("", str(error)).split()) or type(error).__name__
    if any(each in reason for each in _FULL):
        return _full(at, reason)
    return LakeUnwritable(
        f"cannot write the lake at {at.uri}: {reason}; give a writable place with --lake or TAPEHOUSE_LAKE"
    )


def _full(at: Place, reason: str) -> DiskFull:
    return DiskFull(
        f"cannot write the lake at {at.uri}: its disk is full ({reason}); free some space and run it again, "
        "what was committed is whole"
    )


def filesystem(at: Place):  # type: ignore[no-untyped-def]  # noqa: ANN201 -- pyarrow ships no types
    """Return pyarrow's file system of a lake, and the lake's path in it."""
    from pyarrow import fs

    if at.is_local:
        return fs.LocalFileSystem(), at.uri
    options = at.options
    endpoint = options.get("aws_endpoint_url", "")
    scheme, _, host = endpoint.rpartition("://")
    bucket = fs.S3FileSystem(
        access_key=options.get("aws_access_key_id"),
        secret_key=options.get("aws_secret_access_key"),
        session_token=options.get("aws_session_token"),
        region=options.get("aws_region") or options.get("aws_default_region"),
        endpoint_override=host or None,
        scheme=scheme or "https",
    )
    return bucket, at.uri.partition("://")[2]


def synced(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read_text(at: Place, file_name: str) -> str | None:
    if at.is_local:
        path = at.path / file_name
        try:
            return path.read_text() if path.is_file() else None
        except (OSError, UnicodeDecodeError) as error:
            raise CorruptFile(f"{path}: {first_line(error)}; restore it from a copy") from error
    files, root = filesystem(at)
    try:
        with files.open_input_stream(f"{root}/{file_name}") as stream:
            return str(stream.read().decode())
    except FileNotFoundError:
        return None


def first_line(error: Exception) -> str:
    """Return what an error of another library says first."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
