"""Requests that change something: sent once, and again only where that surely changed nothing."""

import asyncio
import socket
from typing import Any

import msgspec
import pytest

from pipelines.client import (
    Client,
    Conflict,
    HttpError,
    RateLimited,
    Settings,
    UnknownOutcome,
    Unreachable,
)
from pipelines.client.requests import Request
from tests.client.loopback import Asked, Reply, exchange, patient, script


class Made(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    order_id: str


def an_order(**more: Any) -> Request[Made]:  # noqa: ANN401  the fields of Request
    asked: dict[str, Any] = {
        "method": "POST",
        "path": "/portfolio/events/orders",
        "shape": Made,
        "body": b'{"a":1}',
    }
    return Request(**(asked | {"is_repeatable": False} | more))


def sent(*replies: Reply, **more: Any) -> tuple[Made, list[Asked]]:  # noqa: ANN401  the fields of Request
    async def story(client: Client) -> Made:
        async with client:
            return await client._session.send(an_order(**more))  # noqa: SLF001  below the gateway

    with exchange(script(*replies)) as running:
        try:
            return asyncio.run(story(Client(running.settings(), retry=patient()))), running.asked
        except Exception as error:
            error.add_note(f"sent {len(running.asked)} times")
            raise


GOOD = Reply(status=201, body={"order_id": "1"})


def test_a_change_goes_out_as_json_with_its_method() -> None:
    made, asked = sent(GOOD)
    assert made == Made(order_id="1")
    assert [(one.method, one.path) for one in asked] == [("POST", "/portfolio/events/orders")]
    assert asked[0].headers["content-type"] == "application/json"
    assert asked[0].body == b'{"a":1}'


@pytest.mark.parametrize(
    "trouble",
    [
        Reply(status=500, body={"code": "internal"}),
        Reply(status=502, body=b"<html>"),
        Reply(status=504, body=b""),
        Reply(status=408, body=b""),
        Reply(status=499, body=b""),
        Reply(status=520, body=b"<html>"),
        Reply(status=524, body=b"<html>"),
        Reply(fault="reset"),
        Reply(status=201, body={"order_id": "1"}, fault="half_body"),
        Reply(status=201, body={"order_id": "1"}, fault="half_json"),
        Reply(status=201, body={"id_of_order": 1}),
    ],
    ids=lambda reply: f"{reply.status}-{reply.fault}-{str(reply.body)[:9]}",
)
def test_a_change_whose_outcome_is_unknown_is_never_sent_again(trouble: Reply) -> None:
    """Each of these may come after the exchange had carried it out."""
    with pytest.raises(UnknownOutcome, match="did not say whether this was done") as caught:
        sent(trouble, GOOD)
    assert caught.value.__notes__ == ["sent 1 times"]
    assert (caught.value.method, caught.value.path) == ("POST", "/portfolio/events/orders")
    assert caught.value.__cause__ is not None


def test_a_change_refused_for_lack_of_tokens_is_tried_again() -> None:
    """A 429 comes before anything is done."""
    made, asked = sent(Reply(status=429, body={"error": "too many requests"}), GOOD)
    assert (made.order_id, len(asked)) == ("1", 2)


def test_a_change_refused_for_lack_of_tokens_for_ever_is_a_plain_refusal() -> None:
    with pytest.raises(RateLimited) as caught:
        sent(Reply(status=429, body={"error": "too many requests"}))
    assert caught.value.n_tries == 6


def test_a_change_that_found_no_connection_is_tried_again_and_then_is_no_doubt() -> None:
    """Nobody listens on the port: nothing left this machine, six times."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    async def story() -> None:
        settings = Settings(base_url=f"http://127.0.0.1:{port}/trade-api/v2")
        async with Client(settings, retry=patient()) as client:
            await client._session.send(an_order())  # noqa: SLF001  below the gateway

    with pytest.raises(Unreachable) as caught:
        asyncio.run(story())
    assert caught.value.n_tries == 6


@pytest.mark.parametrize(("status", "kind"), [(400, HttpError), (409, Conflict)])
def test_a_refused_change_says_its_method(status: int, kind: type[HttpError]) -> None:
    with pytest.raises(kind, match=f"POST /portfolio/events/orders: {status}") as caught:
        sent(Reply(status=status, body={"code": "no", "message": "never"}))
    assert (caught.value.method, caught.value.code) == ("POST", "no")


def test_a_repeatable_change_is_tried_like_a_question() -> None:
    """Taking an order out twice takes it out once."""
    made, asked = sent(Reply(fault="reset"), Reply(status=503), GOOD, method="DELETE", is_repeatable=True)
    assert (made.order_id, [one.method for one in asked]) == ("1", ["DELETE"] * 3)
