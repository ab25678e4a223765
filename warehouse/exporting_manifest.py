"""What an export says of itself: `manifest.json`, and whether its files are still what they were.

{"format": 1, "kind": "parquet", "tapehouse": …, "made_ts": …, "filters": {…}, "lake_versions": {table: …},
 "files": [{"path", "table", "n_rows", "n_bytes", "sha256"}, …], "licence": …}
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from warehouse.errors import ExportDamaged
from warehouse.progress import Progress, silent

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
README: Final = "README.md"
LICENCE: Final = (
    "The data are Kalshi's, recorded from its public API; whoever uses them or passes them on is bound by "
    "Kalshi's terms. Tapehouse, which made this copy, claims no right in them and gives no warranty that "
    "they are complete or correct."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedFile:
    """One file: its path in the folder (forward slashes), and what is in it."""

    path: str
    table: str
    n_rows: int
    n_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What was exported: of which versions, by which filters, into which files."""

    kind: str
    tapehouse: str
    made_ts: str
    filters: dict[str, str | None]
    lake_versions: dict[str, int | None]
    files: tuple[ExportedFile, ...]
    licence: str = LICENCE
    format: int = FORMAT

    @property
    def n_rows(self) -> int:
        """Rows of all files together."""
        return sum(each.n_rows for each in self.files)

    def as_json(self) -> dict[str, Any]:
        """Return the manifest as plain values."""
        return asdict(self)


def described(folder: Path, path: Path, table: str, n_rows: int) -> ExportedFile:
    """Measure a file below `folder`."""
    return ExportedFile(
        path=path.relative_to(folder).as_posix(),
        table=table,
        n_rows=n_rows,
        n_bytes=path.stat().st_size,
        sha256=_sha256(path),
    )


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of an export.

    Raises:
        ExportDamaged: there is none, or a later Tapehouse or somebody else wrote it.
    """
    path = folder / MANIFEST
    try:
        told = json.loads(path.read_text())
        if told["format"] > FORMAT:
            raise ExportDamaged(f"{path}: format {told['format']} is newer than {FORMAT}; upgrade Tapehouse")
        files = tuple(ExportedFile(**each) for each in told.pop("files"))
        manifest = Manifest(**told, files=files)
    except FileNotFoundError as error:
        raise ExportDamaged(
            f"{folder}: no {MANIFEST} there; name a folder that `warehouse export` made"
        ) from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ExportDamaged(f"{path}: is not a manifest of an export ({error}); export again") from error
    for each in manifest.files:
        if PurePosixPath(each.path).is_absolute() or ".." in PurePosixPath(each.path).parts:
            raise ExportDamaged(f"{path}: {each.path!r} lies outside the export")
    return manifest


def verify_export(folder: Path, progress: Progress = silent) -> Manifest:
    """Read every file of an export to its end and return the manifest, if all of them are as they were.

    Raises:
        ExportDamaged: names the first file that is gone, longer, shorter or changed.
    """
    manifest = read_manifest(folder)
    for number, each in enumerate(manifest.files):
        progress("verify export", number, len(manifest.files))
        path = folder / each.path
        try:
            n_bytes = path.stat().st_size
            is_same = n_bytes == each.n_bytes and _sha256(path) == each.sha256
        except OSError as error:
            raise ExportDamaged(f"{path}: {error.strerror or error}; copy the export again") from error
        if n_bytes != each.n_bytes:
            raise ExportDamaged(
                f"{path}: has {n_bytes} bytes where the manifest says {each.n_bytes}; copy the export again"
            )
        if not is_same:
            raise ExportDamaged(f"{path}: is not what the manifest says (SHA-256); copy the export again")
    progress("verify export", len(manifest.files), len(manifest.files))
    return manifest


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
