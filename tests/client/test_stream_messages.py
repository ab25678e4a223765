"""Every documented message is a struct; what no document knows is noted, and what is wrong is told."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from pipelines.client import Telemetry, wire
from pipelines.client.drift import Drift
from pipelines.client.stream import CHANNELS, Feed, Item, Message, Unknown, Unreadable
from pipelines.client.stream.channels import STRUCTS
from pipelines.client.stream.feeds import Wanted
from pipelines.client.stream.reading import Reading
from tests.client.streams import BOOKS, A, Json, a_delta, a_snapshot

AVERAGE = {
    "value": "68000.12000000",
    "window_size": 3,
    "window_start_ts_ms": 1_790_000_000_000,
    "window_end_ts_exclusive": 1_790_000_060_000,
}
RFQ = {"id": "r", "creator_id": "0", "market_ticker": A}
QUOTE = {
    "quote_id": "q",
    "rfq_id": "r",
    "quote_creator_id": "c",
    "rfq_creator_id": "0",
    "market_ticker": A,
}
BIDS = {"yes_bid_dollars": "0.3500", "no_bid_dollars": "0.6500"}
NOON = "2026-10-01T12:00:00Z"

MINIMAL: dict[str, Json] = {
    "orderbook_snapshot": {"market_ticker": A, "market_id": "m"},
    "orderbook_delta": {key: value for key, value in a_delta().items() if key != "ts_ms"},
    "ticker": {
        "market_ticker": A,
        "market_id": "m",
        **{f"{name}_dollars": "0.4500" for name in ("price", "yes_bid", "yes_ask")},
        **{
            f"{name}_fp": "1.00"
            for name in ("yes_bid_size", "yes_ask_size", "last_trade_size", "volume", "open_interest")
        },
        "dollar_volume": -1,
        "dollar_open_interest": 2,
        "ts_ms": 1_790_000_000_000,
    },
    "trade": {
        "trade_id": "t",
        "market_ticker": A,
        "yes_price_dollars": "0.3600",
        "no_price_dollars": "0.6400",
        "count_fp": "136.00",
        "taker_book_side": "ask",
        "ts_ms": 1_790_000_000_000,
    },
    "market_lifecycle_v2": {"event_type": "activated", "market_ticker": A},
    "multivariate_market_lifecycle": {"event_type": "settled", "market_ticker": A, "settled_ts": 1},
    "event_lifecycle": {
        "event_ticker": "E",
        "series_ticker": "S",
        "title": "",
        "subtitle": "",
        "collateral_return_type": "",
        "exchange_index": 0,
    },
    "event_fee_update": {
        "event_ticker": "E",
        "fee_type_override": "quadratic",
        "fee_multiplier_override": 0.5,
    },
    "fill": {
        "trade_id": "t",
        "order_id": "o",
        "market_ticker": A,
        "exchange_index": 2,
        "is_taker": True,
        "yes_price_dollars": "0.7500",
        "count_fp": "278.00",
        "fee_cost": "0.010000",
        "outcome_side": "yes",
        "book_side": "bid",
        "post_position_fp": "500.00",
        "ts_ms": 1_790_000_000_000,
    },
    "user_order": {
        "order_id": "o",
        "user_id": "u",
        "ticker": A,
        "exchange_index": 2,
        "status": "resting",
        "outcome_side": "yes",
        "book_side": "bid",
        "yes_price_dollars": "0.3500",
        **{f"{name}_count_fp": "10.00" for name in ("fill", "remaining", "initial")},
        **{
            f"{who}_{what}_dollars": "0.000000"
            for who in ("taker", "maker")
            for what in ("fill_cost", "fees")
        },
        "client_order_id": "mine",
        "created_ts_ms": None,
    },
    "market_position": {
        "user_id": "u",
        "market_ticker": A,
        "position_fp": "-100.00",
        **{
            f"{name}_dollars": "1.0000"
            for name in ("position_cost", "realized_pnl", "fees_paid", "position_fee_cost")
        },
        "volume_fp": "15.00",
    },
    "order_group_updates": {"event_type": "triggered", "order_group_id": "g", "ts_ms": 1},
    "rfq_created": {**RFQ, "created_ts": NOON},
    "rfq_deleted": {**RFQ, "deleted_ts": NOON},
    "quote_created": {**QUOTE, **BIDS, "created_ts": NOON},
    "quote_accepted": {**QUOTE, **BIDS},
    "quote_executed": {**QUOTE, "order_id": "o", "client_order_id": "mine", "executed_ts": NOON},
    "cfbenchmarks_value": {
        "index_id": "BRTI",
        "received_at": 1_790_000_000_123,
        "data": '{"value":"68000.12"}',
        "avg_60s_data": AVERAGE,
    },
    "cfbenchmarks_value_indexlist": {"index_ids": ["BRTI"]},
    "cfbenchmarks_value_5hz": {
        "index_id": "BRTI",
        "value_usd": "68000.12000000",
        "source_ts_ms": 1,
        "received_at": 2,
        "data": "{}",
    },
    "cfbenchmarks_value_5hz_indexlist": {"index_ids": None},
    "pyth_value": {
        "underlying_ticker": "Metal.XAU/USD",
        "value_usd": "82.12345000",
        "source_ts_ms": 1,
        "received_at": 2,
    },
    "pyth_value_underlying_list": {"underlying_tickers": []},
}
"""The least that asyncapi.yaml of Sept 2026 lets each type hold, deprecated fields left out."""


def heard(kind: str, msg: Any, *, drift: Drift | None = None, **envelope: Any) -> Item:  # noqa: ANN401  JSON
    reading = Reading(
        "one",
        wanted=Wanted([BOOKS]),
        channel_of_command=lambda _id: "",
        drift=Drift() if drift is None else drift,  # an empty one is false
        telemetry=Telemetry(),
        path="/trade-api/ws/v2",
    )
    frame = {"type": kind, "sid": 1, "msg": msg} | envelope
    (item,) = reading.hear(json.dumps(frame).encode(), 7)
    return item


def test_every_channel_has_its_messages_and_every_message_an_example_here() -> None:
    """13 channels as in KALSHI.md §10.3, without the removed ones."""
    assert len(CHANNELS) == 13
    assert set(STRUCTS) == set(MINIMAL)


@pytest.mark.parametrize("kind", MINIMAL)
def test_the_least_of_every_message_decodes_without_novelty(kind: str) -> None:
    drift = Drift()
    item = heard(kind, MINIMAL[kind], drift=drift)
    assert isinstance(item, Message)
    assert isinstance(item.msg, STRUCTS[kind])
    assert kind in CHANNELS[item.channel].types
    assert not drift


@pytest.mark.parametrize("kind", MINIMAL)
def test_a_message_that_lacks_a_required_field_is_told_whole(kind: str) -> None:
    """Missing is not zero. Only lists in answers may be null; they must be there all the same."""
    for name in MINIMAL[kind]:
        lacking = {key: value for key, value in MINIMAL[kind].items() if key != name}
        item = heard(kind, lacking)
        fields = {field.encode_name: field for field in msgspec.structs.fields(STRUCTS[kind])}
        if name == "taker_book_side":
            assert "who bought what" in getattr(item, "reason", "")
        elif fields[name].required:
            assert isinstance(item, Unreadable)
            assert f"`{name}`" in item.reason
            assert json.loads(item.payload)["msg"] == lacking
        else:
            assert isinstance(item, Message)


def test_what_is_deprecated_is_read_too() -> None:
    """A frame off the socket on 2026-08-07 had `ts` as text beside `ts_ms`."""
    drift = Drift()
    item = heard("orderbook_delta", a_delta(ts="2026-08-07T06:46:28.97871Z"), drift=drift)
    assert isinstance(item, Message)
    assert not drift


def test_an_empty_side_is_missing_from_a_snapshot() -> None:
    item = heard("orderbook_snapshot", a_snapshot())
    assert isinstance(item, Message)
    assert item.msg == wire.BookSnapshot(
        market_ticker=A,
        market_id="9b0f6b43-5b68-4f9f-9f02-9a2d1b8ac1a1",
        yes_dollars_fp=[("0.0800", "300.00"), ("0.2200", "333.00")],
    )


@pytest.mark.parametrize(
    ("fields", "side"),
    [
        ({"taker_outcome_side": "no"}, "no"),
        ({"taker_side": "yes"}, "yes"),
        ({"taker_book_side": "ask"}, "no"),
    ],
)
def test_the_taker_is_read_from_whichever_field_is_there(fields: Json, side: str) -> None:
    bare = {key: value for key, value in MINIMAL["trade"].items() if key != "taker_book_side"}
    item = heard("trade", bare | fields)
    assert isinstance(item, Message)
    assert isinstance(item.msg, wire.TradePrint)
    assert item.msg.side == side


def test_a_fee_multiplier_is_exact() -> None:
    """Half a fee arrives as the JSON number 0.5; null clears the override."""
    item = heard("event_fee_update", MINIMAL["event_fee_update"])
    assert isinstance(item, Message)
    assert isinstance(item.msg, wire.EventFeeUpdate)
    assert item.msg.fee_multiplier_override == Decimal("0.5")
    assert item.msg.fee_multiplier_override_ppm == 500_000
    cleared = {"event_ticker": "E", "fee_type_override": None, "fee_multiplier_override": None}
    assert isinstance(heard("event_fee_update", cleared), Message)


def test_new_fields_and_words_are_noted_and_nothing_stops() -> None:
    """In the message and in the envelope."""
    drift = Drift()
    item = heard("orderbook_delta", a_delta(side="maybe", venue="X"), drift=drift, shard=3)
    assert isinstance(item, Message)
    assert {one.where for one in drift.report()} == {
        "BookDelta.venue",
        "BookDelta.side",
        "Envelope.shard",
    }


def test_an_unknown_type_is_kept_whole_and_noted() -> None:
    drift = Drift()
    item = heard("orderbook_l3", {"x": 1}, drift=drift, seq=5)
    assert isinstance(item, Unknown)
    assert (item.type, item.seq) == ("orderbook_l3", 5)
    assert json.loads(item.payload)["msg"] == {"x": 1}
    assert [one.where for one in drift.report()] == ["Stream.orderbook_l3"]


def test_a_hostile_type_does_not_name_anything_of_ours() -> None:
    drift = Drift()
    assert isinstance(heard("x\n" * 1_000, None, drift=drift), Unknown)
    assert [one.where for one in drift.report()] == ["Stream.(unprintable)"]


@pytest.mark.parametrize("msg", [None, [], "text", 1, {"market_ticker": None}])
def test_a_message_of_another_shape_is_unreadable(msg: object) -> None:
    item = heard("orderbook_delta", msg)
    assert isinstance(item, Unreadable)
    assert item.channel == "orderbook_delta"
    assert item.tickers == BOOKS.names


def test_a_reply_that_cannot_be_read_is_told() -> None:
    for kind, msg in (("subscribed", {"sid": 1}), ("error", {"code": "ten"})):
        assert isinstance(heard(kind, msg), Unreadable)


def test_a_feed_shows_what_it_is() -> None:
    assert Feed("ticker", (A,)) == Feed("ticker", (A,))
    assert Feed("ticker").kind is CHANNELS["ticker"]
