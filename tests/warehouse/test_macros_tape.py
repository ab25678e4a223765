"""Mean prices and taker flow, by hand and against polars on a made-up tape."""

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from random import Random

import duckdb
import polars as pl
import pytest

from tests.warehouse.catalogs import Row, asked, opened
from tests.warehouse.rows import a_market, a_trade, an_event, at, frame
from warehouse import Lake
from warehouse.macros import MACROS
from warehouse.tables import EVENTS, MARKETS, TRADES

HOUR_S = 3_600
TICKERS = ("KXA-1", "KXA-2", "KXB-1", "KXZ-1")


def made_up() -> list[Row]:
    """Return two thousand trades of four markets in six hours, some of them blocks."""
    chance = Random(11)
    return [
        a_trade(
            f"m{number}",
            ticker=chance.choice(TICKERS),
            event_ts=at(chance.randint(HOUR_S, 7 * HOUR_S - 1)),
            yes_price_cc=chance.randint(1, 9_999),
            count_centi=chance.randint(1, 50_000),
            taker_side=chance.choice(["yes", "no"]),
            is_block_trade=chance.choice([False, False, None, True]),
        )
        for number in range(2_000)
    ]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """KXA and KXB are events of series KX; one market tells its series, the others' events do."""
    lake = Lake(tmp_path_factory.mktemp("tape"))
    lake.commit(EVENTS, frame(EVENTS, an_event("KXA"), an_event("KXB"), an_event("KXZ", series_ticker="KXZ")))
    markets = [
        a_market("KXA-1", series_ticker="KX"),
        a_market("KXA-2", series_ticker=None),
        a_market("KXB-1", event_ticker="KXB", series_ticker=None),
        a_market("KXZ-1", event_ticker="KXZ", series_ticker=None),
    ]
    lake.commit(MARKETS, frame(MARKETS, *markets))
    by_hand = [
        a_trade("h1", ticker="KXH", event_ts=at(0), yes_price_cc=4_000, count_centi=100, taker_side="yes"),
        a_trade("h2", ticker="KXH", event_ts=at(1), yes_price_cc=5_000, count_centi=200, taker_side="no"),
        a_trade("h3", ticker="KXH", event_ts=at(2), yes_price_cc=9_900, is_block_trade=True),
        a_trade("h4", ticker="KXH", event_ts=at(HOUR_S), yes_price_cc=75, count_centi=1, taker_side="no"),
    ]
    lake.commit(TRADES, frame(TRADES, *by_hand, *made_up()))
    return lake


