"""Rebuilt books against the ticker channel and against trades: each kind of answer by hand."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.warehouse.catalogs import Row, lake_of
from tests.warehouse.rows import a_delta, a_gap, a_market, a_quote, a_snapshot, a_trade, at
from warehouse import Lake, book_quality
from warehouse.book_quality import quotes_agreement, trades_agreement
from warehouse.book_quality_tops import AGREEMENTS, classified
from warehouse.book_quality_trades import TAKINGS
from warehouse.errors import UnknownTicker

DAY = (at(-3_600), at(3_600))
_MOMENT = pl.Datetime("us", "UTC")
_TOP = {name: pl.Int64() for name in ("bid_cc", "bid_centi", "ask_cc", "ask_centi")}
MESSAGES_SCHEMA = pl.Schema(
    {"ticker": pl.String(), "session": pl.String(), "known_ts": _MOMENT, "told_ts": _MOMENT, **_TOP}
)
STATES_SCHEMA = pl.Schema(
    {
        "ticker": pl.String(),
        "from_ts": _MOMENT,
        "until_ts": _MOMENT,
        "is_known": pl.Boolean(),
        "anomaly": pl.String(),
        **_TOP,
    }
)


def a_change(seq: int, seconds: float, **changes: object) -> Row:
    """Return 5 more YES at $0.45."""
    return a_delta(seq, event_ts=at(seconds), received_ts=at(seconds)) | changes


def a_stream(ticker: str = "KXA-1", session: str = "s1") -> dict[str, list[Row]]:
    """Return a stream from noon to 60 s: 0.45 x 10 / 0.50 x 30, 20 at the bid from 10 s on."""
    of: dict[str, Any] = {"ticker": ticker, "session": session}
    end = a_gap(4, to_seq=None, from_ts=at(60), cause="session_end", tickers=[ticker], session=session)
    return {
        "book_snapshots": [a_snapshot(**of)],
        "book_deltas": [a_change(2, 10, delta_centi=1_000, **of), a_change(3, 59, price_cc=100, **of)],
        "book_gaps": [end],
    }


def a_recording(folder: Path, **rows: list[Row]) -> Lake:
    """Return a lake of one stream and these rows."""
    given = a_stream()
    return lake_of(folder, **{name: given.get(name, []) + rows.get(name, []) for name in given | rows})


def agreements(lake: Lake, *, tickers: tuple[str, ...] = ("KXA-1",)) -> list[str]:
    return quotes_agreement(lake, tickers, *DAY)["agreement"].to_list()


MESSAGES = [
    (a_quote(5), "ok"),
    (a_quote(9.8, bid_size_centi=2_000), "ok"),
    (a_quote(9.7, bid_size_centi=2_000), "ok"),
    (a_quote(9.69, bid_size_centi=2_000), "book_behind"),
    (a_quote(10.3), "ok"),
    (a_quote(10.31), "book_ahead"),
    (a_quote(12.01), "sizes"),
    (a_quote(5, bid_size_centi=1_001), "sizes"),
    (a_quote(5, ask_cc=5_100), "one_side"),
    (a_quote(5, bid_cc=None, bid_size_centi=None), "one_side"),
    (a_quote(5, bid_cc=4_400, ask_cc=5_100), "other"),
    (a_quote(-5), "unknown"),
    (a_quote(61), "unknown"),
    (a_quote(0.1, bid_cc=4_400, ask_cc=5_100), "edge"),
    (a_quote(59.9, bid_cc=4_400, ask_cc=5_100), "edge"),
    (a_quote(0.1), "ok"),
]


def test_a_message_is_right_if_the_book_passes_there_within_300_ms(tmp_path: Path) -> None:
    """Each message in a market of its own."""
    rows: dict[str, list[Row]] = {}
    for n, (quote, _) in enumerate(MESSAGES):
        stream = a_stream(f"KXA-{n:02}", f"s{n:02}")
        of = {"ticker": f"KXA-{n:02}", "session": f"s{n:02}"}
        for name, each in (stream | {"quotes": [quote | of]}).items():
            rows.setdefault(name, []).extend(each)
    tickers = tuple(f"KXA-{n:02}" for n in range(len(MESSAGES)))
    found = dict(zip(tickers, agreements(lake_of(tmp_path, **rows), tickers=tickers), strict=True))
    assert found == dict(zip(tickers, (agreement for _, agreement in MESSAGES), strict=True))


def test_a_message_that_came_late_is_held_against_the_book_as_it_was_then(tmp_path: Path) -> None:
    """The recorder is 2 s ahead: what was told at 5 s of the exchange's clock was the book at 7 s of ours."""
    quote = a_quote(5, received_ts=at(40))
    ahead = timedelta(seconds=2)
    shifted = [a_change(2, 10, received_ts=at(12), delta_centi=1_000)]
    late = lake_of(
        tmp_path, book_snapshots=[a_snapshot(captured_ts=at() + ahead)], book_deltas=shifted, quotes=[quote]
    )
    assert agreements(late) == ["late"]


