"""The few pieces of HTML a report is made of. Text is escaped here and nowhere else.

`Markup` is finished HTML; everything typed `str` is text from the world and gets escaped.
"""

from __future__ import annotations

from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, NewType

import polars as pl

from backtest.report_numbers import NONE, decimals_for, dollars, plain, printer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

Markup = NewType("Markup", str)

ROWS_MAX: Final = 20


def text(value: object) -> Markup:
    """Return a value as text that is safe inside elements and quoted attributes."""
    return Markup(escape(str(value), quote=True))


def joined(parts: Iterable[Markup]) -> Markup:
    """Return finished parts one after the other."""
    return Markup("".join(parts))


def paragraph(words: str, kind: str = "") -> Markup:
    """Return a paragraph of text, with a class of the style sheet."""
    return Markup(f'<p class="{kind}">{text(words)}</p>' if kind else f"<p>{text(words)}</p>")


def section(title: str, *content: Markup, lead: str = "", anchor: str = "") -> Markup:
    """Return a section: its title beside it on wide pages, above it on narrow ones and paper."""
    name = f' id="{text(anchor)}"' if anchor else ""
    intro = f'<p class="lead">{text(lead)}</p>' if lead else ""
    return Markup(
        f"<section{name}><header><h2>{text(title)}</h2>{intro}</header>"
        f'<div class="content">{joined(content)}</div></section>'
    )


def titled(title: str, *content: Markup, note: str = "") -> Markup:
    """Return content under a small heading."""
    said = f'<p class="small">{text(note)}</p>' if note else ""
    return Markup(f'<div class="part"><h3>{text(title)}</h3>{said}{joined(content)}</div>')


def sentences(items: Iterable[str]) -> Markup:
    """Return a list of sentences."""
    return Markup(f"<ul>{''.join(f'<li>{text(item)}</li>' for item in items)}</ul>")


def facts(pairs: Mapping[str, str]) -> Markup:
    """Return names and what they are, side by side."""
    rows = "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in pairs.items())
    return Markup(f"<dl>{rows}</dl>")


def figures(cells: Sequence[tuple[str, str, str, str]]) -> Markup:
    """Return the headline numbers: (label, value, remark, class) each."""
    tiles = "".join(
        f'<div class="figure"><span class="label">{text(label)}</span>'
        f'<span class="value {kind}">{text(value)}</span><span class="remark">{text(remark)}</span></div>'
        for label, value, remark, kind in cells
    )
    return Markup(f'<div class="figures">{tiles}</div>')


def bars(amounts: Mapping[str, int]) -> Markup:
    """Return counts as bars under each other, the largest full."""
    largest = max(amounts.values(), default=0) or 1
    rows = "".join(
        f"<div><span>{text(name)}</span><b>{text(f'{n:,}')}</b>{meter(n / largest)}</div>"
        for name, n in amounts.items()
    )
    return Markup(f'<div class="bars">{rows}</div>')


def meter(part: float | None) -> Markup:
    """Return a bar that is `part` (0 to 1) full; nothing for None."""
    if part is None:
        return Markup("")
    return Markup(f'<span class="meter"><i style="width:{min(max(part, 0.0), 1.0) * 100:.1f}%"></i></span>')


def table(
    frame: pl.DataFrame,
    titles: Mapping[str, str] | None = None,
    *,
    signed: frozenset[str] = frozenset(),
    meters: Mapping[str, float] | None = None,
    strong_row: Mapping[int, str] | None = None,
    nothing: str = "Nothing.",
    rows_max: int = ROWS_MAX,
    plain_names: Collection[str] = (),
) -> Markup:
    """Return a frame as a table: numbers right and aligned, text left, units read off the column names.

    Args:
        frame: printed in its order.
        titles: column to heading, which also picks and orders the columns; None prints all under own names.
        signed: money columns whose gains carry a + and whose signs get their colour.
        meters: columns drawn as a bar beside the number, with the value of a full bar.
        strong_row: row index to a class of the style sheet.
        nothing: what to say of an empty frame.
        rows_max: further rows are left out, and the page says how many.
        plain_names: columns without a unit, whatever they are called: parameters.
    """
    if frame.is_empty():
        return paragraph(nothing, "small")
    titles = titles or {name: name.replace("_", " ") for name in frame.columns}
    shown = frame.head(rows_max)
    columns = [
        [_cell(value, plain(value), None, right=shown[name].dtype.is_numeric()) for value in shown[name]]
        if name in plain_names
        else _cells(shown[name], signed=name in signed, full=(meters or {}).get(name))
        for name in titles
    ]
    numeric = [frame[name].dtype.is_numeric() or frame[name].dtype == pl.Duration for name in titles]
    head = "".join(
        f'<th scope="col"{_right(is_number)}>{text(title)}</th>'
        for title, is_number in zip(titles.values(), numeric, strict=True)
    )
    body = "".join(
        f"<tr{_class((strong_row or {}).get(index, ''))}>{''.join(cells)}</tr>"
        for index, cells in enumerate(zip(*columns, strict=True))
    )
    rest = f"{frame.height - shown.height:,} more rows are in the Parquet files of the result."
    return Markup(
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        + (paragraph(rest, "small") if shown.height < frame.height else "")
    )


def page(title: str, body: Markup) -> str:
    """Return the whole document: one file, no script, nothing fetched from anywhere."""
    style = files("backtest").joinpath("report.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="robots" content="noindex">'
        f"<title>{text(title)}</title><style>{style}</style></head><body><main>{body}</main></body></html>\n"
    )


def _cells(column: pl.Series, *, signed: bool, full: float | None) -> list[str]:
    is_number = column.dtype.is_numeric() or column.dtype == pl.Duration
    if column.name.endswith("_micros") and is_number:
        decimals = decimals_for(column.to_list())
        return [_money_cell(value, decimals, signed=signed) for value in column]
    # A parameter may be called as what it is not: a number from_ts, a text fee_cc.
    is_meant = column.dtype == pl.Datetime if column.name.endswith("_ts") else is_number
    print_it = printer(column.name) if is_meant else plain
    return [_cell(value, print_it(_whole(value)), full, right=is_number) for value in column]


def _money_cell(value: int | None, decimals: int, *, signed: bool) -> str:
    kind = "" if not signed or not value else " loss" if value < 0 else " gain"
    return f'<td class="n{kind}">{text(dollars(value, decimals=decimals, is_signed=signed))}</td>'


def _cell(value: Any, printed: str, full: float | None, *, right: bool) -> str:  # noqa: ANN401 - any cell
    bar = meter(value / full) if full and value is not None and printed != NONE else ""
    shown = f'{bar}<span class="beside">{text(printed)}</span>' if bar else text(printed)
    return f"<td{_right(right)}>{shown}</td>"


def _whole(value: Any) -> Any:  # noqa: ANN401 - any cell
    return value.to_list() if isinstance(value, pl.Series) else value


def _right(is_number: bool) -> str:  # noqa: FBT001 - one meaning
    return ' class="n"' if is_number else ""


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""
