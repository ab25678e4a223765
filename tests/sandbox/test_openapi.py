"""The sandbox's own OpenAPI document says what the sandbox does: its routes, and every answer it gives."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from starlette.routing import Mount, Route

from sandbox.app import create_app
from sandbox.openapi import document
from sandbox.openapi_notation import record, shape
from tests.sandbox.customers import FED, V2, Customer, a_living_world, an_order, trading
from tests.sandbox.documented import is_valid, judged, operations
from tests.sandbox.places import Json, a_world, fill_no_more, first_settled

Ask = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def customer() -> Iterator[Customer]:
    """Somebody with a key, on the finished world."""
    with trading(a_world(), "main") as (_, customers):
        yield customers[0]


def test_every_route_is_documented_and_every_documented_route_exists() -> None:
    """HEAD comes with every GET and is not listed."""
    app = create_app(a_world())
    routes = [route for mount in app.routes if isinstance(mount, Mount) for route in mount.routes]
    served = {
        (method, route.path)
        for route in routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert served == set(operations())


def test_the_document_is_served_and_every_reference_in_it_is_defined(customer: Customer) -> None:
    served = customer.http.get("/openapi.json").json()
    assert served == document()
    names = set(served["components"]["schemas"])
    assert set(_references(served)) == names, "what is referred to is defined, what is defined is referred to"
    assert is_valid({"components": served["components"]}, {})


def _references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"].removeprefix("#/components/schemas/")
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)


def reads() -> dict[str, list[dict[str, Any]]]:
    """Return what to ask of every read that needs no order: parameters by path."""
    world = a_world()
    crypto = next(each for each in world.events() if each.category == "Crypto")
    game = next(each for each in reversed(world.events()) if each.category == "Sports")
    end_s = round(world.now_ts.timestamp())
    window: dict[str, Any] = {"start_ts": end_s - 7_200, "end_ts": end_s, "period_interval": 60}
    long_ago = {"start_ts": end_s - 10 * 86_400, "end_ts": end_s, "period_interval": 1_440}
    old = first_settled()
    nested = {"with_nested_markets": "true", "limit": 50}
    plain: list[dict[str, Any]] = [{}]
    return {
        "/exchange/status": plain, "/exchange/schedule": plain, "/exchange/user_data_timestamp": plain,
        "/account/endpoint_costs": plain, "/account/limits": plain, "/api_keys": plain,
        "/account/api_usage_level/volume_progress": plain, "/openapi.json": plain,
        "/series": [{}, {"include_volume": "true"}], "/series/fee_changes": [{"show_historical": "true"}],
        "/series/KXSIMFED": plain,
        "/events": [{}, nested, {"with_milestones": "true"}], "/events/fee_changes": plain,
        f"/events/{game.ticker}": [{}, nested], f"/events/{game.ticker}/metadata": plain,
        "/markets": [{"limit": 1_000}, {"status": "settled"}], "/markets/trades": [{"limit": 1_000}],
        "/markets/orderbooks": [{"tickers": FED}], f"/markets/{FED}": plain,
        f"/markets/{FED}/orderbook": [{}, {"depth": 1}],
        "/markets/candlesticks": [{"market_tickers": FED} | window],
        f"/series/KXSIMFED/markets/{FED}/candlesticks": [window | {"include_latest_before_start": "true"}],
        "/series/KXSIMFED/events/KXSIMFED-MAR/candlesticks": [window],
        "/historical/cutoff": plain, "/historical/markets": [{"limit": 1_000}],
        "/historical/trades": [{"limit": 1_000}], f"/historical/markets/{old}": plain,
        f"/historical/markets/{old}/candlesticks": [long_ago],
        "/milestones": [{"limit": 500}], "/structured_targets": plain, "/incentive_programs": plain,
        "/multivariate_event_collections": plain, "/multivariate_event_collections/KXMVESIMCROSS-R": plain,
        "/search/tags_by_categories": plain, "/search/filters_by_sport": plain,
        f"/live_data/events/{crypto.ticker}": plain, f"/live_data/events/{game.ticker}": plain,
        "/live_data/weather/miami": [{}, {"detailed": "true", "last_sec": 7_200}],
        "/live_data/weather/miami/calibrations": plain,
        "/series/KXSIMCPI/events/KXSIMCPI-JAN/forecast_percentile_history": [window | {"percentiles": 5_000}],
        "/portfolio/summary/total_resting_order_value": plain,
    }  # fmt: skip


def live_reads(customer: Customer) -> dict[str, list[dict[str, Any]]]:
    """Return what to ask about the things that a first answer names."""
    milestone = customer.http.get("/milestones?limit=1&category=Sports").json()["milestones"][0]["id"]
    target = customer.http.get("/structured_targets").json()["structured_targets"][0]["id"]
    return {
        f"/milestones/{milestone}": [{}],
        f"/structured_targets/{target}": [{}],
        "/live_data/batch": [{"milestone_ids": milestone}],
        f"/live_data/milestone/{milestone}": [{}],
        f"/live_data/milestone/{milestone}/game_stats": [{}],
        f"/live_data/basketball_game/milestone/{milestone}": [{}],
    }


def a_trader_s_days(customer: Customer, move: Callable[[timedelta], None]) -> Iterator[httpx.Response]:
    """Trade, look at everything there is to look at, and come back when it is settled and archived."""
    ask = customer.ask
    for path in ("/events/multivariate", "/markets"):
        yield ask("GET", path, limit=200, with_nested_markets="true")
    yield ask("POST", V2, an_order("0.9900", "3.00"))
    yield ask("POST", V2, an_order("0.9900", "1.00"))  # paid at once
    resting = ask("POST", V2, an_order("0.0500", "5.00"))
    yield resting
    order_id = resting.json()["order_id"]
    yield ask("GET", f"/portfolio/orders/{order_id}")
    yield ask("GET", f"/portfolio/orders/{order_id}/queue_position")
    yield ask("GET", "/portfolio/orders/queue_positions")
    yield ask("POST", f"{V2}/{order_id}/decrease", {"reduce_by": "1.00"})
    terms = {"ticker": FED, "side": "bid", "price": "0.0550", "count": "4.00"}
    yield ask("POST", f"{V2}/{order_id}/amend", terms)
    for path in (
        "balance",
        "orders",
        "fills",
        "positions",
        "settlements",
        "summary/total_resting_order_value",
    ):
        yield ask("GET", f"/portfolio/{path}")
    yield ask("DELETE", f"{V2}/{order_id}")
    batch = ask("POST", f"{V2}/batched", {"orders": [an_order("0.0600"), an_order("0.0601")]})
    yield batch
    placed = batch.json()["orders"][0]["order_id"]
    yield ask("DELETE", f"{V2}/batched", {"orders": [{"order_id": placed}, {"order_id": "unknown"}]})
    yield ask("DELETE", V2)
    yield ask("POST", "/account/api_usage_level/upgrade")
    for method, path in (
        ("POST", ""), ("POST", "/batched"), ("DELETE", "/batched"),
        ("DELETE", "/x"), ("POST", "/x/amend"), ("POST", "/x/decrease"),
    ):  # fmt: skip
        yield ask(method, f"/portfolio/orders{path}", {})
    move(timedelta(days=1))
    for path in ("orders", "fills", "positions"):
        yield ask("GET", f"/historical/{path}")


def test_everything_the_sandbox_answers_is_documented_to_the_last_field(customer: Customer) -> None:
    """Every operation succeeds at least once, and each answer is valid; schemas allow no other fields."""
    met: set[tuple[str, str]] = set()
    for path, asked in (reads() | live_reads(customer)).items():
        for parameters in asked:
            answer = customer.ask("GET", path, **parameters)
            assert answer.status_code == 200, (path, answer.text)
            met.add(judged(answer))
    world, clock = a_living_world(combos=30)
    with trading(world, "trader") as (_, traders):
        for answer in a_trader_s_days(traders[0], clock.advance):
            assert answer.is_success or answer.status_code == 410, (str(answer.request.url), answer.text)
            met.add(judged(answer))
    assert set(operations()) - met == set()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/markets?limit=1001", None),
        ("GET", "/markets/nothing", None),
        ("GET", "/milestones", None),
        ("POST", V2, {}),
        ("POST", V2, an_order() | {"ticker": "nothing"}),
        ("POST", V2, b"[" * 100_000),
        ("POST", V2, b"x" * 2_000_000),
        ("DELETE", f"{V2}/nothing", None),
    ],
)
def test_refusals_are_documented_too(customer: Customer, method: str, path: str, body: object) -> None:
    """The query goes into the address as it stands: signatures do not cover it."""
    path, _, query = path.partition("?")
    parameters = dict(each.split("=") for each in query.split("&")) if query else {}
    answer = customer.ask(method, path, body, **parameters)
    assert not answer.is_success
    judged(answer)


def test_whoever_may_not_or_is_too_many_gets_a_documented_answer() -> None:
    """401 without a signature on any signed operation; 429 from an empty bucket."""
    with trading(a_world(), "main", tier="basic") as (server, customers):
        fill_no_more(server)
        http = customers[0].http
        assert judged(http.get("/portfolio/balance")) == ("GET", "/portfolio/balance")
        answers = [http.get("/exchange/status") for _ in range(61)]
        assert {each.status_code for each in answers} == {200, 429}
        for each in answers:
            judged(each)


def test_the_short_hand_means_what_it_says() -> None:
    """Worked by hand: optional and nullable are different things, and nothing else is allowed."""
    assert record("a int; b? dollars|null; c X[]") == {
        "type": "object",
        "properties": {
            "a": {"type": "integer"},
            "b": {"anyOf": [{"type": "string", "pattern": r"^-?\d+\.\d{2,6}$"}, {"type": "null"}]},
            "c": {"type": "array", "items": {"$ref": "#/components/schemas/X"}},
        },
        "required": ["a", "c"],
        "additionalProperties": False,
    }
    assert shape("int(1..5)") == {"type": "integer", "minimum": 1, "maximum": 5}
    assert shape("=yes,no,") == {"type": "string", "enum": ["yes", "no", ""]}
    assert shape("str[]{}") == {
        "type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}},
    }  # fmt: skip
    told: Json = record("a int")
    assert is_valid(told, {"a": 1})
    assert not is_valid(told, {"a": 1, "b": 2})
