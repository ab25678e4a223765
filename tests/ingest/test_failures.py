"""Syncs that fail in part: the rest is done, the ledger says what is missing and why."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.ingest.errors import BadRequest
from pipelines.ingest.market_data import sync_candles, sync_fees, sync_trades
from tests.client.loopback import Asked, Reply
from tests.client.payloads import a_candle, a_market, a_series, a_trade, an_event
from tests.ingest.scripted import DAY_TS, TICKER, Scripted, synced, told
from warehouse import Lake
from warehouse.ledger import Window
from warehouse.tables import MARKETS, QUARANTINE, TRADES, WINDOWS

pytestmark = pytest.mark.slow

DAY = timedelta(days=1)


def trades() -> list[dict[str, object]]:
    """Return one trade of each of two days."""
    return [
        a_trade(1, ticker=TICKER, created_time="2026-10-01T01:30:00Z"),
        a_trade(2, ticker=TICKER, created_time="2026-10-02T01:30:00Z"),
    ]


def ledger(lake: Lake) -> list[tuple[str, str]]:
    return lake.scan(WINDOWS).sort("resource", "start_ts").select("resource", "status").collect().rows()


def test_a_window_that_fails_does_not_stop_the_ones_after_it(tmp_path: Path) -> None:
    """The first day is refused; the second day and the candles come, and the sync says what failed."""
    scripted, lake = (
        Scripted(trades=trades(), candles=[a_candle(int(DAY_TS.timestamp()) + 3_600)]),
        Lake(tmp_path / "lake"),
    )

    def hook(asked: Asked) -> Reply | None:
        is_first = asked.path == "/markets/trades" and int(asked.query["min_ts"][0]) < DAY_TS.timestamp()
        return Reply(status=400, body={"code": "bad_day", "message": "not today"}) if is_first else None

    scripted.hook = hook
    end_ts = DAY_TS + 2 * DAY
    receipts = synced(scripted, lake, ["trades", "candles"], series="KXS", start=DAY_TS, end=end_ts)
    assert [(each.resource, each.status, each.n_rows) for each in receipts] == [
        ("trades", "failed", 0),
        ("trades", "complete", 1),
        ("candles_3600", "complete", 1),
        ("candles_3600", "complete", 0),
    ]
    assert "not today" in str(receipts[0].reason)
    assert lake.missing("trades", "series:KXS", DAY_TS, end_ts) == [(DAY_TS, DAY_TS + DAY)]


def test_an_unreadable_listing_fails_the_windows_that_need_it(tmp_path: Path) -> None:
    """A market without a close time: nobody knows what to ask for; the payload is kept."""
    market = {name: value for name, value in a_market(TICKER).items() if name != "close_time"}
    scripted, lake = Scripted(markets=[market]), Lake(tmp_path / "lake")
    end_ts = DAY_TS + 2 * DAY
    receipts = synced(scripted, lake, ["trades", "candles"], series="KXS", start=DAY_TS, end=end_ts)
    assert [each.status for each in receipts] == ["failed"] * 4
    assert ledger(lake) == [("candles_3600", "failed")] * 2 + [("trades", "failed")] * 2
    kept = lake.scan(QUARANTINE).collect()
    assert set(kept["table_name"]) == {"trades", "candles"}
    assert all("close_time" in reason for reason in lake.scan(WINDOWS).collect()["reason"])
    assert synced(scripted, lake, ["trades"], series="KXS", end=end_ts)[-1].status == "failed"


@pytest.mark.parametrize("resource", ["trades", "candles_3600"])
def test_a_window_alone_that_cannot_discover_its_markets_stands_in_the_ledger(
    tmp_path: Path, resource: str
) -> None:
    """As a flow pulls it: 500 for the listing is a failed window, not an exception beside the ledger."""
    scripted, lake = Scripted(), Lake(tmp_path / "lake")
    scripted.hook = lambda asked: Reply(status=500, body={}) if asked.path == "/markets" else None
    window = Window(resource, "series:KXS", DAY_TS, DAY_TS + DAY)
    work = sync_trades if resource == "trades" else sync_candles
    receipt = told(scripted, lambda client: work(client, lake, window))
    assert (receipt.status, "500" in receipt.reason) == ("failed", True)
    assert ledger(lake) == [(resource, "failed")]


def test_terms_that_cannot_be_read_fail_the_fees_and_nothing_else(tmp_path: Path) -> None:
    """A multiplier finer than a millionth is no multiplier; the trades after it come all the same."""
    scripted, lake = (
        Scripted(series=[a_series(fee_multiplier="two")], trades=trades()),
        Lake(tmp_path / "lake"),
    )
    receipts = synced(
        scripted, lake, ["fees", "trades"], series="KXS", start=DAY_TS, end=DAY_TS + timedelta(days=1)
    )
    assert [(each.resource, each.status) for each in receipts] == [("fees", "failed"), ("trades", "complete")]
    window = Window("fees", "series:KXS", DAY_TS, DAY_TS + DAY)
    assert told(scripted, lambda client: sync_fees(client, lake, window)).status == "failed"


def test_a_late_trade_comes_with_a_reread(tmp_path: Path) -> None:
    """The window is complete; a trade that the exchange showed later is found only by asking again."""
    scripted, lake = Scripted(trades=trades()[:1]), Lake(tmp_path / "lake")
    asked: dict[str, Any] = {"series": "KXS", "start": DAY_TS, "end": DAY_TS + DAY}
    synced(scripted, lake, ["trades"], **asked)
    scripted.trades.append(a_trade(3, ticker=TICKER, created_time="2026-10-01T02:30:00Z"))
    assert synced(scripted, lake, ["trades"], **asked) == []
    (receipt,) = synced(scripted, lake, ["trades"], reread=True, **asked)
    assert (receipt.n_rows, receipt.n_new) == (2, 1)
    assert lake.scan(TRADES).select(pl.len()).collect().item() == 2


def test_a_start_in_the_future_is_refused(tmp_path: Path) -> None:
    """Nothing can be covered there; with or without an end it is a mistake."""
    lake = Lake(tmp_path / "lake")
    start_ts = datetime.now(UTC) + DAY
    for end_ts in (None, start_ts + DAY):
        with pytest.raises(BadRequest, match="in the future"):
            synced(Scripted(), lake, ["trades"], series="KXS", start=start_ts, end=end_ts)
    assert lake.versions() == {}


@pytest.mark.parametrize("scope", [{"series": "KXS"}, {}])
def test_now_is_what_the_clock_of_the_exchange_says(tmp_path: Path, scope: dict[str, str]) -> None:
    """Our clock runs an hour fast: a window until our now would be called complete before it is over."""
    scripted, lake = Scripted(clock_ahead_s=-3_600), Lake(tmp_path / "lake")
    now_ts = datetime.now(UTC)
    receipts = synced(scripted, lake, ["trades"], start=now_ts - DAY, **scope)
    expected_ts = now_ts - timedelta(hours=1, seconds=10)
    assert abs(receipts[-1].end_ts - expected_ts) < timedelta(seconds=5)


def test_a_renamed_series_is_the_markets_series_from_then_on(tmp_path: Path) -> None:
    """Of two observations of the event the later one counts, whatever order the files are in."""
    lake = Lake(tmp_path / "lake")
    for run in range(6):
        name = "KXS" if run % 2 == 0 else "KXNEW"
        scripted = Scripted(events=[an_event(series_ticker=name)], series=[a_series(name)])
        synced(scripted, lake, ["events", "markets"], series=name)
        market = lake.scan(MARKETS).sort("observed_ts").collect()["series_ticker"].to_list()
        assert market[-1] == name
