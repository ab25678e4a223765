"""Orders: said exactly, sent once, and looked up when their answer is lost."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.units import format_ts
from pipelines.client import (
    Client,
    Conflict,
    NotPlaced,
    RequestError,
    Settings,
    TradingOff,
    UnknownOutcome,
)
from pipelines.client.trading import NewOrder, Patience, Trading, buy_no, buy_yes, sell_no, sell_yes
from tests.client.keys import KEY_ID, pem
from tests.client.loopback import Asked, Reply, exchange, patient

T = TypeVar("T")
KEY = pem("ed25519")
ORDERS = "/portfolio/events/orders"


async def no_time(_seconds: float) -> None:
    await asyncio.sleep(0)


QUICK = Patience(sleep=no_time)


class Desk:
    """A scripted exchange: keeps orders by name, and loses answers as told.

    `losses` says of each POST what happens: good, lost (done, no answer), never (not done, no answer), busy
    (429), taken (a 409, done before). `shown_s` is how far its records are behind now.
    """

    def __init__(self, *losses: str, shown_s: int = -60, n_others: int = 0) -> None:
        self.losses = list(losses)
        self.orders: dict[str, dict[str, Any]] = {}
        self.posts: list[str] = []
        self.shown_s = shown_s
        self.n_others = n_others

    def answer(self, asked: Asked) -> Reply:
        if asked.method == "POST":
            return self.posted(json.loads(asked.body))
        if asked.path == "/exchange/user_data_timestamp":
            shown_ts = datetime.now(UTC) - timedelta(seconds=self.shown_s)
            return Reply(body={"as_of_time": format_ts(shown_ts)})
        if asked.path == "/portfolio/orders":
            others = [an_order(f"other-{n}") for n in range(self.n_others)]
            rows = [*others, *self.orders.values()]
            at = int(asked.query.get("cursor", ["0"])[0])
            return Reply(
                body={"orders": rows[at : at + 2], "cursor": str(at + 2) if at + 2 < len(rows) else ""}
            )
        return Reply(status=404, body={"code": "not_found"})

    def posted(self, body: dict[str, Any]) -> Reply:
        name = body["client_order_id"]
        self.posts.append(name)
        fate = self.losses.pop(0) if self.losses else "good"
        if fate == "busy":
            return Reply(status=429, body={"error": "too many requests"})
        if fate == "never":
            return Reply(status=504)
        if name in self.orders or fate == "taken":
            self.orders.setdefault(name, an_order(name))
            return Reply(status=409, body={"error": {"code": "order_already_exists", "message": "duplicate"}})
        self.orders[name] = an_order(name)
        if fate == "lost":
            return Reply(fault="reset")
        made = {"order_id": f"id-{name}", "fill_count": "1.00", "remaining_count": "2.00", "ts_ms": 1}
        return Reply(status=201, body=made)


def an_order(name: str) -> dict[str, Any]:
    return {
        "order_id": f"id-{name}",
        "client_order_id": name,
        "ticker": "KX-1",
        "status": "resting",
        "yes_price_dollars": "0.5600",
        "no_price_dollars": "0.4400",
        "fill_count_fp": "1.00",
        "remaining_count_fp": "2.00",
        "initial_count_fp": "3.00",
        "outcome_side": "yes",
        "book_side": "bid",
    }


def traded(desk: Desk, act: Callable[[Trading], Awaitable[T]], **more: Any) -> T:  # noqa: ANN401  Settings' own
    """Do something with a desk, with no pauses."""

    async def story(asked: Settings) -> T:
        async with Client(asked, retry=patient()) as client:
            trading = client.trading
            return await act(Trading(client, trading._session, patience=QUICK))  # noqa: SLF001  quick looks

    with exchange(desk.answer) as running:
        return asyncio.run(
            story(running.settings(**({"key_id": KEY_ID, "private_key": KEY, "trading": "demo"} | more)))
        )


def one(name: str = "mine") -> NewOrder:
    return buy_yes("KX-1", count_centi=300, price_cc=5_600, client_order_id=name)


def test_an_order_says_what_it_means_in_kalshis_words() -> None:
    """3 YES at $0.56; selling NO at $0.44 is the same bid, buying NO at $0.44 is the ask at $0.56."""
    assert one().body() == {
        "ticker": "KX-1",
        "client_order_id": "mine",
        "side": "bid",
        "count": "3.00",
        "price": "0.5600",
        "time_in_force": "good_till_canceled",
        "self_trade_prevention_type": "taker_at_cross",
    }
    terms: dict[str, Any] = {"count_centi": 300, "client_order_id": "x"}
    sides = {
        (each.side, each.yes_price_cc)
        for each in (sell_no("KX-1", price_cc=4_400, **terms), buy_yes("KX-1", price_cc=5_600, **terms))
    }
    assert sides == {("bid", 5_600)}
    for each in (buy_no("KX-1", price_cc=4_400, **terms), sell_yes("KX-1", price_cc=5_600, **terms)):
        assert (each.side, each.yes_price_cc) == ("ask", 5_600)
    until = buy_yes("KX-1", price_cc=1, expires_ts=datetime(2026, 10, 1, tzinfo=UTC), subaccount=2, **terms)
    assert until.body()["expiration_time"] == 1_790_812_800
    assert until.body()["subaccount"] == 2
    assert buy_yes("KX-1", price_cc=1, count_centi=1).client_order_id != one().client_order_id


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"yes_price_cc": 0}, "not between \\$0 and \\$1"),
        ({"yes_price_cc": 10_000}, "not between \\$0 and \\$1"),
        ({"yes_price_cc": 0.56}, "give whole centicents"),
        ({"count_centi": 0}, "no number of contracts"),
        ({"count_centi": True}, "give whole centicents"),
        ({"side": "yes"}, "side is 'yes': write one of bid, ask"),
        ({"time_in_force": "day"}, "time_in_force is 'day'"),
        ({"ticker": "A,B"}, "is no ticker"),
        ({"client_order_id": "two words"}, "write 1 to 64 letters"),
        ({"client_order_id": "x" * 65}, "write 1 to 64 letters"),
        ({"time_in_force": "fill_or_kill", "post_only": True}, "post_only is for orders that rest"),
        (
            {"time_in_force": "immediate_or_cancel", "expires_ts": datetime.now(UTC)},
            "expires_ts is for orders",
        ),
        ({"reduce_only": True}, "reduce_only needs immediate_or_cancel"),
    ],
)
def test_an_order_that_no_market_takes_is_refused_here(wrong: dict[str, Any], words: str) -> None:
    good: dict[str, Any] = {"ticker": "KX-1", "side": "bid", "yes_price_cc": 5_600, "count_centi": 100}
    with pytest.raises(RequestError, match=words):
        NewOrder(**(good | wrong))


def test_trading_is_off_unless_it_was_asked_for() -> None:
    desk = Desk()
    with pytest.raises(TradingOff, match="KALSHI_TRADING"):
        traded(desk, lambda trading: trading.create(one()), trading="off")
    prod = Client(Settings(key_id=KEY_ID, private_key=KEY, trading="demo"))
    with pytest.raises(TradingOff, match="prod"):
        _ = prod.trading
    with pytest.raises(TradingOff, match="orders are signed"):
        traded(desk, lambda trading: trading.create(one()), key_id=None, private_key=None)
    assert desk.posts == []


def test_an_answered_order_is_told_as_it_was_answered() -> None:
    outcome = traded(Desk(), lambda trading: trading.create(one()))
    assert (outcome.order_id, outcome.filled_centi, outcome.remaining_centi) == ("id-mine", 100, 200)
    assert (outcome.how, outcome.is_placed) == ("answered", True)


def test_an_order_whose_answer_was_lost_is_found_and_not_sent_again() -> None:
    """Seven others on four pages: it is on the last."""
    desk = Desk("lost", n_others=7)
    outcome = traded(desk, lambda trading: trading.create(one()))
    assert (outcome.how, outcome.order_id, outcome.filled_centi) == ("found", "id-mine", 100)
    assert desk.posts == ["mine"]


def test_an_order_that_surely_is_not_there_may_be_sent_anew() -> None:
    """The records reach a minute beyond the moment we gave up, and none has its name."""
    desk = Desk("never")
    with pytest.raises(NotPlaced, match="order mine in KX-1 was not placed") as caught:
        traded(desk, lambda trading: trading.create(one()))
    assert (desk.posts, caught.value.client_order_id) == (["mine"], "mine")


def test_an_order_that_may_still_appear_stays_unknown() -> None:
    """The records are a minute behind: not to see it there proves nothing."""
    desk = Desk("never", shown_s=60)
    with pytest.raises(UnknownOutcome, match="may still appear"):
        traded(desk, lambda trading: trading.create(one()))
    assert desk.posts == ["mine"]


def test_an_order_refused_for_lack_of_tokens_is_sent_again() -> None:
    desk = Desk("busy", "busy")
    assert traded(desk, lambda trading: trading.create(one())).how == "answered"
    assert desk.posts == ["mine"] * 3


def test_a_name_that_the_exchange_has_already_leads_to_the_order() -> None:
    outcome = traded(Desk("taken"), lambda trading: trading.create(one()))
    assert (outcome.how, outcome.order_id) == ("found", "id-mine")


def test_another_conflict_is_a_refusal() -> None:
    def answer(_asked: Asked) -> Reply:
        return Reply(status=409, body={"code": "MARKET_INACTIVE", "message": "closed"})

    desk = Desk()
    desk.answer = answer  # type: ignore[method-assign,assignment]  # one answer for all
    with pytest.raises(Conflict, match="MARKET_INACTIVE") as caught:
        traded(desk, lambda trading: trading.create(one()))
    assert caught.value.code == "MARKET_INACTIVE"


def test_a_batch_is_checked_before_it_is_sent() -> None:
    desk = Desk()
    for orders, words in (
        ([], "a batch needs orders"),
        ([one(), one()], "a client_order_id of its own"),
        ([one(f"n{n}") for n in range(11)], "10"),
    ):
        with pytest.raises(RequestError, match=words):
            traded(desk, lambda trading, orders=orders: trading.create_batch(orders))  # type: ignore[misc]
    assert desk.posts == []


@settings(max_examples=25)
@given(
    fates=st.lists(st.sampled_from(["good", "lost", "never", "busy", "taken"]), min_size=1, max_size=6),
    shown_s=st.sampled_from([-60, 60]),
)
def test_whatever_is_lost_nothing_is_placed_twice_and_the_answer_is_the_truth(
    fates: list[str], shown_s: int
) -> None:
    """One order against any run of misfortune: at most one POST that was carried out or may have been."""
    desk = Desk(*fates, shown_s=shown_s)
    try:
        outcome = traded(desk, lambda trading: trading.create(one()))
    except NotPlaced:
        assert desk.orders == {}
    except UnknownOutcome:
        assert shown_s > 0
    else:
        assert (outcome.order_id, list(desk.orders)) == ("id-mine", ["mine"])
    n_busy = next((at for at, fate in enumerate(fates) if fate != "busy"), len(fates))
    assert len(desk.posts) == n_busy + 1
