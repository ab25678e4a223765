"""Which markets are watched: found as they open, left when they are over, spread over connections."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.client import Client
from pipelines.recorder.errors import NothingToWatch
from pipelines.recorder.fleet import Fleet
from pipelines.recorder.watching import Lister, Watch
from tests.recorder.rooms import a_room, recorded, until
from tests.recorder.truth import judged
from warehouse.tables import BOOK_GAPS, BOOK_SNAPSHOTS

QUARTERS = "KXSIMBTC15M"


@dataclass
class Line:
    """A connection that only remembers what it was told."""

    tickers: dict[str, None] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    is_connected: bool = True

    async def start(self, tickers: Iterable[str]) -> None:
        self.tickers = dict.fromkeys(tickers)

    async def run(self) -> None:
        await self.over.wait()

    async def add(self, tickers: Sequence[str]) -> list[str]:
        refused = [ticker for ticker in tickers if ticker.startswith("NO")]
        self.tickers |= dict.fromkeys(ticker for ticker in tickers if ticker not in refused)
        return refused

    async def remove(self, tickers: Sequence[str]) -> None:
        for ticker in tickers:
            del self.tickers[ticker]
        self.left.update(tickers)

    async def close(self) -> None:
        self.over.set()


def fleet_of(lines: list[Line], *, per_connection: int, max_connections: int = 9) -> Fleet:
    def new() -> Line:
        lines.append(Line())
        return lines[-1]

    return Fleet(new, per_connection=per_connection, max_connections=max_connections)  # type: ignore[arg-type]


def test_markets_fill_one_connection_after_the_other() -> None:
    async def story() -> list[list[str]]:
        lines: list[Line] = []
        fleet = fleet_of(lines, per_connection=2)
        await fleet.watch("ABCAB")
        await fleet.watch("CD")
        await fleet.leave("B")
        await fleet.watch("E")
        told = [list(line.tickers) for line in lines]
        assert fleet.tickers == set("ACDE")
        await fleet.close()
        return told

    assert asyncio.run(story()) == [["A", "E"], ["C", "D"]]


def test_a_market_never_comes_back_into_the_connection_that_it_left() -> None:
    """There its book is unknown until the session ends; elsewhere it begins with a snapshot."""

    async def story() -> list[list[str]]:
        lines: list[Line] = []
        fleet = fleet_of(lines, per_connection=5)
        await fleet.watch("AB")
        await fleet.leave("A")
        await fleet.watch("A")
        await fleet.close()
        return [list(line.tickers) for line in lines]

    assert asyncio.run(story()) == [["B"], ["A"]]


def test_a_connection_without_markets_is_closed_and_refused_markets_are_not_asked_for_again() -> None:
    async def story() -> None:
        lines: list[Line] = []
        fleet = fleet_of(lines, per_connection=5)
        await fleet.watch("A")
        await fleet.watch(["NO-1", "B"])
        await fleet.watch(["NO-1"])
        assert (fleet.refused, fleet.tickers, len(lines)) == ({"NO-1"}, {"A", "B"}, 1)
        await fleet.leave("AB")
        assert lines[0].over.is_set()
        assert fleet.n_connections == 0
        await fleet.close()

    asyncio.run(story())


def test_what_no_connection_has_room_for_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> set[str]:
        fleet = fleet_of([], per_connection=2, max_connections=1)
        await fleet.watch("ABC")
        watched = fleet.tickers
        await fleet.close()
        return watched

    assert asyncio.run(story()) == {"A", "B"}
    assert "1 markets are not recorded" in caplog.text


def test_the_lister_finds_what_is_open_and_leaves_what_is_over() -> None:
    with a_room(speed=0.001) as room:
        states = {each.ticker: each.status for each in room.world.markets()}
        over = min(ticker for ticker, status in states.items() if status == "finalized")
        active = sorted(ticker for ticker, status in states.items() if status == "active")
        volumes = {each.ticker: each.volume_24h_centi for each in room.world.markets()}
        busiest = sorted(active, key=lambda ticker: (-volumes[ticker], ticker))[:3]
        series = sorted(ticker for ticker in active if ticker.startswith("KXSIMHIGHNY"))

        async def story() -> None:
            async with Client(room.settings) as client:
                named = Lister(client, Watch(tickers=[over, "KXNOBODY-1", active[0]]))
                assert await named.look({over}) == ([active[0]], [over])
                of_series = Lister(client, Watch(series=["KXSIMHIGHNY"]))
                wanted, leaving = await of_series.look(set())
                assert (sorted(wanted), leaving) == (series, [])
                ranked = Lister(client, Watch(most_active=3))
                assert await ranked.look(set()) == (busiest, [])
                crowd = {ticker for ticker in active if ticker not in busiest}
                _, leaving = await ranked.look(crowd)
                assert len(leaving) == len(crowd) - 3

        asyncio.run(story())


def test_nothing_to_watch_is_refused(tmp_path: Path) -> None:
    with a_room(speed=0.001) as room:
        recorder = room.recorder(tmp_path, Watch())
        with pytest.raises(NothingToWatch, match="--most-active"):
            asyncio.run(recorder.run(asyncio.Event()))


@pytest.mark.long
def test_a_series_is_followed_from_market_to_market(tmp_path: Path) -> None:
    """A quarter-hour closes at 12:05 and the next opens at 15:50: one is left, the other watched."""
    first, second = f"{QUARTERS}-26FEB271205-05", f"{QUARTERS}-26FEB271605-05"
    with a_room(speed=10, activity=1.0, hours=60) as room:
        recorder = room.recorder(tmp_path, Watch(series=[QUARTERS]))

        def is_recorded(ticker: str) -> bool:
            return ticker in recorder.lake.scan(BOOK_SNAPSHOTS).collect()["ticker"].to_list()

        async def story() -> None:
            await until(lambda: is_recorded(first))
            room.clock.jump(timedelta(hours=3, minutes=52))
            await until(lambda: is_recorded(second), within_s=40)

        asyncio.run(recorded(recorder, story))
        verdict = judged(recorder.lake, room.world, [first, second], 5 * 3_600 * 1_000_000)
    gaps = recorder.lake.scan(BOOK_GAPS).collect()
    assert sorted(gaps["tickers"].to_list()) == [[first], [second]]
    assert verdict.wrong == []
    assert verdict.n_known >= 2
