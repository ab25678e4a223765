"""Whatever anybody sends, the sandbox answers as documented: no 5xx, no other status, no field too many.

schemathesis makes requests from the sandbox's own document, right and wrong ones; hypothesis sends what no
document could describe. A real loopback server, no randomness between runs, a bounded number of examples.
"""

import json
import time
from base64 import b64encode
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx
import pytest
import schemathesis
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from sandbox.gate import PREFIX
from sandbox.openapi import document
from sandbox.serve import Running, running
from sandbox.world import World
from tests.sandbox.customers import FED, V2, an_order
from tests.sandbox.documented import judged, operations

load_all_checks()
SCHEMA: Final = schemathesis.openapi.from_dict(document())
CHECKS: Final = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
]  # fmt: skip
CALM: Final = settings(
    database=None, derandomize=True, phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
KEY: Final = Ed25519PrivateKey.generate()
# Names that exist, so that not everything ends at "not found".
REAL: Final = {
    "ticker": FED, "market_ticker": FED, "tickers": FED, "market_tickers": FED,
    "event_ticker": "KXSIMFED-MAR", "series_ticker": "KXSIMFED", "city": "miami", "range": "1h",
    "client_order_id": "again", "price": "0.4550", "count": "1.00",
}  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """A world of its own: what is traded here must not show elsewhere."""
    world = World(7, days=6, activity=0.02)
    with running(world, tier="prestige", keys={"main": KEY.public_key()}) as server:
        yield server


@pytest.fixture(scope="module")
def http(server: Running) -> Iterator[httpx.Client]:
    """A client that keeps its connection."""
    with httpx.Client(base_url=server.base_url, timeout=30) as http:
        yield http


def headers_for(method: str, url: str) -> dict[str, str]:
    """Return the signature of a request, over the path as it is sent."""
    stamp = str(time.time_ns() // 1_000_000)
    text = f"{stamp}{method}{urlsplit(url).path}"
    return {
        "KALSHI-ACCESS-KEY": "main",
        "KALSHI-ACCESS-TIMESTAMP": stamp,
        "KALSHI-ACCESS-SIGNATURE": b64encode(KEY.sign(text.encode())).decode(),
    }


def sign(request: Any) -> Any:  # noqa: ANN401 - a prepared request of the library below schemathesis
    """Sign what is about to be sent, over whatever headers were made up for it."""
    request.headers.update(headers_for(request.method, request.url))
    return request


def resting_order(http: httpx.Client) -> str:
    """Return the id of an order that somebody could cancel or amend."""
    body = json.dumps(an_order("0.0500", "3.00"))
    signed = headers_for("POST", f"{PREFIX}{V2}")
    answer = http.post(V2, content=body, headers=signed | {"Content-Type": "application/json"})
    assert answer.status_code == 201, answer.text
    order_id: str = answer.json()["order_id"]
    return order_id


def made_real(case: Case[Any], names: dict[str, str], choose: st.DataObject) -> None:
    """Put names that exist where names are expected, now and then."""
    places: list[Any] = [case.path_parameters, case.query, case.body]
    orders = case.body.get("orders") if isinstance(case.body, dict) else None
    places += orders if isinstance(orders, list) else []
    for place in places:
        if isinstance(place, dict):
            for name in [each for each in place if each in names]:
                if choose.draw(st.booleans(), label=name):
                    place[name] = names[name]


def has_what_can_be_wrong(operation: dict[str, Any]) -> bool:
    """Tell whether a request can break its description: any text is a right path."""
    return "requestBody" in operation or any(
        each["in"] == "query" for each in operation.get("parameters", ())
    )


RIGHT: Final = [(*each, GenerationMode.POSITIVE) for each in sorted(operations())]
WRONG: Final = [
    (*each, GenerationMode.NEGATIVE)
    for each, operation in sorted(operations().items())
    if has_what_can_be_wrong(operation)
]


@pytest.mark.slow
@pytest.mark.parametrize(("method", "path", "mode"), RIGHT + WRONG)
def test_documented_requests_get_documented_answers(
    server: Running, http: httpx.Client, method: str, path: str, mode: GenerationMode
) -> None:
    operation = SCHEMA[path][method]
    names = REAL | ({"order_id": resting_order(http)} if V2 in path or "{order_id}" in path else {})

    @settings(CALM, max_examples=6)
    @given(case=operation.as_strategy(generation_mode=mode), choose=st.data())
    def ask(case: Case[Any], choose: st.DataObject) -> None:
        made_real(case, names, choose)
        answer = case.call(base_url=server.base_url, auth=sign)
        case.validate_response(answer, checks=CHECKS)

    ask()


NASTY: Final = st.sampled_from(
    ["", "0", "-1", "9" * 400, "9" * 5_000, "1e999", "NaN", "1_0", "٣", "0x10", "\0", "a\0b",
     "😀" * 50, "%00", "%", "true", "null", "[]", "{}", "'; --", "..", "a,b," * 200, " ", "253402300800",
     "-62135596801", "2026-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "open", "settled", FED]
)  # fmt: skip
READS: Final = sorted(path for method, path in operations() if method == "GET")


@st.composite
def strange_reads(draw: st.DrawFn) -> tuple[str, list[tuple[str, str]]]:
    """Return a path and a query: names that the path knows, and now and then one that nobody does."""
    path = draw(st.sampled_from(READS))
    known = [each["name"] for each in operations()["GET", path].get("parameters", ())]
    names = st.sampled_from([*known, "offset", "", "\0", "😀"])
    return path, draw(st.lists(st.tuples(names, NASTY), max_size=6))


@pytest.mark.slow
@settings(CALM, max_examples=400)
@given(read=strange_reads())
def test_no_query_is_too_strange(http: httpx.Client, read: tuple[str, list[tuple[str, str]]]) -> None:
    """Null bytes, emoji, numbers of 5,000 digits, the same name six times: 200, or a documented refusal."""
    path, asked = read
    for name in ("ticker", "event_ticker", "series_ticker", "city"):
        path = path.replace(f"{{{name}}}", REAL[name])
    path = path.replace("{", "").replace("}", "")
    query = "&".join(f"{quote(name)}={quote(value)}" for name, value in asked)
    judged(http.get(f"{path}?{query}", headers=headers_for("GET", f"{PREFIX}{path}")))


JSON_VALUES: Final = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20) | st.sampled_from([10**400, -1, 0, 2**63]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
BODIES: Final = st.one_of(
    st.binary(max_size=200),
    st.sampled_from(
        [b"", b"null", b"[]", b"{", b"[" * 50_000, b'{"a":' * 20_000, b"\xff\xfe", b'{"orders":{}}']
    ),
    JSON_VALUES.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(st.sampled_from(sorted(an_order())), JSON_VALUES).map(
        lambda some: json.dumps(an_order() | some).encode()
    ),
    st.lists(JSON_VALUES, max_size=3).map(lambda items: json.dumps({"orders": items}).encode()),
)
WRITES: Final = sorted(each for each in operations() if each[0] != "GET")


@pytest.mark.slow
@settings(CALM, max_examples=300)
@given(write=st.sampled_from(WRITES), body=BODIES)
def test_no_body_is_too_strange(http: httpx.Client, write: tuple[str, str], body: bytes) -> None:
    """Half JSON, nesting without end, floats where texts belong, lists of anything: a documented answer."""
    method, path = write[0], write[1].replace("{order_id}", "unknown")
    signed = headers_for(method, f"{PREFIX}{path}")
    judged(http.request(method, path, content=body, headers=signed | {"Content-Type": "application/json"}))


@pytest.mark.parametrize("n_bytes", [(1 << 20) + 1, 5_000_000])
def test_a_body_has_an_end(http: httpx.Client, n_bytes: int) -> None:
    """A byte more than a mebibyte is a 413, for one order and for a batch."""
    for path in (V2, f"{V2}/batched"):
        answer = http.post(path, content=b" " * n_bytes, headers=headers_for("POST", f"{PREFIX}{path}"))
        assert answer.status_code == 413
        judged(answer)


@settings(CALM, max_examples=150)
@given(
    path=st.text(max_size=30).map(lambda text: quote(text, safe="/")), method=st.sampled_from(["GET", "PUT"])
)
def test_paths_that_are_none_are_404(http: httpx.Client, path: str, method: str) -> None:
    """With the error body that every route has; 405 is the same for a method that a route does not know."""
    answer = http.request(method, f"/nowhere/{path}")
    assert answer.status_code == 404
    assert set(answer.json()) == {"code", "message"}
