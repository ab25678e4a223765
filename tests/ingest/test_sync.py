"""Syncs from a sandbox over real sockets: what the lake holds afterwards is what the world holds."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest

from exchange.trades import Candle, Ohlc, Trade
from exchange.units import DOLLAR_CC
from pipelines.client import Client, Settings
from pipelines.ingest import tally
from pipelines.ingest.errors import BadRequest, UnknownTicker
from pipelines.ingest.market_data import sync_trades
from pipelines.ingest.sync import RESOURCES, sync
from pipelines.ingest.windows import Receipt
from sandbox.serve import running
from sandbox.world import World
from warehouse import Lake
from warehouse.errors import NaiveTime, ReversedInterval
from warehouse.ledger import Window
from warehouse.progress import silent
from warehouse.tables import CANDLES, EVENTS, FEE_CHANGES, MARKETS, SERIES, TRADES, WINDOWS, Table

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
TIER = "prestige"


class Exchange(NamedTuple):
    """A world and the address where it is served."""

    world: World
    base_url: str

    def ask(self, work: Callable[[Client], Awaitable[Any]]) -> Any:  # noqa: ANN401 -- whatever the work returns
        """Run something with a client of this exchange."""

        async def asked() -> Any:  # noqa: ANN401 -- likewise
            async with Client(Settings(base_url=self.base_url, tier=TIER)) as client:
                return await work(client)

        return asyncio.run(asked())

    def sync(self, lake: Lake, resources: Sequence[str] = RESOURCES, **asked: Any) -> list[Receipt]:  # noqa: ANN401 -- as sync takes them
        """Sync into a lake, at the same moment every time."""
        end = {"end": self.world.now_ts} | asked
        receipts: list[Receipt] = self.ask(
            lambda client: sync(client, lake, resources, now=lambda: NOW, **end)
        )
        return receipts


@pytest.fixture(scope="module")
def exchange() -> Iterator[Exchange]:
    """A small exchange of six days, half of it archived."""
    world = World(seed=11, days=6, activity=0.2, archive_days=3)
    with running(world, tier=TIER) as served:
        yield Exchange(world, served.base_url)


def true_trades(world: World, ticker: str | None = None) -> list[Trade]:
    tape = world.tape(ticker)
    return list(tape.rows(*tape.span(0, 2**62)))


def trades_in(lake: Lake) -> set[tuple[Any, ...]]:
    columns = (
        "trade_id",
        "ticker",
        "event_ts",
        "yes_price_cc",
        "count_centi",
        "taker_side",
        "is_block_trade",
    )
    return set(lake.scan(TRADES).select(columns).collect().iter_rows())


def as_rows(trades: Sequence[Trade]) -> set[tuple[Any, ...]]:
    return {
        (
            each.trade_id,
            each.ticker,
            each.created_ts,
            each.yes_price_cc,
            each.count_centi,
            each.taker_side,
            each.is_block_trade,
        )
        for each in trades
    }


@pytest.mark.parametrize("page_size", [pytest.param(7, marks=pytest.mark.long), 1_000])
def test_the_lake_holds_the_tape_row_for_row_whatever_the_page_size(
    exchange: Exchange, tmp_path: Path, page_size: int
) -> None:
    """Trap 41: both tiers, every window, every page: all trades, none twice, none changed."""
    lake = Lake(tmp_path / "lake")
    start = exchange.world.now_ts - timedelta(days=7)
    receipts = exchange.sync(lake, ["trades"], start=start, page_size=page_size)
    truth = as_rows(true_trades(exchange.world))
    assert len(truth) > 1_000
    assert trades_in(lake) == truth
    assert lake.scan(TRADES).select(pl.len()).collect().item() == len(truth)
    assert sum(receipt.n_rows for receipt in receipts) == len(truth)


def test_the_digest_tells_the_rows_and_not_how_they_came(exchange: Exchange, tmp_path: Path) -> None:
    """Pages of 50 or of 1000: the same windows, counts and digests."""
    start = exchange.world.now_ts - timedelta(days=2)
    by_fifty = exchange.sync(Lake(tmp_path / "a"), ["trades"], start=start, page_size=50)
    by_thousand = exchange.sync(Lake(tmp_path / "b"), ["trades"], start=start)
    told = [(each.start_ts, each.end_ts, each.n_rows, each.digest) for each in by_fifty]
    assert told == [(each.start_ts, each.end_ts, each.n_rows, each.digest) for each in by_thousand]


def test_windows_of_odd_lengths_cut_no_sweep_and_repeat_nothing(exchange: Exchange, tmp_path: Path) -> None:
    """The exchange knows whole seconds only; windows begin and end between them."""
    lake = Lake(tmp_path / "lake")
    end = exchange.world.now_ts
    start = end - timedelta(hours=30, microseconds=123_457)
    receipts = exchange.sync(lake, ["trades"], start=start, end=end, every=timedelta(hours=7, microseconds=1))
    expected = [each for each in true_trades(exchange.world) if start <= each.created_ts < end]
    assert trades_in(lake) == as_rows(expected)
    assert sum(receipt.n_rows for receipt in receipts) == len(expected)


def test_everything_of_the_exchange_is_there_and_a_second_run_changes_nothing(
    exchange: Exchange, tmp_path: Path
) -> None:
    """Six resources; the second run asks for no tape at all and adds no row but one of the ledger's.

    It lists the live tier alone, since the archive has nothing to hide any more; that is another answer than
    the first. The third run makes no version of any table.
    """
    world, lake = exchange.world, Lake(tmp_path / "lake")
    start = world.now_ts - timedelta(days=7)
    exchange.sync(lake, start=start)
    assert set(lake.scan(SERIES).collect()["ticker"]) == {each.ticker for each in world.series()}
    assert set(lake.scan(EVENTS).collect()["ticker"]) == {each.ticker for each in world.events()}
    assert lake.scan(FEE_CHANGES).collect().height == len(world.fee_changes())
    versions = lake.versions()
    again = exchange.sync(lake, start=start)
    assert lake.versions() == versions | {"windows": versions["windows"] + 1}
    assert {receipt.resource for receipt in again} == {"series", "events", "markets", "fees"}
    assert sum(receipt.n_new for receipt in again) == 0
    versions = lake.versions()
    exchange.sync(lake, start=start)
    assert lake.versions() == versions


def test_markets_of_both_tiers_come_with_series_terms_and_results(exchange: Exchange, tmp_path: Path) -> None:
    """A market does not name its series, so it comes from the event, which is kept along the way."""
    world, lake = exchange.world, Lake(tmp_path / "lake")
    exchange.sync(lake, ["markets"])
    series_of = {each.ticker: each.series_ticker for each in world.events()}
    rows = {row["ticker"]: row for row in lake.scan(MARKETS).collect().iter_rows(named=True)}
    listed = [each for each in world.markets() if each.mve_collection_ticker is None]
    assert rows.keys() == {each.ticker for each in listed}
    assert {row["source"] for row in rows.values()} == {"rest", "historical"}
    for market in listed:
        row = rows[market.ticker]
        assert row["series_ticker"] == series_of[market.event_ticker]
        assert (row["status"], row["result"]) == (market.status, market.result)
        assert (row["open_ts"], row["close_ts"]) == (market.open_ts, market.close_ts)
        assert row["settlement_value_cc"] == market.settlement_value_cc
        assert row["floor_strike"] == market.floor_strike
        assert (row["volume_centi"], row["open_interest_centi"]) == (
            market.volume_centi,
            market.open_interest_centi,
        )
        bands = [(each["start_cc"], each["end_cc"], each["step_cc"]) for each in row["price_ranges"]]
        assert bands == [(each.start_cc, each.end_cc, each.step_cc) for each in market.price_ranges]


def test_candles_of_both_tiers_are_the_worlds(exchange: Exchange, tmp_path: Path) -> None:
    """Traps 9, 10: two spellings, one table; no bar made up before the start; an empty side is null."""
    world, lake = exchange.world, Lake(tmp_path / "lake")
    start = world.now_ts - timedelta(days=7)
    exchange.sync(lake, ["candles"], start=start)
    expected = {
        (market.ticker, candle.end_ts): candle
        for market in world.markets()
        if market.mve_collection_ticker is None
        for candle in world.candles(market.ticker, period_s=3_600, start_ts=start, end_ts=world.now_ts)
        if candle.end_ts < world.now_ts
    }
    rows = {(row["ticker"], row["end_ts"]): row for row in lake.scan(CANDLES).collect().iter_rows(named=True)}
    assert {row["source"] for row in rows.values()} == {"rest", "historical"}
    assert rows.keys() == expected.keys()
    for key, candle in expected.items():
        assert_same_bar(rows[key], candle)


def assert_same_bar(row: dict[str, Any], candle: Candle) -> None:
    for name in ("yes_bid", "yes_ask", "price"):
        ohlc: Ohlc | None = getattr(candle, name)
        for part in ("open", "high", "low", "close"):
            value = None if ohlc is None else getattr(ohlc, f"{part}_cc")
            is_empty = name != "price" and value in {0, DOLLAR_CC}
            assert row[f"{name}_{part}_cc"] == (None if is_empty else value)
    assert (row["volume_centi"], row["open_interest_centi"]) == (
        candle.volume_centi,
        candle.open_interest_centi,
    )
    assert row["price_previous_cc"] == candle.price_previous_cc


def test_one_market_is_pulled_alone_from_its_opening_on(exchange: Exchange, tmp_path: Path) -> None:
    """Without a start: from the day the market opened; its tape only, in one window."""
    lake = Lake(tmp_path / "lake")
    busiest = max(exchange.world.markets(), key=lambda each: each.volume_centi)
    (receipt,) = exchange.sync(lake, ["trades"], ticker=busiest.ticker)
    assert trades_in(lake) == as_rows(true_trades(exchange.world, busiest.ticker))
    assert receipt.scope == f"ticker:{busiest.ticker}"


def test_a_series_and_an_event_are_pulled_market_by_market(exchange: Exchange, tmp_path: Path) -> None:
    """The markets of the scope are asked of both tiers; no other market's trades come along."""
    world = exchange.world
    event = max(world.markets(), key=lambda each: each.volume_centi).event_ticker
    series = next(each.series_ticker for each in world.events() if each.ticker == event)
    events = {each.ticker for each in world.events() if each.series_ticker == series}
    for asked, meant in (({"event": event}, {event}), ({"series": series}, events)):
        lake = Lake(tmp_path / next(iter(asked)))
        exchange.sync(lake, ["trades"], **asked)
        expected = [
            trade
            for market in world.markets()
            if market.event_ticker in meant
            for trade in true_trades(world, market.ticker)
        ]
        assert trades_in(lake) == as_rows(expected)


