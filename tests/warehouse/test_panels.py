"""Readers by series, event, ticker and time, and the errors that say what comes close."""

import re
from datetime import datetime, timedelta, timezone
from itertools import product
from pathlib import Path
from shutil import rmtree

import polars as pl
import pytest

from exchange.errors import BadInput
from tests.warehouse.rows import a_market, a_quote, a_trade, an_event, at, frame
from warehouse import Lake
from warehouse.errors import NaiveTime, ReversedInterval, UnknownEvent, UnknownSeries, UnknownTicker
from warehouse.tables import CANDLES, EVENTS, MARKETS, QUOTES, SERIES, TRADES


def a_lake(folder: Path) -> Lake:
    """Make a lake of three markets in two events of two series, each with one trade a second after the other.

    The series of KXB-1 is told by its event only, as the API does.
    """
    lake = Lake(folder)
    listed = [
        a_market("KXA-1", event_ticker="KXA", series_ticker="KX"),
        a_market("KXA-2", event_ticker="KXA", series_ticker="KX"),
        a_market("KYB-1", event_ticker="KYB", series_ticker=None),
    ]
    lake.commit(MARKETS, frame(MARKETS, *listed))
    lake.commit(EVENTS, frame(EVENTS, an_event("KXA"), an_event("KYB", series_ticker="KY")))
    trades = [
        a_trade(f"t{i}", ticker=row["ticker"], event_ts=at(i)) for i, row in enumerate(reversed(listed))
    ]
    lake.commit(TRADES, frame(TRADES, *trades))
    return lake


def test_filters_by_series_event_and_ticker_name_the_same_markets(tmp_path: Path) -> None:
    """Trades come sorted by market, whatever their order of time."""
    lake = a_lake(tmp_path)
    for rows in (lake.trades(series="KX"), lake.trades(event="KXA"), lake.trades(ticker=["KXA-2", "KXA-1"])):
        assert rows.collect()["ticker"].to_list() == ["KXA-1", "KXA-2"]
    assert lake.trades(series="KY").collect()["ticker"].to_list() == ["KYB-1"]
    assert lake.trades(series="KX", ticker="KXA-1").collect()["trade_id"].to_list() == ["t2"]
    assert lake.trades(series="KY", event="KXA").collect().is_empty()
    assert lake.trades().collect().height == 3


def test_of_several_series_or_events_a_market_is_of_any(tmp_path: Path) -> None:
    """One that nobody has heard of is said, whatever the others have."""
    lake = a_lake(tmp_path)
    every = ["KXA-1", "KXA-2", "KYB-1"]
    assert lake.trades(series=["KY", "KX"]).collect()["ticker"].to_list() == every
    assert lake.trades(event=("KXA", "KYB")).collect()["ticker"].to_list() == every
    assert lake.trades(series=["KY", "KX"], event=["KYB"]).collect()["ticker"].to_list() == ["KYB-1"]
    assert lake.trades(series=[]).collect().is_empty()
    with pytest.raises(UnknownSeries, match="unknown series 'KZ'"):
        lake.trades(series=["KX", "KZ"])
    with pytest.raises(UnknownEvent, match="unknown event 'KXB'"):
        lake.trades(event=["KXA", "KXB"])


@pytest.mark.parametrize("names", [("KA", "KB"), ("KB", "KA")])
def test_a_market_whose_event_changed_is_of_the_series_of_its_last_event(
    names: tuple[str, str], tmp_path: Path
) -> None:
    """M was of E-1 until a second before noon; as it was known then, it is of the first series."""
    lake = Lake(tmp_path)
    events = [an_event(f"E-{number}", series_ticker=name) for number, name in enumerate(names, 1)]
    states = [
        a_market("M", event_ticker=event, series_ticker=None, observed_ts=at(seconds))
        for event, seconds in (("E-1", -100), ("E-2", -1))
    ]
    lake.commit(EVENTS, frame(EVENTS, *events))
    lake.commit(MARKETS, frame(MARKETS, *states))
    for each, event, series in (
        (lake.markets(), "E-2", names[1]),
        (lake.markets(asof=at(-2)), "E-1", names[0]),
    ):
        assert each.select("event_ticker", "series_ticker").collect().rows() == [(event, series)]


