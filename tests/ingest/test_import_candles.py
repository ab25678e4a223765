"""Candles, markets and events out of Parquet files."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.ingest.errors import BadRequest, UnreadableFile
from pipelines.ingest.import_candles import import_candles
from warehouse import Lake
from warehouse.tables import CANDLES, EVENTS

NOW = datetime(2026, 11, 22, tzinfo=UTC)
OHLC = ("open", "high", "low", "close")


def a_candle(**changed: Any) -> dict[str, Any]:  # noqa: ANN401 -- any field may be changed
    """Return one hour: bid 0.40, ask 0.45, one trade of 10.5 contracts at 0.42."""
    quoted = {f"yes_bid_{each}": 0.40 for each in OHLC} | {f"yes_ask_{each}": 0.45 for each in OHLC}
    traded = {f"price_{each}": 0.42 for each in (*OHLC, "mean")} | {"price_prev": None}
    whole = {"ticker": "KXA-1-Y", "end_ts": 1_774_969_200, "volume": 10.5, "open_interest": 74.0}
    return whole | quoted | traded | changed


def a_file(path: Path, *rows: dict[str, Any]) -> Path:
    pl.DataFrame(list(rows)).with_columns(pl.col("price_prev").cast(pl.Float64)).write_parquet(path)
    return path


def candle_in(lake: Lake) -> dict[str, Any]:
    return lake.scan(CANDLES).collect().row(0, named=True)


def test_dollars_become_centicents_and_contracts_hundredths(tmp_path: Path) -> None:
    """0.29 as a float is 0.28999…: rounding to four decimals gives 2900, truncating would give 2899."""
    lake = Lake(tmp_path / "lake")
    import_candles(lake, [a_file(tmp_path / "c.parquet", a_candle(yes_bid_close=0.29))], observed_ts=NOW)
    row = candle_in(lake)
    assert (row["yes_bid_close_cc"], row["yes_ask_open_cc"], row["price_mean_cc"]) == (2_900, 4_500, 4_200)
    assert (row["volume_centi"], row["open_interest_centi"], row["period_s"]) == (1_050, 7_400, 3_600)
    assert row["end_ts"] == datetime(2026, 3, 31, 15, tzinfo=UTC)
    assert row["price_previous_cc"] is None


def test_a_side_that_nobody_quotes_is_null(tmp_path: Path) -> None:
    """A bid of 0 and an ask of 1 are boundaries, not prices; the rest of the hour keeps its quotes."""
    lake = Lake(tmp_path / "lake")
    path = a_file(tmp_path / "c.parquet", a_candle(yes_bid_low=0.0, yes_ask_high=1.0))
    import_candles(lake, [path], observed_ts=NOW)
    row = candle_in(lake)
    assert [row[name] for name in ("yes_bid_low_cc", "yes_ask_high_cc", "yes_bid_high_cc")] == [
        None,
        None,
        4_000,
    ]


def test_a_float_that_is_no_price_is_quarantined_and_a_mean_is_rounded(tmp_path: Path) -> None:
    """0.42005 dollars is finer than a centicent; a mean may be, for nothing was traded at it."""
    lake = Lake(tmp_path / "lake")
    path = a_file(
        tmp_path / "c.parquet",
        a_candle(price_open=0.42005),
        a_candle(ticker="KXB-1-Y", price_mean=0.42004),
        a_candle(ticker="KXC-1-Y", volume=0.001),
    )
    receipt = import_candles(lake, [path], observed_ts=NOW)
    assert [(bad.location, bad.field, bad.value) for bad in receipt.bad_rows] == [
        ("c.parquet:1", "price_open", "0.42005"),
        ("c.parquet:3", "volume", "0.001"),
    ]
    assert (candle_in(lake)["ticker"], candle_in(lake)["price_mean_cc"]) == ("KXB-1-Y", 4_200)


def a_market(ticker: str, **changed: Any) -> dict[str, Any]:  # noqa: ANN401 -- any field may be changed
    opens, closes = datetime(2026, 4, 9, 14), datetime(2026, 4, 11, 4, 59)  # noqa: DTZ001 -- as in the files
    texts = {"event_ticker": "KXA-1", "_series_ticker": "KXA", "market_type": "binary", "status": "finalized"}
    terms = {"yes_sub_title": "above", "no_sub_title": "not", "strike_type": "greater", "rules_primary": "If"}
    times = {"open_time": opens, "close_time": closes, "expiration_time": closes, "settlement_time": None}
    numbers = {"floor_strike": 68.0, "cap_strike": None, "volume": 0, "open_interest": 0, "result": "yes"}
    return {
        "ticker": ticker,
        **texts,
        **terms,
        **times,
        "expected_expiration_time": closes,
        **numbers,
    } | changed


def a_listing(path: Path, *rows: dict[str, Any]) -> Path:
    frame = pl.DataFrame(list(rows), infer_schema_length=None)
    frame.with_columns(
        pl.col("settlement_time").cast(pl.Datetime("ns")), pl.col("cap_strike").cast(pl.Float64)
    ).write_parquet(path)
    return path


def test_markets_come_with_results_and_a_volume_of_zero_everywhere_is_no_volume(tmp_path: Path) -> None:
    """Such zeros were written by a reader of fields that were gone; yes pays $1, no pays $0."""
    lake = Lake(tmp_path / "lake")
    listing = a_listing(tmp_path / "m.parquet", a_market("KXA-1-Y"), a_market("KXA-1-Z", result="no"))
    candles = a_file(tmp_path / "c.parquet", a_candle())
    import_candles(lake, [candles], observed_ts=NOW, markets=listing)
    yes, no = lake.markets().collect().iter_rows(named=True)
    assert (yes["result"], yes["settlement_value_cc"], no["settlement_value_cc"]) == ("yes", 10_000, 0)
    assert (yes["volume_centi"], yes["open_interest_centi"]) == (None, None)
    assert (yes["open_ts"], yes["series_ticker"]) == (datetime(2026, 4, 9, 14, tzinfo=UTC), "KXA")
    real = a_listing(tmp_path / "real.parquet", a_market("KXA-1-Y", volume=12), a_market("KXA-1-Z"))
    import_candles(lake, [candles], observed_ts=NOW.replace(hour=1), markets=real)
    assert lake.markets().collect()["volume_centi"].to_list() == [1_200, 0]


def test_events_come_along_and_importing_again_changes_nothing(tmp_path: Path) -> None:
    """Whenever it is done again: a state that did not change is no new row."""
    lake = Lake(tmp_path / "lake")
    events = tmp_path / "e.parquet"
    pl.DataFrame(
        {
            "event_ticker": ["KXA-1"],
            "series_ticker": ["KXA"],
            "title": ["Highest?"],
            "sub_title": [""],
            "category": ["Weather"],
            "mutually_exclusive": [True],
            "strike_date": [datetime(2026, 4, 10)],  # noqa: DTZ001 -- as in the files
            "strike_period": [""],
        }
    ).write_parquet(events)
    candles = a_file(tmp_path / "c.parquet", a_candle())
    import_candles(lake, [candles], observed_ts=NOW, events=events)
    event = lake.scan(EVENTS).collect().row(0, named=True)
    assert (event["strike_ts"], event["strike_period"]) == (datetime(2026, 4, 10, tzinfo=UTC), None)
    versions = lake.versions()
    import_candles(lake, [candles], observed_ts=NOW.replace(hour=9), events=events)
    assert lake.versions() == versions


def test_a_listing_older_than_the_lake_erases_nothing(tmp_path: Path) -> None:
    """A sync saw the result; the file, imported later, still calls the market active and knows no result."""
    lake = Lake(tmp_path / "lake")
    settled = a_listing(tmp_path / "new.parquet", a_market("KXA-1-Y"))
    close_ts = datetime(2026, 4, 30)  # noqa: DTZ001 -- as in the files
    stale = a_listing(
        tmp_path / "old.parquet",
        a_market("KXA-1-Y", status="active", result="", close_time=close_ts, rules_primary="", volume=7),
        a_market("KXA-1-Z", status="active", result=""),
    )
    candles = a_file(tmp_path / "c.parquet", a_candle())
    import_candles(lake, [candles], observed_ts=NOW, markets=settled)
    before = lake.markets().collect().drop("source", "observed_ts")
    import_candles(lake, [candles], observed_ts=NOW.replace(hour=5), markets=stale)
    known, fresh = lake.markets().collect().iter_rows(named=True)
    assert {name: known[name] for name in before.columns if name != "volume_centi"} == {
        name: value for name, value in before.row(0, named=True).items() if name != "volume_centi"
    }
    assert (known["status"], known["result"], known["volume_centi"]) == ("finalized", "yes", 700)
    assert (fresh["status"], fresh["result"]) == ("active", None)


@pytest.mark.parametrize(("known", "stated"), [("determined", "closed"), ("finalized", "determined")])
def test_a_market_never_goes_back_from_its_result(tmp_path: Path, known: str, stated: str) -> None:
    """With a result, the states before it are the past."""
    lake = Lake(tmp_path / "lake")
    candles = a_file(tmp_path / "c.parquet", a_candle())
    for hour, status in enumerate((known, stated)):
        listing = a_listing(tmp_path / f"{hour}.parquet", a_market("KXA-1-Y", status=status))
        import_candles(lake, [candles], observed_ts=NOW.replace(hour=hour), markets=listing)
    assert lake.markets().collect()["status"].to_list() == [known]


def test_minute_bars_are_no_hours(tmp_path: Path) -> None:
    """15:00 ends an hour, 15:01 does not: it is set aside, and the reason names the option."""
    lake = Lake(tmp_path / "lake")
    path = a_file(tmp_path / "c.parquet", *(a_candle(end_ts=1_774_969_200 + 60 * n) for n in range(3)))
    receipt = import_candles(lake, [path], observed_ts=NOW)
    assert [(bad.location, bad.field, bad.reason) for bad in receipt.bad_rows] == [
        (f"c.parquet:{line}", "end_ts", "ends no one-hour candle; see --period") for line in (2, 3)
    ]
    assert lake.scan(CANDLES).collect().height == 1
    assert import_candles(Lake(tmp_path / "minutes"), [path], observed_ts=NOW, period_s=60).n_new == 3


@pytest.mark.parametrize(("hour", "n_new"), [(4, 1), (5, 1), (0, 0), (15, 0)])
def test_a_day_ends_at_midnight_in_new_york(tmp_path: Path, hour: int, n_new: int) -> None:
    """04:00 UTC in summer, 05:00 in winter."""
    end_s = int(datetime(2026, 3, 31, hour, tzinfo=UTC).timestamp())
    path = a_file(tmp_path / "c.parquet", a_candle(end_ts=end_s))
    receipt = import_candles(Lake(tmp_path / "lake"), [path], observed_ts=NOW, period_s=86_400)
    assert receipt.n_new == n_new


def test_candles_of_another_length_do_not_exist(tmp_path: Path) -> None:
    """Two hours is no period of Kalshi's."""
    path = a_file(tmp_path / "c.parquet", a_candle())
    with pytest.raises(BadRequest, match="candles of 60, 3600 and 86400 seconds"):
        import_candles(Lake(tmp_path / "lake"), [path], observed_ts=NOW, period_s=7_200)


def test_a_file_without_the_columns_leaves_the_lake_as_it_was(tmp_path: Path) -> None:
    """Which columns are missing is told, before anything is written."""
    good = a_file(tmp_path / "c.parquet", a_candle())
    pl.DataFrame({"ticker": ["KXA-1-Y"]}).write_parquet(tmp_path / "m.parquet")
    with pytest.raises(UnreadableFile, match=r"m\.parquet: column event_ticker, .* is missing"):
        import_candles(Lake(tmp_path / "lake"), [good], observed_ts=NOW, markets=tmp_path / "m.parquet")
    assert Lake(tmp_path / "lake").versions() == {}
