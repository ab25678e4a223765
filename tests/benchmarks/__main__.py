"""Measure every area (or those named) on this machine; a whole run writes docs/benchmarks.md.

`python -m tests.benchmarks --rows 100000000` measures hundred_million alone, takes most of an hour and 12 GB
below TMPDIR, and writes its section of the page; whole runs leave that one as it is. So does
`--rows 100000000 book_rates` with books.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Final

from rich.console import Console

from tests.benchmarks.figures import Figure
from tests.benchmarks.hundred_million import ROWS_VARIABLE
from tests.benchmarks.page import Area, as_markdown, as_section, as_table, section_of, with_section

AREAS: Final = {
    "lake_bytes": "Warehouse: rows in and out",
    "import_rates": "Imports",
    "client_rates": "Client against the sandbox",
    "budget_rates": "One budget for many processes",
    "page_cost": "What a page costs",
    "json_pages": "Pages into columns",
    "first_results": "A first result",
    "kernel_rates": "Kernels",
    "book_rates": "Order books",
    "market_making": "One market maker in two engines",
    "sweep": "A sweep from end to end",
    "peers": "One strategy in other engines",
    "hundred_million": "One tape in three forms",
}
PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
LARGE: Final = {
    "hundred_million": "One tape in three forms, a year",
    "book_rates": "Order books of many days",
}
LIMIT_S: Final = 600
LIMITS_S: Final = {"peers": 3_600}  # environments may have to be made first
LARGE_LIMIT_S: Final = 4 * 3_600


def main(names: list[str]) -> int:
    """Measure, print tables, and write the page when nothing was left out; 2 for a name that is none."""
    console = Console(width=150)
    if names[:1] == ["--rows"] and names[1:2] and names[1].isdecimal():
        return _large(names[1], names[2:] or ["hundred_million"], console)
    unknown = [name for name in names if name not in AREAS]
    if unknown:
        console.print(f"error: no benchmark {', '.join(unknown)}; there are {', '.join(AREAS)}, or --rows N")
        return 2
    began_s, load = time.monotonic(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="tapehouse-bench-") as work:
        chosen = [name for name in AREAS if not names or name in names]
        areas = [_alone(name, Path(work), console, limit_s=LIMITS_S.get(name, LIMIT_S)) for name in chosen]
    took_s = time.monotonic() - began_s
    if not names:
        before, page = PAGE.read_text() if PAGE.exists() else "", as_markdown(areas, took_s=took_s, load=load)
        for title in LARGE.values():
            page = with_section(page, section_of(before, title))
        PAGE.write_text(page)
        console.print(f"\nwrote docs/benchmarks.md, {took_s:.0f} s")
    return 0


def _large(n_rows: str, names: list[str], console: Console) -> int:
    """Measure one area at another size and write its section only."""
    if len(names) != 1 or names[0] not in LARGE:
        console.print(f"error: --rows N takes one of {', '.join(LARGE)}")
        return 2
    os.environ[ROWS_VARIABLE] = n_rows
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="tapehouse-bench-") as work:
        area = _alone(names[0], Path(work), console, title=LARGE[names[0]], limit_s=LARGE_LIMIT_S)
    section = as_section(area, f"{int(n_rows):,} rows; load average before the start {load:.1f}.")
    PAGE.write_text(with_section(PAGE.read_text(), section))
    return 0


def _alone(name: str, work: Path, console: Console, *, title: str = "", limit_s: float) -> Area:
    """Measure one area in a process of its own."""
    out = work / f"{name}.json"
    command = [sys.executable, "-m", "tests.benchmarks", "--alone", name, str(work), str(out)]
    subprocess.run(command, check=True, timeout=limit_s)
    told = json.loads(out.read_text())
    area = Area(
        title=title or AREAS[name],
        about=told["about"],
        figures=[Figure(**each) for each in told["figures"]],
        peak_mb=told["peak_mb"],
        took_s=told["took_s"],
    )
    console.print(as_table(area))
    return area


def _measure(name: str, work: Path, out: Path) -> None:
    module = import_module(f"tests.benchmarks.{name}")
    began_s = time.monotonic()
    found = [asdict(each) for each in module.figures(work)]
    told = {
        "about": module.__doc__ or "",
        "figures": found,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "took_s": time.monotonic() - began_s,
    }
    out.write_text(json.dumps(told))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--alone"]:
        _measure(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
    else:
        sys.exit(main(sys.argv[1:]))
