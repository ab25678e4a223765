"""The report: one self-contained page that states its assumptions before its numbers.

No script, no font, no image, nothing fetched: it opens from a mail attachment on a plane. It stays below
PAGE_BYTES_MAX because long tables are cut (and say so) and charts are thinned to what a screen can show.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from backtest.report_detail import details
from backtest.report_numbers import MINUS, when
from backtest.report_page import Markup, joined, page, text
from backtest.report_results import results
from backtest.report_sections import assumptions, coverage, reproduce
from backtest.report_sweep import sweep
from backtest.report_words import verdict
from exchange.errors import BadInput

if TYPE_CHECKING:
    from backtest.report_detail import Detail
    from backtest.results import Run

PAGE_BYTES_MAX: Final = 1_000_000
_FOOTER: Final = "A backtest shows what these assumptions and these data imply. It is not advice."


def write_report(run: Run, path: str | Path, *, title: str | None = None) -> Path:
    """Write the report of a run as one HTML file and return its path.

    The file appears whole or not at all: it is written beside its place and renamed.

    Args:
        run: a `backtest.Run`, or anything with its frames.
        path: the file to write; its folder is made.
        title: the heading; by default the strategy named in the manifest.

    Raises:
        BadInput: the path is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise BadInput(f"{path} is a folder: give a file in it, such as {path / 'report.html'}")
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        beside.write_text(report_html(run, title=title), encoding="utf-8")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return path


def report_html(run: Run, *, title: str | None = None) -> str:
    """Return the report of a run as the text of one HTML page."""
    shown = details(run)
    heading = title or str(run.manifest.get("strategy") or "Backtest")
    body = joined(
        [
            _top(run, shown, heading),
            assumptions(run),
            coverage(run, shown[0]),
            sweep(run),
            *(results(detail) for detail in shown),
            reproduce(run),
            Markup(f"<footer>{text(_FOOTER)}</footer>"),
        ]
    )
    html = page(f"{heading} · Tapehouse backtest", body)
    assert len(html.encode()) < PAGE_BYTES_MAX, len(html)
    return html


def _top(run: Run, shown: list[Detail], heading: str) -> Markup:
    words, tone = verdict(shown, run.summary.height)
    links = {"Assumptions": "assumptions", "Coverage": "coverage"}
    links |= {"All settings": "sweep"} if len(shown) > 1 else {}
    links |= {(detail.label or "Result"): (detail.key if detail.label else "run-result") for detail in shown}
    links |= {"How to reproduce": "reproduce"}
    anchors = "".join(f'<a href="#{anchor}">{text(name)}</a>' for name, anchor in links.items())
    return Markup(
        f'<p class="eyebrow">Tapehouse backtest</p><h1>{text(heading)}</h1>'
        f'<p class="period">{text(_period(shown))}</p>'
        f'<p class="verdict {tone}">{_unbroken(words)}</p><nav aria-label="Sections">{anchors}</nav>'
    )


def _unbroken(words: str) -> Markup:
    """Keep a minus sign and its amount on one line."""
    return Markup(text(words).replace(f"{MINUS}$", f"{MINUS}&#8288;$"))


def _period(shown: list[Detail]) -> str:
    spans = [detail.equity["ts"] for detail in shown if not detail.equity.is_empty()]
    if not spans:
        return "No market time was replayed."
    first, last = min(span.min() for span in spans), max(span.max() for span in spans)  # type: ignore[type-var]  # a Datetime column
    return f"{when(first)} to {when(last)} UTC"  # type: ignore[arg-type]  # the same
