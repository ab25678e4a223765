"""The friendly form of every table: dollars and contracts as decimals, one comment for every column.

`raw.<table>` has the declared columns as they lie in the files; the views below are made from those.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import dataframely as dy
import polars as pl
from polars.datatypes import DataTypeClass

from warehouse.tables import (
    BOOK_DELTAS,
    BOOK_GAPS,
    BOOK_SNAPSHOTS,
    CANDLES,
    CHECKS,
    DAY_DIGESTS,
    DRIFT,
    EVENTS,
    FEE_CHANGES,
    MARKETS,
    QUARANTINE,
    QUOTES,
    SERIES,
    TABLES,
    TRADES,
    WINDOWS,
    Table,
)

DATE_SENTENCE: Final = "UTC date of the files; a filter on it skips all other files."

_PRICE: Final = "decimal(9,4)"
_AMOUNT: Final = "decimal(12,4)"
_CONTRACTS: Final = "decimal(18,2)"
_SQL_TYPES: Final[dict[pl.DataType, str]] = {
    pl.String(): "varchar",
    pl.Int32(): "integer",
    pl.Int64(): "bigint",
    pl.Float64(): "double",
    pl.Boolean(): "boolean",
    pl.Datetime("us", "UTC"): "timestamptz",
}
_FRIENDLY_NAMES: Final = {"count_centi": "contracts", "delta_centi": "delta_contracts"}


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One view: its query over `raw`, and a sentence for itself and for every column."""

    name: str
    sentence: str
    sql: str
    comments: Mapping[str, str] = field(default_factory=dict)


def sql_type(dtype: pl.DataType) -> str:
    """Return DuckDB's name of a declared dtype."""
    if isinstance(dtype, pl.List):
        return f"{sql_type(_made(dtype.inner))}[]"
    if isinstance(dtype, pl.Struct):
        return f"struct({', '.join(f'{each.name} {sql_type(_made(each.dtype))}' for each in dtype.fields)})"
    return _SQL_TYPES[dtype]


def raw_comments(table: Table) -> dict[str, str]:
    """Return the sentence of every column of `raw.<table>`, with its unit."""
    sentences = {name: _with_unit(column) for name, column in table.columns.items()}
    return sentences | ({"date": DATE_SENTENCE} if table.partition_by else {})


def _with_unit(column: dy.Column) -> str:
    unit = (column.metadata or {}).get("unit")
    return f"{column.description} Unit: {unit}." if unit else str(column.description)


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    sql: str
    sentence: str


def _friendly(table: Table, column: str) -> _Column:
    """Turn centicents into dollars, hundredths into contracts, parts per million into a factor."""
    declared = table.columns[column]
    sentence = str(declared.description)
    if isinstance(declared.dtype, pl.List):
        return _Column(column, f"t.{column}", raw_comments(table)[column])
    if column.endswith("_cc"):
        is_amount = column in ("settlement_value_cc", "notional_value_cc")
        name = column.removesuffix("_cc")
        told = f"{sentence.replace('10_000', '$1')} In dollars."
        return _Column(name, dollars(f"t.{column}", _AMOUNT if is_amount else _PRICE), told)
    if column.endswith("_centi"):
        name = _FRIENDLY_NAMES.get(column, column.removesuffix("_centi"))
        told = sentence if "ontracts" in sentence else f"{sentence} In contracts."
        return _Column(name, contracts(f"t.{column}"), told)
    if column.endswith("_ppm"):
        factor = f"cast(cast(t.{column} as decimal(12,0)) * 0.000001 as decimal(12,6))"
        return _Column(column.removesuffix("_ppm"), factor, f"{sentence} As a factor: 1 is the standard.")
    return _Column(column, f"t.{column}", raw_comments(table)[column])


def dollars(sql: str, dtype: str = _PRICE) -> str:
    """Return SQL that turns centicents into exact dollars."""
    return f"cast(cast({sql} as decimal(9,0)) * 0.0001 as {dtype})"


def contracts(sql: str) -> str:
    """Return SQL that turns hundredths into exact contracts."""
    return f"cast(cast({sql} as decimal(18,0)) * 0.01 as {_CONTRACTS})"


