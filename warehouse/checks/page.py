"""Writes docs/checks.md from the checks: `python -m warehouse.checks.page`."""

import textwrap
from pathlib import Path
from typing import Final

from warehouse.checks.all import CHECKS
from warehouse.checks.declared import DECLARATION_CHECKS
from warehouse.checks.declaring import Check
from warehouse.checks.facts import FACTS

TARGET: Final = Path(__file__).resolve().parents[2] / "docs" / "checks.md"

_INTRODUCTION: Final = """\
# Checks

Generated from `warehouse/checks/` by `python -m warehouse.checks.page`; a test keeps it current. Do not edit.

```bash
tapehouse warehouse check                            # all of them; exit code 1 if one failed
tapehouse warehouse check --only volume --only fees --examples 20
tapehouse warehouse sql "from checks order by run_ts desc"
```

A check looks at things and puts each into a class: `ok`, `flagged`, or one of those below, which explain
why something that is not as it should be need not alarm anybody. It is **ok** when nothing was flagged,
**failed** when something was (a warning has **warned**, and fails nothing), and has **nothing to check**
when there was nothing, or nothing that could be decided: a class with ° decides nothing, for a fact is
missing that would.

All checks of a run read one set of versions. What they found is kept in the table `checks`, the days that
changed in `day_digests`; with `--no-keep` nothing is. The flow `check-lake` does the same every night.

The queries are DuckDB SQL over `raw` (see [data.md](data.md)) and over `facts`, which a run lays out first.
One that speaks of `getvariable('first')` and `'last'` is run for some days at a time, so that a long tape
needs no more memory than a short one.
"""

_LAID_OUT: Final = """\
`facts.held` and `facts.days` hold windows against the rows of their spans, and days against what they were.
SQL cannot take the digests of rows that this needs: `warehouse/checks/held.py` and `days.py` do.
`facts.told_quarantine` and `facts.told_drift` are those tables as the last kept run had them."""


def page() -> str:
    """Return docs/checks.md as it should be."""
    parts = [_INTRODUCTION, "## All of them\n", "| check | what must hold |", "|---|---|"]
    parts += [f"| [{each.name}](#{each.name}) | {each.sentence} |" for each in CHECKS]
    parts += ["", *(_check(each) for each in CHECKS), "## Facts\n"]
    parts += [f"### facts.{name}\n\n{_sql(query)}\n" for name, query in FACTS.items()]
    parts.append(_LAID_OUT)
    return "\n".join(parts) + "\n"


def _check(check: Check) -> str:
    kind = " A warning." if check.is_warning else ""
    lines = [f"## {check.name}\n", f"{check.sentence} Counts {check.things}.{kind}\n"]
    lines += [
        f"- `{each.name}`{'°' if each.is_undecided else ''}: {each.sentence}" for each in check.explained
    ]
    query = (
        _sql(check.sql) if check not in DECLARATION_CHECKS else "Its query is made from [data.md](data.md)."
    )
    lines += [*([""] if check.explained else []), f"What to do: {check.advice}\n", query]
    return "\n".join(lines) + "\n"


def _sql(query: str) -> str:
    return f"```sql\n{textwrap.dedent(query.strip(chr(10))).strip()}\n```"


if __name__ == "__main__":
    TARGET.write_text(page())