class Cut(Exception):
    """Stops a sync where a kill would."""


def test_a_sync_that_is_killed_half_way_is_taken_up_where_it_stopped(
    exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap 43: cancelled inside a window: what was committed stays, the window is not called complete."""
    monkeypatch.setattr(tally, "COMMIT_ROWS", 100)
    lake = Lake(tmp_path / "lake")
    world = exchange.world
    window = Window("trades", "all", world.now_ts - timedelta(days=7), world.now_ts)

    async def killed(client: Client) -> None:
        pulling = asyncio.create_task(sync_trades(client, lake, window, page_size=50))
        while counts(lake, TRADES) < [300]:  # noqa: ASYNC110 -- the lake has no event to wait for
            await asyncio.sleep(0.005)
        pulling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pulling

    exchange.ask(killed)
    n_kept = len(trades_in(lake))
    truth = as_rows(true_trades(world))
    assert 0 < n_kept < len(truth)
    assert not lake.is_complete("trades", "all", window.start_ts, window.end_ts)
    exchange.sync(lake, ["trades"], start=window.start_ts)
    assert trades_in(lake) == truth
    assert lake.is_complete("trades", "all", window.start_ts, window.end_ts)


def test_windows_done_before_a_stop_are_not_asked_for_again(exchange: Exchange, tmp_path: Path) -> None:
    """Stopped after three windows: the second run does the others and only those."""
    lake = Lake(tmp_path / "lake")
    start = exchange.world.now_ts - timedelta(days=6)
    seen: list[int] = []

    def stop_at_three(_stage: str, done: int, total: int | None) -> None:
        seen.append(total or 0)
        if done == 3:
            raise Cut

    with pytest.raises(Cut):
        exchange.sync(lake, ["trades"], start=start, progress=stop_at_three)
    assert lake.scan(WINDOWS).collect().height == 3
    rest = exchange.sync(lake, ["trades"], start=start, progress=silent)
    assert len(rest) == seen[0] - 3
    assert trades_in(lake) == as_rows([e for e in true_trades(exchange.world) if e.created_ts >= start])


def test_an_unknown_name_is_said_and_nothing_is_written(exchange: Exchange, tmp_path: Path) -> None:
    """Neither tier knows it; the exchange itself would answer a filter with an empty list."""
    lake = Lake(tmp_path / "lake")
    for asked in ({"ticker": "KXNOPE-1-Y"}, {"event": "KXNOPE-1"}, {"series": "KXNOPE"}):
        with pytest.raises(UnknownTicker, match="KXNOPE"):
            exchange.sync(lake, ["trades"], **asked)
    assert lake.versions() == {}


def test_a_question_that_is_none_is_refused_before_anything_is_asked(
    exchange: Exchange, tmp_path: Path
) -> None:
    """Reversed, naive, two scopes, no such resource, the whole exchange since ever."""
    lake = Lake(tmp_path / "lake")
    at = exchange.world.now_ts
    with pytest.raises(ReversedInterval):
        exchange.sync(lake, ["trades"], start=at, end=at - timedelta(days=1))
    with pytest.raises(NaiveTime):
        exchange.sync(lake, ["trades"], start=at.replace(tzinfo=None))
    with pytest.raises(BadRequest, match="exclude each other"):
        exchange.sync(lake, ["trades"], series="KXA", event="KXA-1")
    with pytest.raises(BadRequest, match="unknown resource weather"):
        exchange.sync(lake, ["weather"])
    with pytest.raises(BadRequest, match="--start"):
        exchange.sync(lake, ["trades"])
    assert lake.versions() == {}


def test_nothing_is_asked_beyond_our_own_clock(exchange: Exchange, tmp_path: Path) -> None:
    """A window must not be called complete before it is over: its end is cut to now less ten seconds."""
    lake = Lake(tmp_path / "lake")
    receipts = exchange.sync(lake, ["trades"], start=NOW - timedelta(hours=1), end=NOW + timedelta(hours=1))
    assert receipts[-1].end_ts == NOW - timedelta(seconds=10)


def counts(lake: Lake, *tables: Table) -> list[int]:
    return [lake.scan(table).select(pl.len()).collect().item() for table in tables]


def test_fees_bring_the_timeline_and_todays_terms_of_one_series(exchange: Exchange, tmp_path: Path) -> None:
    """Past and announced changes of the series and of its events, and the series as it is now."""
    world, lake = exchange.world, Lake(tmp_path / "lake")
    series = next(each.ticker for each in world.fee_changes() if each.scope == "series")
    events = {each.ticker for each in world.events() if each.series_ticker == series}
    exchange.sync(lake, ["fees"], series=series)
    meant = [each for each in world.fee_changes() if each.ticker == series or each.ticker in events]
    assert counts(lake, FEE_CHANGES, SERIES) == [len(meant), 1]
    rows = lake.scan(FEE_CHANGES).collect()
    got = rows.select("scope", "ticker", "effective_ts", "fee_type", "fee_multiplier_ppm").rows()
    told = [(e.scope, e.ticker, e.effective_ts, e.fee_type, e.multiplier_ppm) for e in meant]
    assert sorted(got, key=str) == sorted(told, key=str)
