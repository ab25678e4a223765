"""Reads of our account: what is asked, what is refused before it is asked, and real answers read whole."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.units import format_centi, format_micros, parse_centi, parse_micros
from pipelines.client import Client, NaiveTime, RequestError, SettingsError, WireError, wire
from pipelines.client.decode import decode
from pipelines.client.drift import Drift
from pipelines.client.wire import IndexedBalance, QueuePosition
from tests.client.keys import KEY_ID, pem
from tests.client.loopback import Asked, Reply, exchange, result, script
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
        (
            lambda client: client.orders(ticker="A", exchange_index=2),
            "/portfolio/orders",
            {"ticker": ["A"], "exchange_index": ["2"], "limit": ["1000"]},
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
    ("asked", "query"),
    [
        ({}, {}),
        ({"tickers": ["A", "B"]}, {"market_tickers": ["A,B"]}),
        ({"event_ticker": "E", "subaccount": 3}, {"event_ticker": ["E"], "subaccount": ["3"]}),
    ],
)
def test_queue_positions_need_no_filter(asked: Any, query: dict[str, Any]) -> None:  # noqa: ANN401
    row = {"order_id": "1", "market_ticker": "A", "queue_position_fp": "12.50"}
    found, path, sent = asked_for({"queue_positions": [row]}, lambda client: client.queue_positions(**asked))
    assert [each.queue_position_fp for each in found] == ["12.50"]
    assert (path, sent) == ("/portfolio/orders/queue_positions", query)


def test_pages_without_positions_are_passed_over() -> None:
    def answer(asked: Asked) -> Reply:
        is_last = "cursor" in asked.query
        rows = [POSITION] if is_last else None
        return Reply(
            body={"market_positions": rows, "event_positions": None, "cursor": "" if is_last else "c"}
        )

    pages, asked = result(answer, lambda client: client.positions(), **KEY)
    assert [[one.ticker for one in page.market_positions] for page in pages] == [["KX-1"]]
    assert len(asked) == 2


@pytest.mark.parametrize(
    "text", ["", "1.5e3", "1,000.00", "0.1234567", "NaN", "\u0661.00", "1.00\n", "9" * 400, None, 1.5]
)
def test_an_amount_that_is_no_amount_is_named_and_nothing_is_used(text: object) -> None:
    body = {"market_positions": [POSITION, POSITION | {"fees_paid_dollars": text}]}
    with pytest.raises(WireError) as caught:
        result(script(Reply(body=body)), lambda client: client.positions(), **KEY)
    assert (caught.value.field, caught.value.ticker) == ("market_positions[1].fees_paid_dollars", "KX-1")


@given(st.integers(-(10**12), 10**12), st.integers(0, 20))
def test_every_text_that_a_struct_lets_through_is_read_exactly(amount_micros: int, n_zeros: int) -> None:
    """The patterns of `wire.exact` and the readers of `exchange.units` agree, also on trailing zeros."""
    zeros = "0" * n_zeros
    body = IndexedBalance(exchange_index=0, balance=format_micros(amount_micros) + zeros)
    read = msgspec.json.decode(msgspec.json.encode(body), type=IndexedBalance)
    assert parse_micros(read.balance) == amount_micros
    row = QueuePosition(order_id="", market_ticker="", queue_position_fp=format_centi(amount_micros) + zeros)
    place = msgspec.json.decode(msgspec.json.encode(row), type=QueuePosition)
    assert parse_centi(place.queue_position_fp) == amount_micros


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda client: client.positions(settlement_status="open"), "settlement_status is 'open'"),
        (lambda client: client.positions(count_filter="position"), "give a list of position, total_traded"),
        (lambda client: client.positions(subaccount=64), "write 0 .the primary one. to 63"),
        (lambda client: client.fills(tickers=[f"T{n}" for n in range(101)]), "give 1 to 100"),
        (lambda client: client.orders(status="open"), "status is 'open'"),
        (lambda client: client.queue_positions(tickers=[]), "tickers has 0 tickers"),
        (lambda client: client.queue_positions(subaccount=-1), "subaccount is -1"),
    ],
)
def test_what_kalshi_would_refuse_is_refused_before_it_is_sent(ask: Any, words: str) -> None:  # noqa: ANN401
    with pytest.raises(RequestError, match=words):
        result(script(Reply(body={})), ask, **KEY)


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(NaiveTime):
        result(script(Reply(body={})), lambda client: client.fills(min_ts=datetime(2026, 1, 1)), **KEY)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("read", "given", "path"),
    [
        ("balance", [], "/portfolio/balance"),
        ("positions", [], "/portfolio/positions"),
        ("historical_positions", [], "/historical/positions"),
        ("fills", [], "/portfolio/fills"),
        ("historical_fills", [], "/historical/fills"),
        ("settlements", [], "/portfolio/settlements"),
        ("total_resting_order_value", [], "/portfolio/summary/total_resting_order_value"),
        ("orders", [], "/portfolio/orders"),
        ("historical_orders", [], "/historical/orders"),
        ("order", ["1"], "/portfolio/orders"),
        ("queue_position", ["1"], "/portfolio/orders"),
        ("queue_positions", [], "/portfolio/orders/queue_positions"),
    ],
)
def test_without_a_key_nothing_is_sent(read: str, given: list[str], path: str) -> None:
    """Listings are refused when they are asked for, not when the first page is."""
    with exchange(script(Reply(body={}))) as running:

        async def story() -> None:
            async with Client(running.settings()) as client:
                await getattr(client, read)(*given)

        with pytest.raises(SettingsError, match=f"^{path} needs a key: set KALSHI_KEY_ID"):
            asyncio.run(story())
        assert running.asked == []


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
    read = [
        {field: value for field, value in row.items() if value is not None}
        for rows in msgspec.to_builtins(page).values()
        for row in rows or []
    ]
    assert read == [row for rows in payload.values() if isinstance(rows, list) for row in rows]