@pytest.fixture(scope="module")
def catalog(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    with opened(lake) as connection:
        yield connection


def test_vwap_weighs_by_contracts_and_leaves_blocks_out(catalog: duckdb.DuckDBPyConnection) -> None:
    """(1 x .40 + 2 x .50) / 3 = 1.40 / 3 = .466667; then 0.01 at .0075: $0.000075."""
    first = {
        "bar_ts": at(0),
        "vwap": Decimal("0.466667"),
        "volume": Decimal(3),
        "dollars": Decimal("1.40"),
        "n_trades": 2,
    }
    second = {
        "bar_ts": at(HOUR_S),
        "vwap": Decimal("0.0075"),
        "volume": Decimal("0.01"),
        "dollars": Decimal("0.000075"),
        "n_trades": 1,
    }
    assert asked(catalog, "from vwap('KXH', interval 1 hour)") == [first, second]
    (whole,) = asked(catalog, "from vwap('KXH', null)")
    assert (whole["bar_ts"], whole["volume"], whole["n_trades"]) == (None, Decimal("3.01"), 3)
    assert asked(catalog, "from vwap('nobody', interval 1 hour)") == []


def test_taker_flow_pays_for_no_what_yes_leaves(catalog: duckdb.DuckDBPyConnection) -> None:
    """1 YES at .40 and 2 NO at 1 - .50: net -1 of 3 contracts; $0.40 for YES, $1.00 for NO."""
    (row, _) = asked(catalog, "from taker_flow('KXH', '1 hour')")
    assert row == {
        "bar_ts": at(0),
        "yes_contracts": Decimal(1),
        "no_contracts": Decimal(2),
        "net_contracts": Decimal(-1),
        "yes_dollars": Decimal("0.40"),
        "no_dollars": Decimal("1.00"),
        "imbalance": -0.333333,
        "n_trades": 2,
    }


@pytest.mark.parametrize(
    ("name", "tickers"),
    [("KXA-2", ["KXA-2"]), ("KXA", ["KXA-1", "KXA-2"]), ("KX", ["KXA-1", "KXA-2", "KXB-1"]), ("KXQ", [])],
)
def test_a_name_is_a_market_an_event_or_a_series(
    catalog: duckdb.DuckDBPyConnection, name: str, tickers: list[str]
) -> None:
    """Against polars, by bars of half an hour; bars without trades are missing, the oldest comes first."""
    bars = (
        frame(TRADES, *made_up())
        .filter(pl.col("ticker").is_in(tickers), ~pl.col("is_block_trade").fill_null(value=False))
        .with_columns(
            yes=pl.when(pl.col("taker_side") == "yes").then("count_centi").otherwise(0),
            no=pl.when(pl.col("taker_side") == "no").then("count_centi").otherwise(0),
        )
        .group_by(bar_ts=pl.col("event_ts").dt.truncate("30m"))
        .agg(
            pl.col("yes", "no").sum(),
            yes_micros=(pl.col("yes") * pl.col("yes_price_cc")).sum(),
            no_micros=(pl.col("no") * (10_000 - pl.col("yes_price_cc"))).sum(),
            n_trades=pl.len(),
        )
        .sort("bar_ts")
    )
    rows = asked(catalog, "from taker_flow(?, interval 30 minutes)", name)
    found = [
        (
            row["bar_ts"],
            int(row["yes_contracts"] * 100),
            int(row["no_contracts"] * 100),
            int(row["yes_dollars"] * 1_000_000),
            int(row["no_dollars"] * 1_000_000),
            row["n_trades"],
        )
        for row in rows
    ]
    assert found == bars.select("bar_ts", "yes", "no", "yes_micros", "no_micros", "n_trades").rows()
    for row in rows:
        assert row["net_contracts"] == row["yes_contracts"] - row["no_contracts"]
        whole = row["yes_contracts"] + row["no_contracts"]
        assert abs(row["imbalance"] - float(row["net_contracts"] / whole)) < 1e-6


@pytest.mark.parametrize("ticker", ["KXA-1", "KXZ-1"])
def test_vwap_and_ohlc_say_what_polars_says_of_the_lake(
    lake: Lake, catalog: duckdb.DuckDBPyConnection, ticker: str
) -> None:
    """The same tape through `Lake.trades`: bars of a quarter of an hour."""
    trades = lake.trades(ticker=[ticker]).filter(~pl.col("is_block_trade").fill_null(value=False))
    bars = (
        trades.sort("event_ts", "trade_id")
        .group_by(bar_ts=pl.col("event_ts").dt.truncate("15m"))
        .agg(
            pl.col("yes_price_cc").first().alias("open"),
            pl.col("yes_price_cc").max().alias("high"),
            pl.col("yes_price_cc").min().alias("low"),
            pl.col("yes_price_cc").last().alias("close"),
            volume=pl.col("count_centi").sum(),
            micros=(pl.col("yes_price_cc") * pl.col("count_centi")).sum(),
        )
        .sort("bar_ts")
        .collect()
    )
    rows = asked(
        catalog,
        "select o.*, v.vwap, v.dollars from ohlc(?, '15 minutes') o "
        "join vwap(?, '15 minutes') v using (bar_ts) order by bar_ts",
        ticker,
        ticker,
    )
    assert len(rows) == bars.height > 20
    for row, bar in zip(rows, bars.to_dicts(), strict=True):
        assert row["bar_ts"] - bar["bar_ts"] == timedelta()
        for price in ("open", "high", "low", "close"):
            assert row[price] * 10_000 == bar[price]
        assert row["volume"] * 100 == bar["volume"]
        assert row["dollars"] * 1_000_000 == bar["micros"]
        assert abs(float(row["vwap"]) - bar["micros"] / bar["volume"] / 10_000) <= 0.000_000_6


@pytest.mark.parametrize("macro", ["ohlc", "vwap", "spread", "taker_flow", "implied_probability", "book_at"])
def test_an_argument_may_be_a_column_whatever_its_table_is_called(
    catalog: duckdb.DuckDBPyConnection, macro: str
) -> None:
    """DuckDB would take a caller's `t.ticker` for that of a table of ours that is called t, and count all."""
    second = {"implied_probability": "'2026-05-13 14:00:00Z'", "book_at": "'2026-05-13 14:00:00Z'"}.get(
        macro, "'1 hour'"
    )
    direct = asked(catalog, f"from {macro}('KXA-1', {second})")
    ours = next(each.sql for each in MACROS if each.name == macro)
    callers = "(select 'KXA-1' as ticker, 'KXA-1' as name)"
    aliases = sorted(set(re.findall(r"\b([a-z]+)\.", ours)) - {"raw"})
    for alias, argument in [*((each, f"{each}.ticker") for each in aliases), ("t", "ticker"), ("t", "name")]:
        query = f"select own_rows.* from {callers} {alias}, {macro}({argument}, {second}) own_rows"
        assert sorted(map(repr, asked(catalog, query))) == sorted(map(repr, direct)), query
