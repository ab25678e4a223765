"""A small lake to look at, made offline and without keys: a made-up exchange is synced, its books imported."""

from datetime import timedelta

from pipelines.client import Client, Settings
from pipelines.ingest.import_ws import import_ws
from pipelines.ingest.sync import sync
from sandbox import World, running
from sandbox.recording import write_recording
from warehouse import Lake
from warehouse.tables import BOOK_DELTAS

SERIES = "KXSIMBTC15M"
TIER = "prestige"
N_MARKETS = 3


async def build(folder):
    """Return the lake below `folder`, making it first: the busiest markets of a series, books with holes."""
    lake = Lake(folder / "lake")
    if lake.version(BOOK_DELTAS) is not None:
        return lake
    folder.mkdir(parents=True, exist_ok=True)
    world = World(seed=7, days=6)
    histories = world.histories()
    in_series = [each for each in histories if each.startswith(SERIES)]
    tickers = sorted(in_series, key=lambda each: -len(histories[each].prints))[:N_MARKETS]
    listed = {each.ticker: each for each in world.markets()}
    start_ts = min(listed[each].open_ts for each in tickers)
    end_ts = max(listed[each].close_ts for each in tickers) + timedelta(hours=1)
    with running(world, tier=TIER) as exchange:
        async with Client(Settings(base_url=exchange.base_url, tier=TIER)) as client:
            await sync(client, lake, ["markets"], series=SERIES, now=lambda: world.now_ts)
            await sync(
                client, lake, ["trades"], series=SERIES, start=start_ts, end=end_ts, now=lambda: world.now_ts
            )
    recording = folder / "books.jsonl.gz"
    write_recording(world, recording, tickers, hole_seed=7)
    import_ws(lake, [recording], observed_ts=world.now_ts)
    return lake
