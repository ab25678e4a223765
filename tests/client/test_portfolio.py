"""Reads of our account: what is asked, what is refused before it is asked, and real answers read whole."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from pipelines.client import NaiveTime, RequestError, SettingsError, wire
from pipelines.client.decode import decode
from pipelines.client.drift import Drift
from tests.client.keys import KEY_ID, pem
from tests.client.loopback import Reply, result, script
from tests.realdata import DATA, needs_real_data

KEY = {"key_id": KEY_ID, "private_key": pem("ed25519")}
POSITION = {
    "ticker": "KX-1",
    "total_traded_dollars": "1.500000",
    "position_fp": "-2.50",
    "market_exposure_dollars": "1.000000",
    "realized_pnl_dollars": "0.000000",
    "fees_paid_dollars": "0.010000",
    "last_updated_ts": "2026-10-01T00:00:00Z",
    "exchange_index": 0,
}


def asked_for(body: Any, ask: Any) -> tuple[Any, str, dict[str, list[str]]]:  # noqa: ANN401  JSON, a call
    """Return an answer, and path and query of the one request it took."""
    answer, asked = result(script(Reply(body=body)), ask, **KEY)
    (one,) = asked
    assert "kalshi-access-signature" in one.headers
    return answer, one.path, one.query


def test_a_balance_is_exact_to_the_micro_dollar() -> None:
    body = {
        "balance": 123456,
        "balance_dollars": "1234.567891",
        "portfolio_value": 99,
        "updated_ts": 1,
        "balance_breakdown": [{"exchange_index": 0, "balance": "1234.567891"}],
    }
    found, path, query = asked_for(body, lambda client: client.balance(subaccount=3))
    assert (found.balance_micros, path, query) == (1_234_567_891, "/portfolio/balance", {"subaccount": ["3"]})


def test_a_balance_in_whole_cents_alone_is_read_as_that() -> None:
    old = wire.Balance(balance=123456, portfolio_value=0, updated_ts=1)
    assert old.balance_micros == 1_234_560_000


def test_positions_come_by_market_and_by_event() -> None:
    body = {"market_positions": [POSITION], "event_positions": [], "cursor": ""}
    pages, path, query = asked_for(
        body, lambda client: client.positions(settlement_status="all", count_filter=["position"])
    )
    assert pages[0].market_positions[0].position_centi == -250
    assert path == "/portfolio/positions"
    assert query == {"settlement_status": ["all"], "count_filter": ["position"], "limit": ["1000"]}


@pytest.mark.parametrize(
    ("ask", "path", "query"),
    [
        (
            lambda client: client.fills(tickers=["A", "B"], min_ts=datetime(2026, 10, 1, tzinfo=UTC)),
            "/portfolio/fills",
            {"ticker": ["A,B"], "min_ts": ["1790812800"], "limit": ["1000"]},
        ),
        (
            lambda client: client.historical_fills(ticker="A"),
            "/historical/fills",
            {"ticker": ["A"], "limit": ["1000"]},
        ),
        (
            lambda client: client.orders(event_tickers=["E"], status="resting", subaccount=0),
            "/portfolio/orders",
            {"event_ticker": ["E"], "status": ["resting"], "subaccount": ["0"], "limit": ["1000"]},
        ),
        (lambda client: client.historical_orders(page_size=5), "/historical/orders", {"limit": ["5"]}),
        (
            lambda client: client.settlements(event_ticker="E"),
            "/portfolio/settlements",
            {"event_ticker": ["E"], "limit": ["1000"]},
        ),
    ],
)  # fmt: skip
def test_listings_of_an_account_are_pages_by_cursor(ask: Any, path: str, query: dict[str, Any]) -> None:  # noqa: ANN401
    body = {"fills": [], "orders": [], "settlements": [], "cursor": ""}
    name = path.rpartition("/")[2]
    assert asked_for({name: body[name], "cursor": ""}, ask) == ([], path, query)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda client: client.positions(settlement_status="open"), "settlement_status is 'open'"),
        (lambda client: client.positions(count_filter="position"), "give a list of position, total_traded"),
        (lambda client: client.positions(subaccount=64), "write 0 .the primary one. to 63"),
        (lambda client: client.fills(tickers=[f"T{n}" for n in range(101)]), "give 1 to 100"),
        (lambda client: client.orders(status="open"), "status is 'open'"),
        (lambda client: client.queue_positions(), "tickers or an event_ticker"),
        (lambda client: client.queue_positions(tickers=["A"], event_ticker="E"), "one of them, not both"),
    ],
)
def test_what_kalshi_would_refuse_is_refused_before_it_is_sent(ask: Any, words: str) -> None:  # noqa: ANN401
    with pytest.raises(RequestError, match=words):
        result(script(Reply(body={})), ask, **KEY)


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(NaiveTime):
        result(script(Reply(body={})), lambda client: client.fills(min_ts=datetime(2026, 1, 1)), **KEY)  # noqa: DTZ001


def test_without_a_key_nothing_is_sent() -> None:
    with pytest.raises(SettingsError, match="/portfolio/balance needs a key"):
        result(script(Reply(body={})), lambda client: client.balance())


@needs_real_data
@pytest.mark.parametrize(
    ("name", "shape", "n_rows"),
    [
        ("cockpit_portfolio_fills_redacted_2026-08.json", wire.FillsPage, 33),
        ("cockpit_portfolio_settlements_redacted_2026-08.json", wire.SettlementsPage, 22),
    ],
)
def test_every_field_of_a_real_account_is_read(name: str, shape: Any, n_rows: int) -> None:  # noqa: ANN401
    payload = json.loads((DATA / "fills" / name).read_text())["payload"]
    drift = Drift()
    page: Any = decode(json.dumps(payload).encode(), shape, path=name, drift=drift)
    assert len(getattr(page, "fills", None) or page.settlements) == n_rows
    assert drift.report() == []
