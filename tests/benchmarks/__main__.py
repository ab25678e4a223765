"""Measure every area (or those named) on this machine; a whole run writes docs/benchmarks.md."""

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
from tests.benchmarks.page import Area, as_markdown, as_table

AREAS: Final = {
    "lake_bytes": "Warehouse: rows in and out",
    "import_rates": "Imports",
    "client_rates": "Client against the sandbox",
    "budget_rates": "One budget for many processes",
    "page_cost": "What a page costs",
    "json_pages": "Pages into columns",
    "kernel_rates": "Kernels",
    "sweep": "A sweep from end to end",
}
PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
LIMIT_S: Final = 600


def main(names: list[str]) -> int:
    """Measure, print tables, and write the page when nothing was left out; 2 for a name that is none."""
    console = Console(width=150)
    unknown = [name for name in names if name not in AREAS]
    if unknown:
        console.print(f"error: no benchmark {', '.join(unknown)}; there are {', '.join(AREAS)}")
        return 2
    began_s, load = time.monotonic(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="tapehouse-bench-") as work:
        areas = [_alone(name, Path(work), console) for name in AREAS if not names or name in names]
    took_s = time.monotonic() - began_s
    if not names:
        PAGE.write_text(as_markdown(areas, took_s=took_s, load=load))
        console.print(f"\nwrote docs/benchmarks.md, {took_s:.0f} s")
    return 0


def _alone(name: str, work: Path, console: Console) -> Area:
    """Measure one area in a process of its own."""
    out = work / f"{name}.json"
    command = [sys.executable, "-m", "tests.benchmarks", "--alone", name, str(work), str(out)]
    subprocess.run(command, check=True, timeout=LIMIT_S)
    told = json.loads(out.read_text())
    area = Area(
        title=AREAS[name],
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
