"""Orders over HTTP: bodies and answers field by field, refusals by code, batches item by item."""

import json
from collections.abc import Iterator

import pytest

from tests.sandbox.customers import FED, V2, Customer, Json, a_living_world, an_order, trading

BATCHED = f"{V2}/batched"


N_CUSTOMERS = 80  # more than there are tests


@pytest.fixture(scope="module")
def customers() -> Iterator[list[Customer]]:
    """Many customers of one world whose clock stands."""
    names = [f"ann-{number}" for number in range(N_CUSTOMERS)]
    with trading(a_living_world()[0], *names) as (_, customers):
        yield customers


@pytest.fixture
def ann(customers: list[Customer]) -> Iterator[Customer]:
    """A customer who has done nothing yet, and leaves no orders behind."""
    ann = customers.pop()
    yield ann
    assert ann.ask("DELETE", V2).status_code == 204


def test_a_resting_order_is_told_field_by_field(ann: Customer) -> None:
    """A bid of 2.5 @ .30, far below the market of .4550 to .4650, as GET tells it."""
    body = an_order("0.30", "2.5") | {"client_order_id": "mine", "cancel_order_on_pause": True}
    answer = ann.ask("POST", V2, body | {"expiration_time": 1_772_323_200})
    assert answer.status_code == 201
    created = answer.json()
    assert created | {"order_id": ""} == {
        "order_id": "",
        "client_order_id": "mine",
        "fill_count": "0.00",
        "remaining_count": "2.50",
        "ts_ms": 1_772_236_800_000,
    }
    told = ann.get(f"/portfolio/orders/{created['order_id']}")["order"]
    assert told == {
        "order_id": created["order_id"],
        "user_id": told["user_id"],
        "client_order_id": "mine",
        "ticker": FED,
        "side": "yes",
        "action": "buy",
        "outcome_side": "yes",
        "book_side": "bid",
        "type": "limit",
        "status": "resting",
        "yes_price_dollars": "0.3000",
        "no_price_dollars": "0.7000",
        "fill_count_fp": "0.00",
        "remaining_count_fp": "2.50",
        "initial_count_fp": "2.50",
        "taker_fill_cost_dollars": "0.000000",
        "maker_fill_cost_dollars": "0.000000",
        "taker_fees_dollars": "0.000000",
        "maker_fees_dollars": "0.000000",
        "expiration_time": "2026-03-01T00:00:00Z",
        "created_time": "2026-02-28T00:00:00Z",
        "last_update_time": "2026-02-28T00:00:00Z",
        "self_trade_prevention_type": "taker_at_cross",
        "order_group_id": "",
        "cancel_order_on_pause": True,
        "subaccount_number": 0,
        "exchange_index": 0,
    }


def test_a_taker_learns_its_average_price_and_fee(ann: Customer) -> None:
    """5 @ .4650 in whole cents: 2.325 + .0871 rounds up to 2.42: fee .095, which is .019 a contract."""
    created = ann.place("0.60", "5")
    assert (created["fill_count"], created["remaining_count"]) == ("5.00", "0.00")
    assert (created["average_fill_price"], created["average_fee_paid"]) == ("0.465000", "0.019000")
    order = ann.get(f"/portfolio/orders/{created['order_id']}")["order"]
    assert (order["status"], order["taker_fill_cost_dollars"]) == ("executed", "2.325000")
    assert order["taker_fees_dollars"] == "0.095000"


def test_an_ask_is_a_bid_for_the_other_outcome(ann: Customer) -> None:
    """Asking .4550, the best bid: NO at .5450, told with both words for its direction."""
    created = ann.place("0.4550", "1", side="ask")
    assert created["average_fill_price"] == "0.455000"
    order = ann.get(f"/portfolio/orders/{created['order_id']}")["order"]
    assert (order["outcome_side"], order["book_side"], order["side"]) == ("no", "ask", "no")
    assert (order["yes_price_dollars"], order["no_price_dollars"]) == ("0.4550", "0.5450")
    assert order["taker_fill_cost_dollars"] == "0.545000"