def test_a_book_that_crosses_is_said_to(tmp_path: Path) -> None:
    crossing = a_change(2, 4, side="no", price_cc=5_600, delta_centi=100)
    lake = lake_of(tmp_path, book_snapshots=[a_snapshot()], book_deltas=[crossing], quotes=[a_quote(7)])
    assert agreements(lake) == ["crossed"]


def test_quotes_of_others_and_of_other_markets_are_passed_over(tmp_path: Path) -> None:
    """A log of tops has no stream beside it, and of KXA-2 nobody recorded a book."""
    quotes = [a_quote(5, session="log"), a_quote(5, ticker="KXA-2"), a_quote(6)]
    lake = a_recording(tmp_path, quotes=quotes, markets=[a_market("KXA-2")])
    assert agreements(lake, tickers=("KXA-1", "KXA-2")) == ["ok"]
    assert agreements(lake, tickers=()) == []
    with pytest.raises(UnknownTicker, match="KXA-3"):
        agreements(lake, tickers=("KXA-3",))


def test_markets_are_looked_at_as_many_at_once_as_are_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One by one or all together, and whatever the hours: the same."""
    two = [
        [row | {"ticker": ticker, "session": ticker} for row in rows]
        for ticker in ("KXA-1", "KXA-2")
        for rows in ([a_snapshot()], [a_change(2, 3)], [a_quote(1), a_quote(2, bid_cc=4_400)])
    ]
    lake = lake_of(
        tmp_path, book_snapshots=two[0] + two[3], book_deltas=two[1] + two[4], quotes=two[2] + two[5]
    )
    together = quotes_agreement(lake, ["KXA-1", "KXA-2"], *DAY)
    monkeypatch.setattr(book_quality, "ROWS_AT_ONCE", 1)
    assert quotes_agreement(lake, ["KXA-2", "KXA-1"], *DAY).equals(together)
    assert together["agreement"].to_list() == ["ok", "one_side"] * 2
    assert quotes_agreement(lake, ["KXA-1"], at(1.5), at(9))["agreement"].to_list() == ["one_side"]


def takings(lake: Lake) -> dict[str, str]:
    rows = trades_agreement(lake, ["KXA-1"], *DAY)
    return dict(rows.select("trade_id", "taking").iter_rows())


def a_loss(seq: int, seconds: float, **changes: object) -> Row:
    """Return 5 contracts off the YES bids at $0.45."""
    return a_change(seq, seconds, delta_centi=-500) | changes


def a_sale(trade_id: str, seconds: float, **changes: object) -> Row:
    """Return a trade whose taker bought NO, 5 contracts from the YES bids at $0.45."""
    return (
        a_trade(trade_id, event_ts=at(seconds), yes_price_cc=4_500, count_centi=500, taker_side="no")
        | changes
    )


def test_a_trade_takes_its_size_off_the_level_it_hits_once(tmp_path: Path) -> None:
    """Who buys YES at $0.50 takes NO bids at $0.50; a change pays for one trade only, in whatever order."""
    lake = a_recording(
        tmp_path,
        book_deltas=[
            a_loss(11, 20),
            a_loss(12, 30, side="no", price_cc=5_000, delta_centi=-700),
            a_loss(13, 40),
        ],
        trades=[
            a_sale("first", 20),
            a_sale("bought", 29.9, taker_side="yes", yes_price_cc=5_000, count_centi=700),
            a_sale("second", 40.0005),
            a_sale("third", 41),
            a_sale("more", 20, count_centi=501),
            a_sale("beside", 20, yes_price_cc=4_400),
        ],
    )
    assert takings(lake) == {
        "first": "ok",
        "bought": "ok",
        "second": "ok",
        "third": "missing",
        "more": "missing",
        "beside": "missing",
    }


def test_trades_off_the_book_or_near_a_break_are_not_held_against_it(tmp_path: Path) -> None:
    """The stream begins at 0 s and ends at 60 s; 2 s on either side decide nothing."""
    lake = a_recording(
        tmp_path,
        trades=[
            a_sale("block", 30, is_block_trade=True),
            a_sale("combo", 30, ticker="KXMVEA-1"),
            a_sale("before", -10),
            a_sale("starting", 1.9),
            a_sale("in time", 2.1),
            a_sale("ending", 58.1),
            a_sale("after", 70),
        ],
    )
    assert takings(lake) == {
        "before": "unknown",
        "starting": "unknown",
        "in time": "missing",
        "ending": "unknown",
        "after": "unknown",
    }


def test_every_stream_that_recorded_a_market_is_asked(tmp_path: Path) -> None:
    """Of two streams one lacks the change; polls are no stream."""
    lake = lake_of(
        tmp_path,
        book_snapshots=[a_snapshot(), a_snapshot(session="s2"), a_snapshot(None, session="poll")],
        book_deltas=[a_loss(2, 20), a_delta(50), a_delta(50, session="s2")],
        trades=[a_sale("one", 20)],
    )
    rows = trades_agreement(lake, ["KXA-1"], *DAY)
    assert rows.select("session", "taking").rows() == [("s1", "ok"), ("s2", "missing")]


def test_every_kind_has_its_sentence() -> None:
    for told in (AGREEMENTS, TAKINGS):
        assert all(each.endswith(".") for each in told.values())
    assert pl.Series(list(AGREEMENTS)).is_unique().all()


Spell = tuple[int, bool, int]  # how long, whether known, at which bid (0: none)


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.integers(0, 500), st.booleans(), st.integers(0, 2)), min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(-400, 3_000), st.integers(0, 2)), max_size=12),
)
def test_a_message_is_right_exactly_if_some_known_state_near_it_is_its_own(
    spells: list[Spell], messages: list[tuple[int, int]]
) -> None:
    """Milliseconds after noon; each message against each spell of the book, one by one."""
    states: list[tuple[int, int | None, bool, int]] = []
    start = 0
    for n, (length, known, bid) in enumerate(spells):
        until = None if n + 1 == len(spells) else start + length
        states.append((start, until, known, bid))
        start += length
    told = pl.DataFrame(
        [("KXA-1", "s1", _ms(at_ms), _ms(at_ms), bid, bid, 0, 0) for at_ms, bid in messages],
        schema=MESSAGES_SCHEMA,
        orient="row",
    )
    rows = [("KXA-1", _ms(a), _ms(b), known, None, bid, bid, 0, 0) for a, b, known, bid in states]
    found = classified(told, pl.DataFrame(rows, schema=STATES_SCHEMA, orient="row"))

    def is_there(at_ms: int, bid: int) -> bool:
        return any(
            known and of == bid and a <= at_ms + 300 and (b is None or b >= at_ms - 300)
            for a, b, known, of in states
        )

    def is_known(at_ms: int) -> bool:
        last = [each for each in states if each[0] <= at_ms]
        return any(known and (b is None or b >= at_ms) for _, b, known, _ in last)

    expected = sorted((at_ms, is_known(at_ms) and is_there(at_ms, bid)) for at_ms, bid in messages)
    right = found.select(pl.col("known_ts"), pl.col("agreement") == "ok").sort("known_ts", "agreement")
    assert right.rows() == [(_ms(at_ms), is_right) for at_ms, is_right in expected]


def _ms(ms: int | None) -> datetime | None:
    return None if ms is None else at(ms / 1_000)
