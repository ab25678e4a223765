"""Accounts over HTTP: listings with filters and pages, and the way to a higher tier."""

from collections.abc import Iterator

import pytest

from sandbox.access import KeyFacts
from tests.sandbox.customers import FED, V2, Customer, Json, a_living_world, trading

NEXT_FED = "KXSIMFED-MAR-C25"


def ids(rows: list[Json], key: str = "order_id") -> list[str]:
    """Return the ids of rows."""
    return [each[key] for each in rows]


@pytest.fixture(scope="module")
def ann() -> Iterator[Customer]:
    """A customer of a standing world with five orders: executed, resting, canceled, another market's, 5's."""
    with trading(a_living_world()[0], "ann") as (_, (ann,)):
        ann.place("0.60", "2")
        ann.place("0.30", "3")
        ann.ask("DELETE", f"{V2}/{ann.place('0.31')['order_id']}")
        ann.place("0.40", "1", ticker=NEXT_FED)
        ann.place("0.30", "1", subaccount=5)
        yield ann


def test_orders_are_listed_newest_first_and_by_filter(ann: Customer) -> None:
    """Each filter alone, by what is left."""
    rows = ann.get("/portfolio/orders")["orders"]
    assert [each["status"] for each in rows] == ["resting", "executed", "canceled", "resting", "executed"]
    for params, n_rows in (
        ({"status": "resting"}, 2),
        ({"status": "executed"}, 2),
        ({"status": "canceled"}, 1),
        ({"ticker": NEXT_FED}, 1),
        ({"event_ticker": "KXSIMFED-MAR"}, 5),
        ({"event_ticker": "KXSIMCPI-FEB,KXSIMFED-MAR"}, 5),
        ({"event_ticker": "OTHER"}, 0),
        ({"subaccount": 5}, 1),
        ({"subaccount": 0}, 4),
        ({"exchange_index": 0}, 5),
        ({"exchange_index": 1}, 0),
        ({"min_ts": 1_772_236_799}, 5),
        ({"min_ts": 1_772_236_800}, 0),
        ({"max_ts": 1_772_236_801}, 5),
        ({"max_ts": 1_772_236_800}, 0),
        ({"unknown": "ignored"}, 5),
    ):
        assert len(ann.get("/portfolio/orders", **params)["orders"]) == n_rows, params


@pytest.mark.parametrize("path", ["orders", "fills", "positions", "settlements"])
@pytest.mark.parametrize(
    "params",
    [
        {"limit": 0},
        {"limit": 1_001},
        {"limit": "x"},
        {"cursor": "nonsense"},
        {"subaccount": 64},
        {"subaccount": "x"},
    ],
)
def test_what_is_documented_is_checked(ann: Customer, path: str, params: dict[str, str | int]) -> None:
    """Limits run from 1 to 1000, subaccounts from 0 to 63, and cursors are ours."""
    assert ann.refused(400, "GET", f"/portfolio/{path}", **params) == "invalid_parameters"


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("orders", {"status": "open"}),
        ("orders", {"event_ticker": ",".join(f"E{each}" for each in range(11))}),
        ("orders", {"min_ts": "yesterday"}),
        ("fills", {"ticker": ",".join(f"T{each}" for each in range(101))}),
        ("positions", {"count_filter": "position,volume"}),
        ("positions", {"settlement_status": "open"}),
    ],
)
def test_words_and_lists_are_checked(ann: Customer, path: str, params: dict[str, str | int]) -> None:
    """An unknown word, an eleventh event, a hundred and first ticker."""
    assert ann.refused(400, "GET", f"/portfolio/{path}", **params) == "invalid_parameters"


def test_pages_walk_through_everything_once(ann: Customer) -> None:
    """Five orders, two a page; a cursor belongs to its filters."""
    seen: list[str] = []
    cursor = ""
    while True:
        page = ann.get("/portfolio/orders", limit=2, **({"cursor": cursor} if cursor else {}))
        seen += ids(page["orders"])
        cursor = page["cursor"]
        if not cursor:
            break
        assert (
            ann.refused(400, "GET", "/portfolio/orders", cursor=cursor, status="resting")
            == "invalid_parameters"
        )
    assert seen == ids(ann.get("/portfolio/orders")["orders"])
    assert len(set(seen)) == 5


def test_a_fill_is_told_field_by_field(ann: Customer) -> None:
    """2 @ .4650 of an order at .60: the price is the maker's; .93 + .03482 rounds up to .97: fee .04."""
    fill = ann.get("/portfolio/fills", ticker=FED)["fills"][0]
    order_id = ann.get("/portfolio/orders", status="executed", ticker=FED)["orders"][0]["order_id"]
    assert fill == {
        "fill_id": fill["fill_id"],
        "trade_id": fill["fill_id"],
        "order_id": order_id,
        "ticker": FED,
        "market_ticker": FED,
        "side": "yes",
        "action": "buy",
        "outcome_side": "yes",
        "book_side": "bid",
        "count_fp": "2.00",
        "yes_price_dollars": "0.4650",
        "no_price_dollars": "0.5350",
        "is_taker": True,
        "created_time": "2026-02-28T00:00:00Z",
        "ts": 1_772_236_800,
        "fee_cost": "0.040000",
        "subaccount_number": 0,
        "exchange_index": 0,
    }
    assert ids(ann.get("/portfolio/fills", order_id=order_id)["fills"]) == [order_id]
    assert ann.get("/portfolio/fills", order_id="other")["fills"] == []
    assert len(ann.get("/portfolio/fills", ticker=f"{FED},{NEXT_FED}")["fills"]) == 2
    assert ann.get("/portfolio/fills", subaccount=5)["fills"] == []


