"""Reading an account's own fills: CSV exports and pages of the portfolio endpoint, plain or gzipped.

Source: KALSHI.md §6 (`GET /portfolio/fills`) and §18 (exports of real accounts, 2026-06 to 2026-09).
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import polars as pl

from backtest.errors import kind_of
from exchange.errors import BadInput, UnitError
from exchange.units import DOLLAR_CC, parse_cc, parse_centi, parse_micros, parse_ts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

_T = TypeVar("_T")

_GZIP_MAGIC: Final = b"\x1f\x8b"
_NEEDED: Final = ("created_time", "ticker", "count_fp", "yes_price_dollars", "fee_cost", "is_taker")
_ORDER_FIELDS: Final = ("order_id", "order_group")
_OTHER_SIDE: Final = {"yes": "no", "no": "yes"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFill:
    """One fill of the user's own account; `outcome` is what was acquired, `price_cc` the price of that."""

    where: str
    order: str
    fill_id: str | None
    ticker: str
    created_ts: datetime
    outcome: str
    price_cc: int
    count_centi: int
    is_taker: bool
    fee_micros: int


def fill_files(given: str | Path | Iterable[str | Path]) -> list[Path]:
    """Return one file or several as paths.

    Raises:
        BadInput: there is none, or something that is no path.
    """
    paths = []
    for each in (
        [given] if isinstance(given, str | pl.DataFrame) or not isinstance(given, Iterable) else given
    ):
        if not isinstance(each, str | Path):
            raise BadInput(
                f"fills: {kind_of(each)} is no file: give the path of a CSV or JSON file, or several"
            )
        paths.append(Path(each))
    if not paths:
        raise BadInput("fills: no file: give the path of a CSV or JSON file, or several")
    return paths


def read_fills(files: Iterable[Path]) -> tuple[list[AccountFill], int]:
    """Return every fill in the order of the files, and how many repeated fill ids were left out.

    `order_group` names are private to their file; `order_id` and `fill_id` mean the same order and fill in
    every file, so overlapping pages count once.

    Raises:
        BadInput: a file cannot be read, lacks a column, or holds a value that is not what its field says;
            the message names file, line, field and value.
    """
    fills: list[AccountFill] = []
    seen: set[str] = set()
    n_repeated = 0
    for path in files:
        for fill in _fills_of(path):
            if fill.fill_id is not None and fill.fill_id in seen:
                n_repeated += 1
                continue
            if fill.fill_id is not None:
                seen.add(fill.fill_id)
            fills.append(fill)
    return fills, n_repeated


def _fills_of(path: Path) -> Iterator[AccountFill]:
    text = _text_of(path)
    rows = _json_rows(path, text) if text.lstrip()[:1] in {"{", "["} else _csv_rows(path, text)
    return (_fill(path, where, row) for where, row in rows)


def _text_of(path: Path) -> str:
    try:
        raw = path.read_bytes()
        if raw.startswith(_GZIP_MAGIC):
            raw = gzip.decompress(raw)
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror or error}") from error
    except (EOFError, zlib.error) as error:
        raise BadInput(f"{path}: damaged gzip file ({error}): download it again") from error
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{path}: not UTF-8 text (byte {error.start}): expected CSV or JSON of fills"
        ) from error


