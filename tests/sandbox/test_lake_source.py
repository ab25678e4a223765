"""A lake served back through the API."""

import random
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from exchange.books import OrderBook
from exchange.markets import Event, Market, Series
from exchange.trades import Trade
from exchange.units import from_us, to_us
from sandbox.world import World
from tests.sandbox.places import a_client, a_world, every_page
from warehouse.archive import LakeSource
from warehouse.lake import Lake
from warehouse.tables import BOOK_SNAPSHOTS, CANDLES, EVENTS, FEE_CHANGES, MARKETS, SERIES, TRADES, Table

SEEN_TS = datetime(2026, 3, 2, tzinfo=UTC)


def put(lake: Lake, table: Table, rows: list[dict[str, object]]) -> None:
    """Commit rows given as dicts; columns the rows do not name are null."""
    rows = [{"source": "test"} | row for row in rows]
    names = [name for name in table.polars_schema if name in rows[0]]
    schema = {name: table.polars_schema[name] for name in names}
    done = lake.commit(table, pl.DataFrame([{n: row[n] for n in names} for row in rows], schema=schema))
    assert done.n_quarantined == 0


def trade_row(trade: Trade) -> dict[str, object]:
    row: dict[str, object] = {field.name: getattr(trade, field.name) for field in fields(trade)}
    return row | {"event_ts": row.pop("created_ts")}


def a_trade(**changes: object) -> Trade:
    trade = Trade(
        trade_id="t1",
        ticker="A",
        created_ts=datetime(2022, 1, 2, 3, 4, 5, 962_210, tzinfo=UTC),
        yes_price_cc=5_600,
        count_centi=1_050,
        taker_side="yes",
        is_block_trade=None,
    )
    return replace(trade, **changes)  # type: ignore[arg-type]  # changes are a test's own


def plain(value: object) -> object:
    """Turn dataclasses inside a row into what a table holds."""
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    if hasattr(value, "step_cc"):
        return {name: getattr(value, name) for name in ("start_cc", "end_cc", "step_cc")}
    return value


def listing_row(listed: Series | Event | Market) -> dict[str, object]:
    row = {field.name: plain(getattr(listed, field.name)) for field in fields(listed)}
    return row | {"observed_ts": SEEN_TS}


def a_lake_of(world: World, folder: Path) -> Lake:
    """Store everything a world lists and trades."""
    lake = Lake(folder)
    tape = world.tape(None)
    put(lake, TRADES, [trade_row(each) for each in tape.rows(*tape.span(0, 2**62))])
    put(lake, SERIES, [listing_row(each) for each in world.series()])
    put(lake, EVENTS, [listing_row(each) for each in world.events()])
    put(lake, MARKETS, [listing_row(each) for each in world.markets()])
    changes: list[dict[str, object]] = [
        {
            "scope": each.scope,
            "ticker": each.ticker,
            "effective_ts": each.effective_ts,
            "fee_type": each.fee_type,
            "fee_multiplier_ppm": each.multiplier_ppm,
            "change_id": each.change_id,
        }
        for each in world.fee_changes()
    ]
    put(lake, FEE_CHANGES, changes)
    return lake


def test_a_world_put_into_a_lake_is_served_the_same(tmp_path: Path) -> None:
    """Trades row for row to the microsecond, series, events and fee changes as they were told."""
    world = a_world()
    source = LakeSource(a_lake_of(world, tmp_path / "lake"), live_days=5)
    mine, its = world.tape(None), source.tape(None)
    assert sorted(its.rows(*its.span(0, 2**62)), key=lambda each: each.trade_id) == sorted(
        mine.rows(*mine.span(0, 2**62)), key=lambda each: each.trade_id
    )
    assert list(source.series()) == list(world.series())
    assert {each.ticker: each for each in source.events()} == {each.ticker: each for each in world.events()}
    assert sorted(map(str, source.fee_changes())) == sorted(map(str, world.fee_changes()))
    top: dict[str, Any] = {
        "yes_bid_cc": 0,
        "yes_ask_cc": 10_000,
        "yes_bid_size_centi": 0,
        "yes_ask_size_centi": 0,
        "volume_24h_centi": 0,
    }
    assert {each.ticker: each for each in source.markets()} == {
        each.ticker: replace(each, **top) for each in world.markets()
    }


@pytest.mark.parametrize("limit", [100, 1000])
def test_paging_a_lake_gives_every_trade_once(tmp_path: Path, limit: int) -> None:
    """Over HTTP, both tiers together, at any page size; one market's tape is its part."""
    world = a_world()
    lake = Lake(tmp_path / "lake")
    tape = world.tape(None)
    trades = list(tape.rows(*tape.span(0, 2**62)))
    random.Random(1).shuffle(trades)
    put(lake, TRADES, [trade_row(each) for each in trades])
    with a_client(LakeSource(lake, live_days=5)) as (client, _):
        live = every_page(client, "/markets/trades", "trades", limit=limit)
        archived = every_page(client, "/historical/trades", "trades", limit=limit)
        told = {each["trade_id"]: each["created_time"] for each in [*live, *archived]}
        assert len(told) == len(trades)
        assert len(live) == len({each["trade_id"] for each in live})
        times = [each["created_time"].ljust(27, "0") for each in live]
        assert [t.replace("Z", "0") for t in times] == sorted(
            (t.replace("Z", "0") for t in times), reverse=True
        )
        one = every_page(client, "/markets/trades", "trades", limit=7, ticker="KXSIMFED-MAR-H0")
        assert one == [each for each in live if each["ticker"] == "KXSIMFED-MAR-H0"]


