"""Customers of a served sandbox: clients that sign what they send, with keys made for the test."""

import json
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sandbox.access import KeyFacts
from sandbox.clock import Stepped
from sandbox.gate import PREFIX
from sandbox.serve import Running
from sandbox.world import World
from tests.sandbox.places import a_client, a_copied_world

Json = dict[str, Any]
V2: Final = "/portfolio/events/orders"
FED: Final = "KXSIMFED-MAR-H0"  # open for weeks, half-cent grid; two days before the end .4550 to .4650


class Customer:
    """Somebody with a key."""

    def __init__(self, key_id: str) -> None:
        self.key_id = key_id
        self._key = Ed25519PrivateKey.generate()
        self.public_key = self._key.public_key()
        self.http: httpx.Client

    def ask(self, method: str, path: str, body: object = None, **params: str | int) -> httpx.Response:
        """Send a signed request below the API's root; bytes go as they are, anything else as JSON."""
        stamp = str(time.time_ns() // 1_000_000)
        signature = self._key.sign(f"{stamp}{method}{PREFIX}{path}".encode())
        headers = {
            "KALSHI-ACCESS-KEY": self.key_id,
            "KALSHI-ACCESS-TIMESTAMP": stamp,
            "KALSHI-ACCESS-SIGNATURE": b64encode(signature).decode(),
            "Content-Type": "application/json",
        }
        content = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        return self.http.request(method, path, content=content, headers=headers, params=params)

    def get(self, path: str, **params: str | int) -> Json:
        """Return what a signed read answers."""
        answer = self.ask("GET", path, **params)
        assert answer.status_code == 200, answer.text
        told: Json = answer.json()
        return told

    def place(self, price: str, count: str = "1.00", **more: object) -> Json:
        """Return the answer to an order that must be accepted."""
        answer = self.ask("POST", V2, an_order(price, count) | more)
        assert answer.status_code == 201, answer.text
        told: Json = answer.json()
        return told

    def refused(
        self, status: int, method: str, path: str, body: object = None, /, **params: str | int
    ) -> str:
        """Return the code of a request that must be refused."""
        answer = self.ask(method, path, body, **params)
        assert answer.status_code == status, answer.text
        told: Json = answer.json()
        assert told["message"]
        code: str = told["code"]
        return code


def an_order(price: str = "0.3000", count: str = "1.00") -> Json:
    """Return the body of a bid that stays until it is cancelled."""
    return {
        "ticker": FED,
        "side": "bid",
        "price": price,
        "count": count,
        "time_in_force": "good_till_canceled",
        "self_trade_prevention_type": "taker_at_cross",
    }


def a_living_world(*, before: timedelta = timedelta(days=2), **more: Any) -> tuple[World, Stepped]:  # noqa: ANN401
    """Return a small world whose clock stands some time before its end and moves when a test says so."""
    return a_copied_world(before=before, activity=0.05, **more)


@contextmanager
def trading(
    world: World, *names: str, facts: Mapping[str, KeyFacts] | None = None, tier: str = "prestige"
) -> Iterator[tuple[Running, list[Customer]]]:
    """Serve a world and hand out customers, one key each."""
    customers = [Customer(name) for name in names]
    keys = {each.key_id: each.public_key for each in customers}
    with a_client(world, tier=tier, keys=keys, key_facts=facts) as (client, server):
        for each in customers:
            each.http = client
        yield server, customers
