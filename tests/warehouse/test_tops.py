"""Quotes come from recordings where there are any, else from the closes of candles."""

from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

import polars as pl
import pytest

from tests.warehouse.catalogs import Row, asked, lake_of, opened
from tests.warehouse.rows import a_candle, a_gap, a_quote, at, frame
from warehouse import Lake
from warehouse.known import KnownLake
from warehouse.macros.tops import TOPS
from warehouse.tables import CANDLES
from warehouse.tape_schemas import BREAKS

MINUTE: Final = 60
HOUR: Final = 3_600
DAY: Final = 86_400


def bars(period_s: int, *ends: float) -> list[Row]:
    return [a_candle(period_s=period_s, end_ts=at(end)) for end in ends]


def an_end(seconds: float, **changes: object) -> Row:
    return a_gap(9, cause="session_end", to_seq=None, from_ts=at(seconds)) | changes


def closes(lake: Lake | KnownLake, **among: Any) -> list[tuple[str, float]]:  # noqa: ANN401 -- of Lake.quotes
    """Return the candles whose closes speak: their session, and when they end, in seconds after noon."""
    shown = lake.quotes(**among).filter(pl.col("source") == "candles").collect()
    return [
        (name, (known_ts - at()).total_seconds()) for name, known_ts in shown["session", "known_ts"].rows()
    ]


