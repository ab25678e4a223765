"""What fills paid to the spread, and where the middle went: against the prices on the tape, by hand."""

from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backtest as bt
from backtest.metrics import against_the_middle
from tests.backtest.worlds import (
    a_delta,
    a_gap,
    a_lake,
    a_market,
    a_plan,
    a_quote,
    a_snapshot,
    at,
    replayed,
)

# The middle is .41, from 6 s on .45, from 60 s on .38.
QUOTES = [a_quote(0, 4_000, 4_200), a_quote(6, 4_400, 4_600), a_quote(60, 3_700, 3_900)]
MOVES = ("mid_cc", "spread_cc", "after_5s_cc", "after_60s_cc", "after_600s_cc")


def test_a_purchase_pays_half_the_spread_and_gains_what_the_middle_rises() -> None:
    """Bought at .42 at 2 s: one cent above the middle; at 7 s that is 4 cents higher, then 3 lower."""
    run = replayed(a_lake(markets=[a_market()], quotes=QUOTES), (1, "A", bt.buy_yes(1)))
    assert run.markouts.select(MOVES).rows() == [(4_100, 100, 400, -300, -300)]


def test_no_and_sales_are_told_in_their_own_prices_and_ways() -> None:
    """NO at .60 with a middle of .59: what YES gains NO loses. A sale of YES at .40 gives a cent away."""
    lake = a_lake(markets=[a_market()], quotes=QUOTES)
    no = replayed(lake, (1, "A", bt.buy_no(1)))
    assert no.markouts.select("price_cc", *MOVES).rows() == [(6_000, 5_900, 100, -400, 300, 300)]
    sold = replayed(lake, (1, "A", bt.sell_yes(1)))
    assert sold.markouts.select("price_cc", *MOVES).rows() == [(4_000, 4_100, 100, -400, 300, 300)]


def test_a_maker_earns_the_spread_and_loses_what_comes_after() -> None:
    """A bid of .39 is met by an ask of .39 at 60 s: the middle of .38 is a cent below what was paid."""
    waiting = bt.buy_yes(1, limit=3_900, tif="gtc")
    run = replayed(a_lake(markets=[a_market()], quotes=QUOTES), (1, "A", waiting))
    assert run.markouts.select("role", *MOVES).rows() == [("maker", 3_800, 100, 0, 0, 0)]
    books = a_lake(
        markets=[a_market()],
        book_snapshots=[a_snapshot(0, yes={4_000: 500}, no={5_800: 500})],
        book_deltas=[a_delta(8, "no", 5_800, -500, seq=2), a_delta(9, "no", 5_600, 500, seq=3)],
        trades=[
            {
                "trade_id": "1", "ticker": "A", "event_ts": at(5), "yes_price_cc": 4_000,
                "count_centi": 900, "taker_side": "no", "is_block_trade": False,
            }
        ],
    )  # fmt: skip
    patient = bt.buy_yes(1, limit=4_000, tif="gtc")
    filled = replayed(books, (1, "A", patient), fills="queue", queue="front")
    assert filled.markouts.select("role", *MOVES).rows() == [("maker", 4_100, -100, 100, 100, 100)]


def test_nothing_is_told_of_a_middle_that_nobody_knows() -> None:
    """After the close at 62 s there is none; nor of one side, nor after a recording, nor of an old quote."""
    closing = a_lake(markets=[a_market(close_ts=at(62))], quotes=QUOTES)
    buy = (1, "A", bt.buy_yes(1))
    assert replayed(closing, buy).markouts.select(MOVES).rows() == [(4_100, 100, 400, None, None)]
    one_sided = a_lake(markets=[a_market()], quotes=[a_quote(0, None, 4_200), QUOTES[1]])
    assert replayed(one_sided, buy).markouts.select(MOVES).rows() == [(None,) * 5]
    ended = a_lake(markets=[a_market()], quotes=QUOTES[:2], book_gaps=[a_gap(30, from_seq=9, cause="killed")])
    assert replayed(ended, buy).markouts.select(MOVES).rows() == [(4_100, 100, 400, None, None)]
    whole = a_lake(markets=[a_market()], quotes=QUOTES)
    assert replayed(whole, buy, max_age="20s").markouts.select(MOVES).rows() == [
        (4_100, 100, 400, -300, None)
    ]


