"""A ledger in a file that every process of one user opens: lock, read, change, write, unlock.

The lock is the kernel's (`flock`): whoever dies lets go of it. The record is written by one call and has a
checksum; a record that does not fit is never believed, it becomes an empty bucket. All moments are of
CLOCK_MONOTONIC, which all processes of one machine share.
"""

import hashlib
import logging
import os
import platform
import stat
import struct
import time
import weakref
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from typing import Final

from pipelines.client.buckets.ledger import Ledger
from pipelines.client.errors import SettingsError
from pipelines.client.tiers import Limits

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK_S: Final = 5.0
"""A lock is held for microseconds; a holder that was stopped in between is a matter for a person."""

_LOG: Final = logging.getLogger(__name__)
_NAMES: Final = tuple(field.name for field in fields(Ledger))
_VALUES: Final = attrgetter(*_NAMES)
_RECORD: Final = struct.Struct(f"<{len(_NAMES)}q")
_CHECK: Final = struct.Struct("<8sI")
_MAGIC: Final = b"tapehs02"  # another layout needs another magic and another suffix
_SIZE: Final = _CHECK.size + _RECORD.size
_SUFFIX: Final = ".bucket2"
_STALE_S: Final = 7 * 86_400
_POLL_S: Final = 0.000_2


def can_share() -> bool:
    """Tell whether this system has the file locks that sharing needs; Windows has not."""
    return fcntl is not None


class SharedKeeper:
    """Keeps one ledger in `folder`, in a file named by a digest of `name` and of this machine's.

    Use it from one thread. A child made by fork opens the file anew, and everybody does when it was deleted.

    Raises:
        SettingsError: the folder or the file cannot be used.
    """

    def __init__(self, folder: Path, name: str, limits: Limits, now_ns: Callable[[], int]) -> None:
        digest = hashlib.sha256(f"{platform.node()}\n{name}".encode()).hexdigest()[:32]
        self.path = folder / f"{digest}{_SUFFIX}"
        self._limits = limits
        self._now_ns = now_ns
        self._fd = self._pid = -1
        self._closing: weakref.finalize[..., SharedKeeper] | None = None
        _check_folder(folder)
        if not self.path.exists():
            _sweep(folder)

    @contextmanager
    def held(self, patience_s: float | None = None) -> Iterator[Ledger]:
        """Hold the ledger: nobody else sees it before the block is done. Nothing is written if it raises.

        Raises:
            SettingsError: the file cannot be used, or somebody has held it for `patience_s` (None: `LOCK_S`).
        """
        fd = self._locked(LOCK_S if patience_s is None else patience_s)
        try:
            ledger = self._read(fd)
            yield ledger
            self._write(fd, _VALUES(ledger))
        finally:
            fcntl.flock(fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        if self._closing is not None:
            self._closing()
            self._closing = None
        self._fd = -1

    def _locked(self, patience_s: float) -> int:
        end_s = time.monotonic() + patience_s
        while True:
            if self._pid != os.getpid():  # a lock taken before a fork belongs to parent and child alike
                self.close()
            if self._fd < 0:
                self._open()
            if self._try_lock():
                if self._is_still_there():
                    return self._fd
                self.close()  # deleted: whoever comes now opens another file, and so must we
            elif time.monotonic() > end_s:
                raise SettingsError(
                    f"{self.path}: another process has held the lock for {patience_s:g} s instead of "
                    "microseconds, it was stopped: continue or end it (`fuser` on that file names it)"
                )
            else:
                time.sleep(_POLL_S)

    def _try_lock(self) -> bool:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise _unusable(self.path, error) from error
        return True

    def _is_still_there(self) -> bool:
        try:
            return os.fstat(self._fd).st_nlink > 0
        except OSError as error:
            raise _unusable(self.path, error) from error

    def _open(self) -> None:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._fd = os.open(self.path, flags, 0o600)
        except OSError as error:
            raise _unusable(self.path, error) from error
        self._pid = os.getpid()
        self._closing = weakref.finalize(self, os.close, self._fd)

    def _read(self, fd: int) -> Ledger:
        try:
            record = os.pread(fd, _SIZE + 1, 0)
        except OSError as error:
            raise _unusable(self.path, error) from error
        if len(record) == _SIZE:
            magic, check = _CHECK.unpack_from(record)
            if magic == _MAGIC and check == zlib.crc32(record[_CHECK.size :]):
                return Ledger(*_RECORD.unpack_from(record, _CHECK.size))
        if record:
            _LOG.warning("%s: not what was written; beginning again with an empty bucket", self.path)
        return Ledger.opened(self._limits, self._now_ns(), is_full=not record)

    def _write(self, fd: int, values: tuple[int, ...]) -> None:
        record = _RECORD.pack(*values)
        try:
            n_written = os.pwrite(fd, _CHECK.pack(_MAGIC, zlib.crc32(record)) + record, 0)
            if n_written < _SIZE or os.fstat(fd).st_size > _SIZE:
                os.ftruncate(fd, _SIZE)
        except OSError as error:
            raise _unusable(self.path, error) from error


def budget_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder that all processes of one user find, whatever started them.

    TAPEHOUSE_BUDGET_DIR, or the user's cache folder, or where there is no home XDG_RUNTIME_DIR. Not the other
    way round: a cron job or a service has no XDG_RUNTIME_DIR where a login has one, the two would not share,
    and it goes away with the last login while a job goes on.

    Raises:
        SettingsError: there is none.
    """
    if chosen := environment.get("TAPEHOUSE_BUDGET_DIR"):
        return Path(chosen).expanduser()
    if cache := environment.get("XDG_CACHE_HOME"):
        return Path(cache) / "tapehouse" / "budgets"
    home = environment.get("HOME")
    if home and Path(home).is_dir():
        return Path(home) / ".cache" / "tapehouse" / "budgets"
    if runtime := environment.get("XDG_RUNTIME_DIR"):
        return Path(runtime) / "tapehouse"
    raise SettingsError(
        "no folder for the budget that programs on one key share: set TAPEHOUSE_BUDGET_DIR to a folder on a "
        "local disk that belongs to you alone"
    )


def _check_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError as error:
        raise _unusable(folder, error) from error
    if found.st_uid != os.geteuid():
        raise SettingsError(
            f"{folder}: belongs to another user, who could change our budget: set TAPEHOUSE_BUDGET_DIR to a "
            "folder of your own"
        )
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise SettingsError(f"{folder}: others may write there and change our budget: chmod 700 {folder}")


def _unusable(path: Path, error: OSError) -> SettingsError:
    return SettingsError(
        f"{path}: cannot keep the shared budget there ({error.strerror or error}): set TAPEHOUSE_BUDGET_DIR "
        "to a folder on a local disk that you may write to"
    )


def _sweep(folder: Path) -> None:
    """Delete what nobody has touched for a week: a full bucket again, which a new file is as well."""
    oldest_s = time.time() - _STALE_S
    for path in folder.glob("*.bucket?"):  # of older layouts as well
        try:
            if path.stat().st_mtime < oldest_s:
                path.unlink()
        except FileNotFoundError:  # somebody else sweeps
            continue
