"""Answers: JSON bodies, and the error body that Kalshi documents.

Source: KALSHI.md §3 and §11 (pages rate_limits, 2026-09-22; OpenAPI 3.34.0, read 2026-10-09).
"""

import json
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

BAD_REQUEST: Final = 400
UNAUTHORIZED: Final = 401
FORBIDDEN: Final = 403
NOT_FOUND: Final = 404
NOT_ALLOWED: Final = 405
CONFLICT: Final = 409
TOO_MANY: Final = 429

_dump = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class Refused(Exception):
    """A request answered with an error body: HTTP status, Kalshi's code, and a sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def reply(payload: object, status: int = 200) -> Response:
    """Return a payload as compact JSON."""
    return Response(_dump(payload).encode(), status, media_type="application/json")


def reply_text(text: str) -> Response:
    """Return JSON that is printed already."""
    return Response(text.encode(), media_type="application/json")


def invalid(message: str) -> Refused:
    """Return the 400 of a parameter that cannot be used."""
    return Refused(BAD_REQUEST, "invalid_parameters", message)


def not_found(what: str) -> Refused:
    """Return the 404 of a thing that is not here."""
    return Refused(NOT_FOUND, "not_found", f"{what} not found")


def rejected(code: str, message: str) -> Refused:
    """Return the 400 of an order that nobody could accept."""
    return Refused(BAD_REQUEST, code, message)


def conflict(code: str, message: str) -> Refused:
    """Return the 409 of a request that is sound but meets a state that forbids it."""
    return Refused(CONFLICT, code, message)


def too_many() -> Response:
    """Return the 429 of an empty bucket: another body than all errors, and no Retry-After."""
    return reply({"error": "too many requests"}, TOO_MANY)


def unauthorized() -> Response:
    """Return the 401, which never says whether key, signature, path or clock was wrong."""
    return reply({"code": "authentication_error", "message": "authentication failed"}, UNAUTHORIZED)


def forbidden(message: str) -> Response:
    """Return the 403 of a key that is right but was not granted this."""
    return refusal(Refused(FORBIDDEN, "insufficient_scope", message))


def refusal(error: Refused) -> Response:
    """Return the answer that a `Refused` stands for."""
    return reply({"code": error.code, "message": error.message}, error.status)


async def on_refused(_request: Request, error: Exception) -> Response:
    """Turn a `Refused` into its answer."""
    assert isinstance(error, Refused)
    return refusal(error)


async def on_missing(request: Request, error: Exception) -> Response:
    """Answer a path that is no route, or a method that a route does not take."""
    if isinstance(error, HTTPException) and error.status_code == NOT_ALLOWED:
        message = f"{request.method} is not allowed here"
        answer = reply({"code": "method_not_allowed", "message": message}, NOT_ALLOWED)
        answer.headers.update(error.headers or {})
        return answer
    return reply({"code": "not_found", "message": "page not found"}, NOT_FOUND)
