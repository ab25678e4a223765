"""How a story, in the interpreter of a foreign client, talks to the test that started it.

Standard library only. One JSON object a line: steps go out on stdout, and where the world must move before
the story can go on, an answer comes back on stdin.
"""

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

Step = Callable[["Place"], object]


@dataclass(frozen=True)
class Place:
    """Where the sandbox is, who signs, and which markets the story is about.

    `quiet` is traded in by the story, `busy` is streamed. `pem` is the file of a private key.
    """

    base_url: str
    ws_url: str
    key_id: str
    pem: str
    quiet: str
    busy: str


def tell(step: str, **said: object) -> None:
    """Say what a step saw."""
    sys.stdout.write(json.dumps({"step": step, **said}, default=_text) + "\n")
    sys.stdout.flush()


def ask(step: str) -> Any:  # noqa: ANN401 - JSON
    """Say that a step waits, and return what the test answers once it has moved the world."""
    tell(step, waits=True)
    return json.loads(sys.stdin.readline())


def run(steps: Iterable[Step]) -> None:
    """Take every step and tell what it returns; one that fails is told as such and the next one is taken."""
    place = Place(**json.loads(sys.argv[1]))
    for step in steps:
        try:
            tell(step.__name__, saw=step(place))
        except Exception as error:  # noqa: BLE001 - whatever a foreign client raises is the finding
            tell(step.__name__, failed=f"{type(error).__name__}: {error}")


def _text(value: object) -> str:
    """Return a value of a client's own type (an enum, a Decimal, a UUID) as the text it stands for."""
    return str(value.value if isinstance(value, Enum) else value)
