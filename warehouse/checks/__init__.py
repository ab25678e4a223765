"""Checks of the lake against itself, and of what it holds against what the exchange tells elsewhere.

declaring.py   what a check is
*_checks.py    the checks: a name, a sentence, a query, and the classes that explain
facts.py       what several of them read
turns.py       a long tape in pieces that fit in memory; digested.py takes digests of their rows
held.py        windows of the ledger against the rows of their spans
days.py        every day against what it was when it was last checked
running.py     runs them on one set of versions and keeps what they found

They are SQL, run by DuckDB in memory over the same views that analysts have, and not polars: so whoever
doubts a finding can ask the same of the published catalog. What SQL cannot do, digests of rows, is laid out
as a table before.
"""

from warehouse.checks.all import CHECKS
from warehouse.checks.declaring import Check, Class
from warehouse.checks.running import Example, Finding, Report, run_checks

__all__ = ["CHECKS", "Check", "Class", "Example", "Finding", "Report", "run_checks"]
