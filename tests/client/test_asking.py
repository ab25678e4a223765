"""Arguments that Kalshi would refuse, or silently ignore, are refused before anything is sent."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipelines.client import Client, NaiveTime, RequestError
from tests.client.loopback import Ask, result

AT = datetime(2026, 10, 1, 12, 0, 0, tzinfo=UTC)
HALF = timedelta(milliseconds=500)


def forecast(client: Client, **changes: object) -> Any:  # noqa: ANN401  a coroutine
    asked: dict[str, Any] = {"percentiles": [5_000], "start_ts": AT, "end_ts": AT, "period_s": 60}
    return client.forecast_percentile_history("KXS", "KX", **asked | changes)


def refusal(ask: Ask) -> str:
    """Return why a call is refused; nothing may have been sent."""
    with pytest.raises(RequestError) as caught:
        result(lambda _one: pytest.fail("a request was sent"), ask)
    return str(caught.value)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda c: c.markets(status="active"), "the field's words (active, finalized, …) are no filters"),
        (
            lambda c: c.markets(min_created_ts=AT, max_close_ts=AT),
            "one family of times, not created and close",
        ),
        (
            lambda c: c.markets(status="closed", min_created_ts=AT),
            "created times go with status open or unopened",
        ),
        (
            lambda c: c.markets(status="open", max_close_ts=AT),
            "close times go with status closed or none, not open",
        ),
        (
            lambda c: c.markets(status="closed", min_settled_ts=AT),
            "settled times go with status settled or none",
        ),
        (lambda c: c.markets(status="open", min_updated_ts=AT), "do not go with status"),
        (lambda c: c.markets(event_ticker="KX", max_updated_ts=AT), "do not go with event_ticker"),
        (lambda c: c.markets(mve_filter="only", min_updated_ts=AT), 'go with mve_filter="exclude" only'),
        (lambda c: c.markets(series_ticker="KXS", min_updated_ts=AT), 'needs mve_filter="exclude"'),
        (lambda c: c.markets(mve_filter="both"), "mve_filter is 'both': write one of exclude, only"),
        (lambda c: c.markets(tickers=[]), "tickers has 0 tickers: give 1 to 200 a call"),
        (lambda c: c.markets(tickers=["A"] * 201), "tickers has 201 tickers"),
        (lambda c: c.markets(tickers="KX-1"), "give a list of tickers"),
        (lambda c: c.markets(tickers=["A,B"]), "'A,B' is no ticker"),
        (lambda c: c.markets(page_size=1_001), "page_size is 1001: this endpoint takes 1 to 1000"),
        (lambda c: c.markets(page_size=0), "page_size is 0"),
        (
            lambda c: c.markets(min_close_ts=AT, max_close_ts=AT - HALF),
            "min_close_ts 2026-10-01T12:00:00+00:00 is after",
        ),
        (lambda c: c.events(page_size=201), "takes 1 to 200"),
        (lambda c: c.events(status="paused"), "write one of closed, open, settled, unopened"),
        (lambda c: c.event_fee_changes(page_size=5_000), "takes 1 to 1000"),
        (lambda c: c.historical_markets(series_ticker="A", event_ticker="B"), "takes one filter, not"),
        (lambda c: c.historical_markets(mve_filter="only"), "write one of exclude"),
        (lambda c: c.trades(min_ts=AT, max_ts=AT - HALF), "is after max_ts"),
        (lambda c: c.trades("KX 1"), "'KX 1' is no ticker"),
        (lambda c: c.market(""), "'' is no ticker"),
        (lambda c: c.market("../account/limits"), "'../account/limits' is no ticker"),
        (lambda c: c.order_book("KX-1", 101), "depth is 101"),
        (
            lambda c: c.candles("S", "T", start_ts=AT, end_ts=AT, period_s=300),
            "candles of 60, 3600 and 86400 seconds",
        ),
        (lambda c: c.candles("S", "T", start_ts=AT, end_ts=AT - HALF, period_s=60), "is after end_ts"),
        (lambda c: c.candles_batch([], start_ts=AT, end_ts=AT, period_s=60), "0 tickers"),
        (lambda c: c.order_books([]), "tickers has 0 tickers: give 1 or more"),
        (lambda c: c.markets(series_ticker=""), "'' is no series_ticker (this filter takes one ticker)"),
        (lambda c: c.markets(event_ticker="A,B"), "'A,B' is no event_ticker (this filter takes one ticker)"),
        (lambda c: c.event_fee_changes(""), "'' is no event_ticker"),
        (lambda c: c.series_fee_changes(""), "'' is no series_ticker"),
        (lambda c: c.series_list(category=" "), "category is ' ': leave it out"),
        (lambda c: c.series_list(tags=""), "tags is '': leave it out"),
        (lambda c: c.event(".."), "'..' is no ticker"),
        (lambda c: c.events_with_milestones(status="paused"), "write one of closed, open"),
        (
            lambda c: c.multivariate_events(series_ticker="A", collection_ticker="B"),
            "takes series_ticker or collection_ticker, not both",
        ),
        (lambda c: c.multivariate_events(page_size=201), "page_size is 201: this endpoint takes 1 to 200"),
        (lambda c: c.event_candles("S", "E", start_ts=AT, end_ts=AT, period_s=5), "candles of 60, 3600"),
        (lambda c: c.event_candles("S", "E", start_ts=AT, end_ts=AT - HALF, period_s=60), "after end_ts"),
        (lambda c: c.milestones(page_size=501), "takes 1 to 500"),
        (lambda c: c.milestones(type=""), "type is '': leave it out"),
        (lambda c: c.milestone("a/b"), "'a/b' is no milestone id"),
        (lambda c: c.structured_targets(page_size=2_001), "takes 1 to 2000"),
        (lambda c: c.structured_targets(ids=["x"] * 2_001), "ids has 2001 ids: give 1 to 2000 a call"),
        (lambda c: c.structured_targets(ids=[]), "ids has 0 ids"),
        (lambda c: c.structured_targets(ids="abc"), "ids is the text 'abc': give a list of ids"),
        (lambda c: c.structured_target(""), "'' is no structured target id"),
        (lambda c: c.multivariate_event_collections(status="settled"), "write one of closed, open, unopened"),
        (
            lambda c: c.multivariate_event_collections(page_size=0),
            "page_size is 0: this endpoint takes 1 to 200",
        ),
        (
            lambda c: c.incentive_programs(status="done"),
            "write one of active, all, closed, paid_out, upcoming",
        ),
        (lambda c: c.incentive_programs(type="maker"), "write one of all, liquidity, margin_maker_volume"),
        (lambda c: c.incentive_programs(page_size=10_001), "takes 1 to 10000"),
        (lambda c: c.live_data_batch([]), "milestone_ids has 0 ids: give 1 to 100 a call"),
        (lambda c: c.live_data_batch(["a"] * 101), "milestone_ids has 101 ids"),
        (lambda c: c.event_live_data("KX", chart_range=""), "chart_range is '': leave it out"),
        (lambda c: c.weather_index("miami", start_ts=AT), "start_ts needs end_ts beside it"),
        (lambda c: c.weather_index("miami", end_ts=AT, last_s=60), "last_s goes without start_ts and end_ts"),
        (lambda c: c.weather_index("miami", last_s=0), "last_s is 0: give 1 second or more"),
        (lambda c: c.weather_index("miami", start_ts=AT, end_ts=AT - HALF), "+00:00 is after end_ts 2026"),
        (lambda c: c.weather_calibrations("new york"), "'new york' is no city"),
        (lambda c: forecast(c, percentiles=[]), "0 percentiles: give 1 to 10 a call"),
        (lambda c: forecast(c, percentiles=range(11)), "11 percentiles: give 1 to 10 a call"),
        (lambda c: forecast(c, percentiles=[10_000]), "percentile 10000: give 0 to 9999"),
        (lambda c: forecast(c, period_s=3), "forecasts come by 5, 60, 3600 or 86400 seconds"),
    ],
)
def test_what_kalshi_would_refuse_or_ignore_is_refused_here(ask: Ask, words: str) -> None:
    assert words in refusal(ask)


@pytest.mark.parametrize(
    "ask",
    [
        lambda c, ts: c.trades(min_ts=ts),
        lambda c, ts: c.historical_trades(max_ts=ts),
        lambda c, ts: c.markets(min_settled_ts=ts),
        lambda c, ts: c.events(min_close_ts=ts),
        lambda c, ts: c.series_list(min_updated_ts=ts),
        lambda c, ts: c.candles("S", "T", start_ts=ts, end_ts=AT, period_s=60),
        lambda c, ts: c.historical_candles("T", start_ts=AT, end_ts=ts, period_s=60),
        lambda c, ts: c.event_candles("S", "E", start_ts=ts, end_ts=AT, period_s=60),
        lambda c, ts: c.milestones(minimum_start_ts=ts),
        lambda c, ts: c.milestones(min_updated_ts=ts),
        lambda c, ts: c.events_with_milestones(min_updated_ts=ts),
        lambda c, ts: c.weather_index("miami", end_ts=ts),
        lambda c, ts: forecast(c, end_ts=ts),
    ],
    ids=range(13),
)
def test_a_time_without_zone_is_refused(ask: Callable[[Client, datetime], Any]) -> None:
    naive_ts = AT.replace(tzinfo=None)
    with pytest.raises(NaiveTime, match="has no time zone: add tzinfo=UTC"):
        result(lambda _one: pytest.fail("a request was sent"), lambda client: ask(client, naive_ts))