def test_of_a_market_that_is_still_open_the_future_is_not_made_up() -> None:
    """Seen last at 62 s: what is quoted 600 s after the fill of 2 s nobody has seen yet."""
    lake = a_lake(markets=[a_market(close_ts=None, observed_ts=at(62))], quotes=QUOTES)
    run = replayed(lake, (1, "A", bt.buy_yes(1)))
    assert run.markouts.select(MOVES).rows() == [(4_100, 100, 400, -300, None)]


def test_a_sweep_has_the_markouts_of_each_setting() -> None:
    plan = a_plan((1, "A", bt.buy_yes(bt.param("size"))), (7, "A", bt.close()))
    run = bt.run(plan, a_lake(markets=[a_market()], quotes=QUOTES), fills="touch", params={"size": [1, 2]})
    told = run.markouts.select("size", "action", "side", "spread_cc", "after_5s_cc").rows()
    assert told == [
        (n, *each) for n in (1.0, 2.0) for each in (("buy", "yes", 100, 400), ("sell", "yes", 100, 0))
    ]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**40))
def test_every_middle_is_the_one_that_a_look_through_all_quotes_finds(seed: int) -> None:
    rng = Random(seed)
    quotes, seconds = [], 0
    for _ in range(rng.randint(1, 40)):
        seconds += rng.choice([0, 1, 3, 50])
        bid = rng.choice([None, 1_000, 3_000, 4_000])
        quotes.append((seconds, bid, rng.choice([None, 5_000, 5_500])))
    lake = a_lake(markets=[a_market()], quotes=[a_quote(*each) for each in quotes])
    run = replayed(lake, *((rng.randint(0, 300), "A", bt.buy_yes(1)) for _ in range(10)))

    def middle(second: float) -> float | None:
        past = [each for each in quotes if each[0] <= second]
        bid, ask = past[-1][1:] if past and second < 1_000 else (None, None)
        return None if bid is None or ask is None else (bid + ask) / 2

    for row in run.markouts.iter_rows(named=True):
        second = (row["fill_ts"] - at(0)).total_seconds()
        now = middle(second)
        assert row["mid_cc"] == now
        for after in (5, 60, 600):
            later = middle(second + after)
            moved = None if now is None or later is None else later - now
            assert row[f"after_{after}s_cc"] == moved


def test_means_are_by_contract_and_over_what_is_known_of_half_of_them() -> None:
    """1 contract moved by +4 cents and 3 by -2: -0.5 cents a contract; of the other 4 nothing is known.

    A minute later the middle is known of 1 in 8: that mean would be about others than the one beside it.
    """
    rows = pl.DataFrame(
        {
            "role": ["taker", "taker", "taker", "maker"],
            "count_centi": [100, 300, 400, 100],
            "mid_cc": [4_000.0, 4_000.0, None, None],
            "spread_cc": [100.0, 50.0, None, None],
            "after_5s_cc": [400.0, -200.0, None, None],
            "after_60s_cc": [0.0, None, None, None],
            "after_600s_cc": [None, None, None, None],
        },
        schema_overrides={"after_600s_cc": pl.Float64},
    )
    maker, taker = against_the_middle(rows).to_dicts()
    assert (taker["n_fills"], taker["known_share"]) == (3, 0.5)
    assert taker["spread_micros"] == pytest.approx(6_250)
    assert (taker["after_5s_micros"], taker["after_60s_micros"]) == (pytest.approx(-5_000), None)
    assert taker["after_600s_micros"] is None
    assert maker["spread_micros"] is None


def test_a_run_without_fills_has_no_markouts() -> None:
    run = replayed(a_lake(markets=[a_market()], quotes=QUOTES), (1, "A", bt.buy_yes(1, limit=100)))
    assert run.markouts.is_empty()
