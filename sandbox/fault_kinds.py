"""The misfortunes the sandbox knows, as data: what each is called, and what can be set within what bounds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final, Literal

from sandbox.errors import BadFaults

Value = str | int | float | bool
Place = Literal["instead", "answer", "exchange", "frame"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of a fault: its default, and the words or the range `[low, high]` it may take.

    A default of None means the key must be given. The type is that of the first word, else of `low`.
    """

    default: Value | None
    words: tuple[Value, ...] = ()
    low: float = 0
    high: float = 0
    kind: type = float

    def read(self, name: str, value: object) -> Value:
        """Return a value that may be used, ints where floats are asked for included.

        Raises:
            BadFaults: the value is of another type, no known word, or out of range.
        """
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        fits = (is_number and self.kind is float) or type(value) is self.kind
        if not fits or not isinstance(value, str | int | float | bool):
            raise BadFaults(f"{name} = {value!r} must be {KIND_NAMES[self.kind]}")
        if self.words and value not in self.words:
            raise BadFaults(f"{name} = {value!r} must be one of {', '.join(map(repr, self.words))}")
        if isinstance(value, int | float) and not self.words and self.kind is not bool:
            if not self.low <= value <= self.high:
                raise BadFaults(f"{name} = {value!r} must be between {self.low:g} and {self.high:g}")
            return float(value) if self.kind is float else value
        return value


KIND_NAMES: Final = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


def _word(default: str | None, *words: str) -> Setting:
    return Setting(default, words, kind=str)


def _whole(default: int | None, low: int, high: int) -> Setting:
    return Setting(default, low=low, high=high, kind=int)


def _number(default: float | None, low: float, high: float) -> Setting:
    return Setting(default, low=low, high=high)


DAY_S: Final = 86_400.0
FOR_EVER: Final = 1e12
DONE: Final = Setting(False, kind=bool)  # noqa: FBT003 - the default of a key called `done`

