"""Decoding: tolerant of growth, strict on meaning, exact about numbers, and clear about what is wrong."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from pipelines.client import WireError, wire
from pipelines.client.decode import BrokenBody, decode
from pipelines.client.drift import Drift
from tests.client.payloads import a_candle, a_market, a_series, a_trade, an_event


def read(payload: object, shape: type[msgspec.Struct], drift: Drift | None = None) -> Any:  # noqa: ANN401  any reply
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return decode(raw, shape, path="/path?a=1", drift=Drift() if drift is None else drift)


def refusal(payload: object, shape: type[msgspec.Struct]) -> WireError:
    with pytest.raises(WireError) as caught:
        read(payload, shape)
    return caught.value


def test_unknown_fields_are_counted_with_an_example_and_otherwise_ignored() -> None:
    drift = Drift()
    page = {"trades": [a_trade(n, venue_id=7, leg={"a": 1.5}) for n in (1, 2, 3)], "cursor": "", "total": 3}
    found = read(page, wire.TradesPage, drift)
    assert [trade.trade_id for trade in found.trades] == ["trade-1", "trade-2", "trade-3"]
    seen = {(one.kind, one.where): (one.n_seen, one.example) for one in drift.report()}
    assert seen == {
        ("field", "Trade.venue_id"): (3, "7"),
        ("field", "Trade.leg"): (3, '{"a":"1.5"}'),
        ("field", "TradesPage.total"): (1, "3"),
    }
    assert bool(drift)


def test_unknown_values_are_kept_and_counted() -> None:
    """Trap 44: a new word stops nothing and is not swallowed either."""
    drift = Drift()
    events = [
        an_event(markets=[a_market("A", status="paused"), a_market("B", strike_type="shape")]),
        an_event(),
    ]
    found = read({"events": events}, wire.EventsPage, drift)
    assert found.events[0].markets[0].status == "paused"
    seen = [(one.kind, one.where, one.example, one.n_seen) for one in drift.report()]
    assert seen == [
        ("value", "Market.status", '"paused"', 1),
        ("value", "Market.strike_type", '"shape"', 1),
    ]


def test_a_new_fee_type_is_kept_and_counted() -> None:
    drift = Drift()
    read({"series": a_series(fee_type="margin_market_maker_program_fees")}, wire.SeriesReply, drift)
    assert drift.report()[0].where == "Series.fee_type"


def test_nothing_new_leaves_no_trace() -> None:
    drift = Drift()
    read({"trades": [a_trade()], "cursor": None}, wire.TradesPage, drift)
    read({"markets": [a_market()]}, wire.MarketsPage, drift)
    assert not drift
    assert drift.report() == []


def test_a_missing_required_field_names_field_ticker_and_path() -> None:
    markets = [a_market("KX-1"), a_market("KX-2")]
    del markets[1]["volume_fp"]
    error = refusal({"markets": markets}, wire.MarketsPage)
    assert (error.field, error.ticker, error.path) == ("markets[1].volume_fp", "KX-2", "/path?a=1")
    assert str(error).startswith(
        "GET /path?a=1: `markets[1].volume_fp` of KX-2: required, but missing; nothing"
    )
    assert json.loads(error.payload)["markets"][0]["ticker"] == "KX-1"


def test_a_missing_field_is_an_error_even_beside_unknown_ones() -> None:
    market = a_market("KX-9", brand_new=1)
    del market["open_interest_fp"]
    error = refusal({"events": [an_event(markets=[market])]}, wire.EventsPage)
    assert (error.field, error.ticker) == ("events[0].markets[0].open_interest_fp", "KX-9")


def test_a_wrong_type_is_an_error() -> None:
    error = refusal({"trades": [a_trade(), a_trade(count_fp=10)]}, wire.TradesPage)
    assert (error.field, error.reason) == ("trades[1].count_fp", "Expected `str`, got `int`")
    assert error.ticker == "KX-1"


def test_a_wrong_envelope_is_an_error_and_not_an_empty_list() -> None:
    """Trap 42: the envelopes' keys are irregular; the wrong one must not look like an empty market."""
    assert refusal({"contracts": []}, wire.MarketsPage).field == "markets"
    assert refusal({"orderbook": {"yes": []}}, wire.BookReply).field == "orderbook_fp"
    assert refusal([], wire.MarketsPage).field == "(whole body)"


