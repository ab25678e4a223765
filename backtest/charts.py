"""Charts as inline SVG: no script, no library, no network; colours come from the page's style sheet.

A chart is drawn on a fixed grid of units and scales with the page. Loss and gain differ in side, in colour
(blue and orange, told apart by all common kinds of colour vision) and in their labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

from backtest.chart_axes import money_label, money_ticks, time_ticks
from backtest.report_numbers import dollars, when
from exchange.units import from_us

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH: Final = 860
_LEFT, _RIGHT, _TOP = 68, 14, 14
POINTS_MAX: Final = 900
BARS_MAX: Final = 160


@dataclass(frozen=True, slots=True)
class _Scale:
    """A straight line from data to drawing units."""

    low: int
    high: int
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return round(
            self.start + (value - self.low) * (self.end - self.start) / max(self.high - self.low, 1), 1
        )


def thinned(ts_us: Sequence[int], values: Sequence[int], n_max: int = POINTS_MAX) -> list[int]:
    """Return the indices to draw: first, last and each bucket's lowest and highest, so no spike is lost."""
    n = len(values)
    if n <= n_max:
        return list(range(n))
    n_buckets = n_max // 4
    low_us, span = ts_us[0], max(ts_us[-1] - ts_us[0], 1)
    buckets: dict[int, list[int]] = {}
    for index, at in enumerate(ts_us):
        buckets.setdefault((at - low_us) * n_buckets // (span + 1), []).append(index)
    kept = {0, n - 1}
    for members in buckets.values():
        kept.update((members[0], members[-1]))
        kept.update((min(members, key=values.__getitem__), max(members, key=values.__getitem__)))
    return sorted(kept)


def equity_chart(
    ts_us: Sequence[int],
    marked_micros: Sequence[int],
    locked_micros: Sequence[int],
    *,
    start_micros: int,
    key: str,
) -> str:
    """Draw marked equity as steps around the starting cash, and under it the money locked.

    Args:
        ts_us: microseconds since 1970, ascending; the other two sequences are parallel to it.
        marked_micros: equity at each time.
        locked_micros: money that could not be spent at each time.
        start_micros: the starting cash, drawn as the base line.
        key: makes the ids inside this drawing unique on the page.
    """
    top, mid, bottom, height = _TOP, 210, 312, 342
    kept = thinned(ts_us, marked_micros)
    ts, equity = [ts_us[i] for i in kept], [marked_micros[i] for i in kept]
    ticks = money_ticks(min(*equity, start_micros), max(*equity, start_micros))
    x = _Scale(ts[0], ts[-1], _LEFT, WIDTH - _RIGHT)
    y = _Scale(ticks[0], ticks[-1], mid, top)
    base = y(start_micros)
    steps = _steps(ts, equity, x, y)
    area = f"{steps}V{base}H{x(ts[0])}Z"
    parts = [
        _y_axis(ticks, y),
        _x_axis(ts[0], ts[-1], x, top, bottom),
        _clip(f"{key}-up", 0, base),
        _clip(f"{key}-down", base, height - base),
        f'<path class="gain-area" clip-path="url(#{key}-up)" d="{area}"/>',
        f'<path class="loss-area" clip-path="url(#{key}-down)" d="{area}"/>',
        f'<line class="base" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{base}" y2="{base}"/>',
        f'<path class="line" d="{steps}"/>',
        _end_dot(x(ts[-1]), y(equity[-1]), f"{when(from_us(ts[-1]))} UTC: {dollars(equity[-1])}"),
        _locked_panel(ts_us, locked_micros, x, top=mid + 42, bottom=bottom),
    ]
    return _svg(height, "Marked equity over time, in UTC, with the money locked below it", parts)


def _locked_panel(
    ts_us: Sequence[int], locked_micros: Sequence[int], x: _Scale, *, top: float, bottom: float
) -> str:
    kept = thinned(ts_us, locked_micros)
    ts, locked = [ts_us[i] for i in kept], [locked_micros[i] for i in kept]
    high = money_ticks(0, max(*locked, 1), 2)[-1]
    y = _Scale(0, high, bottom, top)
    return (
        _y_axis([0, high], y)
        + f'<text x="{_LEFT}" y="{top - 8}">Money locked</text>'
        + f'<path class="locked" d="{_steps(ts, locked, x, y)}V{bottom}H{x(ts[0])}Z"/>'
    )


def profit_bars(
    labels: Sequence[str], net_micros: Sequence[int], *, caption: str, marked: int | None = None
) -> str:
    """Draw one bar per thing, in the order given, losses below the line and gains above it.

    Above BARS_MAX things the bars run together into one outline, which keeps the page small.

    Args:
        labels: what each bar is, shown when pointed at; parallel to `net_micros`.
        net_micros: the heights; not empty.
        caption: what the horizontal axis is.
        marked: index of the bar to point out as the median.
    """
    top, bottom, height = _TOP, 206, 236
    ticks = money_ticks(min(*net_micros, 0), max(*net_micros, 0))
    y = _Scale(ticks[0], ticks[-1], bottom, top)
    wide = (WIDTH - _RIGHT - _LEFT) / len(net_micros)
    is_few = len(net_micros) <= BARS_MAX
    middle, zero = (_LEFT + WIDTH - _RIGHT) / 2, y(0)
    parts = [
        _y_axis(ticks, y),
        _bars(labels, net_micros, y, wide) if is_few else _outline(net_micros, y, wide),
        f'<line class="zero" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{zero}" y2="{zero}"/>',
        "" if marked is None else _pointer(round(_LEFT + wide * (marked + 0.5), 1), top, bottom),
        f'<text x="{middle}" y="{bottom + 22}" text-anchor="middle">{escape(caption)}</text>',
    ]
    return _svg(height, f"Net profit of {caption}", parts)


def _pointer(at: float, top: float, bottom: float) -> str:
    return (
        f'<line class="pointer" x1="{at}" x2="{at}" y1="{top}" y2="{bottom}"/>'
        f'<text x="{at}" y="{top - 3}" text-anchor="middle">median</text>'
    )


def _bars(labels: Sequence[str], net_micros: Sequence[int], y: _Scale, wide: float) -> str:
    zero, width = y(0), round(min(wide - min(wide * 0.18, 6.0), 48.0), 2)
    bars = []
    for index, (label, net) in enumerate(zip(labels, net_micros, strict=True)):
        left = round(_LEFT + wide * index + (wide - width) / 2, 1)
        top, tall = min(y(net), zero), max(round(abs(y(net) - zero), 1), 0.8)
        title = f"{escape(label)}: {dollars(net, is_signed=True)}"
        bars.append(
            f'<rect class="{"loss" if net < 0 else "gain"}" x="{left}" y="{top}" width="{width}" '
            f'height="{tall}"><title>{title}</title></rect>'
        )
    return "".join(bars)


def _outline(net_micros: Sequence[int], y: _Scale, wide: float) -> str:
    kept = thinned(range(len(net_micros)), net_micros)
    zero = y(0)
    paths = []
    for kind, sign in (("loss", -1), ("gain", 1)):
        tops = [
            (round(_LEFT + wide * i, 1), y(net_micros[i]) if net_micros[i] * sign > 0 else zero) for i in kept
        ]
        d = "".join(f"L{left} {top}H{round(left + wide, 1)}" for left, top in tops)
        paths.append(f'<path class="{kind}" d="M{tops[0][0]} {zero}{d}V{zero}Z"/>')
    return "".join(paths)


def _steps(ts: Sequence[int], values: Sequence[int], x: _Scale, y: _Scale) -> str:
    steps = "".join(f"H{x(at)}V{y(value)}" for at, value in zip(ts[1:], values[1:], strict=True))
    return f"M{x(ts[0])} {y(values[0])}{steps}"


def _y_axis(ticks: Sequence[int], y: _Scale) -> str:
    step = ticks[1] - ticks[0]
    return "".join(
        f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y(tick)}" y2="{y(tick)}"/>'
        f'<text x="{_LEFT - 8}" y="{y(tick) + 4}" text-anchor="end">{money_label(tick, step)}</text>'
        for tick in ticks
    )


def _x_axis(low_us: int, high_us: int, x: _Scale, top: float, bottom: float) -> str:
    return "".join(
        f'<line class="grid faint" x1="{x(at)}" x2="{x(at)}" y1="{top}" y2="{bottom}"/>'
        f'<text x="{x(at)}" y="{bottom + 20}" text-anchor="middle">{label}</text>'
        for at, label in time_ticks(low_us, high_us)
    )


def _clip(key: str, top: float, height: float) -> str:
    return f'<clipPath id="{key}"><rect x="0" y="{top}" width="{WIDTH}" height="{height}"/></clipPath>'


def _end_dot(x: float, y: float, title: str) -> str:
    return f'<circle class="dot" cx="{x}" cy="{y}" r="3.5"><title>{escape(title)}</title></circle>'


def _svg(height: float, says: str, parts: Sequence[str]) -> str:
    return (
        f'<div class="scroll"><svg class="chart" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(says)}">'
        f"{''.join(parts)}</svg></div>"
    )
