"""A week of hourly syncs beside a backfill, with programs that are killed again and again, and many readers.

`python -m tests.stories.week [--markets N --trades N --hours N --kills N --seed S --folder DIR …]` plays the
whole week (some 25 minutes on two cores) and prints what became of it. In the end the lake must hold exactly
what the exchange says, and no reader may ever have seen anything else than a committed state.
"""

import argparse
import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final

from sandbox.bulk_plan import BulkSize
from tests.stories.week_exchange import serve, time_from
from tests.stories.week_kills import Graves, Killer, a_nursery
from tests.stories.week_readers import read_catalog, read_pinned
from tests.stories.week_truth import differences
from tests.stories.week_workers import DONE, WINDOWS_FAILED, backfill, command, hourly, reread
from warehouse import Lake
from warehouse.status import status

END_TS: Final = datetime(2026, 11, 9, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)
HOURS_A_DAY: Final = 24
LATEST: Final = timedelta(hours=24)  # no trade of this exchange shows later
PAST_THE_HOUR: Final = timedelta(minutes=7)
TRIES: Final = 10
ATTEMPTS: Final = 20  # to kill what may end too soon
PATIENCE_S: Final = 20.0
STOP: Final = "stop"
SAMPLED_SERIES: Final = "KXBULK0001"
BACKFILL_SHARE: Final = 30  # percent of the kills
UPKEEP_SHARE: Final = 20
UPKEEP: Final = {
    "compact": ["warehouse", "compact", "--today"],
    "vacuum": ["warehouse", "vacuum"],
    "publish": ["warehouse", "publish"],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """How much of everything the week has; `past_days` are what the backfill is for."""

    markets: int = 50_000
    combos: int = 10_000
    trades: int = 5_000_000
    hours: int = 168
    past_days: int = 30
    live_days: int = 10
    kills: int = 200
    seed: int = 7
    upkeep_every: int = 6
    readers: int = 2
    reader_pause_s: float = 0.3


@dataclass(slots=True)
class Outcome:
    """What became of the week."""

    script: Script
    wall_s: float = 0.0
    n_syncs: int = 0
    n_runs: int = 0
    unexpected: list[str] = field(default_factory=list)
    kills: dict[str, Any] = field(default_factory=dict)
    readers: list[dict[str, Any]] = field(default_factory=list)
    exchange: dict[str, Any] = field(default_factory=dict)
    lake: dict[str, str] = field(default_factory=dict)
    truth: dict[str, int] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)

    @property
    def n_reads(self) -> int:
        """How many questions readers asked."""
        return sum(each["n_reads"] for each in self.readers)

    @property
    def n_wrong(self) -> int:
        """How many answers were wrong, errors included."""
        return sum(each["n_wrong"] for each in self.readers)

    @property
    def is_good(self) -> bool:
        """Whether nothing went wrong."""
        return not (self.unexpected or self.differences or self.n_wrong)

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        counts = {"n_reads": self.n_reads, "n_wrong": self.n_wrong, "is_good": self.is_good}
        return asdict(self) | counts


