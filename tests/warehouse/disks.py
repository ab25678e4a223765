"""Disks that are small or read-only, mounted for one test."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_NO_MOUNT = "a small or read-only disk has to be mounted, which only root may: try `unshare -rm pytest …`"


@contextmanager
def small_disk(folder: Path, *, n_bytes: int = 8_000_000, n_files: int = 1_000) -> Iterator[Path]:
    """Mount a tmpfs of so many bytes and files on a new folder."""
    folder.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={n_bytes},nr_inodes={n_files}", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        _unmount(folder)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Make a folder read-only by mounting it on itself: permissions would not stop root."""
    _mount("--bind", str(folder), str(folder))
    try:
        _mount("-o", "remount,bind,ro", str(folder))
        yield
    finally:
        _unmount(folder)


@contextmanager
def filled(folder: Path, *, leave: int = 0) -> Iterator[None]:
    """Fill a disk up, but for so many bytes."""
    disk = os.statvfs(folder)
    ballast = folder / "ballast"
    with ballast.open("wb") as stream:
        stream.write(bytes(max(0, disk.f_bavail * disk.f_frsize - leave)))
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def without_files_left(folder: Path, *, leave: int = 0) -> Iterator[None]:
    """Use up the number of files that a disk can have: there is room, but a file cannot be made."""
    crowd = folder / "crowd"
    crowd.mkdir()
    for number in range(os.statvfs(folder).f_ffree - leave):
        (crowd / str(number)).touch()
    try:
        yield
    finally:
        for each in crowd.iterdir():
            each.unlink()
        crowd.rmdir()


def files_below(folder: Path) -> set[str]:
    """Return all files below a folder, hidden ones too, without locks."""
    found = (each.relative_to(folder) for each in folder.rglob("*") if each.is_file())
    return {str(each) for each in found if each.name != ".publish.lock"}


def _mount(*arguments: str) -> None:
    if os.geteuid() != 0:
        pytest.skip(_NO_MOUNT)
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{_NO_MOUNT} ({done.stderr.strip()})")


def _unmount(folder: Path) -> None:
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
