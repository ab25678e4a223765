"""What moves under a pull: the border between the tiers, trades that come late, the clock that signs."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from polars.testing import assert_frame_equal

from sandbox import Faults, Running, fault, running
from sandbox.fault_kinds import Fault
from tests.client.keys import KEY_ID, pem, public_pem
from tests.stories.storm import END_TS, Pulled, a_world, n_traded, pulled, rows
from warehouse import Lake
from warehouse.tables import TRADES

pytestmark = pytest.mark.slow

DAYS: Final = 6
START_TS: Final = (END_TS - timedelta(days=5)).replace(hour=0, minute=0)
SPAN: Final[dict[str, Any]] = {"start": START_TS, "end": END_TS}
CUT: Final[dict[str, Any]] = {"page_size": 100, "every": timedelta(days=1)}
SIGNED: Final = {"key_id": KEY_ID, "private_key": pem("rsa")}


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake(tmp_path_factory.mktemp("calm") / "lake")
    with running(a_world(DAYS, 0.2), tier="prestige") as server:
        assert not pulled(server.base_url, lake, **SPAN).failed
    assert rows(lake).height == n_traded(a_world(DAYS, 0.2), START_TS, END_TS) > 5_000
    return lake


def through(made: Fault, pull: Callable[[Running], Pulled]) -> tuple[Pulled, Running]:
    """Pull while one thing goes wrong."""
    keys = {KEY_ID: public_pem(pem("rsa"))}
    with running(a_world(DAYS, 0.2), tier="prestige", keys=keys, faults=Faults((made,), seed=7)) as server:
        return pull(server), server


def test_a_border_that_moves_again_and_again_loses_nothing(calm: Lake, tmp_path: Path) -> None:
    """At one request in three the archive takes six hours more, until nothing is left in the live tier."""
    lake = Lake(tmp_path / "lake")
    done, server = through(
        fault("move_cutoff", chance=0.3, hours=6, limit=20),
        lambda server: pulled(server.base_url, lake, page_size=100, every=timedelta(days=30), **SPAN),
    )
    assert (done.failed, server.faults.injected["move_cutoff"]) == ([], 20)
    assert set(lake.scan(TRADES).collect()["source"]) == {"rest", "historical"}
    assert_frame_equal(rows(lake), rows(calm))


def test_trades_that_come_late_are_found_by_reading_again(calm: Lake, tmp_path: Path) -> None:
    """A tenth is withheld from the first pull, which cannot know; `reread` finds exactly what was missing."""
    lake = Lake(tmp_path / "lake")
    late = fault("late_trades", chance=0.1, tries=1)

    def pull(server: Running) -> Pulled:
        first = pulled(server.base_url, lake, **SPAN, **CUT)
        n_missing = rows(calm).height - rows(lake).height
        assert not first.failed
        assert 0.08 < n_missing / rows(calm).height < 0.12
        assert pulled(server.base_url, lake, **SPAN, **CUT).receipts == []
        again = pulled(server.base_url, lake, reread=True, **SPAN, **CUT)
        assert sum(each.n_new for each in again.receipts) == n_missing
        return again

    done, _ = through(late, pull)
    assert not done.failed
    assert_frame_equal(rows(lake), rows(calm))


@pytest.mark.parametrize(
    ("made", "n_refused"),
    [
        (fault("skew", skew_s=300), 1),
        (fault("skew", skew_s=-300), 1),
        # Right at first, five minutes off from the twentieth request to the fortieth, then right again.
        (fault("skew", skew_s=300, first=20, last=40), 2),
    ],
)
def test_a_signed_pull_follows_the_clock_of_the_exchange(
    calm: Lake, tmp_path: Path, made: Fault, n_refused: int
) -> None:
    """One 401 whenever the clocks part, then it signs with the exchange's time."""
    lake = Lake(tmp_path / "lake")
    done, server = through(made, lambda server: pulled(server.base_url, lake, client=SIGNED, **SPAN, **CUT))
    assert (done.failed, server.meter.unauthorized) == ([], n_refused)
    assert_frame_equal(rows(lake), rows(calm))
