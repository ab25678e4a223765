"""One call per endpoint: what goes over the wire, what comes back, and what is refused before that."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from pipelines.client import Client, SettingsError
from tests.client.keys import KEY_ID, pem
from tests.client.loopback import Ask, Asked, Reply, result
from tests.client.payloads import a_candle, a_market, a_series, a_trade, an_event

AT = datetime(2026, 10, 1, 12, 0, 0, tzinfo=UTC)
AT_S = 1_790_856_000
HALF = timedelta(milliseconds=500)


def sent(body: object, ask: Ask) -> tuple[str, dict[str, str]]:
    """Return path and query of the only request of a call."""
    _, asked = result(lambda _one: Reply(body=body), ask)
    assert len(asked) == 1
    return asked[0].path, {name: ",".join(values) for name, values in asked[0].query.items()}


NO_MARKETS = {"markets": [], "cursor": ""}
NO_TRADES = {"trades": [], "cursor": ""}
NO_CANDLES: dict[str, Any] = {"candlesticks": [], "ticker": "KX-1"}
CUTOFF = dict.fromkeys(
    ("market_settled_ts", "trades_created_ts", "orders_updated_ts"), "2026-08-01T00:00:00Z"
)


@pytest.mark.parametrize(
    ("body", "ask", "path", "query"),
    [
        (CUTOFF, lambda c: c.historical_cutoff(), "/historical/cutoff", {}),
        ({"schedule": {"standard_hours": []}}, lambda c: c.exchange_schedule(), "/exchange/schedule", {}),
        ({"default_cost": 10}, lambda c: c.endpoint_costs(), "/account/endpoint_costs", {}),
        ({"series": a_series()}, lambda c: c.series("KXS"), "/series/KXS", {}),
        (
            {"series": []},
            lambda c: c.series_list(category="Climate and Weather", include_volume=True),
            "/series",
            {"category": "Climate and Weather", "include_volume": "true"},
        ),
        ({"event": an_event()}, lambda c: c.event("KX"), "/events/KX", {"with_nested_markets": "true"}),
        (
            {"event": an_event()},
            lambda c: c.event("KX-24DEC05(CHI)(DEN)"),
            "/events/KX-24DEC05(CHI)(DEN)",
            {"with_nested_markets": "true"},
        ),
        (
            {"events": [], "cursor": ""},
            lambda c: c.events(
                series_ticker="KXS", status="open", with_nested_markets=True, min_close_ts=AT + HALF
            ),
            "/events",
            {
                "series_ticker": "KXS",
                "status": "open",
                "with_nested_markets": "true",
                "min_close_ts": str(AT_S),
                "limit": "200",
            },
        ),
        ({"market": a_market()}, lambda c: c.historical_market("KX-1"), "/historical/markets/KX-1", {}),
        (
            NO_MARKETS,
            lambda c: c.markets(
                status="closed", min_close_ts=AT + HALF, max_close_ts=AT + HALF, mve_filter="only"
            ),
            "/markets",
            {
                "status": "closed",
                "min_close_ts": str(AT_S),
                "max_close_ts": str(AT_S + 1),
                "mve_filter": "only",
                "limit": "1000",
            },
        ),
        (
            NO_MARKETS,
            lambda c: c.historical_markets(tickers=["A", "B"], page_size=7),
            "/historical/markets",
            {"tickers": "A,B", "limit": "7"},
        ),
        (
            NO_TRADES,
            lambda c: c.trades("KX-1", min_ts=AT + HALF, max_ts=AT + HALF, is_block_trade=False),
            "/markets/trades",
            {
                "ticker": "KX-1",
                "min_ts": str(AT_S),
                "max_ts": str(AT_S + 1),
                "is_block_trade": "false",
                "limit": "1000",
            },
        ),
        (NO_TRADES, lambda c: c.historical_trades(page_size=1), "/historical/trades", {"limit": "1"}),
        (
            {"series_fee_change_arr": []},
            lambda c: c.series_fee_changes("KXS"),
            "/series/fee_changes",
            {"series_ticker": "KXS", "show_historical": "true"},
        ),
        (
            {"event_fee_changes": []},
            lambda c: c.event_fee_changes("KX"),
            "/events/fee_changes",
            {"event_ticker": "KX", "limit": "1000"},
        ),
        ({"orderbook_fp": {}}, lambda c: c.order_book("KX-1", 5), "/markets/KX-1/orderbook", {"depth": "5"}),
        (
            {"orderbooks": []},
            lambda c: c.order_books(["A", "B"]),
            "/markets/orderbooks",
            {"tickers": "A,B"},
        ),
        (
            NO_CANDLES,
            lambda c: c.candles(
                "KXS", "KX-1", start_ts=AT, end_ts=AT, period_s=3_600, include_latest_before_start=True
            ),
            "/series/KXS/markets/KX-1/candlesticks",
            {
                "start_ts": str(AT_S),
                "end_ts": str(AT_S),
                "period_interval": "60",
                "include_latest_before_start": "true",
            },
        ),
        (
            NO_CANDLES,
            lambda c: c.historical_candles("KX-1", start_ts=AT - HALF, end_ts=AT + HALF, period_s=86_400),
            "/historical/markets/KX-1/candlesticks",
            {"start_ts": str(AT_S), "end_ts": str(AT_S), "period_interval": "1440"},
        ),
        (
            {"markets": []},
            lambda c: c.candles_batch(["A", "B"], start_ts=AT, end_ts=AT, period_s=60),
            "/markets/candlesticks",
            {"market_tickers": "A,B", "start_ts": str(AT_S), "end_ts": str(AT_S), "period_interval": "1"},
        ),
    ],
)
def test_each_call_asks_its_endpoint(body: object, ask: Ask, path: str, query: dict[str, str]) -> None:
    """Times go in whole seconds: lower bounds rounded down, upper bounds up, so that nothing is lost."""
    assert sent(body, ask) == (path, query)


def test_tickers_of_a_batch_of_books_repeat_their_key() -> None:
    _, asked = result(lambda _one: Reply(body={"orderbooks": []}), lambda c: c.order_books(["A", "B"]))
    assert asked[0].target.endswith("?tickers=A&tickers=B")


def test_a_books_levels_are_sorted_and_stamped() -> None:
    """The documents disagree about the order of levels; here best is last, whichever way they came."""
    levels = {"yes_dollars": [["0.2000", "5.00"], ["0.1000", "7.25"]], "no_dollars": None}
    began_ts = datetime.now(UTC)
    book, _ = result(lambda _one: Reply(body={"orderbook_fp": levels}), lambda c: c.order_book("KX-1"))
    assert book.yes_dollars == (("0.1000", "7.25"), ("0.2000", "5.00"))
    assert (book.no_dollars, book.ticker) == ((), "KX-1")
    assert began_ts <= book.captured_ts <= datetime.now(UTC)


def test_more_than_a_hundred_books_take_several_calls() -> None:
    def answer(asked: Asked) -> Reply:
        return Reply(body={"orderbooks": [{"ticker": t, "orderbook_fp": {}} for t in asked.query["tickers"]]})

    tickers = [f"KX-{number}" for number in range(250)]
    books, asked = result(answer, lambda c: c.order_books(tickers))
    assert [book.ticker for book in books] == tickers
    assert [len(one.query["tickers"]) for one in asked] == [100, 100, 50]


def test_markets_beside_an_event_are_put_inside() -> None:
    body = {"event": an_event("KX"), "markets": [a_market("KX-1")]}
    event, _ = result(lambda _one: Reply(body=body), lambda c: c.event("KX"))
    assert [market.ticker for market in event.markets] == ["KX-1"]


def test_series_come_as_one_page() -> None:
    body = {"series": [a_series("A"), a_series("B")]}
    pages, _ = result(lambda _one: Reply(body=body), lambda c: c.series_list())
    assert [[series.ticker for series in page] for page in pages] == [["A", "B"]]


def test_long_candle_windows_are_split_without_overlap_or_hole() -> None:
    """8 days of minutes are 11,521 ends: three calls of at most 5,000, adjacent to the second."""
    end_ts = AT + timedelta(days=8)

    def answer(asked: Asked) -> Reply:
        first_s, last_s = int(asked.query["start_ts"][0]), int(asked.query["end_ts"][0])
        ends = [end_s for end_s in range(AT_S, AT_S + 691_201, 60) if first_s <= end_s <= last_s]
        assert len(ends) <= 5_000
        return Reply(body={"candlesticks": [a_candle(end_s) for end_s in ends], "ticker": "KX-1"})

    pages, asked = result(
        answer,
        lambda c: c.candles(
            "KXS", "KX-1", start_ts=AT, end_ts=end_ts, period_s=60, include_latest_before_start=True
        ),
    )
    ends = [candle.end_period_ts for page in pages for candle in page]
    assert ends == list(range(AT_S, AT_S + 691_201, 60))
    assert {candle.ticker for page in pages for candle in page} == {"KX-1"}
    bounds = [(int(one.query["start_ts"][0]), int(one.query["end_ts"][0])) for one in asked]
    assert len(bounds) == 3
    assert all(later[0] == earlier[1] + 1 for earlier, later in pairwise(bounds))
    assert ["include_latest_before_start" in one.query for one in asked] == [True, False, False]


def test_a_batch_of_candles_is_split_by_markets_and_by_candles() -> None:
    """150 markets: calls of 100 and of 50, at most 10,000 candles each; every candle knows its ticker."""

    def answer(asked: Asked) -> Reply:
        first_s, last_s = int(asked.query["start_ts"][0]), int(asked.query["end_ts"][0])
        tickers = asked.query["market_tickers"][0].split(",")
        ends = [end_s for end_s in range(AT_S, AT_S + 6_001, 60) if first_s <= end_s <= last_s]
        assert len(tickers) <= 100
        assert len(tickers) * len(ends) <= 10_000
        one_each = [a_candle(end_s) for end_s in ends]
        return Reply(body={"markets": [{"market_ticker": t, "candlesticks": one_each} for t in tickers]})

    tickers = [f"KX-{number}" for number in range(150)]
    end_ts = AT + timedelta(seconds=6_000)
    pages, _ = result(answer, lambda c: c.candles_batch(tickers, start_ts=AT, end_ts=end_ts, period_s=60))
    found = sorted((candle.ticker, candle.end_period_ts) for page in pages for candle in page)
    assert found == sorted((t, end_s) for t in tickers for end_s in range(AT_S, AT_S + 6_001, 60))


def test_times_of_any_zone_are_sent_as_the_same_moment() -> None:
    eastern_ts = datetime.fromisoformat("2026-10-01T08:00:00-04:00")
    assert sent(NO_TRADES, lambda c: c.trades(min_ts=eastern_ts))[1]["min_ts"] == str(AT_S)


def test_account_limits_without_a_key_are_refused_before_sending() -> None:
    with pytest.raises(SettingsError, match="needs a key"):
        result(lambda _one: pytest.fail("a request was sent"), lambda c: c.account_limits())


def limits_and_costs(asked: Asked) -> Reply:
    bucket = {"refill_rate": 1_000, "bucket_capacity": 1_000}
    if asked.path == "/account/limits":
        return Reply(body={"usage_tier": "premier", "read": bucket, "write": bucket, "grants": None})
    cheap = {"method": "GET", "path": "/trade-api/v2/markets/{ticker}", "cost": 3}
    return Reply(body={"default_cost": 7, "endpoint_costs": [cheap]})


def test_adopted_limits_and_costs_replace_those_of_the_tier() -> None:
    """1,000 tokens less a quarter second of headroom: 750."""

    async def story(client: Client) -> tuple[object, ...]:
        limits = await client.adopt_limits()
        assert limits is not None
        budget = client.budget
        prices = (budget.costs.of("GET", "/markets/KX-1"), budget.costs.of("GET", "/markets"))
        return limits.usage_tier, budget.read.limits.capacity_tokens, budget.read.limits.tokens_per_s, prices

    found, asked = result(limits_and_costs, story, key_id=KEY_ID, private_key=pem("ed25519"))
    assert found == ("premier", 750, 1_000, (3, 7))
    assert [one.path for one in asked] == ["/account/limits", "/account/endpoint_costs"]


def test_without_a_key_there_are_no_limits_to_adopt() -> None:
    found, asked = result(limits_and_costs, lambda c: c.adopt_limits())
    assert (found, asked) == (None, [])


def test_what_was_new_in_any_answer_is_in_the_clients_drift() -> None:
    async def story(client: Client) -> list[tuple[str, int]]:
        async for _page in client.trades():
            pass
        return [(one.where, one.n_seen) for one in client.drift.report()]

    body = {"trades": [a_trade(1, venue="x"), a_trade(2, venue="y")], "cursor": ""}
    found, _ = result(lambda _one: Reply(body=body), story)
    assert found == [("Trade.venue", 2)]
