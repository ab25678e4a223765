"""SIGKILL at instants that are drawn or lain in wait for, and what the dead left behind: where it struck."""

import json
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

AIMS: Final = ("anywhere", "data file", "log entry", "catalog")
PATIENCE_S: Final = 120.0
GLANCE_S: Final = 0.0005
SETTLED_S: Final = 60.0
DAY_S: Final = 86_400
LONG_S: Final = 8.0  # no kill is drawn for later than that


def a_nursery() -> multiprocessing.context.ForkServerContext:
    """Return what makes processes: real ones, with everything imported already, two seconds less for each."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.stories.week_nursery"])
    return context


@dataclass(slots=True)
class Graves:
    """How many were killed, aimed at what, and what the kill interrupted as the lake shows afterwards.

    inside a commit: data files without a log entry; inside a compaction: the same of a compacting program;
    inside a publish: a catalog that is not in place; between: nothing half done.
    """

    folder: Path
    n_kills: int = 0
    n_missed: int = 0
    by_worker: Counter[str] = field(default_factory=Counter)
    by_aim: Counter[str] = field(default_factory=Counter)
    by_place: Counter[str] = field(default_factory=Counter)
    _buried: list["_Burial"] = field(default_factory=list)
    _settled: set[str] = field(default_factory=set)
    _named: set[str] = field(default_factory=set)
    _read: set[str] = field(default_factory=set)

    def bury(self, worker: str, aim: str) -> None:
        """Count a kill, and note what lies about that may be the dead one's."""
        self.n_kills += 1
        self.by_worker[worker] += 1
        self.by_aim[aim] += 1
        self._buried.append(_Burial(worker, time.monotonic(), frozenset(self._loose())))

    def settle(self, *, at_once: bool = False) -> set[str]:
        """Tell where the kills of a minute ago and earlier struck, by what still lies about; return that.

        What another program was writing at the time is named by a log or gone by now.
        """
        left, still, fresh = set[str](), self._loose(), []
        for each in self._buried:
            if not at_once and time.monotonic() - each.at_s < SETTLED_S:
                fresh.append(each)
                continue
            what = "compaction" if each.worker == "compact" else "commit"
            own = each.left & still - self._settled
            self._settled |= own
            left |= own
            places = {"publish" if "warehouse.duckdb" in path else what for path in own}
            self.by_place.update(f"inside a {place}" for place in places)
            self.by_place["between"] += not places
        self._buried = fresh
        return left

    def decay(self) -> None:
        """Let what killed programs left behind look two days old, so that it is cleared away."""
        two_days_ago_s = time.time() - 2 * DAY_S
        for path in self.settle():
            os.utime(self.folder / path, (two_days_ago_s, two_days_ago_s))

    def as_json(self) -> dict[str, Any]:
        """Return the counts."""
        self.settle(at_once=True)
        return {
            "kills": self.n_kills,
            "ended_before_the_kill": self.n_missed,
            "kills_by_program": dict(self.by_worker),
            "kills_by_aim": dict(self.by_aim),
            "kills_by_place": dict(self.by_place),
        }

    def _loose(self) -> set[str]:
        """Return the files that no log entry names."""
        found = {
            str(path.relative_to(self.folder))
            for pattern in ("*/*.parquet", "*/date=*/*.parquet", "*/_delta_log/*.tmp", ".warehouse.duckdb.*")
            for path in self.folder.glob(pattern)
        }
        for log in self.folder.glob("*/_delta_log/*.json"):
            if str(log) not in self._read:
                self._read.add(str(log))
                table = log.parent.parent.name
                actions = map(json.loads, log.read_text().splitlines())
                self._named |= {f"{table}/{each['add']['path']}" for each in actions if "add" in each}
        return found - self._named


class _Burial(NamedTuple):
    """A kill whose place is not known yet."""

    worker: str
    at_s: float
    left: frozenset[str]


@dataclass(slots=True)
class Killer:
    """Starts programs, and kills some of them."""

    nursery: multiprocessing.context.ForkServerContext
    graves: Graves
    rng: Random
    lasted_s: dict[str, float] = field(default_factory=dict)

    def run(
        self, worker: str, target: Callable[..., None], *arguments: object, aim: str | None = None
    ) -> int | None:
        """Run a program to its end and return its exit code; with an aim kill it, then None.

        One that ends before it can be killed is not counted as killed.
        """
        began_s = time.monotonic()
        process = self.nursery.Process(target=target, args=arguments, name=worker)
        before = _seen(self.graves.folder)
        process.start()
        if aim is not None and self._lies_in_wait(process, aim, before, self.lasted_s.get(worker, 4.0)):
            process.kill()
            process.join()
            if process.exitcode == -9:
                self.graves.bury(worker, aim)
                return None
            self.graves.n_missed += 1
        process.join()
        lasted_s = time.monotonic() - began_s
        self.lasted_s[worker] = min(LONG_S, (self.lasted_s.get(worker, lasted_s) + lasted_s) / 2)
        return process.exitcode

    def an_aim(self) -> str:
        """Draw what to aim at."""
        return self.rng.choice(AIMS)

    def _lies_in_wait(
        self, process: BaseProcess, aim: str, before: Mapping[str, int], lasts_s: float
    ) -> bool:
        """Wait for the instant to kill; tell whether it came before the program's end."""
        if aim == "anywhere":
            process.join(self.rng.uniform(0.0, lasts_s))
            return process.exitcode is None
        time.sleep(self.rng.uniform(0.0, 0.6) * lasts_s)
        before = _seen(self.graves.folder)
        deadline_s = time.monotonic() + PATIENCE_S
        while process.exitcode is None and time.monotonic() < deadline_s:
            if _has_come(self.graves.folder, aim, before):
                time.sleep(self.rng.choice((0.0, 0.001, 0.005, 0.02)))
                return True
            time.sleep(GLANCE_S)
        return False


def _seen(folder: Path) -> dict[str, int]:
    """Return when each folder of the lake was changed last: a file that comes or goes is a change."""
    found = {str(folder): 0}
    for table in os.scandir(folder) if folder.exists() else ():
        if table.is_dir():
            for inner in os.scandir(table.path):
                if inner.is_dir():
                    found[inner.path] = inner.stat().st_mtime_ns
            found[table.path] = table.stat().st_mtime_ns
    return found


def _has_come(folder: Path, aim: str, before: Mapping[str, int]) -> bool:
    """Tell whether a file of the wanted kind came since."""
    if aim == "catalog":
        return any(folder.glob(".warehouse.duckdb.*"))
    changed = {path for path, at_ns in _seen(folder).items() if before.get(path) != at_ns}
    is_log = aim == "log entry"
    return any(path.endswith("_delta_log") == is_log for path in changed)
