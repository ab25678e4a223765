"""Spreads, implied probabilities, calibration and boards: by hand, and against polars on what was known."""

from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

import polars as pl
import pytest

from exchange.units import DOLLAR_CC
from tests.warehouse.catalogs import Row, asked, lake_of, opened
from tests.warehouse.rows import a_candle, a_gap, a_quote, a_trade, at, frame
from warehouse import Lake
from warehouse.tables import BOOK_GAPS, CANDLES, QUOTES, TRADES, Table

IMPLIED: Final = "select prob, basis, bid, ask, last, known_ts from implied_probability('KXA-1', ?)"


def implied(lake: Lake, *seconds: float) -> list[tuple[Any, ...]]:
    with opened(lake) as connection:
        rows = [asked(connection, IMPLIED, at(each)) for each in seconds]
    return [(row["prob"], row["basis"], row["known_ts"]) for (row,) in rows]


def test_implied_is_the_middle_of_what_both_sides_quote(tmp_path: Path) -> None:
    """0.45 x 0.50 at 0 s is 0.475; the next, a second late, from 11 s; one-sided, the last trade."""
    lake = lake_of(
        tmp_path,
        quotes=[
            a_quote(0),
            a_quote(10, received_ts=at(11), bid_cc=6_000, ask_cc=6_100),
            a_quote(20, bid_cc=None, ask_cc=6_100),
        ],
        trades=[
            a_trade("t1", event_ts=at(5)),
            a_trade("t2", event_ts=at(6), yes_price_cc=1, is_block_trade=True),
        ],
    )
    assert implied(lake, -1, 0, 10, 11, 20, 99) == [
        (None, None, None),
        (0.475, "mid", at(0)),
        (0.475, "mid", at(0)),
        (0.605, "mid", at(11)),
        (0.56, "last", at(5)),
        (0.56, "last", at(5)),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"bid_cc": 5_000, "ask_cc": 5_000},
        {"bid_cc": 6_000, "ask_cc": 5_000},
        {"bid_cc": 0},
        {"ask_cc": DOLLAR_CC},
        {"bid_size_centi": 0},
        {"ask_cc": None},
    ],
)
def test_a_quote_that_is_none_gives_the_last_price(tmp_path: Path, changes: dict[str, Any]) -> None:
    """Locked, crossed, at $0 or $1, without size, without a side: the last price told, 0.48."""
    assert implied(lake_of(tmp_path, quotes=[a_quote(0, **changes)]), 1) == [(0.48, "last", at(0))]


@pytest.mark.parametrize("cause", ["session_end", "killed", "unsubscribed"])
def test_a_recording_that_ended_quotes_no_more(tmp_path: Path, cause: str) -> None:
    """However it ended. Its last quote is of 10 s; the end is noted at 9 s by a clock that is behind."""
    lake = lake_of(
        tmp_path,
        quotes=[a_quote(0), a_quote(10)],
        book_gaps=[a_gap(9, cause=cause, to_seq=None, from_ts=at(9))],
    )
    assert implied(lake, 10, 10.5) == [(0.475, "mid", at(10)), (0.48, "last", at(10))]


def test_the_end_of_one_recording_blinds_nobody_while_another_goes_on(tmp_path: Path) -> None:
    """T records from 2 s on: the end of s at 5 s tells nothing, that of t at 30 s does, in backtests too."""
    lake = lake_of(
        tmp_path,
        quotes=[a_quote(0), a_quote(2, session="t", bid_cc=4_700)],
        book_gaps=[
            a_gap(5, cause="killed", to_seq=None, from_ts=at(5)),
            a_gap(30, session="t", cause="session_end", to_seq=None, from_ts=at(30)),
        ],
    )
    assert implied(lake, 10, 29, 31) == [(0.485, "mid", at(2)), (0.485, "mid", at(2)), (0.48, "last", at(2))]


