"""Questions with parameters, as DuckDB macros. Call them in the catalog: open it, or `use` it."""

from typing import Final

from warehouse.macros.book_days import BOOK_COVERAGE
from warehouse.macros.books import BOOK_AT
from warehouse.macros.calibration import CALIBRATION
from warehouse.macros.declaring import Macro
from warehouse.macros.fees import FEE, MAKER_FEE
from warehouse.macros.holes import COVERAGE
from warehouse.macros.latency import BOOK_LATENCY
from warehouse.macros.listings import EVENT_BOARD, MARKETS_ASOF
from warehouse.macros.quotes import IMPLIED_PROBABILITY, SPREAD
from warehouse.macros.tape import OHLC, TAKER_FLOW, VWAP

MACROS: Final[tuple[Macro, ...]] = (
    MARKETS_ASOF,
    EVENT_BOARD,
    IMPLIED_PROBABILITY,
    SPREAD,
    BOOK_AT,
    BOOK_COVERAGE,
    BOOK_LATENCY,
    OHLC,
    VWAP,
    TAKER_FLOW,
    CALIBRATION,
    COVERAGE,
    FEE,
    MAKER_FEE,
)

__all__ = ["MACROS", "Macro"]
