"""Candles: one market, several, a whole event, and the archive with its other spelling.

Source: KALSHI.md §5.6 (OpenAPI 3.34.0, read 2026-10-09; cockpit and fairline, July and August 2026).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from exchange.trades import Candle, Ohlc
from exchange.units import from_us, to_us
from sandbox.candles import end_of_bar_us
from sandbox.encoding import Json, contracts, dollars
from sandbox.queries import Query
from sandbox.replies import invalid, not_found, reply
from sandbox.routes_listings import SECOND_US, catalog_of
from sandbox.routes_markets import archived_market, live_market
from sandbox.source import Source

MAX_CANDLES: Final = 5_000
MAX_BATCH_CANDLES: Final = 10_000
MAX_BATCH_MARKETS: Final = 100
PERIODS_MIN: Final = ("1", "60", "1440")
LATEST_S: Final = 32_503_680_000  # the year 3000: later bars need no arithmetic of their own
DAWN: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Window:
    """The bars asked for: those whose end lies in `[start_s, end_s]`."""

    start_s: int
    end_s: int
    period_s: int
    has_latest_before: bool

    @property
    def n_bars(self) -> int:
        """How many bars could lie in the window."""
        return (self.end_s - self.start_s) // self.period_s + 1


def window_of(query: Query) -> Window:
    """Read the window of a request."""
    query.required("start_ts")
    query.required("end_ts")
    query.required("period_interval")
    start_s, end_s = query.seconds("start_ts") or 0, query.seconds("end_ts") or 0
    minutes = query.text("period_interval")
    if minutes not in PERIODS_MIN:
        raise invalid(f"period_interval must be one of {', '.join(PERIODS_MIN)}")
    if end_s < start_s:
        raise invalid("end_ts must not be before start_ts")
    return Window(start_s, end_s, int(minutes) * 60, bool(query.flag("include_latest_before_start")))


async def market_candles(request: Request) -> Response:
    """`GET /series/{series_ticker}/markets/{ticker}/candlesticks`."""
    catalog, market = catalog_of(request), live_market(request)
    if catalog.series_ticker(market) != request.path_params["series_ticker"]:
        raise not_found(f"market {market.ticker} in series {request.path_params['series_ticker']}")
    window = _small(window_of(Query(request)))
    found = _candles(catalog.source, market.ticker, window)
    return reply({"ticker": market.ticker, "candlesticks": [live_json(each) for each in found]})


async def archived_candles(request: Request) -> Response:
    """`GET /historical/markets/{ticker}/candlesticks`."""
    market = archived_market(request)
    window = replace(_small(window_of(Query(request))), has_latest_before=False)
    found = _candles(catalog_of(request).source, market.ticker, window)
    return reply({"ticker": market.ticker, "candlesticks": [archived_json(each) for each in found]})


async def batch_candles(request: Request) -> Response:
    """`GET /markets/candlesticks`: unknown and archived markets are left out."""
    catalog, query = catalog_of(request), Query(request)
    query.required("market_tickers")
    tickers, window = query.words("market_tickers"), window_of(query)
    if len(tickers) > MAX_BATCH_MARKETS:
        raise invalid(f"at most {MAX_BATCH_MARKETS} market_tickers are allowed")
    if len(tickers) * window.n_bars > MAX_BATCH_CANDLES:
        raise invalid(f"at most {MAX_BATCH_CANDLES} candlesticks can be asked for at once")
    told = [
        {
            "market_ticker": ticker,
            "candlesticks": [live_json(each) for each in _candles(catalog.source, ticker, window)],
        }
        for ticker in tickers
        if catalog.live(ticker)
    ]
    return reply({"markets": told})


async def event_candles(request: Request) -> Response:
    """`GET /series/{series_ticker}/events/{event_ticker}/candlesticks`: cut at 5,000, with where to go on."""
    catalog, ticker = catalog_of(request), request.path_params["event_ticker"]
    event = catalog.event(ticker)
    if event is None or event.series_ticker != request.path_params["series_ticker"]:
        raise not_found(f"event {ticker}")
    window = window_of(Query(request))
    markets = [each for each in catalog.of_event(ticker) if catalog.is_live(each)]
    found = [_candles(catalog.source, each.ticker, window) for each in markets]
    end_s = _adjusted_end_s(found, window.end_s)
    return reply(
        {
            "market_tickers": [each.ticker for each in markets],
            "market_candlesticks": [
                [live_json(each) for each in rows if _end_s(each) <= end_s] for rows in found
            ],
            "adjusted_end_ts": end_s,
        }
    )


def _adjusted_end_s(found: Sequence[Sequence[Candle]], end_s: int) -> int:
    """Return the last end for which all markets together still have no more than the allowed bars."""
    ends = sorted(_end_s(each) for rows in found for each in rows)
    if len(ends) <= MAX_CANDLES:
        return end_s
    kept = ends[:MAX_CANDLES]
    while kept and kept[-1] == ends[len(kept)]:
        kept.pop()
    return kept[-1] if kept else ends[0]


def _small(window: Window) -> Window:
    if window.n_bars > MAX_CANDLES:
        raise invalid(f"{window.n_bars} candlesticks asked for, at most {MAX_CANDLES} are allowed")
    return window


def _candles(source: Source, ticker: str, window: Window) -> list[Candle]:
    start_ts, end_ts = (
        from_us(min(max(each, 0), LATEST_S) * SECOND_US) for each in (window.start_s, window.end_s)
    )
    found = list(source.candles(ticker, period_s=window.period_s, start_ts=start_ts, end_ts=end_ts))
    if not window.has_latest_before:
        return found
    before_ts = start_ts - timedelta(seconds=1)
    earlier = source.candles(ticker, period_s=window.period_s, start_ts=DAWN, end_ts=before_ts)
    first_ts = from_us(end_of_bar_us(to_us(start_ts), window.period_s))
    if earlier and not (found and found[0].end_ts == first_ts):
        found.insert(0, _carried(earlier[-1], first_ts))
    return found


def _carried(latest: Candle, end_ts: datetime) -> Candle:
    """Return the synthetic bar: nothing traded, and the last bar's close is the previous price."""
    bid_cc, ask_cc = latest.yes_bid.close_cc, latest.yes_ask.close_cc
    return replace(
        latest,
        end_ts=end_ts,
        yes_bid=Ohlc(bid_cc, bid_cc, bid_cc, bid_cc),
        yes_ask=Ohlc(ask_cc, ask_cc, ask_cc, ask_cc),
        price=None,
        price_mean_cc=None,
        price_previous_cc=latest.price.close_cc if latest.price else latest.price_previous_cc,
        volume_centi=0,
    )