def test_positions_are_told_by_market_and_by_event(ann: Customer) -> None:
    """2 @ .4650 and 1 @ .3350 in one event: .93 + .335 spent, 3 contracts; fees .04 and .025."""
    told = ann.get("/portfolio/positions")
    assert told["market_positions"][-1] == {
        "ticker": FED,
        "exchange_index": 0,
        "total_traded_dollars": "0.930000",
        "position_fp": "2.00",
        "market_exposure_dollars": "0.930000",
        "realized_pnl_dollars": "0.000000",
        "fees_paid_dollars": "0.040000",
        "last_updated_ts": "2026-02-28T00:00:00Z",
    }
    assert told["event_positions"] == [
        {
            "event_ticker": "KXSIMFED-MAR",
            "total_cost_dollars": "1.265000",
            "total_cost_shares_fp": "3.00",
            "event_exposure_dollars": "1.265000",
            "realized_pnl_dollars": "0.000000",
            "fees_paid_dollars": "0.065000",
        }
    ]
    for params, n_rows in (
        ({"ticker": FED}, 1),
        ({"event_ticker": "KXSIMFED-MAR"}, 2),
        ({"event_ticker": "OTHER"}, 0),
        ({"count_filter": "position,total_traded"}, 2),
        ({"settlement_status": "settled"}, 0),
        ({"settlement_status": "all"}, 2),
        ({"subaccount": 5}, 0),
        ({"exchange_index": 1}, 0),
    ):
        assert len(ann.get("/portfolio/positions", **params)["market_positions"]) == n_rows, params


def test_the_balance_is_what_may_be_spent(ann: Customer) -> None:
    """10,000 - .97 - .36, less what 3 @ .30 hold back: .90 + a maker's .011025 + a cent of rounding.

    Positions at the best bids: 2 x .4550 + .3250 = $1.235. Subaccount 5 holds .30 + .003675 + .01 back.
    """
    told = ann.get("/portfolio/balance")
    assert told == {
        "balance": 999_774,
        "balance_dollars": "9997.748975",
        "portfolio_value": 123,
        "updated_ts": 1_772_236_800,
        "balance_breakdown": [{"exchange_index": 0, "balance": "9997.748975"}],
    }
    assert ann.get("/portfolio/balance", exchange_index=1)["balance_dollars"] == "0.000000"
    assert ann.get("/portfolio/balance", subaccount=5)["balance_dollars"] == "9999.686325"


def test_resting_orders_have_a_value(ann: Customer) -> None:
    """3 @ .30 and, in subaccount 5, 1 @ .30: $1.20."""
    assert ann.get("/portfolio/summary/total_resting_order_value") == {
        "total_resting_order_value": 120,
        "resting_order_value_breakdown": [{"exchange_index": 0, "balance": "1.200000"}],
    }


def test_keys_limits_and_the_way_to_a_higher_tier() -> None:
    """Basic writes 100 tokens a second; with an order placed, Advanced is one call away."""
    facts = {
        "ann": KeyFacts(account="us", name="desk"),
        "ro": KeyFacts(account="us", scopes=("read",), subaccount=1),
    }
    with trading(a_living_world()[0], "ann", "ro", facts=facts, tier="basic") as (server, (ann, _)):
        assert ann.get("/api_keys")["api_keys"] == [
            {"api_key_id": "ann", "name": "desk", "scopes": ["read", "write"]},
            {"api_key_id": "ro", "name": "ro", "scopes": ["read"], "subaccount": 1},
        ]
        server.state.access.revoke("ro")
        assert ids(ann.get("/api_keys")["api_keys"], "api_key_id") == ["ann"]
        upgrade = "/account/api_usage_level/upgrade"
        assert ann.refused(403, "POST", upgrade) == "forbidden"
        ann.place("0.30")
        assert ann.ask("POST", upgrade).status_code == 201
        limits = ann.get("/account/limits")
        assert limits["usage_tier"] == "advanced"
        assert limits["read"] == {"refill_rate": 300, "bucket_capacity": 900}
        assert limits["write"] == {"refill_rate": 300, "bucket_capacity": 900}
        assert limits["grants"] == [
            {"exchange_instance": "event_contract", "level": "advanced", "source": "manual"}
        ]
        progress = ann.get("/account/api_usage_level/volume_progress")["volume_progress"][0]
        assert progress["trailing_30d_volume_fp"] == "0.00"
        assert ids(progress["goals"], "level") == ["expert", "premier", "paragon", "prime", "prestige"]
