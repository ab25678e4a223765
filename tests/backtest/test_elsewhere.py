"""Where placebos come to stand: events move as wholes, and what belongs together stays together."""

from typing import Final

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

import backtest as bt
from backtest.elsewhere import Decisions, Event, decisions
from backtest.kernels.arrays import NEVER
from backtest.stages import SharedLake
from exchange.units import to_us
from tests.backtest.worlds import a_lake, a_market, a_plan, a_quote, at

SERIES: Final = ("S", "T", None)


@st.composite
def some_decisions(draw: st.DrawFn) -> Decisions:
    """Return up to 8 events of one to three markets, some without decisions or data, or over by then.

    Every row has an intent of its own, a number.
    """
    events, rows = list[Event](), list[tuple[str, int]]()
    for number in range(draw(st.integers(1, 8))):
        names = [f"{number}-{letter}" for letter in "ABC"[: draw(st.integers(1, 3))]]
        wanted = {name: draw(st.lists(st.integers(0, 99), max_size=3)) for name in names}
        open_to = tuple(name for name in names if draw(st.booleans()))
        first_us = min((us for each in wanted.values() for us in each), default=NEVER)
        until_us = draw(st.integers(0, 120)) if open_to else -1
        close_us = draw(st.one_of(st.just(until_us), st.integers(max(0, until_us), 200)))
        series, of = draw(st.sampled_from(SERIES)), tuple(name for name in names if wanted[name])
        events.append(Event(f"E{number}", series, first_us, until_us, close_us, of, open_to))
        rows += [(name, us) for name in names for us in wanted[name]]
    drawn = [(*each, number) for number, each in enumerate(draw(st.permutations(rows)))]
    frame = pl.DataFrame(drawn, {"ticker": pl.String, "known_ts": pl.Int64, "intent": pl.Int64}, orient="row")
    told = frame.with_columns(pl.col("known_ts").cast(pl.Datetime("us", "UTC")))
    return Decisions(told, tuple(sorted(events, key=lambda each: (each.series or "", each.ticker))))


def placed(rows: pl.DataFrame) -> list[tuple[str, int, int]]:
    return rows.with_columns(pl.col("known_ts").to_physical()).rows()


@given(some_decisions(), st.integers(0, 2**32))
def test_later_moves_every_event_by_one_length_and_never_back(planned: Decisions, seed: int) -> None:
    """Rows, their order and their markets stay; the first of an event stays before its end."""
    moved = planned.later(np.random.default_rng(seed))
    assert moved.equals(planned.later(np.random.default_rng(seed)))
    before, after = placed(planned.rows), placed(moved)
    assert [(ticker, intent) for ticker, _, intent in before] == [
        (ticker, intent) for ticker, _, intent in after
    ]
    for event in planned.events:
        by = {now[1] - then[1] for then, now in zip(before, after, strict=True) if then[0] in event.wanted}
        assert len(by) == bool(event.wanted)
        assert all(0 <= each < max(1, event.until_us - event.first_us) for each in by)
        assert by != {0} or event.until_us - event.first_us <= 1


@given(some_decisions(), st.integers(0, 2**32))
def test_events_go_as_wholes_to_other_events_of_their_series(planned: Decisions, seed: int) -> None:
    """Each market to one with data, no two to the same, as long before the close; the rest are left out."""
    moved = planned.in_other_markets(np.random.default_rng(seed))
    assert moved.equals(planned.in_other_markets(np.random.default_rng(seed)))
    home = {ticker: each for each in planned.events for ticker in (*each.wanted, *each.open_to)}
    before = placed(planned.rows)
    went = dict[str, str]()
    for ticker, us, intent in placed(moved):
        source, source_us, _ = before[intent]
        old, new = home[source], home[ticker]
        assert old.series == new.series is not None
        assert old.ticker != new.ticker
        assert ticker in new.open_to
        assert new.close_us - us == old.close_us - source_us
        assert went.setdefault(source, ticker) == ticker
    for event in planned.events:
        taken = [went[each] for each in event.wanted if each in went]
        assert len({home[each].ticker for each in taken}) <= 1
        assert len(set(taken)) == len(taken)
        others = [each for each in planned.events if each.series == event.series and each is not event]
        can_go = event.series is not None and event.close_us >= 0
        can_go &= any(len(each.open_to) >= len(event.wanted) for each in others)
        assert len(taken) == (len(event.wanted) if can_go else 0)


