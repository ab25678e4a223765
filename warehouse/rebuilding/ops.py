"""What one row of a book's changes does, and how a level is written as one number.

A level's code sorts as levels lie: bids before asks, best first; prices of asks are YES prices too.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

I8 = npt.NDArray[np.int8]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool]

# DELTA changes a level by `amount`, CLEAR empties the book and SET fills it, END says that it is whole;
# UNKNOWN: nobody knows the book until the next CLEAR.
DELTA, CLEAR, SET, END, UNKNOWN = 0, 1, 2, 3, 4

DOLLAR_CC: Final = 10_000
SPAN: Final = DOLLAR_CC + 1  # prices of one side
NEVER: Final = np.iinfo(np.int64).max
SOUND, CROSSED, NEGATIVE = 0, 1, 2
ANOMALIES: Final = (None, "crossed", "negative")


def bid_code(price_cc: Any) -> Any:  # noqa: ANN401 -- numbers, arrays and expressions alike
    """Return the code of a YES bid."""
    return DOLLAR_CC - price_cc


def ask_code(no_price_cc: Any) -> Any:  # noqa: ANN401 -- numbers, arrays and expressions alike
    """Return the code of the YES ask that a NO bid at this price is."""
    return SPAN + DOLLAR_CC - no_price_cc


def yes_price_cc(code: Any, *, is_ask: Any) -> Any:  # noqa: ANN401 -- numbers and arrays alike
    """Return the YES price of a level."""
    return np.where(is_ask, code - SPAN, DOLLAR_CC - code)
