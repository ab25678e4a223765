"""A night on a quiet exchange: reference, trades and candles, then a backtest on what they brought."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from backtest.config import read_config
from pipelines.flows.backtests import nightly_backtest
from pipelines.flows.candles import sync_candles
from pipelines.flows.reference import sync_reference
from pipelines.flows.trades import sync_trades
from sandbox.serve import running
from tests.flows.exchanges import a_world, n_trades
from tests.flows.orchestra import ROOT, Orchestra, leftover_sockets
from warehouse import Lake
from warehouse.tables import MARKETS, TRADES

pytestmark = [pytest.mark.slow, leftover_sockets]

START_TS = datetime(2026, 2, 26, tzinfo=UTC)
END_TS = datetime(2026, 3, 2, tzinfo=UTC)
START, END = "2026-02-26", "2026-03-02"
CONFIG = """
strategy = "favourite_longshot"
fills = "touch"
out = "results"
"""


def test_the_flows_of_a_night_end_in_a_report_and_a_second_night_asks_for_nothing(
    in_process: Orchestra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every trade and market of the world is in the lake; what is covered is not asked for again."""
    world, lake = a_world(END_TS), Lake(tmp_path / "lake")
    (tmp_path / "nightly.toml").write_text(CONFIG)

    async def night() -> tuple[list[dict[str, int]], Path]:
        series = [each.ticker for each in world.series()]
        told = [
            await sync_reference(lake=lake.uri),
            await sync_trades(series=series, lake=lake.uri, start=START, end=END),
            await sync_trades(series=series, lake=lake.uri, start=START, end=END),
            await sync_trades(reread=True, lake=lake.uri, start=START, end=END),
            await sync_candles(lake=lake.uri, start=START, end=END),
        ]
        return told, Path(await nightly_backtest(str(tmp_path / "nightly.toml"), lake=lake.uri))

    with running(world) as exchange:
        monkeypatch.setenv("KALSHI_BASE_URL", exchange.base_url)
        (reference, first, second, again, candles), out = asyncio.run(night())
    expected = n_trades(world, START_TS, END_TS)
    keys = [each["key"] for each in in_process.find("artifacts") if lake.uri in (each["description"] or "")]

    assert reference["windows"] == 4  # series, events, markets, fees
    assert lake.scan(MARKETS).select(pl.col("ticker").n_unique()).collect().item() == len(world.markets())
    assert (first["windows"], first["new_rows"]) == (24, expected)  # 6 series, 4 days
    assert second == {"windows": 0, "failed": 0, "rows": 0, "new_rows": 0, "requests": 0}
    assert (again["rows"], again["new_rows"]) == (expected, 0)
    assert lake.scan(TRADES).select(pl.len()).collect().item() == expected
    assert candles["new_rows"] > 0
    assert sorted(keys) == ["sync-candles", "sync-reference", *["sync-trades"] * 3]
    assert out == tmp_path / "results" / datetime.now(UTC).date().isoformat()
    assert (out / "report.html").is_file()


def test_the_configuration_that_prefect_yaml_names_can_be_read() -> None:
    """docs/examples/nightly.toml is a configuration; its results stay out of the folder of examples."""
    config = read_config(ROOT / "docs" / "examples" / "nightly.toml")
    assert config.out.resolve() == ROOT / "out" / "nightly"
