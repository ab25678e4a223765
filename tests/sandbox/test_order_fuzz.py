"""Whatever a body says: an order, or a refusal with a code, and never anything else."""

from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.access import Caller
from sandbox.bodies import json_object, n_items
from sandbox.order_requests import Fields
from sandbox.replies import Refused
from sandbox.trading import amend, cancel, decrease, place
from tests.sandbox.pit import RAIN, Pit

NAMES: Final = (
    "ticker", "client_order_id", "side", "count", "price", "expiration_time", "time_in_force", "post_only",
    "self_trade_prevention_type", "cancel_order_on_pause", "reduce_only", "subaccount", "order_group_id",
    "exchange_index", "market_ticker", "order_id", "reduce_by", "reduce_to", "updated_client_order_id",
)  # fmt: skip
WORDS: Final = (
    RAIN, "bid", "ask", "good_till_canceled", "immediate_or_cancel", "fill_or_kill", "maker",
    "taker_at_cross", "0.50", "0.5", "10", "-1", "0.505", "1e9", "9" * 30, "", " ", "\x00", "\ud800", "٣",
)  # fmt: skip
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(WORDS)
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5
)
bodies = st.dictionaries(st.sampled_from(NAMES), values)
GOOD: Final[dict[str, Any]] = {
    "ticker": RAIN,
    "side": "bid",
    "price": "0.50",
    "count": "10",
    "time_in_force": "good_till_canceled",
    "self_trade_prevention_type": "maker",
}
ANN: Final = Caller("ann", "ann")


@given(body=bodies, is_mended=st.booleans())
@settings(max_examples=300)
def test_any_body_is_an_order_or_a_refusal(body: dict[str, Any], *, is_mended: bool) -> None:
    """Half of them are good orders with some fields replaced, so that the later rules are met as well."""
    pit = Pit()
    fields = Fields(GOOD | body if is_mended else body)
    order = pit.place("ann", "bid", "0.40", "5").order
    n_orders = len(pit.account("ann").orders)
    acts: tuple[Any, ...] = (
        lambda: place(pit.desk, ANN, fields.new_order()),
        lambda: amend(pit.desk, ANN, order.order_id, None, fields.amendment()),
        lambda: decrease(
            pit.desk,
            ANN,
            order.order_id,
            fields.which(),
            by_centi=fields.centi("reduce_by"),
            to_centi=fields.centi("reduce_to"),
        ),
        lambda: cancel(pit.desk, ANN, fields.text("order_id", is_required=True), fields.which()),
    )
    for act in acts:
        try:
            act()
        except Refused as refused:
            told = (refused.status, refused.code)
        else:
            told = (200, "done")
        assert told[0] in {200, 400, 404, 409}
        assert told[1]
    assert len(pit.account("ann").orders) - n_orders in {0, 1}


@given(body=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_are_an_object_or_a_refusal_and_cost_something(body: bytes) -> None:
    """Also what is no JSON is charged as one item."""
    assert n_items(body) >= 1
    try:
        assert isinstance(json_object(body), dict)
    except Refused as refused:
        status = refused.status
        assert status == 400
