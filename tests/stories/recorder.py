"""A recorder that is killed at random instants, again and again, before an exchange with faults.

```
python -m tests.stories.recorder --kills 50
```

After every kill the next recorder finishes what the last one left. At the end: every frame that the disk had
before a kill is a row, what was lost after it lies in a declared gap, and wherever the lake says that it
knows a book, at every single event, the book is the sandbox's own. `--load` measures instead how many frames
a recorder takes.
"""

import argparse
import asyncio
import json
import multiprocessing
import random
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from pipelines.client import Client, Settings
from pipelines.ingest.frame_logs import Position, batches, cut, file_of
from pipelines.ingest.ws_wire import DELTA
from pipelines.recorder.recording import Pace, Recorder
from pipelines.recorder.shard import Habits
from pipelines.recorder.watching import Watch
from sandbox.fault_kinds import fault
from tests.client.keys import KEY_ID
from tests.recorder.rooms import QUICK, Room, SharedClock, a_room, until
from tests.recorder.truth import Verdict, judged
from warehouse import Lake
from warehouse.tables import BOOK_DELTAS, BOOK_GAPS

SPEED: Final = 600.0
WITHIN_US: Final = 15 * int(SPEED) * 1_000_000
MISFORTUNES: Final = (
    fault("ws_hole", route="orderbook_delta", chance=0.01),
    fault("ws_duplicate", route="orderbook_delta", chance=0.01),
    fault("ws_overflow", route="orderbook_delta", chance=0.002),
    fault("ws_disconnect", route="orderbook_delta", chance=0.001),
)


@dataclass(slots=True)
class Outcome:
    """What a story came to.

    Attributes:
        n_kills: recorders that were killed.
        n_torn: of them, those that left a batch half written.
        n_fsynced: deltas that the logs had at the kills and at the end.
        n_missing: of them, those that the lake lacks.
        n_undeclared: sessions of killed recorders without a gap from their last number on.
        verdict: every book of the lake, compared with the sandbox's.
    """

    n_kills: int = 0
    n_torn: int = 0
    n_fsynced: int = 0
    n_missing: int = 0
    n_undeclared: int = 0
    causes: dict[str, int] = field(default_factory=dict)
    verdict: Verdict = field(default_factory=Verdict)


def killed_again_and_again(folder: Path, n_kills: int, *, seed: int, longest_s: float = 1.5) -> Outcome:
    """Kill a recorder `n_kills` times at drawn instants, let the last one end in order, and look."""
    outcome, rng = Outcome(), random.Random(seed)
    nursery = _nursery()
    with a_room(*MISFORTUNES, seed=seed, speed=SPEED, hours=60) as room:
        watched: set[str] = set()
        for number in range(n_kills + 1):
            ready, told = nursery.Pipe(duplex=False)
            is_last, tickers = number == n_kills, room.active()
            watched.update(tickers)
            args = (_way_in(room), folder, tickers, 2.0 if is_last else None, told)
            child = nursery.Process(target=_child, args=args)
            child.start()
            ready.recv()
            if not is_last:
                time.sleep(rng.uniform(0, longest_s))
                child.kill()
                outcome.n_kills += 1
            child.join(60)
            assert child.exitcode == (0 if is_last else -9), child.exitcode
            if not is_last:
                outcome.n_torn += _is_torn(_logs(folder)[-1])
        lake = Lake(folder / "lake")
        _compare(lake, _logs(folder), outcome)
        outcome.verdict = judged(lake, room.world, sorted(watched), WITHIN_US)
    return outcome


def _nursery() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    # The last one sees to it that none of them has started threads, which a fork would not copy.
    homes = ["pipelines.recorder.recording", "tests.recorder.rooms", "tests.stories.week_nursery"]
    context.set_forkserver_preload(homes)
    return context


@dataclass(frozen=True, slots=True)
class _WayIn:
    """What a recorder in another process needs; the key was made for this run."""

    base_url: str
    private_key: str
    clock: SharedClock


def _way_in(room: Room) -> _WayIn:
    key = room.settings.private_key
    assert key is not None
    return _WayIn(room.settings.base_url, key.get_secret_value(), room.clock)


