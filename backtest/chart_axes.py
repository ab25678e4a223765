"""Where the ticks of an axis lie: round steps of money, calendar steps of time. Pure integers."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from exchange.units import from_us

_SECOND: Final = 1_000_000
_DAY: Final = 86_400 * _SECOND
_TIME_STEPS: Final = (
    *(s * _SECOND for s in (1, 5, 15, 30)),
    *(m * 60 * _SECOND for m in (1, 2, 5, 10, 15, 30)),
    *(h * 3_600 * _SECOND for h in (1, 2, 3, 6, 12)),
    *(d * _DAY for d in (1, 2, 7, 14, 28, 91, 182, 365, 730, 1825)),
)


def money_ticks(low: int, high: int, n: int = 5) -> list[int]:
    """Return about `n` multiples of 1, 2 or 5 times a power of ten that span `low` to `high` (micros).

    The first is at or below `low`, the last at or above `high`.
    """
    span = max(high - low, 1)
    rough = max(span // max(n - 1, 1), 1)
    magnitude = 10 ** (len(str(rough)) - 1)
    step = next(m * magnitude for m in (1, 2, 5, 10) if m * magnitude >= rough)
    first, last = low // step * step, -(-high // step) * step
    return list(range(first, last + 1, step)) if last > first else [first, first + step]


def time_ticks(low_us: int, high_us: int, n: int = 6) -> list[tuple[int, str]]:
    """Return (microseconds, label) at calendar steps inside the closed span, at most about `n` of them."""
    span = max(high_us - low_us, _SECOND)
    step = next((s for s in _TIME_STEPS if span // s <= n), _TIME_STEPS[-1])
    first = -(-low_us // step) * step
    return [(at, _label(at, step)) for at in range(first, high_us + 1, step)]


def money_label(micros: int, step: int) -> str:
    """Print a tick in dollars with just the decimals that its step needs."""
    decimals = next((d for d in (0, 2, 3, 4) if step % 10 ** (6 - d) == 0), 6)
    sign = "\N{MINUS SIGN}" if micros < 0 else ""
    return f"{sign}${abs(micros) / 1_000_000:,.{decimals}f}"


def _label(at_us: int, step_us: int) -> str:
    at_ts = from_us(at_us)
    if step_us >= 182 * _DAY:
        return f"{at_ts:%b %Y}"
    if step_us >= _DAY or at_ts - at_ts.replace(hour=0, minute=0, second=0, microsecond=0) == timedelta(0):
        return f"{at_ts.day} {at_ts:%b}"
    return f"{at_ts:%H:%M:%S}" if step_us < 60 * _SECOND else f"{at_ts:%H:%M}"
