"""Recordings of the real exchange decode, whichever generation and endpoint they came from."""

import json
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
import pytest

from exchange.units import parse_cc, parse_centi
from pipelines.client import spellings, wire
from pipelines.client.decode import decode
from pipelines.client.drift import Drift
from pipelines.client.wire import Candle, Event, Market
from tests.client.recordings import READERS, REST, OldQuotes, recorded
from tests.realdata import needs_real_data

T = TypeVar("T", bound=msgspec.Struct)

pytestmark = needs_real_data


def read(payload: object, shape: type[T]) -> T:
    """Decode a payload that must hold nothing unknown."""
    drift = Drift()
    found = decode(json.dumps(payload).encode(), shape, path="/recorded", drift=drift)
    assert drift.report() == []
    return found


def markets_of(events: list[Event]) -> list[Market]:
    return [market for event in events for market in event.markets or []]


def test_every_recording_has_a_reader() -> None:
    files = {str(path.relative_to(REST)) for path in REST.rglob("*") if path.is_file()}
    assert files == set(READERS)


@pytest.mark.parametrize("name", READERS)
def test_every_recording_decodes_and_holds_nothing_that_is_not_mapped_or_retired(name: str) -> None:
    parts = [read(payload, shape) for shape, payload in READERS[name](recorded(name))]
    assert parts


def test_retired_fields_have_a_reason_and_no_place_in_a_struct() -> None:
    """A field is mapped or ignored, never both; and what is ignored was really seen, or withdrawn."""
    for owner, fields in spellings.RETIRED.items():
        mapped = {one.name for one in msgspec.structs.fields(getattr(wire, owner))}
        assert mapped.isdisjoint(fields)
        assert all(len(reason) > 10 for reason in fields.values())


def test_a_field_that_nobody_declared_would_be_noticed_in_a_recording() -> None:
    """The test of all recordings can fail: a recorded market with one more field does."""
    drift = Drift()
    market = recorded("fairline_market_single.json")["market"] | {"brand_new": 1}
    decode(json.dumps({"market": market}).encode(), wire.MarketReply, path="/", drift=drift)
    assert [one.where for one in drift.report()] == ["Market.brand_new"]


def test_collections_of_combos_decode() -> None:
    """As recorded on 2026-08-09: no grids yet, no size_min of events, and a size_max of 0 for some."""
    parts = READERS["cockpit_combo_collections.json.gz"](recorded("cockpit_combo_collections.json.gz"))
    found = [read(payload, wire.EventCollectionReply).multivariate_contract for _, payload in parts]
    assert len(found) == 16
    assert {one.price_ranges is None for one in found} == {True}
    assert 0 in {one.size_max for one in found}
    assert all(one.associated_event_tickers for one in found)


def test_the_demo_exchange_of_2024_spoke_cents() -> None:
    """100 markets of 100 rows; a bid and the opposite ask make a dollar."""
    rows = [
        row
        for market in read(
            {"markets": recorded("demo_env/lognorman_market_history_2024-07.json.gz")}, OldQuotes
        ).markets
        for quotes in market.values()
        for row in quotes
    ]
    assert len(rows) > 1_000
    assert all(row.yes_bid + row.no_ask == 100 == row.yes_ask + row.no_bid for row in rows)


@pytest.mark.parametrize(
    ("name", "n_events", "n_markets"),
    [
        ("cockpit_events_sports_nested.json.gz", 32, 245),
        ("cockpit_events_nfl_preseason.json.gz", 32, 64),
        ("fairline_events_mixed.json", 2, 4),
        ("sagnik_events_open_2026-05.json.gz", 7_219, 0),
    ],
)
def test_events_decode_with_their_nested_markets(name: str, n_events: int, n_markets: int) -> None:
    payload = recorded(name)
    events = read({"events": payload if isinstance(payload, list) else payload["events"]}, wire.EventsPage)
    assert len(events.events or []) == n_events
    markets = markets_of(events.events or [])
    assert len(markets) == n_markets
    for market in markets:
        assert parse_cc(market.yes_ask_dollars) == 10_000 - parse_cc(market.no_bid_dollars)


def test_an_event_answered_the_old_way_has_its_markets_beside_it() -> None:
    reply = read(recorded("jsteng19_event_KXNBAMENTION-26MAY09OKCLAL.json.gz"), wire.EventReply)
    assert (reply.event.markets, len(reply.markets or [])) == (None, 25)
    assert reply.event.last_updated_ts == "0001-01-01T00:00:00Z"


def test_a_page_of_markets_decodes_with_its_cursor() -> None:
    page = read(recorded("zane180_markets_page_KXNBAGAME-26JUN13NYKSAS.json"), wire.MarketsPage)
    first = (page.markets or [])[0]
    assert page.cursor == "CgwIiJue0QYQiLDBjQISG0tYTkJBR0FNRS0yNkpVTjEzTllLU0FTLU5ZSw"
    assert (first.ticker, first.result, first.status) == ("KXNBAGAME-26JUN13NYKSAS-SAS", "no", "finalized")
    assert parse_centi(first.volume_fp) == 4_846_770_282
    assert first.price_ranges == [wire.PriceRange(start="0.0000", end="1.0000", step="0.0100")]


def test_a_market_is_the_same_alone_and_inside_its_event() -> None:
    both = recorded("cockpit_market_single.json.gz")
    single = read(both["single"], wire.MarketReply).market
    assert single == read({"market": both["nested"]}, wire.MarketReply).market
    assert read(recorded("fairline_market_single.json"), wire.MarketReply).market.cap_strike == 80


