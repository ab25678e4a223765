"""Answers that are errors, and the absence of an answer, as the errors of `errors.py`."""

from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx
import msgspec

from pipelines.client.errors import (
    Conflict,
    Forbidden,
    HttpError,
    NotFound,
    RateLimited,
    ServerFault,
    Unauthorized,
    UnknownOutcome,
    Unreachable,
)
from pipelines.client.requests import Request
from pipelines.client.wire import ErrorBody

TOO_MANY: Final = 429

_NO_KEY: Final = 401
_FAULTS: Final = frozenset({500, 502, 503, 504})
_FIRST_FAULT: Final = 500
_GIVEN_UP: Final = frozenset({408, 499})
_ERRORS: Final[dict[int, type[HttpError]]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    429: RateLimited,
} | dict.fromkeys(_FAULTS, ServerFault)
_REDIRECTED: Final = (
    "redirects are not followed, a signature is good for one path only: check KALSHI_BASE_URL"
)
_KEYLESS: Final = "this needs a key: set KALSHI_KEY_ID and KALSHI_PRIVATE_KEY_PATH"
_BODY_CHARACTERS: Final = 200


def refusal(request: Request[Any], response: httpx.Response, *, n_tries: int, has_key: bool) -> HttpError:
    """Return the error that an answer means."""
    status = response.status_code
    code, detail = _said(response.content)
    advice = ""
    if response.is_redirect:
        advice = _REDIRECTED
    elif status == _NO_KEY and not has_key:
        advice = _KEYLESS
    return _ERRORS.get(status, HttpError)(
        status=status,
        path=request.where,
        method=request.method,
        code=code,
        detail=detail,
        advice=advice,
        n_tries=n_tries,
        date_s=date_s(response),
    )


def unreachable(request: Request[Any], error: Exception, *, host: str, n_tries: int) -> Unreachable:
    """Return the error of a try without a usable answer."""
    tries = f"{n_tries} tries" if n_tries > 1 else "1 try"
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return Unreachable(
        f"{request.method} {request.where}: no usable answer from {host} after {tries} ({said}); "
        "check the network and KALSHI_BASE_URL, then try again",
        path=request.where,
        n_tries=n_tries,
    )


def unknown_outcome(request: Request[Any], error: Exception, *, host: str, n_tries: int) -> UnknownOutcome:
    """Return the error of a change that was sent and not answered for."""
    return UnknownOutcome(
        f"{request.method} {request.where}: {host} did not say whether this was done ({brief(error)}); "
        "it was not sent again: look up what the exchange has (orders by client_order_id) before you do",
        method=request.method,
        path=request.where,
        n_tries=n_tries,
    )


def never_left(error: Exception) -> bool:
    """Whether a failed try surely never reached the exchange: no connection was made for it."""
    return isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)


def may_have_acted(status: int) -> bool:
    """Whether an error status may come after the request was carried out.

    Not only the documented faults: whoever stands before the exchange has more of them (408, 499, 520 … 524),
    and says by them that the exchange was asked and its answer did not come.
    """
    return status >= _FIRST_FAULT or status in _GIVEN_UP


def brief(error: Exception) -> str:
    """Return a word or two about an error: a status, or the name of what happened."""
    if isinstance(error, HttpError):
        return str(error.status)
    return type(error.__cause__ or error).__name__


def date_s(response: httpx.Response) -> int | None:
    """Return the answer's `Date` header in Unix seconds, None when there is none."""
    try:
        return int(parsedate_to_datetime(response.headers["date"]).timestamp())
    except (KeyError, ValueError, TypeError):
        return None


def _said(body: bytes) -> tuple[str, str]:
    """Return Kalshi's code and words; of a body that is not JSON its beginning."""
    try:
        told = msgspec.json.decode(body, type=ErrorBody)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "", " ".join(body[:_BODY_CHARACTERS].decode("utf-8", "replace").split())
    return told.said