def _columns(table: Table, *, exact: Iterable[str] = ()) -> list[_Column]:
    friendly = [_friendly(table, each) for each in table.columns]
    integers = [_Column(each, f"t.{each}", raw_comments(table)[each]) for each in exact]
    dated = [_Column("date", "t.date", DATE_SENTENCE)] if table.partition_by else []
    return [*friendly, *integers, *dated]


def _view(name: str, sentence: str, columns: list[_Column], source: str) -> View:
    listed = ", ".join(f"{each.sql} as {each.name}" for each in columns)
    return View(
        name=name,
        sentence=sentence,
        sql=f"select {listed} from {source}",
        comments={each.name: each.sentence for each in columns},
    )


def _plain(table: Table, name: str | None = None, *, exact: Iterable[str] = ()) -> View:
    return _view(name or table.name, table.sentence, _columns(table, exact=exact), f"raw.{table.name} t")


def latest(table: Table) -> str:
    """Return SQL of a table's latest state by ticker."""
    newest = "row_number() over (partition by ticker order by observed_ts desc) = 1"
    return f"(select * from raw.{table.name} qualify {newest})"


def market_columns() -> list[_Column]:
    """Return the markets' friendly columns; the event tells a missing series."""
    known = {each.name: each for each in _columns(MARKETS)}
    known["series_ticker"] = _Column(
        "series_ticker", "coalesce(t.series_ticker, e.series_ticker)", "The series of the market's event."
    )
    fields = ", ".join(f"'{each}': r.{each}_cc * 0.0001" for each in ("start", "end", "step"))
    ranges = f"[{{{fields}}} for r in t.price_ranges]"
    kind = f'struct(start {_PRICE}, "end" {_PRICE}, step {_PRICE})[]'
    known["price_ranges"] = _Column(
        "price_ranges", f"cast({ranges} as {kind})", "The price grid: bands in steps. In dollars."
    )
    return list(known.values())


WITH_EVENT: Final = f"t left join {latest(EVENTS)} e on e.ticker = t.event_ticker"


def _trades() -> View:
    columns = _columns(TRADES, exact=("yes_price_cc", "count_centi"))
    no_price = _Column("no_price", dollars("10000 - t.yes_price_cc"), "The NO price: $1 minus the YES price.")
    place = next(i for i, each in enumerate(columns) if each.name == "yes_price")
    columns.insert(place + 1, no_price)
    return _view("trades", TRADES.sentence, columns, "raw.trades t")


def _book_levels() -> View:
    sides = " union all ".join(
        f"select ticker, session, captured_ts, sid, seq, method, depth, '{side}' as side, "
        f"unnest({side}_prices_cc) as price_cc, unnest({side}_counts_centi) as count_centi, source, date "
        "from raw.book_snapshots"
        for side in ("yes", "no")
    )
    told = raw_comments(BOOK_SNAPSHOTS)
    columns = [
        *(
            _Column(each, f"t.{each}", told[each])
            for each in ("ticker", "session", "captured_ts", "sid", "seq")
        ),
        _Column("method", "t.method", told["method"]),
        _Column("depth", "t.depth", told["depth"]),
        _Column("side", "t.side", "Whose bids: yes or no."),
        _Column("price", dollars("t.price_cc"), "The level, in the side's own prices. In dollars."),
        _Column("yes_price", dollars(YES_PRICE_CC.format("t")), _YES_PRICE),
        _Column("contracts", contracts("t.count_centi"), "Contracts resting there."),
        _Column("price_cc", "t.price_cc", "The level, in the side's own prices. Unit: centicents ($0.0001)."),
        _Column("count_centi", "t.count_centi", "Contracts resting there. Unit: 1/100 contract."),
        _Column("source", "t.source", told["source"]),
        _Column("date", "t.date", DATE_SENTENCE),
    ]
    sentence = "Every level of every book snapshot; an empty book has no rows here (see raw.book_snapshots)."
    return _view("book_levels", sentence, columns, f"({sides}) t")


# Not `if(...)`: DuckDB 2.0 stores it as a function that 1.x does not have.
YES_PRICE_CC: Final = "case when {0}.side = 'yes' then {0}.price_cc else 10000 - {0}.price_cc end"
_YES_PRICE: Final = "The level as a YES price: a NO bid at p is a YES ask at $1 minus p. In dollars."