@given(st.integers(2, 7), st.integers(0, 2**32))
def test_events_of_equal_size_each_take_one(n_events: int, seed: int) -> None:
    """A permutation of them without a fixed point, as outcomes would be permuted."""
    names = [(f"{number}A", f"{number}B") for number in range(n_events)]
    events = tuple(Event(each[0], "S", 0, 9, 9, each, each) for each in names)
    tickers = [ticker for each in names for ticker in each]
    rows = pl.DataFrame({"ticker": tickers, "intent": tickers}).with_columns(known_ts=pl.lit(at(0)))
    moved = Decisions(rows, events).in_other_markets(np.random.default_rng(seed))
    assert sorted(moved["ticker"]) == sorted(tickers)
    assert all(to[0] != source[0] for to, source in moved.select("ticker", "intent").iter_rows())


def test_an_event_lasts_as_long_as_anything_of_it_is_on_the_tape() -> None:
    """A to its close at 1,000, though B, of the same event, closes at 700; C to 300, when its quotes cross.

    D has no close, and ends with its last quote at 50. F has no data, and X is not in the lake.
    """
    markets = [
        a_market("A", event_ticker="E1"),
        a_market("B", event_ticker="E1", close_ts=at(700)),
        a_market("C"),
        a_market("D", close_ts=None),
        a_market("F"),
    ]
    quotes = [
        a_quote(second, 4_000, 6_000, ticker=ticker) for second, ticker in ((0, "A"), (9, "B"), (5, "D"))
    ]
    crossed = [a_quote(3, 4_000, 6_000, ticker="C"), a_quote(300, 6_000, 4_000, ticker="C")]
    lake = SharedLake(
        a_lake(markets=markets, quotes=[*quotes, *crossed, a_quote(50, 4_000, 6_000, ticker="D")])
    )
    wanted = ((20, "B"), (10, "A"), (60, "C"), (70, "F"), (80, "X"), (2, "D"))
    plan = a_plan(*((second, ticker, bt.buy_yes(1)) for second, ticker in wanted)).collect()
    bt.run(plan, lake, fills="touch")
    assert lake.stage is not None
    found = decisions(plan, lake.stage)
    assert found.rows.equals(plan.filter(pl.col("ticker") != "X"))

    def event(ticker: str, first: int, until: int | None, close: int, wanted: str, open_to: str) -> Event:
        until_us = -1 if until is None else to_us(at(until))
        series = "KXTEST"
        return Event(
            ticker, series, to_us(at(first)), until_us, to_us(at(close)), tuple(wanted), tuple(open_to)
        )

    assert found.events == (
        event("E-C", 60, 300, 1_000, "C", "C"),
        event("E-D", 2, 50, 50, "D", "D"),
        event("E-F", 70, None, 1_000, "F", ""),
        event("E1", 10, 1_000, 1_000, "AB", "AB"),
    )


def test_a_quote_counts_no_longer_than_its_age_allows() -> None:
    """Quoted at 0 alone, for 100 seconds at most: that is until when there is anything to move to."""
    lake = SharedLake(a_lake(markets=[a_market()], quotes=[a_quote(0, 4_000, 6_000)]))
    plan = a_plan((1, "A", bt.buy_yes(1))).collect()
    bt.run(plan, lake, fills="touch", max_age="100s")
    assert lake.stage is not None
    (event,) = decisions(plan, lake.stage).events
    assert event.until_us == to_us(at(100))
