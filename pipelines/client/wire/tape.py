"""Trades, candles and books as Kalshi spells them: prices, counts and times stay text here.

Source: KALSHI.md §5.4-§5.6 and §7 (OpenAPI 3.34.0, read 2026-10-09).
"""

from datetime import datetime
from typing import Final

import msgspec

from pipelines.client.wire.exact import Whole

SIDE_OF_BOOK_SIDE: Final = {"bid": "yes", "ask": "no"}


class Trade(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """One print. `created_time` has up to six decimals, trailing zeros trimmed; many trades share one time.

    `taker_outcome_side` (yes | no) and `taker_book_side` (bid | ask) came in May 2026 and say the same;
    `taker_side` is deprecated. Use `.side`, which reads whichever is there.
    """

    trade_id: str
    ticker: str
    created_time: str
    count_fp: str
    yes_price_dollars: str
    no_price_dollars: str
    taker_outcome_side: str | None = None
    taker_book_side: str | None = None
    taker_side: str | None = None
    is_block_trade: bool | None = None

    def __post_init__(self) -> None:
        if self.taker_outcome_side is None and self.side is None:
            raise ValueError("no taker_outcome_side, taker_book_side or taker_side: who bought what?")

    @property
    def side(self) -> str | None:
        """The outcome the taker bought: yes or no, from whichever field the payload has."""
        if self.taker_outcome_side is not None:
            return self.taker_outcome_side
        if self.taker_side is not None:
            return self.taker_side
        return SIDE_OF_BOOK_SIDE.get(self.taker_book_side or "")


class TradesPage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /markets/trades and /historical/trades; newest first."""

    trades: list[Trade] | None
    cursor: str | None = None


class Quote(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """Open, high, low and close of one side within a candle, dollar text; 0 or 1: the side was empty."""

    open_dollars: str | None
    high_dollars: str | None
    low_dollars: str | None
    close_dollars: str | None


class Price(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """Traded prices within a candle, dollar text; null when nothing traded, `previous` carries on."""

    open_dollars: str | None = None
    high_dollars: str | None = None
    low_dollars: str | None = None
    close_dollars: str | None = None
    mean_dollars: str | None = None
    previous_dollars: str | None = None
    min_dollars: str | None = None
    max_dollars: str | None = None


class Candle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """One candle, in today's live spelling whatever endpoint it came from.

    `end_period_ts` is its last second (Unix seconds, inclusive); daily candles end at midnight US Eastern.
    Kalshi names the market once per answer; the client repeats it here as `ticker`.
    """

    end_period_ts: Whole
    yes_bid: Quote
    yes_ask: Quote
    price: Price | None
    volume_fp: str
    open_interest_fp: str
    ticker: str = ""


class CandlesReply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET …/candlesticks of one market, live or historical."""

    candlesticks: list[Candle] | None
    ticker: str | None = None


class MarketCandles(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One market's share of a batch."""

    market_ticker: str
    candlesticks: list[Candle] | None


class CandlesBatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /markets/candlesticks."""

    markets: list[MarketCandles] | None


class EventCandles(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /series/{series}/events/{event}/candlesticks: markets and their candles as two parallel lists.

    `adjusted_end_ts` (Unix seconds) is where the exchange stopped, if it could not send everything.
    """

    market_tickers: list[str] | None
    market_candlesticks: list[list[Candle] | None] | None
    adjusted_end_ts: Whole

    def __post_init__(self) -> None:
        n_markets, n_lists = len(self.market_tickers or []), len(self.market_candlesticks or [])
        if n_markets != n_lists:
            raise ValueError(f"{n_markets} market_tickers for {n_lists} market_candlesticks: whose are they?")


class Levels(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bids of both outcomes, [price, count] text; an empty side may be missing, null or []."""

    yes_dollars: list[tuple[str, str]] | None = None
    no_dollars: list[tuple[str, str]] | None = None


class BookReply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /markets/{ticker}/orderbook: no ticker, no time, no sequence."""

    orderbook_fp: Levels


class BookOfMarket(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One market's share of a batch of books."""

    ticker: str
    orderbook_fp: Levels


class BooksReply(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """GET /markets/orderbooks."""

    orderbooks: list[BookOfMarket] | None


class OrderBook(msgspec.Struct, frozen=True, kw_only=True):
    """One full book as the client hands it out.

    Bids only: NO at p is an offer of YES at $1 - p, and NO levels are in NO prices. Levels are (price, count)
    text, ascending by price, best last. `captured_ts` is our clock when the answer had arrived, `latency_us`
    how long it took: at some instant between, the book was so. The exchange sends no time with a book.
    """

    ticker: str
    yes_dollars: tuple[tuple[str, str], ...]
    no_dollars: tuple[tuple[str, str], ...]
    captured_ts: datetime
    latency_us: int