def test_an_order_is_seen_in_the_public_book_and_on_the_tape(ann: Customer) -> None:
    """A new best bid of .46 appears; what it trades is the newest print, with the id of the fill."""
    ann.place("0.4600", "7")
    book = ann.http.get(f"/markets/{FED}/orderbook").json()["orderbook_fp"]
    assert book["yes_dollars"][-1] == ["0.4600", "7.00"]
    ann.place("0.4650", "1")
    trade = ann.http.get("/markets/trades", params={"ticker": FED, "limit": 1}).json()["trades"][0]
    fill = ann.get("/portfolio/fills")["fills"][0]
    assert trade["trade_id"] == fill["fill_id"] == fill["trade_id"]
    assert (trade["count_fp"], trade["yes_price_dollars"], trade["taker_side"]) == ("1.00", "0.4650", "yes")


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"side": "yes"}, "invalid_parameters"),
        ({"side": None}, "invalid_parameters"),
        ({"ticker": ""}, "invalid_parameters"),
        ({"ticker": 7}, "invalid_parameters"),
        ({"count": "0"}, "invalid_order_size"),
        ({"count": "0.001"}, "invalid_order_size"),
        ({"count": "-1"}, "invalid_order_size"),
        ({"count": "1e3"}, "invalid_order_size"),
        ({"count": "9" * 200}, "invalid_order_size"),
        ({"count": 10}, "invalid_parameters"),
        ({"count": "٣"}, "invalid_order_size"),
        ({"price": "0"}, "invalid_price"),
        ({"price": "1.00"}, "invalid_price"),
        ({"price": "0.4501"}, "invalid_price"),
        ({"price": "0.45001"}, "invalid_price"),
        ({"price": "NaN"}, "invalid_price"),
        ({"time_in_force": "GTT"}, "invalid_parameters"),
        ({"time_in_force": None}, "invalid_parameters"),
        ({"self_trade_prevention_type": None}, "invalid_parameters"),
        ({"post_only": "yes"}, "invalid_parameters"),
        ({"post_only": True, "time_in_force": "fill_or_kill"}, "invalid_parameters"),
        ({"expiration_time": 1.5}, "invalid_parameters"),
        ({"expiration_time": 1_772_236_800}, "expired"),
        ({"expiration_time": 1 << 60}, "invalid_parameters"),
        ({"expiration_time": 1_900_000_000, "time_in_force": "immediate_or_cancel"}, "invalid_parameters"),
        ({"reduce_only": True}, "invalid_parameters"),
        ({"subaccount": 64}, "invalid_parameters"),
        ({"subaccount": True}, "invalid_parameters"),
        ({"order_group_id": "g"}, "invalid_parameters"),
        ({"client_order_id": "x" * 257}, "invalid_parameters"),
        ({"client_order_id": "\ud800"}, "invalid_parameters"),
        ({"count": "30000"}, "available_balance_too_low"),
    ],
)
def test_an_order_nobody_could_place_is_a_400(ann: Customer, more: Json, code: str) -> None:
    """Every field is checked by type, word, range and grid; nothing is written down."""
    assert ann.refused(400, "POST", V2, an_order("0.40") | more) == code
    assert ann.get("/portfolio/orders")["orders"] == []


def test_markets_that_do_not_exist_or_trade_are_told_apart(ann: Customer) -> None:
    """Unknown: 404. On another shard: 404. Settled: 409 MARKET_INACTIVE."""
    assert ann.refused(404, "POST", V2, an_order() | {"ticker": "NOPE"}) == "not_found"
    assert ann.refused(404, "POST", V2, an_order() | {"exchange_index": 3}) == "not_found"
    assert ann.place("0.30", exchange_index=-1)["remaining_count"] == "1.00"
    settled = ann.http.get("/markets", params={"status": "settled", "limit": 1}).json()["markets"][0]
    wanted = an_order() | {"ticker": settled["ticker"], "price": "0.50"}
    assert ann.refused(409, "POST", V2, wanted) == "MARKET_INACTIVE"


