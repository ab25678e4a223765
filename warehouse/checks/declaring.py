"""What a check is: a name, a sentence, a query, and the classes of what need not alarm anybody.

A query classifies everything it looks at. It returns rows of (class, n, place, expected, found): so many
things of this class, at this place (a market, a day, a window), what should be there and what is. `ok` is
the class of what is as it should be, `flagged` of what nobody can explain; the others are the check's own.
Queries are DuckDB SQL over `raw` and `facts`: the same language, tables and numbers that an analyst has.
"""

from dataclasses import dataclass
from typing import Final

from warehouse.tables import TRADES, Table

OK: Final = "ok"
FLAGGED: Final = "flagged"

# SQL of what kind of source a row has: the exchange itself, or one that trades declare a rank for.
_KINDS: Final = " ".join(f"when starts_with(source, '{each}') then '{each}'" for each in TRADES.ranks)
KIND: Final = f"case {_KINDS} else 'exchange' end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Class:
    """A reason for which a discrepancy is none; with `is_undecided` nobody could tell, either way."""

    name: str
    sentence: str
    is_undecided: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that must hold.

    `things` says what `n` counts. `needs` names the facts that the query reads. With `by_date_of` the query
    runs turn by turn over the dates of that table, from `getvariable('first')` to `getvariable('last')`: for
    what would not fit in memory at once. What a warning flags is told and fails nothing.
    """

    name: str
    sentence: str
    things: str
    sql: str
    advice: str
    explained: tuple[Class, ...] = ()
    needs: tuple[str, ...] = ()
    by_date_of: Table | None = None
    is_warning: bool = False


NOT_COVERED: Final = Class(
    name="not_covered",
    sentence="No complete windows cover all of the time in question, so rows may rightly be missing.",
    is_undecided=True,
)
NOT_LISTED: Final = Class(
    name="not_listed",
    sentence="Nobody ever asked the exchange for a listing that would have it, or not since.",
    is_undecided=True,
)
STALE_TERMS: Final = Class(
    name="stale_terms",
    sentence="The market was last seen before this happened; its terms may have changed by then.",
    is_undecided=True,
)
BLOCK: Final = Class(
    name="block",
    sentence="Block trades are negotiated off the book; Kalshi does not say where it counts them.",
)
COMBO: Final = Class(
    name="combo", sentence="A combo (KXMVE…): left out of listings on purpose.", is_undecided=True
)
LATE: Final = Class(
    name="late",
    sentence="Trades may appear late, and nobody has asked again since they could have.",
    is_undecided=True,
)


def contracts(centi: str) -> str:
    """Return SQL that prints hundredths as contracts."""
    return f"printf('%.2f contracts', {centi} / 100)"


def dollars(price_cc: str) -> str:
    """Return SQL that prints centicents as dollars."""
    return f"printf('$%.4f', {price_cc} / 10000)"


def utc(at_ts: str) -> str:
    """Return SQL that prints a moment; the connection's time zone is UTC."""
    return f"strftime({at_ts}, '%Y-%m-%dT%H:%M:%S.%fZ')"
