"""How each recording of the real exchange is read: which part is a payload, of which shape.

Recorders wrapped what they got in notes of their own; those are taken off here, each with the reason. Nothing
the exchange said is taken off: what our structs do not name must stand in `spellings.RETIRED`.
"""

import gzip
import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from pipelines.client import wire
from tests.client.payloads import a_market
from tests.realdata import DATA

REST: Final = DATA / "rest"
Part = tuple[type[msgspec.Struct], Any]


class OldQuote(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """One row of a market's history as an official client of 2024 printed it: integer cents, Unix seconds.

    No document of 2026 knows the endpoint, so no client method returns this; the underscores and
    `discriminator` are that client's.
    """

    ts: int = msgspec.field(name="_ts")
    yes_price: int = msgspec.field(name="_yes_price")
    yes_bid: int = msgspec.field(name="_yes_bid")
    yes_ask: int = msgspec.field(name="_yes_ask")
    no_bid: int = msgspec.field(name="_no_bid")
    no_ask: int = msgspec.field(name="_no_ask")
    volume: int = msgspec.field(name="_volume")
    open_interest: int = msgspec.field(name="_open_interest")
    discriminator: None


class OldQuotes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The history of some markets of the demo exchange."""

    markets: list[dict[str, list[OldQuote]]]


def recorded(name: str) -> Any:  # noqa: ANN401  JSON
    """Return one recorded file."""
    raw = (REST / name).read_bytes()
    return json.loads(gzip.decompress(raw) if name.endswith(".gz") else raw)


def _whole(shape: type[msgspec.Struct], field: str = "") -> Callable[[Any], Iterator[Part]]:
    """Return a reader of files that are one payload, or the list that stood in its `field`."""

    def parts(payload: Any) -> Iterator[Part]:  # noqa: ANN401  JSON
        yield shape, {field: payload} if field else payload

    return parts


def _events_beside_notes(payload: Any) -> Iterator[Part]:  # noqa: ANN401  JSON
    yield wire.EventsPage, {"events": payload["events"]}  # captured_at, endpoint, note, series_ticker


def _candles_by_market(payload: Any) -> Iterator[Part]:  # noqa: ANN401  JSON
    for market in payload["markets"].values():  # beside them: what was asked
        yield wire.CandlesReply, {"candlesticks": market["candlesticks"]}


def _collections(payload: Any) -> Iterator[Part]:  # noqa: ANN401  JSON
    for collection in payload.values():
        # The recorder kept 12 of the associated events and noted how many there were.
        kept = {name: value for name, value in collection.items() if name != "_truncated_from"}
        yield wire.EventCollectionReply, {"multivariate_contract": kept}


def _single_and_nested(payload: Any) -> Iterator[Part]:  # noqa: ANN401  JSON
    yield wire.MarketReply, payload["single"]
    yield wire.MarketReply, {"market": payload["nested"]}


def _price_grids(payload: Any) -> Iterator[Part]:  # noqa: ANN401  JSON
    names = ("price_level_structure", "price_ranges")
    for grid in payload["grids"]:
        yield wire.MarketReply, {"market": a_market(**{name: grid[name] for name in names})}


def _series_by_ticker(payload: Any) -> Iterator[Part]:  # noqa: ANN401  JSON
    for series in payload["payloads"].values():
        yield wire.SeriesReply, series


def _strikes(payload: Any) -> Iterator[Part]:  # noqa: ANN401  JSON
    for ticker, said in payload.items():
        if "fetch_error" in said:
            continue  # one market that the recorder's own network kept from him
        # The recorder renamed two fields and added when it asked.
        ours = {"market", "raw_market_type", "fetched_at_utc"}
        fields = {name: value for name, value in said.items() if name not in ours}
        yield wire.MarketReply, {"market": a_market(ticker, market_type=said["raw_market_type"], **fields)}


READERS: Final[dict[str, Callable[[Any], Iterator[Part]]]] = {
    "cockpit_candlesticks_mlb.json.gz": _candles_by_market,
    "cockpit_combo_collections.json.gz": _collections,
    "cockpit_combo_orderbooks.json.gz": _whole(wire.BooksReply, "orderbooks"),
    "cockpit_events_nfl_preseason.json.gz": _events_beside_notes,
    "cockpit_events_sports_nested.json.gz": _whole(wire.EventsPage, "events"),
    "cockpit_market_single.json.gz": _single_and_nested,
    "cockpit_price_grids.json.gz": _price_grids,
    "cockpit_series_fee_fields.json.gz": _series_by_ticker,
    "demo_env/lognorman_market_history_2024-07.json.gz": _whole(OldQuotes, "markets"),
    "fairline_candlesticks_weather.json": _whole(wire.CandlesReply),
    "fairline_events_mixed.json": _whole(wire.EventsPage),
    "fairline_historical_markets_rain.json": _whole(wire.MarketsPage),
    "fairline_market_single.json": _whole(wire.MarketReply),
    "fairline_orderbook.json": _whole(wire.BookReply),
    "jonasgebele_candlesticks_2025_transition.json": _whole(wire.CandlesReply),
    "jonasgebele_markets_2025-09_transition_cents_and_dollars.json.gz": _whole(wire.MarketsPage, "markets"),
    "jsteng19_event_KXNBAMENTION-26MAY09OKCLAL.json.gz": _whole(wire.EventReply),
    "kxbtc15m_strike_and_expiration_values_2026-04.json.gz": _strikes,
    "sagnik_events_open_2026-05.json.gz": _whole(wire.EventsPage, "events"),
    "zane180_markets_page_KXNBAGAME-26JUN13NYKSAS.json": _whole(wire.MarketsPage),
    "zane180_trades_page_2026-06-14.json": _whole(wire.TradesPage),
}
"""Every file of the recordings, by its path under `rest`."""
