"""The check that every row keeps the declaration of its table, made from the declarations themselves.

The lake refuses rows that do not when it takes them in; whoever writes past it is found here.
"""

from collections.abc import Iterator
from typing import Final

import dataframely as dy

from warehouse.checks.declaring import Check
from warehouse.tables import TABLES, Table

# Ours: if they break, nobody is misled about the market.
_LEFT_OUT: Final = ("checks", "day_digests")


def _faults(column: str, declared: dy.Column) -> Iterator[tuple[str, str]]:
    """Yield SQL that is true of a value that breaks the declaration, and what must hold."""
    if not declared.nullable:
        yield f"{column} is null", f"{column} is there"
    for bound, sign in (("min", "<"), ("max", ">")):
        limit = getattr(declared, bound, None)
        if isinstance(limit, int):
            yield f"{column} {sign} {limit}", f"{column} is not {sign} {limit}"
    if pattern := getattr(declared, "regex", None):
        yield f"not regexp_matches({column}, '{pattern}')", f"{column} is like {pattern}"
    if getattr(declared, "min_length", None):
        yield f"{column} = ''", f"{column} is not empty"


def _select(table: Table) -> str:
    faults = [each for name, column in table.columns.items() for each in _faults(f"t.{name}", column)]
    counts = ", ".join(f"count(*) filter (where {wrong}) as c{i}" for i, (wrong, _) in enumerate(faults))
    rules = ", ".join(f"struct_pack(n := c{i}, rule := '{rule}')" for i, (_, rule) in enumerate(faults))
    return (
        f"select '{table.name}' as table_name, n_all, unnest([{rules}], recursive := true) "
        f"from (select count(*) as n_all, {counts} from raw.{table.name} t)"
    )


_QUERY: Final = f"""
    with counted as (
        {" union all ".join(_select(each) for each in TABLES.values() if each.name not in _LEFT_OUT)}
    )
    select 'flagged' as class, n, table_name as place, replace(rule, 't.', '') as expected,
           printf('%d rows where not', n) as found
    from counted where n > 0
    union all
    select 'ok', sum(n_all)::bigint, null, null, null
    from (select table_name, any_value(n_all) as n_all from counted group by table_name having max(n) = 0)"""

DECLARATION_CHECKS: Final[tuple[Check, ...]] = (
    Check(
        name="declaration",
        sentence="Every row keeps what its table declares: what may be empty, bounds, allowed words.",
        things="rows of all tables",
        sql=_QUERY,
        advice="Something wrote past Lake.commit: take those rows out and commit them again, to quarantine.",
    ),
)
