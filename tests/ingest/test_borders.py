"""Rows at the edges of windows and of tiers: none may fall between."""

from datetime import datetime, timedelta
from itertools import count, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.client import Client
from pipelines.ingest.market_data import sync_candles, sync_trades
from tests.client.loopback import Asked, Reply
from tests.client.payloads import a_candle, a_market, a_trade
from tests.ingest.scripted import DAY_TS, TICKER, Scripted, synced, told
from warehouse import Lake
from warehouse.ledger import Window
from warehouse.tables import CANDLES, TRADES, WINDOWS

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def bars(n_bars: int, every: timedelta = HOUR) -> list[dict[str, object]]:
    """Return bars that end one period after the opening, two periods after it, and so on."""
    return [a_candle(int((DAY_TS + (at + 1) * every).timestamp())) for at in range(n_bars)]


def ends_in(lake: Lake) -> list[datetime]:
    ends: list[datetime] = lake.scan(CANDLES).sort("end_ts").collect()["end_ts"].to_list()
    return ends


@pytest.mark.slow
def test_bars_that_end_within_the_last_second_of_a_window_come(tmp_path: Path) -> None:
    """Five syncs, each until now less ten seconds and some microseconds; the bars end on full minutes.

    At 00:05:10.4 the window ends at 00:05:00.4, so the bar of 00:05 belongs to it.
    """
    scripted, lake = Scripted(candles=bars(60, timedelta(minutes=1))), Lake(tmp_path / "lake")
    first_ts = DAY_TS + timedelta(minutes=5, seconds=10, microseconds=400_000)
    for run in range(5):
        at_ts = first_ts + run * timedelta(minutes=10)
        synced(scripted, lake, ["candles"], ticker=TICKER, period_s=60, start=DAY_TS, now=lambda at=at_ts: at)
    assert [end_ts.minute for end_ts in ends_in(lake)] == [*range(1, 46)]


@pytest.mark.slow
@given(
    st.lists(
        # Around the ends of bars, a second and less away, is where they would fall between.
        st.builds(
            lambda hour, offset_us: hour * 3_600_000_000 + offset_us,
            st.integers(1, 11),
            st.one_of(
                st.sampled_from([-1_000_000, -1, 0, 1, 999_999, 1_000_000]),
                st.integers(-2_000_000, 2_000_000),
                st.integers(-1_800_000_000, 1_800_000_000),
            ),
        ),
        max_size=4,
    )
)
@settings(max_examples=5)
def test_wherever_a_span_is_cut_into_windows_every_bar_comes_once(cuts_us: list[int]) -> None:
    """`[start, end)` holds the bars that end in it; adjacent windows hold them all, and none twice."""
    edges = sorted({0, 12 * 3_600_000_000, *cuts_us})
    windows = [
        Window(
            "candles_3600",
            "series:KXS",
            DAY_TS + timedelta(microseconds=first),
            DAY_TS + timedelta(microseconds=last),
        )
        for first, last in pairwise(edges)
    ]
    with TemporaryDirectory() as folder:
        lake = Lake(Path(folder) / "lake")

        async def all_of_them(client: Client) -> list[int]:
            return [(await sync_candles(client, lake, each)).n_rows for each in windows]

        n_rows = told(Scripted(candles=bars(20)), all_of_them)
        # The bar that ends at 12:00 lies outside `[00:00, 12:00)`: eleven.
        assert len(ends_in(lake)) == sum(n_rows) == 11


@pytest.mark.slow
def test_a_daily_bar_that_ends_long_after_the_close_comes_with_the_next_window(tmp_path: Path) -> None:
    """The market closes at 00:00 on 3 October; its last daily bar ends at 04:00 (New York) that day."""
    end_s = int((DAY_TS + 2 * DAY + 4 * HOUR).timestamp())
    lake = Lake(tmp_path / "lake")
    window = Window("candles_86400", "series:KXS", DAY_TS + 2 * DAY + 2 * HOUR, DAY_TS + 3 * DAY)
    told(Scripted(candles=[a_candle(end_s)]), lambda client: sync_candles(client, lake, window))
    assert len(ends_in(lake)) == 1


