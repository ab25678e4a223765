"""The measured figures as a table for the terminal and as docs/benchmarks.md."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from rich.table import Table

from tests.benchmarks.figures import Figure, number

LIBRARIES: Final = (
    "polars",
    "duckdb",
    "pyarrow",
    "deltalake",
    "numba",
    "numpy",
    "msgspec",
    "httpx",
    "uvicorn",
)


@dataclass(frozen=True, slots=True)
class Area:
    """The figures of one module and what its process needed."""

    title: str
    about: str
    figures: Sequence[Figure]
    peak_mb: float
    took_s: float


def as_table(area: Area) -> Table:
    """Return one area as a table for a terminal."""
    table = Table(
        title=f"{area.title} ({area.took_s:.0f} s, peak {area.peak_mb:,.0f} MB)", title_justify="left"
    )
    for name in ("what", "measured", "goal", "met"):
        table.add_column(name, justify="right" if name == "measured" else "left", no_wrap=True)
    table.add_column("work", overflow="fold")
    for each in area.figures:
        table.add_row(each.what, f"{number(each.value)} {each.unit}", each.goal, each.verdict, each.work)
    return table


def as_markdown(areas: Sequence[Area], *, took_s: float, load: float) -> str:
    """Return docs/benchmarks.md; `load` is the load average before the first benchmark."""
    parts = [_INTRODUCTION.format(machine=_machine(), libraries=_libraries(), took_s=took_s, load=load)]
    parts += [as_section(area) for area in areas]
    return "\n".join([*parts, _NOT_MEASURED])


def with_section(page: str, section: str) -> str:
    """Put a section into a page, in the place of the one of the same title or else last but one."""
    if not section:
        return page
    title = section.partition("\n")[0].removeprefix("## ")
    without = page.replace(section_of(page, title), "")
    head, last, tail = without.partition(_LAST)
    return f"{head}{section.rstrip()}\n\n{last}{tail}"


def section_of(page: str, title: str) -> str:
    """Return a section as it stands in a page; empty when it has none."""
    _, found, rest = page.partition(f"## {title}\n")
    return f"{found}{rest.partition('## ')[0]}" if found else ""


def as_section(area: Area, conditions: str = "") -> str:
    """Return one area as a section of the page; `conditions` are what differed from the page's own."""
    about = " ".join(area.about.split("\n\n", 1)[-1].split() if "\n\n" in area.about else area.about.split())
    rows = [
        f"| {each.what} | {number(each.value)} {each.unit} | {each.goal} | {each.verdict} | {each.work} |"
        for each in area.figures
    ]
    head = [
        f"## {area.title}",
        "",
        f"{about} {conditions}".strip(),
        "",
        "| what | measured | goal | met | work |",
        "|---|--:|---|---|---|",
    ]
    tail = ["", f"Peak memory of the process: {area.peak_mb:,.0f} MB; {area.took_s:.0f} s.", ""]
    return "\n".join([*head, *rows, *tail])


def _machine() -> str:
    cpu = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor() or platform.machine(),
    )
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores ({cpu}), {memory_gb:.0f} GB of memory, {platform.system()}"


def _libraries() -> str:
    found = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return f"Python {platform.python_version()}, {found}"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


_INTRODUCTION: Final = """\
# Benchmarks

Written by `make bench`; do not edit. One run of every benchmark takes {took_s:.0f} s.

* Machine: {machine}; load average before the start {load:.1f}.
* Libraries: {libraries}.

Rates are per second of wall clock unless a row says CPU; of several timings the quickest counts. Two ways to
do the same work were compared in one process, after their results were found equal. A goal is what we think
such hardware allows, and "no" is an answer.
"""

_LAST: Final = "## Not measured here\n"
_NOT_MEASURED: Final = f"""\
{_LAST}
What Prefect adds to a run is not measured: a task is
seconds of work.
"""