def test_a_series_that_only_an_earlier_state_told_is_kept(tmp_path: Path) -> None:
    """Of E-1 nobody has a row; the last state of M names it without a series."""
    lake = Lake(tmp_path)
    states = [
        a_market("M", event_ticker="E-1", series_ticker=series, observed_ts=at(seconds))
        for series, seconds in (("KA", -100), (None, -1))
    ]
    lake.commit(MARKETS, frame(MARKETS, *states))
    assert lake.markets().collect()["series_ticker"].to_list() == ["KA"]


def test_intervals_are_half_open(tmp_path: Path) -> None:
    """[0 s, 2 s) has the trades of 0 s and 1 s; dates are UTC midnights."""
    lake = a_lake(tmp_path)
    assert set(lake.trades(start=at(0), end=at(2)).collect()["trade_id"]) == {"t0", "t1"}
    assert lake.trades(start="2026-05-13", end="2026-05-14").collect().height == 3
    assert lake.trades(start="2026-05-13T12:00:01Z").collect().height == 2
    assert lake.trades(end="2026-05-13").collect().is_empty()


def test_bounds_cut_alike_on_and_beside_midnight(tmp_path: Path) -> None:
    """Rows a microsecond around three midnights; every interval has what a slow reading of all rows has."""
    lake, tick = Lake(tmp_path), timedelta(microseconds=1)
    midnights = [at(-12 * 3_600, days=day) for day in range(3)]
    moments = [each + n * tick for each in midnights for n in (-1, 0, 1)]
    bar = {"ticker": "KXA-1", "period_s": 60, "volume_centi": 0, "source": "test"}
    lake.commit(TRADES, frame(TRADES, *(a_trade(f"t{i}", event_ts=each) for i, each in enumerate(moments))))
    lake.commit(CANDLES, frame(CANDLES, *(bar | {"end_ts": each} for each in moments)))
    eastern = timezone(timedelta(hours=-5))
    edges = [None, *moments, midnights[1].replace(tzinfo=eastern)]
    for start, end in product(edges, edges):
        if start is not None and end is not None and start >= end:
            continue
        inside = [
            each for each in moments if (start is None or start <= each) and (end is None or each < end)
        ]
        trades, candles = lake.trades(start=start, end=end), lake.candles(start=start, end=end)
        assert trades.select("event_ts").collect().to_series().to_list() == inside
        assert candles.select("end_ts").collect().to_series().to_list() == inside


def test_a_trade_is_known_when_it_printed(tmp_path: Path) -> None:
    trades = a_lake(tmp_path).trades().collect()
    assert trades["known_ts"].to_list() == trades["event_ts"].to_list()


def test_a_quote_is_known_when_the_later_clock_says_so(tmp_path: Path) -> None:
    """Traps 9, 16: happened at 1 s, received at 3: known at 3, two seconds old, and it says so."""
    lake = Lake(tmp_path)
    late, early = a_quote(1, received_ts=at(3)), a_quote(2, received_ts=at(1.9), bid_cc=None)
    lake.commit(QUOTES, frame(QUOTES, late, early, a_quote(9, received_ts=None)))
    quotes = lake.quotes(ticker="KXA-1").collect()
    assert quotes.columns == [
        "ticker", "known_ts", "bid_cc", "bid_size_centi", "ask_cc", "ask_size_centi", "last_price_cc",
        "quote_age", "source", "session",
    ]  # fmt: skip
    assert quotes["known_ts"].to_list() == [at(2), at(3), at(9)]
    assert quotes["quote_age"].to_list() == [timedelta(0), timedelta(seconds=2), timedelta(0)]
    assert lake.quotes(start=at(3), end=at(9)).collect()["known_ts"].to_list() == [at(3)]


