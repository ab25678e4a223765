"""What the process holds that all others of the week are forked from: everything imported, nothing started.

A fork copies no threads. Had an import started those of polars or deltalake, a child that asks them for
something would wait for ever; so it is an error here, before anything is forked.
"""

from importlib import import_module
from pathlib import Path
from typing import Final

PROGRAMS: Final = ("week_exchange", "week_readers", "week_workers")
WORKING: Final = frozenset({"polars-0", "tokio-rt-worker"})  # names of threads that do others' work


def started() -> frozenset[str]:
    """Return the names of this process's threads; none where there is no /proc."""
    return frozenset(path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm"))


for _program in PROGRAMS:
    import_module(f"tests.stories.{_program}")
import_module("warehouse.cli")
if _lost := sorted(started() & WORKING):
    raise RuntimeError(
        f"importing our modules starts {', '.join(_lost)}, and forked processes would wait for them for "
        "ever: compute at the first call what some module computes on import"
    )
