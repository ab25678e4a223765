"""The page that a sync leaves behind: what was asked, what came, what failed, what is still missing."""

from collections.abc import Sequence
from typing import Final

from exchange.units import format_ts
from pipelines.ingest.windows import Receipt
from warehouse import Lake
from warehouse.intervals import Interval
from warehouse.ledger import FAILED

# An artifact is for people and lies in Prefect's database; the ledger has every window.
_LINES_MAX: Final = 200


def totals(receipts: Sequence[Receipt]) -> dict[str, int]:
    """Return a run in numbers."""
    return {
        "windows": len(receipts),
        "failed": sum(each.status == FAILED for each in receipts),
        "rows": sum(each.n_rows for each in receipts),
        "new_rows": sum(each.n_new for each in receipts),
        "requests": sum(each.n_requests for each in receipts),
    }


def holes(lake: Lake, receipts: Sequence[Receipt]) -> list[tuple[str, str, Interval]]:
    """Return (resource, scope, interval) of what the ledger lacks between the first and the last window."""
    found = []
    for resource, scope in dict.fromkeys((each.resource, each.scope) for each in receipts):
        asked = [each for each in receipts if (each.resource, each.scope) == (resource, scope)]
        start_ts, end_ts = min(each.start_ts for each in asked), max(each.end_ts for each in asked)
        found += [(resource, scope, hole) for hole in lake.missing(resource, scope, start_ts, end_ts)]
    return found


def as_markdown(receipts: Sequence[Receipt], missing: Sequence[tuple[str, str, Interval]]) -> str:
    """Return the page: totals, one line per window (failed ones first), then the holes."""
    numbers = [f"**{name.replace('_', ' ')}** {number:,}" for name, number in totals(receipts).items()]
    lines = [" · ".join([*numbers, f"**holes** {len(missing):,}"]), ""]
    if not receipts:
        return "\n".join([*lines, "Nothing was missing."])
    lines += ["| window | rows | new | requests | status |", "|---|--:|--:|--:|---|"]
    failed_first = sorted(receipts, key=lambda each: each.status != FAILED)
    lines += [
        f"| {named(each)} | {each.n_rows:,} | {each.n_new:,} | {each.n_requests:,} | {_status(each)} |"
        for each in failed_first[:_LINES_MAX]
    ]
    if len(receipts) > _LINES_MAX:
        lines.append(f"| … {len(receipts) - _LINES_MAX:,} more | | | | |")
    for each in receipts:
        lines += [f"\n{named(each)}: {note}" for note in each.notes]
    for resource, scope, (start_ts, end_ts) in missing[:_LINES_MAX]:
        lines += ["", f"Missing: {resource} {scope} [{format_ts(start_ts)}, {format_ts(end_ts)})"]
    return "\n".join(lines)


def named(receipt: Receipt) -> str:
    """Return a window as people read it."""
    return f"{receipt.resource} {receipt.scope} [{format_ts(receipt.start_ts)}, {format_ts(receipt.end_ts)})"


def _status(receipt: Receipt) -> str:
    # A pipe or a new line would break the table.
    reason = " ".join((receipt.reason or "").replace("|", "/").split())
    return f"{receipt.status}: {reason}" if reason else receipt.status
