"""Quote both sides and lean against what is held: market making as a policy."""

import math
from typing import Any, Final

import backtest as bt
from exchange.units import DOLLAR_CC

PARAMS: Final[dict[str, int | float]] = {
    "half_spread_cc": 100,
    "skew_cc": 5.0,  # centicents that quotes move against each contract held
    "least_spread_cc": 200,
    "size": 10,
    "limit": 50,
}
ASSUMPTIONS: Final = (
    "quotes join the recorded touch or stand behind it: how others answer a better price nobody recorded",
)


@bt.policy(every="1s", params=PARAMS)
def market_making(at: Any, params: Any, memory: Any) -> bt.Quotes:  # noqa: ANN401, ARG001 -- records, to numba
    """Bid and ask around the middle, lower the more is held, for 10 contracts and at most 50 held either way.

    Both quotes stand `half_spread_cc` from the middle less `skew_cc` per contract held, never better than the
    touch. Where the touch is narrower than `least_spread_cc` or has one side only, nothing new is risked:
    only the side that reduces the position is quoted. What fills while it is being replaced may lead beyond
    `limit`, by `size` at most.

    Hypothesis: those who take pay for being served at once, and the spread they pay is more than what the
    price then moves against whoever served them, fees included.

    Falsified by: a mean net P&L per event whose interval lies at or below zero although every quote is taken
    to be first in its queue (`queue = "front"`); what wins there alone wins by standing where nobody stood.
    """
    is_wide = at.bid_cc > 0 and at.ask_cc < DOLLAR_CC and at.ask_cc - at.bid_cc >= params.least_spread_cc
    middle_cc = (at.bid_cc + at.ask_cc) / 2 - params.skew_cc * at.position_centi / 100
    most_centi, size_centi = 100 * params.limit, 100 * params.size
    bid_room_centi = most_centi - at.position_centi if is_wide else -at.position_centi
    ask_room_centi = most_centi + at.position_centi if is_wide else at.position_centi
    return bt.Quotes(
        bid_cc=min(at.bid_cc, math.floor(middle_cc - params.half_spread_cc)),
        bid_centi=max(0, min(size_centi, bid_room_centi)),
        ask_cc=max(at.ask_cc, math.ceil(middle_cc + params.half_spread_cc)),
        ask_centi=max(0, min(size_centi, ask_room_centi)),
    )
