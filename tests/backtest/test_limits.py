"""What a run cannot hold is refused before memory is taken for it, in words that say what to do."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from backtest.errors import TooLarge
from backtest.kernels.arrays import ARRIVE, ASK, EVENT, ORDER, PURSE, SIZE, TOP
from backtest.kernels.heap import first_kind, first_order, first_row, push
from backtest.limits import ORDERS_MAX, ROWS_MAX, refuse_orders, refuse_rows
from backtest.plan import Wanted, orders
from backtest.quoting import _roomier
from backtest.rooms import Room
from backtest.tape import TOUCH, touch_alone

NOBODY: Any = None


def test_as_many_as_fit_pass_and_one_more_does_not() -> None:
    refuse_rows(10, most=10)
    refuse_orders(10, most=10)
    with pytest.raises(TooLarge, match=r"has 11 rows, and a run holds 10: run fewer of them at a time$"):
        refuse_rows(11, most=10)
    with pytest.raises(
        TooLarge, match=r"sends 11 orders, and a run holds 10: run fewer markets at a time, or"
    ):
        refuse_orders(11, most=10)


@pytest.mark.parametrize("order", [0, ORDERS_MAX - 1, -ORDERS_MAX])
@pytest.mark.parametrize("row", [0, ROWS_MAX - 1])
@pytest.mark.parametrize("kind", [ARRIVE, ASK])
def test_the_heap_has_room_for_the_last_of_them(order: int, row: int, kind: int) -> None:
    """Below 0 it is a market. The largest row fits into an order's field, too."""
    world: Any = SimpleNamespace(
        heap=np.zeros(2, EVENT).view(np.recarray), purse=np.zeros(1, PURSE).view(np.recarray)
    )
    _in_python(push)(world, 7, kind, row, order)
    assert [_in_python(each)(world) for each in (first_kind, first_row, first_order)] == [kind, row, order]
    assert np.iinfo(ORDER["seen_row"]).max == ROWS_MAX


def _in_python(kernel: Any) -> Any:  # noqa: ANN401 -- numba's
    return kernel.py_func


def test_a_tape_is_refused_by_its_length() -> None:
    """2^31 rows that are all the same one, in the memory of one."""
    tops, sizes = (np.broadcast_to(np.zeros(1, kind), ROWS_MAX + 1) for kind in (TOP, SIZE))
    with pytest.raises(TooLarge, match="has 2,147,483,648 rows, and a run holds 2,147,483,647"):
        touch_alone(TOUCH, np.array([0, len(tops)]), tops, sizes)


def test_a_plan_is_refused_by_its_length() -> None:
    asked = Wanted({}, [], pl.DataFrame(height=ORDERS_MAX + 1))
    with pytest.raises(TooLarge, match="sends 536,870,913 orders, and a run holds 536,870,912"):
        orders(asked, NOBODY, Room())


def test_a_policy_is_stopped_where_its_orders_have_no_room() -> None:
    """It is given room as it goes: full with as many as there can be, the next one is refused."""
    world: Any = SimpleNamespace(orders=np.broadcast_to(np.zeros(1, ORDER), ORDERS_MAX))
    with pytest.raises(TooLarge, match="sends 536,870,913 orders"):
        _roomier(world)
