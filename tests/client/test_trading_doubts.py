"""What could make a lost order look surely lost, or another look like it: clocks that differ, old names."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from exchange.units import format_ts
from pipelines.client import Client, NotPlaced, UnknownOutcome
from pipelines.client.signing import ExchangeClock
from pipelines.client.trading import NewOrder, Outcome, Patience, Trading, buy_yes
from tests.client.keys import KEY_ID, pem
from tests.client.loopback import Asked, Reply, exchange, patient

Row = dict[str, Any]
RUNG: NewOrder = buy_yes("KX-1", count_centi=300, price_cc=5_600, client_order_id="rung-7")


async def no_time(_seconds: float) -> None:
    await asyncio.sleep(0)


def a_row(order_id: str, *, age_s: float, status: str = "resting", **changes: object) -> Row:
    """Return an order by the name of RUNG with its terms, as the records show it."""
    return {
        "order_id": order_id,
        "client_order_id": RUNG.client_order_id,
        "ticker": "KX-1",
        "status": status,
        "yes_price_dollars": "0.5600",
        "no_price_dollars": "0.4400",
        "fill_count_fp": "0.00",
        "remaining_count_fp": "3.00" if status == "resting" else "0.00",
        "initial_count_fp": "3.00",
        "outcome_side": "yes",
        "book_side": "bid",
        "created_time": format_ts(datetime.now(UTC) - timedelta(seconds=age_s)),
    } | changes


def created(
    post: Reply,
    *,
    behind_s: float,
    rows: Callable[[], list[Row]] = list,
    our_clock_ahead_s: float = 0,
    headers: dict[str, str] | None = None,
) -> Outcome:
    """Send RUNG to an exchange whose records are `behind_s` behind and show `rows`."""
    posts = 0

    def answer(asked: Asked) -> Reply:
        nonlocal posts
        if asked.method == "POST":
            posts += 1
            return post
        if asked.path == "/exchange/user_data_timestamp":
            as_of = format_ts(datetime.now(UTC) - timedelta(seconds=behind_s))
            return Reply(body={"as_of_time": as_of}, headers=headers or {})
        return Reply(body={"orders": rows(), "cursor": ""}, headers=headers or {})

    async def story(base_url: str) -> Outcome:
        clock = ExchangeClock(lambda: time.time_ns() // 1_000_000 + int(our_clock_ahead_s * 1_000))
        settings = running.settings(key_id=KEY_ID, private_key=pem("ed25519"), trading="demo")
        assert settings.base_url == base_url
        async with Client(settings, retry=patient(), clock=clock) as client:
            trading = Trading(client, client.trading._session, patience=Patience(sleep=no_time))  # noqa: SLF001
            return await trading.create(RUNG)

    with exchange(answer) as running:
        try:
            return asyncio.run(story(running.base_url))
        finally:
            assert posts == 1


LOST = Reply(fault="reset")


@pytest.mark.parametrize("our_clock_ahead_s", [-600, -30, 0, 30, 600])
def test_whether_an_order_is_surely_not_there_does_not_hang_on_our_clock(our_clock_ahead_s: float) -> None:
    """Records of a second ago do not show what may still arrive; records of a minute ahead do.

    The order is the first thing that this client ever asks, so no answer has told yet what time it is.
    """
    with pytest.raises(UnknownOutcome, match="may still appear"):
        created(LOST, behind_s=1, our_clock_ahead_s=our_clock_ahead_s)
    with pytest.raises(NotPlaced):
        created(LOST, behind_s=-60, our_clock_ahead_s=our_clock_ahead_s)


def test_without_a_common_clock_nothing_is_sure() -> None:
    """No `Date` header: nobody can tell whether the records reach beyond our sending."""
    with pytest.raises(UnknownOutcome, match="may still appear"):
        created(LOST, behind_s=-60, headers={"Date": ""})


def test_an_older_order_of_the_same_name_and_terms_is_not_taken_for_ours() -> None:
    """A name may be used again when its order is over: that one was placed a minute before ours was sent."""
    with pytest.raises(NotPlaced):
        created(LOST, behind_s=-60, rows=lambda: [a_row("old", age_s=60, status="canceled")])
    with pytest.raises(UnknownOutcome):
        created(LOST, behind_s=1, rows=lambda: [a_row("old", age_s=60, status="canceled")])


def test_of_two_orders_of_one_name_the_new_one_is_ours() -> None:
    rows = [a_row("new", age_s=0), a_row("old", age_s=60, status="executed", fill_count_fp="3.00")]
    found = created(LOST, behind_s=0, rows=lambda: rows, our_clock_ahead_s=-600)
    assert (found.how, found.order_id, found.filled_centi) == ("found", "new", 0)


def test_an_order_that_does_not_say_when_it_was_made_may_be_ours() -> None:
    found = created(LOST, behind_s=0, rows=lambda: [a_row("new", age_s=0, created_time=None)])
    assert (found.how, found.order_id) == ("found", "new")


def test_records_of_another_time_are_taken_as_they_are() -> None:
    """A sandbox lives in a month of its own: its orders are not old because our calendar is."""
    a_month_s = 30 * 86_400
    found = created(LOST, behind_s=a_month_s, rows=lambda: [a_row("new", age_s=a_month_s)])
    assert (found.how, found.order_id) == ("found", "new")


@pytest.mark.parametrize("count", ["three", "1.005", "", None, 3])
def test_an_answer_with_a_count_that_is_none_is_looked_up(count: object) -> None:
    """The order is there; a count that cannot be read must not look like input that cannot be used."""
    made = {"order_id": "new", "fill_count": "0.00", "remaining_count": count, "ts_ms": 1}
    found = created(Reply(status=201, body=made), behind_s=0, rows=lambda: [a_row("new", age_s=0)])
    assert (found.how, found.order_id, found.remaining_centi) == ("found", "new", 300)
