"""A flood is recorded for minutes, with every misfortune, and then held against what really happened.

```
python -m tests.stories.flood --markets 200 --minutes 10 --rate 5000 --seed 7
```

Three programs: the sandbox's flood, `tapehouse books record`, and this one, which reads what CPU and memory
the two took, and judges. A book that the exchange did not have, or an instant inside a hole that no declared
gap covers, ends it with exit code 1.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from tests.client.keys import KEY_ID, key_file, pem, public_pem
from tests.stories.flood_judge import Verdict, judged
from tests.stories.flood_papers import Papers, read_papers
from warehouse import Lake
from warehouse.tables import BOOK_DELTAS, BOOK_GAPS

ROOT: Final = Path(__file__).resolve().parents[2]
N_LINES: Final = 4
MISFORTUNES: Final = {"ws_hole": 60, "ws_duplicate": 60, "ws_stall": 8, "ws_disconnect": 8, "ws_overflow": 8}
"""How many of each are expected in ten minutes; shorter runs have their share, at least four."""

STALLS: Final = (0.4, 1.7)
"""How long silences are, in those that the recorder bears: one is too long for it."""

TOLD: Final = ("n_holes", "n_repeats", "n_ended", "n_stalls", "n_disconnects")
STOP_S: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How the story is told."""

    markets: int = 200
    seconds: float = 600.0
    rate: int = 5_000
    seed: int = 7
    pairs: int = 10_000
    commit_s: int = 10
    silence_s: int = 6
    within_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What a program took: CPU seconds of all its threads, and the most memory it ever had."""

    cpu_s: float
    peak_mb: int


def told(folder: Path, terms: Terms) -> tuple[dict[str, Any], Verdict]:
    """Let it happen in a new folder, and return what is to be said of it."""
    _prepare(folder, terms)
    server = _started(folder, "flood", *_flood(folder, terms))
    try:
        assert server.stdout is not None
        base_url = json.loads(server.stdout.readline())["base_url"]
        recorder = _started(folder, "recorder", *_record(folder, terms), KALSHI_BASE_URL=base_url)
        recorded = _ended(recorder, terms.seconds + STOP_S * 10)
    finally:
        server.send_signal(signal.SIGINT)
        served = _ended(server, STOP_S)
    lake, papers = Lake(folder / "lake"), read_papers(folder / "truth")
    verdict = judged(lake, papers, n_pairs=terms.pairs, seed=terms.seed, within_us=int(terms.within_s * 1e6))
    return _summary(folder, lake, papers, verdict, recorded, served, terms), verdict


def _prepare(folder: Path, terms: Terms) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    private = pem("ed25519")
    key_file(folder, private)
    (folder / "kalshi.pub").write_text(public_pem(private))
    n_frames, share = terms.rate * terms.seconds, terms.seconds / 600
    lines = [f"seed = {terms.seed}", 'route = "orderbook_delta"']
    for kind, n_expected in MISFORTUNES.items():
        stalls = STALLS if kind == "ws_stall" else (0.0,)
        for times in stalls:
            chance = max(n_expected * share / len(stalls), 4) / n_frames
            lines += ["[[fault]]", f'kind = "{kind}"', f"chance = {chance:.9f}"]
            lines += [f"for_s = {times * terms.silence_s}"] if times else []
    (folder / "faults.toml").write_text("\n".join(lines) + "\n")


def _flood(folder: Path, terms: Terms) -> list[str]:
    return [
        *("sandbox", "flood", "--json", f"--rate={terms.rate}", f"--markets={terms.markets}"),
        *(f"--seed={terms.seed}", f"--key={KEY_ID}={folder / 'kalshi.pub'}"),
        *(f"--faults={folder / 'faults.toml'}", f"--truth={folder / 'truth'}"),
    ]


def _record(folder: Path, terms: Terms) -> list[str]:
    return [
        *("books", "record", "--json", "--series=KXFLOOD", f"--lake={folder / 'lake'}"),
        *(f"--per-connection={-(-terms.markets // N_LINES)}", f"--for={terms.seconds:.0f}s"),
        *(f"--every={terms.commit_s}s", f"--silence={terms.silence_s}s"),
    ]


def _started(folder: Path, name: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    clean = {
        each: value for each, value in os.environ.items() if not each.startswith(("KALSHI_", "TAPEHOUSE_"))
    }
    key = {"KALSHI_KEY_ID": KEY_ID, "KALSHI_PRIVATE_KEY_PATH": str(folder / "kalshi.pem")}
    with (folder / f"{name}.log").open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "tapehouse", *arguments],
            cwd=ROOT,
            env=clean | key | environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )


def _ended(program: subprocess.Popen[str], within_s: float) -> tuple[str, Cost]:
    """Wait for a program, and return what it said on stdout and what it took."""
    deadline_s = time.monotonic() + within_s
    while True:
        pid, status, usage = os.wait4(program.pid, os.WNOHANG)
        if pid:
            break
        if time.monotonic() > deadline_s:
            program.kill()
        time.sleep(0.1)
    program.returncode = os.waitstatus_to_exitcode(status)
    assert program.returncode == 0, f"{program.args!r}: exit code {program.returncode}"
    assert program.stdout is not None
    said = program.stdout.read()
    program.stdout.close()
    return said, Cost(round(usage.ru_utime + usage.ru_stime, 1), round(usage.ru_maxrss / 1024))


def _summary(
    folder: Path,
    lake: Lake,
    papers: Papers,
    verdict: Verdict,
    recorded: tuple[str, Cost],
    served: tuple[str, Cost],
    terms: Terms,
) -> dict[str, Any]:
    said, cost = recorded
    tally = json.loads(said)
    n_deltas = lake.scan(BOOK_DELTAS).select(pl.len()).collect().item()
    gaps = lake.scan(BOOK_GAPS).select("session", "sid", "cause", "from_seq").collect()
    log = (
        sum(path.stat().st_size for path in folder.glob("frames/*/*.zst"))
        if (folder / "frames").exists()
        else 0
    )
    log = log or sum(path.stat().st_size for path in folder.glob("lake/frames/*/*.zst"))
    late = verdict.late_ms
    return {
        "terms": asdict(terms),
        "flood": {
            "changes": papers.changes.height,
            "changes_per_s": round(papers.changes.height / terms.seconds),
            "befell": {kind: papers.count(kind) for kind in MISFORTUNES},
            **asdict(served[1]),
        },
        "recorder": {
            "frames": tally["n_frames"],
            "deltas_in_lake": n_deltas,
            "cpu_share": round(cost.cpu_s / terms.seconds, 3),
            "cpu_us_per_frame": round(cost.cpu_s * 1e6 / max(tally["n_frames"], 1), 1),
            "log_bytes_per_frame": round(log / max(tally["n_frames"], 1), 1),
            "told": {
                name: tally[name] for name in ("n_holes", "n_repeats", "n_ended", "n_stalls", "n_disconnects")
            },
            "gaps": dict(sorted(gaps["cause"].value_counts().iter_rows())),
            **asdict(cost),
        },
        "verdict": {
            "pairs": verdict.n_pairs,
            "known": verdict.n_known,
            "wrong": len(verdict.wrong),
            "apart": len(verdict.apart),
            "late_ms": {share: late[int(share * (len(late) - 1))] for share in (0.5, 0.99, 1.0)}
            if late
            else {},
            "holes": verdict.n_holes,
            "instants_in_holes": verdict.n_in_holes,
            "silent": len(verdict.silent),
            "first": [*verdict.wrong[:3], *verdict.apart[:3], *verdict.silent[:3]],
        },
    }


@contextmanager
def _place(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="flood-") as place:
        yield Path(place)


def main() -> None:
    """Tell the story and say what came of it as JSON."""
    terms, parser = (
        Terms(),
        argparse.ArgumentParser(description="Record a flood, and judge what was recorded."),
    )
    parser.add_argument("--markets", type=int, default=terms.markets)
    parser.add_argument("--minutes", type=float, default=terms.seconds / 60)
    parser.add_argument("--rate", type=int, default=terms.rate)
    parser.add_argument("--seed", type=int, default=terms.seed)
    parser.add_argument("--pairs", type=int, default=terms.pairs)
    parser.add_argument("--commit", type=int, default=terms.commit_s, help="seconds between commits")
    parser.add_argument("--silence", type=int, default=terms.silence_s, help="the recorder's --silence")
    parser.add_argument(
        "--within", type=float, default=terms.within_s, help="seconds that a frame may take until it is known"
    )
    parser.add_argument("--keep", type=Path, help="a new folder to leave everything in")
    given = parser.parse_args()
    terms = Terms(
        markets=given.markets,
        seconds=given.minutes * 60,
        rate=given.rate,
        seed=given.seed,
        pairs=given.pairs,
        commit_s=given.commit,
        silence_s=given.silence,
        within_s=given.within,
    )
    with _place(given.keep) as folder:
        summary, verdict = told(folder, terms)
    sys.stdout.write(json.dumps(summary, indent=1) + "\n")
    sys.exit(0 if verdict.is_good else 1)


if __name__ == "__main__":
    main()
