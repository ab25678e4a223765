"""What the exchange sends that we do not know yet: counted, with one example each, never an error.

A new field or a new word in a known field must not stop a collector at three in the morning, and must not go
unnoticed either: `client.drift.report()` and `tapehouse doctor` list every sighting.
"""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from operator import attrgetter
from typing import Annotated, Any, Final, Literal

import msgspec

from exchange.errors import BadInput
from pipelines.client.wire import KNOWN_VALUES

_LOG: Final = logging.getLogger(__name__)
_EXAMPLE_CHARACTERS: Final = 80
_NAME_CHARACTERS: Final = 80
_MAX_KINDS: Final = 1_000

Kind = Literal["field", "value"]
_Key = tuple[Kind, str, str]


@dataclass(slots=True, kw_only=True)
class Sighting:
    """One unknown thing: `where` is `Market.status` or the like; `word` is the value, empty for a field.

    `example` is JSON, cut after 80 characters; `first_seen_ts` is our clock, not the exchange's.
    """

    kind: Kind
    where: str
    example: str
    first_seen_ts: Annotated[datetime, msgspec.Meta(tz=True)]
    word: str = ""
    n_seen: int = 0


class _Written(msgspec.Struct, forbid_unknown_fields=True):
    sightings: list[Sighting]
    n_unlisted: int


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Drift:
    """Unknown fields and unknown values seen since it was made; holds at most 1,000 different ones.

    Args:
        now: the clock for first sightings; aware UTC.
    """

    now: Callable[[], datetime] = _utc_now
    n_unlisted: int = field(default=0, init=False)
    """Sightings that were dropped because 1,000 other kinds were there already."""
    _seen: dict[_Key, Sighting] = field(default_factory=dict, init=False)

    def __bool__(self) -> bool:
        return bool(self._seen)

    def report(self) -> list[Sighting]:
        """Return every sighting, most frequent first."""
        return sorted(self._seen.values(), key=lambda one: (-one.n_seen, one.where, one.word))

    def note_field(self, owner: str, name: str, value: object) -> None:
        """Count one field that the struct `owner` does not have."""
        self._note("field", f"{owner}.{name[:_NAME_CHARACTERS]}", "", value, n_seen=1)

    def note_values(self, items: list[Any]) -> None:
        """Count values that no document lists, in documented text fields; `items` are structs of one type."""
        if not items:
            return
        known = KNOWN_VALUES.get(type(items[0]), {})
        for name, values in known.items():
            read = attrgetter(name)
            try:
                if values.issuperset(map(read, items)):
                    continue
            except TypeError:  # a field that holds a list of words
                pass
            words = Counter(
                word for one in map(read, items) for word in (one if type(one) is list else [one])
            )
            for new in words.keys() - values:
                where = f"{type(items[0]).__name__}.{name}"
                self._note("value", where, str(new)[:_NAME_CHARACTERS], new, n_seen=words[new])

    def merge(self, other: "Drift") -> None:
        """Add what another client saw: counts add up, the earlier first sighting and its example stay."""
        for theirs in other.report():
            key = (theirs.kind, theirs.where, theirs.word)
            ours = self._seen.get(key)
            if ours is None and not self._has_room(theirs.n_seen):
                continue
            if ours is None:
                self._seen[key] = replace(theirs)
                continue
            n_seen = ours.n_seen + theirs.n_seen
            first = min(ours, theirs, key=lambda one: one.first_seen_ts)
            self._seen[key] = replace(first, n_seen=n_seen)
        self.n_unlisted += other.n_unlisted

    def to_json(self) -> bytes:
        """Return the report as JSON that `from_json` reads, most frequent first."""
        return msgspec.json.encode(_Written(self.report(), self.n_unlisted))

    @classmethod
    def from_json(cls, text: bytes, *, now: Callable[[], datetime] = _utc_now) -> "Drift":
        """Return what `to_json` wrote, to be merged with what was seen since.

        Raises:
            BadInput: other text.
        """
        try:
            written = msgspec.json.decode(text, type=_Written)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadInput(f"this is no drift report: {error}; remove it and begin a new one") from error
        drift = cls(now=now)
        drift._seen = {(one.kind, one.where, one.word): one for one in written.sightings[:_MAX_KINDS]}
        drift.n_unlisted = written.n_unlisted
        return drift

    def _has_room(self, n_seen: int) -> bool:
        if len(self._seen) < _MAX_KINDS:
            return True
        self.n_unlisted += n_seen
        return False

    def _note(self, kind: Kind, where: str, word: str, value: object, *, n_seen: int) -> None:
        sighting = self._seen.get((kind, where, word))
        if sighting is None:
            if not self._has_room(n_seen):
                return
            example = _example(value)
            sighting = Sighting(kind=kind, where=where, word=word, example=example, first_seen_ts=self.now())
            self._seen[(kind, where, word)] = sighting
            _LOG.warning("the exchange sent an unknown %s %s, for example %s", kind, where, example)
        sighting.n_seen += n_seen


def _example(value: object) -> str:
    try:
        return msgspec.json.encode(value, enc_hook=str).decode()[:_EXAMPLE_CHARACTERS]
    except RecursionError:
        return "(nested too deeply to show)"