def test_candles_speak_where_nobody_recorded(tmp_path: Path) -> None:
    """The minute's close at 60 s, not the hour's. At 120 s nobody knew that the recording would go on."""
    bars = [
        a_candle(period_s=60, end_ts=at(60), yes_bid_close_cc=2_000, yes_ask_close_cc=2_200),
        a_candle(period_s=60, end_ts=at(120), yes_bid_close_cc=9_000, yes_ask_close_cc=9_200),
        a_candle(period_s=3_600, end_ts=at(60), yes_bid_close_cc=100, yes_ask_close_cc=200),
    ]
    lake = lake_of(tmp_path, candles=bars, quotes=[a_quote(90), a_quote(150)])
    assert implied(lake, 59, 60, 90, 119, 120, 150) == [
        (None, None, None),
        (0.21, "mid", at(60)),
        (0.475, "mid", at(90)),
        (0.475, "mid", at(90)),
        (0.91, "mid", at(120)),
        (0.475, "mid", at(150)),
    ]


@pytest.mark.parametrize("ends", [[], [a_gap(9, cause="session_end", to_seq=None, from_ts=at(300))]])
def test_a_candle_that_ended_after_the_recording_speaks(tmp_path: Path, ends: list[Row]) -> None:
    """Quotes until 12:05, whether or not the end is on record; the hour's close at 13:00 is .60 x .62."""
    bar = a_candle(end_ts=at(3_600), yes_bid_close_cc=6_000, yes_ask_close_cc=6_200)
    given = {"book_gaps": ends} if ends else {}
    lake = lake_of(tmp_path, quotes=[a_quote(0), a_quote(300)], candles=[bar], **given)
    assert implied(lake, 300, 3_600, 5_400) == [
        (0.475, "mid", at(300)),
        (0.61, "mid", at(3_600)),
        (0.61, "mid", at(3_600)),
    ]


def test_minutes_of_the_evening_silence_no_hour_of_the_day(tmp_path: Path) -> None:
    """Hours to 11:00 at .20 x .22 and to 12:00 at .50 x .52; the minute of 20:00 is the first."""
    bars = [
        a_candle(end_ts=at(-3_600), yes_bid_close_cc=2_000, yes_ask_close_cc=2_200),
        a_candle(end_ts=at(0), yes_bid_close_cc=5_000, yes_ask_close_cc=5_200),
        a_candle(end_ts=at(28_800), period_s=60, yes_bid_close_cc=7_000, yes_ask_close_cc=7_200),
        a_candle(end_ts=at(28_800), yes_bid_close_cc=100, yes_ask_close_cc=200),
    ]
    lake = lake_of(tmp_path, candles=bars)
    assert implied(lake, -1, 30, 28_800) == [
        (0.21, "mid", at(-3_600)),
        (0.51, "mid", at(0)),
        (0.71, "mid", at(28_800)),
    ]


def made_up(seed: int) -> dict[str, list[Row]]:
    """Return quotes of two recordings, both or one of which end, candles and trades, within two minutes."""
    chance = Random(seed)
    tickers = [f"KXA-{number}" for number in range(3)]

    def side(low: int, high: int) -> int | None:
        return chance.choice([None, 0, DOLLAR_CC, *([chance.randint(low, high)] * 9)])

    quotes = {}
    for _ in range(120):
        ticker, session, second = chance.choice(tickers), chance.choice("ab"), chance.randint(0, 110)
        received = at(second + chance.choice([-1, 0, 0, 2, 5])) if chance.random() < 0.9 else None
        quotes[ticker, session, second, received] = a_quote(
            second,
            ticker=ticker,
            session=session,
            received_ts=received,
            bid_cc=side(1_000, 5_000),
            ask_cc=side(4_800, 9_000),
            last_price_cc=chance.choice([None, 4_000, 5_000]),
        )
    candles = [
        a_candle(
            ticker=ticker, period_s=period_s, end_ts=at(end_s), yes_bid_close_cc=side(1_000, 5_000),
            yes_ask_close_cc=side(4_800, 9_000), price_close_cc=chance.choice([None, 3_000]),
        )
        for ticker in tickers
        for period_s, ends in ((10, range(0, 120, 10)), (60, (0, 60, 120)))
        for end_s in ends
        if chance.random() < 0.6
    ]  # fmt: skip
    trades = [
        a_trade(f"t{n}", ticker=chance.choice(tickers), event_ts=at(chance.randint(30, 120)),
                yes_price_cc=chance.randint(1, 9_999), is_block_trade=chance.random() < 0.2)
        for n in range(20)
    ]  # fmt: skip
    ends = [
        a_gap(1, session=session, cause="session_end", to_seq=None, tickers=named, from_ts=at(second))
        for session, named, second in (("a", tickers[:2], 70), ("b", tickers[:1], 90), ("b", tickers[2:], 50))
    ]
    return {"quotes": list(quotes.values()), "candles": candles, "trades": trades, "book_gaps": ends}