@pytest.mark.slow
@pytest.mark.parametrize("n_cutoffs", [2, 3, 4])
def test_a_market_that_is_archived_between_two_windows_keeps_its_bars(tmp_path: Path, n_cutoffs: int) -> None:
    """It is discovered live; then, before the border is asked for the nth time, it has left."""
    scripted, lake, seen = Scripted(candles=bars(47)), Lake(tmp_path / "lake"), []

    def hook(asked: Asked) -> Reply | None:
        if asked.path == "/historical/cutoff":
            seen.append(asked)
            if len(seen) == n_cutoffs:
                scripted.archive()
        return None

    scripted.hook = hook
    receipts = synced(scripted, lake, ["candles"], series="KXS", start=DAY_TS, end=DAY_TS + 2 * DAY)
    assert [each.status for each in receipts] == ["complete", "complete"]
    assert len(ends_in(lake)) == 47


@pytest.mark.slow
def test_a_market_that_is_archived_right_after_its_discovery_keeps_its_bars(tmp_path: Path) -> None:
    """One window alone, as a flow pulls it: listed, gone, and met again in the archive."""
    scripted, lake = Scripted(candles=bars(23)), Lake(tmp_path / "lake")

    def hook(asked: Asked) -> Reply | None:
        if asked.path == "/markets/candlesticks" and scripted.markets:
            scripted.archive()
        return None

    scripted.hook = hook
    window = Window("candles_3600", "series:KXS", DAY_TS, DAY_TS + DAY)
    told(scripted, lambda client: sync_candles(client, lake, window))
    assert len(ends_in(lake)) == 23


@pytest.mark.slow
def test_a_trade_right_on_the_border_is_asked_of_the_archive_too(tmp_path: Path) -> None:
    """The window begins where the live tier begins; nobody promises which tier has a trade of that moment."""
    scripted, lake = Scripted(cutoff="2026-10-01T00:00:00Z"), Lake(tmp_path / "lake")
    trade = a_trade(ticker=TICKER, created_time="2026-10-01T00:00:00Z")

    def hook(asked: Asked) -> Reply | None:
        is_archive = asked.path == "/historical/trades"
        return Reply(body={"trades": [trade], "cursor": ""}) if is_archive else None

    scripted.hook = hook
    synced(scripted, lake, ["trades"], series="KXS", start=DAY_TS, end=DAY_TS + DAY)
    assert lake.scan(TRADES).collect()["trade_id"].to_list() == ["trade-1"]


def test_all_that_a_window_reads_from_a_tier_has_the_time_when_that_began(tmp_path: Path) -> None:
    """Two pages from each tier, and a clock that moves a minute whenever somebody looks at it."""
    scripted, lake = Scripted(cutoff="2026-10-01T12:00:00Z"), Lake(tmp_path / "lake")
    minutes = count()

    def hook(asked: Asked) -> Reply | None:
        hours = {"/markets/trades": 13, "/historical/trades": 11}
        if asked.path not in hours:
            return None
        number = hours[asked.path] + 100 * ("cursor" in asked.query)
        trade = a_trade(number, ticker=TICKER, created_time=f"2026-10-01T{hours[asked.path]}:00:00Z")
        return Reply(body={"trades": [trade], "cursor": "" if number > 100 else "more"})

    def now() -> datetime:
        return DAY_TS + timedelta(days=1, minutes=next(minutes))

    scripted.hook = hook
    window = Window("trades", "all", DAY_TS, DAY_TS + DAY)
    told(scripted, lambda client: sync_trades(client, lake, window, now=now))
    rows = lake.scan(TRADES).sort("trade_id").select("trade_id", "source", "fetched_ts").collect()
    assert rows["trade_id"].to_list() == ["trade-11", "trade-111", "trade-113", "trade-13"]
    assert rows["source"].to_list() == ["historical", "historical", "rest", "rest"]
    archived_ts, live_ts = rows["fetched_ts"][0], rows["fetched_ts"][2]
    assert rows["fetched_ts"].to_list() == [archived_ts, archived_ts, live_ts, live_ts]
    assert lake.scan(WINDOWS).collect()["asked_ts"].item() < live_ts < archived_ts


