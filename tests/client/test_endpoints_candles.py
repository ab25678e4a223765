"""Candles of whole events and of many markets: split, continued, and put together without loss."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

import pytest

from pipelines.client import Client, CursorLoop, Settings, TooManyPages, WireError
from pipelines.client.wire import Candle
from tests.client.loopback import Asked, Reply, exchange, result
from tests.client.payloads import Json, a_candle

AT = datetime(2026, 10, 1, 12, 0, 0, tzinfo=UTC)
AT_S = 1_790_856_000
MINUTES = range(AT_S, AT_S + 601, 60)


def ten_minutes(client: Client) -> AsyncGenerator[list[Candle], None]:
    end_ts = AT + timedelta(seconds=600)
    return client.event_candles("KXS", "KX", start_ts=AT, end_ts=end_ts, period_s=60)


def window(asked: Asked) -> tuple[int, int]:
    return int(asked.query["start_ts"][0]), int(asked.query["end_ts"][0])


def an_answer(candles: dict[str, list[int]], adjusted_end_s: int) -> Reply:
    body: Json = {
        "market_tickers": list(candles),
        "market_candlesticks": [[a_candle(end_s) for end_s in ends] for ends in candles.values()],
        "adjusted_end_ts": adjusted_end_s,
    }
    return Reply(body=body)


def cut(asked: Asked, *, n_bars: int, is_last_served: bool) -> Reply:
    """Answer like an exchange that sends `n_bars` ends a market and says where it stopped."""
    first_s, last_s = window(asked)
    ends = [end_s for end_s in MINUTES if first_s <= end_s <= last_s]
    served = ends[:n_bars]
    is_cut = len(served) < len(ends)
    stopped_s = (served[-1] if is_last_served else ends[n_bars]) if is_cut else last_s
    return an_answer({"KX-A": served, "KX-B": served[1::2]}, stopped_s)


@pytest.mark.parametrize("is_last_served", [True, False])
def test_an_events_candles_go_on_where_the_answer_was_cut(is_last_served: bool) -> None:  # noqa: FBT001 -- a case
    """Whether adjusted_end_ts was served or not is undocumented: either way every candle comes once."""
    pages, asked = result(
        lambda one: cut(one, n_bars=4, is_last_served=is_last_served),
        ten_minutes,
    )
    found = [(candle.ticker, candle.end_period_ts) for page in pages for candle in page]
    assert [end_s for ticker, end_s in found if ticker == "KX-A"] == list(MINUTES)
    assert len(found) == len(set(found))
    assert len(asked) > 2
    assert asked[0].path == "/series/KXS/events/KX/candlesticks"
    assert asked[0].query == {
        "start_ts": [str(AT_S)],
        "end_ts": [str(AT_S + 600)],
        "period_interval": ["1"],
    }


@pytest.mark.parametrize("adjusted_end_s", [0, AT_S + 600, AT_S + 9_999])
def test_an_answer_that_was_not_cut_is_the_only_one(adjusted_end_s: int) -> None:
    pages, asked = result(
        lambda _one: an_answer({"KX-A": [AT_S], "KX-B": []}, adjusted_end_s),
        ten_minutes,
    )
    assert [[candle.ticker for candle in page] for page in pages] == [["KX-A"]]
    assert len(asked) == 1


def test_an_answer_cut_where_it_began_is_an_error_and_not_an_endless_loop() -> None:
    with pytest.raises(CursorLoop, match="adjusted_end_ts 1790856000 is not after start_ts") as caught:
        result(
            lambda _one: an_answer({"KX-A": [AT_S]}, AT_S),
            ten_minutes,
        )
    assert (caught.value.n_pages, caught.value.path) == (1, "/series/KXS/events/KX/candlesticks")


def test_continued_answers_have_a_bound() -> None:
    async def story(settings: Settings) -> None:
        async with Client(settings, max_pages=3) as client:
            async for _page in ten_minutes(client):
                pass

    with exchange(lambda one: cut(one, n_bars=2, is_last_served=True)) as running:
        with pytest.raises(TooManyPages, match="more than 3 pages"):
            asyncio.run(story(running.settings()))
        assert len(running.asked) == 3


def test_an_interval_without_a_whole_second_asks_nothing() -> None:
    bit = timedelta(milliseconds=1)
    pages, asked = result(
        lambda _one: pytest.fail("a request was sent"),
        lambda c: c.event_candles("S", "E", start_ts=AT + bit, end_ts=AT + 2 * bit, period_s=60),
    )
    assert (pages, asked) == ([], [])


def test_candles_that_belong_to_nobody_are_an_error() -> None:
    """Two parallel lists of different length: whose candles are they?"""
    body = {"market_tickers": ["A"], "market_candlesticks": [[], []], "adjusted_end_ts": AT_S}
    with pytest.raises(WireError, match="1 market_tickers for 2 market_candlesticks"):
        result(lambda _one: Reply(body=body), ten_minutes)


def test_only_the_first_window_of_a_batch_begins_with_the_candle_before() -> None:
    """100 markets of 10,000 candles: 99 bars a call, since the synthetic candle counts too."""
    tickers = [f"KX-{number}" for number in range(100)]

    def answer(asked: Asked) -> Reply:
        first_s, last_s = window(asked)
        is_first = "include_latest_before_start" in asked.query
        n_ends = len([end_s for end_s in range(AT_S, AT_S + 12_001, 60) if first_s <= end_s <= last_s])
        assert 100 * (n_ends + is_first) <= 10_000
        return Reply(body={"markets": [{"market_ticker": "KX-0", "candlesticks": [a_candle(first_s)]}]})

    _, asked = result(
        answer,
        lambda c: c.candles_batch(
            tickers,
            start_ts=AT,
            end_ts=AT + timedelta(seconds=12_000),
            period_s=60,
            include_latest_before_start=True,
        ),
    )
    sent = [one.query.get("include_latest_before_start") for one in asked]
    assert sent == [["true"], None, None]
