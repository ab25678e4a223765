"""Accounts among the agents of a living world: books that agree, day after day, and the same every time."""

from contextlib import suppress
from datetime import timedelta
from random import Random

from exchange.units import DOLLAR_CC, format_cc
from sandbox.access import Caller
from sandbox.accounts import START_MICROS
from sandbox.catalog import Catalog
from sandbox.desk import Desk
from sandbox.order_requests import Fields
from sandbox.replies import Refused
from sandbox.trading import place
from sandbox.world import World
from tests.sandbox.customers import a_living_world

NAMES = ("ann", "bob")


def live_and_trade(n_hours: int) -> tuple[World, Desk]:
    """Let two accounts place a few orders an hour near the market, wherever somebody trades."""
    world, clock = a_living_world()
    desk, rng = Desk(Catalog(world)), Random(3)
    for _ in range(n_hours):
        open_now = [each for each in world.markets() if each.status == "active"]
        for name in NAMES:
            for market in rng.sample(open_now, 4):
                prices = range(100, DOLLAR_CC, 100)
                near_cc = min(
                    prices, key=lambda each: abs(each - (market.yes_bid_cc + market.yes_ask_cc) // 2)
                )
                body = {
                    "ticker": market.ticker,
                    "side": rng.choice(("bid", "ask")),
                    "price": format_cc(near_cc),
                    "count": f"{rng.randint(1, 2_000) / 100:.2f}",
                    "time_in_force": "good_till_canceled",
                    "self_trade_prevention_type": rng.choice(("maker", "taker_at_cross")),
                }
                with suppress(Refused):  # whoever has spent everything
                    place(desk, Caller(name, name), Fields(body).new_order())
        clock.advance(timedelta(hours=1))
        world.floor.advance()
        check(world, desk)
    return world, desk


def check(world: World, desk: Desk) -> None:
    """Cash is what fills and settlements say; orders rest where the floor has them, in open markets."""
    for name in NAMES:
        account = desk.account(name)
        cash = START_MICROS + sum(each.payout_micros for each in account.settlements)
        for fill in account.fills:
            bought = fill.yes_price_cc if fill.side == "yes" else DOLLAR_CC - fill.yes_price_cc
            cash -= bought * fill.count_centi + fill.fee_micros
        for position in account.positions:
            bought_yes, bought_no = (
                sum(
                    each.count_centi
                    for each in account.fills
                    if each.ticker == position.ticker and each.side == side
                )
                for side in ("yes", "no")
            )
            cash += min(bought_yes, bought_no) * DOLLAR_CC
            if not position.is_settled:
                assert position.count_centi == bought_yes - bought_no
        assert account.purse(0).cash_micros == cash
        for order in account.orders:
            if order.engine_id:
                assert world.floor.resting(order.ticker, order.engine_id) == order.remaining_centi
                assert world.floor.market(order.ticker).status in {"active", "inactive"}


def test_accounts_and_agents_settle_their_books_to_the_micro() -> None:
    """Thirty hours with eight orders an hour: takers, makers, closes, payouts; and all adds up."""
    _, desk = live_and_trade(30)
    fills = [fill for name in NAMES for fill in desk.account(name).fills]
    assert {fill.is_taker for fill in fills} == {True, False}
    assert sum(len(desk.account(name).settlements) for name in NAMES) > 3


def test_the_same_orders_make_the_same_world() -> None:
    """Two runs with the same seed, clock and orders agree on every fill, id and print."""
    first, second = live_and_trade(4), live_and_trade(4)
    assert first[0].digest() == second[0].digest()
    for name in NAMES:
        assert first[1].account(name).fills == second[1].account(name).fills
        assert first[1].account(name).fills
        assert first[1].account(name).orders == second[1].account(name).orders