def test_a_trade_that_does_not_say_who_bought_is_an_error() -> None:
    lost = a_trade(2)
    del lost["taker_outcome_side"], lost["taker_book_side"]
    error = refusal({"trades": [a_trade(1), lost]}, wire.TradesPage)
    assert (error.field, error.ticker) == ("trades[1]", "KX-1")
    assert "who bought what?" in error.reason


@pytest.mark.parametrize(
    ("fields", "side"),
    [
        ({"taker_outcome_side": "no", "taker_book_side": "ask"}, "no"),
        ({"taker_side": "no"}, "no"),
        ({"taker_book_side": "bid"}, "yes"),
        ({"taker_book_side": "ask", "taker_outcome_side": None}, "no"),
    ],
)
def test_the_takers_side_is_read_from_whichever_field_is_there(fields: dict[str, Any], side: str) -> None:
    trade = a_trade()
    del trade["taker_outcome_side"], trade["taker_book_side"]
    assert read({"trades": [trade | fields]}, wire.TradesPage).trades[0].side == side


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"trades": [{"trade_id": "x"', b"<html>down</html>", b'{"trades": []}x', b"\xff\xfe"],
)
def test_a_body_that_is_not_whole_json_is_broken_and_not_wrong(body: bytes) -> None:
    """A cut-off body is a fault of the way, worth another try; a wrong field is not."""
    with pytest.raises(BrokenBody, match="is not whole JSON"):
        read(body, wire.TradesPage)


def test_a_body_cut_off_inside_a_wrong_page_is_still_broken() -> None:
    with pytest.raises(BrokenBody):
        read(json.dumps({"trades": [{"odd": 1}, a_trade()]}).encode()[:-9], wire.TradesPage)


def test_lists_may_arrive_as_null() -> None:
    assert read({"markets": None, "cursor": None}, wire.MarketsPage).markets is None
    assert (
        read({"series": a_series(tags=None, settlement_sources=None)}, wire.SeriesReply).series.tags is None
    )
    assert read({"orderbook_fp": {"yes_dollars": None}}, wire.BookReply).orderbook_fp.no_dollars is None


@pytest.mark.parametrize(
    ("number", "ppm"),
    [("0.5", 500_000), ("1", 1_000_000), ("0", 0), ("0.07", 70_000), ("1e-6", 1), ("1.0", 1_000_000)],
)
def test_fee_multipliers_become_parts_per_million_exactly(number: str, ppm: int) -> None:
    raw = json.dumps({"series": a_series(fee_multiplier="@")}).replace('"@"', number).encode()
    series = read(raw, wire.SeriesReply).series
    assert (series.fee_multiplier_ppm, series.fee_multiplier) == (ppm, Decimal(number))


def test_the_slow_path_is_as_exact_as_the_quick_one() -> None:
    raw = (
        json.dumps({"series": a_series(fee_multiplier="@", brand_new=1)}).replace('"@"', "0.1000001").encode()
    )
    with pytest.raises(WireError, match=r"fee multiplier 0\.1000001 is finer than one part per million"):
        read(raw, wire.SeriesReply)
    raw = raw.replace(b"0.1000001", b"0.100001")
    assert read(raw, wire.SeriesReply).series.fee_multiplier_ppm == 100_001


def test_a_cleared_event_override_is_none() -> None:
    change = {
        "id": "1",
        "event_ticker": "KX",
        "series_ticker": "KXS",
        "scheduled_ts": "2026-06-04T00:00:00Z",
        "fee_type_override": None,
        "fee_multiplier_override": None,
    }
    page = read({"event_fee_changes": [change], "cursor": ""}, wire.EventFeeChangesPage)
    assert page.event_fee_changes[0].fee_multiplier_override_ppm is None


def test_cents_alone_are_refused_rather_than_guessed() -> None:
    """Before August 2025 candles had `close`: 56 and no dollars; an integer is never read as dollars."""
    candle = a_candle()
    candle["yes_bid"] = {"open": 55, "high": 57, "low": 55, "close": 56}
    error = refusal({"candlesticks": [candle], "ticker": "KX-1"}, wire.CandlesReply)
    assert error.field == "candlesticks[0].yes_bid.open_dollars"
    assert error.ticker == "KX-1"


def test_a_market_that_lost_its_volume_is_not_a_dead_market() -> None:
    """Only the whole generation of 2025 is respelled; a missing `volume_fp` alone stays an error."""
    market = a_market()
    del market["volume_fp"]
    assert refusal({"market": market}, wire.MarketReply).field == "market.volume_fp"
    market["volume"] = "5"
    assert refusal({"market": market}, wire.MarketReply).field == "market.volume_fp"
