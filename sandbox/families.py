"""The six series of a world, each there for something the others do not have.

KXSIMBTC15M     quarter-hour markets, sub-cent edges, a fee that halves on a known day
KXSIMHIGHNY     daily, six mutually exclusive strikes that cover everything
KXSIMGAME       early close, maker fees, an event with fees of its own, a cancelled game (scalar 0.5)
KXSIMRAIN       daily and nearly dead: some markets never trade
KXSIMFED        long-lived, maker fees, half-cent grid, one event not open yet
KXSIMCPI        thresholds that include each other, one of them paused
"""

from sandbox.daily import rain, temperature
from sandbox.economy import inflation, rate_decision
from sandbox.plans import SeriesPlan, Span
from sandbox.short_lived import bitcoin, games


def all_series(span: Span) -> list[SeriesPlan]:
    """Return the plans of the six series, by ticker."""
    return [bitcoin(span), inflation(span), rate_decision(span), games(span), temperature(span), rain(span)]
