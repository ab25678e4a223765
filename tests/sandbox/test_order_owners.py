"""Whose orders are whose: accounts, keys of one account, keys bound to a subaccount, and no floor at all."""

from typing import Any

from sandbox.access import KeyFacts
from tests.sandbox.customers import V2, a_living_world, an_order, trading
from tests.sandbox.places import a_client
from tests.sandbox.test_gate import KEYS, signed


def test_nobody_sees_or_touches_the_orders_of_others() -> None:
    """Bob reads, cancels and amends what is Ann's: 404 each time. A second key of Ann's account may."""
    facts = {"ann": KeyFacts(account="us"), "too": KeyFacts(account="us")}
    with trading(a_living_world()[0], "ann", "too", "bob", facts=facts) as (_, (ann, too, bob)):
        order_id = ann.place("0.30")["order_id"]
        assert bob.refused(404, "GET", f"/portfolio/orders/{order_id}") == "not_found"
        assert bob.refused(404, "DELETE", f"{V2}/{order_id}") == "not_found"
        assert bob.get("/portfolio/orders")["orders"] == []
        assert too.get(f"/portfolio/orders/{order_id}")["order"]["status"] == "resting"
        assert too.ask("DELETE", f"{V2}/{order_id}").status_code == 200


def test_a_key_bound_to_a_subaccount_sees_and_does_nothing_else() -> None:
    """Said nothing it means its own; another one is a 403; the owner's other orders are not there."""
    facts = {"ann": KeyFacts(account="us"), "bound": KeyFacts(account="us", subaccount=2)}
    with trading(a_living_world()[0], "ann", "bound", facts=facts) as (_, (ann, bound)):
        elsewhere = ann.place("0.30")["order_id"]
        assert bound.refused(403, "POST", V2, an_order() | {"subaccount": 0}) == "forbidden"
        mine = bound.place("0.30")["order_id"]
        assert bound.get(f"/portfolio/orders/{mine}")["order"]["subaccount_number"] == 2
        assert bound.refused(404, "GET", f"/portfolio/orders/{elsewhere}") == "not_found"
        assert bound.refused(403, "GET", "/portfolio/fills", subaccount=0) == "forbidden"
        assert [each["order_id"] for each in bound.get("/portfolio/orders")["orders"]] == [mine]
        assert "balance_breakdown" not in bound.get("/portfolio/balance")


def test_a_lake_takes_no_orders() -> None:
    """A source without a floor answers like a market that is closed."""
    world = a_living_world()[0]
    with a_client(Still(world), keys=KEYS) as (client, _):
        headers = signed(method="POST", path=f"/trade-api/v2{V2}")
        answer = client.post(V2, json=an_order(), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (409, "MARKET_INACTIVE")


class Still:
    """A source seen through its reading side alone."""

    def __init__(self, source: Any) -> None:  # noqa: ANN401 - whatever can be read
        self._source = source

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the source holds
        """Hand on everything but the floor."""
        if name == "floor":
            raise AttributeError(name)
        return getattr(self._source, name)
