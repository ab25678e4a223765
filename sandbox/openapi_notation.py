"""A short hand for OpenAPI 3.1: a field is `name type`, an operation a line of parameters.

    name            must be there                    str int num bool any object   JSON's own
    name?           may be missing                   dollars count time            texts of a form
    type|null       may be null                      =a,b,c                        one of these words
    type[]          a list                           Name                          another schema
    int(1..500)     a range                          type{}                        an object of any keys

In parameters `!` marks what is required and `[1..100]` how many times a repeated one may be given.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from sandbox.encoding import Json

SIMPLE: Final[dict[str, Json]] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "num": {"type": "number"},
    "bool": {"type": "boolean"},
    "any": {},
    "object": {"type": "object"},
    "dollars": {"type": "string", "pattern": r"^-?\d+\.\d{2,6}$"},
    "count": {"type": "string", "pattern": r"^-?\d+\.\d{2}$"},
    "time": {"type": "string", "format": "date-time"},
}
RANGE: Final = re.compile(r"(?P<type>\w+)\((?P<low>-?\d+)\.\.(?P<high>\d+)\)")
PARAMETER: Final = re.compile(
    r"(?P<name>\w+)(?P<must>!?):(?P<type>[^\[\]]+)(?:\[(?P<low>\d+)\.\.(?P<high>\d+)\])?"
)
IN_PATH: Final = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Operation:
    """One route: `parameters` and `answer` in short hand, `body` and `answer` may name a schema.

    `status` is that of success; an `answer` of "" has no body. `fails` are statuses beside those that every
    route has (400, 401, 429) or that follow from a path parameter (404) and a signature (403).
    """

    method: str
    path: str
    summary: str
    answer: str
    parameters: str = ""
    body: str = ""
    status: int = 200
    fails: tuple[int, ...] = ()
    is_signed: bool = False

    def json(self) -> Json:
        """Return the operation as OpenAPI describes it."""
        told: Json = {
            "operationId": f"{self.method} {self.path}",
            "summary": self.summary,
            "responses": self._responses(),
        }
        parameters: list[Json] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
            for name in IN_PATH.findall(self.path)
        ]
        parameters += [_parameter(each) for each in self.parameters.split()]
        if parameters:
            told["parameters"] = parameters
        if self.body:
            told["requestBody"] = {"required": True, "content": _json_of(shape(self.body))}
        if self.is_signed:
            told["security"] = [{"key": [], "timestamp": [], "signature": []}]
        return told

    def _responses(self) -> Json:
        success: Json = {"description": "done"}
        if self.answer:
            success["content"] = _json_of(shape(self.answer))
        told: Json = {str(self.status): success}
        also = {400, 401, *self.fails, *((403,) if self.is_signed else ())}
        also |= {404} if IN_PATH.search(self.path) else set()
        for status in sorted(also):
            told[str(status)] = {"description": "refused", "content": _json_of(shape("Error"))}
        told["429"] = {"description": "no tokens left", "content": _json_of(shape("TooMany"))}
        return told


@dataclass(frozen=True, slots=True)
class Chapter:
    """The operations of one subject and the schemas they need: fields in short hand by name."""

    operations: tuple[Operation, ...]
    schemas: Mapping[str, str] = field(default_factory=dict)


def record(fields: str) -> Json:
    """Return the schema of an object with exactly these fields, each `name type` between commas or lines."""
    properties: Json = {}
    required: list[str] = []
    for line in re.split(r"[;\n]", fields):
        if not line.strip():
            continue
        name, wanted = line.split()
        properties[name.rstrip("?")] = shape(wanted)
        if not name.endswith("?"):
            required.append(name)
    told: Json = {"type": "object", "properties": properties, "additionalProperties": False}
    return told | ({"required": required} if required else {})


def shape(text: str) -> Json:
    """Return the schema of a type."""
    if text.startswith("{") and text.endswith("}"):
        return record(text[1:-1])
    if text.startswith("="):
        return {"type": "string", "enum": text[1:].split(",")}
    for ending, wrapped in WRAPPERS.items():
        if text.endswith(ending):
            return wrapped(shape(text.removesuffix(ending)))
    bounded = RANGE.fullmatch(text)
    if bounded:
        low, high = int(bounded["low"]), int(bounded["high"])
        return SIMPLE[bounded["type"]] | {"minimum": low, "maximum": high}
    return dict(SIMPLE[text]) if text in SIMPLE else {"$ref": f"#/components/schemas/{text}"}


WRAPPERS: Final[dict[str, Callable[[Json], Json]]] = {
    "|null": lambda inner: {"anyOf": [inner, {"type": "null"}]},
    "[]": lambda inner: {"type": "array", "items": inner},
    "{}": lambda inner: {"type": "object", "additionalProperties": inner},
}


def _parameter(text: str) -> Json:
    match = PARAMETER.fullmatch(text)
    assert match is not None, text
    wanted = shape(match["type"])
    if match["low"]:
        wanted = {
            "type": "array",
            "items": wanted,
            "minItems": int(match["low"]),
            "maxItems": int(match["high"]),
        }
    told: Json = {"name": match["name"], "in": "query", "required": bool(match["must"]), "schema": wanted}
    return told | ({"style": "form", "explode": True} if match["low"] else {})


def _json_of(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}
