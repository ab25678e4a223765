"""Good rows go on, bad rows are kept whole with the reason: nothing is lost, nothing is guessed."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

import dataframely as dy
import polars as pl

from exchange.units import format_ts
from warehouse.tables import QUARANTINE, Table

LOCATION: Final = "_location"
_ROW: Final = "row_number"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """One row or message that cannot be stored; `location` is "file:line" or a request's path."""

    location: str
    reason: str
    payload: str
    field: str | None = None
    value: str | None = None


def rejected_rows(table_name: str, rejected: Iterable[Rejected], *, seen_ts: datetime) -> pl.DataFrame:
    """Lay rejected payloads out as rows of the quarantine table."""
    return pl.DataFrame(
        [
            {
                "digest": _digest(table_name, each),
                "table_name": table_name,
                "location": each.location,
                "field": each.field,
                "value": each.value,
                "reason": each.reason,
                "payload": each.payload,
                "seen_ts": seen_ts,
            }
            for each in rejected
        ],
        schema=QUARANTINE.polars_schema,
    )


def split(table: Table, rows: pl.DataFrame, *, location: str) -> tuple[pl.DataFrame, list[Rejected]]:
    """Separate rows that keep the table's rules from those that break one.

    `rows` has the declared columns and dtypes; an extra column `_location` says where each row came from
    and beats `location`.
    """
    good, failure = table.schema.filter(rows.select(list(table.columns)))
    if good.height == rows.height:
        return rows.select(list(table.columns)), []
    _, failure = _numbered(table.schema).filter(rows.select(list(table.columns)).with_row_index(_ROW))
    verdicts = failure.details().sort(_ROW)
    bad = verdicts[_ROW].to_list()
    where = rows[LOCATION].gather(bad).to_list() if LOCATION in rows.columns else [location] * len(bad)
    rules = [each for each in verdicts.columns if "|" in each or each not in (_ROW, *table.columns)]
    rejected = [
        _rejection(
            {each: row[each] for each in table.columns}, place, [r for r in rules if row[r] == "invalid"]
        )
        for row, place in zip(verdicts.iter_rows(named=True), where, strict=True)
    ]
    kept = rows.select(list(table.columns)).with_row_index(_ROW).filter(~pl.col(_ROW).is_in(bad)).drop(_ROW)
    return kept, rejected


@cache
def _numbered(schema: type[dy.Schema]) -> type[dy.Schema]:
    """Add a row number to a schema, so that refused rows can be told apart from their equals."""
    return type(f"Numbered{schema.__name__}", (schema,), {_ROW: dy.UInt32()})


def _rejection(row: dict[str, Any], location: str, rules: list[str]) -> Rejected:
    field, _, broken = rules[0].partition("|")
    if field not in row:
        field, broken = "", field
    return Rejected(
        location=location,
        field=field or None,
        value=str(row[field]) if field else None,
        reason="; ".join(_spelled(rule) for rule in rules) if field else f"breaks the rule {broken}",
        payload=json.dumps(row, default=_plain, ensure_ascii=False),
    )


def _spelled(rule: str) -> str:
    field, _, broken = rule.partition("|")
    words = {
        "nullability": "is missing",
        "min": "is below the least value",
        "max": "is above the greatest value",
        "min_length": "is empty",
        "regex": "is none of the allowed words",
        "nan": "is not a number",
        "inf": "is infinite",
        "inner_nullability": "has a missing element",
    }
    return f"{field} {words.get(broken, f'breaks {broken}')}" if broken else f"breaks the rule {field}"


def _plain(value: object) -> str:
    return format_ts(value) if isinstance(value, datetime) else str(value)


def _digest(table_name: str, rejected: Rejected) -> str:
    said = (table_name, rejected.location, rejected.field or "", rejected.payload)
    return hashlib.sha256("\x1f".join(said).encode()).hexdigest()
