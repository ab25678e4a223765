"""Changes to an order that is there: sent once each, and judged by the order where the answer was lost."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.client import Client, HttpError, NotDone, NotFound, RequestError, UnknownOutcome
from pipelines.client.trading import Trading
from pipelines.client.wire import Order
from tests.client.loopback import Asked, Reply
from tests.client.order_desk import LOST, ORDERS, Desk, an_order, traded


async def amended(client: Client, trading: Trading) -> int:
    order = await client.order("id-1")
    return (await trading.amend(order, yes_price_cc=3_500, count_centi=700)).remaining_centi


async def decreased(_client: Client, trading: Trading) -> int | None:
    return (await trading.decrease("id-1", to_centi=400)).remaining_centi


async def canceled(_client: Client, trading: Trading) -> int | None:
    return (await trading.cancel("id-1")).remaining_centi or 0


CHANGES = {"amend": (amended, 700), "decrease": (decreased, 400), "cancel": (canceled, 0)}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_behind_a_lost_answer_is_seen_and_not_sent_again(change: str) -> None:
    """The records show it at the third look only."""
    act, left_centi = CHANGES[change]
    desk = Desk("lost", n_stale=2)
    assert traded(desk.answer, act) == left_centi
    assert (len(desk.changes), desk.remaining_centi) == (1, left_centi)


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_that_never_arrived_is_surely_not_done(change: str) -> None:
    desk = Desk("never")
    with pytest.raises(
        NotDone, match=r"order id-1 surely was not changed: it is resting at 0\.3000"
    ) as caught:
        traded(desk.answer, CHANGES[change][0])
    assert (len(desk.changes), caught.value.order_id) == (1, "id-1")


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_that_the_records_do_not_reach_stays_unknown(change: str) -> None:
    for fate in ("lost", "never"):
        desk = Desk(fate, n_stale=None)
        with pytest.raises(UnknownOutcome, match="what became of order id-1"):
            traded(desk.answer, CHANGES[change][0])
        assert len(desk.changes) == 1


def test_an_order_that_ended_does_not_tell_whether_it_was_amended() -> None:
    """Canceled at its old terms: before the amendment, or after one whose size nobody shows?"""
    desk = Desk("never")

    async def story(client: Client, trading: Trading) -> None:
        order = await client.order("id-1")
        desk.status, desk.remaining_centi = "canceled", 0
        await trading.amend(order, yes_price_cc=3_500, count_centi=700)

    with pytest.raises(UnknownOutcome, match="it is canceled at"):
        traded(desk.answer, story)


def test_what_is_over_is_not_taken_out_twice() -> None:
    """Executed meanwhile: a 404, and nothing was taken out."""
    desk = Desk()
    desk.status, desk.filled_centi, desk.remaining_centi = "executed", 1_000, 0
    gone = traded(desk.answer, lambda _client, trading: trading.cancel("id-1"))
    assert (gone.reduced_centi, gone.remaining_centi, gone.client_order_id) == (0, 0, "mine")


def test_an_order_that_rests_elsewhere_was_not_taken_out() -> None:
    """Kalshi looks in subaccount 0 and shard 0 unless told: its 404 is no cancellation."""

    def answer(asked: Asked) -> Reply:
        if asked.method == "GET":
            return Reply(body={"order": an_order(subaccount_number=2)})
        is_there = asked.query.get("subaccount") == ["2"]
        if not is_there:
            return Reply(status=404, body={"code": "not_found"})
        return Reply(body={"order_id": "id-1", "reduced_by": "10.00", "ts_ms": 1})

    with pytest.raises(NotFound, match="the order rests, but not where this was sent to"):
        traded(answer, lambda _client, trading: trading.cancel("id-1"))
    for whose in ({}, {"subaccount": 2}):
        gone = traded(
            answer,
            lambda _client, trading, whose=whose: trading.cancel("id-1", **whose),  # type: ignore[misc]
            subaccount=None if whose else 2,
        )
        assert gone.reduced_centi == 1_000


def test_an_order_nobody_knows_cannot_be_taken_out() -> None:
    def answer(_asked: Asked) -> Reply:
        return Reply(status=404, body={"code": "not_found"})

    with pytest.raises(NotFound):
        traded(answer, lambda _client, trading: trading.cancel("id-9"))


def test_nonsense_is_refused_before_anything_is_sent() -> None:
    desk = Desk()
    for act, words in (
        (lambda _client, trading: trading.decrease("id-1", to_centi=-1), "to_centi is -1"),
        (lambda _client, trading: trading.decrease("id-1", to_centi=True), "to_centi is True"),
        (lambda _client, trading: trading.cancel("a/b"), "is no order id"),
        (lambda _client, trading: trading.cancel("id-1", subaccount=64), "subaccount is 64"),
        (lambda _client, trading: trading.cancel_batch([]), "a list of order ids"),
        (lambda _client, trading: trading.cancel_batch("id-1"), "a list of order ids"),
        (lambda _client, trading: trading.cancel_batch(["id-1", "id-1"]), "each once"),
    ):
        with pytest.raises(RequestError, match=words):
            traded(desk.answer, act)
    assert desk.changes == []


def test_everything_is_taken_out_even_if_the_first_answer_is_lost() -> None:
    """204 has no body; this request alone is sent again."""
    replies = [LOST, Reply(status=204, body=b"")]
    asked: list[Asked] = []

    def answer(one: Asked) -> Reply:
        asked.append(one)
        return replies[len(asked) - 1]

    traded(answer, lambda _client, trading: trading.cancel_all(subaccount=3))
    assert [(one.method, one.path, one.query) for one in asked] == [
        ("DELETE", ORDERS, {"subaccount": ["3"]})
    ] * 2


STEPS = st.tuples(st.sampled_from(sorted(CHANGES)), st.sampled_from(["good", "lost", "never"]))


@settings(max_examples=12)
@given(steps=st.lists(STEPS, min_size=1, max_size=5), n_stale=st.sampled_from([0, 1, 3, None]))
def test_whatever_is_lost_every_change_is_sent_once_and_the_answer_is_the_truth(
    steps: list[tuple[str, str]], n_stale: int | None
) -> None:
    """Any run of changes and losses against records that lag, even for ever."""
    desk = Desk(*(fate for _, fate in steps), n_stale=n_stale)

    async def story(client: Client, trading: Trading) -> None:
        for n_sent, (change, fate) in enumerate(steps, start=1):
            order = Order(**desk.order())
            before = desk.order()
            try:
                if change == "amend":
                    done = await trading.amend(order, yes_price_cc=3_500, count_centi=700)
                    left: int | None = done.remaining_centi
                else:
                    left = await CHANGES[change][0](client, trading)
            except NotDone:
                assert fate == "never"
                assert desk.order() == before
            except UnknownOutcome:
                assert n_stale is None or before["status"] != "resting"
                assert fate != "good"
            except (NotFound, RequestError):
                assert before["status"] != "resting"
            except HttpError:
                assert (fate, desk.order()) == ("good", before)
            else:
                assert left == desk.remaining_centi
            assert len(desk.changes) == n_sent

    traded(desk.answer, story)
