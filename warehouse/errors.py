"""What the warehouse raises on purpose.

WarehouseError
├── LakeBusy                 other writers won every try; nothing was written, so run it again
├── LakeUnwritable           the lake's folder or bucket refuses writing
├── DiskFull                 no room for what has to be written; free some space and run it again
├── LakeTooNew               a later Tapehouse wrote this lake, or a program whose Delta we do not read
├── NoLake                   there is nothing at this place
├── NeedsFolder              a catalog of a lake that lies in a bucket
├── NoSuchVersion            a pinned version is not in the table's log any more
├── CorruptFile              a data file is damaged or gone
├── RowsRefused              a frame whose columns or dtypes are not the declared ones
├── NaiveTime                a time without a zone
├── ReversedInterval         an interval that ends before it starts
├── UnknownTicker            no such market here
│   ├── UnknownEvent
│   ├── UnknownSeries
│   ├── UnknownTable
│   └── UnknownCheck
├── ChecksFailed             a check flagged what nobody can explain; the lake is as it was
├── BookUnknown              the book at this moment cannot be known from what was recorded
├── BadDepth                 books of less than one level, or at less than a microsecond's distance
├── ExportRefused            an export whose target is not free, or that has no rows
├── ExportDamaged            an export whose files are not what its manifest says
└── QueryFailed              SQL that DuckDB refuses
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import ClassVar

from exchange.errors import BadInput, TapehouseError


class WarehouseError(TapehouseError):
    """Anything the warehouse refuses or fails to do."""


class LakeBusy(WarehouseError):
    """Every try to commit lost the race to another writer."""


class LakeUnwritable(WarehouseError, BadInput):
    """The lake cannot be written where it lies."""


class DiskFull(WarehouseError):
    """There is no room for what has to be written; nothing was wrong with it."""


class LakeTooNew(WarehouseError, BadInput):
    """The lake's format is newer than this program, or has features that would be misread."""


class NoLake(WarehouseError, BadInput):
    """There is no lake at the given place."""

    @classmethod
    def at(cls, uri: str) -> "NoLake":
        """Return what to say where a lake is needed and there is none."""
        return cls(f"{uri}: no lake there; `tapehouse sync` or `tapehouse import` makes one")


class NeedsFolder(WarehouseError, BadInput):
    """Something that only a lake in a folder has."""


class NoSuchVersion(WarehouseError, BadInput):
    """A version of a table that is not there."""


class CorruptFile(WarehouseError, BadInput):
    """A file of the lake that is not what the log says it is."""


class RowsRefused(WarehouseError, BadInput):
    """A frame that does not fit its table: columns missing or extra, or a dtype that would lose value."""


class NaiveTime(WarehouseError, BadInput):
    """A time without a zone, which could mean any of twenty-four moments."""


class ReversedInterval(WarehouseError, BadInput):
    """A half-open interval `[start, end)` with nothing in it."""


class BookUnknown(WarehouseError, BadInput):
    """Nobody can say what the book was: no snapshot yet, or the stream was broken."""


class BadDepth(WarehouseError, BadInput):
    """Books asked for with less than one level, or at instants that are no time apart."""


class ChecksFailed(WarehouseError):
    """Checks of the lake flagged something; what and where was told before."""


class ExportRefused(WarehouseError, BadInput):
    """An export that is not begun, or not kept: its target is not free, or nothing is what was asked for."""


class ExportDamaged(WarehouseError, BadInput):
    """An export whose files are not what its manifest says, or that has no manifest."""


class QueryFailed(WarehouseError, BadInput):
    """SQL that DuckDB does not accept."""


class UnknownTicker(WarehouseError, BadInput):
    """A market that the lake has never heard of; `near` are the closest names it has."""

    kind: ClassVar[str] = "ticker"

    def __init__(self, name: str, known: Iterable[str], *, where: str) -> None:
        """Name what was asked for and what comes close to it."""
        candidates = list(known)
        self.name = name
        # Kalshi's names are in capitals.
        near = get_close_matches(name, candidates, n=3, cutoff=0.5)
        self.near = tuple(near or get_close_matches(name.upper(), candidates, n=3, cutoff=0.5))
        if self.near:
            advice = f"did you mean {' or '.join(self.near)}?"
        elif candidates:
            advice = f"{len(candidates)} others are there, none close to it"
        else:
            advice = "the lake has none yet: run `tapehouse sync` or `tapehouse import` first"
        super().__init__(f"unknown {self.kind} {name!r} in {where}: {advice}")


class UnknownEvent(UnknownTicker):
    """An event that the lake has never heard of."""

    kind = "event"


class UnknownTable(UnknownTicker):
    """A table that is not declared."""

    kind = "table"


class UnknownCheck(UnknownTicker):
    """A check that does not exist."""

    kind = "check"


class UnknownSeries(UnknownTicker):
    """A series that the lake has never heard of."""

    kind = "series"
