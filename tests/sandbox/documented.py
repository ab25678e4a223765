"""The sandbox's OpenAPI document as a judge: which operation an answer is of, and whether it may say that."""

import re
from functools import cache
from typing import Any

import httpx
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # jsonschema ships no types

from sandbox.gate import PREFIX
from sandbox.openapi import document

Json = dict[str, Any]


@cache
def operations() -> dict[tuple[str, str], Json]:
    """Return every operation by method and path template."""
    return {
        (method.upper(), path): operation
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    }


def template_of(method: str, path: str) -> str:
    """Return the documented path that a path below the prefix is an instance of, fixed words before names."""
    fitting = [
        template
        for known, template in operations()
        if known == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path)
    ]
    assert fitting, f"{method} {path} is not documented"
    return min(fitting, key=lambda template: template.count("{"))


@cache
def _validator(method: str, template: str, status: int) -> Any:  # noqa: ANN401 - of a library without types
    """Return the judge of a body; None where none may be sent."""
    responses = operations()[method, template]["responses"]
    assert str(status) in responses, f"{method} {template}: {status} is not documented"
    content = responses[str(status)].get("content")
    if content is None:
        return None
    schema = content["application/json"]["schema"]
    return Draft202012Validator({**schema, "components": document()["components"]})


def is_valid(schema: Json, value: object) -> bool:
    """Tell whether a value fits a schema, which must be one."""
    Draft202012Validator.check_schema(schema)
    return bool(Draft202012Validator(schema).is_valid(value))


def judged(answer: httpx.Response) -> tuple[str, str]:
    """Return the operation of an answer, having held status and body against what is documented of it."""
    method, path = answer.request.method, answer.request.url.path.removeprefix(PREFIX)
    template = template_of(method, path)
    validator = _validator(method, template, answer.status_code)
    if validator is None:
        assert answer.content == b"", (method, template, answer.text)
        return method, template
    assert answer.headers["content-type"] == "application/json"
    errors = [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(answer.json())]
    assert errors == [], (method, template)
    return method, template
