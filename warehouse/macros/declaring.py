"""What a macro is, and the words that several of them use."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from exchange.units import DOLLAR_CC


@dataclass(frozen=True, slots=True, kw_only=True)
class Macro:
    """One macro: its parameters as SQL, its query or expression, a sentence for itself and every column.

    `comments` are those of the columns of a table macro; without any it is an expression.
    """

    name: str
    parameters: str
    sentence: str
    sql: str
    comments: Mapping[str, str]

    @property
    def is_table(self) -> bool:
        """Whether it stands in `from` (else in `select`)."""
        return bool(self.comments)


PRICE_FLOOR_CC: Final = 1
PRICE_CEILING_CC: Final = DOLLAR_CC - 1

_TYPES: Final = {"ts": "timestamptz", "every": "interval", "horizon": "interval"}
BLOCKS_OUT: Final = "t.is_block_trade is distinct from true"


def given(parameters: str) -> str:
    """Return the CTE `given`: one row of the arguments (`_ticker` and so on), of the types they stand for.

    DuckDB puts arguments in place as they are written. Anywhere else than here, where there is no other
    table, a caller's `t.ticker` would be taken for the column of a table of ours that is called t, and not
    be refused. Materialized, so that the CTE itself is not put in place either; DuckDB 1.2 and 1.3 lose that
    word when they read it from the file, and are promised literals only.
    """
    typed = ", ".join(
        f"cast({each} as {_TYPES.get(each, 'varchar')}) as _{each}" for each in parameters.split(", ")
    )
    return f"given as materialized (select {typed})"


def bar_ts(moment: str) -> str:
    """Return SQL of the start of the bar `given._every` that a moment lies in, in UTC."""
    # Without a zone, because buckets of times with one go through ICU, four times slower (DuckDB 2.0).
    return f"time_bucket(given._every, make_timestamp(epoch_us({moment}))) at time zone 'UTC'"


def utc_date(moment: str) -> str:
    """Return SQL of the UTC date of a moment, whatever the reader's time zone."""
    return f"cast(make_timestamp(epoch_us({moment})) as date)"


def mean_dollars(sql: str) -> str:
    """Return SQL of a mean of centicents as dollars, rounded to a millionth."""
    return f"cast(round(({sql}) / {DOLLAR_CC}.0, 6) as decimal(12,6))"


def money(micros: str) -> str:
    """Return SQL that turns millionths of a dollar into exact dollars."""
    return f"cast(cast({micros} as decimal(38,0)) * 0.000001 as decimal(18,6))"
