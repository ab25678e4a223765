"""What the exchange does not allow: markets that it refuses are told, and the others are recorded."""

import asyncio
from pathlib import Path

import pytest

from pipelines.client import Client, Settings
from pipelines.recorder.fleet import Fleet
from pipelines.recorder.frame_log import FrameLog
from pipelines.recorder.shard import BOOKS, Habits, Shard
from pipelines.recorder.tally import Tally
from sandbox.flood import Flood, FloodSize
from sandbox.serve import running
from tests.client.keys import KEY_ID, pem, public_pem
from tests.recorder.rooms import QUICK, until


@pytest.mark.slow
def test_markets_beyond_the_limit_of_a_subscription_are_refused_one_by_one(tmp_path: Path) -> None:
    """Error 26: three may be subscribed. Of two more, added to two, the first is in and the second is not."""
    flood, key, tally = Flood(FloodSize(n_markets=4, per_s=200), max_markets=3), pem("ed25519"), Tally()
    tickers = flood.tickers

    async def story(client: Client) -> tuple[set[str], set[str]]:
        log = FrameLog(tmp_path / "log")
        habits = Habits(channels=[BOOKS], retry=QUICK)
        fleet = Fleet(lambda: Shard(client, log, tally, habits), per_connection=10, max_connections=1)
        async with client:
            await fleet.watch(tickers[:2])
            await until(lambda: tally.n_snapshots == 2)
            await fleet.watch(tickers[2:])
            await until(lambda: tally.n_snapshots == 3)
            await fleet.watch(tickers)  # and it is not asked for again
            told = fleet.tickers, fleet.refused
            await fleet.close()
        log.close()
        return told

    with running(flood, tier="prestige", keys={KEY_ID: public_pem(key)}) as server:
        settings = Settings(base_url=server.base_url, key_id=KEY_ID, private_key=key)
        watched, refused = asyncio.run(story(Client(settings)))
    assert (watched, refused) == (set(tickers[:3]), {tickers[3]})
    assert tally.n_refusals == 2  # both together, then the one
