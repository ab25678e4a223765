"""New terms, and whose orders a batch means: what goes out, and what an order must show to have got them."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec
import pytest

from exchange.units import format_ts
from pipelines.client import Client, Conflict, NotDone, RequestError
from pipelines.client.trading import Patience, Trading, buy_yes
from pipelines.client.wire import Order
from tests.client.keys import KEY_ID, pem
from tests.client.loopback import Asked, Reply, exchange, patient

T = TypeVar("T")
ENDS_TS = datetime(2026, 12, 1, tzinfo=UTC)  # 1,796,083,200 in Unix seconds
LATER_TS = datetime(2026, 12, 2, tzinfo=UTC)  # a day of 86,400 seconds later
MADE = {"order_id": "id-1", "fill_count": "0.00", "remaining_count": "3.00", "ts_ms": 1}


async def no_time(_seconds: float) -> None:
    await asyncio.sleep(0)


def a_row(number: int = 1, **changes: object) -> dict[str, Any]:
    return {
        "order_id": f"id-{number}",
        "client_order_id": f"name-{number}",
        "ticker": f"KX-{number}",
        "status": "resting",
        "yes_price_dollars": "0.5600",
        "no_price_dollars": "0.4400",
        "fill_count_fp": "0.00",
        "remaining_count_fp": "3.00",
        "initial_count_fp": "3.00",
        "outcome_side": "yes",
        "book_side": "bid",
        "expiration_time": format_ts(ENDS_TS),
    } | changes


def an_order(number: int = 1, **changes: object) -> Order:
    return msgspec.convert(a_row(number, **changes), Order)


def traded(answer: Callable[[Asked], Reply], act: Callable[[Trading], Awaitable[T]]) -> tuple[T, list[Any]]:
    """Return what one call gave, and the bodies of the changes that it sent."""

    async def story() -> T:
        settings = running.settings(key_id=KEY_ID, private_key=pem("ed25519"), trading="demo")
        async with Client(settings, retry=patient(max_tries=2)) as client:
            return await act(Trading(client, client.trading._session, patience=Patience(sleep=no_time)))  # noqa: SLF001

    with exchange(answer) as running:
        told = asyncio.run(story())
    return told, [json.loads(one.body) for one in running.asked if one.body]


def shown(change: Reply, order: dict[str, Any]) -> Callable[[Asked], Reply]:
    """Return an exchange that answers changes with `change`; its records, a minute ahead, show `order`."""

    def answer(asked: Asked) -> Reply:
        if asked.method != "GET":
            return change
        if asked.path == "/exchange/user_data_timestamp":
            return Reply(body={"as_of_time": format_ts(datetime.now(UTC) + timedelta(minutes=1))})
        return Reply(body={"order": order})

    return answer


def amended(**more: Any) -> Callable[[Trading], Awaitable[Any]]:  # noqa: ANN401  amend's own arguments
    return lambda trading: trading.amend(an_order(), yes_price_cc=5_600, count_centi=300, **more)


@pytest.mark.parametrize(
    ("terms", "sent"),
    [
        ({}, {}),
        ({"expires_ts": ENDS_TS + timedelta(milliseconds=999)}, {"expiration_time": 1_796_083_200}),
        ({"never_expires": True}, {"expiration_time": 0}),
        ({"updated_client_order_id": "new:1"}, {"updated_client_order_id": "new:1"}),
    ],
    ids=str,
)
def test_an_amendment_says_only_what_changes_besides_price_and_size(
    terms: dict[str, Any], sent: dict[str, Any]
) -> None:
    _, (body,) = traded(lambda _: Reply(body=MADE), amended(**terms))
    assert body == {"ticker": "KX-1", "side": "bid", "price": "0.5600", "count": "3.00"} | sent


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"never_expires": True, "expires_ts": ENDS_TS}, "contradict each other"),
        ({"updated_client_order_id": "two words"}, "write 1 to 64 letters"),
        ({"expires_ts": datetime(2026, 12, 1)}, "has no time zone"),  # noqa: DTZ001  that is the point
    ],
    ids=str,
)
def test_terms_that_cannot_be_are_refused_before_they_are_sent(terms: dict[str, Any], words: str) -> None:
    asked = []
    with pytest.raises(RequestError, match=words):
        traded(lambda one: asked.append(one) or Reply(), amended(**terms))  # type: ignore[func-returns-value]
    assert asked == []


@pytest.mark.parametrize(
    ("terms", "changes"),
    [
        ({"expires_ts": LATER_TS}, {"expiration_time": format_ts(LATER_TS)}),
        ({"never_expires": True}, {"expiration_time": None}),
        ({"never_expires": True}, {"expiration_time": ""}),
        ({"updated_client_order_id": "new"}, {"client_order_id": "new"}),
    ],
    ids=str,
)
def test_an_amendment_of_end_or_name_is_done_only_if_the_order_shows_it(
    terms: dict[str, Any], changes: dict[str, Any]
) -> None:
    """Price and size are what they were: they prove nothing."""
    found, bodies = traded(shown(Reply(fault="reset"), a_row(**changes)), amended(**terms))
    assert (found.how, found.order_id, len(bodies)) == ("found", "id-1", 1)
    with pytest.raises(NotDone, match="surely was not changed"):
        traded(shown(Reply(fault="reset"), a_row()), amended(**terms))


def test_an_amendment_whose_answer_has_no_counts_is_looked_at() -> None:
    """Documented as optional, and not there is not zero."""
    answer = shown(Reply(body={"order_id": "id-1", "ts_ms": 1}), a_row())
    found, _ = traded(answer, amended())
    assert (found.how, found.remaining_centi) == ("found", 300)


def test_a_batch_of_cancellations_leads_to_every_shard_and_subaccount() -> None:
    """An order that was read says its market and its subaccount; an id alone has the call's."""
    orders: list[str | Order] = [
        an_order(1, subaccount_number=0),
        an_order(2, subaccount_number=3),
        an_order(3),
        "id-4",
    ]
    told = [{"order_id": f"id-{n}", "reduced_by": "3.00", "ts_ms": 1} for n in (1, 2, 3, 4)]
    items, (body,) = traded(
        lambda _: Reply(body={"orders": told}), lambda trading: trading.cancel_batch(orders, subaccount=7)
    )
    assert body["orders"] == [
        {"order_id": "id-1", "market_ticker": "KX-1", "subaccount": 0},
        {"order_id": "id-2", "market_ticker": "KX-2", "subaccount": 3},
        {"order_id": "id-3", "market_ticker": "KX-3", "subaccount": 7},
        {"order_id": "id-4", "subaccount": 7},
    ]
    assert [(one.order_id, one.reduced_by) for one in items] == [(f"id-{n}", "3.00") for n in (1, 2, 3, 4)]


