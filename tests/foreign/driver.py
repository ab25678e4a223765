"""Runs a story in its own interpreter against a sandbox of its own, and holds each step against the truth."""

import json
import subprocess
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from threading import Timer
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from exchange.trades import Side, Trade
from exchange.units import to_us
from sandbox.clock import Stepped
from sandbox.floor import Listener
from sandbox.matching import Fill
from sandbox.serve import Running, running
from sandbox.world import DEFAULT_END_TS, World
from tests.foreign.clients import ROOT, Foreign
from tests.foreign.telling import Place
from tests.foreign.truth import READ, Truth

LIMIT_S: Final = 60.0
KEY_ID: Final = "a-foreign-key"
BEFORE: Final = timedelta(hours=6)
STEP: Final = timedelta(minutes=10)
ENOUGH: Final = {"deltas": 40, "trades": 2}
PrivateKey = rsa.RSAPrivateKey | Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class Checked:
    """One step of a story: what was true, what the client said, and why it said nothing if it failed."""

    step: str
    true: object
    said: object
    failed: str = ""

    @property
    def agrees(self) -> bool:
        """Whether the client said what is true."""
        return not self.failed and self.said == self.true

    @property
    def size(self) -> int:
        """How many rows, or facts, were held against the truth."""
        return len(self.true) if isinstance(self.true, list | dict) else 1

    @property
    def differs(self) -> str:
        """In one line, where the two part."""
        if self.agrees or self.failed:
            return self.failed
        if isinstance(self.true, list) and isinstance(self.said, list):
            said, true = Counter(map(repr, self.said)), Counter(map(repr, self.true))
            more, fewer = list((said - true).elements()), list((true - said).elements())
            return f"{len(more)} rows are not so, as {more[:2]}; {len(fewer)} are not told, as {fewer[:2]}"
        return f"said {self.said}, true is {self.true}"


class _Counted(Listener):
    """How often one market's book changed, and how often it traded."""

    def __init__(self, ticker: str) -> None:
        self.ticker = ticker
        self.n: Counter[str] = Counter(deltas=0, trades=0)

    def book_changed(
        self, ticker: str, time_us: int, side: Side, price_cc: int, delta_centi: int, order_id: int
    ) -> None:
        del time_us, side, price_cc, delta_centi, order_id
        self.n["deltas"] += ticker == self.ticker

    def traded(self, trade: Trade, fill: Fill) -> None:
        del fill
        self.n["trades"] += trade.ticker == self.ticker


def new_key(kind: str) -> PrivateKey:
    """Return a new private key, "RSA" or "Ed25519"."""
    if kind == "Ed25519":
        return Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def run_story(client: Foreign, kind: str) -> list[Checked]:
    """Serve a world in which everything odd happens, run the client's story in it, and check each step.

    The world stands while the story looks and trades, so truth is exact; it moves while the story streams.
    """
    key = new_key(kind)
    clock = Stepped(to_us(DEFAULT_END_TS - BEFORE))
    world = World(7, activity=0.25, clock=clock, oddities=True, combos=30)
    quiet, busy = _markets(world)
    with (
        running(world, tier="prestige", keys={KEY_ID: key.public_key()}) as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        pem = Path(folder) / "key.pem"
        pem.touch(mode=0o600)
        pem.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        ws_url = f"ws://127.0.0.1:{server.port}/trade-api/ws/v2"
        place = Place(server.base_url, ws_url, KEY_ID, str(pem), quiet, busy)
        return _checked(client, place, Truth(world, server, KEY_ID, quiet, busy), clock)


def _checked(client: Foreign, place: Place, truth: Truth, clock: Stepped) -> list[Checked]:
    true = truth.at_first() | ({"refuses": list(client.refuses)} if client.refuses else {})
    told: dict[str, dict[str, Any]] = {}
    command = [str(client.python), "-m", client.story, json.dumps(asdict(place))]
    with subprocess.Popen(
        command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        watchdog = Timer(LIMIT_S, process.kill)
        watchdog.start()
        try:
            for line in process.stdout:
                said = json.loads(line)
                if "waits" not in said:
                    told[said["step"]] = said
                    continue
                true |= truth.after_trading()
                made = _move(truth, clock)
                true |= truth.at_last(made)
                with suppress(BrokenPipeError):
                    process.stdin.write(json.dumps(made) + "\n")
                    process.stdin.flush()
        finally:
            watchdog.cancel()
    if not client.is_streaming or "stream" not in true:
        true |= truth.after_trading() | ({"stream": None} if client.is_streaming else {})
    return [check(step, value, told.get(step)) for step, value in true.items()]


def check(step: str, true: object, told: dict[str, Any] | None) -> Checked:
    """Hold what a step told, if it told anything, against the truth."""
    if told is None:
        return Checked(
            step, true, None, f"the story ended before this step, or was ended after {LIMIT_S:.0f} s"
        )
    if "failed" in told:
        return Checked(step, true, None, told["failed"])
    try:
        return Checked(step, true, READ[step](told["saw"]))
    except (ArithmeticError, AssertionError, LookupError, TypeError, ValueError) as error:
        return Checked(step, true, None, f"cannot be read: {type(error).__name__}: {error}")


def _markets(world: World) -> tuple[str, str]:
    """Return a market with offers on both sides to trade in, and the one traded most to stream."""
    active = [
        each
        for each in world.markets()
        if each.status == "active"
        and each.yes_bid_cc > 0
        and each.yes_ask_cc < 9_000
        and "ODD" not in each.ticker
    ]
    by_volume = sorted(active, key=lambda each: each.volume_24h_centi)
    return by_volume[-2].ticker, by_volume[-1].ticker


def _move(truth: Truth, clock: Stepped) -> dict[str, int]:
    """Let the world live until enough has happened to the streamed book; return how much that was."""
    counted = _Counted(truth.busy)
    floor = truth.server.state.floor
    floor.listen(counted)
    for _ in range(BEFORE // STEP - 1):
        clock.advance(STEP)
        _wait_for(truth.server, clock)
        if all(counted.n[each] >= n for each, n in ENOUGH.items()):
            break
    floor.unlisten(counted)
    return dict(counted.n)


def _wait_for(server: Running, clock: Stepped) -> None:
    """Wait until the server's own loop has brought the floor up to the clock."""
    deadline_s = time.monotonic() + LIMIT_S
    while server.state.floor.now_us < clock.now_us():
        assert time.monotonic() < deadline_s, "the floor does not move: nobody listens any more"
        time.sleep(0.005)
