"""The key in a file that only its owner can read."""

import os
import shlex
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from pipelines.client.errors import SettingsError
from pipelines.client.keys.found import MAX_KEY_BYTES, Found

_OPEN_TO_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def read(reference: str, where: str) -> Found:
    """Return the text of a key file and the date it was last written.

    Rights and size are those of the file that was opened, so nobody can swap it in between.

    Raises:
        SettingsError: missing, unreadable, too large, no text, or open to others.
    """
    path = Path(reference)
    try:
        return _opened(path, where)
    except FileNotFoundError:
        refusal = "no such file; correct the path, or save the key there"
    except UnicodeDecodeError:
        refusal = "not a PEM text; give the file that Kalshi let you save"
    except OSError as error:
        refusal = f"cannot be read ({error.strerror}); make it yours and chmod 600"
    raise SettingsError(f"{where}: {refusal}")


def _opened(path: Path, where: str) -> Found:
    # A pipe without a writer would block for ever; it is refused right below.
    handle = os.open(path.expanduser(), os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise SettingsError(f"{where}: not a file; give the path of the file that Kalshi let you save")
        if os.name != "nt" and status.st_mode & _OPEN_TO_OTHERS:
            raise SettingsError(f"{where}: others can read this key; run: chmod 600 {shlex.quote(str(path))}")
        if status.st_size > MAX_KEY_BYTES:
            raise SettingsError(f"{where}: {status.st_size} bytes is no key; give the file of the key")
        return Found(
            text=SecretStr(os.read(handle, MAX_KEY_BYTES).decode("utf-8-sig")),
            stored_ts=datetime.fromtimestamp(status.st_mtime, UTC),
            dated_by="date of the file",
        )
    finally:
        os.close(handle)