def _child(
    way_in: _WayIn, folder: Path, tickers: Sequence[str], for_s: float | None, told: Connection | None
) -> None:
    """Record; say so as soon as something is on disk."""
    settings = Settings(base_url=way_in.base_url, key_id=KEY_ID, private_key=SecretStr(way_in.private_key))
    before = set(folder.glob("frames/*/*.zst"))

    async def story() -> None:
        recorder = Recorder(
            client=Client(settings),
            lake=Lake(folder / "lake"),
            frames=folder / "frames",
            watch=Watch(tickers=tickers),
            pace=Pace(commit_s=0.2 if told else 5.0, for_s=for_s),
            habits=Habits(retry=QUICK, silence_s=2.0, now_ns=way_in.clock.now_ns),
            per_connection=max(len(tickers) // 3, 1),
        )
        async with recorder.client:
            running = asyncio.create_task(recorder.run(asyncio.Event()))
            if told is not None:
                await until(
                    lambda: (
                        running.done()
                        or (recorder.tally.n_snapshots > 0 and set(folder.glob("frames/*/*.zst")) > before)
                    )
                )
                told.send("recording")
            await running

    asyncio.run(story())


def _logs(folder: Path) -> list[Path]:
    return sorted(each for each in (folder / "frames").iterdir() if each.is_dir())


def _is_torn(log: Path) -> bool:
    """Tell whether a batch was half written: the file goes on behind the last one that is whole."""
    n_whole = max((batch.end for batch in batches(log)), default=Position())
    path = file_of(log, n_whole.file)
    return path.exists() and path.stat().st_size > n_whole.offset


def _compare(lake: Lake, logs: Sequence[Path], outcome: Outcome) -> None:
    stored = set(lake.scan(BOOK_DELTAS).select("session", "sid", "seq").collect().iter_rows())
    known = {(session.partition("#")[0], sid, seq) for session, sid, seq in stored}
    gaps = lake.scan(BOOK_GAPS).collect()
    outcome.causes = dict(gaps["cause"].value_counts().iter_rows())
    ended = {
        (gap["session"].partition("#")[0]) for gap in gaps.iter_rows(named=True) if gap["until_ts"] is None
    }
    for log in logs:
        assert cut(log) == 0, "the next recorder cuts what is torn"
        deltas: set[tuple[str, int, int]] = set()
        for batch in batches(log):
            for line in map(json.loads, batch.text.splitlines()):
                frame = line.get("frame", {})
                if frame.get("type") == DELTA:
                    deltas.add((line["conn"], frame["sid"], frame["seq"]))
        outcome.n_fsynced += len(deltas)
        outcome.n_missing += len(deltas - known)
        outcome.n_undeclared += len({conn for conn, _, _ in deltas} - ended)


def loaded(folder: Path, *, for_s: float, activity: float, speed: float) -> dict[str, Any]:
    """Record a busy world from a process of its own, and tell what it took."""
    nursery = _nursery()
    with a_room(speed=speed, activity=activity, hours=60) as room:
        hearing, telling = nursery.Pipe(duplex=False)
        args = (_way_in(room), folder, room.active(), for_s, telling)
        child = nursery.Process(target=_loaded, args=args)
        child.start()
        told: dict[str, Any] = hearing.recv()
        child.join(120)
    return told


def _loaded(way_in: _WayIn, folder: Path, tickers: Sequence[str], for_s: float, told: Connection) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF)
    _child(way_in, folder, tickers, for_s, None)
    after = resource.getrusage(resource.RUSAGE_SELF)
    lake, cpu_s = Lake(folder / "lake"), after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    (log,) = _logs(folder)
    n_lines = max(batch.end.n_lines for batch in batches(log))
    told.send(
        {
            "seconds": for_s,
            "frames": n_lines,
            "frames_per_s": round(n_lines / for_s),
            "deltas": lake.scan(BOOK_DELTAS).collect().height,
            "cpu_s": round(cpu_s, 1),
            "cpu_us_per_frame": round(cpu_s * 1e6 / n_lines),
            "peak_mb": round(after.ru_maxrss / 1024),
            "log_bytes_per_frame": round(sum(each.stat().st_size for each in log.glob("*.zst")) / n_lines, 1),
            "causes": dict(lake.scan(BOOK_GAPS).collect()["cause"].value_counts().iter_rows()),
        }
    )


def main() -> None:
    """Tell the story, or measure, and say what came of it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--load", type=float, default=0.0, metavar="SECONDS", help="measure for so long instead"
    )
    parser.add_argument("--activity", type=float, default=4.0)
    parser.add_argument("--speed", type=float, default=2_000.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="recorder-") as place:
        if given.load:
            told = loaded(Path(place), for_s=given.load, activity=given.activity, speed=given.speed)
            sys.stdout.write(json.dumps(told) + "\n")
            return
        outcome = killed_again_and_again(Path(place), given.kills, seed=given.seed)
        sys.stdout.write(json.dumps(asdict(outcome)) + "\n")
        is_good = not (outcome.n_missing or outcome.n_undeclared or outcome.verdict.wrong)
        sys.exit(0 if is_good else 1)


if __name__ == "__main__":
    main()