def test_archived_markets_decode() -> None:
    page = read(recorded("fairline_historical_markets_rain.json"), wire.MarketsPage)
    found = [(one.ticker, one.result, one.expiration_value, one.floor_strike) for one in page.markets or []]
    assert found[0] == ("KXRAINNYCM-25DEC-1", "yes", "3.38", 1.0)
    assert (len(found), page.cursor) == (3, "")


def test_the_page_of_2025_with_cents_and_dollars_is_read_by_its_dollars() -> None:
    """Whole contracts (`volume`: 50384) become "50384.00"; what did not exist yet is null, never zero."""
    raw = recorded("jonasgebele_markets_2025-09_transition_cents_and_dollars.json.gz")
    page = read({"markets": raw}, wire.MarketsPage)
    assert len(page.markets or []) == 100
    for market, was in zip(page.markets or [], raw, strict=True):
        assert parse_centi(market.volume_fp) == was["volume"] * 100
        assert parse_centi(market.open_interest_fp) == was["open_interest"] * 100
        assert parse_cc(market.yes_bid_dollars) == was["yes_bid"] * 100
        assert (market.created_time, market.updated_time, market.yes_bid_size_fp) == (None, None, None)
    assert max(was["volume"] for was in raw) == 50_384
    assert {market.result for market in page.markets or []} >= {None, "no"}


def test_trades_decode() -> None:
    page = read(recorded("zane180_trades_page_2026-06-14.json"), wire.TradesPage)
    first = (page.trades or [])[0]
    assert (first.created_time, first.count_fp, first.side) == ("2026-06-14T03:30:45.993203Z", "93.51", "yes")
    assert parse_cc(first.yes_price_dollars) + parse_cc(first.no_price_dollars) == 10_000
    assert len(page.trades or []) == 3


def test_live_candles_decode() -> None:
    reply = read(recorded("fairline_candlesticks_weather.json"), wire.CandlesReply)
    first, second = (reply.candlesticks or [])[:2]
    assert (first.end_period_ts, first.volume_fp, first.yes_ask.high_dollars) == (
        1_784_386_800,
        "213.29",
        "1.0000",
    )
    assert first.price is not None
    assert first.price.previous_dollars is None, "the first candle has no price before it"
    assert second.price is not None
    assert second.price.previous_dollars == "0.2100"
    for market in recorded("cockpit_candlesticks_mlb.json.gz")["markets"].values():
        assert len(read({"candlesticks": market["candlesticks"]}, wire.CandlesReply).candlesticks or []) == 16


def test_historical_candles_become_the_same_struct() -> None:
    """The archive says `open` and `volume` where the live tier says `open_dollars` and `volume_fp`."""
    live = recorded("fairline_candlesticks_weather.json")

    def archived(candle: dict[str, Any]) -> dict[str, Any]:
        said = {name: candle[name] for name in ("end_period_ts",)}
        for side in ("yes_bid", "yes_ask", "price"):
            said[side] = {name.removesuffix("_dollars"): text for name, text in candle[side].items()}
        return {**said, "volume": candle["volume_fp"], "open_interest": candle["open_interest_fp"]}

    old = {"ticker": live["ticker"], "candlesticks": [archived(one) for one in live["candlesticks"]]}
    assert read(old, wire.CandlesReply) == read(live, wire.CandlesReply)


def test_candles_of_2025_are_read_by_their_dollars() -> None:
    raw = recorded("jonasgebele_candlesticks_2025_transition.json")
    reply = read(raw, wire.CandlesReply)
    candles: list[Candle] = reply.candlesticks or []
    assert len(candles) == 11
    for candle, was in zip(candles, raw["candlesticks"], strict=True):
        assert candle.volume_fp == f"{was['volume']}.00"
        assert candle.yes_ask.close_dollars == was["yes_ask"]["close_dollars"]
    assert candles[0].price == wire.Price()


def test_books_decode_full_one_sided_and_empty() -> None:
    book = read(recorded("fairline_orderbook.json"), wire.BookReply).orderbook_fp
    assert (book.yes_dollars or [])[-1] == ("0.0500", "708.00")
    combos = read({"orderbooks": recorded("cockpit_combo_orderbooks.json.gz")}, wire.BooksReply)
    shapes = {
        (bool(one.orderbook_fp.yes_dollars), bool(one.orderbook_fp.no_dollars))
        for one in combos.orderbooks or []
    }
    assert shapes == {(False, True), (False, False)}


@pytest.mark.parametrize(
    ("ticker", "ppm"),
    [
        ("KXMLBGAME", 500_000),
        ("KXMLBSPREAD", 500_000),
        ("KXATPDOUBLES", 1_000_000),
        ("KXWNBAGAME", 1_000_000),
    ],
)
def test_fee_multipliers_are_exact(ticker: str, ppm: int) -> None:
    """Half a fee arrives as the JSON number 0.5 and is 500,000 parts per million."""
    series = read(recorded("cockpit_series_fee_fields.json.gz")["payloads"][ticker], wire.SeriesReply).series
    assert series.fee_multiplier_ppm == ppm
    assert isinstance(series.fee_multiplier, Decimal)


def test_strikes_keep_the_noise_they_came_with() -> None:
    """`floor_strike` 67628.899999 stays what it is beside a subtitle of 67,628.90."""
    strikes = recorded("kxbtc15m_strike_and_expiration_values_2026-04.json.gz")
    market = recorded("fairline_market_single.json")["market"]
    market["floor_strike"] = strikes["KXBTC15M-26APR012145-45"]["floor_strike"]
    assert read({"market": market}, wire.MarketReply).market.floor_strike == 67_628.899999
