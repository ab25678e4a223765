"""Series, events and markets over HTTP: shapes, filters, tiers and errors."""

from collections.abc import Iterator

import httpx
import pytest

from tests.sandbox.places import a_client, a_world, every_page, first_settled

MARKET_FIELDS = {
    "ticker", "event_ticker", "market_type", "yes_sub_title", "no_sub_title", "created_time", "updated_time",
    "open_time", "close_time", "latest_expiration_time", "settlement_timer_seconds", "status",
    "yes_bid_dollars", "yes_ask_dollars", "no_bid_dollars", "no_ask_dollars",
    "yes_bid_size_fp", "yes_ask_size_fp",
    "last_price_dollars", "volume_fp", "volume_24h_fp", "open_interest_fp", "notional_value_dollars",
    "previous_yes_bid_dollars", "previous_yes_ask_dollars", "previous_price_dollars", "result",
    "expiration_value", "can_close_early", "rules_primary", "rules_secondary", "price_level_structure",
    "price_ranges", "settlement_bounds_type",
}  # fmt: skip


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    """One server for the module; no test spends enough to be throttled at the prestige tier."""
    with a_client() as (client, _):
        yield client


def refusal(client: httpx.Client, path: str) -> tuple[int, str]:
    answer = client.get(path)
    return answer.status_code, answer.json()["message"]


def test_a_market_has_every_required_field(client: httpx.Client) -> None:
    """KALSHI.md §5.4, the fields marked required; there is no series_ticker and no integer price."""
    for market in client.get("/markets?limit=1000").json()["markets"]:
        assert market.keys() >= MARKET_FIELDS
        assert not market.keys() & {
            "series_ticker",
            "category",
            "yes_bid",
            "volume",
            "tick_size",
            "liquidity",
        }


def test_an_empty_side_prints_the_boundary(client: httpx.Client) -> None:
    """A settled market of the live tier: bid 0.0000, ask 1.0000; its archived twin has zero on both."""
    settled = client.get("/markets?status=settled&limit=1").json()["markets"][0]
    assert (settled["yes_bid_dollars"], settled["yes_ask_dollars"]) == ("0.0000", "1.0000")
    archived = client.get("/historical/markets?limit=1").json()["markets"][0]
    assert (archived["yes_bid_dollars"], archived["yes_ask_dollars"]) == ("0.0000", "0.0000")


def test_prices_of_a_market_mirror_each_other(client: httpx.Client) -> None:
    """no_ask = 1 - yes_bid and no_bid = 1 - yes_ask; the top equals the order book's last levels."""
    for market in client.get("/markets?status=open&limit=1000").json()["markets"]:
        as_cc = {name: round(float(market[f"{name}_dollars"]) * 10_000) for name in ("yes_bid", "no_ask")}
        assert as_cc["yes_bid"] + as_cc["no_ask"] == 10_000
        book = client.get(f"/markets/{market['ticker']}/orderbook").json()["orderbook_fp"]
        if book["yes_dollars"]:
            assert book["yes_dollars"][-1] == [market["yes_bid_dollars"], market["yes_bid_size_fp"]]
        if book["no_dollars"]:
            assert book["no_dollars"][-1] == [market["no_bid_dollars"], market["yes_ask_size_fp"]]


def test_tiers_together_hold_every_market_and_overlap_a_little(client: httpx.Client) -> None:
    """Read live, then historical, de-duplicate: nothing is missing; some are in both."""
    live = [each["ticker"] for each in every_page(client, "/markets", "markets", limit=7)]
    archived = [each["ticker"] for each in every_page(client, "/historical/markets", "markets", limit=7)]
    assert len(set(live)) == len(live)
    assert set(live) | set(archived) == {each.ticker for each in a_world().markets()}
    assert 0 < len(set(live) & set(archived)) < len(archived) < len(archived) + len(live)


def test_an_archived_market_is_404_on_the_live_route_and_the_reverse(client: httpx.Client) -> None:
    """What settled first is only archived, the newest market only live."""
    oldest, newest = first_settled(), a_world().markets()[-1].ticker
    assert client.get(f"/markets/{oldest}").status_code == 404
    assert client.get(f"/historical/markets/{oldest}").json()["market"]["ticker"] == oldest
    assert client.get(f"/historical/markets/{newest}").status_code == 404
    assert client.get(f"/markets/{newest}").json()["market"]["ticker"] == newest
    assert client.get(f"/markets/{oldest}").json() == {
        "code": "not_found",
        "message": f"market {oldest} not found",
    }