def test_the_close_of_a_candle_is_a_quote_without_sizes_known_at_its_end(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.commit(CANDLES, frame(CANDLES, a_candle(end_ts=at(), yes_bid_close_cc=4_500, yes_ask_close_cc=None)))
    row = lake.quotes().collect().row(0, named=True)
    assert (row["known_ts"], row["bid_cc"], row["ask_cc"]) == (at(), 4_500, None)
    assert (row["bid_size_centi"], row["source"], row["session"]) == (None, "candles", "candles_3600")
    assert row["quote_age"] == timedelta(0)


def test_a_candle_is_silent_from_the_first_quote_of_a_recording_to_its_last(tmp_path: Path) -> None:
    """However long the recording has nothing to tell; before it and after it they speak."""
    quotes = [a_quote(60), a_quote(600)]
    ends = (0, 59.999_999, 60, 120, 300, 540, 600, 600.000_001, 660)
    lake = lake_of(tmp_path, quotes=quotes, candles=bars(MINUTE, *ends))
    assert [end for _, end in closes(lake)] == [0, 59.999_999, 600.000_001, 660]


def test_a_recording_goes_on_until_the_end_on_record(tmp_path: Path) -> None:
    """Its last quote is of 12:05. It ended at 14:00; the hole before was none of its ends."""
    lake = lake_of(
        tmp_path,
        quotes=[a_quote(0), a_quote(300)],
        candles=bars(HOUR, 0, HOUR, 2 * HOUR, 3 * HOUR),
        book_gaps=[a_gap(3, from_ts=at(400)), an_end(2 * HOUR)],
    )
    assert closes(lake) == [("candles_3600", 3 * HOUR)]


def test_no_recording_ends_before_its_last_quote(tmp_path: Path) -> None:
    """The recorder's clock noted the end 10 s before what the exchange's clock says of the last quote."""
    lake = lake_of(
        tmp_path, quotes=[a_quote(0), a_quote(70)], candles=bars(MINUTE, 60, 120), book_gaps=[an_end(55)]
    )
    assert closes(lake) == [("candles_60", 120)]


def test_the_end_of_one_recording_lets_no_candle_speak_while_another_goes_on(tmp_path: Path) -> None:
    """S from 0 s to 600 s, t from 60 s to 120 s, u of another market; the end of t is on record."""
    quotes = [
        *(a_quote(each) for each in (0, 600)),
        *(a_quote(each, session="t") for each in (60, 120)),
        *(a_quote(each, session="u", ticker="KXA-2") for each in (0, 9_000)),
    ]
    lake = lake_of(
        tmp_path,
        quotes=quotes,
        candles=bars(MINUTE, 180, 660),
        book_gaps=[an_end(120, session="t")],
    )
    assert closes(lake) == [("candles_60", 660)]


def test_a_recording_counts_whole_whatever_days_are_asked_for(tmp_path: Path) -> None:
    """Its quotes are three days before and after what is asked for."""
    lake = lake_of(tmp_path, quotes=[a_quote(-3 * DAY), a_quote(3 * DAY)], candles=bars(HOUR, 0, 4 * DAY))
    for among in ({}, {"ticker": "KXA-1"}, {"start": at(-60), "end": at(60)}):
        assert ("candles_3600", 0) not in closes(lake, **among)
    assert closes(lake, start=at(4 * DAY)) == [("candles_3600", 4 * DAY)]


def test_of_candles_the_shortest_speak(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, candles=bars(HOUR, 0) + bars(MINUTE, -60))
    assert closes(lake) == [("candles_60", -60)]


def test_a_short_candle_is_heard_instead_of_the_bar_that_it_lies_in_alone(tmp_path: Path) -> None:
    """Minutes from 20:00 to 20:59 leave out the hours to 20:00 and 21:00, and the day to midnight."""
    hours = [hour * HOUR for hour in range(-11, 12)]
    minutes = [8 * HOUR + minute * MINUTE for minute in range(60)]
    lake = lake_of(
        tmp_path, candles=bars(HOUR, *hours) + bars(MINUTE, *minutes) + bars(DAY, -12 * HOUR, 12 * HOUR)
    )
    spoken = [(f"candles_{HOUR}", hour) for hour in hours if hour not in (8 * HOUR, 9 * HOUR)]
    spoken += [(f"candles_{MINUTE}", minute) for minute in minutes]
    spoken += [(f"candles_{DAY}", -12 * HOUR)]
    assert sorted(closes(lake)) == sorted(spoken)


@pytest.mark.parametrize(
    ("end", "speaks"), [(-HOUR, True), (-HOUR + 0.000_001, False), (0, False), (1, True)]
)
def test_a_bar_begins_after_its_start_and_ends_with_its_end(
    tmp_path: Path,
    end: float,
    speaks: bool,  # noqa: FBT001 -- a parameter of the test
) -> None:
    """A minute that ended when the hour began was not in it."""
    lake = lake_of(tmp_path, candles=bars(HOUR, 0) + bars(MINUTE, end))
    assert (("candles_3600", 0) in closes(lake)) is speaks


def test_a_candle_that_a_recording_silenced_silences_no_other(tmp_path: Path) -> None:
    """Recorded until 12:35, minutes until 12:30: the hour's close at 13:00 is all there is from then on."""
    minutes = [minute * MINUTE for minute in range(1, 31)]
    lake = lake_of(
        tmp_path, quotes=[a_quote(0), a_quote(35 * 60)], candles=bars(HOUR, HOUR) + bars(MINUTE, *minutes)
    )
    assert closes(lake) == [("candles_3600", HOUR)]


def test_what_was_shown_at_noon_is_shown_whatever_candles_come_in_the_evening(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, candles=bars(HOUR, -HOUR, 0))
    before = closes(lake)
    lake.commit(CANDLES, frame(CANDLES, *bars(MINUTE, *(8 * HOUR + each for each in range(0, HOUR, MINUTE)))))
    assert [each for each in closes(lake) if each[1] <= 0] == before == closes(lake.known_by(at(60)))


def test_the_sessions_of_candles_of_several_lengths_can_be_read(tmp_path: Path) -> None:
    """Five bars of three lengths on five days, one of them silent: polars once panicked on their names."""
    lake = lake_of(
        tmp_path,
        quotes=[a_quote(-49.93 * HOUR)],
        candles=bars(HOUR, 27 * HOUR, -6 * HOUR, 45 * HOUR)
        + bars(MINUTE, -51.2 * HOUR)
        + bars(DAY, -32 * HOUR),
    )
    lengths = (MINUTE, HOUR, HOUR, HOUR)
    assert [name for name, _ in closes(lake, ticker="KXA-1")] == [f"candles_{each}" for each in lengths]


def test_a_lake_without_either_has_no_quotes(tmp_path: Path) -> None:
    assert Lake(tmp_path).quotes().collect().is_empty()


def a_tape(seed: int) -> dict[str, list[Row]]:
    """Return recordings of two markets, some that end, within an hour, and bars of three lengths around them.

    Times are whole tens of seconds, so that many fall together.
    """
    chance = Random(seed)
    tickers = ["KXA-1", "KXA-2"]

    def some() -> int:
        return 10 * chance.randint(-30, 390)

    quotes = {
        (ticker, session, second): a_quote(second, ticker=ticker, session=session)
        for session in "abcd"
        for ticker in tickers
        if chance.random() < 0.6
        for second in (some() // 4 * 4 for _ in range(chance.randint(1, 4)))
    }
    ends = {
        (session, second): a_gap(
            second + 1_000,
            session=session,
            cause=chance.choice(["session_end", "unsubscribed", "hole", "missed_poll"]),
            tickers=chance.sample(tickers, chance.randint(1, 2)),
            from_ts=at(second),
        )
        for session in "abcd"
        for second in (some() for _ in range(chance.randint(0, 2)))
    }
    candles = [
        a_candle(ticker=ticker, period_s=period_s, end_ts=at(end))
        for ticker in tickers
        for period_s in (20, 300, 1_800)
        for end in range(-1_800, 4_000, period_s)
        if chance.random() < 0.4
    ]
    return {"quotes": list(quotes.values()), "book_gaps": list(ends.values()), "candles": candles}


def is_recorded(rows: dict[str, list[Row]], ticker: str, at_ts: datetime) -> bool:
    """Tell whether a recording of the market was going on, by its first quote, its last one and its ends."""
    for session in "abcd":
        told = [
            each["event_ts"]
            for each in rows["quotes"]
            if (each["ticker"], each["session"]) == (ticker, session)
        ]
        ends = [
            gap["from_ts"]
            for gap in rows["book_gaps"]
            if gap["session"] == session and ticker in gap["tickers"] and gap["cause"] not in BREAKS
        ]
        if told and min(told) <= at_ts <= max(told + ends):
            return True
    return False


def by_hand(rows: dict[str, list[Row]]) -> list[tuple[str, str, datetime]]:
    """Return ticker, session and time of the closes that speak, bar by bar."""
    left = [each for each in rows["candles"] if not is_recorded(rows, each["ticker"], each["end_ts"])]
    return sorted(
        (bar["ticker"], f"candles_{bar['period_s']}", bar["end_ts"])
        for bar in left
        if not any(
            each["ticker"] == bar["ticker"]
            and each["period_s"] < bar["period_s"]
            and bar["end_ts"] - timedelta(seconds=bar["period_s"]) < each["end_ts"] <= bar["end_ts"]
            for each in left
        )
    )


EVER: Final = "'9999-12-31 00:00:00+00'::timestamptz"


@pytest.mark.parametrize("seed", [1, 2, pytest.param(3, marks=pytest.mark.long)])
def test_readers_and_macros_choose_the_closes_that_are_left_bar_by_bar(tmp_path: Path, seed: int) -> None:
    rows = a_tape(seed)
    lake, right = lake_of(tmp_path, **rows), by_hand(rows)
    assert 10 < len(right) < len(rows["candles"]) - 50
    columns = ("ticker", "session", "event_ts")
    shown = lake.tops(["KXA-1", "KXA-2"]).filter(pl.col("source") == "candles").select(columns)
    assert sorted(shown.collect().rows()) == right
    named = lake.quotes().filter(pl.col("source") == "candles").select("ticker", "session", "known_ts")
    assert sorted(named.collect().rows()) == right
    query = f"with asked as (select unnest(['KXA-1', 'KXA-2']) as ticker, {EVER} as at_ts), {TOPS} from tops"
    with opened(lake) as connection:
        found = [each for each in asked(connection, query) if each["source"] != "session_end"]
    chosen = [tuple(each[name] for name in columns) for each in found if each["source"] == "candles"]
    assert sorted(chosen) == right
    assert len(found) - len(chosen) == len(rows["quotes"])
