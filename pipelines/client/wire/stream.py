"""Messages of the WebSocket's market data: books, top of book, prints, and index feeds.

Prices, counts and deltas stay text here. A field that the documents call deprecated is optional: most are
past their removal date. Source: KALSHI.md §10.4 (websocket pages, 2026-10-01); asyncapi.yaml of Sept 2026 for
optionality and for the index feeds, which KALSHI.md does not list.
"""

import msgspec

from pipelines.client.wire.exact import Whole
from pipelines.client.wire.tape import SIDE_OF_BOOK_SIDE

Level = tuple[str, str]


class BookSnapshot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole book: bids of both outcomes as (price, count); a side without bids is missing.

    Whether NO levels stand in YES or in NO prices was chosen when subscribing: `Message.use_yes_price`.
    """

    market_ticker: str
    market_id: str
    yes_dollars_fp: list[Level] | None = None
    no_dollars_fp: list[Level] | None = None


class BookDelta(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A signed change of one level; a level at or below zero is gone. Own orders carry their ids."""

    market_ticker: str
    market_id: str
    price_dollars: str
    delta_fp: str
    side: str
    ts_ms: Whole | None = None
    ts: str | None = None
    client_order_id: str | None = None
    subaccount: Whole | None = None


class TickerUpdate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """Top of book, last price, volume and open interest of a market; throttled, and never numbered."""

    market_ticker: str
    market_id: str
    price_dollars: str
    yes_bid_dollars: str
    yes_ask_dollars: str
    yes_bid_size_fp: str
    yes_ask_size_fp: str
    last_trade_size_fp: str
    volume_fp: str
    open_interest_fp: str
    dollar_volume: Whole
    dollar_open_interest: Whole
    ts_ms: Whole
    ts: Whole | None = None
    time: str | None = None


class TradePrint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """One print of the public tape; `.side` is the outcome that the taker bought."""

    trade_id: str
    market_ticker: str
    yes_price_dollars: str
    no_price_dollars: str
    count_fp: str
    ts_ms: Whole
    taker_outcome_side: str | None = None
    taker_book_side: str | None = None
    taker_side: str | None = None
    is_block_trade: bool | None = None
    ts: Whole | None = None

    def __post_init__(self) -> None:
        if self.side is None:
            raise ValueError("no taker_outcome_side, taker_book_side or taker_side: who bought what?")

    @property
    def side(self) -> str | None:
        """The outcome the taker bought, yes or no, from whichever field is there."""
        return self.taker_outcome_side or self.taker_side or SIDE_OF_BOOK_SIDE.get(self.taker_book_side or "")


class WindowedAverage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """An average over [window_start_ts_ms, window_end_ts_exclusive), both in milliseconds."""

    value: str
    window_size: Whole
    window_start_ts_ms: Whole
    window_end_ts_exclusive: Whole


class IndexValue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`cfbenchmarks_value`: an index about once a second; `data` is the vendor's own JSON, as text.

    `received_at` is Kalshi's clock in milliseconds. The quarter-hour average comes only within the last
    minute before :00, :15, :30 and :45.
    """

    index_id: str
    received_at: Whole
    data: str
    avg_60s_data: WindowedAverage
    last_60s_windowed_average_15min: WindowedAverage | None = None


class IndexTick(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """`cfbenchmarks_value_5hz`: an index up to five times a second; times in milliseconds."""

    index_id: str
    value_usd: str
    source_ts_ms: Whole
    received_at: Whole
    data: str


class PythValue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """`pyth_value`: the price of an underlying; times in milliseconds."""

    underlying_ticker: str
    value_usd: str
    source_ts_ms: Whole
    received_at: Whole


class IndexList(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a CF Benchmarks channel offers now, in answer to `indexlist`."""

    index_ids: list[str] | None


class UnderlyingList(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `pyth_value` sent within two hours, in answer to `underlying_list`."""

    underlying_tickers: list[str] | None