def test_one_order_twice_in_a_batch_is_refused_however_it_is_said() -> None:
    with pytest.raises(RequestError, match="each once"):
        traded(lambda _: Reply(), lambda trading: trading.cancel_batch([an_order(1), "id-1"]))


def test_a_name_that_is_taken_stays_a_conflict_when_nobody_can_look() -> None:
    """Not Unreachable, which would say that nothing is there and invite to send it again."""

    def answer(asked: Asked) -> Reply:
        return (
            Reply(status=409, body={"code": "order_already_exists"})
            if asked.method == "POST"
            else Reply(status=500)
        )

    with pytest.raises(Conflict, match="look it up instead of sending it again"):
        traded(answer, lambda trading: trading.create(buy_yes("KX-1", count_centi=300, price_cc=5_600)))


def test_a_time_that_is_none_does_not_hide_an_order() -> None:
    def answer(asked: Asked) -> Reply:
        if asked.method == "POST":
            return Reply(fault="reset")
        if asked.path == "/exchange/user_data_timestamp":
            return Reply(body={"as_of_time": "now"})
        return Reply(body={"orders": [a_row(client_order_id="mine", created_time="today")], "cursor": ""})

    order = buy_yes("KX-1", count_centi=300, price_cc=5_600, client_order_id="mine")
    found, _ = traded(answer, lambda trading: trading.create(order))
    assert (found.how, found.order_id) == ("found", "id-1")


def test_an_order_is_found_by_its_name_in_either_tier_and_nothing_is_sent() -> None:
    """Two weeks later it is archived: the live tier shows nothing any more."""
    order = buy_yes("KX-1", count_centi=300, price_cc=5_600, client_order_id="mine")

    def answer(asked: Asked) -> Reply:
        is_archive = asked.path == "/historical/orders"
        rows = [
            a_row(client_order_id="mine", status="executed", fill_count_fp="3.00", remaining_count_fp="0.00")
        ]
        return Reply(body={"orders": rows if is_archive else [], "cursor": ""})

    found, bodies = traded(answer, lambda trading: trading.find(order))
    assert found is not None
    assert (found.how, found.order_id, found.filled_centi, found.remaining_centi) == ("found", "id-1", 300, 0)
    nothing, _ = traded(lambda _: Reply(body={"orders": []}), lambda trading: trading.find(order))
    assert (nothing, bodies) == (None, [])


def test_another_order_of_the_same_name_is_not_the_one_that_is_sought() -> None:
    def answer(_asked: Asked) -> Reply:
        return Reply(body={"orders": [a_row(client_order_id="mine", book_side="ask")], "cursor": ""})

    order = buy_yes("KX-1", count_centi=300, price_cc=5_600, client_order_id="mine")
    assert traded(answer, lambda trading: trading.find(order)) == (None, [])
