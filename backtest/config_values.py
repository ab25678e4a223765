"""Values of a configuration, checked; what cannot be meant is a BadInput that names file and key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backtest.strategies.registry import near
from exchange.errors import BadInput, UnitError
from exchange.units import moment_of, parse_duration

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta
    from pathlib import Path


def refuse_unknown(where: Path | str, what: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Refuse names that are none of the known ones, and say what comes near."""
    for name in given:
        if name not in known:
            raise BadInput(f"{where}: {what} {name!r} is unknown; {near(name, known)}")


def moment(path: Path, key: str, value: Any) -> datetime:  # noqa: ANN401 -- what a file says
    """Return a moment, as `exchange.units.moment_of` reads it."""
    try:
        return moment_of(value)
    except UnitError as error:
        raise BadInput(f"{path}: {key}: {error}") from error


def duration(path: Path, table: Mapping[str, Any], key: str) -> timedelta | None:
    """Return a length of time, None where nothing is said."""
    said = text_or_none(path, table, key)
    try:
        return None if said is None else parse_duration(said)
    except UnitError as error:
        raise BadInput(f"{path}: {key}: {error}") from error


def dollars(path: Path, table: Mapping[str, Any], key: str) -> float | None:
    """Return an amount of more than 0, None where nothing is said."""
    if key not in table:
        return None
    amount = table[key]
    if not is_number(amount) or not 0 < amount < float("inf"):
        raise BadInput(f"{path}: {key} = {amount!r} should be dollars, more than 0")
    return amount  # type: ignore[no-any-return]  # a number, as checked


def flag(path: Path, table: Mapping[str, Any], key: str) -> bool | None:
    """Return true or false, None where nothing is said."""
    value = table.get(key)
    if value is not None and not isinstance(value, bool):
        raise BadInput(f"{path}: {key} = {value!r} should be true or false")
    return value


def text_or_none(path: Path, table: Mapping[str, Any], key: str) -> str | None:
    """Return a text, None where nothing is said."""
    return text(path, table, key) if key in table else None


def text(path: Path, table: Mapping[str, Any], key: str) -> str:
    """Return a text that is not empty."""
    value = table[key]
    if not isinstance(value, str) or not value.strip():
        raise BadInput(f"{path}: {key} = {value!r} should be text")
    return value.strip()


def is_number(value: object) -> bool:
    """Tell whether a value is a number, and one that is equal to itself."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value  # noqa: PLR0124 - not NaN
