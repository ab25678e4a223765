"""Our own strategies and the plan of the README, on a lake pulled from an exchange after all was over."""

import asyncio
import re
from pathlib import Path
from typing import Any, Final

import polars as pl
import pytest

import backtest as bt
from backtest.strategies.registry import STRATEGIES
from pipelines.client import Client, Settings
from pipelines.ingest.import_ws import import_ws
from pipelines.ingest.sync import sync
from sandbox import World, running
from sandbox.recording import write_recording
from warehouse import Lake

TIER: Final = "prestige"
RECORDED: Final = "KXSIMBTC15M"
IN_CANDLES: Final = "KXSIMHIGHNY"
ONE_EVENT: Final = "KXSIMHIGHNY-26FEB28"  # for pairs of markets, which take time
README: Final = (Path(__file__).resolve().parents[2] / "README.md").read_text()
SETTINGS: Final[dict[str, dict[str, float]]] = {
    "calibration_edge": {"margin": 0.01},
    "closing_drift": {"enter_minutes": 1_200, "exit_minutes": 100},
    "cross_strike": {"margin": -0.1},
    "favourite_longshot": {"horizon_minutes": 600},
    "mean_reversion": {"jump": 0.03, "minutes": 60, "hold_minutes": 90},
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Every listing, quarters of an hour as recorded, temperatures in candles; first seen at the very end."""
    folder = tmp_path_factory.mktemp("sandbox")
    world, lake = World(7, days=6, activity=0.1), Lake(folder / "lake")

    async def pull(url: str) -> None:
        async with Client(Settings(base_url=url, tier=TIER)) as client:
            await sync(client, lake, ["series", "events", "markets"], now=lambda: world.now_ts)
            await sync(client, lake, ["candles"], series=IN_CANDLES, now=lambda: world.now_ts)

    with running(world, tier=TIER) as sandbox:
        asyncio.run(pull(sandbox.base_url))
    opened = [each.ticker for each in world.markets() if each.status != "initialized"]
    recording = folder / "recording.jsonl.gz"
    write_recording(world, recording, [each for each in opened if each.startswith(RECORDED)], hole_seed=7)
    import_ws(lake, [recording], observed_ts=world.now_ts)
    return lake


def a_forecast(lake: Lake) -> pl.LazyFrame:
    """Return the middle, 5 cents up, of every tenth quote: known when the quote was."""
    prob = ((pl.col("bid_cc") + pl.col("ask_cc")) / 20_000 + 0.05).clip(0, 1)
    rows = lake.quotes(series=IN_CANDLES).select("ticker", "known_ts", prob=prob).drop_nulls()
    return rows.filter(pl.int_range(pl.len()) % 10 == 0)


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_our_strategies_do_not_look_ahead(lake: Lake, name: str) -> None:
    strategy = STRATEGIES[name]
    told: dict[str, Any] = {"forecast": a_forecast(lake)} if strategy.reads_forecast else {}
    told |= {"event": ONE_EVENT} if name == "cross_strike" else {"series": IN_CANDLES}
    params = {**(strategy.params or {}), **SETTINGS[name]}
    found = bt.audit(strategy.plan, lake, params=params, **told)
    assert found.is_clean, found
    assert found.cuts["n_decisions"][-1] >= 4


def test_our_market_maker_is_asked_inside_the_clock(lake: Lake) -> None:
    assert set(STRATEGIES) == {*SETTINGS, "market_making"}
    found = bt.audit(STRATEGIES["market_making"].plan, lake, series=RECORDED)
    assert (found.is_clean, found.cuts.height) == (True, 0)


def test_the_plan_of_the_readme_does_not_look_ahead(lake: Lake) -> None:
    (code,) = re.findall(r"```python\n.*?(quotes = .+?)run = ", README, re.DOTALL)

    def strategy(lake: Lake) -> pl.LazyFrame:
        names: dict[str, Any] = {"lake": lake, "pl": pl, "bt": bt}
        exec(code, names)  # noqa: S102 - the README's own lines
        plan: pl.LazyFrame = names["plan"]
        return plan

    found = bt.audit(strategy, lake, params={"min_edge": [0.001, 0.01]})
    assert found.is_clean, found
    assert found.cuts["n_decisions"][-1] >= 4


def test_the_same_lake_tells_who_reads_results(lake: Lake) -> None:
    """Trap 29: the lake was pulled when every result was there; who joins them is found out."""

    def strategy(lake: Lake) -> pl.LazyFrame:
        rows = lake.quotes(series=IN_CANDLES).join(lake.markets().select("ticker", "result"), on="ticker")
        return rows.select("ticker", "known_ts", intent=bt.buy_yes(1).when(pl.col("result") == "yes"))

    found = bt.audit(strategy, lake)
    assert found.differences["what"].unique().to_list() == ["only with the future"]
