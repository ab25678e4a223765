"""From bytes to structs: quick when nothing is new, exact about what is, and clear about what is wrong.

The quick path decodes straight into the structs of `wire`. They refuse unknown fields, so any novelty or
older spelling sends the payload down the slow path: parsed whole, respelled, stripped of unknown fields
(each counted) and decoded again. What fails there is a WireError.

Numbers in free-form objects (`details`, `custom_strike`, …) are `Decimal`, as they were written. Where a key
comes twice in one object, the last one counts, as in every JSON reader that Kalshi's clients use.
"""

import re
import types
import typing
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypeVar

import msgspec

from pipelines.client import spellings
from pipelines.client.drift import Drift
from pipelines.client.errors import KalshiError, WireError
from pipelines.client.wire import KNOWN_VALUES, CandlesReply
from pipelines.client.wire.archived import ArchivedCandlesReply
from pipelines.client.wire.exact import exact

T = TypeVar("T", bound=msgspec.Struct)

_RAW: Final = msgspec.json.Decoder(float_hook=exact)
_AT: Final = re.compile(r"(?P<reason>.*?)(?: - at `\$\.?(?P<place>.*)`)?", re.DOTALL)
_MISSING: Final = re.compile(r"Object missing required field `(?P<field>\w+)`")
_STEP: Final = re.compile(r"(\w+)|\[(\d+)\]")
_TICKER_KEYS: Final = ("ticker", "market_ticker", "event_ticker", "series_ticker")


class BrokenBody(KalshiError):
    """A body that is not whole JSON: cut off, empty or garbled on its way. Worth another try."""


@cache
def _decoder(shape: type[msgspec.Struct]) -> "msgspec.json.Decoder[Any]":
    return msgspec.json.Decoder(shape, float_hook=exact)


def decode(payload: bytes, shape: type[T], *, path: str, drift: Drift) -> T:
    """Decode one body into `shape`; unknown fields and values are noted in `drift`.

    Raises:
        BrokenBody: not whole JSON.
        WireError: JSON, but a required field is missing, has another type, or is nested without end.
    """
    try:
        return _decode(payload, shape, path=path, drift=drift)
    except RecursionError as error:
        reason = "nested deeper than any documented answer"
        raise WireError(path=path, field="(whole body)", reason=reason, payload=payload) from error


def _decode(payload: bytes, shape: type[T], *, path: str, drift: Drift) -> T:
    try:
        found: T = _decoder(shape).decode(payload)
    except msgspec.ValidationError:
        archived = _decode_archived(payload) if shape is CandlesReply else None
        if archived is not None:
            return typing.cast("T", archived)
        found = _decode_slowly(payload, shape, path=path, drift=drift)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _broken(payload, error) from error
    _note_values([found], drift)
    return found


def _decode_archived(payload: bytes) -> CandlesReply | None:
    """Return a whole answer of the historical tier in today's spelling, None if it is not quite one."""
    try:
        found: ArchivedCandlesReply = _decoder(ArchivedCandlesReply).decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return found.modern()


def _decode_slowly(payload: bytes, shape: type[T], *, path: str, drift: Drift) -> T:
    try:
        raw = _RAW.decode(payload)
    except msgspec.ValidationError as error:  # JSON, with a number that nothing can hold
        raise _wire_error(str(error), raw=None, path=path, payload=payload) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _broken(payload, error) from error
    pruned = _prune(raw, _Held(shape), drift)
    try:
        return msgspec.convert(pruned, shape)
    except msgspec.ValidationError as error:
        raise _wire_error(str(error), raw=pruned, path=path, payload=payload) from error


def _broken(payload: bytes, error: Exception) -> BrokenBody:
    return BrokenBody(f"body of {len(payload)} bytes is not whole JSON: {error}")


@dataclass(frozen=True, slots=True)
class _Held:
    """Structs inside a field: alone or in (nested) lists, or as the values of an object."""

    shape: type[msgspec.Struct]
    is_mapped: bool = False


@cache
def _fields(shape: type[msgspec.Struct]) -> dict[str, _Held | None]:
    """Return every field of a struct, with the structs that it holds."""
    return {name: _held(hint) for name, hint in typing.get_type_hints(shape).items()}


def _held(hint: Any) -> _Held | None:  # noqa: ANN401  a type hint is any object
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return _Held(hint)
    inner = [held for held in map(_held, typing.get_args(hint)) if held is not None]
    if not inner:
        return None
    if typing.get_origin(hint) is dict:
        return _Held(inner[0].shape, is_mapped=True)
    return inner[0] if typing.get_origin(hint) in {list, types.UnionType, typing.Union} else None


def _prune(raw: Any, held: _Held, drift: Drift) -> Any:  # noqa: ANN401  JSON is any value
    """Return `raw` in today's spelling and without fields that its struct does not have; counts them."""
    if isinstance(raw, list):
        return [_prune(item, held, drift) for item in raw]
    if not isinstance(raw, dict):
        return raw
    if held.is_mapped:
        return {name: _prune(value, _Held(held.shape), drift) for name, value in raw.items()}
    owner, fields = held.shape.__name__, _fields(held.shape)
    spellings.modern(raw, owner)
    retired = spellings.RETIRED.get(owner, {})
    kept: dict[str, Any] = {}
    for name, value in raw.items():
        if name in fields:
            inner = fields[name]
            kept[name] = value if inner is None else _prune(value, inner, drift)
        elif name not in retired:
            drift.note_field(owner, name, value)
    return kept


@cache
def _has_words(shape: type[msgspec.Struct]) -> bool:
    """Whether `shape`, or a struct inside it, has text fields with a documented list of values."""
    inside = (held.shape for held in _fields(shape).values() if held is not None)
    return shape in KNOWN_VALUES or any(_has_words(inner) for inner in inside)


def _note_values(items: list[Any], drift: Drift) -> None:
    """Look at the words of `items`, structs of one type, and of all structs inside them."""
    if not items:
        return
    drift.note_values(items)
    shape: type[msgspec.Struct] = type(items[0])
    for name, held in _fields(shape).items():
        if held is not None and _has_words(held.shape):
            below: list[Any] = []
            for item in items:
                _gather(getattr(item, name), below)
            _note_values(below, drift)


def _gather(value: Any, into: list[Any]) -> None:  # noqa: ANN401  whatever a field holds
    """Append the structs of a field: one, those of a list or of lists, or the values of an object."""
    if isinstance(value, dict):
        into.extend(one for one in value.values() if one is not None)
    elif not isinstance(value, list):
        into.extend(() if value is None else (value,))
    elif value and isinstance(value[0], list):
        for one in value:
            _gather(one, into)
    else:
        into.extend(value)


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
