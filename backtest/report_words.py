"""What the report says in sentences, the verdict first: a backtest shows, it does not prove."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from backtest.report_numbers import dollars, several, share

if TYPE_CHECKING:
    from backtest.report_detail import Detail

EVENTS_FEW: Final = 20  # below this, an interval over events says little; we say so instead of printing less


def verdict(shown: list[Detail], n_settings: int) -> tuple[str, str]:
    """Return one sentence on what the run showed and its tone: "gain", "loss" or "".

    A sweep is judged by its median setting: the best of many is high by construction.
    """
    first = shown[0]
    words, tone = _one(first)
    if n_settings == 1:
        return words, tone
    best = shown[-1].profit["net_micros"]
    median = f"The median of {n_settings:,} settings {words[0].lower()}{words[1:]}"
    flattered = f"picking the best of {n_settings:,} flatters it"
    return f"{median} The best made {dollars(best, is_signed=True)}, but {flattered}.", tone


def _one(detail: Detail) -> tuple[str, str]:
    net, n_events = detail.profit["net_micros"], detail.interval["n_events"]
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
        f"in {several(n_events, 'event')}; {_chance(detail)}"
    )
    low, high = detail.interval["low_micros"], detail.interval["high_micros"]
    return told, "" if low is None or low <= 0 <= high else "gain" if low > 0 else "loss"


def _chance(detail: Detail) -> str:
    interval = detail.interval
    low, high, n_events = interval["low_micros"], interval["high_micros"], interval["n_events"]
    if low is None:
        return "one event is a single trial and supports no conclusion."
    ends = f"{dollars(low, is_signed=True)} to {dollars(high, is_signed=True)}"
    span = f"({ends} per event at {share(interval['level'], 0)})"
    few = f", and {n_events} events are few" if n_events < EVENTS_FEW else ""
    if low <= 0 <= high:
        return f"the interval {span} includes zero, so this does not tell skill from luck{few}."
    side = "above" if low > 0 else "below"
    return f"the interval {span} lies {side} zero{few}."