def _csv_rows(path: Path, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if "\x00" in text:
        raise BadInput(f"{path}: holds NUL bytes: expected CSV or JSON of fills")
    reader = csv.reader(io.StringIO(text, newline=""))
    header = [name.strip() for name in next(reader, [])]
    _demand(f"{path}:1", header)
    for cells in _cells(path, reader):
        if not any(cell.strip() for cell in cells):
            continue
        where = f"{path}:{reader.line_num}"
        if len(cells) != len(header):
            raise BadInput(f"{where}: {len(cells)} values, but the header names {len(header)} columns")
        yield where, {name: cell.strip() for name, cell in zip(header, cells, strict=True)}


def _cells(path: Path, reader: Iterator[list[str]]) -> Iterator[list[str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise BadInput(f"{path}: not CSV: {error}") from error


def _json_rows(path: Path, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        page = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadInput(f"{path}:{error.lineno}: not JSON: {error.msg}") from error
    if isinstance(page, dict) and isinstance(page.get("payload"), dict):
        page = page["payload"]
    rows = page.get("fills") if isinstance(page, dict) else page
    if not isinstance(rows, list):
        raise BadInput(f'{path}: no list "fills": expected a page of GET /portfolio/fills')
    for index, row in enumerate(rows):
        where = f"{path}: fills[{index}]"
        if not isinstance(row, dict):
            raise BadInput(f"{where}: {row!r} is not an object")
        _demand(where, row)
        yield where, row


def _demand(where: str, names: Iterable[str]) -> None:
    present = set(names)
    missing = [name for name in _NEEDED if name not in present]
    if not present.intersection(_ORDER_FIELDS):
        missing.append(" or ".join(_ORDER_FIELDS))
    if "outcome_side" not in present and not {"side", "action"} <= present:
        missing.append("outcome_side")
    if missing:
        raise BadInput(
            f"{where}: no column {', '.join(missing)}; expected the fields of GET /portfolio/fills"
        )


def _fill(path: Path, where: str, row: Mapping[str, Any]) -> AccountFill:
    yes_cc = _read(where, row, "yes_price_dollars", parse_cc)
    _check(where, row, "yes_price_dollars", ok=0 <= yes_cc <= DOLLAR_CC, wanted="from 0 to 1 dollar")
    if row.get("no_price_dollars") not in {None, ""}:
        no_cc = _read(where, row, "no_price_dollars", parse_cc)
        _check(
            where, row, "no_price_dollars", ok=yes_cc + no_cc == DOLLAR_CC, wanted="$1 minus the YES price"
        )
    count_centi = _read(where, row, "count_fp", parse_centi)
    _check(where, row, "count_fp", ok=count_centi > 0, wanted="more than 0")
    fee_micros = _read(where, row, "fee_cost", parse_micros)
    _check(where, row, "fee_cost", ok=fee_micros >= 0, wanted="0 or more")
    order = (
        _text(where, row, "order_id") if row.get("order_id") else f"{path}:{_text(where, row, 'order_group')}"
    )
    outcome = _outcome(where, row)
    return AccountFill(
        where=where,
        order=order,
        fill_id=_text(where, row, "fill_id") if row.get("fill_id") else None,
        ticker=_text(where, row, "ticker"),
        created_ts=_read(where, row, "created_time", parse_ts),
        outcome=outcome,
        price_cc=yes_cc if outcome == "yes" else DOLLAR_CC - yes_cc,
        count_centi=count_centi,
        is_taker=_truth(where, row, "is_taker"),
        fee_micros=fee_micros,
    )


def _outcome(where: str, row: Mapping[str, Any]) -> str:
    """The outcome acquired: selling YES acquires NO."""
    if row.get("outcome_side"):
        return _one_of(where, row, "outcome_side", ("yes", "no"))
    side = _one_of(where, row, "side", ("yes", "no"))
    return side if _one_of(where, row, "action", ("buy", "sell")) == "buy" else _OTHER_SIDE[side]


def _read(where: str, row: Mapping[str, Any], field: str, parse: Callable[[str], _T]) -> _T:
    text = _text(where, row, field)
    try:
        return parse(text)
    except UnitError as error:
        raise BadInput(f"{where}: {field}: {error}") from error


def _text(where: str, row: Mapping[str, Any], field: str) -> str:
    value = row.get(field)
    if not isinstance(value, str) or not value:
        raise BadInput(f"{where}: {field}: {value!r} is not text")
    return value


def _truth(where: str, row: Mapping[str, Any], field: str) -> bool:
    value = row[field]
    if isinstance(value, bool):
        return value
    return _one_of(where, {field: str(value).lower()}, field, ("true", "false")) == "true"


def _one_of(where: str, row: Mapping[str, Any], field: str, allowed: tuple[str, ...]) -> str:
    value = row.get(field)
    _check(where, row, field, ok=value in allowed, wanted=" or ".join(allowed))
    return str(value)


def _check(where: str, row: Mapping[str, Any], field: str, *, ok: bool, wanted: str) -> None:
    if not ok:
        raise BadInput(f"{where}: {field}: {row.get(field)!r} should be {wanted}")
