"""The words of the exchange: units, markets, ticks, trades, books and the fee law. Standard library only."""

from exchange.books import Level, OrderBook
from exchange.errors import BadInput, TapehouseError, UnitError, UnknownFeeType
from exchange.fees import FeeChange, FeeTerms
from exchange.markets import Event, Market, Series
from exchange.ticks import LINEAR_CENT, STRUCTURES, PriceRange
from exchange.trades import Candle, Ohlc, Side, Trade
from exchange.units import CONTRACT_CENTI, DOLLAR_CC, MICROS_PER_DOLLAR

__all__ = [
    "CONTRACT_CENTI",
    "DOLLAR_CC",
    "LINEAR_CENT",
    "MICROS_PER_DOLLAR",
    "STRUCTURES",
    "BadInput",
    "Candle",
    "Event",
    "FeeChange",
    "FeeTerms",
    "Level",
    "Market",
    "Ohlc",
    "OrderBook",
    "PriceRange",
    "Series",
    "Side",
    "TapehouseError",
    "Trade",
    "UnitError",
    "UnknownFeeType",
]