def test_a_client_order_id_is_taken_once(ann: Customer) -> None:
    """Sent again it is a 409, also after the order ended; the first one can be found and is not doubled."""
    first = ann.place("0.30", client_order_id="once")
    assert ann.refused(409, "POST", V2, an_order() | {"client_order_id": "once"}) == "order_already_exists"
    assert ann.ask("DELETE", f"{V2}/{first['order_id']}").status_code == 200
    assert ann.refused(409, "POST", V2, an_order() | {"client_order_id": "once"}) == "order_already_exists"
    assert [each["order_id"] for each in ann.get("/portfolio/orders")["orders"]] == [first["order_id"]]


def test_an_order_is_amended_decreased_and_cancelled(ann: Customer) -> None:
    """10 @ .30, to 8 @ .31 with a new name, less 3, to 2, cancelled: 2.00 come out."""
    order_id = ann.place("0.30", "10")["order_id"]
    body = {"ticker": FED, "side": "bid", "price": "0.31", "count": "8", "updated_client_order_id": "new"}
    amended = ann.ask("POST", f"{V2}/{order_id}/amend", body).json()
    assert amended | {"ts_ms": 0} == {
        "order_id": order_id,
        "client_order_id": "new",
        "fill_count": "0.00",
        "remaining_count": "8.00",
        "ts_ms": 0,
    }
    path = f"{V2}/{order_id}/decrease"
    assert ann.ask("POST", path, {"reduce_by": "3"}).json()["remaining_count"] == "5.00"
    assert ann.ask("POST", path, {"reduce_to": "2.0"}).json()["remaining_count"] == "2.00"
    assert ann.refused(400, "POST", path, {}) == "invalid_parameters"
    assert ann.refused(400, "POST", path, {"reduce_by": "1", "reduce_to": "1"}) == "invalid_parameters"
    canceled = ann.ask("DELETE", f"{V2}/{order_id}").json()
    assert canceled | {"ts_ms": 0} == {
        "order_id": order_id,
        "client_order_id": "new",
        "reduced_by": "2.00",
        "ts_ms": 0,
    }
    assert ann.refused(404, "DELETE", f"{V2}/{order_id}") == "not_found"
    assert ann.refused(404, "POST", path, {"reduce_to": "0"}) == "not_found"
    assert ann.refused(404, "DELETE", f"{V2}/nobody") == "not_found"


def test_routing_a_cancel_needs_the_market(ann: Customer) -> None:
    """exchange_index -1 without market_ticker: 400. With it: found. Another shard: 404."""
    path = f"{V2}/{ann.place('0.30')['order_id']}"
    assert ann.refused(400, "DELETE", path, exchange_index=-1) == "invalid_parameters"
    assert ann.refused(404, "DELETE", path, exchange_index=2) == "not_found"
    assert ann.refused(404, "DELETE", path, subaccount=3) == "not_found"
    assert ann.ask("DELETE", path, exchange_index=-1, market_ticker=FED).status_code == 200


def test_a_batch_tells_the_outcome_of_each_order(ann: Customer) -> None:
    """Good, unaffordable, malformed, duplicate, no object, good, half a letter: each in its place."""
    orders: list[object] = [
        an_order("0.30") | {"client_order_id": "a"},
        an_order("0.30", "99999") | {"client_order_id": "b"},
        an_order("0.30") | {"side": "up", "client_order_id": "c"},
        an_order("0.30") | {"client_order_id": "a"},
        7,
        an_order("0.31"),
        an_order("0.31") | {"client_order_id": "\udfff"},
    ]
    answer = ann.ask("POST", BATCHED, {"orders": orders})
    assert answer.status_code == 201
    told = answer.json()["orders"]
    assert [each.get("error", {}).get("code") for each in told] == [
        None,
        "available_balance_too_low",
        "invalid_parameters",
        "order_already_exists",
        "invalid_parameters",
        None,
        "invalid_parameters",
    ]
    assert [each.get("client_order_id") for each in told[:4]] == ["a", "b", "c", "a"]
    assert all("ts_ms" not in each and "order_id" not in each for each in told if "error" in each)
    assert len(ann.get("/portfolio/orders")["orders"]) == 2


