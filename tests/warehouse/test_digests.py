"""Digests of rows: equal for equal content, and for nothing else."""

import hashlib

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.warehouse.rows import a_market, a_trade, at, frame
from warehouse.digests import FORMAT, row_digests, summed_up
from warehouse.tables import MARKETS, TRADES


def of_trades(*rows: dict[str, object]) -> tuple[int, str]:
    return summed_up(row_digests(TRADES, frame(TRADES, *rows)))


def test_a_digest_is_made_of_names_and_values_as_told_here() -> None:
    """NOON of 2026-05-13 is 1_778_673_600 seconds after 1970; fetched_ts and source are not content."""
    text = (
        "trade_id=t1\x1fticker=KXA-1\x1fevent_ts=1778673600000000\x1fyes_price_cc=5600\x1f"
        "count_centi=1000\x1ftaker_side=yes\x1fis_block_trade=false\x1f"
    )
    row = hashlib.blake2b(text.encode(), digest_size=8).digest()
    expected = hashlib.sha256(int.from_bytes(row).to_bytes(8, "little")).hexdigest()
    assert of_trades(a_trade("t1")) == (1, FORMAT + expected)


@given(st.permutations(range(6)), st.integers(0, 5))
def test_order_and_repetition_do_not_matter(order: list[int], twice: int) -> None:
    rows = [a_trade(f"t{n}") for n in range(6)]
    assert of_trades(*[rows[n] for n in [*order, twice]]) == of_trades(*rows)
    assert of_trades(*rows)[0] == 6


@pytest.mark.parametrize(
    "change",
    [
        {"trade_id": "t2"},
        {"event_ts": at(0.000001)},
        {"yes_price_cc": 5_601},
        {"count_centi": 1_001},
        {"taker_side": "no"},
        {"is_block_trade": True},
        {"is_block_trade": None},
    ],
)
def test_every_change_of_content_changes_the_digest(change: dict[str, object]) -> None:
    assert of_trades(a_trade("t1") | change)[1] != of_trades(a_trade("t1"))[1]


def test_where_a_row_came_from_and_columns_that_are_empty_do_not_matter() -> None:
    """A column that a later version of the table brings is empty in older rows."""
    row = {"source": "import:x", "fetched_ts": at(9)}
    assert of_trades(a_trade("t1", **row)) == of_trades(a_trade("t1"))
    without = frame(TRADES, a_trade("t1", is_block_trade=None)).drop("is_block_trade")
    assert summed_up(row_digests(TRADES, without)) == of_trades(a_trade("t1", is_block_trade=None))


def test_lists_are_content_and_an_empty_list_is_not_a_missing_one() -> None:
    """Grids of one market: none known, one without bands, one of a cent."""
    grids: tuple[list[dict[str, int]] | None, ...] = (
        None,
        [],
        [{"start_cc": 0, "end_cc": 10_000, "step_cc": 100}],
    )
    rows = pl.concat([frame(MARKETS, a_market(price_ranges=grid)) for grid in grids])
    assert row_digests(MARKETS, rows).n_unique() == 3


def test_no_rows_have_a_digest_too() -> None:
    assert of_trades() == (0, FORMAT + hashlib.sha256(b"").hexdigest())
    assert row_digests(TRADES, TRADES.empty()).dtype == pl.UInt64
