"""What the report says in sentences, the verdict first: a backtest shows, it does not prove."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from backtest.report_detail import median_word
from backtest.report_numbers import dollars, several, share

if TYPE_CHECKING:
    from backtest.report_detail import Detail

DAYS_FEW: Final = 20  # below this, an interval is too narrow (see `mean_by_day`); we say so and print it


def verdict(shown: list[Detail], n_settings: int) -> tuple[str, str]:
    """Return one sentence on what the run showed and its tone: "gain", "loss" or "" where it may be luck.

    A sweep is judged by its median setting: the best of many is high by construction.
    """
    first = shown[0]
    words, tone = _one(first)
    if n_settings == 1:
        return words, tone
    median = f"The {median_word(n_settings)} of {n_settings:,} settings {words[0].lower()}{words[1:]}"
    if shown[-1].fills.is_empty():
        return median, tone
    best, picking = shown[-1].profit["net_micros"], f"picking the best of {n_settings:,} flatters"
    if best < 0:
        return f"{median} The best lost {dollars(-best)}, and {picking} even that.", tone
    return f"{median} The best made {dollars(best, is_signed=True)}, but {picking} it.", tone


def of_the_best(best: Detail) -> str:
    """Return what the best of a sweep made per event, allowing for all tries; "" without an interval."""
    interval = best.interval
    low, high = interval["low_micros"], interval["high_micros"]
    if low is None:
        return ""
    mean, *ends = (dollars(each, is_signed=True) for each in (interval["mean_micros"], low, high))
    zero = "includes zero" if low <= 0 <= high else f"lies {'above' if low > 0 else 'below'} zero"
    return (
        f"Per event the best came to {mean}; its interval, {' to '.join(ends)} at "
        f"{share(interval['level'], 0)} allowing for {interval['n_tried']:,} tries, {zero}."
    )


def _one(detail: Detail) -> tuple[str, str]:
    net, interval = detail.profit["net_micros"], detail.interval
    if detail.orders.is_empty():
        return "Placed no orders: there is nothing to judge.", ""
    if detail.fills.is_empty():
        return (
            f"Placed {several(detail.orders.height, 'order')} and none filled: there is nothing to judge.",
            "",
        )
    did = "Made" if net > 0 else "Lost" if net < 0 else "Broke even:"
    size = dollars(abs(net))
    part = f" ({share(abs(net) / detail.cash_start_micros)} of cash)" if detail.cash_start_micros else ""
    told = (
        f"{did} {size}{part} after {dollars(detail.profit['fees_micros'])} of fees "
        f"in {several(interval['n_events'], 'event')} on {several(interval['n_days'], 'day')}; "
        f"{_chance(interval)}"
    )
    low, high = interval["low_micros"], interval["high_micros"]
    if low is None or low <= 0 <= high or interval["n_days"] < DAYS_FEW:
        return told, ""
    return told, "gain" if low > 0 else "loss"


def _chance(interval: dict[str, Any]) -> str:
    low, high, n_days = interval["low_micros"], interval["high_micros"], interval["n_days"]
    if low is None:
        return "what moves one event of a day can move all: a single trial, which supports no conclusion."
    ends = f"{dollars(low, is_signed=True)} to {dollars(high, is_signed=True)}"
    span = f"({ends} per event at {share(interval['level'], 0)}, drawn by day)"
    few = f"{n_days} days are few" if n_days < DAYS_FEW else ""
    if low <= 0 <= high:
        and_few = f", and {few}" if few else ""
        return f"the interval {span} includes zero, so this does not tell skill from luck{and_few}."
    side = "above" if low > 0 else "below"
    but_few = f", but {few} and make it too narrow" if few else ""
    return f"the interval {span} lies {side} zero{but_few}."