# The list of changes goes back beyond the first sighting: where it was pulled and has none, nothing changed.
_FEE_TERMS: Final = """
    with states as (
        select 'series' as scope, s.ticker, s.ticker as series_ticker, s.observed_ts as at_ts,
            false as is_change, s.fee_type, s.fee_multiplier_ppm as ppm
        from raw.series s
        union all
        select 'event', e.ticker, e.series_ticker, e.observed_ts, false, e.fee_type_override,
            e.fee_multiplier_override_ppm
        from raw.events e
        union all
        select f.scope, f.ticker, null, f.effective_ts, true, f.fee_type, f.fee_multiplier_ppm
        from raw.fee_changes f
    ), ordered as (
        select s.*, row_number() over each_one as place,
            lag(s.fee_type) over each_one as type_before, lag(s.ppm) over each_one as ppm_before
        from states s
        window each_one as (partition by s.scope, s.ticker order by s.at_ts, s.is_change)
        qualify bool_or(s.fee_type is not null or s.ppm is not null) over (partition by s.scope, s.ticker)
    ), turns as (
        select o.*, o.place = 1 and not o.is_change and exists (
            select 1 from raw.windows w where w.resource = 'fees' and w.status = 'complete' and w.scope in (
                'all', 'all+combos', concat('series:', o.series_ticker), concat('event:', o.ticker))
        ) as is_since_ever
        from ordered o
        where o.place = 1 or o.fee_type is distinct from o.type_before or o.ppm is distinct from o.ppm_before
    )
    select t.scope, t.ticker, case when not t.is_since_ever then t.at_ts end as from_ts,
        lead(t.at_ts) over (partition by t.scope, t.ticker order by t.at_ts, t.is_change) as until_ts,
        t.fee_type, cast(cast(t.ppm as decimal(12,0)) * 0.000001 as decimal(12,6)) as multiplier,
        case when t.is_since_ever then 'unchanged' when t.is_change then 'change' else 'observed' end as basis
    from turns t
    order by t.scope, t.ticker, t.at_ts"""


def _fee_terms() -> View:
    return View(
        name="fee_terms",
        sentence="Which fee formula and multiplier hold for a series, or an event in its stead, and when.",
        sql=_FEE_TERMS,
        comments={
            "scope": "series, or event: an override of the series' terms.",
            "ticker": "The series or event.",
            "from_ts": "From when on; empty: as far back as the exchange's list of changes goes.",
            "until_ts": "Until when; empty: until further notice.",
            "fee_type": "Name of the fee formula; empty for an event that has none of its own.",
            "multiplier": "Factor on the standard fee; empty for an event that has none of its own.",
            "basis": "change: the exchange says since when. observed: we saw it then. unchanged: as first "
            "seen, and the exchange's list of changes has none before.",
        },
    )


VIEWS: Final[tuple[View, ...]] = (
    _view("series", "Families of events, latest state of each.", _columns(SERIES), f"{latest(SERIES)} t"),
    _view("events", "Questions, latest state of each.", _columns(EVENTS), f"{latest(EVENTS)} t"),
    _view("markets", "Contracts, latest state of each.", market_columns(), f"{latest(MARKETS)} {WITH_EVENT}"),
    _view("markets_history", MARKETS.sentence, market_columns(), f"raw.markets {WITH_EVENT}"),
    _trades(),
    _plain(CANDLES),
    _plain(QUOTES),
    _book_levels(),
    _plain(BOOK_DELTAS, exact=("price_cc", "delta_centi")),
    _plain(BOOK_GAPS),
    _plain(FEE_CHANGES),
    _fee_terms(),
    _plain(WINDOWS, "coverage"),
    _plain(QUARANTINE),
    _plain(DRIFT),
    _plain(CHECKS),
    _plain(DAY_DIGESTS),
)

RAW_TABLES: Final = tuple(TABLES.values())


def _made(dtype: pl.DataType | DataTypeClass) -> pl.DataType:
    return dtype if isinstance(dtype, pl.DataType) else dtype()
