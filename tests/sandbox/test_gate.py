"""Signatures and token buckets, from the outside."""

import time
from base64 import b64encode
from collections.abc import Callable, Iterator

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_elliptic
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sandbox.app import Keys
from sandbox.bucket import Allowance, Buckets, Prices, read_allowance
from sandbox.errors import BadKey, BadWorld
from sandbox.signature import Keyring
from tests.sandbox.places import a_client, fill_no_more

RSA = generate_private_key(public_exponent=65_537, key_size=2_048)
EDWARDS = Ed25519PrivateKey.generate()
KEYS: Keys = {
    "rsa-key": RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    "ed-key": EDWARDS.public_key(),
}
BALANCE = "/trade-api/v2/portfolio/balance"


def signed(
    key: RSAPrivateKey | Ed25519PrivateKey = RSA,
    *,
    key_id: str = "rsa-key",
    method: str = "GET",
    path: str = BALANCE,
    late_ms: int = 0,
    salt: int = 32,
) -> dict[str, str]:
    """Return the three headers, made with this file's own idea of the documentation."""
    stamp = str(time.time_ns() // 1_000_000 - late_ms)
    text = f"{stamp}{method}{path}".encode()
    if isinstance(key, Ed25519PrivateKey):
        signature = key.sign(text)
    else:
        signature = key.sign(text, padding.PSS(padding.MGF1(hashes.SHA256()), salt), hashes.SHA256())
    return {
        "KALSHI-ACCESS-KEY": key_id,
        "KALSHI-ACCESS-TIMESTAMP": stamp,
        "KALSHI-ACCESS-SIGNATURE": b64encode(signature).decode(),
    }


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    """One server with two accounts."""
    with a_client(keys=KEYS) as (client, _):
        yield client


def test_both_kinds_of_key_open_signed_routes(client: httpx.Client) -> None:
    """RSA-PSS with salt 32 and Ed25519, over milliseconds + METHOD + whole path."""
    assert client.get("/portfolio/balance", headers=signed()).json()["balance"] == 1_000_000
    edwards = signed(EDWARDS, key_id="ed-key")
    assert client.get("/portfolio/balance", headers=edwards).status_code == 200


def test_the_query_is_sent_but_not_signed(client: httpx.Client) -> None:
    """Path alone: 200. Path with its query: 401."""
    path = "/portfolio/balance?subaccount=0"
    assert client.get(path, headers=signed()).status_code == 200
    assert client.get(path, headers=signed(path=f"{BALANCE}?subaccount=0")).status_code == 401


@pytest.mark.parametrize(
    "make_headers",
    [
        dict,
        lambda: signed() | {"KALSHI-ACCESS-KEY": "nobody"},
        lambda: signed() | {"KALSHI-ACCESS-KEY": "ed-key"},
        lambda: signed() | {"KALSHI-ACCESS-SIGNATURE": "bm90IGl0"},
        lambda: signed() | {"KALSHI-ACCESS-SIGNATURE": "%%%"},
        lambda: signed() | {"KALSHI-ACCESS-TIMESTAMP": "now"},
        lambda: signed(path="/portfolio/balance"),
        lambda: signed(method="POST"),
        lambda: signed(late_ms=60_000),
        lambda: signed(late_ms=-60_000),
        lambda: signed(salt=20),
    ],
    ids=[
        "none",
        "stranger",
        "other",
        "forged",
        "garbled",
        "no-time",
        "bare-path",
        "method",
        "late",
        "early",
        "salt",
    ],
)
def test_anything_else_is_401_and_does_not_say_why(
    client: httpx.Client, make_headers: Callable[[], dict[str, str]]
) -> None:
    """Key, signature, path, method, clock and salt: one and the same answer."""
    answer = client.get("/portfolio/balance", headers=make_headers())
    assert answer.status_code == 401
    assert answer.json() == {"code": "authentication_error", "message": "authentication failed"}


def test_public_routes_need_no_key_but_check_one_that_is_sent(client: httpx.Client) -> None:
    """No headers: 200. A right signature: 200. A wrong one: 401."""
    path = "/trade-api/v2/markets/trades"
    assert client.get("/markets/trades?limit=1").status_code == 200
    assert client.get("/markets/trades?limit=1", headers=signed(path=path)).status_code == 200
    assert client.get("/markets/trades?limit=1", headers=signed(path="/elsewhere")).status_code == 401


def test_limits_and_costs_can_be_read(client: httpx.Client) -> None:
    """Prestige reads 12,000 tokens a second, and its bucket holds one second."""
    limits = client.get("/account/limits", headers=signed(path="/trade-api/v2/account/limits")).json()
    assert limits["usage_tier"] == "prestige"
    assert limits["read"] == {"refill_rate": 12_000, "bucket_capacity": 12_000}
    costs = client.get("/account/endpoint_costs").json()
    assert costs["default_cost"] == 10
    assert all(each["cost"] != 10 for each in costs["endpoint_costs"])


def test_an_empty_bucket_answers_429_without_retry_after() -> None:
    """Basic holds 600 tokens: the 61st request of a burst at 10 tokens each is refused; the meter knows."""
    with a_client(tier="basic") as (client, server):
        fill_no_more(server)
        answers = [client.get("/exchange/status") for _ in range(75)]
        assert [each.status_code for each in answers] == [200] * 60 + [429] * 15
        assert answers[60].json() == {"error": "too many requests"}
        assert not {"retry-after", "x-ratelimit-remaining"} & set(answers[60].headers)
        assert server.meter.requests == 75
        assert server.meter.refused == 15
        assert server.meter.tokens_spent == 600
        assert server.meter.by_path["/exchange/status"] == 75


def test_each_key_has_a_bucket_and_strangers_share_one() -> None:
    """When the anonymous bucket is empty an account can still ask."""
    with a_client(tier="basic", keys=KEYS) as (client, server):
        fill_no_more(server)
        asked = [client.get("/exchange/status").status_code for _ in range(61)]
        assert asked == [200] * 60 + [429]
        headers = signed(path="/trade-api/v2/exchange/status")
        assert client.get("/exchange/status", headers=headers).status_code == 200


def test_buckets_refill_continuously() -> None:
    """200 tokens a second: 50 ms after a refusal there are 10 more, and never more than the capacity."""
    now_s = 0.0
    buckets = Buckets(Allowance(200, 600), lambda: now_s)
    assert sum(buckets.spend("", 10) for _ in range(100)) == 60
    now_s = 0.049
    assert not buckets.spend("", 10)
    now_s = 0.0501
    assert buckets.spend("", 10)
    now_s = 1_000.0
    assert sum(buckets.spend("", 10) for _ in range(100)) == 60


def test_tiers_are_those_of_the_documentation() -> None:
    """Basic and Advanced save up three seconds, the others one; unknown tiers are refused."""
    assert read_allowance("basic") == Allowance(200, 600)
    assert read_allowance("advanced") == Allowance(300, 900)
    assert read_allowance("prime") == Allowance(4_800, 4_800)
    with pytest.raises(BadWorld, match="choose one of basic"):
        read_allowance("gold")


def test_routes_are_priced_by_template() -> None:
    """A named order costs 2, everything unlisted 10."""
    prices = Prices({("GET", "/portfolio/orders/{order_id}"): 2})
    assert prices.of("GET", "/portfolio/orders/abc") == 2
    assert prices.of("GET", "/portfolio/orders/abc/x") == 10
    assert prices.of("POST", "/portfolio/orders/abc") == 10


def test_keys_that_are_no_keys_are_refused_at_the_start() -> None:
    """Garbage and elliptic curves are bad input, by key id."""
    with pytest.raises(BadKey, match="key k: not a public key in PEM"):
        Keyring({"k": "nonsense"}, tolerance_ms=1)
    elliptic = generate_elliptic(SECP256R1()).public_key()
    pem = elliptic.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(BadKey, match="neither RSA nor Ed25519"):
        Keyring({"k": pem}, tolerance_ms=1)
