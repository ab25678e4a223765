"""Failures that last: a clear error each, the window marked failed, the rest done, all of it resumable."""

import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from polars.testing import assert_frame_equal

from pipelines.client.breaker import FAILURES_TO_OPEN
from pipelines.client.retry import MAX_TRIES
from sandbox import Faults, Running, fault, running
from sandbox.fault_kinds import Fault
from tests.client.keys import KEY_ID, NEXT_ID, pem, public_pem
from tests.stories.commands import say
from tests.stories.storm import END_TS, a_client, a_world, n_traded, pulled, rows
from warehouse import Lake
from warehouse.tables import WINDOWS

pytestmark = pytest.mark.slow

DAYS: Final = 6
START_TS: Final = (END_TS - timedelta(days=5)).replace(hour=0, minute=0)
SPAN: Final = ("--start", START_TS.isoformat(), "--end", END_TS.isoformat())
CUT: Final = ("--every", "1d", "--page-size", "100")
N_WINDOWS: Final = 6
N_FAILED: Final = 2  # the day before the border, and the one that begins at it: it asks both tiers
ARCHIVE: Final = "/historical/trades"


@dataclass(frozen=True, slots=True)
class Ended:
    """How `tapehouse sync trades --json` ended: its code, what it printed, the errors it told."""

    code: int
    told: dict[str, Any]
    errors: list[str]

    @property
    def n_sent(self) -> int:
        """Requests that were sent, every try counted."""
        n_sent: int = self.told["client"]["n_requests"]
        return n_sent


Command = Callable[..., Ended]


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lake, Running]]:
    """A calm exchange, which also is the one that failures end with, and its tape."""
    lake = Lake(tmp_path_factory.mktemp("calm") / "lake")
    keys = {KEY_ID: public_pem(pem("rsa")), NEXT_ID: public_pem(pem("ed25519"))}
    with running(a_world(DAYS, 0.2), tier="prestige", keys=keys) as server:
        assert not pulled(server.base_url, lake, start=START_TS, end=END_TS).failed
        yield lake, server
    assert rows(lake).height == n_traded(a_world(DAYS, 0.2), START_TS, END_TS)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """`tapehouse sync trades` into one lake, with pauses cut short; `hook` hears of every window begun."""
    monkeypatch.setenv("TAPEHOUSE_LAKE", str(tmp_path / "lake"))

    def run(base_url: str, hook: Callable[[int], object] = lambda _done: None) -> Ended:
        def progress(stage: str, done: int, total: int | None) -> None:
            del stage, total
            hook(done)

        monkeypatch.setattr("pipelines.ingest.cli.Client", lambda: a_client(base_url))
        monkeypatch.setattr("pipelines.ingest.cli.terminal_progress", lambda: nullcontext(progress))
        said = say(capsys, "sync", "trades", *SPAN, *CUT, "--json")
        errors = [line for line in said.err.splitlines() if line.startswith(("failed: ", "error: "))]
        assert "Traceback" not in said.err
        return Ended(said.code, json.loads(said.out) if said.out else {}, errors)

    return run


def the_lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def reasons(lake: Lake) -> list[str | None]:
    """What the ledger says last of every window in turn: None where it is complete."""
    last = lake.scan(WINDOWS).sort("asked_ts").group_by("start_ts").last().sort("start_ts").collect()
    return [
        reason if status == "failed" else None
        for status, reason in last.select("status", "reason").iter_rows()
    ]


def resumed(command: Command, calm: tuple[Lake, Running], tmp_path: Path, *, n_left: int) -> None:
    """The same command, now that the fault has ended: it pulls what is left, and the tape is the calm one."""
    lake, server = calm
    ended = command(server.base_url)
    assert (ended.code, len(ended.told["receipts"]), ended.errors) == (0, n_left, [])
    assert_frame_equal(rows(the_lake(tmp_path)), rows(lake))
    assert reasons(the_lake(tmp_path)) == [None] * N_WINDOWS
    assert command(server.base_url).told["receipts"] == []