# Keys that every fault has: how often, where and when it strikes.
SCOPE: Final[Mapping[str, Setting]] = {
    "chance": _number(1.0, 0, 1),
    "route": _word("*"),
    "method": _word("*"),
    "first": _whole(1, 1, 2**53),
    "last": _whole(2**53, 1, 2**53),
    "after_s": _number(0.0, 0, FOR_EVER),
    "before_s": _number(FOR_EVER, 0, FOR_EVER),
    "limit": _whole(2**53, 1, 2**53),
    "tries": _whole(2**53, 1, 2**53),
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A misfortune: where it takes effect, its own keys, and a sentence about it.

    Places: `instead` of the answer (at most one a request), on the `answer`, on the `exchange` behind it,
    on a `frame` of a WebSocket.
    """

    place: Place
    sentence: str
    settings: Mapping[str, Setting] = field(default_factory=dict)


KINDS: Final[Mapping[str, Kind]] = {
    "too_many": Kind(
        "instead",
        "429 with Kalshi's body and no Retry-After, for a burst of requests or some seconds",
        {"burst": _whole(1, 1, 100_000), "burst_s": _number(0.0, 0, 3_600)},
    ),
    "error": Kind(
        "instead",
        "500, 502, 503 or 504 (status = 0 draws one of them), with an error body or without any",
        {
            "status": Setting(0, (0, 500, 502, 503, 504), kind=int),
            "body": _word("json", "json", "none"),
            "done": DONE,
        },
    ),
    "html": Kind(
        "instead",
        "a proxy's HTML page where JSON should be",
        {"status": Setting(502, (200, 500, 502, 503, 504), kind=int), "done": DONE},
    ),
    "reset": Kind(
        "instead",
        "the connection is reset: before the request is carried out, after it, or during the answer's body",
        {"when": _word("before", "before", "after", "during")},
    ),
    "hang": Kind(
        "instead",
        "no answer; the connection closes after for_s seconds",
        {"for_s": _number(30.0, 0, 3_600), "done": DONE},
    ),
    "slow": Kind("answer", "the answer waits", {"delay_s": _number(1.0, 0, 600)}),
    "dribble": Kind(
        "answer",
        "the answer arrives in pieces, with a pause before each",
        {"pieces": _whole(8, 2, 10_000), "pause_s": _number(0.05, 0, 60)},
    ),
    "truncate": Kind(
        "answer",
        "half the JSON; content-length tells the half (right), or the whole and the connection ends (wrong)",
        {"length": _word("wrong", "right", "wrong")},
    ),
    "content_type": Kind("answer", "JSON under another content type", {"value": _word("text/plain")}),
    "repeat_cursor": Kind("answer", "a page hands back the cursor it was asked with: a loop"),
    "duplicate_rows": Kind(
        "answer", "a page begins with the last rows of the page before", {"rows": _whole(1, 1, 1_000)}
    ),
    "late_trades": Kind(
        "answer",
        "trades (each drawn by its id) younger than late_s exchange seconds are withheld; 0 is any age",
        {"late_s": _number(0.0, 0, FOR_EVER)},
    ),
    "new_field": Kind(
        "answer", "every row gains a field that nobody documented", {"field": _word("sandbox_novelty")}
    ),
    "new_enum": Kind(
        "answer",
        "a word that nobody documented, in the named field or in those that label",
        {"field": _word("*"), "value": _word("sandbox_novelty")},
    ),
    "skew": Kind(
        "answer",
        "the exchange's clock is off: its Date header, and what signatures are held against",
        {"skew_s": _number(None, -DAY_S, DAY_S)},
    ),
    "move_cutoff": Kind(
        "exchange", "the line between live and archived moves on", {"hours": _number(6.0, 0, 24_000)}
    ),
    "budget": Kind(
        "exchange",
        "token buckets silently shrink to a share while the fault lasts",
        {"scale": _number(0.5, 0.001, 1)},
    ),
    "ws_hole": Kind("frame", "a frame is lost, its seq with it"),
    "ws_duplicate": Kind("frame", "a frame is sent twice"),
    "ws_stall": Kind("frame", "no frame for some seconds", {"for_s": _number(30.0, 0, 3_600)}),
    "ws_disconnect": Kind("frame", "the connection drops without a closing handshake"),
    "ws_overflow": Kind("frame", "error 25: the subscription's buffer overflowed, the subscription ends"),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One line of a script: a kind, with every key it has filled in."""

    kind: str
    values: Mapping[str, Value]

    @property
    def place(self) -> Place:
        """Where it takes effect."""
        return KINDS[self.kind].place

    def number(self, name: str) -> float:
        """Return a key that holds a number."""
        value = self.values[name]
        assert isinstance(value, int | float), name
        return value

    def whole(self, name: str) -> int:
        """Return a key that holds a whole number."""
        value = self.values[name]
        assert isinstance(value, int), name
        return value

    def word(self, name: str) -> str:
        """Return a key that holds a text."""
        value = self.values[name]
        assert isinstance(value, str), name
        return value

    def is_set(self, name: str) -> bool:
        """Return a key that holds true or false; false where the kind has no such key."""
        return self.values.get(name, False) is True


def fault(kind: str, **given: object) -> Fault:
    """Return one fault, its keys checked and completed.

    Raises:
        BadFaults: an unknown kind or key, or a value that cannot be used; the message lists what is known.
    """
    if kind not in KINDS:
        raise BadFaults(f"kind = {kind!r} is not known{_near(kind, KINDS)}; known are {', '.join(KINDS)}")
    known = {**SCOPE, **KINDS[kind].settings}
    for name in given:
        if name not in known:
            raise BadFaults(f"{name} is no key of {kind!r}{_near(name, known)}; known are {', '.join(known)}")
    values: dict[str, Value] = {}
    for name, setting in known.items():
        if name in given:
            values[name] = setting.read(name, given[name])
        elif setting.default is not None:
            values[name] = setting.default
        else:
            raise BadFaults(f"{name} is missing: {kind!r} needs it")
    made = Fault(kind, MappingProxyType(values))
    for low, high in (("first", "last"), ("after_s", "before_s")):
        if made.number(low) > made.number(high):
            raise BadFaults(
                f"{low} = {values[low]} lies after {high} = {values[high]}: it would never strike"
            )
    return made


def _near(word: str, known: Mapping[str, object]) -> str:
    found = get_close_matches(word, known, n=1)
    return f" (did you mean {found[0]!r}?)" if found else ""
