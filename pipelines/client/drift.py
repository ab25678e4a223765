"""What the exchange sends that we do not know yet: counted, with one example each, never an error.

A new field or a new word in a known field must not stop a collector at three in the morning, and must not go
unnoticed either: `client.drift.report()` and `tapehouse doctor` list every sighting.
"""

import logging
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final, Literal

import msgspec

from pipelines.client.wire import KNOWN_VALUES

_LOG: Final = logging.getLogger(__name__)
_EXAMPLE_CHARACTERS: Final = 80
_MAX_KINDS: Final = 1_000

Kind = Literal["field", "value"]


@dataclass(slots=True)
class Sighting:
    """One unknown thing: `where` is `Market.status` or the like."""

    kind: Kind
    where: str
    example: str
    n_seen: int = 0


@dataclass(slots=True)
class Drift:
    """Unknown fields and unknown values seen since it was made; holds at most 1,000 different ones."""

    _seen: dict[tuple[str, str, str], Sighting] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self._seen)

    def report(self) -> list[Sighting]:
        """Return every sighting, most frequent first."""
        return sorted(self._seen.values(), key=lambda one: (-one.n_seen, one.where, one.example))

    def note_field(self, owner: str, name: str, value: object) -> None:
        """Count one field that the struct `owner` does not have."""
        self._note("field", f"{owner}.{name}", "", _example(value), 1)

    def note_values(self, items: list[Any]) -> None:
        """Count values that no document lists, in documented text fields; `items` are structs of one type."""
        if not items:
            return
        known = KNOWN_VALUES.get(type(items[0]), {})
        for name, values in known.items():
            read = attrgetter(name)
            for new in {read(item) for item in items} - values:
                n_seen = sum(read(item) == new for item in items)
                self._note("value", f"{type(items[0]).__name__}.{name}", str(new), _example(new), n_seen)

    def _note(self, kind: Kind, where: str, which: str, example: str, n_seen: int) -> None:
        sighting = self._seen.get((kind, where, which))
        if sighting is None:
            if len(self._seen) >= _MAX_KINDS:
                return
            sighting = self._seen[(kind, where, which)] = Sighting(kind=kind, where=where, example=example)
            _LOG.warning("the exchange sent an unknown %s %s, for example %s", kind, where, example)
        sighting.n_seen += n_seen


def _example(value: object) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode()[:_EXAMPLE_CHARACTERS]