@pytest.mark.parametrize(
    ("word", "statuses"),
    [
        ("unopened", {"initialized"}),
        ("open", {"active"}),
        ("paused", {"inactive"}),
        ("closed", {"closed", "determined"}),
        ("settled", {"finalized"}),
    ],
)
def test_filter_words_are_not_response_words(client: httpx.Client, word: str, statuses: set[str]) -> None:
    """`status=open` returns `active`; each filter word has its response words."""
    found = client.get(f"/markets?limit=1000&status={word}").json()["markets"]
    assert {each["status"] for each in found} == statuses


@pytest.mark.parametrize("word", ["finalized", "active", "determined", "nonsense"])
def test_response_words_are_refused_as_filters(client: httpx.Client, word: str) -> None:
    """`status=finalized` is a 400, as observed."""
    answer = client.get(f"/markets?status={word}")
    assert answer.status_code == 400
    assert answer.json() == {"code": "invalid_parameters", "message": "invalid status filter"}


@pytest.mark.parametrize(
    "filters",
    [
        "min_created_ts=1&min_close_ts=1",
        "min_settled_ts=1&status=open",
        "min_close_ts=1&status=settled",
        "max_created_ts=1&status=closed",
        "min_updated_ts=1&status=open",
        "min_updated_ts=1&mve_filter=only",
        "min_updated_ts=1&tickers=KXSIMFED-MAR-H0",
        "max_updated_ts=1&event_ticker=KXSIMFED-MAR",
        "min_updated_ts=1&series_ticker=KXSIMFED",
        "min_updated_ts=1&min_settled_ts=1",
        "min_close_ts=yesterday",
        "limit=1001",
        "limit=-1",
        "limit=many",
        "mve_filter=some",
        "cursor=nonsense",
    ],
)
def test_filters_that_exclude_each_other_are_refused(client: httpx.Client, filters: str) -> None:
    """One family of timestamps, only with its own status words; wrong words and bounds are 400s."""
    answer = client.get(f"/markets?{filters}")
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_parameters"


def test_time_filters_select(client: httpx.Client) -> None:
    """Settled in a window of a day: the same markets as by looking at settlement_ts."""
    low_s, high_s = 1_772_150_400, 1_772_236_800  # 2026-02-27 and 2026-02-28
    found = client.get(f"/markets?limit=1000&min_settled_ts={low_s}&max_settled_ts={high_s}").json()[
        "markets"
    ]
    wanted = {
        each.ticker
        for each in a_world().markets()
        if each.settlement_ts and low_s < each.settlement_ts.timestamp() < high_s
    }
    assert {each["ticker"] for each in found} == wanted != set()


def test_updated_filters_go_with_series_only_without_combos(client: httpx.Client) -> None:
    """min_updated_ts + series_ticker needs mve_filter=exclude; then it selects."""
    path = "/markets?min_updated_ts=1&series_ticker=KXSIMFED&mve_filter=exclude"
    assert {each["event_ticker"] for each in client.get(path).json()["markets"]} == {
        "KXSIMFED-MAR",
        "KXSIMFED-APR",
    }


def test_listings_are_newest_first(client: httpx.Client) -> None:
    """Creation times never rise from one row to the next."""
    created = [each["created_time"] for each in client.get("/markets?limit=1000").json()["markets"]]
    assert created == sorted(created, reverse=True)


def test_pages_of_any_size_hold_the_same_rows(client: httpx.Client) -> None:
    """Page size changes nothing; the cursor of the last page is empty; limit=0 is the default of 100."""
    whole = every_page(client, "/markets", "markets", limit=1000)
    assert every_page(client, "/markets", "markets", limit=3) == whole
    assert client.get("/markets?limit=1000").json()["cursor"] == ""
    assert len(client.get("/markets?limit=0").json()["markets"]) == min(100, len(whole))
    by_series = every_page(client, "/markets", "markets", limit=2, series_ticker="KXSIMCPI")
    assert {each["event_ticker"].split("-")[0] for each in by_series} == {"KXSIMCPI"}


