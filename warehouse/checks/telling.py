"""A report as people read it: a table of all checks, then each that flagged something, and what to do."""

from collections.abc import Iterator
from typing import Any

from exchange.units import format_ts
from warehouse.checks.declaring import FLAGGED, OK
from warehouse.checks.running import Finding, Report

HEADER = ("check", "looked at", "explained", "flagged", "verdict")


def as_rows(report: Report) -> list[tuple[str, ...]]:
    """Return one row of text for every check; see HEADER."""
    return [
        (
            each.check.name,
            f"{each.n_looked_at:,}",
            _explained(each),
            f"{each.n_flagged:,}" if each.n_flagged else "",
            "nothing to check" if each.status == "nothing" else each.status,
        )
        for each in report.findings
    ]


def as_table(report: Report) -> list[dict[str, str]]:
    """Return the same rows by column, those that flagged something first and with their first example."""
    flagged_first = sorted(
        zip(report.findings, as_rows(report), strict=True), key=lambda it: not it[0].n_flagged
    )
    return [
        dict(zip(HEADER, row, strict=True))
        | {"for example": _example(each), "must hold": each.check.sentence}
        for each, row in flagged_first
    ]


def as_lines(report: Report) -> Iterator[str]:
    """Yield what was flagged, check by check: the sentence, the first examples, what to do."""
    for each in report.findings:
        if not each.n_flagged:
            continue
        yield ""
        flagged = f"{each.n_flagged:,} of {each.n_looked_at:,} {each.check.things}"
        yield f"{each.check.name} {each.status}: {flagged}"
        yield f"  must hold: {each.check.sentence}"
        for example in each.examples:
            yield f"  {example.place}: {example.found}; expected {example.expected}"
        if each.n_flagged > len(each.examples):
            yield "  and others"
        yield f"  what to do: {each.check.advice}"


def as_json(report: Report) -> dict[str, Any]:
    """Return plain values: lake, run_ts, versions, failed, and every check with its examples."""
    return {
        "lake": report.lake,
        "run_ts": format_ts(report.run_ts),
        "versions": dict(report.versions),
        "failed": [each.check.name for each in report.failed],
        "checks": [
            {
                "name": each.check.name,
                "status": each.status,
                "n_looked_at": each.n_looked_at,
                "n_explained": each.n_explained,
                "n_flagged": each.n_flagged,
                "classes": dict(each.classes),
                "examples": [
                    {"place": one.place, "expected": one.expected, "found": one.found}
                    for one in each.examples
                ],
                "wall_ms": each.wall_ms,
            }
            for each in report.findings
        ],
    }


def summary(report: Report) -> str:
    """Return one line: how many checks did what."""
    words = [("failed", "failed"), ("warned", "warned"), ("ok", "ok"), ("nothing", "had nothing to check")]
    counts = [(sum(each.status == status for each in report.findings), said) for status, said in words]
    return f"{len(report.findings)} checks: " + ", ".join(f"{n} {said}" for n, said in counts if n)


def _example(finding: Finding) -> str:
    return "".join(f"{each.place}: {each.found}" for each in finding.examples[:1])


def _explained(finding: Finding) -> str:
    told = {name: n for name, n in finding.classes.items() if name not in (OK, FLAGGED)}
    return ", ".join(f"{n:,} {name}" for name, n in sorted(told.items()))
