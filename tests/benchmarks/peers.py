"""One strategy on one tape in other engines, in polars alone and in ours, CPU per event.

An event is one trade under one of 100 combinations of threshold and size; tests/benchmarks/peer_job.py tells
the strategy. It fills at the price of the trade, as the other engines do; Kalshi's fee and the settlement are
in all of them. Other engines run in environments of their own, made when first asked for (tests/foreign/pins;
one that cannot be installed is left out), each in its quickest documented way (told at the top of
tests/benchmarks/peer_….py), and each on as many markets as it gets through in about a minute. Their data are
in memory in their own form before the clock starts; nobody's compiling is counted. Ours and polars begin at
Parquet and end with frames: ours with all that a run has (one purse, orders, equity, manifest). Both take
thresholds from the loosest to the tightest and look at what the one before has left: ours by `bt.where`,
polars in a loop by hand. The kernel goes from order to order and does not look at the trades between. On the
whole tape the least of three times counts, of ours as of polars: the first pays for memory that the system
has yet to give, and the other engines go over theirs a hundred times in one. Before anything is compared,
every fill (market, time, side, price, contracts, fee) and every profit is found equal,
to the cent.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from backtest.results import Run
from tests.benchmarks import peer_ways, stages
from tests.benchmarks.figures import Figure, number, timed
from tests.benchmarks.peer_job import N_COMBINATIONS, save_markets
from tests.benchmarks.peer_tape import Outcome, Tape, lake_of, made_up_tape, outcome_of
from tests.foreign.clients import ROOT, CannotMake, Foreign
from tests.foreign.engines import BACKTESTING, NAUTILUS, VECTORBT
from warehouse import Lake
from warehouse.tables import QUOTES

N_TRADES: Final = 5_000_000
LIMIT_S: Final = 900
POLARS_GOAL: Final = 5
SWEEP_GOAL_S: Final = 0.5
_N_SUMS: Final = 20
_N_TURNS: Final = 3
_TO_FRAMES: Final = "Parquet to summary, fills and settlements"
_DIP_BYTES: Final = 4  # what each combination has to see of each trade


@dataclass(frozen=True, slots=True)
class Peer:
    """An engine, which markets it is given (ranks by trades), and the goal: its CPU over ours."""

    engine: Foreign
    ranks: slice
    goal: int

    @property
    def program(self) -> str:
        """The module that its interpreter runs."""
        return f"tests.benchmarks.peer_{self.engine.name.partition('_')[0]}"


PEERS: Final = (
    Peer(VECTORBT, slice(20, 131), 100),
    Peer(BACKTESTING, slice(125, 131), 1_000),
    Peer(NAUTILUS, slice(129, 131), 2_000),
)


@dataclass(frozen=True, slots=True)
class Ours:
    """What our run of a tape came to, and its CPU by event."""

    outcome: Outcome
    event_ns: float


def figures(work: Path) -> Iterator[Figure]:
    """Yield ours and polars on the whole tape, the limits of the machine, then every other engine."""
    tape = made_up_tape(N_TRADES)
    lake = lake_of(tape, work / "peers" / "all")
    peer_ways.ours(lake_of(tape.of(_tickers(tape)[20:21]), work / "peers" / "one"))  # numba compiles
    ours = yield from _whole_tape(lake, tape)
    yield from _limits(lake, tape, ours)
    for peer in PEERS:
        yield from _beside(peer, tape, ours, work / "peers")


def _tickers(tape: Tape) -> list[str]:
    return tape.settled["ticker"].to_list()


def _n_events(tape: Tape) -> int:
    return tape.trades.height * N_COMBINATIONS


def _told(tape: Tape) -> str:
    return f"{tape.trades.height:,} trades of {tape.settled.height:,} markets x {N_COMBINATIONS}"


def _run(lake: Lake, tape: Tape, *, n_times: int = 1) -> Ours:
    took = timed(lambda: _with_frames(peer_ways.ours(lake)), n_times=n_times)
    return Ours(peer_ways.outcome_of_ours(took.result), took.cpu_s / _n_events(tape) * 1e9)


def _with_frames(run: Run) -> Run:
    """Have the frames made that others give: they are made when they are asked for."""
    assert run.summary.height == N_COMBINATIONS
    assert run.fills.height == run.summary["n_fills"].sum()
    assert run.settlements.height == run.summary["n_settled"].sum()
    return run


def _whole_tape(lake: Lake, tape: Tape) -> Generator[Figure, None, Ours]:
    """Yield what the whole tape costs us and polars, and return ours."""
    ours = _run(lake, tape, n_times=_N_TURNS)
    alone = timed(lambda: peer_ways.polars_alone(lake), n_times=_N_TURNS)
    assert ours.outcome.equals(alone.result), "polars alone finds other fills or profits"
    on, n_events = f"{_told(tape)}, {ours.outcome.fills.height:,} fills", _n_events(tape)
    summed = timed(lambda: peer_ways.ours(lake).summary, n_times=_N_TURNS)
    yield Figure(what="bt.run, CPU", value=ours.event_ns, unit="ns/event", work=f"{on}, {_TO_FRAMES}")
    yield Figure(
        what="... to the summary alone",
        value=summed.cpu_s / n_events * 1e9,
        unit="ns/event",
        work="other frames are made when they are asked for",
    )
    yield Figure(
        what="... on the wall clock", value=summed.wall_s, unit="s", work="the same", at_most=SWEEP_GOAL_S
    )
    yield from _parts(lake, tape)
    alone_ns = alone.cpu_s / n_events * 1e9
    yield Figure(what="polars alone, CPU", value=alone_ns, unit="ns/event", work=f"{on}, Parquet to frames")
    yield Figure(
        what="... over bt.run",
        value=alone_ns / ours.event_ns,
        unit="times",
        work="neither purse nor orders nor equity; below 1, polars is quicker",
        at_least=POLARS_GOAL,
    )
    return ours


def _parts(lake: Lake, tape: Tape) -> Iterator[Figure]:
    """Yield the parts of a run, each done on its own."""
    signals = timed(lambda: peer_ways.signals(lake))
    taken = stages.scenes(
        lake,
        peer_ways.plan(signals.result),
        peer_ways.PARAMS.to_dicts(),
        set(_tickers(tape)),
        fills=peer_ways.FILLS_AT,
        latency=peer_ways.LATENCY,
    )
    began_s = time.process_time()
    kernel_s = sum(_simulated_s(each) for each in taken)
    plan_s = time.process_time() - began_s - kernel_s
    for what, cpu_s, work in (
        ("... signals", signals.cpu_s, "Lake.quotes and the user's expressions, once"),
        ("... tape and plan", plan_s, "what orders meet, once; the plan, and orders as arrays, 100 times"),
        ("... kernel", kernel_s, "from orders to fills, equity and purse, in arrays"),
    ):
        yield Figure(what=what, value=cpu_s / _n_events(tape) * 1e9, unit="ns/event", work=work)


def _simulated_s(scene: stages.Scene) -> float:
    world, began_s = scene.world(), time.process_time()
    stages.run(world)
    return time.process_time() - began_s


def _limits(lake: Lake, tape: Tape, ours: Ours) -> Iterator[Figure]:
    """Yield what the machine allows: memory read once per combination, and Parquet decoded once."""
    times = tape.trades["at_us"].to_numpy()
    bytes_per_ns = times.nbytes / timed(lambda: int(times.sum()), n_times=_N_SUMS).cpu_s / 1e9
    columns = lake.scan(QUOTES).select("ticker", "event_ts", "bid_cc", "ask_cc")
    decode = timed(columns.collect, n_times=3)
    decode_ns = decode.cpu_s / tape.trades.height * 1e9
    summed = f"numpy's sum of {times.nbytes / 1e6:.0f} MB of times"
    yield Figure(what="limit: memory", value=bytes_per_ns, unit="GB/s", work=summed)
    decoded = "Parquet to market, time, bid and ask; CPU"
    yield Figure(what="limit: decode", value=decode_ns, unit="ns/trade", work=decoded)
    limit_ns = _DIP_BYTES / bytes_per_ns + decode_ns / N_COMBINATIONS
    yield Figure(
        what="bt.run over both limits",
        value=ours.event_ns / limit_ns,
        unit="times",
        work=f"{_DIP_BYTES} bytes of memory per event and decoding once: {number(limit_ns)} ns/event",
    )


def _beside(peer: Peer, tape: Tape, whole: Ours, work: Path) -> Iterator[Figure]:
    """Yield one engine's figures on its markets, beside ours on the same ones."""
    engine = peer.engine
    some = tape.of(_tickers(tape)[peer.ranks])
    try:
        engine.make()
    except CannotMake as error:
        sys.stderr.write(f"{engine.name} {engine.version} is left out: {error}\n")
        return
    ours = _run(lake_of(some, work / engine.name), some)
    found, cpu_s = _theirs(peer, some, work)
    assert found.equals(ours.outcome), f"{engine.name} finds other fills or profits"
    on = f"{_told(some)}, {found.fills.height:,} fills"
    event_ns = cpu_s / _n_events(some) * 1e9
    yield Figure(what=f"{engine.name} {engine.version}, CPU", value=event_ns, unit="ns/event", work=on)
    like = f"bt.run, {_TO_FRAMES}"
    yield Figure(what="... ours on the same", value=ours.event_ns, unit="ns/event", work=like)
    yield Figure(
        what="... over ours on the same",
        value=event_ns / ours.event_ns,
        unit="times",
        work="all equal; what a run of ours costs once weighs more here than on the whole tape",
    )
    yield Figure(
        what="... over ours on the whole tape",
        value=event_ns / whole.event_ns,
        unit="times",
        work="per event",
        at_least=peer.goal,
    )


def _theirs(peer: Peer, tape: Tape, work: Path) -> tuple[Outcome, float]:
    """Run an engine in its own environment; return what it found and the CPU it says that it took."""
    given = tape.markets()
    folder, out = work / f"{peer.engine.name}-markets", work / f"{peer.engine.name}.npz"
    save_markets([market for market, _ in given.values()], folder)
    done = subprocess.run(
        [peer.engine.python, "-m", peer.program, str(folder), str(out)],
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        timeout=LIMIT_S,
    )
    found = np.load(out)
    times = [at_us for _, at_us in given.values()]
    outcome = outcome_of(list(given), times, found["fills"], found["profit_cents"])
    return outcome, float(json.loads(done.stdout)["cpu_s"])