def test_a_cursor_belongs_to_its_filters(client: httpx.Client) -> None:
    """With another filter or on another route it is a 400; with another limit it goes on."""
    cursor = client.get("/markets?limit=2&status=settled").json()["cursor"]
    assert client.get(f"/markets?limit=5&status=settled&cursor={cursor}").status_code == 200
    assert refusal(client, f"/markets?limit=2&cursor={cursor}") == (400, "invalid cursor")
    assert refusal(client, f"/historical/markets?cursor={cursor}") == (400, "invalid cursor")


def test_unknown_parameters_are_ignored(client: httpx.Client) -> None:
    """As on the exchange: `offset` and time filters of the archive do nothing at all."""
    plain = client.get("/historical/markets?limit=5").json()["markets"]
    assert (
        client.get("/historical/markets?limit=5&min_close_ts=4000000000&offset=3").json()["markets"] == plain
    )


def test_the_archive_takes_one_filter(client: httpx.Client) -> None:
    """tickers, event_ticker, series_ticker and mve_filter exclude each other; each works alone."""
    two = "/historical/markets?series_ticker=KXSIMRAIN&mve_filter=exclude"
    assert client.get(two).status_code == 400
    found = client.get("/historical/markets?series_ticker=KXSIMRAIN").json()["markets"]
    assert {each["event_ticker"].split("-")[0] for each in found} == {"KXSIMRAIN"}
    one = found[0]
    assert client.get(f"/historical/markets?event_ticker={one['event_ticker']}").json()["markets"] == [one]
    assert client.get(f"/historical/markets?tickers={one['ticker']},NOPE").json()["markets"] == [one]


def test_depth_keeps_the_best_levels(client: httpx.Client) -> None:
    """Levels ascend, the best is last; depth 1 keeps it; beyond 100 is refused."""
    path = "/markets/KXSIMFED-MAR-H0/orderbook"
    full = client.get(path).json()["orderbook_fp"]
    assert full["yes_dollars"] == sorted(full["yes_dollars"])
    assert client.get(f"{path}?depth=1").json()["orderbook_fp"] == {
        side: levels[-1:] for side, levels in full.items()
    }
    for depth, message in (("101", "between 0 and 100"), ("-1", "between 0 and 100"), ("x", "an integer")):
        assert refusal(client, f"{path}?depth={depth}") == (400, f"depth must be {message}")
    both = client.get("/markets/orderbooks?tickers=KXSIMFED-MAR-H0&tickers=NOPE").json()["orderbooks"]
    assert both == [{"ticker": "KXSIMFED-MAR-H0", "orderbook_fp": full}]
    assert client.get("/markets/orderbooks").status_code == 400


def test_events_stay_for_ever_but_their_archived_markets_do_not(client: httpx.Client) -> None:
    """All events are listed; nested markets of old ones are an empty shell."""
    events = every_page(client, "/events", "events", limit=9, with_nested_markets="true")
    assert {each["event_ticker"] for each in events} == {each.ticker for each in a_world().events()}
    nested = [market["ticker"] for event in events for market in event["markets"]]
    live = [each["ticker"] for each in every_page(client, "/markets", "markets", limit=1000)]
    assert sorted(nested) == sorted(live)
    assert any(event["markets"] == [] for event in events)


def test_one_event_shows_markets_inside_or_beside(client: httpx.Client) -> None:
    """Nested: inside, and the old array is empty; else in the old array and no key inside."""
    inside = client.get("/events/KXSIMFED-MAR?with_nested_markets=true").json()
    beside = client.get("/events/KXSIMFED-MAR").json()
    assert inside["event"]["markets"] == beside["markets"]
    assert inside["markets"] == []
    assert "markets" not in beside["event"]
    assert client.get("/events/NOPE").json() == {"code": "not_found", "message": "event NOPE not found"}


def test_events_filter_by_any_child(client: httpx.Client) -> None:
    """`status=open` keeps events with an open market; tickers and series narrow further."""
    opened = client.get("/events?status=open&with_nested_markets=true").json()["events"]
    assert all(any(m["status"] == "active" for m in event["markets"]) for event in opened)
    assert (
        client.get("/events?tickers=KXSIMFED-MAR,NOPE").json()["events"][0]["event_ticker"] == "KXSIMFED-MAR"
    )
    assert client.get("/events?status=paused").status_code == 400
    assert client.get("/events?limit=201").status_code == 400


