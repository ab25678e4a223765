"""Bars of one market, from its tape and its quotes.

A bar covers `(end - period, end]` and exists where something traded or a best price changed; bars that are
not over yet are not shown. Daily bars end at midnight US Eastern.
Source: KALSHI.md §5.6 (OpenAPI 3.34.0, read 2026-10-09; measured by forecastbench, 2026).
"""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from exchange.trades import Candle, Ohlc
from exchange.units import from_us, to_us
from sandbox.history import History, Print, Quote

EASTERN: Final = ZoneInfo("America/New_York")
DAY_S: Final = 86_400
SECOND_US: Final = 1_000_000

Row = TypeVar("Row", Print, Quote)


def bars(ticker: str, history: History, *, period_s: int, until_ts: datetime) -> list[Candle]:
    """Return the finished bars of a market, oldest first."""
    quotes = _by_end(history.quotes, period_s)
    prints = _by_end(history.prints, period_s)
    until_us = to_us(until_ts)
    candles: list[Candle] = []
    quote, last_price_cc, open_interest_centi = history.quotes[0], None, 0
    for end_us in sorted(quotes.keys() | prints.keys()):
        if end_us > until_us:
            break
        seen = [quote, *quotes.get(end_us, [])]
        traded = prints.get(end_us, [])
        if traded:
            open_interest_centi = traded[-1].open_interest_centi
        volume_centi = sum(each.count_centi for each in traded)
        candles.append(
            Candle(
                ticker=ticker,
                period_s=period_s,
                end_ts=from_us(end_us),
                yes_bid=_ohlc([each.bid_cc for each in seen]),
                yes_ask=_ohlc([each.ask_cc for each in seen]),
                price=_ohlc([each.yes_price_cc for each in traded]) if traded else None,
                price_mean_cc=_mean_cc(traded, volume_centi) if traded else None,
                price_previous_cc=last_price_cc,
                volume_centi=volume_centi,
                open_interest_centi=open_interest_centi,
            )
        )
        quote = seen[-1]
        last_price_cc = traded[-1].yes_price_cc if traded else last_price_cc
    return candles


def end_of_bar_us(time_us: int, period_s: int) -> int:
    """Return the end of the bar that an instant belongs to."""
    if period_s != DAY_S:
        period_us = period_s * SECOND_US
        return -(-time_us // period_us) * period_us
    local = from_us(time_us).astimezone(EASTERN)
    midnight = datetime.combine(local.date(), time(), tzinfo=EASTERN)
    if local != midnight:
        midnight = datetime.combine(local.date() + timedelta(days=1), time(), tzinfo=EASTERN)
    return to_us(midnight)


def _by_end(rows: Sequence[Row], period_s: int) -> dict[int, list[Row]]:
    """Group rows, which are in time order, by the end of their bar."""
    grouped: dict[int, list[Row]] = {}
    end_us, group = -1, []
    for row in rows:
        if row.time_us > end_us:
            end_us = end_of_bar_us(row.time_us, period_s)
            group = grouped[end_us] = []
        group.append(row)
    return grouped


def _ohlc(values_cc: list[int]) -> Ohlc:
    return Ohlc(values_cc[0], max(values_cc), min(values_cc), values_cc[-1])


def _mean_cc(traded: Sequence[Print], volume_centi: int) -> int:
    """Return the volume-weighted mean price, halves up."""
    return (2 * sum(each.yes_price_cc * each.count_centi for each in traded) + volume_centi) // (
        2 * volume_centi
    )