def archive_asked(scripted: Scripted) -> list[str]:
    """Let a scripted exchange note what it is asked of the archive, the border aside."""
    paths: list[str] = []

    def hook(asked: Asked) -> Reply | None:
        if asked.path.startswith("/historical/") and asked.path != "/historical/cutoff":
            paths.append(asked.path)
        return None

    scripted.hook = hook
    return paths


@pytest.mark.slow
def test_recent_windows_do_not_list_the_archive(tmp_path: Path) -> None:
    """The window begins two days after the border; what is archived had its last bar a day after it."""
    scripted = Scripted(candles=bars(47), cutoff="2026-09-29T00:00:00Z")
    paths = archive_asked(scripted)
    windows = {"start": DAY_TS, "end": DAY_TS + DAY}
    synced(scripted, Lake(tmp_path / "recent"), ["candles"], series="KXS", **windows)
    # A sync looks a month further back, for windows that it may have to read again.
    assert paths == ["/historical/markets"]
    window = Window("candles_3600", "series:KXS", DAY_TS, DAY_TS + DAY)
    told(scripted, lambda client: sync_candles(client, Lake(tmp_path / "lake"), window))
    assert paths == ["/historical/markets"]
    scripted.cutoff = "2026-09-30T00:00:00Z"
    told(scripted, lambda client: sync_candles(client, Lake(tmp_path / "lake"), window))
    assert paths == ["/historical/markets"] * 2


@pytest.mark.slow
def test_a_market_that_leaves_while_recent_windows_are_listed_keeps_its_bars(tmp_path: Path) -> None:
    """The border is old when it is read first; then the market leaves before the live tier is listed."""
    scripted, lake = Scripted(candles=bars(23), cutoff="2026-08-01T00:00:00Z"), Lake(tmp_path / "lake")

    def hook(asked: Asked) -> Reply | None:
        if asked.path == "/markets" and scripted.markets:
            scripted.archive()
        return None

    scripted.hook = hook
    window = Window("candles_3600", "series:KXS", DAY_TS, DAY_TS + DAY)
    told(scripted, lambda client: sync_candles(client, lake, window))
    assert len(ends_in(lake)) == 23


@pytest.mark.slow
@pytest.mark.parametrize(("settled", "n_asked"), [("2026-10-03T23:59:59Z", 1), ("2026-10-04T00:00:02Z", 0)])
def test_only_markets_behind_a_border_that_moved_are_sought_in_the_archive(
    tmp_path: Path, settled: str, n_asked: int
) -> None:
    """The border moves to 4 October after the bars came: whose market settled later is live as before."""
    times = {"open_time": "2026-10-01T00:00:00Z", "close_time": "2026-10-03T00:00:00Z"}
    scripted = Scripted(markets=[a_market(TICKER, settlement_ts=settled, **times)], candles=bars(23))
    paths: list[str] = []

    def hook(asked: Asked) -> Reply | None:
        paths.append(asked.path)
        if asked.path == "/markets/candlesticks":
            scripted.cutoff = "2026-10-04T00:00:00Z"
        return None

    scripted.hook = hook
    window = Window("candles_3600", "series:KXS", DAY_TS, DAY_TS + DAY)
    lake = Lake(tmp_path / "lake")
    told(scripted, lambda client: sync_candles(client, lake, window))
    assert paths.count(f"/historical/markets/{TICKER}/candlesticks") == n_asked
    assert len(ends_in(lake)) == 23
