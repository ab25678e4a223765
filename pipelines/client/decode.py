"""From bytes to structs: quick when nothing is new, exact about what is, and clear about what is wrong.

The quick path decodes straight into the structs of `wire`. They refuse unknown fields, so any novelty or
older spelling sends the payload down the slow path: parsed whole, respelled, stripped of unknown fields
(each counted) and decoded again. What fails there is a WireError.
"""

import re
import types
import typing
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, Final, Generic, TypeVar

import msgspec

from pipelines.client import spellings
from pipelines.client.drift import Drift
from pipelines.client.errors import KalshiError, WireError
from pipelines.client.wire import KNOWN_VALUES, CandlesReply
from pipelines.client.wire.archived import ArchivedCandlesReply

T = TypeVar("T", bound=msgspec.Struct)

_RAW: Final = msgspec.json.Decoder(float_hook=Decimal)
_AT: Final = re.compile(r"(?P<reason>.*?)(?: - at `\$\.?(?P<place>.*)`)?", re.DOTALL)
_MISSING: Final = re.compile(r"Object missing required field `(?P<field>\w+)`")
_STEP: Final = re.compile(r"(\w+)|\[(\d+)\]")
_TICKER_KEYS: Final = ("ticker", "market_ticker", "event_ticker", "series_ticker")


class BrokenBody(KalshiError):
    """A body that is not whole JSON: cut off, empty or garbled on its way. Worth another try."""


@cache
def _decoder(shape: type[msgspec.Struct]) -> "msgspec.json.Decoder[Any]":
    return msgspec.json.Decoder(shape)


def decode(payload: bytes, shape: type[T], *, path: str, drift: Drift) -> T:
    """Decode one body into `shape`; unknown fields and values are noted in `drift`.

    Raises:
        BrokenBody: not whole JSON.
        WireError: JSON, but a required field is missing or has another type.
    """
    try:
        found: T = _decoder(shape).decode(payload)
    except msgspec.ValidationError:
        archived = _decode_archived(payload) if shape is CandlesReply else None
        if archived is not None:
            return typing.cast("T", archived)
        found = _decode_slowly(payload, shape, path=path, drift=drift)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BrokenBody(f"body of {len(payload)} bytes is not whole JSON: {error}") from error
    _note_values([found], drift)
    return found


def _decode_archived(payload: bytes) -> CandlesReply | None:
    """Return a whole answer of the historical tier in today's spelling, None if it is not quite one."""
    try:
        found: ArchivedCandlesReply = _decoder(ArchivedCandlesReply).decode(payload)
    except msgspec.DecodeError:
        return None
    return found.modern()


def _decode_slowly(payload: bytes, shape: type[T], *, path: str, drift: Drift) -> T:
    try:
        raw = _RAW.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BrokenBody(f"body of {len(payload)} bytes is not whole JSON: {error}") from error
    pruned = _prune(raw, shape, drift)
    try:
        return msgspec.convert(pruned, shape)
    except msgspec.ValidationError as error:
        raise _wire_error(str(error), raw=pruned, path=path, payload=payload) from error


@dataclass(frozen=True, slots=True)
class _Part(Generic[T]):
    """Which of a struct's fields hold other structs, alone or in lists."""

    name: str
    fields: dict[str, type[msgspec.Struct] | None]


@cache
def _part(shape: type[msgspec.Struct]) -> _Part[Any]:
    hints = typing.get_type_hints(shape)
    return _Part(name=shape.__name__, fields={name: _struct_in(hint) for name, hint in hints.items()})


def _struct_in(hint: Any) -> type[msgspec.Struct] | None:  # noqa: ANN401  a type hint is any object
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return hint
    if typing.get_origin(hint) in {list, types.UnionType, typing.Union}:
        found = (_struct_in(inner) for inner in typing.get_args(hint))
        return next((one for one in found if one is not None), None)
    return None


def _prune(raw: Any, shape: type[msgspec.Struct], drift: Drift) -> Any:  # noqa: ANN401  JSON is any value
    """Return `raw` in today's spelling and without fields that `shape` does not have; counts them."""
    if isinstance(raw, list):
        return [_prune(item, shape, drift) for item in raw]
    if not isinstance(raw, dict):
        return raw
    part = _part(shape)
    spellings.modern(raw, part.name)
    retired = spellings.RETIRED.get(part.name, frozenset())
    kept: dict[str, Any] = {}
    for name, value in raw.items():
        if name in part.fields:
            inner = part.fields[name]
            kept[name] = value if inner is None else _prune(value, inner, drift)
        elif name not in retired:
            drift.note_field(part.name, name, value)
    return kept


@cache
def _has_words(shape: type[msgspec.Struct]) -> bool:
    """Whether `shape`, or a struct inside it, has text fields with a documented list of values."""
    inside = (inner for inner in _part(shape).fields.values() if inner is not None)
    return shape in KNOWN_VALUES or any(_has_words(inner) for inner in inside)


def _note_values(items: list[Any], drift: Drift) -> None:
    """Look at the words of `items`, structs of one type, and of all structs inside them."""
    if not items:
        return
    drift.note_values(items)
    shape: type[msgspec.Struct] = type(items[0])
    for name, inner in _part(shape).fields.items():
        if inner is None or not _has_words(inner):
            continue
        below: list[Any] = []
        for item in items:
            value = getattr(item, name)
            below.extend(value if isinstance(value, list) else [] if value is None else [value])
        _note_values(below, drift)


def _wire_error(message: str, *, raw: Any, path: str, payload: bytes) -> WireError:  # noqa: ANN401  JSON
    match = _AT.fullmatch(message)
    reason, place = (match["reason"], match["place"] or "") if match else (message, "")
    ticker = _nearest_ticker(raw, place)
    missing = _MISSING.fullmatch(reason)
    if missing is not None:
        place = f"{place}.{missing['field']}".lstrip(".")
        reason = "required, but missing"
    return WireError(path=path, field=place or "(whole body)", reason=reason, ticker=ticker, payload=payload)


def _nearest_ticker(raw: Any, place: str) -> str:  # noqa: ANN401  JSON is any value
    """Walk down to `place` and return the last ticker seen on the way."""
    ticker = ""
    here = raw
    steps = [(int(index) if index else name) for name, index in _STEP.findall(place)]
    for step in [None, *steps]:
        if step is not None:
            try:
                here = here[step]
            except (KeyError, IndexError, TypeError):
                break
        if isinstance(here, dict):
            ticker = next((here[key] for key in _TICKER_KEYS if isinstance(here.get(key), str)), ticker)
    return ticker
