"""What keys may do, seen from outside: scopes, shared accounts, revocation, budgets for reads and writes."""

import asyncio
import json

import httpx
import pytest

from sandbox.access import Access, KeyFacts
from sandbox.app import create_app
from sandbox.bucket import COSTS, Allowance, Buckets, Budgets, Prices
from sandbox.errors import BadKey, BadWorld
from tests.sandbox.places import a_client, a_world, fill_no_more
from tests.sandbox.test_gate import EDWARDS, KEYS, RSA, signed

ROOT = "/trade-api/v2"
BATCHED = f"{ROOT}/portfolio/events/orders/batched"


def test_a_revoked_key_is_a_401_from_one_request_to_the_next() -> None:
    """The answer is that of an unknown key; other keys go on."""
    with a_client(keys=KEYS) as (client, server):
        assert client.get("/portfolio/balance", headers=signed()).status_code == 200
        server.state.access.revoke("rsa-key")
        answer = client.get("/portfolio/balance", headers=signed())
        assert answer.status_code == 401
        assert answer.json() == {"code": "authentication_error", "message": "authentication failed"}
        other = signed(EDWARDS, key_id="ed-key")
        assert client.get("/portfolio/balance", headers=other).status_code == 200


def test_a_key_that_may_only_read_cannot_write() -> None:
    """Reading orders: 200. Cancelling them all: 403, by code and not by chance."""
    facts = {"rsa-key": KeyFacts(scopes=("read",))}
    with a_client(keys=KEYS, key_facts=facts) as (client, _):
        assert client.get("/portfolio/balance", headers=signed()).status_code == 200
        path = f"{ROOT}/portfolio/events/orders"
        answer = client.delete("/portfolio/events/orders", headers=signed(method="DELETE", path=path))
        assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")


@pytest.mark.parametrize(
    ("scopes", "method", "path", "may"),
    [
        (("read",), "GET", "/portfolio/orders", True),
        (("read",), "POST", "/portfolio/events/orders", False),
        (("read", "write"), "POST", "/account/api_usage_level/upgrade", True),
        (("write::trade",), "POST", "/portfolio/events/orders", True),
        (("write::trade",), "DELETE", "/portfolio/events/orders/x", True),
        (("write::trade",), "GET", "/portfolio/orders", False),
        (("write::trade",), "POST", "/account/api_usage_level/upgrade", False),
        (("read::portfolio_balance",), "GET", "/portfolio/balance", True),
        (("read::portfolio_balance",), "GET", "/portfolio/fills", False),
    ],
)
def test_scopes_open_what_their_name_says(
    scopes: tuple[str, ...], method: str, path: str, *, may: bool
) -> None:
    """Parents open everything of their kind, children one thing each."""
    assert Access(["k"], {"k": KeyFacts(scopes=scopes)}).may("k", method, path) is may


def test_facts_that_cannot_be_are_refused_at_the_start() -> None:
    """Unknown scopes, writing without reading, a 65th subaccount, facts about no key."""
    with pytest.raises(BadKey, match="must be one of read, write"):
        KeyFacts(scopes=("all",))
    with pytest.raises(BadKey, match="only granted together with 'read'"):
        KeyFacts(scopes=("write",))
    with pytest.raises(BadKey, match="subaccount 64"):
        KeyFacts(subaccount=64)
    with pytest.raises(BadKey, match="facts about k2"):
        Access(["k1"], {"k2": KeyFacts()})


def test_keys_of_one_account_share_its_buckets() -> None:
    """Basic reads 600 tokens in a burst: 60 requests by one key leave nothing for the other."""
    facts = {"rsa-key": KeyFacts(account="us"), "ed-key": KeyFacts(account="us")}
    with a_client(tier="basic", keys=KEYS, key_facts=facts) as (client, server):
        fill_no_more(server, "us")
        path = f"{ROOT}/exchange/status"
        ours, theirs = signed(path=path), signed(EDWARDS, key_id="ed-key", path=path)
        asked = [client.get("/exchange/status", headers=ours).status_code for _ in range(61)]
        assert asked == [200] * 60 + [429]
        assert client.get("/exchange/status", headers=theirs).status_code == 429


def test_reads_and_writes_are_counted_apart() -> None:
    """Basic writes 100 tokens: ten creates empty that bucket and leave the 600 for reading alone."""
    now_s = 0.0
    budgets = Budgets("basic", lambda: now_s)
    assert sum(budgets.of("POST").spend("k", 10) for _ in range(20)) == 10
    assert sum(budgets.of("GET").spend("k", 10) for _ in range(100)) == 60
    now_s = 0.2
    assert budgets.of("DELETE").spend("k", 20)
    assert not budgets.of("DELETE").spend("k", 2)


@pytest.mark.parametrize(
    ("method", "n_orders", "n_fit"), [("POST", 11, 0), ("POST", 10, 1), ("DELETE", 50, 1), ("DELETE", 51, 0)]
)
def test_a_batch_pays_for_every_item_and_must_fit_at_once(method: str, n_orders: int, n_fit: int) -> None:
    """Basic holds 100 write tokens: 11 creates never fit, 10 do once; 50 cancels at 2 fit as well."""
    app = create_app(a_world(), keys={"rsa-key": RSA.public_key()}, monotonic_s=lambda: 0.0)
    body = json.dumps({"orders": [{"order_id": str(each)} for each in range(n_orders)]})
    headers = signed(method=method, path=BATCHED) | {"content-type": "application/json"}

    async def twice() -> list[int]:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
            sent = [await client.request(method, BATCHED, content=body, headers=headers) for _ in range(2)]
        return [each.status_code for each in sent]

    assert asyncio.run(twice()).count(429) == 2 - n_fit
    assert app.state.meter.tokens_spent == n_fit * n_orders * (10 if method == "POST" else 2)


def test_buckets_can_be_made_smaller_without_a_word() -> None:
    """Halved: 300 of 600 tokens are there, 100 a second come back; restored, 200 do."""
    now_s = 0.0
    buckets = Buckets(Allowance(200, 600), lambda: now_s)
    buckets.scale(0.5)
    assert sum(buckets.spend("k", 10) for _ in range(100)) == 30
    now_s = 1.0
    assert sum(buckets.spend("k", 10) for _ in range(100)) == 10
    buckets.scale(1.0)
    now_s = 2.0
    assert sum(buckets.spend("k", 10) for _ in range(100)) == 20
    assert buckets.allowance("k") == Allowance(200, 600)
    with pytest.raises(BadWorld, match="positive factor"):
        buckets.scale(0)


def test_a_bucket_made_smaller_forgets_what_it_could_not_hold() -> None:
    """600 saved up, halved to 300: the rest is lost, not hidden."""
    buckets = Buckets(Allowance(200, 600), lambda: 0.0)
    assert buckets.spend("k", 0)
    buckets.scale(0.5)
    assert not buckets.spend("k", 310)
    assert buckets.spend("k", 300)


def test_queue_positions_are_no_order_called_so() -> None:
    """One order costs 2; the list of queue positions, whose path looks alike, costs 10; cancel-all 2."""
    prices = Prices(COSTS)
    assert prices.of("GET", "/portfolio/orders/0b1c") == 2
    assert prices.of("GET", "/portfolio/orders/queue_positions") == 10
    assert prices.of("DELETE", "/portfolio/events/orders") == 2
    assert prices.of("POST", "/portfolio/events/orders/batched") == 10