def test_events_filter_by_their_last_change(client: httpx.Client) -> None:
    """Strictly later; an event that does not tell when it changed does so with its markets."""
    whole = every_page(client, "/events", "events", limit=200)
    updated = {
        each.ticker: max(int(m.updated_ts.timestamp() * 10**6) for m in children if m.updated_ts)
        for each in a_world().events()
        if (children := [m for m in a_world().markets() if m.event_ticker == each.ticker])
    }
    since_s = sorted(updated.values())[len(updated) // 2] // 10**6
    found = every_page(client, "/events", "events", limit=200, min_updated_ts=since_s)
    wanted = [e["event_ticker"] for e in whole if updated[e["event_ticker"]] > since_s * 10**6]
    assert [each["event_ticker"] for each in found] == wanted
    assert 0 < len(wanted) < len(whole)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_method_that_a_route_does_not_take_is_a_405(client: httpx.Client, method: str) -> None:
    """With an error body like any other, and what would be allowed."""
    answer = client.request(method, "/markets")
    assert answer.status_code == 405
    assert answer.json() == {
        "code": "method_not_allowed",
        "message": f"{method} is not allowed here",
    }
    assert "GET" in answer.headers["Allow"]


def test_what_a_source_cannot_change_is_ignored(client: httpx.Client) -> None:
    """Another language, a time for the order book: the same answer."""
    path = "/markets/KXSIMFED-MAR-H0"
    assert client.get(path, headers={"Accept-Language": "es"}).text == client.get(path).text
    assert client.get(f"{path}/orderbook?ts=1").text == client.get(f"{path}/orderbook").text


def test_series_are_one_list(client: httpx.Client) -> None:
    """No cursor; category is case-sensitive; volume only when asked for."""
    answer = client.get("/series").json()
    assert list(answer) == ["series"]
    assert [each["ticker"] for each in answer["series"]] == [each.ticker for each in a_world().series()]
    assert client.get("/series?category=sports").json()["series"] == []
    only = client.get("/series?category=Sports&include_volume=true").json()["series"][0]
    volume_centi = sum(m.volume_centi for m in a_world().markets() if m.ticker.startswith("KXSIMGAME"))
    assert round(float(only["volume_fp"]) * 100) == volume_centi
    assert "volume_fp" not in client.get("/series/KXSIMGAME").json()["series"]
    assert client.get("/series/NOPE").status_code == 404


def test_fee_changes_hide_the_past_unless_asked(client: httpx.Client) -> None:
    """Without show_historical only what is still to come; with it the whole timeline of a series."""
    upcoming = client.get("/series/fee_changes").json()["series_fee_change_arr"]
    assert [each["series_ticker"] for each in upcoming] == ["KXSIMFED"]
    path = "/series/fee_changes?show_historical=true&series_ticker=KXSIMBTC15M"
    assert [each["fee_multiplier"] for each in client.get(path).json()["series_fee_change_arr"]] == [1, 0.5]


def test_event_fee_changes_are_paged_and_can_clear_an_override(client: httpx.Client) -> None:
    """Newest first: cleared (both null), before that free of fees."""
    found = every_page(client, "/events/fee_changes", "event_fee_changes", limit=1)
    assert [(each["fee_type_override"], each["fee_multiplier_override"]) for each in found] == [
        (None, None),
        ("quadratic", 0),
    ]
    assert {each["series_ticker"] for each in found} == {"KXSIMGAME"}


def test_the_exchange_tells_how_it_is(client: httpx.Client) -> None:
    """status, schedule, user_data_timestamp and cutoff answer without a key; unknown paths are 404."""
    assert client.get("/exchange/status").json()["trading_active"] is True
    assert "standard_hours" in client.get("/exchange/schedule").json()["schedule"]
    assert client.get("/exchange/user_data_timestamp").json() == {"as_of_time": "2026-03-02T00:00:00Z"}
    assert client.get("/historical/cutoff").json() == {
        "market_settled_ts": "2026-02-26T00:00:00Z",
        "trades_created_ts": "2026-02-25T00:00:00Z",
        "orders_updated_ts": "2026-02-25T00:00:00Z",
    }
    assert client.get("/nothing/here").json()["code"] == "not_found"
    assert client.get("/events/KXSIMFED-MAR/metadata").json()["market_details"]
