"""What an import did: counts for people and programs, and the rows that it refused."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

BAD_ROWS_SHOWN: Final = 20
_BAD_ROWS_KEPT: Final = 1_000


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row or frame that was quarantined: `location` is file:line."""

    location: str
    field: str | None
    value: str | None
    reason: str

    def __str__(self) -> str:
        """Say where, which field, what it held and why that will not do."""
        what = f" {self.field}={self.value!r}" if self.field is not None else ""
        return f"{self.location}:{what} {self.reason}"


@dataclass(slots=True)
class Counts:
    """What became of the rows for one table."""

    n_new: int = 0
    n_known: int = 0
    n_quarantined: int = 0


@dataclass(slots=True)
class ImportReceipt:
    """The outcome of one import over some files.

    `n_rows` are the rows or frames that were read, `tables` what became of them by table, `ignored` the
    frames of a kind that no table holds, `bad_rows` the first refused rows (their number is in `tables`),
    `seen` what else was counted, in words.
    """

    kind: str
    files: list[str] = field(default_factory=list)
    n_rows: int = 0
    tables: dict[str, Counts] = field(default_factory=dict)
    ignored: dict[str, int] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    bad_rows: list[BadRow] = field(default_factory=list)
    wall_s: float = 0.0

    @property
    def n_new(self) -> int:
        """Rows that the lake did not have."""
        return sum(each.n_new for each in self.tables.values())

    @property
    def n_quarantined(self) -> int:
        """Rows that were refused and kept aside."""
        return sum(each.n_quarantined for each in self.tables.values())

    def count(self, table: str, *, n_new: int = 0, n_known: int = 0, n_quarantined: int = 0) -> None:
        """Add to the counts of one table."""
        counts = self.tables.setdefault(table, Counts())
        counts.n_new += n_new
        counts.n_known += n_known
        counts.n_quarantined += n_quarantined

    def add(self, other: "ImportReceipt") -> None:
        """Add what another import did."""
        self.files += other.files
        self.n_rows += other.n_rows
        for table, counts in other.tables.items():
            self.count(table, **asdict(counts))
        for ours, theirs in ((self.ignored, other.ignored), (self.seen, other.seen)):
            for name, n_counted in theirs.items():
                ours[name] = ours.get(name, 0) + n_counted
        self.keep(other.bad_rows)
        self.wall_s += other.wall_s

    def keep(self, bad_rows: list[BadRow]) -> None:
        """Remember refused rows, up to a limit."""
        self.bad_rows.extend(bad_rows[: _BAD_ROWS_KEPT - len(self.bad_rows)])

    def as_json(self) -> Mapping[str, Any]:
        """Return the receipt as plain values."""
        return asdict(self) | {"n_new": self.n_new, "n_quarantined": self.n_quarantined}