class Week:
    """One week at work: the exchange, the readers, the programs and who kills them."""

    def __init__(self, script: Script, folder: Path) -> None:
        self.script = script
        self.folder = folder
        self.lake = folder / "lake"
        self.outcome = Outcome(script)
        self.graves = Graves(self.lake)
        self._start_ts = END_TS - script.hours * HOUR
        days = script.past_days + -(-script.hours // HOURS_A_DAY)
        self._past_ts = END_TS - timedelta(days=days)
        self._at = time_from(self._start_ts + PAST_THE_HOUR)
        self._nursery = a_nursery()
        self._killer = Killer(self._nursery, self.graves, Random(script.seed))
        self._pipe, there = self._nursery.Pipe()
        size = BulkSize(
            seed=script.seed,
            days=days,
            n_markets=script.markets,
            n_combos=script.combos,
            n_trades=script.trades,
        )
        asked = (there, size, END_TS, script.live_days, self._at, script.seed)
        self._exchange = self._nursery.Process(target=serve, args=asked, daemon=True)
        self._exchange.start()
        there.close()
        self._base_url: str = self._pipe.recv()

    def play(self) -> Outcome:
        """Play the week to its end and compare."""
        began_s, script = time.monotonic(), self.script
        readers = [self._reader(number) for number in range(script.readers)]
        backfilling = threading.Thread(target=self._backfill, name="backfill", daemon=True)
        backfilling.start()
        for hour in range(script.hours):
            self._move_to(self._start_ts + hour * HOUR + PAST_THE_HOUR)
            due = self._due(100 - BACKFILL_SHARE - UPKEEP_SHARE, (hour + 1) / script.hours)
            self._until_done(self._killer, "hourly", hourly, SAMPLED_SERIES, due=due)
            self.outcome.n_syncs += 1
            if (hour + 1) % script.upkeep_every == 0:
                self._keep_up(share=(hour + 1) / script.hours)
        backfilling.join()
        # Every trade shows a day after the last one; then the clock stands, and all must agree.
        self._move_to(END_TS + 24 * HOUR, is_running=False)
        due = script.kills - self.graves.n_kills
        self._until_done(self._killer, "reread", reread, END_TS - 2 * LATEST, END_TS, due=due)
        self._keep_up(share=1.0)
        (self.folder / STOP).touch()
        for reader, told in readers:
            reader.join()
            self.outcome.readers.append(json.loads(told.read_text()))
        self.outcome.truth = self._ask("truth", (self.folder / "truth", SAMPLED_SERIES))
        self.outcome.exchange = self._ask("seen")
        self.outcome.differences = differences(Lake(self.lake), self.folder / "truth")
        self.outcome.kills = self.graves.as_json()
        self.outcome.lake = {
            each["table"]: f"version {each['version']}, {each['n_rows']:,} rows, {each['n_files']} files"
            for each in status(Lake(self.lake))["tables"]
            if each["n_rows"]
        }
        self.outcome.wall_s = round(time.monotonic() - began_s, 1)
        return self.outcome

    def end(self) -> None:
        """End the exchange, and readers that are still there."""
        (self.folder / STOP).touch()
        self._pipe.close()
        self._exchange.join(PATIENCE_S)
        self._exchange.kill()

    def _reader(self, number: int) -> tuple[BaseProcess, Path]:
        script, told = self.script, self.folder / f"reader-{number}.json"
        target = (read_catalog, read_pinned)[number % 2]
        asked = (self.lake, self.folder / STOP, told, script.seed + number, script.reader_pause_s)
        reader = self._nursery.Process(target=target, args=asked, name=f"reader-{number}", daemon=True)
        reader.start()
        return reader, told

    def _backfill(self) -> None:
        """Fill the past, and kill who does it; from a thread of its own, beside everything else."""
        killer = Killer(self._nursery, self.graves, Random(self.script.seed + 1))
        span = (self._past_ts, self._start_ts)
        n_kills = self.script.kills * BACKFILL_SHARE // 100
        while self.graves.by_worker["backfill"] < n_kills:
            if killer.run("backfill", backfill, *self._where("backfill", *span), aim=killer.an_aim()) == 0:
                break
        self._until_done(killer, "backfill", backfill, *span)

    def _until_done(
        self,
        killer: Killer,
        worker: str,
        target: Callable[..., None],
        *arguments: object,
        due: int = 0,
    ) -> None:
        """Run a program until it says that it is done; before that see that it was killed `due` times."""
        while self.graves.by_worker[worker] < due:
            self._note(
                worker, killer.run(worker, target, *self._where(worker, *arguments), aim=killer.an_aim())
            )
        for _ in range(TRIES):
            code = killer.run(worker, target, *self._where(worker, *arguments))
            self._note(worker, code)
            if code != WINDOWS_FAILED:
                return
        self.outcome.unexpected.append(f"{worker}: windows failed {TRIES} times in a row")

    def _keep_up(self, *, share: float) -> None:
        """Compact, vacuum and publish; kill all three now and then."""
        lake = ["--lake", str(self.lake)]
        self.graves.decay()
        for name, arguments in UPKEEP.items():
            asked = (name, command, [*arguments, *lake], self._log(name))
            due = self._due(UPKEEP_SHARE // len(UPKEEP), share)
            for _ in range(ATTEMPTS * (due - self.graves.by_worker[name])):
                if self.graves.by_worker[name] < due:
                    self._note(name, self._killer.run(*asked, aim=self._killer.an_aim()))
            self._note(name, self._killer.run(*asked))

    def _due(self, percent: int, share: float) -> int:
        return round(self.script.kills * percent / 100 * share)

    def _note(self, worker: str, code: int | None) -> None:
        """Keep what nobody expects: an end other than done, with failed windows, or killed."""
        self.outcome.n_runs += 1
        if code not in (None, DONE, WINDOWS_FAILED):
            said = self._log(worker).read_text().strip().splitlines()[-12:]
            self.outcome.unexpected.append(f"{worker} ended with {code}: " + "\n".join(said))

    def _where(self, worker: str, *arguments: object) -> tuple[object, ...]:
        return (self._base_url, self.lake, self._at, self._log(worker), *arguments)

    def _log(self, worker: str) -> Path:
        return self.folder / f"{worker}.log"

    def _move_to(self, at_ts: datetime, *, is_running: bool = True) -> None:
        """Let it be that time, unless it is later already."""
        if at_ts > self._at.now_ts():
            self._at = time_from(at_ts, is_running=is_running)
            self._ask("time", self._at)

    def _ask(self, question: str, argument: object = None) -> Any:  # noqa: ANN401 - what the question is for
        self._pipe.send((question, argument))
        return self._pipe.recv()


def play(script: Script, folder: Path) -> Outcome:
    """Play a week in a folder that exists and is empty."""
    week = Week(script, folder)
    try:
        return week.play()
    finally:
        week.end()


def main(arguments: Sequence[str]) -> int:
    """Play a week of the size asked for and print what became of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.stories.week", description=__doc__)
    for each in fields(Script):
        name = f"--{each.name.replace('_', '-')}"
        parser.add_argument(name, type=type(each.default), default=each.default, dest=each.name)
    parser.add_argument("--folder", type=Path, help="an empty folder to leave lake, logs and truth in")
    given = vars(parser.parse_args(arguments))
    folder = given.pop("folder")
    with TemporaryDirectory(prefix="week-") as temporary:
        outcome = play(Script(**given), folder or Path(temporary))
    sys.stdout.write(json.dumps(outcome.as_json(), indent=2, default=str) + "\n")
    return int(not outcome.is_good)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
