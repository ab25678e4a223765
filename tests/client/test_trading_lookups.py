"""Which order is ours, and which outcome is whose: replays, records that cannot be read, and batches."""

import json
from collections.abc import Callable

import pytest

from pipelines.client import Conflict, NotPlaced, UnknownOutcome
from pipelines.client.trading import NewOrder, buy_yes
from tests.client.loopback import Asked, Reply
from tests.client.order_desk import LOST, an_order, traded


@pytest.mark.parametrize(
    ("more", "is_found"),
    [({}, True), ({"yes_price_dollars": "0.3100"}, False), ({"book_side": "ask"}, False)],
)
def test_only_an_order_with_our_terms_is_taken_for_ours(more: dict[str, str], is_found: bool) -> None:  # noqa: FBT001
    """The archive has an order of this name: ours if its terms are, else the name is taken."""

    def answer(asked: Asked) -> Reply:
        if asked.method == "POST":
            return Reply(status=409, body={"error": {"code": "order_already_exists", "message": "no"}})
        rows = [an_order(**more)] if asked.path == "/historical/orders" else []
        return Reply(body={"orders": rows, "cursor": ""})

    order = buy_yes("KX-1", count_centi=1_000, price_cc=3_000, client_order_id="mine")
    if is_found:
        outcome = traded(answer, lambda _client, trading: trading.create(order))
        assert (outcome.how, outcome.order_id, outcome.remaining_centi) == ("found", "id-1", 1_000)
    else:
        with pytest.raises(Conflict, match="order_already_exists"):
            traded(answer, lambda _client, trading: trading.create(order))


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_an_order_that_cannot_be_looked_up_stays_unknown(status: int) -> None:
    """A key that may not read, or records that are down, do not say that nothing was placed."""

    def answer(asked: Asked) -> Reply:
        return LOST if asked.method == "POST" else Reply(status=status, body={"code": "no"})

    with pytest.raises(UnknownOutcome, match="may still appear"):
        traded(answer, lambda _client, trading: trading.create(buy_yes("KX-1", count_centi=1, price_cc=1)))


@pytest.mark.parametrize(
    ("as_of", "is_certain"),
    [("2099-01-01T00:00:00.123456789Z", True), ("2099-01-01T00:00:00", False), ("soon", False)],
)
def test_how_current_the_records_are_is_read_with_care(as_of: str, is_certain: bool) -> None:  # noqa: FBT001
    """Nanoseconds are fine; without a zone, or no time at all, it proves nothing."""

    def answer(asked: Asked) -> Reply:
        if asked.method == "POST":
            return LOST
        is_time = asked.path == "/exchange/user_data_timestamp"
        return Reply(body={"as_of_time": as_of} if is_time else {"orders": [], "cursor": ""})

    with pytest.raises(NotPlaced if is_certain else UnknownOutcome):
        traded(answer, lambda _client, trading: trading.create(buy_yes("KX-1", count_centi=1, price_cc=1)))


def three() -> list[NewOrder]:
    return [buy_yes("KX-1", count_centi=1_000, price_cc=3_000, client_order_id=each) for each in "abc"]


def test_each_order_of_a_batch_has_the_outcome_that_is_its_own() -> None:
    """The answer tells of b and, by name, of c; nobody said anything of a, but the records have it."""

    def answer(asked: Asked) -> Reply:
        if asked.method == "POST":
            refused = {"client_order_id": "c", "error": {"code": "MARKET_INACTIVE", "message": "closed"}}
            made = {
                "client_order_id": "b",
                "order_id": "id-b",
                "fill_count": "1.00",
                "remaining_count": "9.00",
            }
            return Reply(status=201, body={"orders": [made, refused]})
        if asked.path == "/exchange/user_data_timestamp":
            return Reply(body={"as_of_time": "2099-01-01T00:00:00Z"})
        return Reply(body={"orders": [an_order(client_order_id="a", order_id="id-a")], "cursor": ""})

    a, b, c = traded(answer, lambda _client, trading: trading.create_batch(three()))
    assert (a.how, a.order_id, a.remaining_centi) == ("found", "id-a", 1_000)
    assert (b.how, b.order_id, b.filled_centi, b.remaining_centi) == ("answered", "id-b", 100, 900)
    assert (c.how, c.is_placed, c.error and c.error.code) == ("refused", False, "MARKET_INACTIVE")


def test_an_item_without_a_name_is_that_of_its_place_only_if_all_are_there() -> None:
    def saying(n: int) -> Callable[[Asked], Reply]:
        nameless = {"error": {"code": "invalid_price", "message": "off the grid"}}
        return lambda asked: (
            Reply(status=201, body={"orders": [nameless] * n})
            if asked.method == "POST"
            else Reply(status=500)
        )

    for n_items, hows in ((3, ["refused"] * 3), (2, ["unknown"] * 3)):
        told = traded(saying(n_items), lambda _client, trading: trading.create_batch(three()))
        assert [each.how for each in told] == hows


def test_a_lost_batch_of_cancellations_is_told_order_by_order() -> None:
    """id-1 is over, id-2 still rests in records of later, id-3 nobody can see."""

    def answer(asked: Asked) -> Reply:
        if asked.method == "DELETE":
            assert json.loads(asked.body) == {"orders": [{"order_id": f"id-{n}"} for n in (1, 2, 3)]}
            return LOST
        if asked.path == "/exchange/user_data_timestamp":
            return Reply(body={"as_of_time": "2099-01-01T00:00:00Z"})
        rows = {
            "/portfolio/orders/id-1": an_order(status="canceled", remaining_count_fp="0.00"),
            "/portfolio/orders/id-2": an_order(order_id="id-2"),
        }
        row = rows.get(asked.path)
        return Reply(status=404, body={"code": "not_found"}) if row is None else Reply(body={"order": row})

    over, rests, unseen = traded(
        answer, lambda _client, trading: trading.cancel_batch(["id-1", "id-2", "id-3"])
    )
    assert (over.order_id, over.remaining_count, over.reduced_by, over.error) == ("id-1", "0.00", None, None)
    assert (rests.order_id, rests.error and rests.error.code) == ("id-2", "not_done")
    assert (unseen.order_id, unseen.error and unseen.error.code) == ("id-3", "unknown")
