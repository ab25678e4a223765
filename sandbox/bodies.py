"""Request bodies: read up to a limit, then JSON objects or a refusal that says what is wrong."""

import json
from typing import Any, Final

from starlette.types import Receive

from sandbox.replies import Refused, invalid

MAX_BODY_BYTES: Final = 1 << 20
TOO_LARGE: Final = 413


async def collect(receive: Receive) -> bytes:
    """Return the whole body; what a caller who hung up had sent until then.

    Raises:
        Refused: longer than a mebibyte, which no request of this API needs.
    """
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return bytes(body)
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise Refused(TOO_LARGE, "request_too_large", f"bodies end at {MAX_BODY_BYTES} bytes")
        if not message.get("more_body", False):
            return bytes(body)


def replayed(body: bytes, receive: Receive) -> Receive:
    """Return a channel that hands out a body which was read already, and then whatever comes next."""
    pending = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Any:  # noqa: ANN401 - an ASGI message
        return pending.pop() if pending else await receive()

    return again


def json_object(body: bytes) -> dict[str, Any]:
    """Return the object that a body holds.

    Raises:
        Refused: not JSON, not an object, nested too deep to be read, or not text.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise invalid("the body is not JSON") from error
    if not isinstance(found, dict):
        raise invalid("the body must be a JSON object")
    return found


def n_items(body: bytes) -> int:
    """Return how many orders a batch names, at least one: also nonsense is charged for."""
    try:
        orders = json_object(body).get("orders")
    except Refused:
        return 1
    return max(len(orders), 1) if isinstance(orders, list) else 1