KNOWN: Final[dict[str, Table]] = {
    "quotes": QUOTES,
    "candles": CANDLES,
    "trades": TRADES,
    "book_gaps": BOOK_GAPS,
}


def known_by(rows: dict[str, list[Row]], at_ts: datetime) -> dict[str, list[Row]]:
    """Return the rows that were known at a moment, by the declared rule of each table."""
    return {
        name: known
        for name, table in KNOWN.items()
        if (known := frame(table, *rows[name]).filter(table.known_ts.expr <= at_ts).to_dicts())
    }


def by_the_book(lake: Lake, ticker: str, at_ts: datetime) -> tuple[float | None, str | None]:
    """Return implied probability and basis of what the lake's own readers give, without SQL."""
    shown = lake.quotes(ticker=[ticker]).collect() if lake.version(QUOTES) or lake.version(CANDLES) else None
    rows = [] if shown is None else shown.to_dicts()
    gaps = lake.scan(BOOK_GAPS).collect().to_dicts()
    spans: dict[str, tuple[datetime, datetime | None]] = {}
    for session in {row["session"] for row in rows if row["source"] != "candles"}:
        ended = [gap for gap in gaps if gap["session"] == session and ticker in gap["tickers"]]
        known = [row["known_ts"] for row in rows if row["session"] == session]
        stop = max(*known, *(gap["from_ts"] for gap in ended)) if ended else None
        spans[session] = min(known), stop and stop + timedelta(microseconds=1)
    for session, (_, end) in spans.items():
        others = [span for name, span in spans.items() if name != session]
        if end and not any(start <= end and (stop is None or stop > end) for start, stop in others):
            rows.append({"known_ts": end, "session": session, "bid_cc": None, "ask_cc": None})
    rows = sorted((row for row in rows if row["known_ts"] <= at_ts), key=happened)
    trades = lake.scan(TRADES).filter(pl.col("ticker") == ticker, ~pl.col("is_block_trade"))
    printed = trades.sort("event_ts", "trade_id").collect()["yes_price_cc"].to_list()
    if rows:
        bid, ask = rows[-1]["bid_cc"], rows[-1]["ask_cc"]
        if bid is not None and ask is not None and 0 < bid < ask < DOLLAR_CC:
            return (bid + ask) / 20_000, "mid"
    told = printed or [row["last_price_cc"] for row in rows if row.get("last_price_cc") is not None]
    return (told[-1] / 10_000, "last") if told else (None, None)


def happened(row: Row) -> tuple[datetime, datetime, str]:
    """Say when what a row tells happened; of two recorders one may tell it later."""
    age = row.get("quote_age") or timedelta(0)
    return row["known_ts"] - age, row["known_ts"], row["session"]


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.long)])
def test_it_says_at_any_moment_what_a_lake_that_ends_there_says(tmp_path: Path, seed: int) -> None:
    """No look-ahead, and the readers' rules: each moment against a lake of what was known by then."""
    rows = made_up(seed)
    moments = [at(second + fraction) for second in range(-1, 125, 18) for fraction in (0, 0.000_001)]
    with opened(lake_of(tmp_path / "whole", **rows)) as connection:
        for number, at_ts in enumerate(moments):
            past = lake_of(
                tmp_path / f"past{number}", **{n: r for n, r in known_by(rows, at_ts).items() if r}
            )
            for ticker in ("KXA-0", "KXA-1", "KXA-2"):
                (row,) = asked(connection, IMPLIED.replace("KXA-1", ticker), at_ts)
                assert (row["prob"], row["basis"]) == by_the_book(past, ticker, at_ts), (ticker, at_ts)
