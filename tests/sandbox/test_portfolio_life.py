"""Accounts over HTTP while time passes: fills of resting orders, expiry, payouts, the archive, and combos."""

from datetime import timedelta

import pytest

from tests.sandbox.customers import FED, V2, Json, a_living_world, an_order, trading
from tests.sandbox.test_portfolio_routes import ids

QUARTER = "KXSIMBTC15M-26FEB280005-05"  # two days before the end of the world it closes in five minutes


def test_a_position_is_carried_to_its_payout() -> None:
    """Buy 3 of a quarter-hour, with 5 more resting: closed, cancelled, settled, and paid what it is worth."""
    world, clock = a_living_world()
    with trading(world, "ann") as (_, (ann,)):
        bought = ann.place("0.99", "3", ticker=QUARTER, time_in_force="immediate_or_cancel")
        resting = ann.place("0.01", "5", ticker=QUARTER)["order_id"]
        assert bought["fill_count"] == "3.00"
        clock.advance(timedelta(minutes=6))
        assert ann.get(f"/portfolio/orders/{resting}")["order"]["status"] == "canceled"
        assert ann.refused(409, "DELETE", f"{V2}/{resting}") == "MARKET_INACTIVE"
        clock.advance(timedelta(hours=1))
        market = world.floor.market(QUARTER)
        fill = ann.get("/portfolio/fills")["fills"][0]
        paid = 3 * (market.settlement_value_cc or 0) // 100
        settled = ann.get("/portfolio/settlements")["settlements"]
        assert len(settled) == 1
        assert settled[0] | {"settled_time": "", "yes_total_cost_dollars": ""} == {
            "ticker": QUARTER,
            "event_ticker": market.event_ticker,
            "exchange_index": 0,
            "market_result": market.result,
            "yes_count_fp": "3.00",
            "yes_total_cost_dollars": "",
            "no_count_fp": "0.00",
            "no_total_cost_dollars": "0.000000",
            "revenue": paid,
            "settled_time": "",
            "fee_cost": fill["fee_cost"],
            "value": paid // 3,
        }
        spent = float(settled[0]["yes_total_cost_dollars"]) + float(fill["fee_cost"])
        assert float(ann.get("/portfolio/balance")["balance_dollars"]) == pytest.approx(
            10_000 - spent + paid / 100
        )
        assert ann.get("/portfolio/positions")["market_positions"] == []
        held = ann.get("/portfolio/positions", settlement_status="settled")["market_positions"]
        assert [(each["position_fp"], each["market_exposure_dollars"]) for each in held] == [
            ("0.00", "0.000000")
        ]
        for params, n_rows in (
            ({"ticker": QUARTER}, 1),
            ({"event_ticker": "X"}, 0),
            ({"min_ts": 1_999_999_999}, 0),
        ):
            assert len(ann.get("/portfolio/settlements", **params)["settlements"]) == n_rows


def test_agents_fill_resting_orders_while_time_passes() -> None:
    """A bid inside the spread waits; a day later somebody has sold to it, and it paid as a maker."""
    world, clock = a_living_world()
    with trading(world, "ann") as (_, (ann,)):
        order_id = ann.place("0.4600", "1")["order_id"]
        for _ in range(24):
            clock.advance(timedelta(hours=1))
        order: Json = ann.get(f"/portfolio/orders/{order_id}")["order"]
        assert order["status"] == "executed"
        fill = ann.get("/portfolio/fills")["fills"][0]
        assert (fill["is_taker"], fill["yes_price_dollars"]) == (False, "0.4600")
        # .0175 x .46 x .54 = .004347; .46 + .004347 rounds up to a whole cent: .47.
        assert (order["maker_fees_dollars"], fill["fee_cost"]) == ("0.010000", "0.010000")


def test_an_order_that_expires_is_gone_before_the_market_moves_on() -> None:
    """Good for a minute: after a day nothing was filled, though the price came by."""
    world, clock = a_living_world()
    with trading(world, "ann") as (_, (ann,)):
        body = an_order("0.4600") | {"expiration_time": 1_772_236_860}
        order_id = ann.ask("POST", V2, body).json()["order_id"]
        clock.advance(timedelta(days=1))
        order = ann.get(f"/portfolio/orders/{order_id}")["order"]
        assert (order["status"], order["last_update_time"]) == ("canceled", "2026-02-28T00:01:00Z")


def test_what_is_older_than_the_cutoff_moves_to_the_archive() -> None:
    """Five days on, ended orders, fills and settled positions are historical; what rests stays live."""
    world, clock = a_living_world(before=timedelta(days=4), archive_days=1)
    with trading(world, "ann") as (_, (ann,)):
        bought = ann.place("0.99", "2")["order_id"]
        resting = ann.place("0.01")["order_id"]
        archived = ("/historical/orders", "orders"), ("/historical/fills", "fills")
        assert [len(ann.get(path)[key]) for path, key in archived] == [0, 0]
        clock.advance(timedelta(days=4))
        assert ids(ann.get("/portfolio/orders")["orders"]) == [resting]
        assert ann.get("/portfolio/fills")["fills"] == []
        for path, key in archived:
            assert set(ids(ann.get(path)[key])) == {bought}
            assert ann.get(path, ticker="OTHER")[key] == []


def test_settled_positions_are_archived_event_by_event() -> None:
    """A quarter-hour settled four days ago is history, in the tier for it and nowhere else."""
    world, clock = a_living_world(before=timedelta(days=4), archive_days=1)
    ticker = next(each.ticker for each in world.markets() if "15M" in each.ticker and each.status == "active")
    with trading(world, "ann") as (_, (ann,)):
        ann.place("0.99", "1", ticker=ticker, time_in_force="immediate_or_cancel")
        ann.place("0.99", "1")
        clock.advance(timedelta(days=4))
        live = ann.get("/portfolio/positions", settlement_status="all")
        assert ids(live["market_positions"], "ticker") == [FED]
        archived = ann.get("/historical/positions")
        assert ids(archived["market_positions"], "ticker") == [ticker]
        assert archived["market_positions"][0]["position_fp"] == "0.00"
        assert ann.get("/historical/positions", ticker=FED)["market_positions"] == []
        assert ann.get("/portfolio/settlements")["settlements"][0]["ticker"] == ticker


def test_combos_are_traded_on_their_own_shard() -> None:
    """A cancel without its market looks on shard 0 and finds nothing; fills are priced as a combo's.

    1 @ .30 rested and filled: .035 x .3 x .7 = .00735, on combos .0074; .30 + .0074 rounds up to .31.
    """
    world, _ = a_living_world(combos=40)
    with trading(world, "ann", "bob") as (_, (ann, bob)):
        listed = ann.http.get("/markets", params={"mve_filter": "only"}).json()["markets"]
        ticker = next(each["ticker"] for each in listed if each["status"] == "active")
        order_id = ann.place("0.30", ticker=ticker)["order_id"]
        assert ann.refused(404, "DELETE", f"{V2}/{order_id}") == "not_found"
        bob.place("0.30", ticker=ticker, side="ask")
        order = ann.get(f"/portfolio/orders/{order_id}")["order"]
        assert (order["exchange_index"], order["status"]) == (1, "executed")
        assert order["maker_fees_dollars"] == "0.010000"
        assert len(ann.get("/portfolio/fills", exchange_index=1)["fills"]) == 1
        resting = ann.place("0.20", ticker=ticker)["order_id"]
        assert ann.ask("DELETE", f"{V2}/{resting}", market_ticker=ticker).json()["reduced_by"] == "1.00"
