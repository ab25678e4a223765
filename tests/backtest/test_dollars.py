"""Frames in dollars and contracts, for people."""

import polars as pl
import pytest

import backtest as bt
from backtest.errors import PlanError
from tests.backtest.worlds import a_lake, a_market, a_quote, replayed


def test_amounts_prices_and_sizes_are_told_in_what_people_read() -> None:
    rows = pl.DataFrame(
        {
            "ticker": ["A"],
            "pnl_micros": [-1_234_567],
            "price_cc": [5_650],
            "count_centi": [150],
            "filled_centi": [None],
            "hits_centimetre": [7],
        },
        schema_overrides={"filled_centi": pl.Int64},
    )
    shown = bt.in_dollars(rows)
    assert shown.columns == ["ticker", "pnl", "price", "contracts", "filled", "hits_centimetre"]
    assert shown.rows() == [("A", -1.234567, 0.565, 1.5, None, 7)]
    assert bt.in_dollars(rows.lazy()).collect().equals(shown)
    assert bt.in_dollars(shown).equals(shown), "what is in dollars stays"


def test_a_unit_alone_is_a_column_of_dollars_or_contracts() -> None:
    rows = pl.DataFrame({"cause": ["fee"], "micros": [-1_500_000], "centi": [250]})
    assert bt.in_dollars(rows).rows(named=True) == [{"cause": "fee", "dollars": -1.5, "contracts": 2.5}]
    assert bt.in_dollars(pl.DataFrame({"cc": [5_600]})).rows(named=True) == [{"dollars": 0.56}]
    with pytest.raises(PlanError, match="micros and cc would both be called dollars: rename one before"):
        bt.in_dollars(pl.DataFrame({"micros": [1], "cc": [1]}))


def test_every_frame_of_a_run_can_be_told_so() -> None:
    """The parameters and the words stay; no two columns get one name."""
    run = replayed(a_lake(markets=[a_market()], quotes=[a_quote(0, 4_900, 5_000)]), (1, "A", bt.buy_yes(2)))
    for frame in run.frames.values():
        shown = bt.in_dollars(frame)
        assert shown.width == frame.width
        assert not [name for name in shown.columns if name.endswith(("_micros", "_cc", "_centi"))]
    (fill,) = bt.in_dollars(run.fills).to_dicts()
    assert (fill["price"], fill["contracts"], fill["cash"], fill["fee"]) == (0.5, 2.0, -1.0, 0.035)


def test_what_is_no_frame_or_would_lose_a_column_is_refused() -> None:
    with pytest.raises(PlanError, match=r"takes a polars frame such as run\.summary, not list"):
        bt.in_dollars([1])  # type: ignore[type-var]  # what a user may write
    with pytest.raises(PlanError, match="pnl and pnl_micros would both be called pnl: rename one before"):
        bt.in_dollars(pl.DataFrame({"pnl": [1], "pnl_micros": [1]}))


def test_a_run_says_which_frames_it_has() -> None:
    run = replayed(a_lake(markets=[a_market()], quotes=[a_quote(0, 4_900, 5_000)]), (1, "A", bt.buy_yes(2)))
    with pytest.raises(AttributeError, match="a run has no trades: its frames are summary, orders, fills"):
        run.trades  # noqa: B018
