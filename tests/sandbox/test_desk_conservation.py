"""Money is neither made nor lost: whatever accounts do, another sum finds every micro-dollar."""

from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.fees import COMBO_MAKER, MAKER, QUADRATIC
from exchange.units import DOLLAR_CC
from sandbox.accounts import START_MICROS, Account, Purse
from sandbox.replies import Refused
from tests.sandbox.pit import EARLY_2026, LATE_2026, RAIN, SNOW, Pit

PEOPLE: Final = ("ann", "bob", "cat")
MARKETS: Final = (RAIN, SNOW)
TIMES: Final = ("good_till_canceled", "immediate_or_cancel", "fill_or_kill")

# Of twenty steps fourteen place orders, so that books fill and trade before they are emptied.
HOW_OFTEN: Final = [*["place"] * 14, *["amend"] * 3, *["cancel"] * 2, "pause"]
N_STEPS: Final = 60


def a_step(rng: Random) -> tuple[Any, ...]:
    """Return one thing that somebody does; prices lie close together, so that most orders meet."""
    what, who, ticker = rng.choice(HOW_OFTEN), rng.choice(PEOPLE), rng.choice((RAIN, RAIN, SNOW))
    side, price = rng.choice(("bid", "ask")), f"0.{rng.randint(47, 53)}"
    count = f"{rng.randint(1, 3_000) / 100:.2f}"
    if what == "place":
        terms = {
            "time_in_force": rng.choice((*TIMES, TIMES[0], TIMES[0])),
            "self_trade_prevention_type": rng.choice(("maker", "taker_at_cross")),
            "subaccount": rng.choice((0, 0, 0, 1)),
        }
        return what, who, side, price, count, ticker, terms
    if what == "pause":
        return what, ticker
    return (what, who, rng.randint(0, 50), *((price, count) if what == "amend" else ()))


@given(
    seed=st.integers(0, 1 << 32),
    fee_type=st.sampled_from((QUADRATIC, MAKER, COMBO_MAKER)),
    at_ts=st.sampled_from((EARLY_2026, LATE_2026)),
)
@settings(max_examples=60)
def test_every_micro_dollar_is_accounted_for(seed: int, fee_type: str, at_ts: datetime) -> None:
    """After every step: cash, positions, holds and the book agree with sums over the fills alone."""
    pit = Pit(fee_type=fee_type, at_ts=at_ts)
    rng = Random(seed)
    steps = [a_step(rng) for _ in range(N_STEPS)]
    for step in [*steps, ("settle", RAIN, 2_400), ("settle", SNOW, 10_000)]:
        act(pit, *step)
        for name in PEOPLE:
            for subaccount, purse in pit.account(name).purses.items():
                assert purse.cash_micros == cash_by_fills(pit.account(name), subaccount)
                assert purse.held_back == {
                    ticker: held for ticker in MARKETS if (held := held_by_hand(pit, purse, ticker))
                }
        check_orders(pit)
        check_exchange(pit)


def act(pit: Pit, what: str, *args: Any) -> None:  # noqa: ANN401 - a step of any kind
    """Do one step; a refusal is an outcome like any other."""
    pit.wait(timedelta(seconds=1))
    try:
        if what == "place":
            who, side, price, count, ticker, more = args
            pit.place(who, side, price, count, ticker=ticker, **more)
        elif what == "settle":
            ticker, value_cc = args
            pit.change("closed", ticker, status="closed")
            pit.change("settled", ticker, status="finalized", result="scalar", settlement_value_cc=value_cc)
        elif what == "pause" and pit.market(args[0]).status == "active":
            pit.change("deactivated", args[0], status="inactive")
            pit.change("activated", args[0], status="active")
        elif what in {"amend", "cancel"}:
            resting = [order for order in pit.account(args[0]).orders if order.engine_id]
            if resting and what == "cancel":
                pit.desk.leave(resting[args[1] % len(resting)])
            elif resting:
                pit.amend(resting[args[1] % len(resting)], *args[2:])
    except Refused:
        pass


def cash_by_fills(account: Account, subaccount: int) -> int:
    """Return what a purse must hold: start, less purchases and fees, plus pairs and payouts; fill by fill."""
    cash, held = START_MICROS, dict.fromkeys(MARKETS, 0)
    for fill in account.fills:
        if fill.subaccount != subaccount:
            continue
        price_cc = fill.yes_price_cc if fill.side == "yes" else DOLLAR_CC - fill.yes_price_cc
        before = held[fill.ticker]
        held[fill.ticker] += fill.count_centi if fill.side == "yes" else -fill.count_centi
        n_pairs = (abs(before) + fill.count_centi - abs(held[fill.ticker])) // 2
        cash += n_pairs * DOLLAR_CC - price_cc * fill.count_centi - fill.fee_micros
    return cash + sum(each.payout_micros for each in account.settlements if each.subaccount == subaccount)


def held_by_hand(pit: Pit, purse: Purse, ticker: str) -> int:
    """Return what the resting orders of one market hold back, contract by contract of the position."""
    held = 0
    cover = {"yes": -purse.position(ticker), "no": purse.position(ticker)}
    for order in purse.resting.get(ticker, {}).values():
        for_free = min(max(cover[order.side], 0), order.remaining_centi)
        cover[order.side] -= for_free
        left = order.remaining_centi - for_free
        fee = pit.desk.fee_at_rest(ticker)(order, left)
        held += left * order.price_cc + fee
    return held


def check_orders(pit: Pit) -> None:
    """Orders say what the book says, and what their fills say."""
    for name in PEOPLE:
        account = pit.account(name)
        for order in account.orders:
            mine = [fill for fill in account.fills if fill.order_id == order.order_id]
            assert order.filled_centi == sum(fill.count_centi for fill in mine)
            assert order.taker_fees_micros + order.maker_fees_micros == sum(fill.fee_micros for fill in mine)
            assert order.status == "resting" or order.remaining_centi == 0
            assert bool(order.engine_id) is (order.status == "resting")
            if order.engine_id:
                assert pit.resting(order.ticker, order.engine_id) == order.remaining_centi > 0


def check_exchange(pit: Pit) -> None:
    """All cash, plus a dollar for each pair still open, plus all fees, is what everybody brought."""
    accounts = [pit.account(name) for name in PEOPLE]
    purses = [purse for account in accounts for purse in account.purses.values()]
    fees = sum(fill.fee_micros for account in accounts for fill in account.fills)
    positions = [each for account in accounts for each in account.positions]
    n_yes, n_no = (sum(each.held_centi(side) for each in positions) for side in ("yes", "no"))
    assert n_yes == n_no
    total = sum(purse.cash_micros for purse in purses) + n_yes * DOLLAR_CC + fees
    assert total == START_MICROS * len(purses)