def test_a_batch_of_cancels_tells_the_outcome_of_each(ann: Customer) -> None:
    """One that rests, one that never was: 1.00 and an error with 0.00."""
    order_id = ann.place("0.30")["order_id"]
    answer = ann.ask("DELETE", BATCHED, {"orders": [{"order_id": order_id}, {"order_id": "nobody"}, {}]})
    assert answer.status_code == 200
    first, second, third = answer.json()["orders"]
    assert (first["order_id"], first["reduced_by"], "error" in first) == (order_id, "1.00", False)
    assert (second["order_id"], second["reduced_by"], second["error"]["code"]) == (
        "nobody",
        "0.00",
        "not_found",
    )
    assert (third["order_id"], third["error"]["code"]) == ("", "invalid_parameters")


def test_cancel_all_answers_204_and_takes_one_subaccount_or_all(ann: Customer) -> None:
    """Nothing in the body; what rests elsewhere stays until it is meant too."""
    ann.place("0.30")
    ann.place("0.30", subaccount=4)
    answer = ann.ask("DELETE", V2, subaccount=4)
    assert (answer.status_code, answer.content) == (204, b"")
    assert [
        each["subaccount_number"] for each in ann.get("/portfolio/orders", status="resting")["orders"]
    ] == [0]
    assert ann.ask("DELETE", V2).status_code == 204
    assert ann.get("/portfolio/orders", status="resting")["orders"] == []


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b"\xff", b'{"orders": []}', b'{"orders": {}}', b"[" * 100_000, b'"\\ud800"', b"NaN"],
)
def test_bodies_that_are_no_orders_are_400(ann: Customer, body: bytes) -> None:
    """Empty, not JSON, not an object, no list, nested a hundred thousand deep."""
    assert ann.refused(400, "POST", BATCHED, body) == "invalid_parameters"
    assert ann.refused(400, "DELETE", BATCHED, body) == "invalid_parameters"
    assert ann.refused(400, "POST", V2, body) == "invalid_parameters"


def test_a_body_of_megabytes_is_413(ann: Customer) -> None:
    """On the single route and on the batch, where the gate reads it already."""
    body = json.dumps({"orders": [], "more": "x" * 1_100_000}).encode()
    assert ann.refused(413, "POST", V2, body) == "request_too_large"
    assert ann.refused(413, "POST", BATCHED, body) == "request_too_large"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/portfolio/orders"),
        ("POST", "/portfolio/orders/batched"),
        ("DELETE", "/portfolio/orders/batched"),
        ("DELETE", "/portfolio/orders/x"),
        ("POST", "/portfolio/orders/x/amend"),
        ("POST", "/portfolio/orders/x/decrease"),
    ],
)
def test_the_first_version_is_gone_and_says_so(ann: Customer, method: str, path: str) -> None:
    """410, and where to go."""
    answer = ann.ask(method, path, {})
    assert answer.status_code == 410
    assert answer.json()["code"] == "deprecated_v1_order_endpoint"
    assert answer.json()["message"] == "Please switch to the V2 endpoints"


def test_queue_positions_of_one_and_of_many(ann: Customer) -> None:
    """The second of two own orders at one price waits for one contract more; filters leave others out."""
    first, second = (ann.place("0.30")["order_id"] for _ in range(2))
    ahead = [
        float(ann.get(f"/portfolio/orders/{each}/queue_position")["queue_position_fp"])
        for each in (first, second)
    ]
    assert ahead[1] - ahead[0] == 1.0
    told = ann.get("/portfolio/orders/queue_positions")["queue_positions"]
    assert [(each["order_id"], each["market_ticker"]) for each in told] == [(first, FED), (second, FED)]
    assert [float(each["queue_position_fp"]) for each in told] == ahead
    for more in ({"market_tickers": "OTHER"}, {"event_ticker": "OTHER"}, {"subaccount": 1}):
        assert ann.get("/portfolio/orders/queue_positions", **more) == {"queue_positions": []}
    assert (
        len(ann.get("/portfolio/orders/queue_positions", market_tickers=f"X,{FED}")["queue_positions"]) == 2
    )
    ann.ask("DELETE", V2)
    assert ann.refused(404, "GET", f"/portfolio/orders/{first}/queue_position") == "not_found"
