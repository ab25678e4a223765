"""Real recordings raise no false alarm, as far as they can be held against each other at all."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.ingest.import_candles import import_candles
from pipelines.ingest.import_trades import import_trades
from pipelines.ingest.import_ws import import_ws
from tests.realdata import DATA, needs_real_data
from warehouse import Lake
from warehouse.checks import run_checks

pytestmark = [needs_real_data, pytest.mark.slow]

NOW = datetime(2026, 11, 22, tzinfo=UTC)
# What imports can say something about; nobody pulled windows or listed markets for them.
LOOKED_INTO = {
    "trade_ids": 1_305,
    "trades_once": 1_305,
    "candle_ends": 20_047,
    "candle_prices": 20_047,
    "exclusive_events": 88,
}


@pytest.mark.long
def test_imports_of_real_files_raise_no_alarm(tmp_path: Path) -> None:
    """1,305 trades of 11 markets, 20,047 candles of 528, and a stream of 12 books."""
    lake = Lake(tmp_path / "lake")
    import_trades(lake, [DATA / "trades" / "trades_gdp_end_of_year.csv.gz"])
    folder = DATA / "candles"
    import_candles(
        lake,
        [folder / "kxhighny_candles_1h.parquet"],
        observed_ts=NOW,
        markets=folder / "kxhighny_markets.parquet",
        events=folder / "kxhighny_events_2022-2026.parquet",
    )
    import_ws(lake, [DATA / "ws" / "cockpit_ws_orderbook_stream_2026-08-07.json.gz"], observed_ts=NOW)
    findings = {each.check.name: each for each in run_checks(lake, keep=False).findings}
    flagged = {name: each.examples for name, each in findings.items() if each.n_flagged}
    assert flagged == {}
    assert {name: findings[name].n_looked_at for name in LOOKED_INTO} == LOOKED_INTO
    assert all(findings[name].status == "ok" for name in (*LOOKED_INTO, "books", "declaration"))