def test_quotes_come_in_one_order_however_many_files_they_lie_in(tmp_path: Path) -> None:
    """Late receipts, two sessions, two dates: one file a date needs less sorting, not another order."""
    rows = [
        a_quote(second, ticker=ticker, session=session, received_ts=at(received))
        for second, received in ((0, 200_000), (5, 5), (7, 6), (7, 6.5), (100_000, 100_001), (200_000, 9))
        for ticker in ("KXA-2", "KXA-1")
        for session in ("b", "a")
    ]
    whole, pieces = Lake(tmp_path / "whole"), Lake(tmp_path / "pieces")
    whole.commit(QUOTES, frame(QUOTES, *rows))
    for row in rows:
        pieces.commit(QUOTES, frame(QUOTES, row))
    tickers = ["KXA-1", "KXA-2"]
    shown = whole.quotes(ticker=tickers).collect()
    assert shown.height == len(rows)
    assert shown.equals(pieces.quotes(ticker=tickers).collect())
    assert shown["known_ts"].head(2).to_list() == [at(5)] * 2
    assert shown["ticker"].to_list() == sorted(shown["ticker"])
    assert shown["ticker"].flags["SORTED_ASC"]


def test_candles_end_in_the_interval_and_have_one_period(tmp_path: Path) -> None:
    """A bar that ends at the end is known only then, so it is outside."""
    lake = Lake(tmp_path)
    bar = {"ticker": "KXA-1", "volume_centi": 0, "source": "test"}
    bars = [
        bar | {"period_s": period_s, "end_ts": at(minute * 60)}
        for period_s in (60, 3_600)
        for minute in (0, 60)
    ]
    lake.commit(CANDLES, frame(CANDLES, *bars))
    assert lake.candles(period_s=60, end=at(3_600)).collect()["end_ts"].to_list() == [at(0)]
    assert lake.candles().collect().height == 4


@pytest.mark.parametrize("ticker", [None, "KXA-1", "KXA-2"])
@pytest.mark.parametrize("days", [(None, None), (0, 1), (1, 2)])
def test_rows_are_sorted_however_their_files_lie(
    tmp_path: Path, ticker: str | None, days: tuple[int | None, int | None]
) -> None:
    """One date in two commits, another in one: always by ticker, time and id."""
    lake = Lake(tmp_path)
    commits = ((0, "t3", 60), (0, "t1", 0), (1, "t2", 0), (0, "t0", 0))
    for day, trade_id, second in commits:
        made = [
            a_trade(f"{trade_id}-{each}", ticker=each, event_ts=at(second, days=day))
            for each in ("KXA-2", "KXA-1")
        ]
        lake.commit(TRADES, frame(TRADES, *made))
    start, end = (None if each is None else at(-12 * 3_600, days=each) for each in days)
    found = lake.trades(ticker=ticker, start=start, end=end).collect()
    slow = lake.scan(TRADES).collect().filter(pl.lit(ticker).is_null() | (pl.col("ticker") == pl.lit(ticker)))
    if start is not None and end is not None:
        slow = slow.filter(pl.col("event_ts") >= start, pl.col("event_ts") < end)
    assert found.drop("known_ts").equals(slow.sort("ticker", "event_ts", "trade_id"))
    assert found["ticker"].flags["SORTED_ASC"]  # polars knows it, and groups by it in a third of the time
    assert found.height == (1 if ticker else 2) * {(None, None): 4, (0, 1): 3, (1, 2): 1}[days]


def test_unknown_names_come_with_what_is_near(tmp_path: Path) -> None:
    lake = a_lake(tmp_path)
    with pytest.raises(UnknownTicker, match=r"unknown ticker 'KXA-3' in .*: did you mean KXA-\d or KXA-\d"):
        lake.trades(ticker="KXA-3")
    with pytest.raises(UnknownEvent, match=r"unknown event 'KXAA' in .* did you mean KXA"):
        lake.quotes(event="KXAA")
    with pytest.raises(UnknownSeries, match="none close to it") as caught:
        lake.candles(series="WEATHER")
    assert caught.value.exit_code == 2
    with pytest.raises(UnknownTicker, match="`tapehouse sync` or `tapehouse import` first"):
        Lake(tmp_path / "empty").trades(ticker="KXA-1")