def live_json(candle: Candle) -> Json:
    """Return a bar in the live spelling, where prices that are null are left out."""
    price = _price(candle, "_dollars")
    return {
        "end_period_ts": _end_s(candle),
        "yes_bid": _ohlc(candle.yes_bid, "_dollars"),
        "yes_ask": _ohlc(candle.yes_ask, "_dollars"),
        "price": {name: value for name, value in price.items() if value is not None},
        "volume_fp": contracts(candle.volume_centi),
        "open_interest_fp": contracts(candle.open_interest_centi),
    }


def archived_json(candle: Candle) -> Json:
    """Return a bar in the historical spelling: no suffixes, and nulls where nothing traded."""
    return {
        "end_period_ts": _end_s(candle),
        "yes_bid": _ohlc(candle.yes_bid, ""),
        "yes_ask": _ohlc(candle.yes_ask, ""),
        "price": _price(candle, ""),
        "volume": contracts(candle.volume_centi),
        "open_interest": contracts(candle.open_interest_centi),
    }


def _end_s(candle: Candle) -> int:
    return to_us(candle.end_ts) // SECOND_US


def _ohlc(ohlc: Ohlc | None, suffix: str) -> dict[str, str | None]:
    names = ("open", "low", "high", "close")
    values = (
        (None,) * len(names) if ohlc is None else (ohlc.open_cc, ohlc.low_cc, ohlc.high_cc, ohlc.close_cc)
    )
    return {
        f"{name}{suffix}": None if value is None else dollars(value)
        for name, value in zip(names, values, strict=True)
    }


def _price(candle: Candle, suffix: str) -> dict[str, str | None]:
    told = _ohlc(candle.price, suffix)
    for name, value in (("mean", candle.price_mean_cc), ("previous", candle.price_previous_cc)):
        told[f"{name}{suffix}"] = None if value is None else dollars(value)
    return told


ROUTES: Final = [
    Route("/series/{series_ticker}/markets/{ticker}/candlesticks", market_candles),
    Route("/series/{series_ticker}/events/{event_ticker}/candlesticks", event_candles),
    Route("/markets/candlesticks", batch_candles),
    Route("/historical/markets/{ticker}/candlesticks", archived_candles),
]
