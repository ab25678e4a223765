"""What a source of keys gives, and a key as it was read from it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import SecretStr

MAX_KEY_BYTES: Final = 64_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a source holds, unread.

    Attributes:
        text: a PEM, Kalshi's text file, or JSON; see text.py.
        stored_ts: since when the source has it; None where a source keeps no dates.
        dated_by: whose date that is, such as "date of the file".
    """

    text: SecretStr
    stored_ts: datetime | None = None
    dated_by: str = ""

    def __reduce__(self) -> str:
        raise TypeError("this holds a private key and is not pickled; read the source again over there")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A key, its id, and where both came from.

    Attributes:
        key_id: the id to sign with.
        pem: the private key in PEM, with its line breaks.
        source: the variable and what it names, fit to be shown.
        stored_ts, dated_by: as in `Found`.
    """

    key_id: str
    pem: SecretStr
    source: str
    stored_ts: datetime | None = None
    dated_by: str = ""

    def __repr__(self) -> str:
        return f"Held({shortened(self.key_id)} from {self.source})"

    def __reduce__(self) -> str:
        raise TypeError("this holds a private key and is not pickled; read the source again over there")


def shortened(key_id: str) -> str:
    """Return the head of a key id, which tells keys apart and is of no use to anybody else."""
    return f"{key_id[:8]}…"
