"""Defects planted one by one into a clean lake: each is found by exactly the checks that should find it.

`python -m tests.stories.defects [WORD …]` makes the lake, plants every defect (whose name has one of the
words) into a copy of its own, runs all checks, and prints what was found; it ends with 1 if that was anything
else.
"""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from sandbox import World
from tests.warehouse.clean_lakes import a_clean_lake
from tests.warehouse.defects import DEFECTS, Defect
from warehouse import Lake
from warehouse.checks import run_checks

DAYS: Final = 6
ACTIVITY: Final = 0.05


def flagged(lake: Lake) -> dict[str, tuple[str, ...]]:
    """Run all checks and return the places that each flagged."""
    report = run_checks(lake, keep=False, n_examples=1_000)
    return {
        each.check.name: tuple(example.place for example in each.examples)
        for each in report.findings
        if each.n_flagged
    }


def main(words: Sequence[str]) -> int:
    """Plant and find every defect."""
    n_wrong = 0
    with TemporaryDirectory() as name:
        folder = Path(name)
        lake = a_clean_lake(folder / "clean", World(7, days=DAYS, activity=ACTIVITY), days=DAYS)
        shutil.copytree(folder / "clean", folder / "checked")
        before = run_checks(Lake(folder / "checked"))
        assert not before.failed, [each.check.name for each in before.failed]
        for defect in DEFECTS:
            if not words or any(word in defect.name for word in words):
                n_wrong += not _is_found(defect, folder, lake)
    return int(n_wrong > 0)


def _is_found(defect: Defect, folder: Path, lake: Lake) -> bool:
    copy = folder / "copy"
    shutil.copytree(folder / "checked" if defect.after_a_check else lake.path, copy)
    defect.plant(Lake(copy))
    found = flagged(Lake(copy))
    shutil.rmtree(copy)
    is_right = found.keys() == defect.flags.keys()
    sys.stdout.write(f"{'ok   ' if is_right else 'WRONG'} {defect.name}: {', '.join(sorted(found))}\n")
    if not is_right:
        sys.stdout.write(f"      expected {', '.join(sorted(defect.flags))}\n      {found}\n")
    sys.stdout.flush()
    return is_right


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