def test_a_lake_of_trades_alone_has_no_markets(tmp_path: Path) -> None:
    """Listings are empty, markets 404, trades are there; a kind nobody recorded is left out of the JSON."""
    lake = Lake(tmp_path / "lake")
    put(lake, TRADES, [trade_row(a_trade()), trade_row(a_trade(trade_id="t2", is_block_trade=True))])
    with a_client(LakeSource(lake)) as (client, _):
        for path, key in (("/series", "series"), ("/events", "events"), ("/markets", "markets")):
            assert client.get(path).json()[key] == []
        assert client.get("/markets/A").status_code == 404
        found = client.get("/markets/trades").json()["trades"]
        assert [each.get("is_block_trade", "absent") for each in found] == [True, "absent"]
        assert found[1]["created_time"] == "2022-01-02T03:04:05.96221Z"
        assert len(client.get("/markets/trades?is_block_trade=true").json()["trades"]) == 1
        assert client.get("/markets/trades?ticker=A&is_block_trade=false").json()["trades"] == []


def test_an_empty_lake_is_an_empty_exchange(tmp_path: Path) -> None:
    """Nothing is known, nothing breaks."""
    source = LakeSource(Lake(tmp_path / "lake"))
    assert source.tape(None).span(0, 2**62) == (0, 0)
    with a_client(source) as (client, _):
        assert client.get("/markets/trades").json() == {"trades": [], "cursor": ""}
        assert client.get("/historical/markets").json() == {"markets": [], "cursor": ""}


def test_spans_of_a_tape_are_half_open(tmp_path: Path) -> None:
    """Three trades at seconds 1, 2 and 3: [2, 3) is the second one; a reversed span is empty."""
    lake = Lake(tmp_path / "lake")
    put(
        lake,
        TRADES,
        [trade_row(a_trade(trade_id=f"t{each}", created_ts=from_us(each * 10**6))) for each in (3, 1, 2)],
    )
    for tape in (LakeSource(lake).tape(None), LakeSource(lake).tape("A")):
        assert tape.span(2 * 10**6, 3 * 10**6) == (1, 2)
        assert [each.trade_id for each in tape.rows(1, 2)] == ["t2"]
        assert tape.span(3 * 10**6, 2 * 10**6) == (2, 2)


def test_the_clock_stands_a_second_after_the_last_fact(tmp_path: Path) -> None:
    """The cutoff is a midnight 60 days before that."""
    lake = Lake(tmp_path / "lake")
    put(lake, TRADES, [trade_row(a_trade())])
    source = LakeSource(lake)
    assert source.now_ts == datetime(2022, 1, 2, 3, 4, 6, 962_210, tzinfo=UTC)
    assert source.trade_cutoff_ts == datetime(2021, 11, 3, tzinfo=UTC)


def test_empty_sides_of_candles_become_boundaries_again(tmp_path: Path) -> None:
    """Null bids print as 0.0000, null asks as 1.0000; no trade means no price."""
    lake = Lake(tmp_path / "lake")
    end_ts = datetime(2026, 3, 1, 1, tzinfo=UTC)
    put(
        lake,
        CANDLES,
        [{"ticker": "A", "period_s": 3_600, "end_ts": end_ts, "volume_centi": 0}],
    )
    source = LakeSource(lake)
    [bar] = source.candles("A", period_s=3_600, start_ts=end_ts, end_ts=end_ts)
    assert (bar.yes_bid.open_cc, bar.yes_ask.low_cc, bar.price) == (0, 10_000, None)
    assert not source.candles("A", period_s=60, start_ts=end_ts, end_ts=end_ts)
    assert not source.candles("B", period_s=3_600, start_ts=end_ts, end_ts=end_ts)


def test_recorded_books_are_served_and_give_open_markets_their_top(tmp_path: Path) -> None:
    """One REST snapshot: 3 @ .40 against NO 2 @ .55, so bid .40 and ask .45."""
    lake = Lake(tmp_path / "lake")
    captured_ts = datetime(2026, 3, 1, tzinfo=UTC)
    snapshot = {
        "ticker": "A",
        "session": "s",
        "captured_ts": captured_ts,
        "yes_prices_cc": [4_000],
        "yes_counts_centi": [300],
        "no_prices_cc": [5_500],
        "no_counts_centi": [200],
        "method": "rest",
    }
    put(lake, BOOK_SNAPSHOTS, [snapshot])
    listed = {"ticker": "A", "observed_ts": captured_ts, "event_ticker": "E", "series_ticker": "S"}
    put(lake, MARKETS, [listed | {"created_ts": captured_ts - timedelta(days=1)}])
    source = LakeSource(lake)
    book = OrderBook("A")
    book.apply_snapshot([(4_000, 300)], [(5_500, 200)])
    assert source.book("A") == book
    assert source.book("B") == OrderBook("B")
    [market] = source.markets()
    assert (market.status, market.yes_bid_cc, market.yes_ask_cc) == ("active", 4_000, 4_500)
    assert (market.yes_bid_size_centi, market.yes_ask_size_centi) == (300, 200)
    assert source.events() == [Event(ticker="E", series_ticker="S", title="")]
    assert to_us(source.now_ts) == to_us(captured_ts) + 1_000_000
