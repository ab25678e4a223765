"""Reading a script of misfortunes from TOML: unknown words are refused, with the line they stand on.

seed = 7
[[fault]]
kind = "error"
chance = 0.05
"""

import re
import tomllib
from pathlib import Path
from typing import Final

from sandbox.errors import BadFaults
from sandbox.fault_kinds import SCOPE, Fault, fault
from sandbox.faults import Faults

HEADER: Final = re.compile(r"^\s*\[\[\s*fault\s*\]\]")
TOP: Final = ("seed", *SCOPE, "fault")


def read_faults(path: Path) -> Faults:
    """Return the script of a file: `seed`, defaults for every fault, and one `[[fault]]` table each.

    Raises:
        BadFaults: the file cannot be read, is no TOML, or holds what the sandbox does not know; the message
            names file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadFaults(f"{path}: {error}; give a TOML file of [[fault]] tables") from error
    return parse_faults(text, name=str(path))


def parse_faults(text: str, *, name: str) -> Faults:
    """Return the script of a text; `name` says in messages where it came from.

    Raises:
        BadFaults: as of `read_faults`.
    """
    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadFaults(f"{name}: {error}") from error
    lines = text.splitlines()
    seed, tables = told.pop("seed", 0), told.pop("fault", [])
    for key in told:
        if key not in SCOPE:
            raise BadFaults(_at(name, lines, 0, key, f"{key} is not known here; known are {', '.join(TOP)}"))
    if type(seed) is not int:
        raise BadFaults(_at(name, lines, 0, "seed", f"seed = {seed!r} must be a whole number"))
    if not isinstance(tables, list):
        raise BadFaults(_at(name, lines, 0, "fault", "write [[fault]], with two brackets, for each fault"))
    starts = [number for number, line in enumerate(lines) if HEADER.match(line)]
    starts += [0] * (len(tables) - len(starts))  # written inline, as fault = [{…}]
    made = tuple(
        _read(name, lines, start, f"fault {number}", told, table)
        for number, (start, table) in enumerate(zip(starts, tables, strict=False), start=1)
    )
    return Faults(made, seed)


def _read(
    name: str, lines: list[str], start: int, which: str, defaults: dict[str, object], table: object
) -> Fault:
    if not isinstance(table, dict):
        raise BadFaults(_at(name, lines, start, "fault", f"{which} must be a table: [[fault]]"))
    given = {**defaults, **table}
    kind = given.pop("kind", None)
    if not isinstance(kind, str):
        raise BadFaults(_at(name, lines, start, "kind", f'{which} needs a kind, such as kind = "error"'))
    try:
        return fault(kind, **given)
    except BadFaults as error:
        key = str(error).split(" ", 1)[0]
        raise BadFaults(_at(name, lines, start, key, f"{which}: {error}")) from error


def _at(name: str, lines: list[str], start: int, key: str, message: str) -> str:
    """Say where in the file it is: the line of the key below `start`, else the line of its table."""
    written = re.compile(rf"^\s*[\"']?{re.escape(key)}[\"']?\s*=")
    for number in range(start, len(lines)):
        if number > start and HEADER.match(lines[number]):
            break
        if written.match(lines[number]):
            return f"{name}, line {number + 1}: {message}"
    # A default that stands above all tables is what the fault took its value from.
    for number, line in enumerate(lines[:start]):
        if HEADER.match(line):
            break
        if written.match(line):
            return f"{name}, line {number + 1}: {message}"
    return f"{name}, line {start + 1}: {message}"
