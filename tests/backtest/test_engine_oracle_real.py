"""The kernels against the slow oracle on recorded books: real sizes, bursts, gaps and grids."""

from datetime import UTC, datetime
from random import Random
from typing import Any

import polars as pl
import pytest

import backtest as bt
from pipelines.ingest.import_ws import import_ws
from tests.backtest.random_worlds import Wish, intent
from tests.backtest.slow_runs import Setting, assert_same, oracle
from tests.backtest.test_engine_real import RECORDING
from tests.backtest.worlds import T0, MemoryLake, a_plan, a_series
from tests.realdata import DATA, needs_real_data
from warehouse import Lake
from warehouse.tables import BOOK_DELTAS, BOOK_GAPS, BOOK_SNAPSHOTS, MARKETS, QUOTES, Table

N_MARKETS, N_ROWS, N_ORDERS = 4, 250, 60


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> MemoryLake:
    """Return the first rows of the busiest recorded markets, as both engines read them."""
    lake = Lake(tmp_path_factory.mktemp("recorded") / "lake")
    markets = DATA / "ws" / "ws_markets.csv"
    import_ws(lake, [RECORDING], observed_ts=datetime(2026, 5, 14, tzinfo=UTC), markets=markets)
    counts = lake.scan(BOOK_DELTAS).group_by("ticker").len().collect().sort("len", "ticker", descending=True)
    names = counts["ticker"].head(N_MARKETS).to_list()

    def rows(table: Table, order: str) -> list[dict[str, Any]]:
        chosen = lake.scan(table).filter(pl.col("ticker").is_in(names)).collect()
        return [
            row
            for name in names
            for row in chosen.filter(ticker=name).sort(order, maintain_order=True).head(N_ROWS).to_dicts()
        ]

    # What the recording does not say.
    known = {
        "series_ticker": "KXBTC15M",
        "open_ts": datetime(2026, 5, 1, tzinfo=UTC),
        "price_level_structure": "linear_cent",
    }
    gaps = lake.scan(BOOK_GAPS).collect().to_dicts()
    return MemoryLake(
        {
            "markets": [row | known for row in rows(MARKETS, "observed_ts")],
            "quotes": rows(QUOTES, "event_ts"),
            "book_snapshots": rows(BOOK_SNAPSHOTS, "captured_ts"),
            "book_deltas": rows(BOOK_DELTAS, "event_ts"),
            "book_gaps": [row for row in gaps if set(row["tickers"]) & set(names)],
            "events": [],
            "series": [a_series("KXBTC15M", observed_ts=datetime(2026, 5, 1, tzinfo=UTC))],
        }
    )


def orders(lake: MemoryLake, rng: Random) -> list[Wish]:
    """Orders of every kind at whole seconds of the recording, at prices around what was bid."""
    made: list[Wish] = []
    quotes = lake.rows["quotes"]
    for _ in range(N_ORDERS):
        quote = rng.choice(quotes)
        at_s = int((quote["event_ts"] - T0).total_seconds()) + rng.choice([0, 1, 5])
        around = min(
            9_800, max(200, (quote["bid_cc"] or 5_000) // 100 * 100 + rng.choice([-100, 0, 0, 100, 300]))
        )
        side, tif = rng.choice(["yes", "no"]), rng.choice(["ioc", "ioc", "fok", "gtc", "gtc"])
        order: dict[str, Any] = {
            "action": rng.choice(["buy", "buy", "buy", "sell", "close", "cancel"]),
            "side": side,
            "count": rng.choice([0.5, 1, 40, 700]),
            "limit": around if side == "yes" else 10_000 - around,
            "tif": tif,
            "ttl": rng.choice([None, 1, 5, 30]),
            "post_only": tif == "gtc" and rng.random() < 0.3,
            "replace": tif == "gtc" and rng.random() < 0.3,
        }
        if order["action"] == "close":
            order["side"] = None
        made.append((at_s, quote["ticker"], order))
    return made


@pytest.mark.slow
@needs_real_data
@pytest.mark.parametrize("fills", ["touch", "book", "queue"])
@pytest.mark.parametrize("seed", range(2))
def test_recorded_books_equal_the_oracle(recorded: MemoryLake, fills: str, seed: int) -> None:
    """Every frame, on the rows that the real exchange sent."""
    rng = Random(seed)
    wished, cash = orders(recorded, rng), rng.choice([60, 1_000, 100_000])
    queue = "proportional" if fills == "queue" else None
    if fills == "touch":  # the slow engine lets a last quote stand, also when its recording ends
        recorded = MemoryLake({**recorded.rows, "book_gaps": []})
    setting, tickers = Setting(fills=fills, queue=queue, cash=cash), [ticker for _, ticker, _ in wished]
    plan = a_plan(*((at_s, ticker, intent(order)) for at_s, ticker, order in wished))
    run = bt.run(plan, recorded, **setting.arguments)
    assert run.fills.height > 5
    assert_same(run, oracle(recorded, wished, setting, tickers), recorded, tickers)
