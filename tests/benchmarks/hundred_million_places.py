"""Where the same year of trades lies three times: as a lake, as plain Parquet, as a DuckDB table."""

from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.year_of_trades import Year


@dataclass(frozen=True, slots=True)
class Places:
    """Paths below one folder, and how large the year is."""

    work: Path
    n_rows: int

    @property
    def year(self) -> Year:
        """The tape."""
        return Year(self.n_rows)

    @property
    def lake(self) -> Path:
        """Our lake."""
        return self.work / "lake"

    @property
    def hive(self) -> Path:
        """Folders date=…, each with one Parquet file."""
        return self.work / "hive"

    @property
    def native(self) -> Path:
        """A DuckDB file with a table `trades`."""
        return self.work / "native.duckdb"

    @property
    def orders(self) -> Path:
        """A million moments to look back from."""
        return self.work / "orders.parquet"


def peak_mb() -> float:
    """Return the most memory that this process had resident; in rusage its parent's would count too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
