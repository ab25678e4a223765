"""A book as a ladder in a terminal: asks above, bids below, bars by size, and what it rests on.

Prices are YES prices in dollars, as Kalshi writes them. Narrow terminals lose the bars first and the running
total next; colour says nothing that words do not.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.books import Level
from exchange.units import format_cc, format_centi, format_micros, format_ts
from warehouse.ladder import Ladder
from warehouse.showing import cell

if TYPE_CHECKING:
    from rich.text import Text

_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_BAR_MAX: Final = 60
_BAR_MIN: Final = 6
_SIDE, _PRICE, _APART = 3, 9, 2
_MIDDLE_MICROS: Final = 50  # half of a sum of two prices in centicents
_COLOURS: Final = {"ask": "red", "bid": "green"}
_HEADERS: Final = ("YES price", "contracts", "cumulative")
_ANOMALIES: Final = {
    "crossed": "crossed: somebody bids as much as somebody asks, so a change is missing or late",
    "negative": "negative: more was taken from a level than rested there, so a change is missing or late",
}


class _Columns(NamedTuple):
    """How wide things are; no width, no column."""

    contracts: int
    cumulative: int
    bar: int


def print_ladder(ladder: Ladder, *, depth: int) -> None:
    """Print at most `depth` levels a side, as wide as the terminal; a pipe gets no colour."""
    from rich.console import Console

    console = Console(highlight=False, emoji=False, markup=False)
    console.print(
        drawn(ladder, depth=depth, width=console.width, is_ascii=console.options.ascii_only),
        overflow="fold",
    )


def drawn(ladder: Ladder, *, depth: int, width: int, is_ascii: bool = False) -> "Text":
    """Return the ladder as lines of text, none of its rows wider than `width`."""
    from rich.text import Text

    asks, bids = ladder.asks[:depth], ladder.bids[:depth]
    columns = _columns([*asks, *bids], [_total(asks), _total(bids)], width)
    largest = max((each.count_centi for each in (*asks, *bids)), default=1)
    lines = [Text(f"{ladder.ticker} at {format_ts(ladder.at_ts)}", style="bold")]
    lines += [Text(ladder.title, style="dim")] if ladder.title else []
    lines += [Text(), Text(_header(columns), style="dim")]
    rows = {
        side: [
            _row(side, level, total, columns, largest, is_ascii=is_ascii)
            for level, total in zip(levels, accumulate(each.count_centi for each in levels), strict=True)
        ]
        for side, levels in (("ask", asks), ("bid", bids))
    }
    lines += _more("ask", ladder.asks[depth:]) + rows["ask"][::-1]
    lines += [Text(_middle(ladder, columns, is_ascii=is_ascii), style="bold")]
    lines += rows["bid"] + _more("bid", ladder.bids[depth:])
    lines += [Text(), *_footer(ladder)]
    return Text("\n").join(lines)


def _columns(levels: Sequence[Level], totals: Sequence[int], width: int) -> _Columns:
    contracts = max(len(_HEADERS[1]), *(len(contracts_text(each.count_centi)) for each in levels), 0)
    cumulative = max(len(_HEADERS[2]), *(len(contracts_text(each)) for each in totals))
    left = width - (_SIDE + 1 + _PRICE + _APART + contracts)
    if left < _APART + cumulative:
        return _Columns(contracts, 0, 0)
    left -= _APART + cumulative + _APART
    return _Columns(contracts, cumulative, min(left, _BAR_MAX) if left >= _BAR_MIN else 0)


def _header(columns: _Columns) -> str:
    price, contracts, cumulative = _HEADERS
    line = f"{'':{_SIDE}} {price:>{_PRICE}}{'':{_APART}}{contracts:>{columns.contracts}}"
    return f"{line}{'':{_APART}}{cumulative:>{columns.cumulative}}" if columns.cumulative else line


def _row(side: str, level: Level, total: int, columns: _Columns, largest: int, *, is_ascii: bool) -> "Text":
    from rich.text import Text

    row = Text(f"{side:{_SIDE}} ", style="dim")
    row.append(f"{format_cc(level.price_cc):>{_PRICE}}", style=f"not dim {_COLOURS[side]}")
    row.append(f"{'':{_APART}}{contracts_text(level.count_centi):>{columns.contracts}}", style="not dim")
    if columns.cumulative:
        row.append(f"{'':{_APART}}{contracts_text(total):>{columns.cumulative}}")
    if columns.bar:
        bar = _bar(level.count_centi, largest, columns.bar, is_ascii=is_ascii)
        row.append(f"{'':{_APART}}{bar}", style=f"not dim {_COLOURS[side]}")
    return row


def _bar(count_centi: int, largest: int, width: int, *, is_ascii: bool) -> str:
    """Return a bar in proportion; the least of sizes still shows."""
    eighths = max(1, count_centi * width * 8 // largest)
    if is_ascii:
        return "#" * max(1, eighths // 8)
    return _EIGHTHS[8] * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _middle(ladder: Ladder, columns: _Columns, *, is_ascii: bool) -> str:
    """Return the line between asks and bids, with spread and middle where there are two sides."""
    rule = "-" if is_ascii else "─"
    if ladder.asks and ladder.bids:
        ask_cc, bid_cc = ladder.asks[0].price_cc, ladder.bids[0].price_cc
        middle = format_micros((ask_cc + bid_cc) * _MIDDLE_MICROS).removesuffix("00")
        told = f"spread {format_cc(ask_cc - bid_cc)}, middle {middle}"
    else:
        told = " and ".join(
            f"no {name}" for name, levels in (("asks", ladder.asks), ("bids", ladder.bids)) if not levels
        )
    line = f"{'':{_SIDE}} {rule * 2} {told} "
    return line + rule * (len(_header(columns)) + (_APART + columns.bar if columns.bar else 0) - len(line))


def _more(side: str, hidden: Sequence[Level]) -> "list[Text]":
    from rich.text import Text

    if not hidden:
        return []
    many = "level" if len(hidden) == 1 else "levels"
    far = format_cc(hidden[-1].price_cc)
    told = f"{len(hidden)} more {many} to {far}: {contracts_text(_total(hidden))} contracts"
    return [Text(f"{side:{_SIDE}} {told}", style="dim")]


def _footer(ladder: Ladder) -> "list[Text]":
    from rich.text import Text

    numbered = "" if ladder.snapshot_seq is None else f" (seq {ladder.snapshot_seq})"
    many = {0: "no change since", 1: "1 change since"}.get(
        ladder.n_changes, f"{ladder.n_changes:,} changes since"
    )
    age = ladder.at_ts - ladder.last_event_ts
    before = f"{cell(age)} before" if age else "at that moment"
    told = {
        "session": ladder.session,
        "method": ladder.method,
        "snapshot": f"{format_ts(ladder.snapshot_ts)}{numbered}, {many}",
        "last event": f"{format_ts(ladder.last_event_ts)}, {before}",
    }
    lines = [Text(f"{name:<10}  {value}") for name, value in told.items()]
    if ladder.anomaly is not None:
        lines.append(Text(_ANOMALIES.get(ladder.anomaly, ladder.anomaly), style="bold yellow"))
    return lines


def contracts_text(count_centi: int) -> str:
    """Return contracts as Kalshi writes them, with commas for reading: 121050 is "1,210.50"."""
    whole, _, fraction = format_centi(count_centi).partition(".")
    return f"{int(whole):,}.{fraction}"


def _total(levels: Sequence[Level]) -> int:
    return sum(each.count_centi for each in levels)