def test_readers_of_tapes_name_their_columns_where_a_notebook_shows_them(tmp_path: Path) -> None:
    lake = a_lake(tmp_path)
    for reader in (lake.quotes, lake.trades):
        words = set(re.findall(r"\w+", reader.__doc__ or ""))
        assert words >= set(reader().collect_schema()), reader.__name__


def test_a_series_or_event_is_a_name_or_several(tmp_path: Path) -> None:
    lake = a_lake(tmp_path)
    with pytest.raises(BadInput, match=r"^series=3: give a name, or a list of names$"):
        lake.quotes(series=3)  # type: ignore[arg-type]  # the mistake
    with pytest.raises(BadInput, match=r"^event=\[None\]: give a name, or a list of names$"):
        lake.trades(event=[None])  # type: ignore[list-item]  # the mistake


def test_a_recording_without_a_listing_is_known(tmp_path: Path) -> None:
    """Trades of a market that was never listed here can be read by ticker."""
    lake = Lake(tmp_path)
    lake.commit(TRADES, frame(TRADES, a_trade()))
    assert lake.trades(ticker="KXA-1").collect().height == 1


def test_a_ticker_is_known_as_soon_as_anybody_commits_it_and_no_longer_than_its_lake(tmp_path: Path) -> None:
    """What was found in a version of a table is remembered of that version alone."""
    reader, folder = Lake(tmp_path / "lake"), tmp_path / "lake"
    Lake(folder).commit(MARKETS, frame(MARKETS, a_market("KXA-1")))
    assert reader.trades(ticker="KXA-1").collect().is_empty()
    with pytest.raises(UnknownTicker):
        reader.trades(ticker=["KXA-1", "KXA-2"])
    Lake(folder).commit(TRADES, frame(TRADES, a_trade(ticker="KXA-2")))
    assert reader.trades(ticker=["KXA-1", "KXA-2"]).collect().height == 1
    with pytest.raises(UnknownTicker):
        reader.pinned({"markets": 1}).trades(ticker="KXA-2")
    rmtree(folder)
    Lake(folder).commit(MARKETS, frame(MARKETS, a_market("KXA-9")))
    with pytest.raises(UnknownTicker):
        reader.trades(ticker="KXA-1")


def test_a_known_series_without_markets_has_no_rows(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.commit(SERIES, frame(SERIES, {"ticker": "KX", "observed_ts": at(), "source": "test"}))
    assert lake.trades(series="KX").collect().is_empty()


def test_reversed_and_naive_times_are_refused(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with pytest.raises(ReversedInterval, match="is empty: the end must come after the start"):
        lake.trades(start="2026-05-14", end="2026-05-13")
    with pytest.raises(NaiveTime, match="add tzinfo=UTC"):
        lake.quotes(start=datetime(2026, 5, 13))  # noqa: DTZ001 - on purpose


def test_markets_are_their_latest_state_with_the_series_filled_in(tmp_path: Path) -> None:
    lake = a_lake(tmp_path)
    lake.commit(MARKETS, frame(MARKETS, a_market("KXA-1", observed_ts=at(60), status="closed")))
    markets = lake.markets().collect()
    assert markets.select("ticker", "status", "series_ticker").rows() == [
        ("KXA-1", "closed", "KX"),
        ("KXA-2", "active", "KX"),
        ("KYB-1", "active", "KY"),
    ]
    assert lake.events().select("ticker", "series_ticker").collect().rows() == [("KXA", "KX"), ("KYB", "KY")]
    assert lake.series().collect().is_empty()


def test_readers_stay_lazy(tmp_path: Path) -> None:
    """Nothing is read before it is collected, so a plan can push its own filters down."""
    lake = a_lake(tmp_path)
    for rows in (lake.trades(), lake.quotes(), lake.candles(), lake.markets(), lake.markets(asof=at())):
        assert isinstance(rows, pl.LazyFrame)