@pytest.mark.parametrize(
    ("made", "sends_each", "said"),
    [
        (fault("error", status=500, route=ARCHIVE), MAX_TRIES, "500 after 6 tries"),
        *(
            pytest.param(*each, marks=pytest.mark.long)
            for each in (
                (fault("truncate", length="right", route=ARCHIVE), MAX_TRIES, "after 6 tries (BrokenBody"),
                (fault("too_many", route=ARCHIVE), MAX_TRIES, "429 after 6 tries"),
                (fault("html", status=200, route=ARCHIVE), MAX_TRIES, "after 6 tries (BrokenBody"),
                (fault("reset", when="during", route=ARCHIVE), MAX_TRIES, "after 6 tries (Re"),
            )
        ),
        (fault("repeat_cursor", route=ARCHIVE), 1, "page 2 ends with a cursor that came before"),
    ],
    ids=lambda one: one.kind if isinstance(one, Fault) else "",
)
def test_a_route_that_always_fails_costs_the_windows_that_need_it(
    calm: tuple[Lake, Running],
    command: Command,
    tmp_path: Path,
    made: Fault,
    sends_each: int,
    said: str,
) -> None:
    """The archive's windows fail after six tries each, the live ones are pulled; later the rest follows."""
    with running(a_world(DAYS, 0.2), tier="prestige", faults=Faults((made,))) as server:
        ended = command(server.base_url)
        assert server.faults.injected[made.kind] == N_FAILED * sends_each
    assert (ended.code, len(ended.errors)) == (1, N_FAILED)
    assert all(said in line for line in ended.errors), ended.errors
    told = reasons(the_lake(tmp_path))
    assert all(said in str(each) for each in told[:N_FAILED])
    assert told[N_FAILED:] == [None] * (N_WINDOWS - N_FAILED)
    resumed(command, calm, tmp_path, n_left=N_FAILED)


def test_an_exchange_that_only_says_500_is_left_alone_soon(
    calm: tuple[Lake, Running], command: Command, tmp_path: Path
) -> None:
    """Five requests of six tries open the breaker; the windows after it say so, and cost nothing."""
    everything = Faults((fault("error", status=500),))
    with running(a_world(DAYS, 0.2), tier="prestige", faults=everything) as server:
        ended = command(server.base_url)
        assert server.faults.injected["error"] == ended.n_sent == FAILURES_TO_OPEN * MAX_TRIES
    assert (ended.code, len(ended.errors)) == (1, N_WINDOWS)
    told = [str(each) for each in reasons(the_lake(tmp_path))]
    assert ["500 after 6 tries" in each for each in told] == [True] * 4 + [False] * 2
    assert all(
        "failed 5 requests in a row (last: 500); the next probe goes out in" in each for each in told[4:]
    )
    resumed(command, calm, tmp_path, n_left=N_WINDOWS)


def test_a_host_that_goes_in_the_middle_of_a_pull(
    calm: tuple[Lake, Running], command: Command, tmp_path: Path
) -> None:
    """Stopped before the second window: one is in, the others say that nobody answered."""
    with running(a_world(DAYS, 0.2), tier="prestige") as server:
        ended = command(server.base_url, lambda done: server.stop() if done == 1 else None)
        n_answered = server.meter.requests
    assert (ended.code, len(ended.errors)) == (1, N_WINDOWS - 1)
    assert ended.n_sent - n_answered == FAILURES_TO_OPEN * MAX_TRIES
    told = reasons(the_lake(tmp_path))
    assert told[0] is None
    assert all("after 6 tries (ConnectError" in str(each) for each in told[1:])
    resumed(command, calm, tmp_path, n_left=N_WINDOWS - 1)


def test_a_key_that_is_revoked_in_the_middle_of_a_pull(
    calm: tuple[Lake, Running], command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each window after it costs two requests, the second with the exchange's clock; a new key goes on."""
    monkeypatch.setenv("KALSHI_KEY_ID", KEY_ID)
    monkeypatch.setenv("KALSHI_PRIVATE_KEY", pem("rsa"))
    keys = {KEY_ID: public_pem(pem("rsa"))}
    with running(a_world(DAYS, 0.2), tier="prestige", keys=keys) as server:
        ended = command(
            server.base_url, lambda done: server.state.access.revoke(KEY_ID) if done == 2 else None
        )
        assert server.meter.unauthorized == 2 * (N_WINDOWS - 2)
    assert (ended.code, len(ended.errors)) == (1, N_WINDOWS - 2)
    assert all("401" in line and "check KALSHI_KEY_ID" in line for line in ended.errors)
    told = reasons(the_lake(tmp_path))
    assert told[:2] == [None] * 2
    assert all("401" in str(each) for each in told[2:])
    monkeypatch.setenv("KALSHI_KEY_ID", NEXT_ID)
    monkeypatch.setenv("KALSHI_PRIVATE_KEY", pem("ed25519"))
    resumed(command, calm, tmp_path, n_left=N_WINDOWS - 2)


def test_a_key_that_never_was_is_told_once_and_nothing_is_begun(
    calm: tuple[Lake, Running], command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first request is for our limits; it is refused, so no window is tried and none is entered."""
    monkeypatch.setenv("KALSHI_KEY_ID", "no-such-key")
    monkeypatch.setenv("KALSHI_PRIVATE_KEY", pem("rsa"))
    ended = command(calm[1].base_url)
    assert (ended.code, len(ended.errors), ended.told) == (1, 1, {})
    assert "/account/limits: 401" in ended.errors[0]
    assert not the_lake(tmp_path).exists()
