"""What the exchange charges accounts: the terms in force at an instant, and the fee law of `exchange.fees`.

Terms: the event's override, else the series', unless the market's fees are waived.
Source: KALSHI.md §8 (OpenAPI 3.34.0, read 2026-10-09; fee schedule of 2026-07-07).
"""

from collections.abc import Callable, Iterable

from exchange.fees import (
    COMBO_QUANTUM_MICROS,
    QUANTUM_MICROS,
    FeeChange,
    FeeTerms,
    charge_fill,
    is_combo,
    model_micros,
    rounding_at,
)
from exchange.markets import Event, Market, Series
from exchange.trades import Trade
from exchange.units import from_us, to_us
from sandbox.accounts import FeeOf
from sandbox.catalog import Catalog
from sandbox.orders import Order, in_outcome


class Charges:
    """The fees of one exchange, whose markets are asked for as they stand."""

    def __init__(self, catalog: Catalog, market_of: Callable[[str], Market]) -> None:
        self._catalog = catalog
        self._market_of = market_of

    def of_trade(self, order: Order, trade: Trade, *, is_taker: bool) -> int:
        """Return the fee of one side of a trade, and remember in the order what it was rounded up by."""
        terms = self.terms(order.ticker, to_us(trade.created_ts))
        if terms is None:
            return 0
        charge = charge_fill(
            terms=terms,
            price_cc=in_outcome(order.side, trade.yes_price_cc),
            count_centi=trade.count_centi,
            is_taker=is_taker,
            is_combo=is_combo(order.ticker),
            rounding=rounding_at(trade.created_ts),
            accumulated_micros=order.accumulated_micros,
        )
        order.accumulated_micros = charge.accumulated_micros
        return charge.fee_micros

    def bounds(self, ticker: str, *, at_us: int, is_taker: bool) -> FeeOf:
        """Return what filling so much of an order at its limit may be charged, as a function of both.

        Filling at better prices costs less in all: a cent saved on the price is never a cent of fee. Many
        tiny fills may be rounded up by more than one unit; that much can be missing in the end.
        """
        terms, unit_micros = self.terms(ticker, at_us), rounding_at(from_us(at_us)).unit_micros
        quantum_micros = COMBO_QUANTUM_MICROS if is_combo(ticker) else QUANTUM_MICROS

        def bound(order: Order, count_centi: int) -> int:
            if terms is None:
                return 0
            model = model_micros(
                terms=terms,
                price_cc=order.price_cc,
                count_centi=count_centi,
                is_taker=is_taker,
                quantum_micros=quantum_micros,
            )
            return model + unit_micros if model else 0

        return bound

    def terms(self, ticker: str, at_us: int) -> FeeTerms | None:
        """Return the terms that a market charges by at an instant; None while its fees are waived."""
        market = self._market_of(ticker)
        event = self._catalog.event(market.event_ticker)
        assert event is not None, market
        series = self._catalog.series[event.series_ticker]
        return terms_at(market, event, series, self._catalog.source.fee_changes(), at_us=at_us)


def terms_at(
    market: Market, event: Event, series: Series, changes: Iterable[FeeChange], *, at_us: int
) -> FeeTerms | None:
    """Return the fee terms in force; None while fees are waived.

    A change of an event that names neither type nor multiplier gives the event back to its series.
    """
    at_ts = from_us(at_us)
    if market.fee_waiver_expiration_ts is not None and at_ts < market.fee_waiver_expiration_ts:
        return None
    due = [change for change in changes if change.effective_ts <= at_ts]
    of_series = _latest(due, "series", series.ticker)
    fee_type, multiplier_ppm = series.fee_type, series.fee_multiplier_ppm
    if of_series is not None and of_series.fee_type is not None and of_series.multiplier_ppm is not None:
        fee_type, multiplier_ppm = of_series.fee_type, of_series.multiplier_ppm
    of_event = _latest(due, "event", event.ticker)
    own_type = of_event.fee_type if of_event else event.fee_type_override
    own_ppm = of_event.multiplier_ppm if of_event else event.fee_multiplier_override_ppm
    return FeeTerms(
        fee_type if own_type is None else own_type, multiplier_ppm if own_ppm is None else own_ppm
    )


def _latest(due: Iterable[FeeChange], scope: str, ticker: str) -> FeeChange | None:
    found = [change for change in due if change.scope == scope and change.ticker == ticker]
    return max(found, key=lambda change: change.effective_ts, default=None)
