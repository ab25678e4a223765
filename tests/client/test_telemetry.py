"""What the client counts: the same events for OpenTelemetry's SDK and for the summary of a run."""

import asyncio
import json
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from pipelines.client import Client, NotFound, ServerFault, Telemetry
from pipelines.client.breaker import Breaker
from pipelines.client.routes import endpoint_of
from tests.client.loopback import Reply, exchange, patient, script
from tests.client.payloads import a_market

GOOD = Reply(body={"market": a_market("KX-1")})


def points(reader: InMemoryMetricReader) -> dict[str, list[tuple[dict[str, Any], Any]]]:
    """Return every instrument with its (attributes, sum) pairs, as an SDK would export them."""
    found: dict[str, list[tuple[dict[str, Any], Any]]] = {}
    data = reader.get_metrics_data()
    assert data is not None
    for metric in data.resource_metrics[0].scope_metrics[0].metrics:
        found[metric.name] = [
            (dict(point.attributes or {}), getattr(point, "value", None) or getattr(point, "count", 0))
            for point in metric.data.data_points
        ]
    return found


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/markets", "/markets"),
        ("/markets/KXHIGHNY-26JUL19-T80/orderbook?depth=1", "/markets/{id}/orderbook"),
        ("/series/KXFED/events/KXFED-26/forecast_percentile_history",
         "/series/{id}/events/{id}/forecast_percentile_history"),
        ("/portfolio/events/orders/ba0eb21c-672b-44de-8342-d6363cef87f0/amend",
         "/portfolio/events/orders/{id}/amend"),
        ("/events/KXCITIESWEATHER-24DEC05(CHI)", "/events/{id}"),
    ],
)  # fmt: skip
def test_counts_are_kept_by_endpoint_not_by_ticker(path: str, endpoint: str) -> None:
    assert endpoint_of(path) == endpoint


def test_every_try_is_counted_with_what_came_of_it() -> None:
    """Trouble, trouble, answer; then a refusal: four requests, two of them followed by another try."""
    reader = InMemoryMetricReader()
    telemetry = Telemetry(MeterProvider(metric_readers=[reader]))

    async def story(client: Client) -> None:
        async with client:
            await client.market("KX-1")
            with pytest.raises(NotFound):
                await client.market("KX-2")

    gone = Reply(status=404, body={"code": "not_found", "message": "gone"})
    with exchange(script(Reply(status=503), Reply(fault="reset"), GOOD, gone)) as running:
        asyncio.run(story(Client(running.settings(), retry=patient(), telemetry=telemetry)))

    told = telemetry.summary()
    assert json.loads(json.dumps(told)) == told
    assert (told["n_requests"], told["n_retries"], told["n_refused_429"]) == (4, 2, 0)
    assert told["requests"] == {"GET /markets/{id}": {"200": 1, "404": 1, "503": 1, "ReadError": 1}}
    assert told["retries"] == {"503": 1, "ReadError": 1}
    assert told["tokens"] == {"read": 40}
    exported = points(reader)
    where = {"http.request.method": "GET", "http.route": "/markets/{id}"}
    assert sorted(exported["tapehouse.client.requests"], key=str) == sorted(
        [
            (where | {"http.response.status_code": 200}, 1),
            (where | {"http.response.status_code": 404}, 1),
            (where | {"http.response.status_code": 503}, 1),
            (where | {"error.type": "ReadError"}, 1),
        ],
        key=str,
    )
    assert exported["tapehouse.client.tokens"] == [({"bucket": "read"}, 40)]
    assert exported["tapehouse.client.request.duration"] == [(where, 4)]
    assert exported["tapehouse.client.response.size"][0][1] == told["n_bytes"] > 0


def test_a_breaker_tells_each_state_it_enters() -> None:
    """Two failures open it, a cooldown later one probe goes out, and its success closes it."""
    now_s = 0.0
    telemetry = Telemetry()
    breaker = Breaker("host", failures_to_open=2, now_s=lambda: now_s, on_change=telemetry.breaker_became)
    for _ in range(2):
        assert not breaker.enter("/markets")
        breaker.failed("503", is_probe=False)
    now_s = 31.0
    assert breaker.enter("/markets")
    breaker.succeeded()
    breaker.succeeded()
    assert telemetry.summary()["breaker"] == {"closed": 1, "half_open": 1, "open": 1}


def test_a_broken_body_and_an_unreadable_one_are_anomalies() -> None:
    async def story(client: Client) -> None:
        async with client:
            await client.market("KX-1")

    lacking = a_market("KX-1")
    del lacking["status"]
    for reply, kind in (
        (Reply(body=b"{"), "broken body /markets/{id}"),
        (Reply(body={"market": lacking}), "unreadable /markets/{id} market.status"),
    ):
        telemetry = Telemetry()
        with exchange(script(reply)) as running, pytest.raises(Exception, match="KX-1"):
            asyncio.run(story(Client(running.settings(), retry=patient(max_tries=1), telemetry=telemetry)))
        assert telemetry.summary()["anomalies"] == {kind: 1}


def test_nothing_is_exported_and_all_is_still_counted_without_an_sdk() -> None:
    telemetry = Telemetry()

    async def story(client: Client) -> None:
        async with client:
            with pytest.raises(ServerFault):
                await client.market("KX-1")

    with exchange(script(Reply(status=500))) as running:
        asyncio.run(story(Client(running.settings(), retry=patient(), telemetry=telemetry)))
    assert telemetry.summary()["requests"] == {"GET /markets/{id}": {"500": 6}}
